"""What the server of the host is given: a house that opens conversations, and one of these.

All of it is used from the host's event loop only.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from aiohttp import web


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody asks a conversation to be."""

    system_prompt: str = ""
    """Empty: the persona's."""
    avatar: bool = True
    """Without it no face is computed or sent."""


class Faces(Protocol):
    """The face of one conversation, for one listener: what is not taken in time is dropped."""

    async def next(self) -> dict[str, Any]:
        """The next frame, as JSON has it."""


class Hosted(Protocol):
    """One person's conversation."""

    @property
    def state(self) -> str:
        """Of the conversation: 'idle', 'listening', 'thinking', 'speaking', 'held' …"""

    @property
    def connected(self) -> bool:
        """Whether a peer or a PCM client is attached."""

    @property
    def quiet_s(self) -> float:
        """Seconds since anybody said anything, or a peer came or went."""

    @property
    def over(self) -> bool:
        """It ended by itself: it broke, or nobody came back within the grace of a lost peer."""

    async def offer(self, sdp: str) -> str:
        """The SDP that answers this offer. A peer there was before is replaced.

        Raises ApiError for what is no offer, or none we can serve.
        """

    async def candidate(
        self, candidate: str, sdp_mid: str | None, sdp_m_line_index: int | None
    ) -> None:
        """One more ICE candidate; the empty one says there are no more. Raises ApiError."""

    def chat(self, message: str) -> AsyncGenerator[str, None]:
        """Pieces of the written answer: nothing is said aloud. Closing it ends the answer."""

    def faces(self) -> AbstractContextManager[Faces]:
        """Follow the face, for as long as this is entered. Raises ApiError without an avatar."""

    async def pcm(self, socket: web.WebSocketResponse) -> None:
        """Serve a prepared WebSocket as microphone and loudspeaker, until it closes."""

    async def close(self) -> None:
        """End it and everything attached to it; returns when nothing of it is left."""


class House(Protocol):
    """The assistant, as the server sees it."""

    @property
    def max_sessions(self) -> int: ...

    @property
    def level(self) -> int:
        """The load level of now, 0 to 5: at 4 new sessions wait, at 5 they are refused."""

    def open(self, session_id: str, wish: Wish) -> Hosted:
        """Begin a conversation. Raises EngineFailed while the engines are not there."""

    def missing(self) -> Mapping[str, str]:
        """Stage -> what is wrong with it; empty when every stage is loaded with a real engine."""

    def replaced(self) -> Mapping[str, str]:
        """Stage -> why another engine than the chosen one is at work there."""

    def engines(self) -> list[dict[str, Any]]:
        """What is in use, one entry per stage."""

    def metrics(self) -> bytes:
        """All metrics, in Prometheus' text format 0.0.4."""
