"""The list of past conversations: by day, the newest first, more of it as it is scrolled."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Any, Final

from PySide6.QtCore import (
    QAbstractListModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QPointF,
    QRect,
    QRectF,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import (
    QFont,
    QFontMetrics,
    QKeyEvent,
    QPainter,
    QPen,
    QTextCharFormat,
    QTextLayout,
)
from PySide6.QtWidgets import QListView, QStyle, QStyledItemDelegate, QStyleOptionViewItem

from goassist_desktop.history_store import Page, Span, Summary
from goassist_desktop.ui.theme import CONTRAST, theme

AnyIndex = QModelIndex | QPersistentModelIndex
SUMMARY: Final = Qt.ItemDataRole.UserRole
ROW: Final = 64
DAY: Final = 38
_INSET: Final = 14


def day_of(began_s: float, today: datetime.date) -> str:
    """What people call that day."""
    day = datetime.datetime.fromtimestamp(began_s).date()
    ago = (today - day).days
    if ago == 0:
        return "Today"
    if ago == 1:
        return "Yesterday"
    named = f"{day:%A}, {day.day} {day:%B}"
    return named if day.year == today.year else f"{named} {day.year}"


def time_of(began_s: float) -> str:
    return f"{datetime.datetime.fromtimestamp(began_s):%H:%M}"


def how_many(turns: int) -> str:
    return "1 turn" if turns == 1 else f"{turns} turns"


@dataclass(frozen=True, slots=True)
class _Day:
    name: str


class Conversations(QAbstractListModel):
    """Days and the conversations of each. The rest is asked for by `wanted` when it is scrolled."""

    wanted = Signal(int)
    """The page before this conversation."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._rows: list[_Day | Summary] = []
        self._before: int | None = None
        self._today = datetime.date.today()

    def show_page(self, page: Page) -> None:
        """This instead of what there was."""
        self.beginResetModel()
        self._rows = []
        self._today = datetime.date.today()
        self._rows = self._with_days(page)
        self._before = page.before
        self.endResetModel()

    def add_page(self, page: Page) -> None:
        """This below what there is."""
        rows = self._with_days(page)
        if rows:
            first = len(self._rows)
            self.beginInsertRows(QModelIndex(), first, first + len(rows) - 1)
            self._rows += rows
            self.endInsertRows()
        self._before = page.before

    def remove(self, number: int) -> None:
        """A conversation that was deleted, and its day if nothing else is left of that."""
        row = self.row_of(number)
        if row is None:
            return
        first = last = row
        alone = row + 1 == len(self._rows) or isinstance(self._rows[row + 1], _Day)
        if alone and isinstance(self._rows[row - 1], _Day):
            first = row - 1
        self.beginRemoveRows(QModelIndex(), first, last)
        del self._rows[first : last + 1]
        self.endRemoveRows()

    def row_of(self, number: int) -> int | None:
        for row, one in enumerate(self._rows):
            if isinstance(one, Summary) and one.id == number:
                return row
        return None

    def next_to(self, row: int) -> QModelIndex:
        """The conversation at this row or the nearest to it; invalid when there is none."""
        for near in (*range(row, len(self._rows)), *range(min(row, len(self._rows)) - 1, -1, -1)):
            if isinstance(self._rows[near], Summary):
                return self.index(near)
        return QModelIndex()

    def _with_days(self, page: Page) -> list[_Day | Summary]:
        days = [one.name for one in self._rows if isinstance(one, _Day)]
        latest = days[-1] if days else ""
        rows: list[_Day | Summary] = []
        for summary in page.found:
            day = day_of(summary.began_s, self._today)
            if day != latest:
                latest = day
                rows.append(_Day(day))
            rows.append(summary)
        return rows

    # As Qt asks.

    def rowCount(self, parent: AnyIndex = QModelIndex()) -> int:  # noqa: B008 - Qt's own
        return 0 if parent.isValid() else len(self._rows)

    def canFetchMore(self, parent: AnyIndex) -> bool:
        return not parent.isValid() and self._before is not None

    def fetchMore(self, parent: AnyIndex) -> None:
        before, self._before = self._before, None
        if before is not None:
            self.wanted.emit(before)

    def flags(self, index: AnyIndex) -> Qt.ItemFlag:
        if isinstance(self._rows[index.row()], _Day):
            return Qt.ItemFlag.NoItemFlags  # arrows pass it by
        return Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable

    def data(self, index: AnyIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        one = self._rows[index.row()]
        if isinstance(one, _Day):
            texts = (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole)
            return one.name if role in texts else None
        match role:
            case Qt.ItemDataRole.DisplayRole:
                return one.preview
            case Qt.ItemDataRole.AccessibleTextRole:
                day = day_of(one.began_s, self._today)
                return (
                    f"{one.preview}. {day}, {time_of(one.began_s)}, with {one.persona}, "
                    f"{how_many(one.turns)}"
                )
        return one if role == SUMMARY else None


class Painter(QStyledItemDelegate):
    """A day as a heading; a conversation as its words, and below when, with whom and how long."""

    def sizeHint(self, option: QStyleOptionViewItem, index: AnyIndex) -> QSize:
        is_day = index.data(SUMMARY) is None
        return QSize(theme().px(160), theme().px(DAY if is_day else ROW))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: AnyIndex) -> None:
        box: QRect = option.rect
        state: QStyle.StateFlag = option.state
        summary = index.data(SUMMARY)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if summary is None:
            self._day(painter, box, index.data())
        else:
            self._conversation(painter, box, state, summary)
        painter.restore()

    def _day(self, painter: QPainter, box: QRect, name: str) -> None:
        style = theme()
        painter.setFont(style.font("caption", QFont.Weight.DemiBold))
        painter.setPen(style.colour("quiet"))
        where = box.adjusted(style.px(_INSET), 0, 0, -style.px(6))
        painter.drawText(where, Qt.AlignmentFlag.AlignBottom | Qt.AlignmentFlag.AlignLeft, name)

    def _conversation(
        self, painter: QPainter, box: QRect, state: QStyle.StateFlag, summary: Summary
    ) -> None:
        style = theme()
        ground = QRectF(box).adjusted(1, 1, -1, -1)
        selected = bool(state & QStyle.StateFlag.State_Selected)
        hovered = bool(state & QStyle.StateFlag.State_MouseOver)
        focused = bool(state & QStyle.StateFlag.State_HasFocus)
        if selected or hovered or focused:
            painter.setBrush(style.colour("accent_soft" if selected else "hover"))
            if not (selected or hovered):
                painter.setBrush(Qt.BrushStyle.NoBrush)
            edge = QPen(Qt.PenStyle.NoPen)
            if focused or (selected and style.colours is CONTRAST):
                edge = QPen(style.colour("accent"), 2)
            painter.setPen(edge)
            painter.drawRoundedRect(ground, style.px(10), style.px(10))
        inner = box.adjusted(style.px(_INSET), style.px(9), -style.px(_INSET), -style.px(9))
        font = style.font("body", QFont.Weight.Medium)
        _one_line(painter, inner, font, summary.preview or "(nothing was said)", summary.marked)
        painter.setFont(style.font("caption"))
        painter.setPen(style.colour("text" if selected else "quiet"))
        parts = (time_of(summary.began_s), summary.persona, how_many(summary.turns))
        below = "  ·  ".join(part for part in parts if part)
        metrics = QFontMetrics(painter.font())
        below = metrics.elidedText(below, Qt.TextElideMode.ElideRight, inner.width())
        painter.drawText(inner, Qt.AlignmentFlag.AlignBottom | Qt.AlignmentFlag.AlignLeft, below)


