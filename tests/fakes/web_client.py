"""A WebRTC client of our own: it sends a sound, and keeps what it gets."""

from __future__ import annotations

import asyncio
import fractions
import json
import time
from typing import Any

import av
import numpy as np
from aiortc import (
    MediaStreamTrack,
    RTCConfiguration,
    RTCPeerConnection,
    RTCSessionDescription,
)
from aiortc.mediastreams import MediaStreamError

RATE_HZ = 48_000
FRAME = 960


class Voice(MediaStreamTrack):
    """20 ms after 20 ms of what is in `say`, else silence; stereo, as browsers may send it."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self._waiting = np.zeros(0, np.float32)
        self._began: float | None = None
        self.position = 0

    def say(self, samples: np.ndarray) -> int:
        """Begin to say (n,) at 48 kHz: the position of its first sample."""
        start = self.position + len(self._waiting)
        self._waiting = np.concatenate([self._waiting, samples])
        return start

    @property
    def saying(self) -> bool:
        return len(self._waiting) > 0

    async def recv(self) -> av.AudioFrame:
        if self.readyState != "live":
            raise MediaStreamError
        if self._began is None:
            self._began = time.monotonic()
        due = self._began + self.position / RATE_HZ
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        block = np.zeros(FRAME, np.float32)
        taken = self._waiting[:FRAME]
        block[: len(taken)] = taken
        self._waiting = self._waiting[FRAME:]
        both = np.repeat((block * 32767).astype(np.int16), 2)[None]
        frame = av.AudioFrame.from_ndarray(both, format="s16", layout="stereo")
        frame.sample_rate, frame.pts = RATE_HZ, self.position
        frame.time_base = fractions.Fraction(1, RATE_HZ)
        self.position += FRAME
        return frame


class WebClient:
    """`connect` with a function that answers offers; then look at what came."""

    def __init__(self, ice: RTCConfiguration | None = None, *, channels: bool = True) -> None:
        self.pc = RTCPeerConnection(ice or RTCConfiguration(iceServers=[]))
        self.voice = Voice()
        self.messages: list[dict[str, Any]] = []
        self.faces: list[tuple[float, dict[str, Any]]] = []
        """When each came, by the monotonic clock, and what it was."""
        self.heard: list[tuple[float, int, np.ndarray]] = []
        """When each packet came, its RTP timestamp, and its sound (n,) at 48 kHz."""
        self.events: Any = None
        self.pc.addTrack(self.voice)
        if channels:
            self.events = self.pc.createDataChannel("events")
            self.events.on("message", lambda m: self.messages.append(json.loads(m)))
            blendshapes = self.pc.createDataChannel("blendshapes", ordered=False, maxRetransmits=0)
            blendshapes.on(
                "message", lambda m: self.faces.append((time.monotonic(), json.loads(m)))
            )

    async def offer(self) -> str:
        await self.pc.setLocalDescription(await self.pc.createOffer())
        return self.pc.localDescription.sdp

    async def connect(self, answered: Any) -> None:
        """`answered`: an async function from offer to answer, as SDP."""
        answer = await answered(await self.offer())
        for transceiver in self.pc.getTransceivers():
            self._listen(transceiver.receiver)
        await self.pc.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        async with asyncio.timeout(10):
            while self.pc.connectionState != "connected":
                await asyncio.sleep(0.01)
            while self.events is not None and self.events.readyState != "open":
                await asyncio.sleep(0.01)

    def _listen(self, receiver: Any) -> None:
        decoder = av.CodecContext.create("libopus", "r")

        class Tap:
            def add(tap, packet: Any) -> tuple[bool, None]:
                now = time.monotonic()
                samples = np.zeros(0, np.float32)
                for frame in decoder.decode(av.Packet(packet.payload)):
                    channels = len(frame.layout.channels)
                    block = frame.to_ndarray().reshape(-1, channels).astype(np.float32)
                    scale = 32768 if frame.format.name.startswith("s16") else 1
                    samples = np.concatenate([samples, block[:, 0] / scale])
                self.heard.append((now, packet.timestamp, samples))
                return False, None

        receiver._RTCRtpReceiver__jitter_buffer = Tap()

    def send(self, message: dict[str, Any]) -> None:
        self.events.send(json.dumps(message))

    @property
    def sound(self) -> np.ndarray:
        """All that came, (n,) at 48 kHz."""
        return np.concatenate([np.zeros(0, np.float32), *(samples for _, _, samples in self.heard)])

    async def close(self) -> None:
        await self.pc.close()
