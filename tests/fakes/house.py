"""A house whose conversations are small: they count, repeat what they are told, and end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from aiohttp import WSMsgType, web

from goassist_desktop.host.errors import ApiError
from goassist_desktop.host.ports import Wish
from goassist_desktop.pipeline.blendshapes import NAMES
from goassist_desktop.pipeline.errors import EngineFailed


class CountingFaces:
    """A frame whenever it is asked for one, at once or every `pause_s`."""

    def __init__(self, pause_s: float) -> None:
        self.made = 0
        self.pause_s = pause_s

    async def next(self) -> dict[str, Any]:
        await asyncio.sleep(self.pause_s)
        self.made += 1
        return {
            "session_id": "x",
            "seq": self.made - 1,
            "t_audio_ms": 33.3 * self.made,
            "fps": 30,
            "heartbeat": False,
            "blendshapes": dict.fromkeys(NAMES, 0.0),
        }


class EchoSession:
    """A `ports.Hosted`."""

    def __init__(self, wish: Wish) -> None:
        self.wish = wish
        self.state = "listening"
        self.connected = False
        self.quiet_s = 0.0
        self.over = False
        self.closed = 0
        self.candidates: list[str] = []
        self.open_chats = 0
        self.frames = CountingFaces(0.001)

    async def offer(self, sdp: str) -> str:
        if not sdp.startswith("v=0"):
            raise ApiError(400, "bad_sdp", "This is not an SDP offer that can be answered.")
        self.connected = True
        return "v=0 answer"

    async def candidate(self, candidate: str, sdp_mid: str | None, index: int | None) -> None:
        if not self.connected:
            raise ApiError(409, "no_peer", "There was no offer that this candidate belongs to.")
        self.candidates.append(candidate)

    async def chat(self, message: str) -> AsyncGenerator[str, None]:
        self.open_chats += 1
        try:
            if message == "break":
                raise EngineFailed("the model is gone")
            for word in f"you said {message}".split():
                await asyncio.sleep(0)
                yield f"{word} "
            if message == "for ever":
                await asyncio.Event().wait()
        finally:
            self.open_chats -= 1

    @contextmanager
    def faces(self) -> Iterator[CountingFaces]:
        if not self.wish.avatar:
            raise ApiError(409, "no_avatar", "This session was made without a face.")
        yield self.frames

    async def pcm(self, socket: web.WebSocketResponse) -> None:
        async for message in socket:
            if message.type is WSMsgType.BINARY:
                await socket.send_bytes(message.data)

    async def close(self) -> None:
        self.closed += 1


class EchoHouse:
    """A `ports.House`."""

    def __init__(self, max_sessions: int = 5) -> None:
        self.max_sessions = max_sessions
        self.level = 0
        self.opened: dict[str, EchoSession] = {}
        self.lacking: dict[str, str] = {}
        self.broken = False

    def open(self, session_id: str, wish: Wish) -> EchoSession:
        if self.broken:
            raise EngineFailed("no seat")
        self.opened[session_id] = session = EchoSession(wish)
        return session

    def missing(self) -> Mapping[str, str]:
        return self.lacking

    def replaced(self) -> Mapping[str, str]:
        return {}

    def engines(self) -> list[dict[str, Any]]:
        return [{"stage": "language_model", "name": "echo"}]

    def metrics(self) -> bytes:
        return b"# TYPE goassist_sessions counter\ngoassist_sessions_total 0.0\n"
