"""What a sound over our own voice was: words that stop us, or nothing that should.

Small talkers' sounds are told from words by the words themselves. Pure functions on text.
"""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from enum import Enum, auto
from typing import Final

STOP_PHRASES: Final = (
    "stop|stop it|stop that|stop talking|cancel|cancel it|cancel that|hold on|hang on|wait|"
    "wait a minute|wait a second|wait a moment|one moment|just a minute|just a second|"
    "just a moment|be quiet|quiet|silence|shut up|enough|that's enough|never mind|nevermind"
)
"""Said alone, these stop the assistant and ask for no answer. A pattern, like the two below."""

FILLERS: Final = "okay|ok|oh|hey|no|please|just|now|and"
"""Around an order to stop these change nothing."""

BACKCHANNELS: Final = (
    "ah|aha|alright|cool|exactly|fine|good|great|ha|haha|hm|hmm|hmmm|i see|indeed|mhm|mm|mm-hm|"
    "mm-hmm|mmhm|mmhmm|mmm|nice|oh|ok|okay|really|right|sure|true|uh|uh-huh|uhhuh|uh-hum|um|uhm|"
    "wow|yeah|yep|yes|yup"
)
"""Said while the other speaks, these mean "go on"."""

WORDS_BACK = 6
"""An echo may be of words this far back: it was recognised some second later."""
REPEATED = 0.7

_STOP = re.compile(f"(?:(?:{FILLERS}) )*(?:{STOP_PHRASES})(?: (?:{STOP_PHRASES}|{FILLERS}))*")
_FILLING = re.compile(f"(?:{FILLERS})(?: (?:{FILLERS}))*")
_BACKCHANNEL = re.compile(f"(?:{BACKCHANNELS})(?: (?:{BACKCHANNELS}))*")


class Evidence(Enum):
    NOTHING = auto()
    """No words at all."""
    BACKCHANNEL = auto()
    WORDS = auto()
    STOP = auto()


_NOT_WORD = re.compile(r"[^\w'\- ]+")


def _plain(text: str) -> str:
    """Its words in lower case, one space between them."""
    words = _NOT_WORD.sub(" ", text.lower().replace("’", "'")).split()
    return " ".join(plain for word in words if (plain := word.strip("-'")))


def weigh(text: str) -> Evidence:
    """Judge what was recognised over our own voice."""
    plain = _plain(text)
    if not plain:
        return Evidence.NOTHING
    if is_stop(text):
        return Evidence.STOP
    return Evidence.BACKCHANNEL if _BACKCHANNEL.fullmatch(plain) else Evidence.WORDS


def is_stop(text: str) -> bool:
    """Whether the last sentence that says anything is a bare order to stop.

    "Stop.", "No, wait, wait.", "What is the capital of... Never mind, please."
    """
    sentences = [_plain(part) for part in re.split(r"[.!?]+", text)]
    saying = [plain for plain in sentences if plain and not _FILLING.fullmatch(plain)]
    return bool(saying) and _STOP.fullmatch(saying[-1]) is not None


def repeats(text: str, said: str) -> bool:
    """Whether what was heard are the last words we said: our own voice, come back as an echo.

    A recogniser gets some words of an echo wrong, and its edges are cut.
    """
    heard = _plain(text).split()
    ours = _plain(said).split()[-(len(heard) + WORDS_BACK) :]
    matcher = SequenceMatcher(None, heard, ours, autojunk=False)
    same = sum(block.size for block in matcher.get_matching_blocks())
    return bool(heard) and same >= REPEATED * len(heard)
