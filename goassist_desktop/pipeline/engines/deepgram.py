"""Recognition by Deepgram, a service on the internet: what is said leaves this machine.

Its own protocol for live sound: a WebSocket at /v1/listen that takes 16-bit samples as binary
messages, and in JSON Finalize (what was sent is to be understood now), KeepAlive (or it hangs up
after 10 s without sound) and CloseStream. Back come Results, each for a stretch of the sound that
was sent, and a Metadata. See developers.deepgram.com/reference/speech-to-text/listen-streaming.

One connection is kept, in an event loop in a thread of its own: opening it takes as long as
understanding a sentence. Where it broke in between, the next utterance opens another.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import aiohttp
import numpy as np

from goassist_desktop.pipeline.engines.loop_thread import LoopThread
from goassist_desktop.pipeline.errors import ConfigError, EngineFailed
from goassist_desktop.pipeline.frames import ANALYSIS_RATE_HZ, Samples, Transcript
from goassist_desktop.pipeline.network_address import web_socket
from goassist_desktop.pipeline.one_line import one_line
from goassist_desktop.pipeline.protocols import EngineInfo

NAME: Final = "deepgram"
MODEL: Final = "nova-3"
MAX_S: Final = 30

CONNECT_S: Final = 5.0
ANSWER_S: Final = 5.0
"""So long nothing new may come of an utterance that was sent."""
LONGEST_S: Final = 20.0
"""For all of an utterance."""
KEEP_ALIVE_S: Final = 4.0
"""The service advises 3 to 5 s."""
CLOSE_S: Final = 0.3

MIN_SAMPLES: Final = ANALYSIS_RATE_HZ // 2
"""Shorter sound is followed by silence up to here: Finalize with little sound may go unanswered."""
MESSAGE_SAMPLES: Final = ANALYSIS_RATE_HZ // 4
COVERED_S: Final = 0.05
"""Sound that may be missing in the results: they are given in hundredths of a second."""

_REFUSALS: Final = {
    400: "refused the request; it may not know the language",
    401: "refused the key",
    402: "refused: the account has no credit left",
    403: "refused: the key may not do this",
    429: "refused: too many requests at once",
}
"""HTTP status of the handshake -> what it means."""


class Deepgram:
    """Recogniser for the service at `source`, 'wss://HOST'. Raises ConfigError for another form.

    `key`: of an account there; empty: what DEEPGRAM_API_KEY has. `language` as in `Whisper`;
    'auto' lets the service choose among the ten languages that it can tell apart. `hot_words`:
    words with commas between them, that are to be spelled as they are here.
    """

    def __init__(
        self,
        source: str,
        *,
        threads: int = 1,
        key: str = "",
        language: str = "en",
        hot_words: str = "",
    ) -> None:
        web_socket(source, "recognition.deepgram_url")
        self._url = source.rstrip("/")
        self._key = key
        self._query = [
            ("model", MODEL),
            ("language", "multi" if language == "auto" else language),
            ("encoding", "linear16"),
            ("sample_rate", str(ANALYSIS_RATE_HZ)),
            ("channels", "1"),
            ("punctuate", "true"),
            ("interim_results", "true"),
            # Turns are ended here; an utterance is one piece up to its Finalize.
            ("endpointing", "false"),
            *(("keyterm", word.strip()) for word in hot_words.split(",") if word.strip()),
        ]
        self._loop: LoopThread | None = None
        self._stream: _Stream | None = None

    @property
    def info(self) -> EngineInfo:
        return EngineInfo("recognition", NAME, MODEL, "Deepgram's terms of service", cloud=True)

    def load(self) -> None:
        """Connect. Raises ConfigError without a key, EngineFailed where the service is not to be
        reached or refuses."""
        if self._loop is not None:
            return
        key = self._key or os.environ.get("DEEPGRAM_API_KEY", "").strip()
        if not re.fullmatch(r"[\x21-\x7e]+", key):
            raise ConfigError(
                "recognition.deepgram_key: must be a key for engines.recognition = 'deepgram', "
                "here or as DEEPGRAM_API_KEY"
            )
        self._headers = {"Authorization": f"Token {key}"}
        self._loop = LoopThread(NAME)
        try:
            self._loop.run(self._connected())
        except EngineFailed:
            self.close()
            raise

    def close(self) -> None:
        loop, self._loop = self._loop, None
        if loop is not None:
            loop.run(self._disconnect())
            loop.stop()

    def transcribe(self, audio: Samples) -> Transcript:
        """The words in (n,) samples at 16 kHz. Raises ValueError for more than 30 s, EngineFailed
        where the service fails.

        The service has no figure for `no_speech`.
        """
        if self._loop is None:
            raise RuntimeError(f"{NAME}: transcribe before load")
        if audio.ndim != 1 or audio.size > MAX_S * ANALYSIS_RATE_HZ:
            raise ValueError(f"recognition takes one channel of at most 30 s, got {audio.shape}")
        if audio.size == 0:
            return Transcript("", no_speech=1.0, confidence=0.0)
        return self._loop.run(self._transcribe(audio))

    # -- in the loop's thread --------------------------------------------------------------------

    async def _transcribe(self, audio: Samples) -> Transcript:
        stream = await self._connected()
        try:
            async with asyncio.timeout(LONGEST_S):
                return await stream.understand(audio)
        except TimeoutError as error:
            await self._disconnect()
            raise EngineFailed(f"Deepgram did not finish within {LONGEST_S:g} s") from error
        except EngineFailed:
            # What would still come of this utterance must not be taken for the next one's.
            await self._disconnect()
            raise

    async def _connected(self) -> _Stream:
        if self._stream is not None and not self._stream.over:
            return self._stream
        await self._disconnect()
        session = aiohttp.ClientSession()
        try:
            async with asyncio.timeout(CONNECT_S):
                socket = await session.ws_connect(
                    f"{self._url}/v1/listen", params=self._query, headers=self._headers
                )
            self._stream = _Stream(session, socket)
            return self._stream
        except (aiohttp.ClientError, OSError) as error:
            raise _not_connected(error) from error
        finally:
            if self._stream is None:
                await session.close()

    async def _disconnect(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            await stream.close()


@dataclass(slots=True)
class _Result:
    """A stretch of sound that will not be revised any more; seconds from the connection's start."""

    text: str
    confidence: float
    end_s: float
    from_finalize: bool


