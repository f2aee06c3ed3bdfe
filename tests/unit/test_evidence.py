from __future__ import annotations

import pytest

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
