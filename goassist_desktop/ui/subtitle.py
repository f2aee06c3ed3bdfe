"""What is being said, in two lines over the face; gone a few seconds after."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import (
    Property,
    QEasingCurve,
    QPointF,
    QPropertyAnimation,
    QRectF,
    Qt,
    QTimer,
)
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QWidget

from goassist_desktop.ui import motion
from goassist_desktop.ui.theme import theme

LINES: Final = 2
MOST_PX: Final = 640
"""A line is no wider: the eye finds the next one."""
STAYS_MS: Final = 4000
FADE_MS: Final = 400
GROUND: Final = QColor(8, 11, 14, 200)
"""Below all text over the face, which is dark in every palette."""
INK: Final = QColor("#ffffff")
PALE: Final = QColor("#b9c3cc")
"""Words of the user."""


def wrapped(text: str, font: QFont, width: float) -> list[str]:
    """The lines of the text, none wider than `width`. Words added to it do not move the others."""
    metrics = QFontMetricsF(font)
    lines: list[str] = []
    line = ""
    for word in text.split():
        longer = f"{line} {word}" if line else word
        if line and metrics.horizontalAdvance(longer) > width:
            lines.append(line)
            longer = word
        line = longer
    return [*lines, line] if line else lines


class Subtitle(QWidget):
    """A strip at the bottom of the face, with the words on a dark ground in its middle. All lines
    begin at the same place."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._text, self._said, self._pale = "", 0, False
        self._magnified = 1.0
        self._seen: list[tuple[str, int]] = []
        self._opacity = 1.0
        self._fading = QPropertyAnimation(self, b"opacity", self)
        self._fading.setStartValue(1.0)
        self._fading.setEndValue(0.0)
        self._fading.setEasingCurve(QEasingCurve.Type.InQuad)
        self._fading.finished.connect(self.clear)
        self._leaving = QTimer(self)
        self._leaving.setSingleShot(True)
        self._leaving.setInterval(STAYS_MS)
        self._leaving.timeout.connect(self._leave)
        theme().changed.connect(self._lay_out)

    @property
    def text(self) -> str:
        """What can be read."""
        return "\n".join(line[:end] for line, end in self._seen)

    def show_user(self, text: str) -> None:
        """What the user says, so far."""
        self._show(text, len(text.split()), pale=True)

    def show_reply(self, text: str, heard: str) -> None:
        """What the assistant says, as far as it was heard; the rest only keeps its place."""
        self._show(text, len(heard.split()), pale=False)

    def clear(self) -> None:
        self._leaving.stop()
        self._text, self._said = "", 0
        self._lay_out()

    def magnify(self, times: float) -> None:
        """Larger type than elsewhere: it is read from further away."""
        if times != self._magnified:
            self._magnified = times
            self._lay_out()

    def height_px(self) -> int:
        """Of the whole strip."""
        metrics = QFontMetricsF(self._font())
        return round(LINES * metrics.lineSpacing() + 2 * self._padding() * 0.6) + 2

    # -- Qt's side ---------------------------------------------------------------------------------

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._lay_out()

    def paintEvent(self, event: QPaintEvent) -> None:
        if not self._seen:
            return
        font, pad = self._font(), self._padding()
        metrics = QFontMetricsF(font)
        high = metrics.lineSpacing()
        wide = max(metrics.horizontalAdvance(line) for line, _ in self._seen)
        ground = QRectF(0, 0, wide + 2 * pad, len(self._seen) * high + 1.2 * pad)
        ground.moveCenter(QRectF(self.rect()).center())
        ground.moveBottom(self.height() - 1)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setOpacity(self._opacity)
        painter.setPen(edge_pen())
        painter.setBrush(GROUND)
        painter.drawRoundedRect(ground, pad, pad)
        painter.setFont(font)
        painter.setPen(PALE if self._pale else INK)
        base = ground.top() + 0.6 * pad + metrics.ascent()
        for line, end in self._seen:
            painter.drawText(QPointF(ground.left() + pad, base), line[:end])
            base += high
        painter.end()

    # -- inside ------------------------------------------------------------------------------------

    def _show(self, text: str, said: int, pale: bool) -> None:
        self._fading.stop()
        self._opacity = 1.0
        self._leaving.start()
        if (text, said, pale) != (self._text, self._said, self._pale):
            self._text, self._said, self._pale = text, said, pale
            self._lay_out()

    def _leave(self) -> None:
        self._fading.setDuration(0 if motion.still() else FADE_MS)
        self._fading.start()

    def _lay_out(self) -> None:
        """The last lines of what was said, and how much of each."""
        seen: list[tuple[str, int]] = []
        left = self._said
        room = min(MOST_PX * theme().scale * self._magnified, self.width() - 2 * self._padding())
        for line in wrapped(self._text, self._font(), room):
            if left <= 0:
                break
            words = line.split()
            seen.append((line, len(" ".join(words[:left]))))
            left -= len(words)
        self._seen = seen[-LINES:]
        self.setAccessibleName(self.text)
        self.update()

    def _font(self) -> QFont:
        font = theme().font("large", QFont.Weight.Medium)
        font.setPixelSize(round(font.pixelSize() * self._magnified))
        return font

    def _padding(self) -> float:
        return theme().px(16) * self._magnified

    def _get_opacity(self) -> float:
        return self._opacity

    def _set_opacity(self, opacity: float) -> None:
        self._opacity = opacity
        self.update()

    opacity = Property(float, _get_opacity, _set_opacity)


def edge_pen() -> QPen:
    """Around a dark ground: seen where contrast is wanted."""
    if theme().colours.line == "#ffffff":
        return QPen(INK, 2)
    return QPen(QColor(255, 255, 255, 20), 1)
