"""Whether we were called by our name, and what for. Pure functions on text.

A recogniser has never seen most names, and spells them as it pleases: "Meera" for Mira, "Go a cyst"
for GoAssist. So names are compared by how they sound, roughly: case, accents, punctuation and the
spaces inside them count for nothing, spellings of one sound are one, and of all but the first a
letter or two may differ.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

HAILS: Final = frozenset("hey hi hello ok okay oh so and".split())
"""Before a name these ask for nothing."""
MORE_WORDS: Final = 2
"""So many more words than it has may stand for a name."""

_SOUNDS: Final = (
    ("ph", "f"), ("ck|q", "k"), ("ee|ea|ie|ei|ey|y", "i"), ("oo|ou", "u"), ("c(?=[ei])", "s"),
    ("c", "k"), ("z", "s"), ("(?<=[aeiou])h", ""), (r"(.)\1+", r"\1"),
)  # fmt: skip
"""Spellings of English, and what they have in common."""
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_SENTENCE_END = re.compile(r"[.!?]+")


def meant_for(name: str, text: str) -> str | None:
    """What is said to whom this is the name of: the words after it, or, where it is the last word,
    those before it in its sentence. Empty: the name alone. None: it is not in the text.

    Raises ValueError for a name without a letter.
    """
    wanted = _sound(name)
    if not wanted:
        raise ValueError(f"{name!r} is no name")
    words = list(_WORD.finditer(text))
    longest = len(_WORD.findall(name)) + MORE_WORDS
    found: tuple[int, int, int] | None = None
    for first in range(len(words)):
        for last in range(first, min(first + longest, len(words))):
            sound = _sound(text[words[first].start() : words[last].end()])
            unlike = _distance(sound, wanted, _allowed(wanted))
            if unlike is not None and (found is None or unlike < found[0]):
                found = unlike, first, last
    if found is None:
        return None
    _, first, last = found
    if last + 1 < len(words):
        return text[words[last + 1].start() :].strip()
    before = _SENTENCE_END.split(text[: words[first].start()])[-1].strip(" ,;:-")
    if all(word.casefold() in HAILS for word in _WORD.findall(before)):
        return ""
    return before


class Sleeper:
    """Asleep, we are meant only by what wakes us."""

    def __init__(self) -> None:
        self.asleep = False
        self._name = ""  # to be said, or just said and not answered yet

    def fall_asleep(self, name: str) -> None:
        """Until this is said; empty: until anything is."""
        self.asleep = True
        self._name = name

    def wake(self) -> bool:
        """Whether we were asleep."""
        asleep, self.asleep = self.asleep, False
        return asleep

    def answered(self) -> None:
        """Who called us has an answer: the name is a word as any other again."""
        if not self.asleep:
            self._name = ""

    def meant_for_us(self, text: str) -> str | None:
        """What there is to answer in what was heard; None: asleep, it is not for us."""
        words = meant_for(self._name, text) if self._name else text or None
        return text if words is None and not self.asleep else words


def _sound(text: str) -> str:
    """The letters of a text, one for each sound."""
    letters = "".join(
        char for char in unicodedata.normalize("NFKD", text).casefold() if char.isalnum()
    )
    for spelling, sound in _SOUNDS:
        letters = re.sub(spelling, sound, letters)
    return letters


def _allowed(sound: str) -> int:
    """Letters that may differ: more would wake for every third word."""
    return 0 if len(sound) < 4 else 1 if len(sound) < 8 else 2


def _distance(one: str, other: str, most: int) -> int | None:
    """Letters to change, add or leave out; None for more than `most`, and for another beginning."""
    if one[:1] != other[:1] or abs(len(one) - len(other)) > most:
        return None
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, start=1):
        above, row = row, [i]
        for j, b in enumerate(other, start=1):
            row.append(min(above[j] + 1, row[j - 1] + 1, above[j - 1] + (a != b)))
    return row[-1] if row[-1] <= most else None
