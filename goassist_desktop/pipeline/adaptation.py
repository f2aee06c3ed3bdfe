"""How the assistant adapts to how the conversation goes: rules, as data.

What a rule adds is told to the model beside the question, and never remembered.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

UNCLEAR: Final = 0.65
"""Confidence below which words are doubted. Of the test voices in noise of up to +6 dB, tiny.en
read 28 rightly, all above it, and 41 wrongly, 32 of them below."""
FEWEST_WORDS: Final = 3
"""Of single words it is never sure."""


class Sign(StrEnum):
    """What a turn showed."""

    INTERRUPTED = "interrupted"
    """The user spoke over the reply, and it was stopped."""
    UNCLEAR = "unclear"
    """The recogniser doubts its words."""


@dataclass(frozen=True, slots=True)
class Rule:
    """After a sign was seen `times` times in the last `turns` turns, of which the one to come
    counts as the last, the model is told more, and has less room."""

    sign: Sign
    times: int
    turns: int
    tell: str
    max_tokens: int | None = None


RULES: Final = (
    Rule(Sign.INTERRUPTED, 2, 5, "(Answer in one short, complete sentence.)", max_tokens=64),
    Rule(
        Sign.UNCLEAR,
        1,
        1,
        "(I may have been misheard. If this makes no sense, ask me in one short sentence what I "
        "meant.)",
    ),
)


@dataclass(frozen=True, slots=True)
class Adapted:
    """What the rules say of the next reply."""

    tell: str = ""
    max_tokens: int | None = None


class Adaptation:
    """Of one conversation."""

    def __init__(self, rules: Sequence[Rule] = RULES) -> None:
        self._rules = rules
        self._signs: deque[frozenset[Sign]] = deque(maxlen=max(rule.turns for rule in rules))

    def note(self, *, text: str, confidence: float, interrupted: bool) -> None:
        """What a turn that is over showed."""
        signs = _signs(text, confidence)
        self._signs.append(signs | {Sign.INTERRUPTED} if interrupted else signs)

    def to(self, text: str, confidence: float) -> Adapted:
        """For the reply to these words."""
        seen = [*self._signs, _signs(text, confidence)]
        rules = [rule for rule in self._rules if _applies(rule, seen)]
        room = [rule.max_tokens for rule in rules if rule.max_tokens is not None]
        return Adapted(" ".join(rule.tell for rule in rules), min(room, default=None))


def _signs(text: str, confidence: float) -> frozenset[Sign]:
    unclear = confidence < UNCLEAR and len(text.split()) >= FEWEST_WORDS
    return frozenset({Sign.UNCLEAR} if unclear else ())


def _applies(rule: Rule, seen: Sequence[frozenset[Sign]]) -> bool:
    return sum(rule.sign in signs for signs in seen[-rule.turns :]) >= rule.times
