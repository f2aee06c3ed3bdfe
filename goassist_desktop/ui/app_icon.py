"""The program's mark, as windows, task bars and the tray want it."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QIcon, QPainter, QPen, QPixmap

from goassist_desktop.ui.pictograms import BLACK, pixmap

SIDES: Final = (16, 22, 24, 32, 48, 64, 128, 256)


def app_icon(*, muted: bool = False) -> QIcon:
    """In every size. Muted, it is pale and struck through."""
    made = QIcon()
    for side in SIDES:
        picture = pixmap("app", BLACK, side)
        made.addPixmap(_struck_through(picture) if muted else picture)
    return made


def _struck_through(picture: QPixmap) -> QPixmap:
    side = picture.width()
    pale = QPixmap(picture.size())
    pale.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pale)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setOpacity(0.55)
    painter.drawPixmap(0, 0, picture)
    painter.setOpacity(1.0)
    inner = QRectF(pale.rect()).adjusted(*(part * side for part in (0.14, 0.14, -0.14, -0.14)))
    for colour, width in (("#ffffff", 0.17), ("#b3261e", 0.1)):
        line = QPen(QColor(colour), width * side)
        line.setCapStyle(Qt.PenCapStyle.RoundCap)
        painter.setPen(line)
        painter.drawLine(inner.bottomLeft(), inner.topRight())
    painter.end()
    return pale
