"""The face and all that is told around it: state, microphone level, and what is being said.

It fills whatever room it is given, from a small window to a wall.
"""

from __future__ import annotations

from typing import Final, Literal

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QWidget

from goassist_desktop.avatar import open_face
from goassist_desktop.pipeline.conversation import State
from goassist_desktop.pipeline.events import (
    PartialText,
    ReplyText,
    StateChanged,
    UserText,
)
from goassist_desktop.ui import halo
from goassist_desktop.ui.avatar import CORNER_PX, FaceView, rounded
from goassist_desktop.ui.face_thread import Open
from goassist_desktop.ui.halo import Glow, Halo
from goassist_desktop.ui.pictograms import pixmap
from goassist_desktop.ui.ports import Assistant, AssistantEvent, Loading, Ready, Unable
from goassist_desktop.ui.subtitle import GROUND, INK, PALE, Subtitle, edge_pen
from goassist_desktop.ui.theme import DARK, theme

Phase = State | Literal["loading", "unable"]

WORDS: Final[dict[Phase, str]] = {
    "loading": "Getting ready…",
    "unable": "Not ready",
    State.IDLE: "",
    State.LISTENING: "Listening",
    State.THINKING: "Thinking",
    State.SPEAKING: "Speaking",
    State.HELD: "Listening",
    State.INTERRUPTED: "Listening",
}
GLOWS: Final[dict[Phase, Glow]] = {
    "loading": halo.LOADING,
    "unable": halo.DARK,
    State.IDLE: halo.DARK,
    State.LISTENING: halo.LISTENING,
    State.THINKING: halo.THINKING,
    State.SPEAKING: halo.SPEAKING,
    State.HELD: halo.HELD,
    State.INTERRUPTED: halo.HELD,
}
DIMMED: Final[dict[Phase, float]] = {"loading": 0.3, "unable": 0.55}
ATTRACT_DIMMED: Final = 0.42
ROOM_PX: Final = 14
"""Around the face, for the light."""
FIRST_LARGE_PX: Final = 700
"""A stage that is larger than this, both ways, is looked at from further away …"""
MOST_MAGNIFIED: Final = 3.2
"""… and what is written on it is larger, up to this."""
LIT: Final = QColor(DARK.accent)
"""On a ground that is dark in every palette."""
WIDE_OPEN: Final = 0.35
"""A mouth that is open so far speaks loudly."""


class Stage(QWidget):
    """One face, and what it is doing. `faces` is the face itself."""

    stood_in = Signal(int)
    """How far the face stands in from the edges now, in px."""

    def __init__(
        self,
        assistant: Assistant,
        person: str,
        captions: bool,
        attract: bool = False,
        open_face: Open = open_face,
    ) -> None:
        """`attract`: it waits for somebody to come by, dimmed and calm."""
        super().__init__()
        self._assistant = assistant
        self._phase: Phase = State.IDLE
        self._muted = self._held = self._attract = False
        self._captions = captions
        self._replied = (0, "")
        self.faces = FaceView(assistant, person, open_face)
        self.faces.setParent(self)
        self._halo = Halo(self, self._level, self._voice)
        self._subtitle = Subtitle(self)
        self._subtitle.setVisible(captions)
        self._badge = _Badge(self)
        self._hint = _Hint(self)
        self.setAccessibleName("Conversation")
        self.setMinimumSize(240, 240)
        theme().changed.connect(self._place)
        self.set_attract(attract)
        self._tell()

    def take(self, event: AssistantEvent) -> None:
        """Show what happened."""
        match event:
            case Loading():
                self._enter("loading")
            case Ready():
                self._enter(State.LISTENING)
                self._subtitle.clear()
                self._replied = (0, "")  # turns are counted anew
            case Unable():
                self._enter("unable")
                self._subtitle.clear()
            case StateChanged(state, _):
                self._enter(state)
            case PartialText(text):
                self._subtitle.show_user(text)
            case UserText(text, final=_):
                self._subtitle.show_user(text)
            case ReplyText(turn_id, text, heard):
                # What is told when it ends holds nothing new, and the user may be speaking.
                if heard and (turn_id, heard) != self._replied:
                    self._replied = (turn_id, heard)
                    self._subtitle.show_reply(text, heard)

    def set_muted(self, muted: bool) -> None:
        self._muted = muted
        self._tell()

    def set_push_to_talk(self, held: bool) -> None:
        """The key is held down: it is heard, muted or not."""
        self._held = held
        self._tell()

    def set_person(self, person: str) -> None:
        self.faces.set_person(person)

    def show_captions(self, shown: bool) -> None:
        self._captions = shown
        self._subtitle.setVisible(shown and not self._attract)

    def set_attract(self, attract: bool) -> None:
        """Wait for somebody: dimmed and calm, with the hint. Or no more."""
        self._attract = attract
        self._hint.setVisible(attract)
        self._subtitle.setVisible(self._captions and not attract)
        self._tell()

    def set_hint(self, text: str) -> None:
        """What is written over the face while it waits for somebody."""
        self._hint.set_text(text)

    def close_face(self) -> None:
        """End the thread that draws."""
        self.faces.close()

    @property
    def state_text(self) -> str:
        """The word for what it does now; empty where there is none."""
        return self._badge.text

    @property
    def caption(self) -> str:
        """What can be read below the face."""
        return self._subtitle.text if self._captions else ""

    # -- Qt's side ---------------------------------------------------------------------------------

    def sizeHint(self) -> QSize:
        return QSize(640, 640)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._place()

    # -- inside ------------------------------------------------------------------------------------

    def _enter(self, phase: Phase) -> None:
        if self._phase == "unable" and isinstance(phase, State):
            return  # the last words of a session that was given up
        self._phase = phase
        self._tell()

    def _tell(self) -> None:
        """Show the state, in every way it is shown."""
        phase, word, glow, icon = self._phase, WORDS[self._phase], GLOWS[self._phase], ""
        resting = phase in (State.IDLE, State.LISTENING)
        if self._held and isinstance(phase, State):
            word, glow = WORDS[State.LISTENING], halo.LISTENING
        elif self._muted and isinstance(phase, State):
            icon = "mic-off"
            if resting:
                word, glow = "Muted", halo.MUTED
        if self._attract and phase != "loading":
            word, glow, icon = "", halo.DARK, ""
        self._badge.tell(word, icon, lit=bool(glow.even or glow.rise))
        self._halo.show_glow(glow)
        self.setAccessibleDescription(word)
        faces = self.faces
        faces.set_judging(phase != "loading")
        faces.set_still(phase == "unable")
        faces.set_calm(self._attract)
        faces.set_dimmed(ATTRACT_DIMMED if self._attract else DIMMED.get(phase, 0.0))

    def _level(self) -> float:
        heard = self._held or not self._muted
        return halo.share(self._assistant.level_db()) if heard else 0.0

    def _voice(self) -> float:
        return min(1.0, self.faces.mouth / WIDE_OPEN)

    def _magnified(self) -> float:
        """How much larger than in a window."""
        return min(max(min(self.width(), self.height()) / FIRST_LARGE_PX, 1.0), MOST_MAGNIFIED)

    def _place(self) -> None:
        times = self._magnified()
        room = round(ROOM_PX * times)
        inner = self.rect().adjusted(room, room, -room, -room)
        self.faces.setGeometry(inner)
        self.stood_in.emit(room)
        self.faces.setMask(rounded(self.faces.rect()))
        self._halo.setGeometry(self.rect())
        self._halo.surround(inner, CORNER_PX, room)
        gap = round(theme().px(16) * times)
        self._badge.magnify(times)
        self._badge.move(inner.left() + gap, inner.top() + gap)
        self._subtitle.magnify(times)
        high = self._subtitle.height_px()
        self._subtitle.setGeometry(
            inner.left() + gap, inner.bottom() - gap - high, inner.width() - 2 * gap, high
        )
        self._hint.magnify(times)
        self._hint.setGeometry(inner)


