"""Microphone and loudspeaker: which ones, and whether they are heard."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from PySide6.QtCore import QTimer
from PySide6.QtGui import QHideEvent, QShowEvent

from goassist_desktop.pipeline.endpoints.sound_card import Direction, SoundDevice
from goassist_desktop.ui.kit import Choice, Level, button
from goassist_desktop.ui.ports import Assistant
from goassist_desktop.ui.settings.editing import Editing
from goassist_desktop.ui.settings.lines import Line, SwitchLine
from goassist_desktop.ui.settings.section import Section

LOOK_EVERY_MS: Final = 3000
LEVEL_EVERY_MS: Final = 33
MISSING: Final = "not connected"


class DeviceLine(Line):
    """One of the devices there are; a chosen one that is gone stays in the list."""

    def __init__(self, editing: Editing, direction: Direction, title: str, what: str) -> None:
        self._direction: Direction = direction
        self._key = f"audio.{direction}_device"
        self._devices: list[SoundDevice] | None = None
        self.choice = Choice(title)
        words = f"{title} device sound audio"
        super().__init__(editing, "Device", what, self.choice, self._key, wide=True, words=words)
        self.refresh()
        self.choice.activated.connect(self._picked)

    def show_devices(self, devices: Sequence[SoundDevice]) -> None:
        """What there is now. An open list is not touched."""
        mine = [device for device in devices if device.channels(self._direction)]
        if mine != self._devices and not self.choice.view().isVisible():
            self._devices = mine
            self.refresh()

    def any_there(self) -> bool:
        return bool(self._devices)

    def refresh(self) -> None:
        wanted = str(self.editing.value(self._key))
        items = {"": self._system_choice()}
        items |= {device.name: device.name for device in self._devices or ()}
        current = self._meant(wanted)
        if current not in items:
            items[current] = f"{current} – {MISSING}" if self._devices is not None else current
        if items != self._items():
            self.choice.clear()
            for value, text in items.items():
                self.choice.addItem(text, value)
        self.choice.setCurrentIndex(self.choice.findData(current))
        self.choice.setToolTip(items[current])

    def _items(self) -> dict[str, str]:
        indices = range(self.choice.count())
        return {self.choice.itemData(i): self.choice.itemText(i) for i in indices}

    def _system_choice(self) -> str:
        names = [d.name for d in self._devices or () if d.is_default(self._direction)]
        return f"System – {names[0]}" if names else "The system's choice"

    def _meant(self, wanted: str) -> str:
        """The device that a part of its name stands for, as `sound_card.find_device` has it."""
        names = [device.name for device in self._devices or ()]
        same = [name for name in names if name.casefold() == wanted.casefold()]
        found = same or [name for name in names if wanted and wanted.casefold() in name.casefold()]
        return found[0] if len(set(found)) == 1 else wanted

    def _picked(self, index: int) -> None:
        self.complain(self.editing.put({self._key: self.choice.itemData(index)}))
        self.refresh()


class Sound(Section):
    TITLE = "Sound"
    ICON = "speaker"
    WHAT = "Which microphone and loudspeaker are used. They can be changed while you talk."

    def __init__(self, editing: Editing, assistant: Assistant) -> None:
        super().__init__(editing)
        self._assistant = assistant
        self._looking = False
        self.microphone = DeviceLine(editing, "input", "Microphone", "Where your voice comes from.")
        self.level = Level("Microphone level")
        self.level_line = Line(
            editing,
            "Level",
            "Say something: the bar should move.",
            self.level,
            wide=True,
            words="loudness microphone",
        )
        self.echo = SwitchLine(
            editing,
            "audio.echo_cancellation",
            "Echo cancellation",
            "Keeps the assistant from hearing itself. You may switch it off with headphones.",
        )
        self.push = SwitchLine(
            editing,
            "audio.push_to_talk",
            "Push to talk",
            "The microphone is heard only while you hold the button or the space bar.",
            words="ptt",
        )
        self.add("Microphone", self.microphone, self.level_line, self.echo, self.push)
        self.loudspeaker = DeviceLine(
            editing, "output", "Loudspeaker", "Where the assistant is heard."
        )
        self.tone = button("Play a test tone", clicked=self._play)
        self.tone_line = Line(editing, "Test", "A short, quiet tone.", self.tone, words="tone beep")
        self.add("Loudspeaker", self.loudspeaker, self.tone_line)
        self._look_timer = QTimer(self, interval=LOOK_EVERY_MS)
        self._look_timer.timeout.connect(self._look)
        self._level_timer = QTimer(self, interval=LEVEL_EVERY_MS)
        self._level_timer.timeout.connect(self._show_level)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._look()
        self._look_timer.start()
        self._level_timer.start()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._look_timer.stop()
        self._level_timer.stop()

    def _look(self) -> None:
        if not self._looking:
            self._looking = True
            self.editing.jobs.run(self.editing.services.devices, self._found, self._no_sound)

    def _found(self, devices: Sequence[SoundDevice]) -> None:
        self._looking = False
        for line, noun in ((self.microphone, "microphone"), (self.loudspeaker, "loudspeaker")):
            line.show_devices(devices)
            line.complain("" if line.any_there() else f"No {noun} is connected.")

    def _no_sound(self, why: str) -> None:
        self._looking = False
        self.microphone.complain(f"{why[:1].upper()}{why[1:]}.")
        self.loudspeaker.complain("")

    def _show_level(self) -> None:
        self.level.show_level(self._assistant.level_db())

    def _play(self) -> None:
        self.tone.setEnabled(False)
        self.tone_line.complain("")
        services, config = self.editing.services, self.editing.config
        self.editing.jobs.run(lambda: services.test_tone(config), self._played, self._unplayed)

    def _played(self, _: None) -> None:
        self.tone.setEnabled(True)

    def _unplayed(self, why: str) -> None:
        self.tone.setEnabled(True)
        self.tone_line.complain(why)
