"""The Deepgram engine against a service on loopback that speaks its protocol, or breaks it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from aiohttp import web

from goassist_desktop.pipeline.engines import create, deepgram
from goassist_desktop.pipeline.engines.deepgram import Deepgram
from goassist_desktop.pipeline.errors import ConfigError, EngineFailed
from goassist_desktop.pipeline.frames import Transcript
from tests.fakes.deepgram_server import KEY, Answer, Call, DeepgramServer, good, results

SECOND = np.linspace(-1.5, 1.5, 16_000, dtype=np.float32)
EMPTY = Transcript("", confidence=0.0)


@contextmanager
def connected(server: DeepgramServer, **options: str) -> Iterator[Deepgram]:
    engine = create("recognition", "deepgram", server.url, threads=1, **{"key": KEY, **options})
    engine.load()
    try:
        yield engine
    finally:
        engine.close()


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deepgram, "ANSWER_S", 0.2)
    monkeypatch.setattr(deepgram, "LONGEST_S", 0.6)
    monkeypatch.setattr(deepgram, "CONNECT_S", 0.3)


def test_an_utterance_is_sent_and_its_results_are_joined() -> None:
    with DeepgramServer(["it was the best of|times."]) as server:
        with connected(server, language="de", hot_words="Mira, Jonas ,") as engine:
            heard = engine.transcribe(SECOND)
    assert heard.text == "it was the best of times."
    assert heard.confidence == pytest.approx((5 * 0.9 + 0.6) / 6)
    (call,) = server.calls
    assert call.told == ["Finalize", "CloseStream"]
    sound = np.frombuffer(bytes(call.sound), "<i2")
    assert sound.size == 16_000 and (sound[0], sound[-1]) == (-32767, 32767)
    assert dict(call.query) | {"keyterm": ""} == {
        "model": "nova-3", "language": "de", "encoding": "linear16", "sample_rate": "16000",
        "channels": "1", "punctuate": "true", "interim_results": "true", "endpointing": "false",
        "keyterm": "",
    }  # fmt: skip
    assert [value for key, value in call.query if key == "keyterm"] == ["Mira", "Jonas"]
    assert not server.complaints


def test_one_connection_serves_all_utterances() -> None:
    with DeepgramServer(["one|two", "", "three"]) as server, connected(server) as engine:
        assert [engine.transcribe(SECOND).text for _ in range(3)] == ["one two", "", "three"]
        assert engine.transcribe(SECOND[:1]) == EMPTY
        assert len(server.calls) == 1
        assert dict(server.calls[0].query)["language"] == "en"


def test_the_language_may_be_left_to_the_service() -> None:
    with DeepgramServer() as server, connected(server, language="auto"):
        assert dict(server.calls[0].query)["language"] == "multi"


def test_results_without_an_answer_to_finalize_are_enough_where_they_are_complete() -> None:
    async def covering(socket: web.WebSocketResponse, call: Call, words: str) -> None:
        await socket.send_str(results(words, call.finalized_s, call.sent_s - 0.01))

    with DeepgramServer(["one", "two"], answer=covering) as server, connected(server) as engine:
        assert [engine.transcribe(SECOND).text for _ in range(2)] == ["one", "two"]


def test_what_comes_late_is_not_taken_for_the_next_utterance() -> None:
    async def twice(socket: web.WebSocketResponse, call: Call, words: str) -> None:
        await good(socket, call, words)
        await socket.send_str(results("late", call.finalized_s, call.sent_s, from_finalize=True))

    with DeepgramServer(["one", "two"], answer=twice) as server, connected(server) as engine:
        assert engine.transcribe(SECOND).text == "one"
        assert engine.transcribe(SECOND).text == "two"


def test_it_is_kept_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deepgram, "KEEP_ALIVE_S", 0.02)
    with DeepgramServer(["still here"]) as server, connected(server) as engine:
        time.sleep(0.2)
        assert server.calls[0].told.count("KeepAlive") > 2
        assert engine.transcribe(SECOND).text == "still here"
        assert len(server.calls) == 1


def test_a_connection_that_was_lost_between_utterances_is_opened_again() -> None:
    with DeepgramServer(["one", "two"]) as server, connected(server) as engine:
        assert engine.transcribe(SECOND).text == "one"
        server.hang_up()
        time.sleep(0.1)
        assert engine.transcribe(SECOND).text == "two"
        assert len(server.calls) == 2


# What is wrong with it ----------------------------------------------------------------------------


def test_without_a_key_nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    with DeepgramServer(["from the environment"]) as server:
        monkeypatch.delenv("DEEPGRAM_API_KEY", raising=False)
        engine = Deepgram(server.url)
        with pytest.raises(ConfigError, match=r"^recognition.deepgram_key: .* DEEPGRAM_API_KEY$"):
            engine.load()
        assert not server.calls
        monkeypatch.setenv("DEEPGRAM_API_KEY", f"{KEY}\n")
        with connected(server, key="") as engine:
            assert engine.transcribe(SECOND).text == "from the environment"


def test_a_wrong_key() -> None:
    with DeepgramServer() as server:
        engine = Deepgram(server.url, key="wrong")
        with pytest.raises(EngineFailed, match=r"^Deepgram refused the key \(HTTP 401\)$"):
            engine.load()
        with pytest.raises(RuntimeError, match="before load"):
            engine.transcribe(SECOND)


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (200, "answered, but not as Deepgram does (HTTP 200)"),
        (400, "refused the request; it may not know the language (HTTP 400)"),
        (402, "refused: the account has no credit left (HTTP 402)"),
        (429, "refused: too many requests at once (HTTP 429)"),
        (503, "answered, but not as Deepgram does (HTTP 503)"),
    ],
)
def test_an_answer_that_opens_no_stream(status: int, message: str) -> None:
    with DeepgramServer(status=status) as server:
        with pytest.raises(EngineFailed) as caught, connected(server):
            pass
    assert str(caught.value) == f"Deepgram {message}"


def test_nobody_there() -> None:
    with DeepgramServer() as server:
        pass
    with pytest.raises(EngineFailed, match=r"^Deepgram can not be reached: [^\n]+$"):
        Deepgram(server.url, key=KEY).load()


def sending(text: str) -> Answer:
    async def answer(socket: web.WebSocketResponse, call: Call, words: str) -> None:
        await socket.send_str(text)

    return answer


def closing(code: int) -> Answer:
    async def answer(socket: web.WebSocketResponse, call: Call, words: str) -> None:
        await socket.send_str(results("it was", 0, 0.5))
        await socket.close(code=code, message=b"DATA-0000")

    return answer


async def nothing(socket: web.WebSocketResponse, call: Call, words: str) -> None:
    """Not a word."""


async def half(socket: web.WebSocketResponse, call: Call, words: str) -> None:
    await socket.send_str(results("it was", call.finalized_s, call.sent_s)[:80])


async def binary(socket: web.WebSocketResponse, call: Call, words: str) -> None:
    await socket.send_bytes(b"\0\1")


async def never_final(socket: web.WebSocketResponse, call: Call, words: str) -> None:
    for _ in range(100):
        await socket.send_str(results("it", call.finalized_s, call.sent_s, final=False))
        await asyncio.sleep(0.02)


async def dropped(socket: web.WebSocketResponse, call: Call, words: str) -> None:
    assert socket._req is not None and socket._req.transport is not None
    socket._req.transport.abort()


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (nothing, "did not answer for 0.2 s"),
        (never_final, "did not finish within 0.6 s"),
        (half, "sent what is not its protocol: "),
        (binary, "sent what is not its protocol: "),
        (sending("<html>\n502 Bad Gateway</html>"), "sent what is not its protocol: '<html> 502"),
        (sending('{"type": "Results"}'), "sent what is not its protocol: "),
        (sending('["Results"]'), "sent what is not its protocol: "),
        (sending('{"type": "Error", "description": "too\\nmuch"}'), "reports an error: too much"),
        (closing(1008), "closed the connection with code 1008"),
        (closing(1011), "closed the connection with code 1011"),
        (dropped, "closed the connection"),
    ],
    ids=str,
)
def test_a_service_that_fails_in_mid_utterance(answer: Answer, message: str) -> None:
    """One line says so, and the next utterance has a connection of its own."""
    with DeepgramServer(["lost", "found"], answer=answer) as server:
        with connected(server) as engine:
            with pytest.raises(EngineFailed) as caught:
                engine.transcribe(SECOND)
            assert str(caught.value).startswith(f"Deepgram {message}")
            assert "\n" not in str(caught.value)
            server.answer = good
            assert engine.transcribe(SECOND).text == "found"
            assert len(server.calls) == 2


# What all recognisers do --------------------------------------------------------------------------


def test_life() -> None:
    with DeepgramServer(["one", "two"]) as server:
        engine = Deepgram(server.url, key=KEY)
        use: Callable[[], object] = lambda: engine.transcribe(SECOND).text  # noqa: E731
        with pytest.raises(RuntimeError, match="before load"):
            use()
        engine.close()
        engine.load()
        engine.load()
        assert use() == "one"
        engine.close()
        engine.close()
        with pytest.raises(RuntimeError, match="before load"):
            use()
        engine.load()
        assert use() == "two"
        engine.close()


def test_length() -> None:
    with DeepgramServer() as server, connected(server) as engine:
        assert engine.transcribe(np.zeros(0, np.float32)).text == ""
        assert engine.transcribe(np.zeros(30 * 16_000, np.float32)).text == ""
        with pytest.raises(ValueError, match="30 s"):
            engine.transcribe(np.zeros(30 * 16_000 + 1, np.float32))
        with pytest.raises(ValueError, match="one channel"):
            engine.transcribe(np.zeros((2, 16_000), np.float32))
        assert server.calls[0].told == ["Finalize"], "nothing is sent for nothing"


def test_what_a_user_is_told() -> None:
    info = Deepgram("wss://api.deepgram.com").info
    assert info.cloud
    assert (info.stage, info.name, info.model) == ("recognition", "deepgram", "nova-3")
    with pytest.raises(ConfigError, match=r"recognition.deepgram_url = 'ws://example.org': must"):
        Deepgram("ws://example.org")
