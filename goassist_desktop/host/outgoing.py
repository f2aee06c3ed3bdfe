"""The assistant's voice on its way to a peer: encoded at once, and never kept."""

from __future__ import annotations

import asyncio
from collections import deque
from fractions import Fraction
from typing import Any, Final

import av
from aiortc import MediaStreamTrack, RTCRtpSender
from aiortc.mediastreams import MediaStreamError

from goassist_desktop.host.opus import RATE_HZ, Encoder
from goassist_desktop.pipeline.frames import Samples

WAITING: Final = 3
"""Packets at most that the network has not taken: older sound is dropped, not sent late."""
_TIME_BASE: Final = Fraction(1, RATE_HZ)


class OutgoingVoice(MediaStreamTrack):
    """A track of packets. `send` is what a RemoteEndpoint gives its frames to."""

    kind = "audio"

    def __init__(self) -> None:
        """Raises EngineFailed without the library of Opus."""
        super().__init__()
        self.dropped = 0
        """Packets."""
        self._encoder = Encoder()
        self._packets: deque[Any] = deque()
        self._there = asyncio.Event()
        self._sender: RTCRtpSender | None = None
        self._taken: int | None = None
        self._origin: int | None = None

    def sent_by(self, sender: RTCRtpSender) -> None:
        self._sender = sender

    def send(self, samples: Samples, position: int) -> None:
        """The frame (n,) at 48 kHz before which `position` samples were given."""
        packet = av.Packet(self._encoder.encode(samples))
        packet.pts, packet.time_base = position, _TIME_BASE
        while len(self._packets) >= WAITING:
            self._packets.popleft()
            self.dropped += 1
        self._packets.append(packet)
        self._there.set()

    async def recv(self) -> Any:
        """The next packet, for aiortc, which sends it as it is."""
        self._note_origin()
        while not self._packets:
            if self.readyState != "live":
                raise MediaStreamError
            self._there.clear()
            await self._there.wait()
        packet = self._packets.popleft()
        self._taken = packet.pts
        return packet

    def stop(self) -> None:
        super().stop()
        self._there.set()

    def rtp_of(self, position: int) -> int | None:
        """The RTP timestamp of the sample at this position; None before the first was sent."""
        return None if self._origin is None else (self._origin + position) & 0xFFFFFFFF

    def _note_origin(self) -> None:
        """aiortc counts from a random number, which it tells nobody: but it remembers the last
        timestamp it sent, and has sent the last packet when it asks for the next."""
        if self._origin is None and self._taken is not None and self._sender is not None:
            last: int = self._sender._RTCRtpSender__rtp_timestamp  # type: ignore[attr-defined]
            if last:
                self._origin = (last - self._taken) & 0xFFFFFFFF
