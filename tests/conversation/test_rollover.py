"""A conversation outgrows the model's window: what came first goes on as a summary."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from goassist_desktop.pipeline.errors import EngineFailed
from goassist_desktop.pipeline.events import ContextRolled
from goassist_desktop.pipeline.frames import Message
from goassist_desktop.pipeline.history import STATE
from goassist_desktop.pipeline.rollover import ROOM_TOKENS, SUMMARISE, WAIT_S
from goassist_desktop.pipeline.turn import Phrase
from tests.conversation.test_ladder import talk_with
from tests.fakes import virtual_time
from tests.fakes.stage import Conversation
from tests.fakes.tones import ScriptedModel

MAX_TOKENS, CONTEXT_TOKENS = 40, 600
SUMMARY = "they ask one thing after the other"


def answer(text: str) -> str:
    if text == SUMMARISE:
        return SUMMARY
    return f"you said {text} and that is a thing of which there is much to say"


class Summarising(ScriptedModel):
    """Takes its time over a summary, or can not make one, and keeps what it was asked to read."""

    def __init__(self) -> None:
        super().__init__(answer)
        self.summary_s = 0.02
        self.broken = False
        self.summaries: list[list[Message]] = []
        self.shortened: list[list[Message]] = []

    def reply(self, messages: Sequence[Message], **settings: Any) -> Iterator[str]:
        summary = is_summary(messages)
        if summary:
            self.summaries.append(list(messages))
        self.seconds["reply"] = self.summary_s if summary else 0.02
        if summary and self.broken:
            raise EngineFailed("no summary can be made")
        yield from super().reply(messages, **settings)

    def prefill(self, messages: Sequence[Message], *, shortened: bool = False) -> None:
        super().prefill(messages, shortened=shortened)
        if shortened:
            self.shortened.append(list(messages))

    @property
    def answered(self) -> list[list[Message]]:
        """The prompts of turns."""
        return [asked for asked in self.asked if not is_summary(asked)]


def is_summary(asked: Sequence[Message]) -> bool:
    return asked[-1].text.endswith(SUMMARISE)


def long_talk(folder: Path, model: Summarising) -> Conversation:
    return talk_with(
        folder, model=model, spares=[], max_tokens=MAX_TOKENS, context_tokens=CONTEXT_TOKENS
    )


def hold(talk: Conversation, questions: int, pause_s: float = 2.0) -> None:
    async def main() -> None:
        async with talk.held():
            for number in range(questions):
                await ask(talk, number)
                await talk.pass_time(pause_s)

    virtual_time.run(main())


async def ask(talk: Conversation, number: int) -> None:
    tens, ones = divmod(number, len(NUMBERS))
    await talk.say(f"tell me about thing number {NUMBERS[tens]} {NUMBERS[ones]}")
    await talk.until_quiet()


NUMBERS = (
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen twenty"
).split()


def rolled(talk: Conversation) -> list[ContextRolled]:
    return [event for event in talk.events if isinstance(event, ContextRolled)]


def test_what_came_first_goes_on_as_a_summary(tmp_path: Path) -> None:
    model = Summarising()
    talk = long_talk(tmp_path, model)
    hold(talk, 40)
    assert [turn.outcome for turn in talk.turns] == ["completed"] * 40
    assert len(rolled(talk)) >= 2
    for asked in model.answered:
        assert asked[0] == Message("system", "be brief")
        assert model.count_tokens(asked) <= CONTEXT_TOKENS - MAX_TOKENS
        assert asked[-1].text.endswith(asked[-1].text.rpartition(" ")[2])
    (first, *_) = rolled(talk)
    limit = CONTEXT_TOKENS - MAX_TOKENS
    assert limit - 2 * ROOM_TOKENS <= first.tokens <= limit - ROOM_TOKENS
    # What stays is what the model had read: the system prompt, and the newer half, unchanged.
    kept = model.shortened[0]
    before = next(asked for asked in model.asked if is_summary(asked))
    assert kept == [before[0], *before[1 + 2 * first.exchanges : -1]]
    assert len(kept) > 5
    # The next question carries the summary, once, and it is remembered with it.
    carrying = [asked for asked in model.answered if asked[-1].text.startswith("(")]
    state = STATE.format(summary=SUMMARY)
    assert len(carrying) == len(rolled(talk))
    assert carrying[0][-1].text.startswith(state)
    place = model.answered.index(carrying[0])
    assert carrying[0][-1] in model.answered[place + 1]
    # What was said is told to the user without it.
    assert not any("(" in turn.user_text for turn in talk.turns)


def test_a_summary_that_can_not_be_made_refuses_the_turn_and_loses_nothing(tmp_path: Path) -> None:
    model = Summarising()
    model.broken = True
    talk = long_talk(tmp_path, model)

    async def main() -> None:
        async with talk.held():
            number = 0
            while not talk.turns or talk.turns[-1].outcome == "completed":
                await ask(talk, number)
                number += 1
            await ask(talk, number)
            tried.extend(model.summaries)
            model.broken = False
            await ask(talk, number)

    tried: list[list[Message]] = []
    virtual_time.run(main())
    *completed, refused, again, healed = talk.turns
    assert {turn.outcome for turn in completed} == {"completed"}
    assert (refused.outcome, again.outcome, healed.outcome) == ("refused", "refused", "completed")
    assert refused.heard_text == str(Phrase.FULL)
    # All of the conversation was there to be summarised.
    assert [m.text for m in tried[-1] if m.role == "user"][:-1] == [t.user_text for t in completed]


def test_a_slow_summary_steps_aside_while_there_is_room(tmp_path: Path) -> None:
    model = Summarising()
    model.summary_s = 1.0
    talk = long_talk(tmp_path, model)

    async def main() -> None:
        async with talk.held():
            number = 0
            while not model.summaries:
                await ask(talk, number)
                await talk.pass_time(0.5)
                number += 1
            await ask(talk, number)

    virtual_time.run(main())
    *_, before, during = talk.turns
    assert during.outcome == "completed"
    gaps = [turn.intervals_ms["response_gap"] or 0.0 for turn in (before, during)]
    assert gaps[1] <= gaps[0] + 1000  # the step it is in


def test_where_no_room_is_left_the_turn_waits_five_seconds(tmp_path: Path) -> None:
    model = Summarising()
    model.summary_s = 2.0
    talk = long_talk(tmp_path, model)

    async def main() -> None:
        async with talk.held():
            number = 0
            while not talk.turns or talk.turns[-1].outcome == "completed":
                await ask(talk, number)
                number += 1
            await talk.pass_time(20)
            await ask(talk, number)

    virtual_time.run(main())
    *_, refused, after = talk.turns
    assert (refused.outcome, after.outcome) == ("refused", "completed")
    assert refused.reason == "the conversation fills the model's context, and no summary came"
    gap = refused.intervals_ms["response_gap"]
    assert gap is not None
    assert gap < WAIT_S * 1000 + 4000
