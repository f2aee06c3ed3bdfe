"""One person's conversation on the line: real sessions on small engines, and real peers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager

import numpy as np
import pytest

from goassist_desktop.bench.web_client import WebClient, until
from goassist_desktop.host import hosted as module
from goassist_desktop.host.errors import ApiError
from goassist_desktop.host.hosted import HostedSession
from goassist_desktop.host.ice import IceSettings
from goassist_desktop.host.load import EFFECTS
from goassist_desktop.pipeline.endpointing import EndOfTurn
from goassist_desktop.pipeline.events import SessionEvent
from goassist_desktop.pipeline.protocols import Endpoint
from goassist_desktop.pipeline.session import Session, SessionSettings
from goassist_desktop.pipeline.turn import TurnSettings
from goassist_desktop.pipeline.workers import Engines, Hosted, ThreadLane
from tests.fakes.faces import LoudnessFace
from tests.fakes.tones import (
    LoudnessActivity,
    ScriptedModel,
    ToneRecogniser,
    ToneVoice,
    WordDetector,
)

SETTINGS = SessionSettings(
    "be brief",
    TurnSettings(max_tokens=200, temperature=0.0, seed=0, context_tokens=8192, stall_s=8.0),
    EndOfTurn(pause_ms=200.0, unsure_ms=850.0, open_ms=1800.0),
)
LONG = " ".join(f"word{chr(97 + n % 26)}" for n in range(60))


def answer(text: str) -> str:
    return LONG if text == "tell a story" else f"you said {text}"


@asynccontextmanager
async def held(**options: object) -> AsyncIterator[HostedSession]:
    lanes = [ThreadLane(f"lane {number}") for number in range(5)]
    engines = Engines(
        LoudnessActivity(),
        Hosted(WordDetector(), lanes[0]),
        Hosted(ToneRecogniser(), lanes[1]),
        Hosted(ScriptedModel(answer), lanes[2]),
        Hosted(ToneVoice(), lanes[3]),
        (Hosted(LoudnessFace(), lanes[4]),),
    )

    def make(endpoint: Endpoint, publish: Callable[[SessionEvent], None]) -> Session:
        return Session(endpoint, engines, SETTINGS, publish)

    hello = {"persona": "Mira", "head": "mira", "avatar": True}
    session = HostedSession("mine", hello, make, ice=IceSettings(), **options)  # type: ignore[arg-type]
    try:
        await until(lambda: session.state == "listening")
        yield session
    finally:
        await session.close()
        for lane in lanes:
            lane.close()


@asynccontextmanager
async def on_the_line(session: HostedSession) -> AsyncIterator[WebClient]:
    client = WebClient()
    try:
        await client.connect(session.offer)
        yield client
    finally:
        await client.close()


def of(client: WebClient, kind: str) -> list[dict]:
    return [message for message in client.messages if message["type"] == kind]


def loud(samples: np.ndarray) -> bool:
    return len(samples) > 0 and float(np.abs(samples).max()) > 0.02


async def test_who_comes_on_the_line_is_told_where_they_are() -> None:
    async with held(greeting="good morning") as session, on_the_line(session) as client:
        await until(lambda: of(client, "turn"))
        hello = client.messages[0]
        assert (hello["type"], hello["session_id"], hello["persona"]) == ("hello", "mine", "Mira")
        assert of(client, "turn")[0]["heard_text"] == "good morning"
        assert loud(client.sound)
        await until(lambda: of(client, "clock"))
        moving = [face for _, face in client.faces if not face["heartbeat"]]
        assert len(moving) > 5 and len(moving[0]["blendshapes"]) == 52


async def test_typed_words_are_answered_aloud() -> None:
    shown: list[float] = []
    async with held(face_shown=shown.append) as session, on_the_line(session) as client:
        client.send({"type": "say", "text": "hello"})
        await until(lambda: of(client, "turn"))
        [turn] = of(client, "turn")
        assert (turn["user_text"], turn["heard_text"]) == ("hello", "you said hello")
        client.send({"type": "say", "text": 5})
        client.send({"type": "nonsense"})
        client.send({"type": "playout", "delay_ms": 120, "face_ms": 12.5})
        client.send({"type": "playout", "delay_ms": 120, "face_ms": 1e300})
        await until(lambda: session._endpoint.render_delay_ms == 120)
        await until(lambda: shown == [12.5])


async def test_who_hangs_up_in_mid_sentence_hears_nothing_of_it_when_they_come_back() -> None:
    async with held() as session:
        async with on_the_line(session) as client:
            client.send({"type": "say", "text": "tell a story"})
            await until(lambda: session.state == "speaking")
        await until(lambda: session.state == "listening")
        assert not session.connected
        async with on_the_line(session) as client:
            await until(lambda: of(client, "turn"))
            [turn] = of(client, "turn")
            assert turn["retold"] and turn["outcome"] == "interrupted"
            assert len(turn["heard_text"]) < len(LONG)
            await until(lambda: len(client.heard) > 20)
            assert not loud(client.sound)


async def test_a_second_offer_takes_the_line() -> None:
    async with held() as session, on_the_line(session) as first:
        async with on_the_line(session) as second:
            await until(lambda: first.pc.connectionState == "closed")
            second.send({"type": "say", "text": "hello"})
            await until(lambda: loud(second.sound))
            assert session.connected and not session.over


async def test_nobody_is_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GRACE_S", 0.3)
    ended = []
    async with held(ended=lambda: ended.append(True)) as session:
        async with on_the_line(session):
            assert session.connected
        async with on_the_line(session):  # in time
            await asyncio.sleep(0.6)
            assert not session.over
        await until(lambda: session.over)
    assert ended == [True]


async def test_an_offer_that_is_none_leaves_the_line_as_it_was() -> None:
    async with held() as session, on_the_line(session) as client:
        with pytest.raises(ApiError):
            await session.offer("v=0\r\njunk")
        client.send({"type": "say", "text": "hello"})
        await until(lambda: loud(client.sound))


async def test_a_written_answer_is_told_to_who_is_on_the_line_and_not_heard() -> None:
    async with held() as session, on_the_line(session) as client:
        async with aclosing(session.chat("hello")) as pieces:
            text = "".join([piece async for piece in pieces])
        assert text.strip() == "you said hello"
        await until(lambda: of(client, "turn"))
        assert not loud(client.sound)


async def test_candidates_without_an_offer_are_refused() -> None:
    async with held() as session:
        with pytest.raises(ApiError, match="offer") as refused:
            await session.candidate("candidate:1 1 UDP 1 127.0.0.1 9 typ host", "0", 0)
        assert refused.value.status == 409


async def test_a_face_for_every_listener() -> None:
    async with held() as session:
        with session.faces() as one, session.faces() as other:
            frames = [(await one.next())["seq"] for _ in range(3)]
            assert frames == [0, 1, 2]
            assert (await other.next())["seq"] == 0


async def test_a_busy_host_sends_fewer_frames() -> None:
    async with held() as session, on_the_line(session) as client:
        session.use(EFFECTS[1])
        session.tell({"type": "load", "level": 1, "text": EFFECTS[1].text})
        client.send({"type": "say", "text": "tell a story"})
        await until(lambda: len([1 for _, face in client.faces if not face["heartbeat"]]) > 40)
        moving = [at for at, face in client.faces if not face["heartbeat"]][10:]
        assert of(client, "load")[0]["level"] == 1
        assert client.faces[-1][1]["fps"] == 15
        assert np.median(np.diff(moving)) > 0.05


async def test_a_conversation_that_breaks_says_so_and_is_over(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with held() as session, on_the_line(session) as client:

        def broken(block: object) -> None:
            raise RuntimeError("a bug")

        session._session._ears.hear = broken  # type: ignore[method-assign]
        await until(lambda: session.over)
        await until(lambda: of(client, "notice"))
        assert of(client, "notice")[-1]["text"] == "The conversation broke."
    assert "session mine broke" in caplog.text
    caplog.clear()
