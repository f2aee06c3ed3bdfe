"""A short text whose colour says something."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QFont
from PySide6.QtWidgets import QLabel

from goassist_desktop.ui.theme import SIZES, theme


class Tinted(QLabel):
    """Words at one of SIZES, in a colour of the palette, if wanted in a rounded box of another.

    All digits are equally wide: a figure that changes moves nothing.
    """

    def __init__(self, size: str = "caption", weight: int = 400) -> None:
        super().__init__()
        self.setTextFormat(Qt.TextFormat.PlainText)
        font = self.font()
        font.setFeature(QFont.Tag("tnum"), 1)
        self.setFont(font)
        self._size, self._weight = size, weight
        self._colour, self._box = "quiet", ""
        self._restyle()
        theme().changed.connect(self._restyle)

    def tell(self, words: str, colour: str = "quiet", box: str = "") -> None:
        self.setText(words)
        if (colour, box) != (self._colour, self._box):
            self._colour, self._box = colour, box
            self._restyle()

    def _restyle(self) -> None:
        style = theme()
        made = (
            f"color: {style.colour(self._colour).name()}; font-weight: {self._weight};"
            f"font-size: {style.px(SIZES[self._size])}px;"
        )
        if self._box:
            made += (
                f"background: {style.colour(self._box).name()}; border-radius: {style.px(10)}px;"
                f"padding: {style.px(3)}px {style.px(10)}px;"
            )
        self.setStyleSheet(made)
