"""Questions and answers in writing, beside those that are spoken."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from pathlib import Path

import pytest

from goassist_desktop.pipeline.conversation import State
from goassist_desktop.pipeline.errors import EngineFailed
from tests.conversation.test_requests import LONG, echo, story_or_echo, told
from tests.fakes import virtual_time
from tests.fakes.stage import Conversation


async def read(talk: Conversation, text: str) -> str:
    async with aclosing(talk.session.chat(text)) as pieces:
        return "".join([piece async for piece in pieces])


def test_a_written_answer_is_read_and_remembered_and_not_heard(tmp_path: Path) -> None:
    talk = Conversation(tmp_path, echo)
    answers = []

    async def main() -> None:
        async with talk.held():
            answers.append(await read(talk, "what time is noon"))
            answers.append(await read(talk, "and midnight"))
            await talk.until_quiet()

    virtual_time.run(main())
    assert [answer.strip() for answer in answers] == [
        "you said what time is noon",
        "you said and midnight",
    ]
    assert talk.heard() == ""
    assert told(talk) == [
        ("user", "what time is noon"),
        ("assistant", "you said what time is noon"),
        ("user", "and midnight"),
    ]
    assert [turn.outcome for turn in talk.turns] == ["completed", "completed"]
    assert talk.states[-2:] == ["listening", "idle"]


def test_it_ends_a_spoken_reply(tmp_path: Path) -> None:
    talk = Conversation(tmp_path, story_or_echo)
    answers = []

    async def main() -> None:
        async with talk.held():
            talk.session.say("tell a story")
            await talk.until_state(State.SPEAKING)
            await talk.pass_time(1.0)
            answers.append(await read(talk, "what time is noon"))

    virtual_time.run(main())
    assert answers[0].strip().endswith("what time is noon")
    story, answer = talk.turns
    assert (story.outcome, answer.outcome) == ("interrupted", "completed")
    assert len(story.heard_text) < len(LONG)


def test_who_speaks_ends_it(tmp_path: Path) -> None:
    talk = Conversation(tmp_path, story_or_echo)
    read_so_far: list[str] = []

    async def main() -> None:
        async with talk.held():
            talk.model.seconds["reply"] = 0.2
            reading = asyncio.ensure_future(read(talk, "tell a story"))
            await talk.until_state(State.THINKING)
            await talk.say("what time is noon")
            await talk.until_quiet()
            read_so_far.append(await reading)

    virtual_time.run(main())
    assert read_so_far[0] != LONG
    assert talk.turns[0].outcome == "interrupted"
    assert talk.turns[0].heard_text == read_so_far[0].strip()
    assert talk.heard().endswith("what time is noon")


def test_who_reads_no_more_ends_it(tmp_path: Path) -> None:
    talk = Conversation(tmp_path, story_or_echo)

    async def main() -> None:
        async with talk.held():
            async with aclosing(talk.session.chat("tell a story")) as pieces:
                first = await anext(pieces)
            await talk.until_quiet()
            assert first and talk.session.state is State.LISTENING

    virtual_time.run(main())
    (turn,) = talk.turns
    assert turn.outcome == "interrupted"
    assert len(turn.heard_text) < len(LONG)


def test_who_waits_for_an_answer_is_told_when_the_session_ends(tmp_path: Path) -> None:
    talk = Conversation(tmp_path, story_or_echo)
    answers = []

    async def main() -> None:
        async with talk.held():
            reading = asyncio.ensure_future(read(talk, "tell a story"))
            await talk.until_state(State.THINKING)
        answers.append(await asyncio.wait_for(reading, 5))

    virtual_time.run(main())
    assert len(answers[0]) < len(LONG)


def test_there_is_an_error_where_there_is_no_answer(tmp_path: Path) -> None:
    def broken(text: str) -> str:
        raise EngineFailed("the model is gone")

    talk = Conversation(tmp_path, broken)

    async def main() -> None:
        async with talk.held():
            with pytest.raises(EngineFailed, match="the model is gone"):
                await read(talk, "what time is noon")
            await talk.until_quiet()

    virtual_time.run(main())


@pytest.mark.parametrize("limit", [3, None, 10_000])
def test_replies_can_be_made_shorter(tmp_path: Path, limit: int | None) -> None:
    talk = Conversation(tmp_path, story_or_echo)
    answers = []

    async def main() -> None:
        async with talk.held():
            talk.session.limit_reply(limit)
            answers.append(await read(talk, "tell a story"))

    virtual_time.run(main())
    assert len(answers[0].split()) == (3 if limit == 3 else len(LONG.split()))
