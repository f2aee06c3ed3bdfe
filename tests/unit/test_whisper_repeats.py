"""A decoder gone round in circles, seen in its tokens."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from goassist_desktop.pipeline.engines.inventions import spoken_words
from goassist_desktop.pipeline.engines.whisper import (
    MAX_PERIOD,
    REPEATS,
    _repeats,
    _without_repeats,
)

UNLIKE = st.lists(st.integers(0, 500), max_size=30, unique=True)


@given(before=UNLIKE, circle=st.lists(st.integers(501, 900), min_size=1, max_size=MAX_PERIOD))
def test_a_circle_is_found_and_said_once(before: list[int], circle: list[int]) -> None:
    kept = _without_repeats(before + circle * REPEATS + circle[:1])
    assert kept[: len(before)] == before
    # A circle may itself be made of a shorter one, which is then what is said once.
    assert kept == before + circle[: len(kept) - len(before)]
    assert len(kept) > len(before)


@given(UNLIKE)
def test_what_does_not_repeat_is_left_alone(tokens: list[int]) -> None:
    assert _repeats(tokens) is None
    assert _without_repeats(tokens) == tokens


def test_three_times_is_emphasis() -> None:
    assert _repeats([7, 8] * 3) is None
    assert _repeats([1, 2, *[7, 8] * 4, 3]) == (2, 2)


def test_the_sounds_that_subtitles_describe_are_not_words() -> None:
    for text in ("(coughing)", "[BLANK_AUDIO]", "*sighs*", "♪♪", ".", " . . . ", ""):
        assert spoken_words(text, no_speech=0, confidence=1) == ""
    assert spoken_words("Well [laughs] yes.", no_speech=0, confidence=1) == "Well yes."


def test_thanks_count_when_the_model_heard_speech() -> None:
    assert spoken_words(" Thank you.", no_speech=0.4, confidence=0.75) == "Thank you."
    assert spoken_words(" Thank you.", no_speech=0.9, confidence=0.4) == ""
    assert spoken_words("Thanks for watching!", no_speech=0.6, confidence=0.7) == ""
    assert spoken_words("Who are you?", no_speech=0.65, confidence=0.8) == "Who are you?"
