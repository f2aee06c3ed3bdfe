"""What a sound over our own voice was: words that stop us, or nothing that should.

Small talkers' sounds are told from words by the words themselves. Pure functions on text.
"""

from __future__ import annotations

import re
from enum import Enum, auto
from typing import Final

STOP_PHRASES: Final = frozenset(
    "stop|stop it|stop talking|stop please|please stop|cancel|cancel that|hold on|hang on|wait|"
    "wait a minute|wait a second|wait a moment|one moment|just a moment|be quiet|quiet|silence|"
    "shut up|enough|that's enough|never mind|nevermind|okay stop|ok stop|no stop".split("|")
)
"""Said alone, these stop the assistant and ask for no answer."""

BACKCHANNELS: Final = frozenset(
    "ah|aha|alright|cool|exactly|fine|good|great|ha|haha|hm|hmm|hmmm|i see|indeed|mhm|mm|mm-hm|"
    "mm-hmm|mmhm|mmhmm|mmm|nice|oh|ok|okay|really|right|sure|true|uh|uh-huh|uhhuh|uh-hum|um|uhm|"
    "wow|yeah|yep|yes|yup".split("|")
)
"""Said while the other speaks, these mean "go on"."""


class Evidence(Enum):
    NOTHING = auto()
    """No words at all."""
    BACKCHANNEL = auto()
    WORDS = auto()
    STOP = auto()


_NOT_WORD = re.compile(r"[^\w'\- ]+")


def _plain(text: str) -> str:
    return " ".join(_NOT_WORD.sub(" ", text.lower().replace("’", "'")).split())


def weigh(text: str) -> Evidence:
    """Judge what was recognised over our own voice."""
    plain = _plain(text)
    if not plain:
        return Evidence.NOTHING
    if is_stop(text):
        return Evidence.STOP
    rest = plain
    for phrase in ("i see",):
        rest = rest.replace(phrase, "oh")
    if all(word.strip("-'") in BACKCHANNELS or word in BACKCHANNELS for word in rest.split()):
        return Evidence.BACKCHANNEL
    return Evidence.WORDS


def is_stop(text: str) -> bool:
    """Whether the last sentence of the text is a bare order to stop ("Stop.", "Wait, wait.")."""
    sentences = [plain for part in re.split(r"[.!?]+", text) if (plain := _plain(part))]
    if not sentences:
        return False
    last = sentences[-1]
    words = last.split()
    return last in STOP_PHRASES or (len(set(words)) == 1 and words[0] in STOP_PHRASES)
