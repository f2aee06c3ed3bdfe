"""The pad that asks for the PIN which ends the kiosk."""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable
from typing import Final

from PySide6.QtCore import QEvent, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QKeyEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QAbstractButton,
    QFrame,
    QGridLayout,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from goassist_desktop.setting_forms import LONGEST_PIN
from goassist_desktop.ui.kit import button, column, label
from goassist_desktop.ui.pictograms import pixmap
from goassist_desktop.ui.theme import GAP, SIZES, theme

FIRST_WAIT_S: Final = 2.0
"""After the first wrong PIN; twice as long after every further one …"""
LONGEST_WAIT_S: Final = 300.0
"""… up to this."""
UNTOUCHED_S: Final = 15.0
"""A pad that nobody touches goes away."""
DOT_PX: Final = 12
KEY_PX: Final = 76
HEIGHT_PX: Final = 600
"""Of the whole pad, with some air."""

FIRST_LARGE_PX: Final = 800
"""A screen that is larger than this, both ways, is looked at from further away …"""
MOST_MAGNIFIED: Final = 3.0
"""… and what is written there is larger, up to this."""

QUESTION: Final = "Staff: please enter the PIN"
NAMES: Final = {"backspace": "Delete the last digit", "check": "Done"}
WRONG: Final = "That was not it"


def magnified(widget: QWidget) -> float:
    """How much larger than in a window things are on this screen."""
    side = min(widget.width(), widget.height())
    return min(max(side / FIRST_LARGE_PX, 1.0), MOST_MAGNIFIED)


class PinGuard:
    """Compares, and makes whoever guesses wait. It remembers while the pad comes and goes."""

    def __init__(self, pin: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._pin, self._clock = pin.encode(), clock
        self._wait_s = 0.0
        self._until_s = clock()

    def left_s(self) -> float:
        """Until the next try is allowed; 0 when it is."""
        return max(0.0, self._until_s - self._clock())

    def right(self, tried: str) -> bool:
        """Whether this is the PIN. False, and nothing else happens, while there is time to wait."""
        if self.left_s():
            return False
        if self._pin and hmac.compare_digest(tried.encode(), self._pin):
            self._wait_s = 0.0
            return True
        self._wait_s = min(LONGEST_WAIT_S, 2 * self._wait_s or FIRST_WAIT_S)
        self._until_s = self._clock() + self._wait_s
        return False


class PinPad(QWidget):
    """Covers its parent. Keys of the keyboard do what those of the pad do."""

    accepted = Signal()
    closed = Signal()
    """Without the PIN."""

    def __init__(self, guard: PinGuard, parent: QWidget) -> None:
        super().__init__(parent)
        self._guard, self._covered = guard, parent
        self._typed = ""
        self._wrong = False
        self.setAccessibleName("PIN")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.ArrowCursor)  # the kiosk's is hidden

        self.question = label(QUESTION, wrap=True)
        self.question.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._dots = _Dots()
        self._keys = QGridLayout()
        faces = [*"123456789", "backspace", "0", "check"]
        self._all_keys = [_Key(face, NAMES.get(face, face)) for face in faces]
        for place, key in enumerate(self._all_keys):
            key.pressed_face.connect(self._press)
            self._keys.addWidget(key, place // 3, place % 3)
        self._cancel = button("Cancel", "link", self.dismiss)
        self._cancel.setFocusPolicy(Qt.FocusPolicy.NoFocus)

        self._card = QFrame()
        self._card.setProperty("kind", "card")
        self._inside = column(self.question, self._dots, self._keys)
        self._inside.addWidget(self._cancel, 0, Qt.AlignmentFlag.AlignHCenter)
        self._card.setLayout(self._inside)
        outer = QVBoxLayout(self)
        outer.addWidget(self._card, 0, Qt.AlignmentFlag.AlignCenter)

        self.untouched = QTimer(self)
        self.untouched.setSingleShot(True)
        self.untouched.setInterval(round(UNTOUCHED_S * 1000))
        self.untouched.timeout.connect(self.dismiss)
        self._waiting = QTimer(self)
        self._waiting.setInterval(200)
        self._waiting.timeout.connect(self._tell)
        parent.installEventFilter(self)
        theme().changed.connect(self.update)
        self.hide()

    def ask(self) -> None:
        """Come up, empty."""
        self._typed, self._wrong = "", False
        self.setGeometry(self._covered.rect())
        self.show()
        self.raise_()
        self.setFocus(Qt.FocusReason.OtherFocusReason)
        self._waiting.start()
        self._touched()

    def magnify(self, times: float) -> None:
        """So many times as large as usual, as far as it fits."""
        times = min(times, self._covered.height() / theme().px(HEIGHT_PX))

        def px(length: float) -> int:
            return round(theme().px(length) * times)

        for key in self._all_keys:
            key.magnify(times)
        self._dots.magnify(times)
        self._keys.setSpacing(px(1.5 * GAP))
        self._inside.setSpacing(px(2 * GAP))
        self._inside.setContentsMargins(*4 * (px(4 * GAP),))
        self.question.setStyleSheet(f"font-size: {px(SIZES['large'])}px; font-weight: 600;")
        self.question.setFixedHeight(2 * self.question.fontMetrics().lineSpacing())
        self._cancel.setStyleSheet(f"font-size: {px(SIZES['body'])}px;")

    def dismiss(self) -> None:
        """Go away."""
        if self.isVisible():
            self._put_away()
            self.closed.emit()

    # -- Qt's side ---------------------------------------------------------------------------------

    def eventFilter(self, watched: object, event: QEvent) -> bool:
        if watched is self._covered and event.type() == QEvent.Type.Resize:
            self.setGeometry(self._covered.rect())
        return False

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key, text = event.key(), event.text()
        if len(text) == 1 and text in "0123456789":
            self._add(text)
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._try()
        elif key in (Qt.Key.Key_Backspace, Qt.Key.Key_Delete):
            self._delete()
        elif key == Qt.Key.Key_Escape:
            self.dismiss()
        event.accept()

    def mousePressEvent(self, event: object) -> None:
        self._touched()  # beside the pad; it does not reach what lies below

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(0, 0, 0, 150))
        painter.end()

    # -- inside ------------------------------------------------------------------------------------

    def _press(self, face: str) -> None:
        match face:
            case "backspace":
                self._delete()
            case "check":
                self._try()
            case _:
                self._add(face)

    def _add(self, digit: str) -> None:
        if not self._guard.left_s() and len(self._typed) < LONGEST_PIN:
            self._typed, self._wrong = self._typed + digit, False
        self._touched()

    def _delete(self) -> None:
        self._typed = self._typed[:-1]
        self._touched()

    def _try(self) -> None:
        if self._typed and not self._guard.left_s():
            if self._guard.right(self._typed):
                self._put_away()
                self.accepted.emit()
                return
            self._typed, self._wrong = "", True
        self._touched()

    def _touched(self) -> None:
        self.untouched.start()
        self._tell()

    def _tell(self) -> None:
        """Show how things stand."""
        left_s = self._guard.left_s()
        for key in self._all_keys:
            key.setEnabled(not left_s)
        if left_s:
            said = f"Please wait {_duration(left_s)}"
            self.question.setText(f"{WRONG}.\n{said}." if self._wrong else f"{said}.")
        else:
            self.question.setText(f"{WRONG}.\nTry again." if self._wrong else QUESTION)
        self._dots.show_count(len(self._typed))

    def _put_away(self) -> None:
        self._typed = ""
        self.untouched.stop()
        self._waiting.stop()
        self.hide()


