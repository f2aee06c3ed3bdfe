"""A quiet strip that says what went wrong, with one button that helps."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QEasingCurve, QRectF, Qt, QTimer, QVariantAnimation, Signal
from PySide6.QtGui import QKeyEvent, QPainter, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QApplication, QGridLayout, QLabel, QWidget

from goassist_desktop.ui import motion
from goassist_desktop.ui.announcing import announce
from goassist_desktop.ui.failure_rules import Severity
from goassist_desktop.ui.failures import Explained, explained, solves
from goassist_desktop.ui.kit import IconButton, button, column, label, row
from goassist_desktop.ui.pictograms import pixmap
from goassist_desktop.ui.ports import AssistantEvent
from goassist_desktop.ui.theme import CONTRAST, GAP, RADIUS, theme

LASTS_MS: Final[dict[Severity, int]] = {"info": 5_000, "warning": 12_000, "error": 60_000}
"""Of those that do not stay."""
LOOKED_AT_MS: Final = 2_000
"""So much longer while the pointer or the keyboard is on it."""
SLIDE_MS: Final = 200
NARROW_PX: Final = 620
"""Below it the button stands under the words."""
_RANK: Final[dict[Severity, int]] = {"error": 0, "warning": 1, "info": 2}
_COLOURS: Final[dict[Severity, tuple[str, str]]] = {
    "error": ("error", "error_soft"),
    "warning": ("warning", "warning_soft"),
    "info": ("accent", "accent_soft"),
}


class Banner(QWidget):
    """Has no height while there is nothing to say. One message at a time, the worst first."""

    wanted = Signal(str)
    """A `failures.Action`: what the button is for."""

    def __init__(self) -> None:
        super().__init__()
        self._messages: list[Explained] = []
        self._shown: Explained | None = None
        self._timers: dict[str, QTimer] = {}
        self._strip = _Strip(self)
        self.action = self._strip.action
        self.action.clicked.connect(self._act)
        self._strip.next.clicked.connect(self._show_next)
        self._strip.close_button.clicked.connect(self.dismiss)
        self._sliding = QVariantAnimation(self)
        self._sliding.setEasingCurve(QEasingCurve.Type.OutCubic)
        self._sliding.valueChanged.connect(self._slide)
        self._sliding.finished.connect(self._slid)
        self._open = 0.0  # how much of it is seen
        self.setFixedHeight(0)
        self.hide()
        theme().changed.connect(self._restyle)

    def take(self, event: AssistantEvent) -> None:
        """Show what an event means, and no longer what it solves."""
        for solved in [one for one in self._messages if solves(event, one.key)]:
            self._forget(solved)
        message = explained(event)
        if message is not None:
            self.show_message(message)
        else:
            self._look_again()

    def show_message(self, message: Explained) -> None:
        """In place of one with the same key."""
        replaced = [one for one in self._messages if one.key == message.key]
        for one in replaced:
            self._forget(one)
        self._messages.insert(0, message)
        self._messages.sort(key=lambda one: _RANK[one.severity])
        if not message.stays:
            self._start_timer(message, LASTS_MS[message.severity])
        if self._shown is None or not self._looked_at or self._shown in replaced:
            self._shown = self._messages[0]
        self._look_again()
        announce(
            self, f"{message.headline} {message.detail}".strip(), urgent=message.severity == "error"
        )

    def dismiss(self) -> None:
        """The user has read it."""
        if self._shown is not None:
            self._forget(self._shown)
        self._look_again()

    @property
    def messages(self) -> tuple[Explained, ...]:
        """All that is not over, the worst first."""
        return tuple(self._messages)

    @property
    def shown(self) -> Explained | None:
        """The one that is seen."""
        return self._shown

    def _forget(self, message: Explained) -> None:
        self._messages.remove(message)
        timer = self._timers.pop(message.key, None)
        if timer is not None:
            timer.stop()
            timer.deleteLater()
        if self._shown == message:
            self._shown = self._messages[0] if self._messages else None

    def _start_timer(self, message: Explained, ms: int) -> None:
        timer = QTimer(self, singleShot=True, interval=ms)
        timer.timeout.connect(lambda: self._time_over(message))
        self._timers[message.key] = timer
        timer.start()

    def _time_over(self, message: Explained) -> None:
        if message == self._shown and self._looked_at:
            self._timers[message.key].start(LOOKED_AT_MS)
            return
        self._forget(message)
        self._look_again()

    @property
    def _looked_at(self) -> bool:
        focused = QApplication.focusWidget()
        return self._strip.underMouse() or (
            focused is not None and self._strip.isAncestorOf(focused)
        )

    def _act(self) -> None:
        if self._shown is not None and self._shown.action is not None:
            self.wanted.emit(self._shown.action)

    def _show_next(self) -> None:
        assert self._shown is not None
        at = self._messages.index(self._shown)
        self._shown = self._messages[(at + 1) % len(self._messages)]
        self._look_again()

    # -- how it comes and goes ---------------------------------------------------------------------

    def _look_again(self) -> None:
        if self._shown is not None:
            at = self._messages.index(self._shown)
            self._strip.show_message(self._shown, at + 1, len(self._messages))
            self.setAccessibleName(self._shown.headline)
            self.setAccessibleDescription(self._shown.detail)
        self._slide_to(0.0 if self._shown is None else 1.0)

    def _slide_to(self, end: float) -> None:
        if end:
            self._strip.show()
            self.show()
        running = self._sliding.state() == QVariantAnimation.State.Running
        if (self._sliding.endValue() if running else self._open) == end:
            self._slide(self._open)
            return
        self._sliding.stop()
        self._sliding.setStartValue(self._open)
        self._sliding.setEndValue(end)
        self._sliding.setDuration(0 if motion.still() else SLIDE_MS)
        self._sliding.start()

    def _slide(self, share: float) -> None:
        self._open = share
        full = self._strip.height_at(self.width())
        height = round(full * share)
        self.setFixedHeight(height)
        self._strip.setGeometry(0, height - full, self.width(), full)

    def _slid(self) -> None:
        if self._open == 0.0:
            self.hide()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if event.size().width() != event.oldSize().width():
            self._slide(self._open)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.dismiss()
        else:
            super().keyPressEvent(event)

    def _restyle(self) -> None:
        self._strip.restyle()
        self._slide(self._open)


class _Strip(QWidget):
    """What is on it. Its own layout, so that it keeps its height while it slides."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._severity: Severity = "info"
        self._sign = QLabel()
        self._headline = label("", wrap=True)
        self._detail = label("", wrap=True)
        self.action = button("")
        self._count = label("", "caption")
        self.next = IconButton("next", "Next message", size=32, flat=True)
        self.close_button = IconButton("close", "Dismiss", size=32, flat=True)
        self._words = column(self._headline, self._detail, gap=2)
        self._actions = QWidget()
        self._actions.setLayout(row(self.action, 1, self._count, self.next))
        top = Qt.AlignmentFlag.AlignTop
        self._all = QGridLayout(self)
        self._all.setHorizontalSpacing(2 * GAP)
        self._all.setVerticalSpacing(GAP)
        self._all.setColumnStretch(1, 1)
        self._all.addWidget(self._sign, 0, 0, top)
        self._all.addLayout(self._words, 0, 1)
        self._all.addWidget(self._actions, 0, 2)
        self._all.addWidget(self.close_button, 0, 3, top)
        self._narrow = False
        self.restyle()

    def show_message(self, message: Explained, number: int, count: int) -> None:
        self._severity = message.severity
        self._headline.setText(message.headline)
        self._detail.setText(message.detail)
        self._detail.setVisible(bool(message.detail))
        self.action.setText(message.action_label)
        self.action.setVisible(message.action is not None)
        self._count.setText(f"{number} of {count}")
        for widget in (self._count, self.next):
            widget.setVisible(count > 1)
        self._actions.setVisible(count > 1 or message.action is not None)
        self.setToolTip("" if message.told == message.headline else message.told)
        self.restyle()

    def height_at(self, width: int) -> int:
        """What the words need."""
        narrow = width < theme().px(NARROW_PX)
        if narrow is not self._narrow:
            self._narrow = narrow
            place = (1, 1, 1, 3) if narrow else (0, 2, 1, 1)
            self._all.addWidget(self._actions, *place)
        self._all.activate()
        return max(self._all.heightForWidth(width), self._all.minimumSize().height())

    def restyle(self) -> None:
        ink, _ = _COLOURS[self._severity]
        side = theme().px(20)
        name = {"error": "warning", "warning": "warning", "info": "check"}[self._severity]
        colour = getattr(theme().colours, ink)
        self._sign.setPixmap(pixmap(name, colour, side, self.devicePixelRatioF()))
        margin = theme().px(1.5 * GAP)
        self._all.setContentsMargins(theme().px(2 * GAP), margin, margin, margin)
        self._sign.setContentsMargins(0, theme().px(5), 0, 0)
        self._words.setContentsMargins(0, theme().px(5), 0, theme().px(5))
        self._headline.setStyleSheet("font-weight: 600;")
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        style = theme()
        ink, ground = _COLOURS[self._severity]
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        area, radius = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), style.px(RADIUS)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(style.colour("surface"))
        painter.drawRoundedRect(area, radius, radius)
        painter.setBrush(style.colour(ground, 0.6))
        painter.setPen(QPen(style.colour(ink, 1 if style.colours is CONTRAST else 0.3), 1))
        painter.drawRoundedRect(area, radius, radius)
        painter.end()
