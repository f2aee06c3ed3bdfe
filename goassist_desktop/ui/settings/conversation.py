"""How the assistant converses: how long it waits, and how it answers."""

from __future__ import annotations

from typing import Final

from goassist_desktop import config as settings
from goassist_desktop.ui.settings.editing import Editing
from goassist_desktop.ui.settings.fold import Fold
from goassist_desktop.ui.settings.lines import Line, NumberLine, Slider, SliderLine
from goassist_desktop.ui.settings.section import Section
from goassist_desktop.ui.settings.tiles import Tile, Tiles

DEFAULTS: Final = settings.settings()
WAITING: Final = {
    "quick": (150.0, 600.0, 1200.0),
    "normal": tuple(
        DEFAULTS[f"turn_taking.{name}"] for name in ("pause_ms", "unsure_ms", "open_ms")
    ),
    "patient": (300.0, 1500.0, 3000.0),
}
"""pause_ms, unsure_ms, open_ms."""
WAIT_KEYS: Final = ("turn_taking.pause_ms", "turn_taking.unsure_ms", "turn_taking.open_ms")
LENGTHS: Final = {"short": 96, "normal": DEFAULTS["reply.max_tokens"], "long": 512}
"""Tokens; three are about two words."""
LIVELIEST: Final = 1.2
"""Above this the models that come with the program no longer make sense."""


class WaitingLine(Line):
    """How long it waits before it answers, in three steps."""

    def __init__(self, editing: Editing) -> None:
        self.tiles = Tiles(
            "How long it waits",
            Tile("quick", "Quick", "Answers at the first pause."),
            Tile("normal", "Normal", "As people do."),
            Tile("patient", "Patient", "Leaves time to think."),
        )
        super().__init__(
            editing,
            "How long it waits for you",
            "Before it takes a pause for the end of what you say.",
            self.tiles,
            *WAIT_KEYS,
            below=True,
            words="turn taking pause interrupt quick normal patient",
        )
        self.refresh()
        self.tiles.picked.connect(self._picked)

    def refresh(self) -> None:
        now = tuple(self.editing.value(key) for key in WAIT_KEYS)
        step = next((name for name, values in WAITING.items() if values == now), "")
        self.tiles.show_value(step)

    def _picked(self, step: str) -> None:
        values = dict(zip(WAIT_KEYS, WAITING[step], strict=True))
        self.complain(self.editing.put(values))


class LengthLine(Line):
    """How long an answer may become."""

    def __init__(self, editing: Editing) -> None:
        self.tiles = Tiles(
            "Length of answers",
            Tile("short", "Short", "A sentence or two."),
            Tile("normal", "Normal", "A few sentences."),
            Tile("long", "Long", "A whole explanation."),
        )
        super().__init__(
            editing,
            "Length of answers",
            "At most. Most answers are shorter.",
            self.tiles,
            "reply.max_tokens",
            below=True,
            words="tokens short normal long",
        )
        self.refresh()
        self.tiles.picked.connect(self._picked)

    def refresh(self) -> None:
        now = self.editing.value("reply.max_tokens")
        self.tiles.show_value(next((name for name, most in LENGTHS.items() if most == now), ""))

    def _picked(self, length: str) -> None:
        self.complain(self.editing.put({"reply.max_tokens": LENGTHS[length]}))
        self.refresh()


class VarietyLine(SliderLine):
    """How freely it chooses its words."""

    def __init__(self, editing: Editing) -> None:
        super().__init__(
            editing,
            "reply.temperature",
            "Variety",
            "At the left the same question gets the same answer; at the right it surprises.",
            Slider(0, LIVELIEST, 0.1),
            "{:.1f}".format,
            34,
            words="temperature random creative",
        )
        self.refresh()


class Conversation(Section):
    TITLE = "Conversation"
    ICON = "talk"

    def __init__(self, editing: Editing) -> None:
        super().__init__(editing)
        self.waiting = WaitingLine(editing)
        self.pause = NumberLine(
            editing,
            WAIT_KEYS[0],
            "First look",
            "Silence after which it first asks itself whether you have finished.",
            unit=" ms",
            step=10,
            words="pause_ms turn taking",
        )
        self.unsure = NumberLine(
            editing,
            WAIT_KEYS[1],
            "When it is not sure",
            "Silence after which it answers all the same.",
            unit=" ms",
            step=50,
            words="unsure_ms turn taking",
        )
        self.open = NumberLine(
            editing,
            WAIT_KEYS[2],
            "In the middle of a sentence",
            "Silence after which it answers although something is plainly missing.",
            unit=" ms",
            step=50,
            words="open_ms turn taking",
        )
        self.length = LengthLine(editing)
        self.variety = VarietyLine(editing)
        self.tokens = NumberLine(
            editing,
            "reply.max_tokens",
            "Longest answer",
            "In tokens: three of them are about two words.",
            step=16,
            words="max_tokens",
        )
        self.waiting_fold = Fold(self.pause, self.unsure, self.open)
        self.length_fold = Fold(self.tokens)
        self.add("Taking turns", self.waiting, self.waiting_fold)
        self.add("Answers", self.length, self.variety, self.length_fold)
