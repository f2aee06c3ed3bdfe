from __future__ import annotations

import pytest

from goassist_desktop.pipeline.endpointing import EndOfTurn, plainly_open
from goassist_desktop.pipeline.evidence import Evidence, is_stop, weigh


@pytest.mark.parametrize(
    ("text", "evidence"),
    [
        ("", Evidence.NOTHING),
        (" ... ", Evidence.NOTHING),
        ("Mm-hmm.", Evidence.BACKCHANNEL),
        ("Yeah, okay.", Evidence.BACKCHANNEL),
        ("Uh-huh. I see.", Evidence.BACKCHANNEL),
        ("Stop.", Evidence.STOP),
        ("Stop! Stop!", Evidence.STOP),
        ("Okay, stop.", Evidence.STOP),
        ("Hold on.", Evidence.STOP),
        ("That's enough.", Evidence.STOP),
        ("No, wait.", Evidence.STOP),
        ("Okay, hold on.", Evidence.STOP),
        ("Hey, stop!", Evidence.STOP),
        ("Please be quiet.", Evidence.STOP),
        ("Okay, that's enough.", Evidence.STOP),
        ("Okay, that’s enough now.", Evidence.STOP),
        ("Stop it, stop it.", Evidence.STOP),
        ("Just stop.", Evidence.STOP),
        ("Stop now.", Evidence.STOP),
        ("Hold on, please.", Evidence.STOP),
        ("Just a moment.", Evidence.STOP),
        ("No, no, no. Stop. Please!", Evidence.STOP),
        ("Wait... wait -", Evidence.STOP),
        ("Okay.", Evidence.BACKCHANNEL),
        ("I see, okay.", Evidence.BACKCHANNEL),
        ("I see a dog.", Evidence.WORDS),
        ("Okay, now what?", Evidence.WORDS),
        ("Don't stop.", Evidence.WORDS),
        ("A moment.", Evidence.WORDS),
        ("Yeah, but what about dogs?", Evidence.WORDS),
        ("Stop the music in the kitchen.", Evidence.WORDS),
        ("No.", Evidence.WORDS),
        ("Wait, what is that?", Evidence.WORDS),
    ],
)
def test_weigh(text: str, evidence: Evidence) -> None:
    assert weigh(text) is evidence


def test_a_question_that_ends_in_a_stop_is_called_off() -> None:
    assert is_stop("What is the weather in Paris? Stop.")
    assert is_stop("What is the capital of... Never mind.")
    assert not is_stop("When does the bus stop?")


@pytest.mark.parametrize(
    "text",
    ["I would like a", "Tell me about cats and", "Well, um", "It costs...", "My name is", "So,"],
)
def test_open_sentences(text: str) -> None:
    assert plainly_open(text)


@pytest.mark.parametrize(
    "text", ["What is it for?", "Tell me a story.", "Hello", "Where are you from?", ""]
)
def test_sentences_that_may_be_over(text: str) -> None:
    assert not plainly_open(text)


def test_each_kind_of_ending_has_its_silence() -> None:
    policy = EndOfTurn(pause_ms=200, sure=0.5, unsure_ms=1000, open_ms=1800)
    assert not policy.finished(199, 0.99, "Tell me a story.")
    assert policy.finished(200, 0.99, "Tell me a story.")
    assert not policy.finished(999, 0.1, "Tell me a story.")
    assert policy.finished(1000, 0.1, "Tell me a story.")
    assert not policy.finished(1799, 0.99, "Tell me a story about a")
    assert policy.finished(1800, 0.99, "Tell me a story about a")
