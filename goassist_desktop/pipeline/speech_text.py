"""What the language model wrote, as it is to be said: the only path to synthesis.

Markup, emoji and control characters go, white space is folded, numbers, units and symbols become
words and keep their meaning. Each written word keeps its reading beside it, so that what was heard
can be told in the words that were written.
"""

# ruff: noqa: RUF001  (look-alike characters are what this is about)
from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

from goassist_desktop.pipeline import number_words

MAX_CHARACTERS = 4096


@dataclass(frozen=True, slots=True)
class Token:
    """A written word, as between white space, and how it is said: "" for not at all."""

    written: str
    spoken: str


def speakable(text: str) -> tuple[Token, ...]:
    """The words of `text` in order, `written` being a prefix of `text.split()`.

    Joined by spaces, the readings that are not empty are what is synthesised: at most
    MAX_CHARACTERS, without digits, markup or control characters. The words for which there is no
    room any more are left out, and never count as heard.
    """
    found = list(takewhile(lambda word: word.end() <= MAX_CHARACTERS, re.finditer(r"\S+", text)))
    plain = []
    end = 0
    for word in found:
        starts_line = not end or "\n" in text[end : word.start()]
        plain.append(_plain(word.group(), starts_line))
        end = word.end()
    tokens = []
    room = MAX_CHARACTERS
    for word, spoken in zip(found, _readings(plain), strict=True):
        room -= len(spoken) + bool(spoken)
        if room < -1:
            break
        tokens.append(Token(word.group(), spoken))
    return tuple(tokens)


def heard_written(text: str, tokens: Sequence[Token], spoken_words_heard: int) -> str:
    """The beginning of `text` of which every spoken word was heard.

    `tokens` are those of `speakable(text)`; `spoken_words_heard` counts the words of the joined
    readings. A written word counts when all its spoken words were heard; unspoken ones (markup,
    emoji) count with the next that does, or when nothing is left to say.
    """
    left = spoken_words_heard
    heard = 0
    for number, token in enumerate(tokens, 1):
        words = len(token.spoken.split())
        if words > left:
            break
        left -= words
        if words:
            heard = number
    if spoken_words_heard > 0 and not any(token.spoken for token in tokens[heard:]):
        heard = len(tokens)
    if not heard:
        return ""
    ends = [match.end() for match in re.finditer(r"\S+", text)]
    return text if heard == len(ends) else text[: ends[heard - 1]]


# --- one word ------------------------------------------------------------------------------------

_LINE_MARK = re.compile(r"#{1,6}|>+|[-*+•‣◦–—]|\[[ xX]?\]")
_RULE = re.compile(r"[-=_*|:+~`]{2,}|\|+")
_TAG = re.compile(
    r"</?(?:a|b|br|code|del|div|em|h[1-6]|hr|i|li|ol|p|pre|s|span|strong|sub|sup|table|td|th|tr|u"
    r"|ul)\s*/?>",
    re.IGNORECASE,
)
_LINK = re.compile(r"\]\([^)\s]*\)?")
_FOOTNOTE = re.compile(r"\[\^?\d+\]")
_FENCE = re.compile(r"(?:```|~~~)\w*")
_SUPERSCRIPT = re.compile("[⁻⁰¹²³⁴-⁹]+")
_QUOTES = str.maketrans({"’": "'", "\u2018": "'", "“": '"', "”": '"', "™": "", "®": "", "©": ""})
_VULGAR = re.compile(r"(\d)?([¼-¾⅐-⅞])")
_OPENING = "\"'([{«"
_CLOSING = "\"')]}»"
_PAUSES = ".,;:!?"


