"""The bar below the face: what steers the conversation, and words typed in place of spoken ones."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QEvent, QSignalBlocker, Qt, QTimer, Signal
from PySide6.QtGui import QFocusEvent, QKeyEvent, QMouseEvent, QResizeEvent
from PySide6.QtWidgets import QBoxLayout, QLineEdit, QWidget

from goassist_desktop.pipeline.conversation import State
from goassist_desktop.pipeline.events import StateChanged
from goassist_desktop.ui.announcing import announce
from goassist_desktop.ui.kit import IconButton, column, label, row
from goassist_desktop.ui.ports import AssistantEvent, Loading, Ready, Unable
from goassist_desktop.ui.theme import GAP, theme

LONGEST_TEXT: Final = 2000
"""Letters: more would not fit a small model's window."""
COUNTED_FROM: Final = 1800
"""From here on it is said how many there are."""
KEPT_TEXTS: Final = 50
KEY_UP_MS: Final = 30
"""X11 tells of a key that repeats as of one let go and pressed again, now and then unmarked."""
NARROW_PX: Final = 640
"""Below it the field stands above the buttons."""
_ANSWERING: Final = (State.THINKING, State.SPEAKING, State.HELD)
_HOLD_KEYS: Final = (Qt.Key.Key_Space, Qt.Key.Key_Return, Qt.Key.Key_Enter)
_READY = "Type what you want to say"


