"""The narrow bar at the left: which view is shown."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFocusEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractButton, QButtonGroup, QSizePolicy, QWidget

from goassist_desktop.ui.kit import column
from goassist_desktop.ui.pictograms import pixmap
from goassist_desktop.ui.theme import GAP, RADIUS, theme

WIDTH: Final = 88
BY_KEYBOARD: Final = (Qt.FocusReason.TabFocusReason, Qt.FocusReason.BacktabFocusReason)
"""Only who moves by keyboard wants to see where the focus is."""


class _Tab(QAbstractButton):
    """An icon with its name below."""

    def __init__(self, icon: str, name: str) -> None:
        super().__init__()
        self._icon = icon
        self._by_keyboard = False
        self.setText(name)
        self.setAccessibleName(name)
        self.setCheckable(True)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        theme().changed.connect(self.updateGeometry)

    def focusInEvent(self, event: QFocusEvent) -> None:
        self._by_keyboard = event.reason() in BY_KEYBOARD
        super().focusInEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        self._by_keyboard = False
        super().focusOutEvent(event)

    def sizeHint(self) -> QSize:
        return QSize(theme().px(WIDTH - 2 * GAP), theme().px(64))

    def paintEvent(self, event: QPaintEvent) -> None:
        style, chosen = theme(), self.isChecked()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        if self._by_keyboard:
            painter.setPen(QPen(style.colour("accent"), 2))
        fill = "accent_soft" if chosen else "hover" if self.underMouse() else "window"
        painter.setBrush(style.colour(fill))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(1, 1, -1, -1), RADIUS, RADIUS)
        ink = "accent" if chosen else "quiet"
        side = style.px(24)
        picture = pixmap(self._icon, getattr(style.colours, ink), side, self.devicePixelRatioF())
        painter.drawPixmap((self.width() - side) // 2, style.px(9), picture)
        painter.setPen(style.colour("text" if chosen else "quiet"))
        painter.setFont(style.font("caption"))
        below = self.rect().adjusted(0, style.px(36), 0, 0)
        painter.drawText(below, Qt.AlignmentFlag.AlignHCenter, self.text())
        painter.end()


class Rail(QWidget):
    """Tabs from top to bottom; those in `last` stand at the bottom."""

    chosen = Signal(str)
    """The name of a tab."""

    def __init__(self, first: dict[str, str], last: dict[str, str]) -> None:
        """Name -> icon."""
        super().__init__()
        self.setAccessibleName("Views")
        self._tabs = {name: _Tab(icon, name) for name, icon in (first | last).items()}
        self._group = QButtonGroup(self)
        box = column(gap=GAP // 2)
        box.setContentsMargins(GAP, 2 * GAP, GAP, 2 * GAP)
        for name, tab in self._tabs.items():
            if name == next(iter(last), None):
                box.addStretch(1)
            self._group.addButton(tab)
            box.addWidget(tab)
        self.setLayout(box)
        self._group.buttonClicked.connect(lambda tab: self.chosen.emit(tab.text()))

    @property
    def names(self) -> list[str]:
        """From top to bottom."""
        return list(self._tabs)

    def show_chosen(self, name: str) -> None:
        """Mark a tab, without a signal."""
        self._tabs[name].setChecked(True)
