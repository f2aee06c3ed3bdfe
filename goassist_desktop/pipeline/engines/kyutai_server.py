"""Synthesis by a Kyutai TTS server (24 kHz), such as `moshi-server` with its configuration for TTS.

Its protocol, as rust/moshi-server of kyutai-labs/moshi has it: a WebSocket at /api/tts_streaming
whose messages are maps in MessagePack. In go Text, a word each, and Eos; out come Ready, Audio of
1920 samples each, and Text with the place of a word in that sound; then it is closed. A word's
place comes when the next word begins, which is some time before its sound does. Error says, for
one, that all places of the server are taken.

So each text has a connection of its own. Closing it is what makes the server stop.
"""

from __future__ import annotations

import asyncio
import itertools
import queue
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
import msgpack as _msgpack
import numpy as np

from goassist_desktop.pipeline.engines.http_exchange import is_near
from goassist_desktop.pipeline.engines.loop_thread import LoopThread
from goassist_desktop.pipeline.engines.spoken import BLOCK_MS, FADE_MS, LEAD_MS, loudness, pause_ms
from goassist_desktop.pipeline.errors import EngineFailed
from goassist_desktop.pipeline.frames import Samples, Speech, Word
from goassist_desktop.pipeline.network_address import web_socket
from goassist_desktop.pipeline.one_line import one_line
from goassist_desktop.pipeline.protocols import EngineInfo

msgpack: Any = _msgpack  # without types

NAME: Final = "kyutai-server"
RATE_HZ: Final = 24_000
PATH: Final = "/api/tts_streaming"
FORMAT: Final = "PcmMessagePack"
PUBLIC_KEY: Final = "public_token"
"""What the server's example configuration lets in."""

CONNECT_S: Final = 4.0
FIRST_S: Final = 8.0
"""Until the first sound of a text."""
SILENCE_S: Final = 4.0
"""Between two messages after that."""
LOOK_S: Final = 0.02
CLOSE_S: Final = 0.1
AUDIBLE: Final = 1e-3
SPOKEN: Final = 5e-3
"""Above the breath in a pause."""

_REFUSALS: Final = {401: "refused the key", 403: "refused the key", 404: "has no synthesis there"}


@dataclass(frozen=True, slots=True)
class Kyutai:
    """Which server, and how it is to speak."""

    url: str
    """wss://HOST, or ws://HOST:PORT on this machine."""
    key: str = ""
    voice: str = ""
    """A file of the server's voices, such as those of kyutai/tts-voices; empty: its own choice."""


