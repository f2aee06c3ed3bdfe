"""A Kyutai TTS server on loopback, which speaks as rust/moshi-server does, with a real voice: good,
or broken in one way.

It is strict about what it is sent: whatever breaks the protocol is kept in `complaints`.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import msgpack
import numpy as np
from aiohttp import WSMsgType, web

from goassist_desktop.pipeline.frames import Speech

KEY = "a-good-key"
FRAME = 1920
RATE_HZ = 24_000
AHEAD_FRAMES = 16
"""So much before its sound a word's place is known."""
LEAD_S = 0.24
"""Silence before the first word."""


@dataclass
class Call:
    """What one connection brought."""

    query: dict[str, str]
    words: list[str] = field(default_factory=list)
    frames: int = 0
    """Sent."""
    closed: bool = False


Answer = Callable[["KyutaiServer", web.WebSocketResponse, Call], Awaitable[None]]
"""What it sends once all words are there."""


async def good(server: KyutaiServer, socket: web.WebSocketResponse, call: Call) -> None:
    """Ready was sent. Places of words go out when the next word begins, ahead of the sound."""
    sound, places = server.spoken(" ".join(call.words))
    frames = -(-len(sound) // FRAME)
    padded = np.zeros(frames * FRAME, np.float32)
    padded[: len(sound)] = sound
    for step in range(frames + AHEAD_FRAMES):
        while places and (step * FRAME >= places[0][2] * RATE_HZ):
            text, start_s, stop_s = places.pop(0)
            await send(socket, type="Text", text=text, start_s=start_s, stop_s=stop_s)
        if step >= AHEAD_FRAMES:
            at = (step - AHEAD_FRAMES) * FRAME
            await send(socket, type="Audio", pcm=padded[at : at + FRAME].tolist())
            call.frames += 1
        await asyncio.sleep(server.step_s)
    for text, start_s, stop_s in places:
        await send(socket, type="Text", text=text, start_s=start_s, stop_s=stop_s)


async def send(socket: web.WebSocketResponse, **message: Any) -> None:
    await socket.send_bytes(msgpack.packb(message, use_single_float=True))


class KyutaiServer:
    """`with KyutaiServer(speak) as server:` listens at `server.url`.

    `speak`: from a text to its sound with the places of its words. `step_s`: what 80 ms of sound
    take it. `status`: of an answer that opens no stream. `places`: how many it may serve at once.
    """

    def __init__(
        self,
        speak: Callable[[str], Iterator[Speech]],
        *,
        answer: Answer = good,
        status: int = 0,
        step_s: float = 0.0,
        places: int = 8,
    ) -> None:
        self.calls: list[Call] = []
        self.complaints: list[str] = []
        self.answer, self.status, self.step_s, self.places = answer, status, step_s, places
        self.url = ""
        self._speak = speak
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fake kyutai")

    def spoken(self, text: str) -> tuple[Any, list[tuple[str, float, float]]]:
        """Sound with a lead of silence; a word ends where the next one begins, as there."""
        sounds, names, starts = [np.zeros(int(LEAD_S * RATE_HZ), np.float32)], [], []
        length = len(sounds[0])
        for speech in self._speak(text):
            names += [word.text for word in speech.words]
            starts += [(length + word.start) / RATE_HZ for word in speech.words]
            sounds.append(speech.samples)
            length += len(speech.samples)
        frame_s = FRAME / RATE_HZ
        starts = [frame_s * int(start / frame_s) for start in starts]
        stops = [*starts[1:], length / RATE_HZ]
        return np.concatenate(sounds), list(zip(names, starts, stops, strict=True))

    @property
    def busy(self) -> int:
        return sum(not call.closed for call in self.calls)

    def __enter__(self) -> KyutaiServer:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(5)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result(5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _start(self) -> None:
        app = web.Application()
        app.router.add_get("/api/tts_streaming", self._stream)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"ws://127.0.0.1:{self._runner.addresses[0][1]}"

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("kyutai-api-key") != KEY:
            return web.Response(status=401, text="unauthorized")
        if self.status:
            return web.Response(status=self.status, text="<html>Welcome</html>")
        if request.query.get("format") != "PcmMessagePack":
            self.complaints.append(f"format {request.query.get('format')}")
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        if self.busy >= self.places:
            await send(socket, type="Error", message="no free channels")
            await socket.close()
            return socket
        call = Call(dict(request.query))
        self.calls.append(call)
        await send(socket, type="Ready")
        answering = None
        try:
            async for message in socket:
                if message.type is not WSMsgType.BINARY:
                    self.complaints.append(f"a message of type {message.type}")
                    continue
                match msgpack.unpackb(message.data):
                    case {"type": "Text", "text": str(text)} if text and " " not in text:
                        call.words.append(text)
                    case {"type": "Eos"}:
                        answering = asyncio.create_task(self._answered(socket, call))
                    case other:
                        self.complaints.append(f"{other}")
        finally:
            call.closed = True
            if answering is not None:
                answering.cancel()
                await asyncio.gather(answering, return_exceptions=True)
        return socket

    async def _answered(self, socket: web.WebSocketResponse, call: Call) -> None:
        await self.answer(self, socket, call)
        await socket.close()
