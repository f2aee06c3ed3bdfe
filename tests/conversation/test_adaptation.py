"""The assistant adapts to how the conversation goes, by rules that are data."""

from __future__ import annotations

from pathlib import Path

import pytest

from goassist_desktop.pipeline.adaptation import RULES, UNCLEAR, Adaptation, Adapted, Sign
from goassist_desktop.pipeline.conversation import State
from goassist_desktop.pipeline.frames import Samples, Transcript
from tests.conversation.test_ladder import talk_with
from tests.fakes import virtual_time
from tests.fakes.stage import Conversation
from tests.fakes.tones import ToneRecogniser

INTERRUPTED, UNCLEAR_RULE = RULES
STORY = " ".join(["once upon a time there was a ship"] * 12)


def after(*turns: bool, text: str = "what is it", confidence: float = 1.0) -> Adapted:
    """What is adapted after turns that were interrupted, or not."""
    adaptation = Adaptation()
    for interrupted in turns:
        adaptation.note(text="tell me more", confidence=1.0, interrupted=interrupted)
    return adaptation.to(text, confidence)


def test_usually_nothing_is_said() -> None:
    assert after() == after(True) == after(False, False) == Adapted()


@pytest.mark.parametrize(
    "turns", [(True, True), (True, False, True), (True, False, False, True), (True, True, True)]
)
def test_after_two_interruptions_answers_are_short(turns: tuple[bool, ...]) -> None:
    assert after(*turns) == Adapted(INTERRUPTED.tell, INTERRUPTED.max_tokens)


def test_and_after_a_while_as_long_as_before() -> None:
    assert after(True, True, False, False, False) == Adapted()
    assert after(True, False, False, False, True) == Adapted()


def test_words_in_doubt_are_asked_about() -> None:
    assert after(confidence=UNCLEAR - 0.01) == Adapted(UNCLEAR_RULE.tell)
    assert after(confidence=UNCLEAR) == Adapted()
    assert after(text="stop it", confidence=0.1) == Adapted()


def test_rules_add_up() -> None:
    adapted = after(True, True, confidence=0.1)
    assert adapted == Adapted(f"{INTERRUPTED.tell} {UNCLEAR_RULE.tell}", INTERRUPTED.max_tokens)


def test_every_sign_has_a_rule() -> None:
    assert {rule.sign for rule in RULES} == set(Sign)


class Doubting(ToneRecogniser):
    def transcribe(self, audio: Samples) -> Transcript:
        return Transcript(super().transcribe(audio).text, confidence=0.3)


def test_it_asks_the_model_beside_the_question_and_remembers_only_that(tmp_path: Path) -> None:
    talk = talk_with(tmp_path, recogniser=Doubting(), spares=[])

    async def main() -> None:
        async with talk.held():
            await talk.say("one two three")
            await talk.until_quiet()
            await talk.say("four five six")
            await talk.until_quiet()

    virtual_time.run(main())
    first, second = talk.model.asked[0], talk.model.asked[-1]
    assert first[-1].text == f"one two three {UNCLEAR_RULE.tell}"
    assert [message.text for message in second if message.role == "user"] == [
        "one two three",
        f"four five six {UNCLEAR_RULE.tell}",
    ]
    assert talk.turns[0].user_text == "one two three"


def test_who_interrupts_twice_gets_short_answers(tmp_path: Path) -> None:
    talk = Conversation(tmp_path, lambda text: STORY)

    async def main() -> None:
        async with talk.held():
            for question in ("tell me a story", "another story please", "and one more story"):
                await talk.say(question)
                await talk.until_state(State.SPEAKING)
                await talk.pass_time(2.0)
            await talk.until_quiet()

    virtual_time.run(main())
    assert [turn.outcome for turn in talk.turns] == ["interrupted", "interrupted", "completed"]
    assert len(talk.turns[-1].reply_text.split()) == INTERRUPTED.max_tokens
    assert talk.model.asked[-1][-1].text == f"and one more story {INTERRUPTED.tell}"
