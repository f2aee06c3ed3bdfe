"""The face by WebSocket, for listeners without a data channel."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from typing import Any, Final

from aiohttp import web

from goassist_desktop.host.ports import Faces

QUEUE: Final = 30
"""Frames that wait for a slow listener: a second. Then the oldest is dropped."""
STUCK_S: Final = 10.0
"""A listener that takes nothing for so long is left."""


async def serve_faces(socket: web.WebSocketResponse, faces: Faces) -> None:
    """Send the frames as they are due, until the socket closes."""
    waiting: deque[dict[str, Any]] = deque(maxlen=QUEUE)
    there = asyncio.Event()

    async def collect() -> None:
        while True:
            waiting.append(await faces.next())
            there.set()

    async def send() -> None:
        while True:
            while not waiting:
                there.clear()
                await there.wait()
            async with asyncio.timeout(STUCK_S):
                await socket.send_str(json.dumps(waiting.popleft(), separators=(",", ":")))

    async def read() -> None:
        async for _ in socket:  # pings are answered; what else is said is of no use
            pass

    tasks = [asyncio.ensure_future(work()) for work in (collect, send, read)]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await socket.close()