class _Badge(QWidget):
    """A word on a dark ground, after an icon or a point that is lit while somebody is heard."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.text, self._icon, self._lit, self._magnified = "", "", False, 1.0

    def tell(self, text: str, icon: str, lit: bool) -> None:
        """Nothing is seen where there is neither text nor icon."""
        if (text, icon, lit) != (self.text, self._icon, self._lit):
            self.text, self._icon, self._lit = text, icon, lit
            self.setAccessibleName(text)
            self._fit()

    def magnify(self, times: float) -> None:
        self._magnified = times
        self._fit()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(edge_pen())
        painter.setBrush(GROUND)
        area = QRectF(self.rect()).adjusted(1, 1, -1, -1)
        painter.drawRoundedRect(area, area.height() / 2, area.height() / 2)
        left, middle = area.left() + self._padding(), area.center().y()
        if self._icon:
            side = self._side()
            picture = pixmap(self._icon, INK.name(), side, self.devicePixelRatioF())
            painter.drawPixmap(round(left), round(middle - side / 2), picture)
        else:
            side = self._point()
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(LIT if self._lit else PALE)
            painter.drawEllipse(QRectF(left, middle - side / 2, side, side))
        left += side + 0.6 * self._padding()
        font = self._font()
        painter.setFont(font)
        painter.setPen(INK)
        metrics = QFontMetricsF(font)
        base = middle + (metrics.ascent() - metrics.descent()) / 2
        painter.drawText(QPointF(left, base), self.text)
        painter.end()

    def _fit(self) -> None:
        metrics = QFontMetricsF(self._font())
        side = self._side() if self._icon else self._point()
        wide = metrics.horizontalAdvance(self.text) + side + 2.6 * self._padding() + 2
        self.resize(round(wide), round(metrics.height() + 1.1 * self._padding()))
        self.setVisible(bool(self.text or self._icon))
        self.update()

    def _font(self) -> QFont:
        font = theme().font("caption", QFont.Weight.DemiBold)
        font.setPixelSize(round(font.pixelSize() * self._magnified))
        return font

    def _padding(self) -> float:
        return theme().px(12) * self._magnified

    def _side(self) -> int:
        return round(theme().px(16) * self._magnified)

    def _point(self) -> int:
        return round(theme().px(8) * self._magnified)


class _Hint(QWidget):
    """A few large words over the lower part of the face."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._text, self._magnified = "Say hello", 1.0
        self.set_text(self._text)

    def set_text(self, text: str) -> None:
        self._text = text
        self.setAccessibleName(text)
        self.update()

    def magnify(self, times: float) -> None:
        self._magnified = times
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        font = theme().font("display", QFont.Weight.DemiBold)
        font.setPixelSize(round(1.2 * font.pixelSize() * self._magnified))
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(font)
        low = QRectF(0, 0.78 * self.height(), self.width(), 0.2 * self.height())
        flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
        painter.setPen(QColor(0, 0, 0, 150))
        painter.drawText(low.translated(0, 2), flags, self._text)
        painter.setPen(INK)
        painter.drawText(low, flags, self._text)
        painter.end()
