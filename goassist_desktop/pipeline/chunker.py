"""Pieces of text, as the language model makes them, into clauses to speak.

The first clause is cut early, because the user waits for it; each next one may be longer, because
longer ones sound better and there is time while the one before is played.
"""

from __future__ import annotations

import re

WORDS = (3, 7, 18, 37)
"""The first, second, … clause has at most this many words, and SLACK_WORDS more where they sound
better. Speech is made of the next while the one before is played, by a language model that is at
least three times as fast as the voice talks."""
SLACK_WORDS = 3
FEWEST_WORDS = 4
"""After the first clause fewer words are not worth one of their own, short of a sentence end."""
MOST_WORDS = WORDS[-1] + SLACK_WORDS

OPENERS = "\"'“\u2018«([{*_`"
CLOSERS = "\"'”’»)]}*_`"
ABBREVIATIONS = frozenset(
    """adm approx apt ave blvd capt cf co col corp dept dr ed eg e.g est etc fig gen gov hon ie i.e
    inc jr lt ltd max messrs min mr mrs ms mt no nos op p pp prof rep rev sen sgt sr st univ vol
    vs""".split()
)
"""Lower case, without the last dot."""
INITIALS = re.compile(r"(?:[^\W\d_]\.)+")
LIST_NUMBER = re.compile(r"\(?\d{1,3}[.)]")

BREAK_BEFORE = frozenset(
    """about after although and as at because before between but by during for from if in into nor
    of on or since so than that though through to under until when where whereas which while who
    with""".split()
)
"""Words that begin a phrase: a cut before one of them is the least audible."""
NEVER_LAST = BREAK_BEFORE | frozenset(
    """a an the this these those my your his her its our their no not very more most some any each
    every is are was were be been am will would can could should may might must shall do does did
    has have had such there i we they he she it you one two three four five six seven eight nine
    ten eleven twelve twenty thirty forty fifty hundred thousand million billion""".split()
)
"""Words that lean on the next one."""
LEANING = re.compile(r".+(?:ful|ous|ive|able|ible|less|est|[^i]ly)")
"""So do adjectives and adverbs that end like this, nearly always; "best" too, but not "family"."""


class Chunker:
    """Clauses of one reply.

    Joined, the clauses are exactly the pieces joined. They depend on the text alone, never on how
    it was split into pieces: a cut is decided by the character that begins the next word, and only
    from what is before it. So a clause comes out with that character, and the last in `finish`.
    """

    def __init__(self) -> None:
        self._given = 0
        self._text = ""

    def push(self, piece: str) -> list[str]:
        """Clauses that `piece` completes, white space after a clause included."""
        clauses = []
        for char in piece:
            if self._text and self._text[-1].isspace() and not char.isspace():
                cut = self._cut(char)
                if cut:
                    clauses.append(self._text[:cut])
                    self._text = self._text[cut:]
                    self._given += 1
            self._text += char
        return clauses

    def drop_partial_word(self) -> int:
        """Forget the letters of a word that may go on; how many they were. No clause holds them."""
        before = len(self._text)
        self._text = re.sub(r"\S+\Z", "", self._text)
        return before - len(self._text)

    def finish(self) -> list[str]:
        """What is left, if anything; without a word in it only where the whole reply has none
        or ends in symbols. The chunker is then ready for another reply."""
        rest, self._text, self._given = self._text, "", 0
        return [rest] if rest else []

    def _cut(self, following: str) -> int:
        """Characters to cut off now that a word begins with `following`; 0 for none."""
        words = [word for word in re.finditer(r"\S+", self._text) if _is_word(word.group())]
        if not words:
            return 0
        count, first = len(words), not self._given
        if self._ends_sentence(following):
            return len(self._text)
        if _ends_clause(self._text, following) and count >= (2 if first else FEWEST_WORDS):
            return len(self._text)
        if following == "(" and count >= FEWEST_WORDS:
            return len(self._text)
        if first and following.isdigit() and count >= FEWEST_WORDS and _halts(words[-1].group()):
            return len(self._text)
        most = WORDS[min(self._given, len(WORDS) - 1)]
        if count < most:
            return 0
        cut = self._latest(words, following, patient=count < most + SLACK_WORDS)
        return cut or (len(self._text) if count >= MOST_WORDS else 0)

    def _ends_sentence(self, following: str) -> bool:
        text = self._text.rstrip()
        if "\n" in self._text[len(text) :]:
            return True
        word = text.rsplit(None, 1)[-1]
        mark = word.rstrip(CLOSERS)
        if not mark.endswith((".", "!", "?")) or mark.endswith("..") or following.islower():
            return False
        if not mark.endswith("."):
            return True
        if LIST_NUMBER.fullmatch(word):
            return len(text) > len(word)
        bare = mark.lstrip(OPENERS).removesuffix(".").lower()
        if bare in ("no", "nos") and not following.isdigit():
            return True
        return bare not in ABBREVIATIONS and not INITIALS.fullmatch(bare + ".")

    def _natural(self, words: list[re.Match[str]], fewest: int) -> int:
        """The last cut in front of a phrase that leaves at least `fewest` words, 0 for none."""
        for count in range(len(words) - 1, fewest - 1, -1):
            start = words[count].start()
            if (
                _core(words[count].group()) in BREAK_BEFORE
                and not _leans(words[count - 1].group())
                and _joins(self._text, start)
            ):
                return start
        return 0

    def _latest(self, words: list[re.Match[str]], following: str, patient: bool) -> int:
        """Where to cut words that are too many: in front of a phrase, else after the last word
        that does not lean on its next. If that is nowhere, 0 while `patient`, then between any
        two plain words."""
        fewest = FEWEST_WORDS if self._given else WORDS[0]
        natural = self._natural(words, fewest)
        if natural:
            return natural
        ends = [word.start() for word in words[1:]] + [len(self._text)]
        plain = [
            (word, cut)
            for word, cut in zip(words[fewest - 1 :], ends[fewest - 1 :], strict=True)
            if _joins(self._text, cut, following)
        ]
        firm = [cut for word, cut in plain if not _leans(word.group())]
        if firm:
            return firm[-1]
        return plain[-1][1] if plain and not patient else 0


def _ends_clause(text: str, following: str) -> bool:
    word = text.rsplit(None, 1)[-1]
    mark = word.rstrip(CLOSERS)
    if mark[-2:-1].isdigit() and following.isdigit():
        return False  # "May 5, 2024"
    if mark in ("-", "–", "—"):
        before = text.rstrip().removesuffix(word).rstrip()
        return before[-1:].isalpha()
    return mark.endswith((",", ";", ":", "…", "...", "—")) and _core(mark) not in ABBREVIATIONS


def _joins(text: str, cut: int, following: str = "") -> bool:
    """Whether the cut is between two plain words, not in a name, beside a number or symbol."""
    before, after = text[:cut].rstrip(), text[cut : cut + 1] or following
    if before.rsplit(None, 1)[-1][:1].isupper() and after.isupper():
        return False
    return before[-1:].isalpha() and after.isalpha()


def _halts(word: str) -> bool:
    """Whether one may take a breath behind it to say a number."""
    return word.isalpha() and word.islower() and _core(word) not in BREAK_BEFORE


def _leans(word: str) -> bool:
    core = _core(word)
    return core in NEVER_LAST or LEANING.fullmatch(core) is not None


def _is_word(text: str) -> bool:
    return any(char.isalnum() for char in text)


def _core(word: str) -> str:
    return word.strip(OPENERS + CLOSERS + ".,;:!?").lower()
