"""Sound as it is, in packets over a WebSocket, for clients without WebRTC. See docs/pcm.md.

A packet holds 20 ms and begins 15 ms after the one before, so that its first 5 ms are that one's
last: where one is lost, only two thirds of what it brought are.
"""

from __future__ import annotations

import asyncio
import json
import struct
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from aiohttp import WSMsgType, web

from goassist_desktop.pipeline.audio_files import as_16_bit
from goassist_desktop.pipeline.endpoints.remote import RATE_HZ, RemoteEndpoint
from goassist_desktop.pipeline.frames import ANALYSIS_RATE_HZ, Samples

PACKET_MS: Final = 20
OVERLAP_MS: Final = 5
HEADER: Final = struct.Struct("<2sBxIQ")
"""Magic, version, a byte of nothing, number of the packet, and place of its first sample."""
MAGIC: Final = b"GP"
VERSION: Final = 1
LONGEST_GAP: Final = 67
"""Packets, a second: what is lost beyond that is no loss but another stream."""
WAITING: Final = 25
"""Packets that wait for a slow client; then the oldest is dropped."""
STUCK_S: Final = 5.0
AHEAD_S: Final = 1.0
"""A client can not have heard more than there was time for."""
LONGEST_MESSAGE: Final = 8_192
MOST_EVENTS: Final = 1_000

Pcm = npt.NDArray[np.int16]


class BadPacket(ValueError):
    """What came is no packet of this stream."""


def sizes(rate_hz: int) -> tuple[int, int]:
    """Samples of a packet, and from the beginning of one to that of the next."""
    return rate_hz * PACKET_MS // 1000, rate_hz * (PACKET_MS - OVERLAP_MS) // 1000


class Packer:
    """Samples of any portions to packets."""

    def __init__(self, rate_hz: int) -> None:
        self._size, self._hop = sizes(rate_hz)
        self._kept: Pcm = np.zeros(0, np.int16)
        self._sequence = 0

    def push(self, samples: Pcm) -> list[bytes]:
        """The packets that (n,) more samples complete."""
        self._kept = np.concatenate([self._kept, samples])
        packets = []
        while len(self._kept) >= self._size:
            packets.append(self._packet(self._kept[: self._size]))
            self._kept = self._kept[self._hop :]
        return packets

    def finish(self) -> list[bytes]:
        """What is left, filled up with silence."""
        overlap = self._size - self._hop if self._sequence else 0
        if len(self._kept) <= overlap:
            return []
        rest = np.zeros(self._size, np.int16)
        rest[: len(self._kept)] = self._kept
        self._kept = self._kept[:0]
        return [self._packet(rest)]

    def _packet(self, samples: Pcm) -> bytes:
        header = HEADER.pack(MAGIC, VERSION, self._sequence, self._sequence * self._hop)
        self._sequence += 1
        return header + samples.astype("<i2").tobytes()


class Unpacker:
    """Packets of one stream to samples, each once and in order."""

    def __init__(self, rate_hz: int) -> None:
        self._size, self._hop = sizes(rate_hz)
        self._next = 0
        self.lost = 0
        """Packets."""

    def push(self, packet: bytes) -> Pcm:
        """What (n,) samples a packet adds; silence where others were lost, nothing where it is
        late. Raises BadPacket."""
        if len(packet) != HEADER.size + 2 * self._size:
            raise BadPacket(f"{len(packet)} bytes, not {HEADER.size + 2 * self._size}")
        magic, version, sequence, place = HEADER.unpack_from(packet)
        if magic != MAGIC or version != VERSION:
            raise BadPacket(f"not a packet of version {VERSION}")
        if place != sequence * self._hop:
            raise BadPacket("number and place do not belong together")
        missing = sequence - self._next
        if missing < 0:
            return np.zeros(0, np.int16)
        if missing > LONGEST_GAP:
            raise BadPacket(f"{missing} packets are missing")
        samples = np.frombuffer(packet, "<i2", offset=HEADER.size).astype(np.int16)
        self.lost += missing
        overlap = self._size - self._hop
        # Of the packets that are missing, the one before this brought what this one repeats.
        known = 0 if sequence == 0 else overlap
        gap = missing * self._hop
        self._next = sequence + 1
        if missing == 0:
            return samples[known:]
        if sequence == missing:  # none came before
            return np.concatenate([np.zeros(gap, np.int16), samples])
        return np.concatenate([np.zeros(gap - overlap, np.int16), samples])


class PcmLine:
    """A client's WebSocket as microphone and loudspeaker of an endpoint: `serve` it, once."""

    def __init__(
        self,
        socket: web.WebSocketResponse,
        endpoint: RemoteEndpoint,
        receive: Callable[[dict[str, Any]], None],
    ) -> None:
        self._socket = socket
        self._endpoint = endpoint
        self._receive = receive
        self._packer = Packer(RATE_HZ)
        self._unpacker = Unpacker(ANALYSIS_RATE_HZ)
        self._sound: deque[bytes] = deque(maxlen=WAITING)
        self._events: deque[str] = deque(maxlen=MOST_EVENTS)
        self.dropped = 0
        """Packets that were not taken in time."""
        self._there = asyncio.Event()
        self._code, self._reason = 1000, b""
        request = socket._req
        self._transport = None if request is None else request.transport

    def send_event(self, message: dict[str, Any]) -> None:
        self._events.append(json.dumps(message))
        self._there.set()

    async def close(self) -> None:
        """Somebody else takes the line."""
        self._code, self._reason = 4000, b"replaced"
        self._endpoint.detach(self._send)
        with suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout(1.0):
                await self._socket.close(code=self._code, message=self._reason)

    async def serve(self) -> None:
        """Until the socket closes, or the client breaks the rules: then it closes with a reason."""
        self._endpoint.attach(self._send, sizes(RATE_HZ)[1])
        writing = asyncio.create_task(self._write(), name="pcm writer")
        try:
            await self._read()
        finally:
            self._endpoint.detach(self._send)
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)
            await self._socket.close(code=self._code, message=self._reason)

    def _send(self, samples: Samples, position: int) -> None:
        for packet in self._packer.push(as_16_bit(samples)):
            self.dropped += len(self._sound) == WAITING
            self._sound.append(packet)
        self._there.set()

    async def _read(self) -> None:
        loop = asyncio.get_running_loop()
        began, heard = loop.time(), 0
        async for message in self._socket:
            if message.type is WSMsgType.TEXT:
                self._on_text(message.data)
                continue
            if message.type is not WSMsgType.BINARY:
                return
            try:
                samples = self._unpacker.push(message.data)
            except BadPacket:
                self._code, self._reason = 1007, b"bad_packet"
                return
            heard += len(samples)
            if heard / ANALYSIS_RATE_HZ > loop.time() - began + AHEAD_S:
                self._code, self._reason = 1008, b"too_fast"
                return
            self._endpoint.hear(samples.astype(np.float32) / np.float32(32768))

    def _on_text(self, text: str) -> None:
        if len(text) > LONGEST_MESSAGE:
            return
        with suppress(ValueError, RecursionError):
            content = json.loads(text)
            if isinstance(content, dict):
                self._receive(content)

    async def _write(self) -> None:
        try:
            while True:
                async with asyncio.timeout(STUCK_S):
                    while self._events:
                        await self._socket.send_str(self._events.popleft())
                    while self._sound:
                        await self._socket.send_bytes(self._sound.popleft())
                self._there.clear()
                await self._there.wait()
        except (TimeoutError, ConnectionError):
            self._code, self._reason = 1008, b"too_slow"
            if self._transport is not None:  # who takes nothing takes no farewell either
                self._transport.abort()
