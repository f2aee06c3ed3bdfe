"""A Kyutai server on loopback with a real voice in it, through the real client: what servers do
wrong, and what stopping costs. The contract of voices is asked of it in `test_synthesis`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from aiohttp import web

from goassist_desktop.pipeline.engines import kyutai_server
from goassist_desktop.pipeline.engines.hibari import HibariVoice
from goassist_desktop.pipeline.engines.kyutai_server import Kyutai
from goassist_desktop.pipeline.engines.kyutai_server import KyutaiServer as Engine
from goassist_desktop.pipeline.errors import ConfigError, EngineFailed
from goassist_desktop.pipeline.frames import Speech
from goassist_desktop.pipeline.protocols import Synthesiser
from tests.engines.test_synthesis import (  # noqa: F401 - the contract of voices
    listen,
    test_a_long_clause_comes_in_pieces,
    test_a_pause_lies_between_the_words_around_it,
    test_clauses_have_one_level_and_no_clicks,
    test_it_is_loaded_once_and_closed_for_good,
    test_it_says_what_it_is,
    test_leaving_it_in_mid_sentence_does_no_harm,
    test_no_text_breaks_it,
    test_silence_around_a_clause,
    test_the_same_text_sounds_the_same,
    test_the_words_are_those_of_the_text,
    test_what_can_not_be_said_makes_no_sound,
    test_what_it_says_is_understood,
    test_words_of_one_breath_follow_each_other,
)
from tests.fakes.kyutai_server import KEY, Call, KyutaiServer, good, send

pytestmark = pytest.mark.models

Speak = Callable[[str], Iterator[Speech]]


@pytest.fixture(scope="module")
def speak(models: Callable[[str], Path]) -> Speak:
    """hibari's voice."""
    voice = HibariVoice(models("hibari-heart"))
    voice.load()
    return voice.speak


@pytest.fixture(scope="module")
def spoken_to(speak: Speak) -> Iterator[KyutaiServer]:
    with KyutaiServer(speak) as server:
        yield server
        assert server.complaints == []


@pytest.fixture
def make(spoken_to: KyutaiServer) -> Iterator[Callable[..., Synthesiser]]:
    """As `test_synthesis` has it."""
    engines: list[Engine] = []

    def made() -> Synthesiser:
        engines.append(Engine(Kyutai(spoken_to.url, KEY)))
        return engines[-1]

    yield made
    for engine in engines:
        engine.close()


@pytest.fixture(scope="module")
def voice(spoken_to: KyutaiServer) -> Iterator[Synthesiser]:
    engine = Engine(Kyutai(spoken_to.url, KEY))
    engine.load()
    yield engine
    engine.close()


TEXT = "The capital of France is Paris, which lies on the river Seine."


@contextmanager
def engine_at(server: KyutaiServer, **more: str) -> Iterator[Engine]:
    engine = Engine(Kyutai(server.url, more.get("key", KEY), more.get("voice", "")))
    try:
        yield engine
    finally:
        engine.close()


def said(engine: Engine, text: str = TEXT) -> list[Speech]:
    return [piece for piece in engine.speak(text) if piece is not None]


def test_words_come_with_their_places_as_they_are_spoken(speak: Speak) -> None:
    with KyutaiServer(speak, step_s=0.01) as server, engine_at(server, voice="a/b.wav") as engine:
        engine.load()
        began = time.monotonic()
        first, *others = said(engine)
        assert others, "the first words do not wait for the last"
        assert time.monotonic() - began < 5
        assert server.complaints == []
        assert server.calls[-1].query == {"format": "PcmMessagePack", "voice": "a/b.wav"}
        assert server.calls[-1].words == TEXT.split()
    pieces = [first, *others]
    assert [word.text for piece in pieces for word in piece.words] == TEXT.split()
    [true], at = speak(TEXT), 0
    for piece in pieces:
        for word in piece.words:
            [real] = [one for one in true.words if one.text == word.text][:1]
            if word.text != "the":
                assert abs(at + word.start - real.start) < 0.09 * 24_000, (word, real)
        at += len(piece.samples)
    assert abs(at - len(true.samples)) < 0.06 * 24_000


def test_stopping_frees_the_server(speak: Speak) -> None:
    took = []
    with KyutaiServer(speak, step_s=0.04) as server, engine_at(server) as engine:
        engine.load()
        for _ in range(5):
            pieces = engine.speak(TEXT)
            next(piece for piece in pieces if piece is not None)
            began = time.monotonic()
            pieces.close()  # type: ignore[attr-defined]
            while server.busy:
                time.sleep(0.002)
            took.append(time.monotonic() - began)
            assert server.calls[-1].frames * 1920 < 0.8 * len(next(speak(TEXT)).samples)
    assert sorted(took)[2] < 0.15, took


