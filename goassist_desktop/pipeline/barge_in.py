"""Sounds over our own voice: which are worth falling silent for, and for how long.

The session tells what it hears and does, and asks; it alone acts. Times are ms of the audio
timeline.
"""

from __future__ import annotations

from typing import Literal

from goassist_desktop.pipeline.events import BargeIn
from goassist_desktop.pipeline.evidence import Evidence, repeats, weigh

WORDLESS_READINGS = 3
"""Silent, and still no real words after this many readings: we go on speaking."""
RESUME_MS = 350
"""Silent, and nothing said in words: after this much silence we go on. They may be between two
syllables: the silence before the second one of "stop talking" is 250 ms long, noise included."""
CALM_MS = 10_000
"""Fades for nothing are remembered for so long: music with a beat, or a hum that our own voice can
not be told from, would else cut the same word for ever."""
WEAK_FADES = 2
"""After so many only speech fades us …"""
STRONG_FADES = 4
"""… and after so many only words stop us, until it was calm for CALM_MS."""


def weigh_over(said: str, text: str) -> Evidence:
    """What was recognised while we said something: our own words, come back, are nothing."""
    evidence = weigh(text)
    if evidence is Evidence.WORDS and repeats(text, said):
        return Evidence.NOTHING
    return evidence


class Interruptions:
    """What is remembered of them, in a turn and from one to the next."""

    def __init__(self) -> None:
        self.noted: list[BargeIn] = []
        """Of the turn that is going on."""
        self._onset_ms = 0.0
        self._wordless_readings = 0
        self._resume_at_ms: float | None = None
        self._in_vain_ms: list[float] = []  # when we fell silent for nothing

    def new_turn(self) -> None:
        self.noted = []

    def worth_a_fade(self, onset_ms: float, now_ms: float, *, speech: bool) -> bool:
        """Whether to fall silent for what began at `onset_ms`: not after so many for nothing.

        Asking is remembered.
        """
        self._in_vain_ms = [ms for ms in self._in_vain_ms if now_ms - ms < CALM_MS]
        if len(self._in_vain_ms) >= (STRONG_FADES if speech else WEAK_FADES):
            self._in_vain_ms = [now_ms] * len(self._in_vain_ms)
            return False
        self._onset_ms = onset_ms
        return True

    def words_at(self, onset_ms: float) -> None:
        """These are worth it whatever was before."""
        self._onset_ms = onset_ms

    def fell_silent(self) -> None:
        self._wordless_readings = 0

    def wordless_reading(self) -> bool:
        """Another reading without real words: whether to go on speaking."""
        self._wordless_readings += 1
        return self._wordless_readings >= WORDLESS_READINGS

    def wait_for_more(self, offset_ms: float) -> None:
        """They said nothing in words up to here: unless they go on, so do we."""
        self._resume_at_ms = offset_ms + RESUME_MS

    def wait_no_more(self) -> None:
        self._resume_at_ms = None

    def waited(self, now_ms: float) -> bool:
        """Whether they had the time to go on."""
        return self._resume_at_ms is not None and now_ms >= self._resume_at_ms

    def ended(
        self, outcome: Literal["stopped", "resumed"], now_ms: float, silence_ms: float | None
    ) -> None:
        """`silence_ms`: when the loudspeaker fell silent for it; None: it did not."""
        if silence_ms is not None:
            self.noted.append(BargeIn(self._onset_ms, silence_ms, outcome))
        if outcome == "stopped":
            self._in_vain_ms = []  # somebody is there
        else:
            self._in_vain_ms.append(now_ms)