def _duration(seconds: float) -> str:
    whole = int(-(-seconds // 1))
    return f"{whole} s" if whole < 60 else f"{whole // 60} min {whole % 60:02} s"


class _Key(QAbstractButton):
    """A large round key with a digit or an icon, for fingers. The keyboard has its own."""

    pressed_face = Signal(str)

    def __init__(self, face: str, name: str) -> None:
        super().__init__()
        self._face, self._times = face, 1.0
        self.setAccessibleName(name)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.clicked.connect(self._act)

    def magnify(self, times: float) -> None:
        self._times = times
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        side = round(theme().px(KEY_PX) * self._times)
        return QSize(side, side)

    def paintEvent(self, event: QPaintEvent) -> None:
        style = theme()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        ink = style.colours.accent if self._face == "check" else style.colours.text
        if not self.isEnabled():
            ink = style.colours.quiet
        if self.isDown():
            painter.setBrush(style.colour("accent_fill"))
            ink = style.colours.on_accent
        else:
            painter.setBrush(style.colour("raised", 1.0 if self.isEnabled() else 0.4))
        edge = style.colour("outline" if self.isEnabled() else "line")
        painter.setPen(Qt.PenStyle.NoPen if self.isDown() else edge)
        painter.drawEllipse(QRectF(self.rect()).adjusted(1, 1, -1, -1))
        if self._face.isdigit():
            font = style.font("title")
            font.setPixelSize(round(font.pixelSize() * self._times))
            painter.setFont(font)
            painter.setPen(QColor(ink))
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, self._face)
        else:
            side = round(style.px(26) * self._times)
            picture = pixmap(self._face, ink, side, self.devicePixelRatioF())
            left, top = (self.width() - side) // 2, (self.height() - side) // 2
            painter.drawPixmap(left, top, picture)
        painter.end()

    def _act(self) -> None:
        self.pressed_face.emit(self._face)


class _Dots(QWidget):
    """As many dots as digits were given; which, is nobody's business."""

    def __init__(self) -> None:
        super().__init__()
        self._count, self._times = 0, 1.0
        self.setAccessibleName("Digits entered")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def magnify(self, times: float) -> None:
        self._times = times
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(16 * self._side(), 2 * self._side())

    def show_count(self, count: int) -> None:
        if count != self._count:
            self._count = count
            self.setAccessibleDescription(str(count))
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        style, shown = theme(), max(self._count, 4)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        side = self._side()
        step = min(2 * side, self.width() // shown)
        left = (self.width() - step * shown) / 2 + (step - side) / 2
        for place in range(shown):
            filled = place < self._count
            painter.setPen(style.colour("accent" if filled else "quiet"))
            painter.setBrush(style.colour("accent") if filled else Qt.BrushStyle.NoBrush)
            dot = QRectF(left + place * step, (self.height() - side) / 2, side, side)
            painter.drawEllipse(dot.adjusted(1, 1, -1, -1))
        painter.end()

    def _side(self) -> int:
        return round(theme().px(DOT_PX) * self._times)
