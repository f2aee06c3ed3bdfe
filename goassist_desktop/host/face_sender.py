"""The face of a conversation on its way to whoever looks at it, beside the sound it belongs to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from goassist_desktop.pipeline.endpoints.remote import RemoteEndpoint
from goassist_desktop.pipeline.face_feed import FaceFeed, Posing


class FaceSender:
    """The frames of one listener, made when they are due.

    A frame is made when the sound it belongs to is given to the network, and so is there when that
    is heard: the other end holds sound back for longer than pictures.
    """

    def __init__(
        self,
        session_id: str,
        face: Posing,
        endpoint: RemoteEndpoint,
        fps: Callable[[], int],
    ) -> None:
        self._session_id = session_id
        self._endpoint = endpoint
        self._feed = FaceFeed(face, fps())
        self._fps = fps

    async def next(self) -> dict[str, Any]:
        """The next frame, as JSON has it. Frames that nobody waits for are never made."""
        while True:
            self._feed.pace(self._fps())
            message = self._feed.due(self._endpoint.leaving_ms)
            if message is not None:
                return message.as_dict(self._session_id) | {
                    "head": [round(degrees, 2) for degrees in message.head]
                }
            await asyncio.sleep(self._pause_s())

    def _pause_s(self) -> float:
        """Until the next frame's time has come."""
        frame_ms = 1000 / self._fps()
        return (frame_ms - self._endpoint.leaving_ms % frame_ms + 0.5) / 1000

    async def send(self, to: Callable[[dict[str, Any]], None]) -> None:
        """All of them, until cancelled."""
        while True:
            to(await self.next())
