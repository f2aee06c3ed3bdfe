"""The four steps of the set-up."""

from __future__ import annotations

from typing import Final, Literal

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QButtonGroup, QWidget

from goassist_desktop.pipeline.endpoints.sound_card import Direction
from goassist_desktop.sound_check import SILENT_DB, Check, Echo, Probe
from goassist_desktop.ui.kit import Choice, Level, column, label, row
from goassist_desktop.ui.setup_coming import Coming, Services
from goassist_desktop.ui.setup_parts import WIDTH_PX, EchoFigure, Emblem, Finding, Look, centred
from goassist_desktop.ui.theme import GAP, SIZES, theme
from goassist_desktop.ui.theme import Choice as Appearance

LEAST_PX: Final = 330
"""Below every picture, whatever is there: so none of them jumps from step to step."""
LOOKS: Final[dict[str, Appearance]] = {
    "As the system": "system",
    "Light": "light",
    "Dark": "dark",
    "High contrast": "contrast",
}
SYSTEM_CHOICE: Final = "The system's choice"


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
        self.title = centred(label(title, "display", wrap=True))
        self.sentence = centred(label(sentence, "quiet", wrap=True))
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
            "tell it from yours. Please be quiet.",
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
