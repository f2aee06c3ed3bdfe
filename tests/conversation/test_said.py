"""What the window shows of whole conversations, event by event as the session tells them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from goassist_desktop.pipeline.conversation import State
from goassist_desktop.pipeline.turn import Phrase
from goassist_desktop.ui.said import Said
from tests.fakes import virtual_time
from tests.fakes.stage import Conversation

Script = Callable[[Conversation], Awaitable[None]]


def story(text: str) -> str:
    return "once upon a time there was a lake and in it lived a fish who sang"


def held(talk: Conversation, script: Script) -> Said:
    """What is shown in the end; on the way no words stand there twice."""

    async def main() -> None:
        async with talk.held():
            await script(talk)
            await talk.until_quiet()

    virtual_time.run(main())
    said = Said()
    for event in talk.events:
        said.take(event)
        shown = [text for one in said.exchanges for text, _ in one.user_spans]
        assert len(shown) == len(set(shown)), (event, shown)
    assert not said.partial
    return said


def lines(said: Said) -> list[str]:
    return [exchange.as_text("It") for exchange in said.exchanges]


@pytest.mark.parametrize("state", [State.THINKING, State.SPEAKING])
def test_who_goes_on_is_shown_once(tmp_path: Path, state: State) -> None:
    talk = Conversation(tmp_path, lambda text: f"you said {text}")
    if state is State.THINKING:
        talk.model.seconds["reply"] = 1.0

    async def script(talk: Conversation) -> None:
        await talk.say("what is the weather")
        await talk.until_state(state)
        await talk.say("in paris")

    said = held(talk, script)
    assert len(talk.turns) == 2
    words = "what is the weather in paris"
    assert lines(said) == [f"You: {words}\nIt: you said {words}"]


def test_who_interrupts_is_shown_below_what_was_cut(tmp_path: Path) -> None:
    async def script(talk: Conversation) -> None:
        await talk.say("tell a story")
        await talk.until_state(State.SPEAKING)
        await talk.pass_time(1.0)
        await talk.say("something else please")

    first, second = held(Conversation(tmp_path, story), script).exchanges
    heard, unspoken = first.reply_spans
    assert heard[0] + unspoken[0] == story("")
    assert (heard[1], unspoken[1]) == ("heard", "unspoken")
    assert second.reply_spans == [(story(""), "heard")]


def test_a_backchannel_leaves_no_trace(tmp_path: Path) -> None:
    async def script(talk: Conversation) -> None:
        await talk.say("tell a story")
        await talk.until_state(State.SPEAKING)
        await talk.pass_time(1.0)
        await talk.say("mm-hm")

    said = held(Conversation(tmp_path, story), script)
    assert lines(said) == [f"You: tell a story\nIt: {story('')}"]


def test_of_a_reply_that_failed_what_was_heard_is_shown(tmp_path: Path) -> None:
    talk = Conversation(tmp_path, story)
    talk.model.fail_after = 10

    async def script(talk: Conversation) -> None:
        await talk.say("hello there")

    (exchange,) = held(talk, script).exchanges
    ((heard, style),) = exchange.reply_spans
    assert heard.endswith(str(Phrase.FAILED))
    assert style == "heard"
    assert exchange.figures.endswith("something went wrong")


def test_the_stop_button(tmp_path: Path) -> None:
    async def script(talk: Conversation) -> None:
        await talk.say("tell a story")
        await talk.until_state(State.SPEAKING)
        await talk.pass_time(1.0)
        talk.session.stop_talking()

    (exchange,) = held(Conversation(tmp_path, story), script).exchanges
    assert exchange.figures.endswith("stopped")
