"""The first start: four quiet steps to a conversation, each of which may be left out."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Final

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QHideEvent, QKeyEvent, QShowEvent
from PySide6.QtWidgets import QAbstractButton, QSizePolicy, QStackedWidget, QWidget

from goassist_desktop.ui import kit
from goassist_desktop.ui.kit import button, column, row
from goassist_desktop.ui.ports import Assistant
from goassist_desktop.ui.setup_coming import Services as Services
from goassist_desktop.ui.setup_parts import Dots
from goassist_desktop.ui.setup_steps import Loudspeaker, Microphone, Ready, Sound, Step, Welcome
from goassist_desktop.ui.theme import GAP

LOOK_EVERY_MS: Final = 33
"""How often level and findings are asked for: as often as a moving bar looks smooth."""
GREETING: Final = "Hello, I am {name}. What can I do for you?"
LEAVE_EVERY_MS: Final = 20
LEAVE_LOOKS: Final = 50
"""So often the devices are waited for, until the conversation begins whatever they do."""

_log = logging.getLogger(__name__)


def needed(state: Path) -> bool:
    """Whether the set-up was never ended or left on this machine."""
    return not state.exists()


def _note_done(state: Path) -> None:
    try:
        state.parent.mkdir(parents=True, exist_ok=True)
        state.write_text(json.dumps({"setup": "done"}) + "\n", encoding="utf-8")
    except OSError as error:
        _log.info("the set-up will be shown again: %s", error)


class Setup(QWidget):
    """The set-up, over the whole window. At its end, however it comes, the devices are free again,
    the assistant is started, and `finished` is told."""

    finished = Signal()

    def __init__(self, assistant: Assistant, services: Services) -> None:
        super().__init__()
        self.setProperty("kind", "page")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setAccessibleName("Set-up")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._assistant, self._services = assistant, services
        self._sound = Sound(services)
        steps = (
            Welcome(services),
            Microphone(services, self._sound),
            Loudspeaker(services, self._sound),
            Ready(services),
        )
        self._steps: tuple[Step, ...] = steps
        self._ended = False
        self._looks = 0
        self._leaving = QTimer(self)
        self._leaving.setInterval(LEAVE_EVERY_MS)
        self._leaving.timeout.connect(self._leave)
        self._looking = QTimer(self)
        self._looking.setInterval(LOOK_EVERY_MS)
        self._looking.timeout.connect(self._look)

        self._stack = QStackedWidget()
        for step in steps:
            self._stack.addWidget(kit.scrolling(step))
            step.changed.connect(self._show_buttons)
        self._dots = Dots(len(steps))
        self._back = button("Back", "link", self.back)
        self._other = button("Not now", "link", self._do_other)
        self._next = button("Continue", "primary", self._act)
        self._skip = button("Skip set-up", "link", self.end)
        self._skip.setToolTip("Esc")
        sides = [_side(self._back), _side(self._other, self._next)]
        foot = row(sides[0], self._dots, sides[1])
        foot.setStretch(0, 1)
        foot.setStretch(2, 1)
        outer = column(row(1, self._skip), self._stack, foot, gap=GAP)
        outer.setContentsMargins(4 * GAP, 3 * GAP, 4 * GAP, 3 * GAP)
        outer.setStretch(1, 1)
        self.setLayout(outer)
        self._go(0)

    @property
    def step(self) -> int:
        """Which one is shown, from 0."""
        return self._stack.currentIndex()

    def back(self) -> None:
        if self.step > 0:
            self._go(self.step - 1)

    def end(self) -> None:
        """Leave: the microphone is let go of, and the conversation begins."""
        if self._ended:
            return
        self._ended = True
        _note_done(self._services.state)
        self.close_devices()
        self._leaving.start()

    def close_devices(self) -> None:
        """Let go of microphone and loudspeaker, soon. The program may end after that."""
        self._looking.stop()
        self._sound.close()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if not self._ended:
            self._listen_if_wanted()

    def hideEvent(self, event: QHideEvent) -> None:
        """Nobody is listened to by what can not be seen; and the program may be about to end."""
        super().hideEvent(event)
        self.close_devices()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = event.key()
        if key == Qt.Key.Key_Escape:
            self.end()
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            focused = self.focusWidget()
            (focused if isinstance(focused, QAbstractButton) else self._next).click()
        elif key == Qt.Key.Key_Left and event.modifiers() & Qt.KeyboardModifier.AltModifier:
            self.back()
        else:
            super().keyPressEvent(event)

    def _go(self, to: int) -> None:
        self._stack.setCurrentIndex(to)
        self._dots.show_place(to)
        self._listen_if_wanted()
        self._steps[to].enter()
        self._show_buttons()
        self._next.setFocus()

    def _listen_if_wanted(self) -> None:
        listens = self._steps[self.step].listens
        self._sound.want(listens)
        if listens:
            self._looking.start()
        else:
            self._looking.stop()

    def _forward(self) -> None:
        if self.step + 1 < len(self._steps):
            self._go(self.step + 1)
        else:
            self.end()

    def _act(self) -> None:
        """Do what the step is for; where that is done, go on."""
        if self._steps[self.step].action():
            self._steps[self.step].act()
        else:
            self._forward()

    def _do_other(self) -> None:
        """Leave out what the step is for; where that is done, do it again."""
        if self._steps[self.step].action():
            self._forward()
        else:
            self._steps[self.step].act()

    def _look(self) -> None:
        self._steps[self.step].look()

    def _show_buttons(self) -> None:
        step = self._steps[self.step]
        action = step.action()
        last = self.step + 1 == len(self._steps)
        self._next.setText(action or ("Start talking" if last else "Continue"))
        if not step.ready and self._next.hasFocus():
            self.setFocus()  # not on to what leaves the set-up
        self._next.setEnabled(step.ready)
        if step.ready and self.hasFocus():
            self._next.setFocus()
        other = step.again() if not action else "" if last else "Not now"
        self._other.setText(other)
        self._other.setVisible(bool(other))
        self._back.setVisible(self.step > 0)

    def _leave(self) -> None:
        self._looks += 1
        if not self._sound.closed and self._looks < LEAVE_LOOKS:
            return
        self._leaving.stop()
        who = self._services.config.persona
        self._assistant.start(who.greeting or GREETING.format(name=who.name))
        self.finished.emit()


def _side(*widgets: QWidget) -> QWidget:
    """One end of the foot; both are as wide, so that the dots stay in the middle."""
    side = QWidget()
    side.setLayout(row(*widgets, 1) if len(widgets) == 1 else row(1, *widgets))
    side.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
    return side