class Controls(QWidget):
    """Tells what is wanted; it does nothing of it itself."""

    muted = Signal(bool)
    stop = Signal()
    """End the reply."""
    held = Signal(bool)
    """Push-to-talk: pressed, let go."""
    captions = Signal(bool)
    said = Signal(str)
    """Typed words, in one line, at most LONGEST_TEXT letters."""

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName("Controls")
        self.mute_button = IconButton("mic", "Mute the microphone", checkable=True)
        self.hold_button = HoldButton("hold", "Hold to talk")
        self.stop_button = IconButton("stop", "Stop talking", self.stop.emit)
        self.captions_button = IconButton("captions", "Captions", checkable=True)
        self.input = Composer()
        self.stop_button.setEnabled(False)
        self._ready = False
        self.note = label("", "caption", wrap=True)
        self.note.hide()
        buttons = row(
            self.mute_button, self.hold_button, self.stop_button, self.captions_button, gap=GAP
        )
        self._buttons = row(1, buttons, 1, gap=0)
        self._field = column(self.input, self.note, gap=GAP // 2)
        self._bar = QBoxLayout(QBoxLayout.Direction.LeftToRight)
        self._bar.setSpacing(2 * GAP)
        self._bar.addLayout(self._buttons)
        self._bar.addLayout(self._field, 1)
        self._bar.setAlignment(self._buttons, Qt.AlignmentFlag.AlignTop)
        self._bar.setContentsMargins(0, 0, 0, 0)
        self.setLayout(self._bar)
        self.mute_button.toggled.connect(self._muted)
        self.hold_button.toggled.connect(self.held)
        self.captions_button.toggled.connect(self.captions)
        self.input.textChanged.connect(self._look_at_text)
        self.input.sent.connect(self.said)
        self.show_push_to_talk(False)
        self._be_ready(False, "Getting ready …")
        theme().changed.connect(self._arrange)

    def take(self, event: AssistantEvent) -> None:
        """Have every button say what it can do now."""
        match event:
            case Loading():
                self._be_ready(False, "Getting ready …")
            case Ready():
                self._be_ready(True, _READY)
            case Unable():
                self._be_ready(False, "Not ready to talk yet")
            case StateChanged(state):
                self.stop_button.setEnabled(state in _ANSWERING)

    def show_captions(self, captions: bool) -> None:
        """It was changed elsewhere: nothing is told."""
        with QSignalBlocker(self.captions_button):
            self.captions_button.setChecked(captions)
        self.captions_button.update()

    def show_push_to_talk(self, wanted: bool) -> None:
        """Whether there is a button to hold; with it the microphone is heard no other way."""
        self.hold_button.let_go()
        self.hold_button.setVisible(wanted)
        self._arrange()

    # -- inside ------------------------------------------------------------------------------------

    def _be_ready(self, ready: bool, invitation: str) -> None:
        self._ready = ready
        self.input.setPlaceholderText(invitation)
        self.hold_button.setEnabled(ready)
        if not ready:
            self.hold_button.let_go()
            self.stop_button.setEnabled(False)
        self._look_at_text()

    def _muted(self, muted: bool) -> None:
        name = "The microphone is muted" if muted else "Mute the microphone"
        self.mute_button.rename(name, "mic-off" if muted else "mic")
        self.muted.emit(muted)

    def _look_at_text(self) -> None:
        length = len(self.input.line)
        too_long = length > LONGEST_TEXT
        self.input.send_button.setEnabled(self._ready and 0 < length <= LONGEST_TEXT)
        note = ""
        if too_long:
            over = length - LONGEST_TEXT
            note = f"Too long by {over} letters: {LONGEST_TEXT} at most."
        elif length > COUNTED_FROM:
            note = f"{LONGEST_TEXT - length} letters left."
        if too_long and self.note.property("kind") != "warning":
            announce(self.input, note)
        self.note.setText(note)
        kind = "warning" if too_long else "caption"
        if self.note.property("kind") != kind:
            self.note.setProperty("kind", kind)
            self.note.style().polish(self.note)
        self.note.setVisible(bool(note))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._arrange()

    def _arrange(self) -> None:
        direction = QBoxLayout.Direction
        narrow = self.width() < theme().px(NARROW_PX)
        self._bar.setDirection(direction.BottomToTop if narrow else direction.LeftToRight)


class HoldButton(IconButton):
    """On for as long as it is held: by mouse, finger or key. `toggled` tells of it.

    A screen reader, which presses but does not hold, turns it on and off.
    """

    def __init__(self, icon: str, name: str) -> None:
        super().__init__(icon, name, checkable=True)
        self.setAttribute(Qt.WidgetAttribute.WA_AcceptTouchEvents)
        self._key_up = QTimer(self, singleShot=True, interval=KEY_UP_MS)
        self._key_up.timeout.connect(self.let_go)
        self.setAccessibleDescription("Hold it down while you talk, and let go when you are done.")

    def key_down(self) -> None:
        """A key that holds it was pressed, wherever the keyboard is."""
        self._key_up.stop()
        self.setChecked(True)

    def key_up(self) -> None:
        """It was let go, unless it is pressed again at once."""
        self._key_up.start()

    def let_go(self) -> None:
        """However it was held."""
        self._key_up.stop()
        self.setChecked(False)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self.setChecked(True)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Sliding off it is not letting go."""

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self.let_go()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() not in _HOLD_KEYS:
            super().keyPressEvent(event)
        elif event.isAutoRepeat():
            self._key_up.stop()  # it was none
        else:
            self.key_down()

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        if event.key() not in _HOLD_KEYS:
            super().keyReleaseEvent(event)
        elif not event.isAutoRepeat():
            self.key_up()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        self.let_go()
        super().focusOutEvent(event)

    def event(self, event: QEvent) -> bool:
        match event.type():
            case QEvent.Type.TouchBegin:
                self.setChecked(True)
                event.accept()
                return True
            case QEvent.Type.TouchEnd | QEvent.Type.TouchCancel:
                self.let_go()
                return True
            case QEvent.Type.WindowDeactivate | QEvent.Type.Hide | QEvent.Type.UngrabMouse:
                self.let_go()
            case QEvent.Type.EnabledChange if not self.isEnabled():
                self.let_go()
        return super().event(event)


class Composer(QLineEdit):
    """One line to be said. Up and Down bring back what was sent before."""

    sent = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.send_button = IconButton("send", "Send", self.send, size=36, flat=True)
        """Where it is disabled, Enter sends nothing either."""
        self.send_button.setParent(self)
        self.send_button.setCursor(Qt.CursorShape.ArrowCursor)
        self.send_button.setEnabled(False)
        self._kept: list[str] = []
        self._at = 0  # in `_kept`; its length: what is being written
        self._written = ""
        self.setAccessibleName("What you want to say")
        self.setAccessibleDescription("Enter sends it. Up and Down bring back earlier ones.")
        self.returnPressed.connect(self.send)
        self.textEdited.connect(self._edited)
        theme().changed.connect(self._restyle)
        self._restyle()

    @property
    def line(self) -> str:
        """What would be said."""
        return " ".join(self.text().split())

    def send(self) -> None:
        if not self.send_button.isEnabled():
            return
        line = self.line
        if not self._kept or self._kept[-1] != line:
            self._kept = [*self._kept, line][-KEPT_TEXTS:]
        self._at, self._written = len(self._kept), ""
        self.clear()
        self.sent.emit(line)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        by = {Qt.Key.Key_Up: -1, Qt.Key.Key_Down: 1}.get(Qt.Key(event.key()))
        if by is None:
            super().keyPressEvent(event)
            return
        at = min(max(self._at + by, 0), len(self._kept))
        if at != self._at:
            self._at = at
            self.setText([*self._kept, self._written][at])

    def _edited(self) -> None:
        self._at, self._written = len(self._kept), self.text()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        side = self.send_button.sizeHint().height()
        inset = (self.height() - side) // 2
        self.send_button.setGeometry(self.width() - side - inset, inset, side, side)

    def _restyle(self) -> None:
        edge = theme().px(7) + 1  # padding and border in the theme's style sheet
        inside, radius = theme().px(44) - 2 * edge, theme().px(20)
        self.setTextMargins(theme().px(6), 0, theme().px(28), 0)
        self.setStyleSheet(
            f"min-height: {inside}px; border-radius: {radius}px; "
            f"placeholder-text-color: {theme().colours.quiet};"
        )
