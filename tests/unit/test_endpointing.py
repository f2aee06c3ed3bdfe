"""How long a silence has to be before the user is taken to have finished."""

from __future__ import annotations

import pytest

from goassist_desktop.pipeline.endpointing import EndOfTurn
from goassist_desktop.pipeline.sentence_signs import signs

OPEN = (
    "I would like a",
    "Tell me about cats and",
    "Well, um",
    "It costs...",
    "So,",
    "Can you please?",
    "He wants to know.",
    "What is the difference between?",
    "You can pay by card or you",
    "Show me",
)
DONE = (
    "What is the capital of France?",
    "Tell me a story about a dog.",
    "Where are you from?",
    "What are you waiting for?",
    "Thank you.",
    "Set a timer for 10 minutes.",
)


@pytest.mark.parametrize("text", [*DONE, "What is it for?", "Tell me a story.", "Hello", ""])
def test_sentences_that_may_be_over(text: str) -> None:
    seen = signs(text)
    assert not (seen.trails or seen.dangles or seen.begins)


@pytest.mark.parametrize("text", [*OPEN, "My name is"])
def test_an_open_sentence_survives_a_pause_of_700_ms_whatever_the_melody(text: str) -> None:
    assert EndOfTurn().wait_ms(0.99, text) > 800


@pytest.mark.parametrize("text", DONE)
def test_a_finished_sentence_with_a_falling_melody_is_not_waited_for(text: str) -> None:
    assert EndOfTurn().wait_ms(0.97, text) == 200


@pytest.mark.parametrize("text", ["What is the capital of France?", "Is it far from here?"])
def test_a_whole_question_is_over_whatever_the_melody(text: str) -> None:
    policy = EndOfTurn()
    assert policy.plainly_over(text)
    assert policy.wait_ms(0.01, text) == policy.pause_ms


@pytest.mark.parametrize("text", [*OPEN, "I like it.", "What is the difference between?", "", "Hm"])
def test_other_words_need_the_melody(text: str) -> None:
    assert not EndOfTurn().plainly_over(text)


@pytest.mark.parametrize(
    ("text", "sign"),
    [
        ("It is made of wood, glass,", "trails"),
        ("tomorrow", "unended"),
        ("Is it far?", "asked"),
        ("Okay, so what?", "dangles"),
        ("The booking code is 7th 7th.", "dictates"),
        ("We could go to the beach or.", "dangles"),
        ("How far is it from?", "dangles"),
        ("Could you translate?", "dangles"),
        ("He forgot to lock.", "dangles"),
        ("Let me think.", "begins"),
        ("On the other hand,", "begins"),
        ("The man in the green coat.", "partial"),
        ("The woman who lives next door.", "partial"),
        ("How many different", "partial"),
        ("If it rains tomorrow.", "partial"),
        ("My phone number is 555-012.", "dictates"),
        ("Right down 881 624", "dictates"),
        ("It is spelled B-A-R.", "dictates"),
        ("I need apples, oranges.", "lists"),
        ("hum, let me see", "begins"),
        ("Okay, so", "begins"),
        ("The best way to learn a language.", "partial"),
        ("The last name is KOW.", "dictates"),
        ("Where is it?", "few"),
    ],
)
def test_signs(text: str, sign: str) -> None:
    assert getattr(signs(text), sign)


@pytest.mark.parametrize(
    ("text", "sign"),
    [
        ("What is it made of?", "dangles"),
        ("This is exactly what I was looking for.", "dangles"),
        ("I would like to know how deep the ocean is.", "dangles"),
        ("Really?", "dangles"),
        ("Can you swim?", "dangles"),
        ("Please take me to London.", "dangles"),
        ("Which one should I choose?", "dangles"),
        ("I am not so sure about that.", "dangles"),
        ("I think so.", "dangles"),
        ("Okay.", "begins"),
        ("Thank you.", "few"),
        ("His name is Peter.", "dictates"),
        ("If it rains tomorrow, we will stay at home.", "partial"),
        ("When was the telephone invented?", "partial"),
        ("The film was much longer than I expected.", "partial"),
        ("Set a timer for 10 minutes.", "dictates"),
        ("My number is 0171 555 0123", "dictates"),
        ("Say that again, please.", "lists"),
        ("Yes, tomorrow.", "lists"),
        ("I need apples, oranges and bread.", "lists"),
    ],
)
def test_what_only_looks_like_a_sign(text: str, sign: str) -> None:
    assert not getattr(signs(text), sign)


def test_only_the_last_sentence_counts() -> None:
    assert not signs("I would like to... Never mind.").trails
    assert signs("That is kind. What about the").dangles


def test_a_surer_detector_never_makes_the_wait_longer() -> None:
    policy = EndOfTurn()
    for text in (*OPEN, *DONE, "", "I always wanted to see Rome", "555"):
        waits = [policy.wait_ms(percent / 100, text) for percent in range(101)]
        assert waits == sorted(waits, reverse=True)
        assert policy.pause_ms <= waits[-1] <= waits[0] <= policy.open_ms


def test_a_slow_speaker_is_waited_for_longer_but_not_when_plainly_done() -> None:
    policy = EndOfTurn()
    unsure = "I always wanted to see the sea"
    before = policy.wait_ms(0.2, unsure)
    for _ in range(8):
        policy.note_pause(1200)
    assert policy.wait_ms(0.2, unsure) > max(before, 1200)
    assert policy.wait_ms(0.97, DONE[0]) == 200


def test_breath_does_not_hide_a_slow_pace() -> None:
    slow, breathing = EndOfTurn(), EndOfTurn()
    for _ in range(8):
        slow.note_pause(1200)
        breathing.note_pause(1200)
    for _ in range(20):
        breathing.note_pause(100)
    for text in OPEN:
        assert breathing.wait_ms(0.5, text) == slow.wait_ms(0.5, text)


def test_pauses_long_ago_tell_nothing_of_the_pace() -> None:
    fresh, policy = EndOfTurn(), EndOfTurn()
    for pause_ms in (*[1500] * 20, *[400] * 8):
        policy.note_pause(pause_ms)
    for text in OPEN:
        assert policy.wait_ms(0.5, text) == fresh.wait_ms(0.5, text)


def test_nobody_is_waited_for_longer_than_for_an_open_sentence() -> None:
    policy = EndOfTurn(open_ms=1500)
    for _ in range(8):
        policy.note_pause(9000)
    assert max(policy.wait_ms(0.01, text) for text in (*OPEN, *DONE)) == 1500


def test_settings_that_contradict_each_other_still_wait() -> None:
    policy = EndOfTurn(unsure_ms=3000, open_ms=500)
    assert policy.wait_ms(0.01, "I would like a") == 3000
