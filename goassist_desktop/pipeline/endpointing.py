"""When has the user finished? One policy, on evidence: sound, words and silence.

The turn detector alone calls most pauses inside a sentence an end, and now and then a plain end a
pause, so it is heard together with the words: a sentence that is plainly open waits longer, and
silence always settles it in the end.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

OPEN_ENDINGS: Final = frozenset(
    "a an the and or but so because if when while although though unless until that which who "
    "whose of to in on at by for from with about into over under between than as like is are was "
    "were am be been being do does did can could will would shall should may might must have has "
    "had my your his her its our their this these those what where how why very really um uh er "
    "erm hmm well i'm you're he's she's it's we're they're i'd i'll i've please also then".split()
)
"""A sentence whose last word is one of these is not finished, whatever its melody."""

_LAST_WORD: Final = re.compile(r"([\w']+)[^\w']*$")


def plainly_open(text: str) -> bool:
    """Whether the words so far can not be the end of a sentence."""
    text = text.rstrip()
    if text.endswith(("...", "…", ",", "-", "–", "—", ":")):
        return True
    last = _LAST_WORD.search(text.lower().replace("’", "'"))
    if last is None:
        return False
    word = last.group(1)
    # A question mark outweighs a word that may also stand last: "What is it for?"
    return word in OPEN_ENDINGS and not text.endswith("?")


@dataclass(frozen=True, slots=True)
class EndOfTurn:
    """Silence, in ms since the user's last sound, after which each kind of ending is believed."""

    pause_ms: float = 200
    """Nothing is decided, or begun, before."""
    sure: float = 0.5
    """Probability from which the turn detector is believed."""
    unsure_ms: float = 1000
    """Neither words nor melody say that it goes on, or that it is over."""
    open_ms: float = 1800
    """The words are plainly unfinished."""

    def wait_ms(self, probability: float, text: str) -> float:
        """Silence since the user's last sound after which the turn is over.

        `probability` is the turn detector's that they have finished, `text` the words so far.
        """
        if plainly_open(text):
            return self.open_ms
        return self.pause_ms if probability >= self.sure else self.unsure_ms

    def note_pause(self, pause_ms: float) -> None:
        """The user went on after a pause of this length: so long they may pause again."""

    def finished(self, silence_ms: float, probability: float, text: str) -> bool:
        """Whether the turn is over after this much silence, `probability` being the detector's."""
        return silence_ms >= self.wait_ms(probability, text)
