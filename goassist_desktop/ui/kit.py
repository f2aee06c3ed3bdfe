"""The few building blocks all views are made of: labels, buttons, switches, cards, rows.

Each has a name for screen readers, works by keyboard, and repaints when the theme changes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Final, Literal, TypeVar

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QEnterEvent, QIcon, QPainter, QPaintEvent, QPen, QWheelEvent
from PySide6.QtWidgets import (
    QAbstractButton,
    QComboBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLayout,
    QLineEdit,
    QListView,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QStyleOptionComboBox,
    QVBoxLayout,
    QWidget,
)

from goassist_desktop.ui.pictograms import icon, pixmap
from goassist_desktop.ui.theme import GAP, theme

LabelKind = Literal[
    "display",
    "heading",
    "title",
    "large",
    "body",
    "quiet",
    "caption",
    "section",
    "error",
    "warning",
]
WIDEST_PX: Final = 1320
"""Of the content of a page: on a large screen it stays together, in the middle."""
Box = TypeVar("Box", QVBoxLayout, QHBoxLayout)
ButtonKind = Literal["plain", "primary", "danger", "link"]


def label(text: str, kind: LabelKind = "body", *, wrap: bool = False) -> QLabel:
    """A text. What is shown is never read as markup."""
    made = QLabel(text)
    made.setTextFormat(Qt.TextFormat.PlainText)
    made.setProperty("kind", kind)
    made.setWordWrap(wrap)
    return made


def button(
    text: str, kind: ButtonKind = "plain", clicked: Callable[[], object] | None = None
) -> QPushButton:
    made = QPushButton(text)
    made.setProperty("kind", kind)
    made.setAutoDefault(False)
    if clicked is not None:
        made.clicked.connect(lambda: clicked())
    return made


def column(*items: QWidget | QLayout | int, gap: int = GAP, margin: int = 0) -> QVBoxLayout:
    """Items one below the other; a number is that much stretch."""
    return _filled(QVBoxLayout(), items, gap, margin)


def row(*items: QWidget | QLayout | int, gap: int = GAP, margin: int = 0) -> QHBoxLayout:
    """Items side by side; a number is that much stretch."""
    return _filled(QHBoxLayout(), items, gap, margin)


def _filled(box: Box, items: tuple[QWidget | QLayout | int, ...], gap: int, margin: int) -> Box:
    box.setSpacing(gap)
    box.setContentsMargins(margin, margin, margin, margin)
    for item in items:
        if isinstance(item, int):
            box.addStretch(item)
        elif isinstance(item, QWidget):
            box.addWidget(item)
        else:
            box.addLayout(item)
    return box


def card(*items: QWidget | QLayout | int, gap: int = 2 * GAP) -> QFrame:
    """A raised area that holds what belongs together."""
    frame = QFrame()
    frame.setProperty("kind", "card")
    frame.setLayout(column(*items, gap=gap, margin=3 * GAP))
    return frame


def setting(title: str, what: str, control: QWidget) -> QWidget:
    """A line of a settings page: what it is, what it does, and the control at the right."""
    words = column(label(title), gap=2)
    if what:
        words.addWidget(label(what, "caption", wrap=True))
    if not control.accessibleName():
        control.setAccessibleName(title)
    control.setAccessibleDescription(what)
    line = QWidget()
    made = row(words, control, gap=3 * GAP)
    made.setStretch(0, 1)
    made.setAlignment(control, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight)
    line.setLayout(made)
    return line


def scrolling(inside: QWidget) -> QScrollArea:
    """The widget, scrolled up and down where it does not fit."""
    area = QScrollArea()
    area.setWidgetResizable(True)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setWidget(inside)
    area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    return area


class IconButton(QAbstractButton):
    """A round button that shows an icon; checkable ones are filled while on.

    `name` is what a screen reader says and what hovering shows.
    """

    def __init__(
        self,
        icon: str,
        name: str,
        clicked: Callable[[], object] | None = None,
        *,
        size: int = 44,
        checkable: bool = False,
        flat: bool = False,
    ) -> None:
        """`flat`: no edge until it is hovered or focused."""
        super().__init__()
        self._icon, self._size, self._flat = icon, size, flat
        self._hovered = False
        self.setCheckable(checkable)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.rename(name)
        if clicked is not None:
            self.clicked.connect(lambda: clicked())
        theme().changed.connect(self._restyle)

    def rename(self, name: str, icon: str | None = None) -> None:
        """Say and show something else."""
        self._icon = icon or self._icon
        self.setAccessibleName(name)
        self.setToolTip(name)
        self.update()

    def sizeHint(self) -> QSize:
        side = theme().px(self._size)
        return QSize(side, side)

    def enterEvent(self, event: QEnterEvent) -> None:
        self._hovered = True
        self.update()
        super().enterEvent(event)

    def leaveEvent(self, event: object) -> None:
        self._hovered = False
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        style = theme()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        edge = QRectF(self.rect()).adjusted(1.5, 1.5, -1.5, -1.5)
        filled = self.isChecked()
        fill = style.colour("accent_fill") if filled else style.colour("raised")
        if self._hovered and self.isEnabled() and not filled:
            fill = style.colour("hover")
        bare = self._flat and not filled and not self._hovered
        painter.setBrush(Qt.BrushStyle.NoBrush if bare else fill)
        line = style.colour("outline")
        if self.hasFocus():
            line = style.colour("text" if filled else "accent")
        quiet_edge = bare or (filled and not self.hasFocus())
        if quiet_edge and not self.hasFocus():
            painter.setPen(Qt.PenStyle.NoPen)
        else:
            painter.setPen(QPen(line, 2 if self.hasFocus() else 1))
        painter.drawEllipse(edge)
        ink = style.colours.on_accent if filled else style.colours.text
        if not self.isEnabled():
            ink = style.colours.quiet
        side = round(self.width() * 0.5)
        picture = pixmap(self._icon, ink, side, self.devicePixelRatioF())
        left, top = (self.width() - side) / 2, (self.height() - side) / 2
        painter.drawPixmap(round(left), round(top), picture)
        painter.end()

    def _restyle(self) -> None:
        self.updateGeometry()
        self.update()


class Switch(QAbstractButton):
    """On or off, at once. `toggled` as every checkable button has it."""

    def __init__(self, on: bool = False, name: str = "") -> None:
        super().__init__()
        self.setCheckable(True)
        self.setChecked(on)
        self.setAccessibleName(name)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        theme().changed.connect(self.updateGeometry)

    def sizeHint(self) -> QSize:
        return QSize(theme().px(46), theme().px(28))

    def paintEvent(self, event: QPaintEvent) -> None:
        style, on = theme(), self.isChecked()
        painter = QPainter(self)
        painter.setOpacity(1.0 if self.isEnabled() else 0.5)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        track = QRectF(self.rect()).adjusted(2, 2, -2, -2)
        painter.setBrush(style.colour("accent_fill") if on else style.colour("raised"))
        edge = style.colour("text" if on else "accent") if self.hasFocus() else None
        line = edge or style.colour("accent_fill" if on else "outline")
        painter.setPen(QPen(line, 2 if self.hasFocus() else 1))
        painter.drawRoundedRect(track, track.height() / 2, track.height() / 2)
        side = track.height() - 8
        left = track.right() - 4 - side if on else track.left() + 4
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(style.colour("on_accent") if on else style.colour("quiet"))
        painter.drawEllipse(QRectF(left, track.top() + 4, side, side))
        painter.end()


class Choice(QComboBox):
    """One of several, by a list that opens."""

    def __init__(self, name: str = "") -> None:
        super().__init__()
        self.setAccessibleName(name)
        self.setMinimumWidth(theme().px(220))
        self.setView(QListView())  # the one it comes with knows nothing of style sheets

    def wheelEvent(self, event: QWheelEvent) -> None:
        event.ignore()  # scrolling the page must not change a setting

    def initStyleOption(self, option: QStyleOptionComboBox) -> None:
        """A long text loses its middle: names of devices differ at their ends."""
        super().initStyleOption(option)
        room = self.width() - theme().px(52)
        option.currentText = self.fontMetrics().elidedText(
            self.currentText(), Qt.TextElideMode.ElideMiddle, room
        )

    def showPopup(self) -> None:
        view = self.view()
        view.setMinimumWidth(min(view.sizeHintForColumn(0) + theme().px(32), theme().px(640)))
        super().showPopup()

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        side = theme().px(18)
        picture = pixmap("down", theme().colours.quiet, side, self.devicePixelRatioF())
        painter = QPainter(self)
        painter.drawPixmap(
            self.width() - side - theme().px(10), (self.height() - side) // 2, picture
        )
        painter.end()


class SearchField(QLineEdit):
    """Words to look for; a cross at its end clears them."""

    def __init__(self, what: str) -> None:
        super().__init__()
        self.setPlaceholderText(what)
        self.setAccessibleName(what)
        side = QLineEdit.ActionPosition
        self._glass = self.addAction(QIcon(), side.LeadingPosition)
        self._cross = self.addAction(QIcon(), side.TrailingPosition)
        self._cross.setText("Clear the search")
        self._cross.setVisible(False)
        self._cross.triggered.connect(self.clear)
        self.textChanged.connect(lambda text: self._cross.setVisible(bool(text)))
        theme().changed.connect(self._restyle)
        self._restyle()

    def _restyle(self) -> None:
        self._glass.setIcon(icon("search", theme().colours.quiet))
        self._cross.setIcon(icon("close", theme().colours.quiet))


class Level(QWidget):
    """A thin bar that shows how loud it is, from silence to full scale."""

    FLOOR_DB: Final = -60.0
    FALL_DB: Final = 1.2
    """So much less every time it is told of less: peaks can be seen."""

    def __init__(self, name: str = "Level") -> None:
        super().__init__()
        self._db = self.FLOOR_DB
        self.setAccessibleName(name)
        self.setMinimumSize(theme().px(120), theme().px(8))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        theme().changed.connect(self.update)

    def show_level(self, db: float) -> None:
        """dB of full scale."""
        shown = max(self.FLOOR_DB, db, self._db - self.FALL_DB)
        if shown != self._db:
            self._db = shown
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        bar = QRectF(self.rect())
        round_by = bar.height() / 2
        painter.setBrush(theme().colour("hover"))
        painter.drawRoundedRect(bar, round_by, round_by)
        share = 1 - self._db / self.FLOOR_DB
        if share > 0:
            painter.setBrush(theme().colour("accent"))
            full = QRectF(
                bar.left(), bar.top(), max(bar.height(), bar.width() * share), bar.height()
            )
            painter.drawRoundedRect(full, round_by, round_by)
        painter.end()


class Page(QWidget):
    """A view with a title, whose content scrolls. `body` takes the cards."""

    CENTRED: ClassVar = True
    """Where there is more room than it needs; else at the left."""

    def __init__(self, title: str, what: str = "", *, scrolls: bool = True) -> None:
        """`scrolls`: off for what fills the page and scrolls by itself."""
        super().__init__()
        self.setProperty("kind", "page")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setAccessibleName(title)
        self.head = row(label(title, "heading"), 1)
        self.body = column(gap=2 * GAP)
        self.body.setContentsMargins(0, 0, 0, 4 * GAP)
        above = column(self.head, gap=GAP)
        if what:
            above.addWidget(label(what, "quiet", wrap=True))
        self._parts = (QWidget(), QWidget())
        for part, layout in zip(self._parts, (above, self.body), strict=True):
            part.setLayout(layout)
        self._content = self._between_sides(self._parts[1])
        outer = column(self._between_sides(self._parts[0]), gap=2 * GAP)
        if scrolls:
            inside = QWidget()
            inside.setLayout(column(self._content, 1))
            area = scrolling(inside)
            self._scroll_bar = area.verticalScrollBar()
            self._scroll_bar.rangeChanged.connect(self._make_room)
            outer.addWidget(area)
        else:
            outer.addLayout(self._content, 1)
        outer.setContentsMargins(0, 3 * GAP, 0, 0)
        self.setLayout(outer)
        theme().changed.connect(self._limit)
        self._limit()

    def widest_px(self) -> int:
        """Its content is never wider."""
        return theme().px(WIDEST_PX)

    def _limit(self) -> None:
        for part in self._parts:
            part.setMaximumWidth(self.widest_px())

    def _between_sides(self, part: QWidget) -> QHBoxLayout:
        made = row(1, part, 1, gap=0) if self.CENTRED else row(part, 1, gap=0)
        made.setStretchFactor(part, 100_000)  # all of it, up to its limit
        made.setContentsMargins(4 * GAP, 0, 4 * GAP, 0)
        return made

    def _make_room(self, _: int, end: int) -> None:
        """The bar that scrolls stands beside the content, and moves nothing when it appears."""
        bar = self._scroll_bar.sizeHint().width() if end else 0
        self._content.setContentsMargins(4 * GAP, 0, 4 * GAP - bar, 0)
