"""The kiosk: the face on a full screen, for whoever comes by.

It has no controls and no way out but the PIN of its staff. Between two people it rests and forgets.
Keys of the desktop itself (switching windows, consoles) never reach it: a compositor for kiosks
such as cage has none.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Final, Literal, Protocol

from PySide6.QtCore import QEvent, QPoint, QRect, Qt, QTimer, Signal
from PySide6.QtGui import QCloseEvent, QKeyEvent, QMouseEvent, QResizeEvent
from PySide6.QtWidgets import QLabel, QVBoxLayout, QWidget

from goassist_desktop.config import Config
from goassist_desktop.heartbeat import EVERY_S, Heartbeat
from goassist_desktop.pipeline.conversation import State
from goassist_desktop.pipeline.events import (
    Notice,
    PartialText,
    SpeechStarted,
    StateChanged,
    UserText,
)
from goassist_desktop.ui.kit import label
from goassist_desktop.ui.pictograms import pixmap
from goassist_desktop.ui.pin import PinGuard, PinPad, magnified
from goassist_desktop.ui.ports import Assistant, AssistantEvent, Ready, Unable
from goassist_desktop.ui.theme import GAP, SIZES, theme

TAPS: Final = 5
WITHIN_S: Final = 3.0
"""So many taps into the top left corner, in so much time, ask for the PIN."""
CORNER: Final = 0.12
"""Of the screen's shorter side."""
CHORD: Final = (
    Qt.KeyboardModifier.ControlModifier
    | Qt.KeyboardModifier.AltModifier
    | Qt.KeyboardModifier.ShiftModifier
)
"""With K, it asks for the PIN too."""
FIRST_RETRY_S: Final = 5.0
"""After the assistant could not begin; twice as long after every further time …"""
LONGEST_RETRY_S: Final = 60.0
"""… up to this."""
TROUBLE_S: Final = 30.0
"""So long an error of one moment is told; what goes on is told until it is over."""
BUSY: Final = (State.THINKING, State.SPEAKING, State.HELD)
TITLE: Final = "I’ll be right back"
VISITORS: Final = "I can’t talk at the moment. Please try again in a little while."
HELP: Final[dict[Literal["models", "memory", "engine", "sound", "bug"], str]] = {
    "models": "A part is missing. Connect this machine to the internet and run: "
    "goassist models pull",
    "memory": "Memory is short. End other programs on this machine, or choose smaller models.",
    "engine": "A part did not start. Restart this machine; if that does not help, run: "
    "goassist doctor",
    "sound": "Check that microphone and loudspeaker are plugged in and switched on.",
    "bug": "Restart this machine. If it happens again, please report it.",
}


class KioskStage(Protocol):
    """What the kiosk shows: a QWidget that knows of the conversation."""

    def take(self, event: AssistantEvent) -> None: ...

    def set_hint(self, text: str) -> None: ...

    def set_attract(self, attract: bool) -> None: ...

    def setParent(self, parent: QWidget) -> None: ...

    def setGeometry(self, area: QRect) -> None: ...

    def setAttribute(self, attribute: Qt.WidgetAttribute) -> None: ...

    def setVisible(self, visible: bool) -> None: ...