def _one_line(
    painter: QPainter, box: QRect, font: QFont, text: str, marked: tuple[Span, ...]
) -> None:
    """The text at the top of the box, cut at its right, with marks on what was searched for."""
    style = theme()
    text = text.replace("\n", " ")
    shown = QFontMetrics(font).elidedText(text, Qt.TextElideMode.ElideRight, box.width())
    layout = QTextLayout(shown, font)
    formats = []
    for start, end in marked:
        end = min(end, len(shown))
        if start < end:
            mark = QTextLayout.FormatRange()
            mark.start, mark.length = start, end - start
            look = QTextCharFormat()
            look.setForeground(style.colour("accent"))
            look.setFontWeight(QFont.Weight.Bold)
            mark.format = look
            formats.append(mark)
    layout.setFormats(formats)
    layout.beginLayout()
    line = layout.createLine()
    line.setLineWidth(4 * box.width())
    layout.endLayout()
    painter.setClipRect(box.adjusted(0, 0, style.px(4), 0))
    painter.setPen(style.colour("text"))
    layout.draw(painter, QPointF(box.topLeft()))
    painter.setClipping(False)


class ConversationList(QListView):
    """The list itself: arrows choose, Enter reads, Delete deletes."""

    read = Signal(int)
    delete = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName("Past conversations")
        self.setItemDelegate(Painter(self))
        self.setMouseTracking(True)
        self.setStyleSheet("QListView:focus { border: none; }")  # the row in focus shows it
        self.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setEditTriggers(QListView.EditTrigger.NoEditTriggers)
        self.clicked.connect(self._chosen)
        theme().changed.connect(self.doItemsLayout)

    def current(self) -> int | None:
        """Number of the chosen conversation."""
        summary = self.currentIndex().data(SUMMARY)
        return None if summary is None else int(summary.id)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        number = self.current()
        match event.key():
            case Qt.Key.Key_Return | Qt.Key.Key_Enter | Qt.Key.Key_Space if number is not None:
                self.read.emit(number)
            case Qt.Key.Key_Delete if number is not None:
                self.delete.emit(number)
            case _:
                super().keyPressEvent(event)

    def _chosen(self, index: QModelIndex) -> None:
        summary = index.data(SUMMARY)
        if summary is not None:
            self.read.emit(summary.id)
