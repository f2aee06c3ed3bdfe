"""What reaches a microphone on bad days: real models and a real session, on virtual time.

Where a person would understand the words, they are understood and answered; where not, there is one
question back at most. And whatever was heard, the next clear question gets its answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

import psutil
import pytest

from goassist_desktop.app import loaded_engines
from goassist_desktop.config import Config, load
from goassist_desktop.conversing import Until, rehearse
from goassist_desktop.pipeline.conversation import State
from goassist_desktop.pipeline.endpoints.capture import DEVICE_RATE_HZ, CaptureChain
from goassist_desktop.pipeline.endpoints.recording import RecordingEndpoint
from goassist_desktop.pipeline.endpoints.room import Room, noise_at
from goassist_desktop.pipeline.events import (
    PartialText,
    SessionEvent,
    SpeechStarted,
    StateChanged,
    TurnClosed,
)
from goassist_desktop.pipeline.frames import Samples
from goassist_desktop.pipeline.turn import Phrase
from goassist_desktop.pipeline.workers import Engines
from tests.talk import bad_sounds as bad
from tests.talk.bad_sounds import level_db, recording
from tests.talk.hearing import plain, word_errors

pytestmark = pytest.mark.models

WORDS = {
    "voices/joe_germany": "What is the capital of Germany?",
    "voices/slt_water": "At what temperature does water boil?",
    "voices/joe_week": "How many days are there in a week?",
    "voices/joe_story": "Tell me a long story about a ship at sea.",
}
GERMANY, WATER, WEEK, STORY = WORDS
QUIET_ROOM = Room()
SENSE = {GERMANY: "berlin", WATER: "degrees"}
"""A word that the right answer has."""
LEGAL = {
    State.IDLE: {State.LISTENING},
    State.LISTENING: {State.THINKING, State.IDLE},
    State.THINKING: {State.SPEAKING, State.INTERRUPTED, State.LISTENING, State.IDLE},
    State.SPEAKING: {State.HELD, State.INTERRUPTED, State.LISTENING, State.IDLE},
    State.HELD: {State.SPEAKING, State.INTERRUPTED, State.IDLE},
    State.INTERRUPTED: {State.LISTENING, State.IDLE},
}
"""The table of the specification, section 4."""


T = TypeVar("T")


@dataclass
class Heard:
    """What came of a conversation."""

    events: list[SessionEvent] = field(default_factory=list)

    def of(self, kind: type[T]) -> list[T]:
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def turns(self) -> list[TurnClosed]:
        """Those before the last one, which answers the clear question."""
        return self.of(TurnClosed)[:-1]

    @property
    def apologies(self) -> int:
        return sum(turn.heard_text == Phrase.NOT_UNDERSTOOD for turn in self.turns)

    @property
    def fades(self) -> int:
        """How often the reply fell silent for nothing."""
        return sum(b.outcome == "resumed" for turn in self.turns for b in turn.barge_ins)

    def answers(self, question: str) -> bool:
        """Whether there was one turn, with the words of the question and an answer to them."""
        (turn,) = self.turns
        right = SENSE[question] in plain(turn.heard_text)
        return right and word_errors(WORDS[question], turn.user_text) <= 0.2


Deed = Callable[[Until], Awaitable[None]]
Listen = Callable[..., Heard]


@pytest.fixture(scope="module")
def config() -> Config:
    return load({"profile": "ci", "reply.max_tokens": "40"}, environment={})


@pytest.fixture(scope="module")
def engines(config: Config) -> Iterator[Engines]:
    with loaded_engines(config) as engines:
        yield engines


@pytest.fixture
def listen(config: Config, engines: Engines) -> Listen:
    """Hold a conversation in which something bad is done, and then a clear question is asked."""

    def run(deed: Deed, room: Room = QUIET_ROOM, chain: CaptureChain | None = None) -> Heard:
        heard = Heard()
        endpoint = RecordingEndpoint(chain or CaptureChain(), room=room, realtime=False)

        async def script(until: Until) -> None:
            await until.position(DEVICE_RATE_HZ)
            await deed(until)
            await until.quiet()
            until.endpoint.move(QUIET_ROOM)
            await asks(WEEK)(until)
            assert not until.session.busy
            assert until.session.state is State.LISTENING

        rehearse(config, engines, endpoint, script, heard.events.append)
        check_states(heard)
        last = heard.of(TurnClosed)[-1]
        assert last.outcome == "completed", last
        assert word_errors(WORDS[WEEK], last.user_text) == 0, last
        assert last.heard_text, last  # what a small model makes of a strange history is its own
        return heard

    return run


def check_states(heard: Heard) -> None:
    state = State.IDLE
    for changed in heard.of(StateChanged):
        assert changed.state in LEGAL[state], (state, changed)
        state = changed.state


def says(*sounds: Samples) -> Deed:
    """One after the other, each once the last was answered."""

    async def deed(until: Until) -> None:
        for sound in sounds:
            until.endpoint.say(sound)
            await until.quiet(until.endpoint.said[-1])

    return deed


def asks(question: str) -> Deed:
    return says(recording(question))


def waits(seconds: float) -> Deed:
    async def deed(until: Until) -> None:
        await until.position(until.endpoint.position + round(seconds * DEVICE_RATE_HZ))
        assert not until.session.busy

    return deed


def under(question: str, background: Samples, snr_db: float) -> Room:
    """A room in which the background plays for ever, so much softer than the question."""
    return Room(noise=noise_at(snr_db, background, [recording(question)], DEVICE_RATE_HZ))


# -- what a person understands ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "question",
    [
        pytest.param(bad.clipped(recording(WATER), 12), id="clipped"),
        pytest.param(bad.quiet(recording(WATER), -45), id="quiet"),
        pytest.param(bad.telephone(recording(WATER)), id="telephone"),
    ],
)
def test_a_spoilt_question_is_answered(listen: Listen, question: Samples) -> None:
    heard = listen(says(question))
    assert heard.answers(WATER), heard.turns


@pytest.mark.parametrize(
    "room",
    [
        pytest.param(Room(noise=bad.mains_hum(2, -30)), id="hum"),
        pytest.param(under(WATER, bad.white_noise(7, -40), 10), id="noise"),
        pytest.param(under(WATER, bad.music(38.4), 15), id="music 15 dB below"),
        pytest.param(under(WATER, bad.music(38.4), 10), id="music 10 dB below"),
    ],
)
def test_a_question_over_a_background_is_answered(listen: Listen, room: Room) -> None:
    heard = listen(asks(WATER), room)
    assert heard.answers(WATER), heard.turns


def test_a_question_over_the_television_is_answered(listen: Listen) -> None:
    question = recording(GERMANY)
    television = bad.quiet(recording("two_cities_1", 0.5, 4.7), level_db(question) - 15)
    heard = listen(says(bad.mixed(question, television)))
    assert heard.answers(GERMANY), heard.turns


@pytest.mark.parametrize(
    "jumps",
    [
        pytest.param(dict.fromkeys(range(0, 3000, 50), -5), id="50 ms lost, twice a second"),
        pytest.param(dict.fromkeys(range(0, 3000, 30), 1), id="10 ms twice, thrice a second"),
        pytest.param(dict.fromkeys(range(0, 3000, 30), -1), id="10 ms lost, thrice a second"),
    ],
)
def test_a_question_on_a_jumping_clock_is_answered(listen: Listen, jumps: dict[int, int]) -> None:
    heard = listen(asks(WATER), chain=bad.JumpingChain(jumps))
    assert heard.answers(WATER), heard.turns


# -- what nobody understands -----------------------------------------------------------------------


def test_two_at_once_get_one_answer_or_are_asked_again(listen: Listen) -> None:
    one = recording(GERMANY)
    heard = listen(says(bad.mixed(one, bad.quiet(recording(WATER), level_db(one)))))
    (turn,) = heard.turns
    assert turn.outcome == "completed"
    assert turn.heard_text == Phrase.NOT_UNDERSTOOD or turn.user_text


def test_a_murmur_is_asked_back_once(listen: Listen) -> None:
    """Somebody speaks behind a wall, again and again."""
    murmur = bad.through_a_wall(recording(STORY))
    heard = listen(says(murmur, murmur, murmur))
    assert [turn.heard_text for turn in heard.turns] == [Phrase.NOT_UNDERSTOOD]


@pytest.mark.parametrize("jump", [-200, 100], ids=["2 s lost", "1 s comes twice"])
def test_a_leap_of_the_clock_is_survived(listen: Listen, jump: int) -> None:
    heard = listen(asks(WATER), chain=bad.JumpingChain({200: jump}))
    assert len(heard.turns) <= 1


def test_a_microphone_that_dies_in_mid_sentence(listen: Listen) -> None:
    dying = bad.DyingChain(from_s=1.9, to_s=6.0)
    heard = listen(asks(STORY), chain=dying)
    assert len(heard.turns) <= 1


# -- what is not meant for us ----------------------------------------------------------------------

TEN_MINUTES_S = 600.0
GROWTH_MB = 12.0
"""Ten minutes of sound at 16 kHz take 38 MB."""


@pytest.mark.parametrize(
    "room",
    [
        pytest.param(QUIET_ROOM, id="silence"),
        pytest.param(Room(noise=bad.white_noise(7, -55)), id="noise"),
    ],
)
def test_ten_minutes_of_nothing(listen: Listen, room: Room) -> None:
    process = psutil.Process()

    async def nothing(until: Until) -> None:
        await waits(30)(until)
        before, tasks = process.memory_info().rss, len(asyncio.all_tasks())
        await waits(TEN_MINUTES_S)(until)
        assert process.memory_info().rss - before < GROWTH_MB * 1e6
        assert len(asyncio.all_tasks()) == tasks

    heard = listen(nothing, room)
    assert not heard.turns
    onsets = [event.onset_ms for event in heard.of(SpeechStarted)]
    assert all(onset_ms > 1000 * TEN_MINUTES_S for onset_ms in onsets)


def test_music_alone_is_no_turn(listen: Listen) -> None:
    heard = listen(waits(38), under(WEEK, bad.music(38.4), 10))
    assert not heard.turns


def test_noises_are_no_turn(listen: Listen) -> None:
    """Where a recogniser is asked about them, it thanks for watching."""
    heard = listen(says(*bad.noises()))
    assert not any(turn.user_text for turn in heard.turns), heard.turns
    assert heard.apologies <= 1


def test_zeros_are_silence(listen: Listen) -> None:
    """The endpoint says so; see test_local_endpoint.py."""
    heard = listen(waits(11), chain=bad.DyingChain(from_s=1.0, to_s=11.0))
    assert not heard.turns
    words = [event.text for event in heard.of(PartialText)]
    assert words[0].startswith("How"), words


@pytest.mark.parametrize(
    "room",
    [
        pytest.param(under(STORY, bad.music(38.4), 15), id="music"),
        pytest.param(
            Room(echo_delay_ms=60, echo_gain_db=-10, noise=bad.mains_hum(2, -30)), id="hum and echo"
        ),
    ],
)
def test_a_background_does_not_end_the_reply(listen: Listen, room: Room) -> None:
    async def deed(until: Until) -> None:
        until.endpoint.say(recording(STORY))
        await waits(16)(until)  # a fade for nothing takes half a second of it

    heard = listen(deed, room)
    (turn,) = heard.turns
    assert turn.outcome == "completed"
    assert plain(turn.heard_text) == plain(turn.reply_text)
    assert heard.fades <= 2


def test_words_over_the_reply_and_music_stop_it(listen: Listen) -> None:
    question = recording(STORY)

    async def deed(until: Until) -> None:
        until.endpoint.say(question)
        reply = await until.reply_to(until.endpoint.said[-1])
        await until.position(reply + 5 * DEVICE_RATE_HZ)
        until.endpoint.say(recording(GERMANY))
        await waits(12)(until)

    heard = listen(deed, under(STORY, bad.music(38.4), 15))
    story, answer = heard.turns
    assert story.outcome == "interrupted"
    assert word_errors(WORDS[GERMANY], answer.user_text) <= 0.2
    assert SENSE[GERMANY] in plain(answer.heard_text)


def test_television_over_the_reply_leaves_nothing_stuck(listen: Listen) -> None:
    """A voice in the room is somebody: its words are shown, and it may well be answered."""
    question = recording(STORY)
    television = bad.quiet(recording("two_cities_1", 0.5, 8.4), level_db(question) - 15)

    async def deed(until: Until) -> None:
        until.endpoint.say(question)
        await until.position(await until.reply_to(until.endpoint.said[-1]))
        until.endpoint.say(television)
        await until.quiet(until.endpoint.said[-1])

    heard = listen(deed)
    assert heard.apologies <= 1
    assert word_errors(WORDS[STORY], heard.turns[0].user_text) <= 0.2
