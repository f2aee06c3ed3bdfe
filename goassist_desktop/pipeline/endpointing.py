"""When has the user finished? One policy, on evidence: sound, words, silence and the user's pace.

The turn detector alone calls half of the pauses inside a sentence an end and a quarter of the ends
a pause; what the words so far look like tells more. Both are weighed into one score, the score
becomes a silence to wait for, and silence always settles it in the end.

The numbers are fitted by models/fit_turns.py on the `train` half of the corpus of `goassist bench
turns`, which judges them on the other half.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final

from goassist_desktop.pipeline.sentence_signs import signs

DETECTOR_CLIP: Final = 0.01
"""The detector is never taken to be surer than this of either answer."""
BIAS: Final = 1.31
DETECTOR: Final = 0.21
"""For each unit of the detector's log-odds."""
WEIGHTS: Final = {
    "trails": -0.36,
    "unended": -0.37,
    "asked": 0.58,
    "dangles": -3.66,
    "begins": -2.17,
    "partial": -2.95,
    "dictates": -1.48,
    "lists": -1.60,
    "few": -0.48,
}
"""For each of the sentence's signs."""

SURE: Final = 1.78
"""From this score on the sentence is plainly done …"""
UNSURE: Final = 1.66
"""… at this one it may be either …"""
OPEN: Final = 0.13
"""… and from here down it is plainly open. Between them the wait changes evenly."""

PACE_PAUSES: Final = 8
"""How many of the user's last pauses tell their pace."""
PACE: Final = 1.40
"""Who pauses for so long on average is waited for this many times as long."""
BREATH_MS: Final = 250
"""Shorter pauses are breath, and tell nothing of the pace."""


def score(probability: float, text: str) -> float:
    """Log-odds that the user has finished: the detector's `probability`, and the words so far."""
    sure = min(max(probability, DETECTOR_CLIP), 1 - DETECTOR_CLIP)
    seen = signs(text)
    return (
        BIAS
        + DETECTOR * math.log(sure / (1 - sure))
        + sum(weight for name, weight in WEIGHTS.items() if getattr(seen, name))
    )


@dataclass(slots=True)
class EndOfTurn:
    """How long to wait, in ms since the user's last sound. One for each session."""

    pause_ms: float = 200
    """For a sentence that is plainly done; nothing is decided before."""
    unsure_ms: float = 850
    """Neither words nor melody say that it goes on, or that it is over."""
    open_ms: float = 1800
    """For a sentence that is plainly open, and for slow speakers at most."""
    _pauses: list[float] = field(default_factory=list, init=False, repr=False)

    def wait_ms(self, probability: float, text: str) -> float:
        """Silence since the user's last sound after which the turn is over.

        `probability` is the turn detector's that they have finished, asked after about 200 ms of
        silence; `text` is the words so far, punctuated.
        """
        if self.plainly_over(text):
            return self.pause_ms
        value = score(probability, text)
        unsure_ms = self._patience_ms()
        if value >= UNSURE:
            return _between(value, UNSURE, unsure_ms, SURE, self.pause_ms)
        return _between(value, OPEN, max(self.open_ms, unsure_ms), UNSURE, unsure_ms)

    def plainly_over(self, text: str) -> bool:
        """Whether no turn detector needs to be asked: a question, with no sign of going on.

        In the corpus 3 of 190 open pauses look like this, and 72 of 343 ends.
        """
        seen = signs(text)
        return seen.asked and sum(seen) == 1

    def note_pause(self, pause_ms: float) -> None:
        """The user went on after a pause of this length: so long they may pause again."""
        if pause_ms >= BREATH_MS:
            self._pauses = [*self._pauses[1 - PACE_PAUSES :], pause_ms]

    def _patience_ms(self) -> float:
        if not self._pauses:
            return self.unsure_ms
        usual_ms = PACE * sum(self._pauses) / len(self._pauses)
        return min(max(self.unsure_ms, usual_ms), max(self.unsure_ms, self.open_ms))


def _between(value: float, low: float, at_low: float, high: float, at_high: float) -> float:
    """`at_low` up to `low`, `at_high` from `high` on, evenly in between."""
    share = min(max((value - low) / (high - low), 0.0), 1.0)
    return at_low + share * (at_high - at_low)
