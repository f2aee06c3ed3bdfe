"""A list of profiles: a title, and below it who that is."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QSize, Qt
from PySide6.QtGui import QFontMetrics, QPainter, QPen
from PySide6.QtWidgets import (
    QListWidget,
    QListWidgetItem,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
)

from goassist_desktop.personas import Profile
from goassist_desktop.ui.pictograms import pixmap
from goassist_desktop.ui.theme import theme

_ROLE: Final = Qt.ItemDataRole.UserRole
_PLACE: Final = Qt.ItemDataRole.UserRole + 1
_CHOSEN: Final = Qt.ItemDataRole.UserRole + 2
ROW_PX: Final = 58
MOST_ROWS: Final = 5


class ProfileList(QListWidget):
    """As high as its rows, up to MOST_ROWS. A tick marks the one that is chosen."""

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName("Profiles")
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setItemDelegate(_Rows(self))
        self.setMouseTracking(True)
        theme().changed.connect(self._measure)

    def show_profiles(self, profiles: list[Profile], chosen: Profile | None, edited: bool) -> None:
        """All of them; `edited`: the chosen one is not what it was when it was saved."""
        self.clear()
        for place, profile in enumerate(profiles):
            mine = profile == chosen
            title = f"{profile.title} – edited" if mine and edited else profile.title
            item = QListWidgetItem(title)
            item.setData(_ROLE, profile.persona.role)
            item.setData(_PLACE, place)
            item.setData(_CHOSEN, mine)
            item.setData(Qt.ItemDataRole.AccessibleTextRole, f"{title}, {profile.persona.role}")
            self.addItem(item)
            if mine:
                self.setCurrentItem(item)
        self._measure()

    def place_of(self, item: QListWidgetItem) -> int:
        """In the list of profiles."""
        place: int = item.data(_PLACE)
        return place

    def _measure(self) -> None:
        self.setFixedHeight(theme().px(ROW_PX) * min(max(self.count(), 1), MOST_ROWS) + 4)
        self.doItemsLayout()


class _Rows(QStyledItemDelegate):
    def sizeHint(
        self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> QSize:
        return QSize(100, theme().px(ROW_PX))

    def paint(
        self,
        painter: QPainter,
        option: QStyleOptionViewItem,
        index: QModelIndex | QPersistentModelIndex,
    ) -> None:
        style, px = theme(), theme().px
        rect: QRect = option.rect.adjusted(1, 2, -1, -2)
        state = option.state
        chosen = bool(state & QStyle.StateFlag.State_Selected)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        focused = bool(state & QStyle.StateFlag.State_HasFocus)
        painter.setPen(QPen(style.colour("accent"), 1) if focused else Qt.PenStyle.NoPen)
        if chosen or state & QStyle.StateFlag.State_MouseOver:
            painter.setBrush(style.colour("accent_soft" if chosen else "hover"))
            painter.drawRoundedRect(rect, px(10), px(10))
        words = rect.adjusted(px(14), px(6), -px(14), -px(6))
        if index.data(_CHOSEN):
            side = px(18)
            tick = pixmap("check", style.colours.accent, side, painter.device().devicePixelRatioF())
            painter.drawPixmap(words.right() - side, rect.center().y() - side // 2, tick)
            words.setRight(words.right() - side - px(8))
        half = words.height() // 2
        for text, font, ink, place in (
            (index.data(), style.font("body"), "text", words.adjusted(0, 0, 0, -half)),
            (
                index.data(_ROLE),
                style.font("caption"),
                "text" if chosen else "quiet",
                words.adjusted(0, half, 0, 0),
            ),
        ):
            painter.setFont(font)
            painter.setPen(style.colour(ink))
            shown = QFontMetrics(font).elidedText(text, Qt.TextElideMode.ElideRight, place.width())
            painter.drawText(place, Qt.AlignmentFlag.AlignVCenter, shown)
        painter.restore()
