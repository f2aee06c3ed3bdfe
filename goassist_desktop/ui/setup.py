"""The first start: four quiet steps to a conversation, each of which may be left out."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QHideEvent, QKeyEvent, QShowEvent
from PySide6.QtWidgets import (
    QAbstractButton,
    QButtonGroup,
    QLabel,
    QProgressBar,
    QSizePolicy,
    QStackedWidget,
    QWidget,
)

from goassist_desktop.config import Config
from goassist_desktop.pipeline.endpoints.sound_card import Direction
from goassist_desktop.sound_check import SILENT_DB, Card, Check, Echo, Probe
from goassist_desktop.supply import offers
from goassist_desktop.supply.offers import failure_in_words, size_in_words, time_in_words
from goassist_desktop.supply.queue import Item
from goassist_desktop.ui import kit
from goassist_desktop.ui.kit import Choice, Level, button, column, label, row
from goassist_desktop.ui.models import Change, Downloads
from goassist_desktop.ui.ports import Assistant
from goassist_desktop.ui.setup_parts import WIDTH_PX, Dots, EchoFigure, Emblem, Finding, Look
from goassist_desktop.ui.theme import GAP, SIZES, theme
from goassist_desktop.ui.theme import Choice as Appearance

LOOK_EVERY_MS: Final = 33
"""How often level and findings are asked for: as often as a moving bar looks smooth."""
LEAVE_EVERY_MS: Final = 20
LEAVE_LOOKS: Final = 50
"""So often the devices are waited for, until the conversation begins whatever they do."""
LEAST_PX: Final = 330
"""Below every picture, whatever is there: so none of them jumps from step to step."""
LOOKS: Final[dict[str, Appearance]] = {
    "As the system": "system",
    "Light": "light",
    "Dark": "dark",
    "High contrast": "contrast",
}
SYSTEM_CHOICE: Final = "The system's choice"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Services:
    """What the set-up needs of the program."""

    config: Config
    change: Change
    """Keeps settings and tells the assistant of them."""
    downloads: Downloads
    card: Card
    state: Path
    """The file in which it is noted that the set-up is over."""


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
        self._assistant.start()
        self.finished.emit()


def _side(*widgets: QWidget) -> QWidget:
    """One end of the foot; both are as wide, so that the dots stay in the middle."""
    side = QWidget()
    side.setLayout(row(*widgets, 1) if len(widgets) == 1 else row(1, *widgets))
    side.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
    return side


class Sound:
    """The probe of both steps that listen: opened when first wanted, closed when no longer."""

    def __init__(self, services: Services) -> None:
        self._card = services.card
        audio = services.config.audio
        self.names: dict[Direction, str] = {
            "input": audio.input_device,
            "output": audio.output_device,
        }
        self._probe: Probe | None = None
        self._stopped: Probe | None = None

    @property
    def probe(self) -> Probe | None:
        return self._probe

    @property
    def check(self) -> Check | None:
        return self._probe.check if self._probe is not None else None

    def want(self, wanted: bool) -> None:
        if wanted and self._probe is None:
            self._probe = Probe(self._card, self._stopped)
            self._probe.start(self.names["input"], self.names["output"])
        elif not wanted:
            self.close()

    def use(self, direction: Direction, name: str) -> None:
        self.names[direction] = name
        if self._probe is not None:
            self._probe.use(self.names["input"], self.names["output"])

    def close(self) -> None:
        if self._probe is not None:
            self._probe.stop()
            self._stopped, self._probe = self._probe, None

    @property
    def closed(self) -> bool:
        """Whether all devices are free."""
        return self._probe is None and (self._stopped is None or self._stopped.ended)


# -- the steps -------------------------------------------------------------------------------------


class Step(QWidget):
    """One screen: a picture, a title, a sentence, and what can be done."""

    changed = Signal()
    """What the foot says of it may be another now."""
    listens = False
    """Whether the microphone is open meanwhile."""

    def __init__(self, icon: str, title: str, sentence: str) -> None:
        super().__init__()
        self.setAccessibleName(title)
        self.ready = True
        """Whether its button can be pressed."""
        self.emblem = Emblem(icon)
        self.title = _centred(label(title, "display", wrap=True))
        self.sentence = _centred(label(sentence, "quiet", wrap=True))
        self.body = column(gap=2 * GAP)
        middle = QWidget()
        inside = column(self.title, self.sentence, gap=GAP)
        inside.addSpacing(2 * GAP)
        inside.addLayout(self.body)
        inside.addStretch(1)
        middle.setLayout(inside)
        self._middle = middle
        whole = column(1, self.emblem, gap=2 * GAP)
        whole.setAlignment(self.emblem, Qt.AlignmentFlag.AlignHCenter)
        across = row(1, middle, 1)
        across.setStretch(1, 100)
        whole.addLayout(across)
        whole.addStretch(2)
        self.setLayout(whole)
        theme().changed.connect(self._restyle)
        self._restyle()

    def enter(self) -> None:
        """It is shown now."""

    def look(self) -> None:
        """Time has passed: see what was found. Called while it `listens`."""

    def action(self) -> str:
        """What its button does, in a word or two; empty when there is nothing but to go on."""
        return ""

    def again(self) -> str:
        """What may be done once more, where it was done."""
        return ""

    def act(self) -> None:
        """Its button was pressed."""

    def _restyle(self) -> None:
        self._middle.setMaximumWidth(theme().px(WIDTH_PX))
        self._middle.setMinimumHeight(LEAST_PX)
        self.sentence.setStyleSheet(f"font-size: {theme().px(SIZES['large'])}px")


def _centred(made: QLabel) -> QLabel:
    made.setAlignment(Qt.AlignmentFlag.AlignHCenter)
    return made


class Welcome(Step):
    """What it is; and its models, where they are not here."""

    def __init__(self, services: Services) -> None:
        super().__init__(
            "face",
            f"Hello, I am {services.config.persona.name}.",
            "You can simply talk with me. Everything stays on this machine: what you say, what I "
            "answer, and what I am made of.",
        )
        self._coming = Coming(services, self.emblem)
        self._coming.changed.connect(self._refresh)
        self._here = Finding()
        self.body.addWidget(self._coming)
        self.body.addWidget(self._here)
        self._refresh()

    def enter(self) -> None:
        self._coming.refresh()

    def action(self) -> str:
        return self._coming.action()

    def act(self) -> None:
        self._coming.fetch()

    def _refresh(self) -> None:
        here = self._coming.complete
        self._coming.setVisible(not here)
        self._here.show_found(
            "check" if here else "",
            "Everything I need is here. We can talk in a few seconds." if here else "",
        )
        self.changed.emit()


class Microphone(Step):
    """Which one, and whether somebody is heard."""

    listens = True

    def __init__(self, services: Services, sound: Sound) -> None:
        super().__init__("mic", "Can I hear you?", "Choose your microphone, and say something.")
        self._sound = sound
        self._devices = Devices("input", services, sound)
        self._level = Level("Microphone level")
        self._finding = Finding()
        self.body.addWidget(self._devices)
        self.body.addWidget(self._level)
        self.body.addWidget(self._finding)
        self._heard = False

    def enter(self) -> None:
        self._heard = False
        self.emblem.show_badge("")
        self.look()

    def look(self) -> None:
        probe, check = self._sound.probe, self._sound.check
        self._devices.refresh()
        level_db = check.level_db if check is not None else SILENT_DB
        self._level.show_level(level_db)
        self.emblem.show_level(1 - level_db / Level.FLOOR_DB)
        if check is not None and check.voice_heard:
            self._heard = True
        if probe is not None and probe.fault:
            self._finding.show_found("warning", _sentence(probe.fault))
            self.emblem.show_badge("warning")
        elif self._heard:
            self._finding.show_found("check", "Yes, I hear you.")
            self.emblem.show_badge("check")
        else:
            self._finding.show_found("", "Listening …" if check is not None else "")
            self.emblem.show_badge("")


class Loudspeaker(Step):
    """Which one; whether the microphone hears it, and what echo cancellation makes of that."""

    listens = True

    def __init__(self, services: Services, sound: Sound) -> None:
        super().__init__(
            "speaker",
            "Do I hear myself?",
            "A short melody shows how much of my own voice reaches the microphone, and that I can "
            "tell it from yours. Please be quiet meanwhile.",
        )
        self._sound = sound
        self._devices = Devices("output", services, sound)
        self._figure = EchoFigure()
        self._finding = Finding()
        self.body.addWidget(self._devices)
        self.body.addWidget(self._figure)
        self.body.addWidget(self._finding)
        self._echo: Echo | None = None
        self._playing = False

    def enter(self) -> None:
        self._echo = None
        self._playing = False
        self.look()

    def look(self) -> None:
        probe, check = self._sound.probe, self._sound.check
        self._devices.refresh()
        fault = probe.fault if probe is not None else ""
        playing = check is not None and check.progress is not None
        if check is not None and check.echo is not None:
            self._echo = check.echo
        elif self._playing and not playing:
            self._echo = None
        before = (self.ready, self.action())
        self._playing = playing
        self.ready = check is not None and not playing
        self.emblem.show_progress(check.progress if check is not None else None)
        self.emblem.show_level(1 - check.level_db / Level.FLOOR_DB if check is not None else 0)
        self._show(fault)
        if before != (self.ready, self.action()):
            self.changed.emit()

    def action(self) -> str:
        return "" if self._echo is not None and not self._playing else "Play the melody"

    def again(self) -> str:
        return "Play it again" if self._echo is not None and not self._playing else ""

    def act(self) -> None:
        check = self._sound.check
        if check is not None:
            self._echo = None
            check.play()
            self.look()

    def _show(self, fault: str) -> None:
        echo = None if self._playing else self._echo
        self._figure.show_echo(echo)
        self.sentence.setVisible(echo is None)
        if fault:
            self._finding.show_found("warning", _sentence(fault))
            self.emblem.show_badge("warning")
        elif echo is None:
            self._finding.show_found("", "Listening …" if self._playing else "")
            self.emblem.show_badge("")
        else:
            icon, words = echo_in_words(echo)
            self._finding.show_found(icon, words)
            self.emblem.show_badge(icon)


def echo_in_words(echo: Echo) -> tuple[Literal["check", "warning"], str]:
    """What a test of the echo showed, and whether it is good."""
    if echo.outcome == "silent":
        return "warning", "The microphone gives nothing at all. Is it muted?"
    if echo.outcome == "unheard":
        return "check", "The microphone does not hear the loudspeaker: right with headphones."
    if echo.outcome == "loud":
        return "warning", (
            "Too much of it is left, and I may interrupt myself. Turn the loudspeaker down, move "
            "the microphone away from it, or use headphones."
        )
    if echo.outcome == "disturbed":
        return "warning", "Something else was louder. Play it again when it is quiet."
    if echo.removed_db < 10:
        return (
            "check",
            "The loudspeaker is hardly heard at the microphone, and nothing of it stays.",
        )
    removed = f"{echo.removed_db:.0f}" if echo.removed_db < 60 else "more than 60"
    return "check", f"The loudspeaker is heard at the microphone; {removed} dB of it are removed."


class Ready(Step):
    """How it looks, and off."""

    def __init__(self, services: Services) -> None:
        super().__init__("talk", "All set.", "Choose how I look. You can change everything later.")
        self._services = services
        self._coming = Coming(services, self.emblem)
        self._coming.changed.connect(self._refresh)
        self._group = QButtonGroup(self)
        looks: list[QWidget] = []
        for name, choice in LOOKS.items():
            look = Look(name, choice)
            look.setChecked(choice == services.config.window.theme)
            look.clicked.connect(self._choose)
            self._group.addButton(look)
            looks.append(look)
        self.body.addLayout(row(1, *looks, 1, gap=2 * GAP))
        self.body.addWidget(self._coming)

    def enter(self) -> None:
        self._coming.refresh()

    def action(self) -> str:
        return self._coming.action()

    def act(self) -> None:
        self._coming.fetch()

    def _refresh(self) -> None:
        here = self._coming.complete
        self._coming.setVisible(not here)
        self.ready = here or bool(self._coming.action())
        self.emblem.show_badge("check" if here else "")
        self.changed.emit()

    def _choose(self) -> None:
        look = self._group.checkedButton()
        assert isinstance(look, Look)
        theme().use(look.choice, theme().scale)
        self._services.change({"window.theme": look.choice})


class Coming(QWidget):
    """The models of the configuration that are not here yet, on their way."""

    changed = Signal()

    def __init__(self, services: Services, emblem: Emblem) -> None:
        super().__init__()
        self._config = services.config
        self._downloads = services.downloads
        self._emblem = emblem
        self._missing = offers.missing(services.config)
        self._wanted = [model.name for model in self._missing]
        self._total = sum(model.size for model in self._missing)
        self._phases: dict[str, str] = {}
        self._bar = QProgressBar()
        self._bar.setRange(0, 1000)
        self._bar.setTextVisible(False)
        self._bar.setAccessibleName("Progress of the models")
        self._words = _centred(label("", "quiet", wrap=True))
        self._fault = _centred(label("", "error", wrap=True))
        self._details = _centred(label("", "caption", wrap=True))
        self._details.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._pause = button("Pause", "link", self._do_pause)
        self._cancel = button("Cancel", "link", self._do_cancel)
        self._more = button("Details", "link", self._show_details)
        self.setLayout(
            column(
                self._bar,
                self._words,
                self._fault,
                row(1, self._pause, self._cancel, self._more, 1),
                self._details,
                gap=GAP,
            )
        )
        self._details.hide()
        self._downloads.changed.connect(self._changed)
        self.refresh()

    @property
    def complete(self) -> bool:
        """Whether all models are here."""
        return not self._missing

    def action(self) -> str:
        """What is to be done to get them; empty while they come, or are here."""
        if self.complete or any(item.busy for item in self._items()):
            return ""
        if any(item.phase == "failed" for item in self._items()):
            return "Try again"
        begun = any(item.phase == "paused" for item in self._items())
        begun = begun or any(offers.state(model)[1] for model in self._missing)
        return "Resume" if begun else f"Get the models ({size_in_words(self._total)})"

    def fetch(self) -> None:
        for model in self._missing:
            self._downloads.queue.add(model.name)

    def refresh(self) -> None:
        """Look at the disk again."""
        self._missing = offers.missing(self._config)
        self._phases = {item.name: item.phase for item in self._items()}
        self._show()
        self.changed.emit()

    def _items(self) -> list[Item]:
        known = self._downloads.queue.items()
        return [known[name] for name in self._wanted if name in known]

    def _changed(self) -> None:
        if {item.name: item.phase for item in self._items()} != self._phases:
            self.refresh()
        else:
            self._show()

    def _show(self) -> None:
        items = {item.name: item for item in self._items()}
        busy = [item for item in items.values() if item.busy]
        failed = [item for item in items.values() if item.phase == "failed"]
        left = 0
        for model in self._missing:
            item = items.get(model.name)
            there = item.done if item is not None and item.done else offers.state(model)[1]
            left += max(0, model.size - there)
        share = 1 - left / self._total if self._total else 1.0
        begun = bool(items) and not self.complete
        self._bar.setVisible(begun)
        self._bar.setValue(round(1000 * share))
        self._emblem.show_progress(share if begun else None)
        rate = sum(item.rate for item in busy)
        self._words.setText(self._in_words(left, rate, bool(busy), begun))
        self._fault.setVisible(bool(failed) and not busy)
        self._more.setVisible(bool(failed) and not busy)
        if failed:
            self._fault.setText(failure_in_words(failed[0].fault))
            self._details.setText("\n".join(item.fault for item in failed))
        if not failed or busy:
            self._details.hide()
        self._pause.setVisible(bool(busy))
        self._cancel.setVisible(begun and not failed)

    def _in_words(self, left: int, rate: float, busy: bool, begun: bool) -> str:
        if not begun:
            count = len(self._missing)
            what = "One model is" if count == 1 else f"{count} models are"
            return f"{what} still to come, {size_in_words(left)}. After that I need no network."
        share = f"{100 * (self._total - left) // self._total} % of {size_in_words(self._total)}"
        if not busy:
            return f"{share} are here."
        if not rate:
            return f"{share} · you can go on meanwhile"
        return f"{share} · {size_in_words(rate)} a second · {time_in_words(left / rate)}"

    def _do_pause(self) -> None:
        for item in reversed(self._items()):  # or the next one would begin
            self._downloads.queue.pause(item.name)

    def _do_cancel(self) -> None:
        for item in reversed(self._items()):
            self._downloads.queue.drop(item.name)

    def _show_details(self) -> None:
        self._details.setVisible(self._details.isHidden())


class Devices(Choice):
    """The microphones or loudspeakers there are."""

    def __init__(self, direction: Direction, services: Services, sound: Sound) -> None:
        super().__init__("Microphone" if direction == "input" else "Loudspeaker")
        self._direction, self._sound = direction, sound
        self._change = services.change
        self._names: list[str] = []
        self.addItem(SYSTEM_CHOICE, "")
        self.activated.connect(self._choose)
        self._fill([])

    def refresh(self) -> None:
        probe = self._sound.probe
        if probe is None or not probe.devices:
            return
        names = [device.name for device in probe.devices if device.channels(self._direction)]
        names = [name for name in names if names.count(name) == 1]
        if names != self._names and not self.view().isVisible():
            self._fill(names)

    def _fill(self, names: list[str]) -> None:
        self._names = names
        chosen = self._sound.names[self._direction]
        self.clear()
        self.addItem(SYSTEM_CHOICE, "")
        for name in names if chosen in names or not chosen else [chosen, *names]:
            self.addItem(name, name)
        self.setCurrentIndex(max(0, self.findData(chosen)))

    def _choose(self) -> None:
        name = str(self.currentData())
        if name != self._sound.names[self._direction]:
            self._sound.use(self._direction, name)
            self._change({f"audio.{self._direction}_device": name})


def _sentence(message: str) -> str:
    """A message of the program as a sentence."""
    return message[:1].upper() + message[1:] + ("" if message.endswith((".", "?")) else ".")