def test_words_that_the_server_cuts_otherwise_keep_their_places(speak: Speak) -> None:
    async def other_words(server: KyutaiServer, socket: web.WebSocketResponse, call: Call) -> None:
        sound, places = server.spoken(" ".join(call.words))
        for text, start_s, stop_s in places:  # each in two halves, without its signs
            letters = "".join(filter(str.isalnum, text))
            half, middle = len(letters) // 2, (start_s + stop_s) / 2
            if half:
                await send(socket, type="Text", text=letters[:half], start_s=start_s, stop_s=middle)
            await send(socket, type="Text", text=letters[half:], start_s=middle, stop_s=stop_s)
        await send(socket, type="Audio", pcm=sound.tolist())

    with KyutaiServer(speak, answer=other_words) as server, engine_at(server) as engine:
        engine.load()
        pieces = said(engine)
    assert [word.text for piece in pieces for word in piece.words] == TEXT.split()
    length = sum(len(piece.samples) for piece in pieces)
    assert abs(length - len(next(speak(TEXT)).samples)) < 0.06 * 24_000
    true = {word.text: word for word in next(speak(TEXT)).words}
    at = sum(len(piece.samples) for piece in pieces[:-1])
    last = pieces[-1].words[-1]
    assert abs(at + last.start - true["Seine."].start) < 0.2 * 24_000


# -- what servers do wrong -------------------------------------------------------------------------


async def silent(server: KyutaiServer, socket: web.WebSocketResponse, call: Call) -> None:
    await asyncio.sleep(60)


async def stuck(server: KyutaiServer, socket: web.WebSocketResponse, call: Call) -> None:
    sound, _ = server.spoken(TEXT)
    await send(socket, type="Audio", pcm=sound[:9600].tolist())
    await asyncio.sleep(60)


async def cut(server: KyutaiServer, socket: web.WebSocketResponse, call: Call) -> None:
    await send(socket, type="Audio", pcm=[0.1] * 1920)
    assert socket._req is not None and socket._req.transport is not None
    socket._req.transport.abort()
    await asyncio.sleep(60)


async def garbage(server: KyutaiServer, socket: web.WebSocketResponse, call: Call) -> None:
    await socket.send_bytes(b"\xc1\xff\x00garbage")


async def half(server: KyutaiServer, socket: web.WebSocketResponse, call: Call) -> None:
    await socket.send_bytes(b"\x82\xa4type\xa5Au")


async def a_text(server: KyutaiServer, socket: web.WebSocketResponse, call: Call) -> None:
    await socket.send_str("hello")


async def other(server: KyutaiServer, socket: web.WebSocketResponse, call: Call) -> None:
    await send(socket, type="Video", frames=[])


async def no_number(server: KyutaiServer, socket: web.WebSocketResponse, call: Call) -> None:
    await send(socket, type="Audio", pcm=[0.0, float("nan")])


async def no_sound(server: KyutaiServer, socket: web.WebSocketResponse, call: Call) -> None:
    await send(socket, type="Text", text="The", start_s=0.1, stop_s=0.2)


async def error(server: KyutaiServer, socket: web.WebSocketResponse, call: Call) -> None:
    await send(socket, type="Error", message="no such voice: a/b.wav")


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (silent, "said nothing for 0.3 s"),
        (stuck, "said nothing for 0.3 s"),
        (cut, "closed the connection in mid-sentence"),
        (garbage, "sent what is not its protocol"),
        (half, "sent what is not its protocol"),
        (a_text, "sent what is not its protocol: 'hello'"),
        (other, "sent what is not its protocol"),
        (no_number, "sent what is not its protocol"),
        (no_sound, "made no sound"),
        (error, "reports an error: no such voice: a/b.wav"),
    ],
    ids=lambda one: one.__name__ if callable(one) else "",
)
def test_a_fault_is_one_line_and_the_next_text_is_not_hit(
    speak: Speak, answer: object, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kyutai_server, "FIRST_S", 0.3)
    monkeypatch.setattr(kyutai_server, "SILENCE_S", 0.3)
    with KyutaiServer(speak) as server, engine_at(server) as engine:
        engine.load()
        server.answer = answer  # type: ignore[assignment]
        began = time.monotonic()
        with pytest.raises(EngineFailed, match=rf"^Kyutai's server ws://127.* {message}"):
            said(engine)
        assert time.monotonic() - began < 2
        server.answer = good
        assert np.concatenate([piece.samples for piece in said(engine)]).size > 24_000


@pytest.mark.parametrize(
    ("status", "key", "message"),
    [
        (0, "a-bad-key", r"refused the key \(HTTP 401\)"),
        (200, KEY, r"answered, but not as it should \(HTTP 200\)"),
        (404, KEY, r"has no synthesis there \(HTTP 404\)"),
        (500, KEY, r"answered, but not as it should \(HTTP 500\)"),
    ],
)
def test_a_server_that_opens_no_stream(speak: Speak, status: int, key: str, message: str) -> None:
    with KyutaiServer(speak, status=status) as server, engine_at(server, key=key) as engine:
        with pytest.raises(EngineFailed, match=message):
            engine.load()
        with pytest.raises(EngineFailed, match="not loaded"):
            said(engine)


def test_a_server_that_is_full_or_away(speak: Speak) -> None:
    with KyutaiServer(speak, places=0) as server, engine_at(server) as engine:
        with pytest.raises(EngineFailed, match="reports an error: no free channels"):
            engine.load()
        server.places = 8
        engine.load()
    with pytest.raises(EngineFailed, match="can not be reached"):
        engine.load()


def test_an_address_that_is_none() -> None:
    with pytest.raises(ConfigError, match=r"kyutai.url = 'http://localhost': must be wss"):
        Engine(Kyutai("http://localhost"))
