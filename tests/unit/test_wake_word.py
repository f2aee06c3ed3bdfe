"""Names as a recogniser spells them, and words that only look like them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goassist_desktop.pipeline.wake_word import meant_for


@pytest.mark.parametrize(
    ("name", "text", "meant"),
    [
        ("Mira", "Mira, what time is it?", "what time is it?"),
        ("Mira", "Hey Meera! What time is it?", "What time is it?"),
        ("Mira", "okay myra what's new", "what's new"),
        ("Mira", "MIRA.", ""),
        ("Mira", "Hey, Mira.", ""),
        ("Mira", "What time is it, Mira?", "What time is it"),
        ("Mira", "We were just leaving. Hey Mira!", ""),
        ("Mira", "She left. What time is it, Mira?", "What time is it"),
        ("GoAssist", "Go assist, tell me a story.", "tell me a story."),
        ("GoAssist", "go a cyst tell me a story", "tell me a story"),
        ("GoAssist", "Goasist?", ""),
        ("hey computer", "Hey, computer: lights on.", "lights on."),
        ("hey computer", "Hey Komputer. Lights on.", "Lights on."),
        ("Zoë", "zoe, good morning", "good morning"),
        ("Jonas", "Jonah's, good morning", "good morning"),
    ],
)
def test_a_name_is_known_however_it_is_spelt(name: str, text: str, meant: str) -> None:
    assert meant_for(name, text) == meant


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Mira", ""),
        ("Mira", "What time is it?"),
        ("Mira", "I looked into the mirror and saw my mother."),
        ("GoAssist", "Could you assist me? I would like to go."),
        ("hey computer", "My computer is broken."),
        ("Zoe", "So we go to the zoo."),
        ("Jonas", "Join us for dinner."),
    ],
)
def test_other_words_are_not_the_name(name: str, text: str) -> None:
    assert meant_for(name, text) is None


def test_nothing_is_no_name() -> None:
    with pytest.raises(ValueError, match="is no name"):
        meant_for(" ! ", "hello")


words = st.lists(st.sampled_from("what time is it please the weather".split()), max_size=6)


@given(name=st.from_regex(r"[A-Za-z]{4,12}", fullmatch=True), before=words, after=words)
def test_a_name_spelt_right_is_always_heard(name: str, before: list[str], after: list[str]) -> None:
    assert meant_for(name, " ".join([*before, name.upper(), *after])) is not None