def _plain(word: str, starts_line: bool) -> str:
    """The word without markup, control characters and pictures; "—" stands for a pause."""
    if starts_line and _LINE_MARK.fullmatch(word):
        return ""
    if _RULE.fullmatch(word) and word not in ("--", "==", "++"):
        return "—" if "|" in word and "-" not in word else ""
    word = _VULGAR.sub(r"\1 \2" if word[:1].isdecimal() else r"\2", word).translate(_QUOTES)
    word = _SUPERSCRIPT.sub(lambda power: "^" + power.group().replace("⁻", "-"), word)
    word = unicodedata.normalize("NFKC", word).replace("⁄", "/")
    word = "".join(char for char in word if _printable(char))
    word = re.sub(r"&#?\w+;", lambda match: html.unescape(match.group()), word)
    word = _FENCE.sub("", _TAG.sub("", word))
    word = _FOOTNOTE.sub("", _LINK.sub("", word.replace("![", "[")))
    word = re.sub(r"(?<=\d)\*\*(?=\d)", "^", word).replace("**", "").replace("~~", "")
    if "://" not in word and "@" not in word:
        word = word.replace("__", "").replace("_", " ")
    if len(word) > 1:
        word = re.sub(r"(?<!\w)\*+|\*+(?!\w)", "", word)
    word = word.replace("`", "").replace("\\", "")
    return " ".join(word.replace("|", " ").split())


def _printable(char: str) -> bool:
    category = unicodedata.category(char)
    return category[0] in "LNPZ" or category in ("Mn", "Mc", "Sm", "Sc") or char in "°^`"


# --- all words -----------------------------------------------------------------------------------


def _readings(words: Sequence[str]) -> list[str]:
    """What is said for each word, with the punctuation that makes the voice pause."""
    parts = [_split(word) for word in words]
    spoken: list[str] = []
    closed = False
    for (opening, core, closing), reading in zip(
        parts, number_words.read([core for _, core, _ in parts]), strict=True
    ):
        said = _sayable(reading)
        alone = opening + core + closing
        if said:
            if closed or "(" in opening:
                _pause(spoken, ",")
            closed = ")" in closing
            mark = next((mark for mark in closing if mark in _PAUSES), "")
            said += "," if ".." in closing else mark  # an ellipsis hesitates, it ends nothing
        elif alone and not alone.strip(_PAUSES + "-–—"):
            _pause(spoken, alone[0] if alone[0] in _PAUSES else ",")
        spoken.append(said)
    if parts and parts[-1][1].endswith("."):
        _pause(spoken, ".")  # an abbreviation ends the sentence
    return spoken


def _split(word: str) -> tuple[str, str, str]:
    """Opening marks, the word itself, closing marks."""
    core = word.lstrip(_OPENING)
    if re.match(r"'\d0s", word):
        core = word
    opening = word[: len(word) - len(core)]
    if re.match(r"\(\d{3}\)", word):
        opening, core = "", word  # an area code
    core = core.rstrip(_CLOSING + _PAUSES)
    closing = word[len(opening) + len(core) :]
    if closing.startswith(".") and _abbreviates(core):
        core, closing = core + ".", closing[1:]
    return opening, core, closing


def _abbreviates(core: str) -> bool:
    dotted = core.lower() + "."
    return (
        dotted in number_words.FIXED
        or dotted in ("no.", "nos.")
        or core in number_words.SHORT_MONTHS
        or bool(re.fullmatch(r"(?:[^\W\d_]\.)*[^\W\d_]", core) and len(core) != 1)
    )


def _pause(spoken: list[str], mark: str) -> None:
    """Attach a mark to the last word that is said, unless it has one."""
    for index in range(len(spoken) - 1, -1, -1):
        if spoken[index]:
            if spoken[index][-1] not in _PAUSES:
                spoken[index] += mark
            return


def _sayable(reading: str) -> str:
    """Letters, and what belongs to a word or makes a pause in it; "" when no letter is left."""
    kept = "".join(
        char if unicodedata.category(char)[0] in "LM" or char in " '-.," else " "
        for char in reading.replace("—", ", ").replace("–", "-")
    )
    words = [word.strip("-'") for word in kept.split()]
    words = [word for word in words if any(char.isalpha() for char in word)]
    return " ".join(words)
