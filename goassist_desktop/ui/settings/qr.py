"""A link as a picture that a phone's camera reads."""

from __future__ import annotations

from typing import Final

import segno
from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from goassist_desktop.ui.theme import RADIUS, theme

SIDE_PX: Final = 216
QUIET: Final = 3
"""Free modules around it."""


class QrCode(QWidget):
    """Dark on white whatever the theme: that is what cameras know."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.link = ""
        self._rows: tuple[tuple[int, ...], ...] = ()
        self.setAccessibleName(name)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        theme().changed.connect(self.updateGeometry)

    def show_link(self, link: str) -> None:
        if link != self.link:
            self.link = link
            made = segno.make(link, error="m").matrix if link else ()
            self._rows = tuple(tuple(row) for row in made)
            self.update()

    def sizeHint(self) -> QSize:
        side = theme().px(SIDE_PX)
        return QSize(side, side)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(theme().colour("outline"))
        painter.setBrush(Qt.GlobalColor.white)
        edge = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
        painter.drawRoundedRect(edge, theme().px(RADIUS), theme().px(RADIUS))
        painter.setPen(Qt.PenStyle.NoPen)
        if self._rows:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
            painter.setBrush(Qt.GlobalColor.black)
            side = self.width() * self.devicePixelRatioF()
            module = int(side / (len(self._rows) + 2 * QUIET)) / self.devicePixelRatioF()
            start = (self.width() - module * len(self._rows)) / 2
            for down, row in enumerate(self._rows):
                for right, dark in enumerate(row):
                    if dark:
                        place = (start + right * module, start + down * module)
                        painter.drawRect(QRectF(*place, module, module))
        painter.end()