class KyutaiServer:
    """Synthesiser. It tells no phonemes; the places of words are whole frames of 80 ms, and the
    levels the server's own."""

    rate_hz = RATE_HZ

    def __init__(self, server: Kyutai, *, threads: int = 1) -> None:
        web_socket(server.url, "kyutai.url")
        self._server = server
        self._title = f"Kyutai's server {server.url}"
        self._loop: LoopThread | None = None

    @property
    def info(self) -> EngineInfo:
        return EngineInfo(
            "synthesis",
            NAME,
            self._server.voice or "its own voice",
            "CC-BY-4.0 (Kyutai's models)",
            cloud=not is_near(self._server.url.replace("ws", "http", 1)),
        )

    def load(self) -> None:
        """Have it say a word. Harmless again, and the way to look whether it is back."""
        if self._loop is None:
            self._loop = LoopThread(NAME)
        try:
            for _ in self.speak("Hello."):
                pass
        except EngineFailed:
            self.close()
            raise

    def close(self) -> None:
        loop, self._loop = self._loop, None
        if loop is not None:
            loop.stop()

    def speak(self, text: str) -> Iterator[Speech | None]:
        if self._loop is None:
            raise EngineFailed("synthesis: the voice is not loaded")
        words = text.split()
        if not any(map(_letters, words)):
            yield Speech(np.zeros(0, np.float32), RATE_HZ, tuple(Word(w, 0, 0) for w in words))
            return
        loop, line = self._loop, _Line(words)
        stream = loop.run(self._opened(words))
        since, patience_s = time.monotonic(), FIRST_S
        try:
            while True:
                try:
                    told = stream.arrived.get(timeout=LOOK_S)
                except queue.Empty:
                    if time.monotonic() - since > patience_s:
                        raise EngineFailed(
                            f"{self._title} said nothing for {patience_s:g} s"
                        ) from None
                    yield None
                    continue
                if told is None:
                    break
                if isinstance(told, EngineFailed):
                    raise told
                since = time.monotonic()
                if self._understood(told, line):
                    patience_s = SILENCE_S
                if (piece := line.over()) is not None:
                    yield piece
            if not line.came:
                raise EngineFailed(f"{self._title} made no sound")
            yield line.rest()
        finally:
            loop.run(stream.close())

    def _understood(self, told: bytes, line: _Line) -> bool:
        """Whether it was sound."""
        try:
            match msgpack.unpackb(told):
                case {"type": "Audio", "pcm": pcm}:
                    sound = np.asarray(pcm, np.float32)
                    if sound.ndim != 1 or not np.isfinite(sound).all():
                        raise self._nonsense(told)
                    line.take(sound)
                    return True
                case {"type": "Text", "text": str(text), "start_s": start_s, "stop_s": stop_s}:
                    line.placed(text, float(start_s), float(stop_s))
                case {"type": "Ready"}:
                    pass
                case {"type": "Error", "message": message}:
                    raise EngineFailed(f"{self._title} reports an error: {one_line(str(message))}")
                case _:
                    raise self._nonsense(told)
        except (ValueError, TypeError, msgpack.UnpackException) as error:
            raise self._nonsense(told) from error
        return False

    def _nonsense(self, told: bytes) -> EngineFailed:
        sent = one_line(told[:40].decode(errors="replace"))
        return EngineFailed(f"{self._title} sent what is not its protocol: {sent!r}")

    # -- in the loop's thread --------------------------------------------------------------------

    async def _opened(self, words: list[str]) -> _Stream:
        server = self._server
        query = {"format": FORMAT} | ({"voice": server.voice} if server.voice else {})
        headers = {"kyutai-api-key": server.key or PUBLIC_KEY}
        session = aiohttp.ClientSession()
        try:
            async with asyncio.timeout(CONNECT_S):
                socket = await session.ws_connect(
                    server.url.rstrip("/") + PATH, params=query, headers=headers
                )
                for word in words:
                    await socket.send_bytes(msgpack.packb({"type": "Text", "text": word}))
                await socket.send_bytes(msgpack.packb({"type": "Eos"}))
        except (aiohttp.ClientError, OSError, RuntimeError) as error:
            await session.close()
            raise EngineFailed(f"{self._title} {_why(error)}") from error
        return _Stream(session, socket, self._title)


class _Stream:
    """An open connection, which is read at all times."""

    def __init__(
        self, session: aiohttp.ClientSession, socket: aiohttp.ClientWebSocketResponse, title: str
    ) -> None:
        self._session = session
        self._socket = socket
        self._title = title
        self.arrived: queue.SimpleQueue[bytes | EngineFailed | None] = queue.SimpleQueue()
        """None: that was all."""
        self._reading = asyncio.create_task(self._read())

    async def close(self) -> None:
        with suppress(ConnectionError, RuntimeError, TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                await self._socket.close()
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)
        await self._session.close()

    async def _read(self) -> None:
        async for message in self._socket:
            whole = message.type is aiohttp.WSMsgType.BINARY
            self.arrived.put(message.data if whole else str(message.data).encode())
        if self._socket.close_code == aiohttp.WSCloseCode.ABNORMAL_CLOSURE:
            told = f"{self._title} closed the connection in mid-sentence"
            self.arrived.put(EngineFailed(told))
        else:
            self.arrived.put(None)


