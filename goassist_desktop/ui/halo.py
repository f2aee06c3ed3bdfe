"""A line of light around the face: what the conversation does, told by how it shines.

Even and as bright as the microphone is loud while it listens; travelling while it thinks; rising
from below with the voice while it speaks; a grey dashed line while it is muted. Nothing moves that
tells nothing, and nothing moves at all where motion is not wanted.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import astuple, dataclass
from typing import Final

from PySide6.QtCore import QElapsedTimer, QLineF, QPointF, QRect, QRectF, Qt, QTimer
from PySide6.QtGui import (
    QBrush,
    QColor,
    QConicalGradient,
    QHideEvent,
    QLinearGradient,
    QPainter,
    QPaintEvent,
    QPen,
    QRegion,
    QShowEvent,
)
from PySide6.QtWidgets import QWidget

from goassist_desktop.ui import motion
from goassist_desktop.ui.avatar import rounded
from goassist_desktop.ui.theme import theme

TICK_MS: Final = 33
TRAVEL_MS: Final = 2600.0
"""Once around, while it thinks."""
BREATH_MS: Final = 2800.0
"""Brighter and darker, while it gets ready."""
EASE_MS: Final = 110.0
"""Time constant of all change."""
FALL_MS: Final = 260.0
"""… and of a level that falls: peaks can be seen."""
FLOOR_DB, FULL_DB = -55.0, -12.0
SEEN: Final = 0.004


@dataclass(frozen=True, slots=True)
class Glow:
    """How much there is of each light, from 0 to 1."""

    even: float = 0.0
    """All around, in the accent colour, brighter with the microphone."""
    travel: float = 0.0
    rise: float = 0.0
    """From below, with the voice."""
    grey: float = 0.0
    """A quiet line."""
    dashed: float = 0.0
    breath: float = 0.0


LISTENING: Final = Glow(even=1.0)
THINKING: Final = Glow(travel=1.0)
SPEAKING: Final = Glow(rise=1.0)
HELD: Final = Glow(grey=0.6)
MUTED: Final = Glow(dashed=1.0)
LOADING: Final = Glow(breath=1.0)
DARK: Final = Glow()


def share(db: float) -> float:
    """Of the way from silence to loud."""
    return min(max((db - FLOOR_DB) / (FULL_DB - FLOOR_DB), 0.0), 1.0)


class Halo(QWidget):
    """Lies over the whole stage and draws a ring just outside of `inner`. `level` and `voice`,
    both from 0 to 1, are asked for at every tick while they are shown; nothing is while hidden.
    """

    def __init__(
        self, parent: QWidget, level: Callable[[], float], voice: Callable[[], float]
    ) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._level_of, self._voice_of = level, voice
        self.wanted = DARK
        self._glow = DARK
        self._level = self._voice = 0.0
        self._turn = self._phase = self._breath = 0.0
        self._inner, self._corner, self._room = QRectF(), 0.0, 0.0
        self._passed = QElapsedTimer()
        self._timer = QTimer(self)
        self._timer.setInterval(TICK_MS)
        self._timer.timeout.connect(self._tick)
        theme().changed.connect(self.update)

    def show_glow(self, glow: Glow) -> None:
        """Shine like this from now on."""
        self.wanted = glow
        self._wake()

    def surround(self, inner: QRect, corner: float, room: float) -> None:
        """Around this, whose corners are round by `corner`, with `room` px to the edge."""
        self._inner, self._corner, self._room = QRectF(inner), corner, room
        # Without this the face and the ring would have each other painted anew.
        self.setMask(QRegion(self.rect()) - rounded(inner))
        self.update()

    @property
    def moving(self) -> bool:
        """Whether anything is asked for, or changes."""
        return self._timer.isActive()

    # -- Qt's side ---------------------------------------------------------------------------------

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._glow = self.wanted
        self._wake()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._timer.stop()

    def paintEvent(self, event: QPaintEvent) -> None:
        glow, style = self._glow, theme()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        if glow.grey > SEEN:
            self._line(painter, style.colour("quiet", 0.7 * glow.grey))
        if glow.dashed > SEEN:
            self._line(painter, style.colour("quiet", 0.8 * glow.dashed), dashed=True)
        if glow.breath > SEEN:
            bright = 0.25 + 0.35 * self._breath
            self._line(painter, style.colour("quiet", bright * glow.breath))
        if glow.even > SEEN:
            bright = (0.45 + 0.55 * self._level) * glow.even
            self._line(painter, style.colour("accent", bright))
            self._bloom(painter, lambda alpha: QBrush(style.colour("accent", alpha)),
                        self._level * glow.even)  # fmt: skip
        if glow.rise > SEEN:
            self._line(painter, QBrush(self._rising((0.2 + 0.8 * self._voice) * glow.rise, 0.16)))
            self._bloom(painter, lambda alpha: QBrush(self._rising(alpha, 0.0)),
                        (0.15 + 0.85 * self._voice) * glow.rise)  # fmt: skip
        if glow.travel > SEEN:
            self._line(painter, style.colour("accent", 0.16 * glow.travel))
            self._line(painter, QBrush(self._travelling(glow.travel)))
            self._bloom(painter, lambda alpha: QBrush(self._travelling(alpha)), 0.5 * glow.travel)
        painter.end()

    # -- inside ------------------------------------------------------------------------------------

    def _wake(self) -> None:
        if self.isVisible() and not self._timer.isActive():
            self._passed.start()
            self._timer.start()

    def _tick(self) -> None:
        passed_ms = min(self._passed.restart(), 100)
        calm = motion.still()
        ease = 1.0 if calm else 1 - math.exp(-passed_ms / EASE_MS)
        wanted = self.wanted
        steps = [
            was + (to - was) * ease
            for was, to in zip(astuple(self._glow), astuple(wanted), strict=True)
        ]
        before = (self._glow, self._level, self._voice, self._turn, self._breath)
        glow = Glow(*steps)
        settled = max(abs(a - b) for a, b in zip(steps, astuple(wanted), strict=True)) < SEEN
        self._glow = wanted if settled else glow
        if wanted.even:
            self._level = _follow(self._level, self._level_of(), passed_ms)
        if wanted.rise:
            self._voice = _follow(self._voice, 0.5 if calm else self._voice_of(), passed_ms)
        if not calm:
            self._turn = (self._turn + passed_ms / TRAVEL_MS) % 1.0 if glow.travel > SEEN else 0.6
            if glow.breath > SEEN:
                self._beat(passed_ms)
        if settled and not (wanted.even or wanted.rise or wanted.travel or wanted.breath):
            self._timer.stop()
        if (self._glow, self._level, self._voice, self._turn, self._breath) != before:
            self.update()

    def _beat(self, passed_ms: float) -> None:
        self._phase = (self._phase + passed_ms / BREATH_MS) % 1.0
        self._breath = 0.5 - 0.5 * math.cos(2 * math.pi * self._phase)

    def _outline(self, away: float) -> QRectF:
        return self._inner.adjusted(-away, -away, away, away)

    def _line(self, painter: QPainter, ink: QColor | QBrush, dashed: bool = False) -> None:
        away = 0.42 * self._room
        width = max(2.0, 0.16 * self._room)
        pen = QPen(QBrush(ink), width)
        if dashed:
            pen.setCapStyle(Qt.PenCapStyle.RoundCap)
            pen.setDashPattern([2.0, 3.5])
        painter.setPen(pen)
        radius = self._corner + away
        painter.drawRoundedRect(self._outline(away), radius, radius)

    def _bloom(self, painter: QPainter, ink: Callable[[float], QBrush], strength: float) -> None:
        """Soft light about the line, as far as there is room."""
        if strength < 0.02:
            return
        away = 0.42 * self._room
        reach = 2 * (self._room - away)
        radius = self._corner + away
        for width, alpha in ((1.0, 0.05), (0.8, 0.08), (0.58, 0.11), (0.34, 0.14)):
            painter.setPen(QPen(ink(alpha * strength), reach * width))
            painter.drawRoundedRect(self._outline(away), radius, radius)

    def _rising(self, alpha: float, least: float) -> QLinearGradient:
        line = QLineF(self._inner.bottomLeft(), self._inner.topLeft())
        light = QLinearGradient(line.p1(), line.p2())
        light.setColorAt(0.0, theme().colour("accent", min(1.0, alpha)))
        light.setColorAt(0.25, theme().colour("accent", min(1.0, 0.8 * alpha)))
        light.setColorAt(0.8, theme().colour("accent", least * alpha))
        light.setColorAt(1.0, theme().colour("accent", least * alpha))
        return light

    def _travelling(self, alpha: float) -> QConicalGradient:
        light = QConicalGradient(QPointF(self._inner.center()), -360 * self._turn)
        for at, strength in ((0.0, 1.0), (0.03, 0.0), (0.72, 0.0), (0.9, 0.35), (1.0, 1.0)):
            light.setColorAt(at, theme().colour("accent", alpha * strength))
        return light


def _follow(shown: float, told: float, passed_ms: float) -> float:
    """Up at once, down slowly."""
    if told >= shown:
        return shown + (told - shown) * (1 - math.exp(-passed_ms / 40))
    after = shown + (told - shown) * (1 - math.exp(-passed_ms / FALL_MS))
    return told if abs(after - told) < SEEN else after
