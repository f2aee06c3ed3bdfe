"""The program's own icons: strokes on a 24 by 24 grid, in any colour and size.

They lie in `icons`, one file each, drawn in black, which is replaced.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from typing import Final

from PySide6.QtCore import QByteArray, QRectF, Qt
from PySide6.QtGui import QColor, QIcon, QPainter, QPixmap
from PySide6.QtSvg import QSvgRenderer

FOLDER: Final = files("goassist_desktop.ui") / "icons"
BLACK: Final = "#000"


@lru_cache(maxsize=512)
def pixmap(name: str, colour: str, size: int, ratio: float = 1.0) -> QPixmap:
    """An icon of `size` px in a colour; `ratio` device pixels to the px."""
    drawn = (FOLDER / f"{name}.svg").read_text(encoding="utf-8")
    picture = QPixmap(round(size * ratio), round(size * ratio))
    picture.fill(Qt.GlobalColor.transparent)
    painter = QPainter(picture)
    coloured = drawn.replace(BLACK, QColor(colour).name())
    QSvgRenderer(QByteArray(coloured.encode())).render(painter, QRectF(picture.rect()))
    painter.end()
    picture.setDevicePixelRatio(ratio)
    return picture


def icon(name: str, colour: str, size: int = 24) -> QIcon:
    """The same as a QIcon, sharp on every screen."""
    made = QIcon()
    for ratio in (1.0, 2.0):
        made.addPixmap(pixmap(name, colour, size, ratio))
    return made