class _Line:
    """One text while it is spoken: sound and places come in, pieces that end with a word go out.

    The server may cut words in another way: letters are what both count.
    """

    def __init__(self, words: list[str]) -> None:
        self._words = words
        self._until = list(itertools.accumulate(map(_letters, words)))
        """Letters up to and with each word."""
        self._given = 0
        """Words."""
        self._said = [0]
        self._starts: list[float] = []
        self._stops: list[float] = []
        """Of the server's words, in samples of the whole; `_said` has their letters, from 0 on."""
        self._sound = np.zeros(0, np.float32)
        self._at: int | None = None
        """Where `_sound` is in the whole; None while nothing was heard."""
        self.came = 0

    def take(self, sound: Samples) -> None:
        self._sound = np.concatenate([self._sound, sound])
        self.came += len(sound)
        if self._at is None and len(loud := _loud(self._sound)):
            lead = LEAD_MS * RATE_HZ // 1000
            first = max(0, int(loud[0]) - lead)
            self._sound = _faded(self._sound[first:])
            self._at = self.came - len(self._sound)

    def placed(self, text: str, start_s: float, stop_s: float) -> None:
        self._said.append(self._said[-1] + _letters(text))
        start = max(start_s * RATE_HZ, self._stops[-1] if self._stops else 0.0)
        self._starts.append(start)
        self._stops.append(max(stop_s * RATE_HZ, start))

    def over(self) -> Speech | None:
        """The words whose place and sound came; None while there are none. Never the last one."""
        if self._at is None:
            return None
        count = 0
        for until in self._until[self._given : -1]:
            if until > self._said[-1] or self._stop(until) > self.came:
                break
            count += 1
        if not count or not self._until[self._given + count - 1]:
            return None
        end = round(self._stop(self._until[self._given + count - 1])) - self._at
        return self._piece(count, end) if end > 0 else None

    def rest(self) -> Speech:
        """What is left, now that no more sound comes."""
        if self._at is None:  # nothing of it could be said
            return Speech(
                np.zeros(0, np.float32), RATE_HZ, tuple(Word(w, 0, 0) for w in self._words)
            )
        last = self._piece(len(self._words) - self._given, _heard(self._sound))
        pause = np.zeros(pause_ms(self._words[-1]) * RATE_HZ // 1000, np.float32)
        sound = _faded(last.samples[::-1])[::-1]
        return Speech(np.concatenate([sound, pause]), RATE_HZ, last.words)

    def _start(self, letters: int) -> float:
        """Where the word behind so many letters begins."""
        at = int(np.searchsorted(self._said, letters, "right")) - 1
        return self._starts[at] if at < len(self._starts) else float(self.came)

    def _stop(self, letters: int) -> float:
        """Where the word that ends with so many letters is over."""
        at = int(np.searchsorted(self._said, letters)) - 1
        return self._stops[at] if at < len(self._stops) else float(self.came)

    def _piece(self, count: int, end: int) -> Speech:
        """The next words, and the sound up to `end` of what is held."""
        assert self._at is not None
        words, now = [], 0
        before = self._until[self._given - 1] if self._given else 0
        for word, until in zip(
            self._words[self._given : self._given + count], self._until[self._given :], strict=False
        ):
            if until > before:
                start = min(max(now, round(self._start(before)) - self._at), end)
                stop = min(max(start, round(self._stop(until)) - self._at), end)
                # The silence up to the next word counts as its own there.
                now = start + _heard(self._sound[start:stop], SPOKEN)
                words.append(Word(word, start, now))
            else:
                words.append(Word(word, now, now))
            before = until
        sound, self._sound = self._sound[:end], self._sound[end:]
        self._at += end
        self._given += count
        return Speech(sound, RATE_HZ, tuple(words))


def _letters(word: str) -> int:
    return sum(letter.isalnum() for letter in word)


def _loud(sound: Samples, audible: float = AUDIBLE) -> Any:
    """The first samples of the blocks that can be heard."""
    return np.flatnonzero(loudness(sound, RATE_HZ) > audible) * (BLOCK_MS * RATE_HZ // 1000)


def _heard(sound: Samples, audible: float = AUDIBLE) -> int:
    """Samples up to the last that can be heard."""
    loud = _loud(sound, audible)
    return min(len(sound), int(loud[-1]) + BLOCK_MS * RATE_HZ // 1000) if len(loud) else 0


def _faded(sound: Samples) -> Samples:
    """The same, with its beginning faded in."""
    fade = min(FADE_MS * RATE_HZ // 1000, len(sound))
    faded = sound.copy()
    faded[:fade] *= np.linspace(0, 1, fade, dtype=np.float32)
    return faded


def _why(error: Exception) -> str:
    if isinstance(error, aiohttp.WSServerHandshakeError):
        what = _REFUSALS.get(error.status, "answered, but not as it should")
        return f"{what} (HTTP {error.status})"
    if isinstance(error, TimeoutError):
        return f"did not answer for {CONNECT_S:g} s"
    return f"can not be reached: {one_line(str(error))}"