class KioskWindow(QWidget):
    """`take` every event; `show_kiosk` once."""

    ended = Signal()
    """Somebody who knows the PIN wants the kiosk to end."""

    def __init__(
        self,
        assistant: Assistant,
        config: Config,
        stage: KioskStage,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`clock`: seconds, of anything that goes steadily."""
        super().__init__()
        self._assistant, self._stage, self._clock = assistant, stage, clock
        self._wake_word = config.kiosk.wake_word
        self._locked = True
        self._awake = self._spoken = self._busy = False
        self._taps: deque[float] = deque(maxlen=TAPS)
        self._retry_s = FIRST_RETRY_S
        self.setProperty("kind", "page")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setWindowTitle("GoAssist")
        self.setAccessibleName("GoAssist")
        self.setWindowFlags(
            Qt.WindowType.Window
            | Qt.WindowType.FramelessWindowHint
            | Qt.WindowType.WindowStaysOnTopHint
        )
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.BlankCursor)

        stage.setParent(self)
        stage.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)  # nothing to press
        stage.set_hint(f"Say “{self._wake_word}”" if self._wake_word else "Say hello")
        self.message = _Message(self)
        self.note = _Note(self)
        self.pad = PinPad(PinGuard(config.kiosk.pin), self) if config.kiosk.pin else None
        if self.pad is not None:
            self.pad.accepted.connect(self.ended)
            self.pad.closed.connect(self.setFocus)
        self.idle = self._timer(self._rest, config.kiosk.idle_s)
        self.retry = self._timer(assistant.start, FIRST_RETRY_S)
        self._forgive = self._timer(self.note.hide, TROUBLE_S)
        self._pulse = QTimer(self)
        theme().changed.connect(self._place)

    def show_kiosk(self) -> None:
        """Cover the screen."""
        self.showFullScreen()
        self.activateWindow()
        self.setFocus()

    def beat(self, heartbeat: Heartbeat) -> None:
        """Give a sign of life, from now on, as long as Qt's thread comes round."""
        self._pulse.timeout.connect(lambda: heartbeat.beat("window"))
        self._pulse.start(round(EVERY_S * 1000))

    def let_go(self) -> None:
        """Close, which nothing else does."""
        self._locked = False
        for timer in (self.idle, self.retry, self._forgive, self._pulse):
            timer.stop()
        self.close()

    def take(self, event: AssistantEvent) -> None:
        """Show what happened."""
        match event:
            case Unable(what, cause):
                self._fail(what, HELP[cause])
            case Ready():
                self._recover()
            case SpeechStarted() if not self._wake_word:
                self._wake()
            case PartialText(text) | UserText(text, final=_) if text.strip():
                self._spoken = True
                self._wake()
            case StateChanged(state, _):
                self._busy = state in BUSY
                self._wait_for_silence()
            case Notice(level, what, source) if source != "face":
                self._tell(level, what)
        self._stage.take(event)

    # -- rest and trouble --------------------------------------------------------------------------

    def _wake(self) -> None:
        if self.message.isVisible():
            return  # the last words of a conversation that was given up
        self.note.hide()  # who is heard needs no help
        if not self._awake:
            self._awake = True
            self._stage.set_attract(False)
        self._wait_for_silence()

    def _wait_for_silence(self) -> None:
        """Begin anew to count how long nobody says a word; but not while we answer."""
        if self._awake and not self._busy:
            self.idle.start()
        else:
            self.idle.stop()

    def _rest(self) -> None:
        """Nobody is there any more: the next person begins anew."""
        self._awake = False
        self.idle.stop()
        self._stage.set_attract(True)
        if self._spoken:
            self._spoken = False
            self._assistant.sleep()

    def _fail(self, what: str, help_text: str) -> None:
        self._awake = self._spoken = self._busy = False
        self.idle.stop()
        self.note.hide()
        self._stage.setVisible(False)  # nobody sees it, so nothing of it is drawn
        self.message.tell(what, help_text)
        self._raise()
        self.retry.start(round(self._retry_s * 1000))
        self._retry_s = min(LONGEST_RETRY_S, 2 * self._retry_s)

    def _recover(self) -> None:
        self.retry.stop()
        self._retry_s = FIRST_RETRY_S
        self.note.hide()
        self.message.hide()
        self._stage.setVisible(True)
        self._spoken = self._busy = False
        self._rest()
        if self._wake_word:  # nobody has said it yet
            self._assistant.sleep()

    def _tell(self, level: str, what: str) -> None:
        """Trouble that the conversation may survive, in a line for whoever looks after it."""
        if level == "info":
            self.note.hide()
            return
        self.note.setText(_sentence(what))
        self.note.setVisible(not self.message.isVisible())
        if level == "error":
            self._forgive.start()
        else:
            self._forgive.stop()
        self._place()

    # -- Qt's side ---------------------------------------------------------------------------------

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ShortcutOverride:
            event.accept()  # it comes as a key then, and ends there
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_K and event.modifiers() & CHORD == CHORD:
            self._ask_for_pin()
        event.accept()

    def focusNextPrevChild(self, forward: bool) -> bool:
        return False

    def mousePressEvent(self, event: QMouseEvent) -> None:
        event.accept()
        if not self._corner().contains(event.position().toPoint()):
            self._taps.clear()
            return
        self._taps.append(self._clock())
        if len(self._taps) == TAPS and self._taps[-1] - self._taps[0] <= WITHIN_S:
            self._taps.clear()
            self._ask_for_pin()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.mousePressEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._place()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        shrunk = event.type() == QEvent.Type.WindowStateChange and not self.isFullScreen()
        if shrunk and self._locked and self.isVisible():
            self.showFullScreen()

    def closeEvent(self, event: QCloseEvent) -> None:
        if self._locked:
            event.ignore()

    # -- inside ------------------------------------------------------------------------------------

    def _ask_for_pin(self) -> None:
        if self.pad is not None:
            self.pad.ask()

    def _corner(self) -> QRect:
        side = max(theme().px(72), round(CORNER * min(self.width(), self.height())))
        return QRect(QPoint(0, 0), QPoint(side, side))

    def _place(self) -> None:
        self._stage.setGeometry(self.rect())
        self.message.setGeometry(self.rect())
        times = magnified(self)
        self.message.magnify(times)
        self.note.place(self.rect(), times)
        if self.pad is not None:
            self.pad.magnify(times)

    def _raise(self) -> None:
        """The message above the stage, the pad above all."""
        self.message.raise_()
        if self.pad is not None:
            self.pad.raise_()

    def _timer(self, act: Callable[[], object], seconds: float) -> QTimer:
        timer = QTimer(self)
        timer.setSingleShot(True)
        timer.setInterval(round(seconds * 1000))
        timer.timeout.connect(act)
        return timer


class _Note(QLabel):
    """A line about trouble, at the upper edge."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setWordWrap(True)
        self.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.hide()

    def place(self, screen: QRect, times: float) -> None:
        """In the middle, below the upper edge of the screen, so many times as large as usual."""
        style = theme().colours

        def px(length: float) -> int:
            return round(theme().px(length) * times)

        self.setStyleSheet(
            f"background: {style.warning_soft}; color: {style.text};"
            f"border: 1px solid {style.warning}; border-radius: {px(12)}px;"
            f"padding: {px(8)}px {px(16)}px; font-size: {px(SIZES['body'])}px;"
        )
        words = self.fontMetrics().horizontalAdvance(self.text()) + px(40)
        wide = min(words, screen.width() - px(6 * GAP))
        self.setGeometry((screen.width() - wide) // 2, px(3 * GAP), wide, self.heightForWidth(wide))


class _Message(QWidget):
    """Covers the stage while there is nobody to talk with: first for visitors, then for staff."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setProperty("kind", "page")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._times = 1.0
        self._mark = QLabel()
        self._title = label(TITLE, "display", wrap=True)
        self._visitors = label(VISITORS, "quiet", wrap=True)
        self._staff = label("For staff", "section")
        self._help = label("", wrap=True)
        self._what = label("", "caption", wrap=True)
        self._again = label("It keeps trying by itself.", "caption")
        layout = QVBoxLayout(self)
        layout.addStretch(3)
        for part in (self._mark, self._title, self._visitors):
            part.setAlignment(Qt.AlignmentFlag.AlignCenter)
            layout.addWidget(part)
        layout.addStretch(2)
        for part in (self._staff, self._help, self._what, self._again):
            part.setAlignment(Qt.AlignmentFlag.AlignCenter)
            layout.addWidget(part)
        self.hide()

    @property
    def text(self) -> str:
        """What can be read."""
        return "\n".join(part.text() for part in self.findChildren(QLabel) if part.text())

    def tell(self, what: str, help_text: str) -> None:
        self._help.setText(help_text)
        self._what.setText(_sentence(what))
        self.setAccessibleName(self.text)
        self.show()

    def magnify(self, times: float) -> None:
        """So many times as large as usual."""
        self._times = times
        sizes = {
            self._title: "display",
            self._visitors: "large",
            self._staff: "caption",
            self._help: "body",
            self._what: "caption",
            self._again: "caption",
        }
        for part, size in sizes.items():
            part.setStyleSheet(f"font-size: {self._px(SIZES[size])}px;")
        side = self._px(64)
        self._mark.setPixmap(
            pixmap("history", theme().colours.accent, side, self.devicePixelRatioF())
        )
        layout = self.layout()
        if layout is not None:
            layout.setSpacing(self._px(1.5 * GAP))
            margin = self._px(6 * GAP)
            layout.setContentsMargins(margin, margin, margin, margin)

    def _px(self, length: float) -> int:
        return round(theme().px(length) * self._times)


def _sentence(text: str) -> str:
    """Messages begin small, as they follow a name elsewhere."""
    return text[:1].upper() + text[1:]