class _Stream:
    """An open connection. What comes is read at all times: that is how a close is noticed."""

    def __init__(
        self, session: aiohttp.ClientSession, socket: aiohttp.ClientWebSocketResponse
    ) -> None:
        self._session = session
        self._socket = socket
        self._sent_s = 0.0
        self._arrived: asyncio.Queue[str | EngineFailed] = asyncio.Queue()
        self._tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._keep_alive())]

    @property
    def over(self) -> bool:
        return self._tasks[0].done()

    async def close(self) -> None:
        with suppress(ConnectionError, RuntimeError, TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                await self._tell("CloseStream")
                await self._socket.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._session.close()

    async def understand(self, audio: Samples) -> Transcript:
        """Raises EngineFailed, after which the connection is of no more use."""
        start_s = self._sent_s
        sound = np.zeros(max(audio.size, MIN_SAMPLES), "<i2")
        sound[: audio.size] = np.clip(audio, -1, 1) * 32767
        self._sent_s += sound.size / ANALYSIS_RATE_HZ
        try:
            for at in range(0, sound.size, MESSAGE_SAMPLES):
                await self._socket.send_bytes(sound[at : at + MESSAGE_SAMPLES].tobytes())
            await self._tell("Finalize")
        except (ConnectionError, RuntimeError) as error:
            raise self._hung_up() from error
        said: list[_Result] = []
        while not self._complete(said):
            result = await self._next()
            if result is not None and result.end_s > start_s + COVERED_S:
                said.append(result)
        return _joined([result for result in said if result.text])

    def _complete(self, said: list[_Result]) -> bool:
        """Not each Finalize is answered by a result that says so: with little left there is none.
        Then the results before it are of the whole sound."""
        return bool(said) and (said[-1].from_finalize or said[-1].end_s >= self._sent_s - COVERED_S)

    async def _next(self) -> _Result | None:
        try:
            async with asyncio.timeout(ANSWER_S):
                arrived = await self._arrived.get()
        except TimeoutError as error:
            raise EngineFailed(f"Deepgram did not answer for {ANSWER_S:g} s") from error
        if isinstance(arrived, EngineFailed):
            raise arrived
        return _read(arrived)

    async def _tell(self, what: str) -> None:
        await self._socket.send_str(json.dumps({"type": what}))

    async def _keep_alive(self) -> None:
        with suppress(ConnectionError, RuntimeError):  # it is over, which `_read` sees too
            while True:
                await asyncio.sleep(KEEP_ALIVE_S)
                await self._tell("KeepAlive")

    async def _read(self) -> None:
        try:
            async for message in self._socket:
                text = message.type is aiohttp.WSMsgType.TEXT
                self._arrived.put_nowait(message.data if text else "")
        finally:
            self._arrived.put_nowait(self._hung_up())

    def _hung_up(self) -> EngineFailed:
        code = self._socket.close_code
        return EngineFailed(
            "Deepgram closed the connection"
            + (f" with code {code}" if code not in (None, 1000, 1006) else "")
        )


def _read(text: str) -> _Result | None:
    """A message of the service, where it is one that says something final."""
    try:
        message = json.loads(text)
        kind = message["type"]
        if kind == "Error":
            what = one_line(str(message.get("description") or message.get("message") or "no more"))
            raise EngineFailed(f"Deepgram reports an error: {what}")
        if kind != "Results" or not message["is_final"]:
            return None
        best = message["channel"]["alternatives"][0]
        return _Result(
            text=" ".join(str(best["transcript"]).split()),
            confidence=float(best["confidence"]),
            end_s=float(message["start"]) + float(message["duration"]),
            from_finalize=bool(message.get("from_finalize")),
        )
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        sent = one_line(text)
        raise EngineFailed(f"Deepgram sent what is not its protocol: {sent!r}") from error


def _joined(said: list[_Result]) -> Transcript:
    if not said:
        return Transcript("", confidence=0.0)
    words = [len(result.text.split()) for result in said]
    confidence = float(np.average([result.confidence for result in said], weights=words))
    return Transcript(
        " ".join(result.text for result in said), confidence=min(1.0, max(0.0, confidence))
    )


def _not_connected(error: aiohttp.ClientError | OSError) -> EngineFailed:
    if isinstance(error, aiohttp.WSServerHandshakeError):
        what = _REFUSALS.get(error.status, "answered, but not as Deepgram does")
        return EngineFailed(f"Deepgram {what} (HTTP {error.status})")
    if isinstance(error, TimeoutError):
        return EngineFailed(f"Deepgram did not answer for {CONNECT_S:g} s")
    return EngineFailed(f"Deepgram can not be reached: {one_line(str(error))}")
