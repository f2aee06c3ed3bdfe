"""A WebRTC client of our own: it sends a sound, and keeps what it gets.

As a program it holds a conversation with a host, and prints what it measured as JSON; times are of
the monotonic clock, which all processes of a machine share.
"""

from __future__ import annotations

import argparse
import asyncio
import fractions
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import av
import numpy as np
from aiortc import (
    MediaStreamTrack,
    RTCConfiguration,
    RTCPeerConnection,
    RTCSessionDescription,
)
from aiortc.mediastreams import MediaStreamError

from goassist_desktop.pipeline.audio_files import read
from goassist_desktop.pipeline.resampling import resample

RATE_HZ = 48_000
FRAME = 960
AUDIBLE = 10 ** (-50 / 20)
PATIENCE_S = 40.0
"""The longest wait for an answer."""
TALKED_S = 1.0
"""It has spoken for so long before it is interrupted."""
QUIET_S = 0.3


async def until(true: Callable[[], object], seconds: float = PATIENCE_S) -> None:
    """Raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110 - of many sources, none of which tells
            await asyncio.sleep(0.01)


class Voice(MediaStreamTrack):
    """20 ms after 20 ms of what is in `say`, else silence; stereo, as browsers may send it."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self._to_say = np.zeros(0, np.float32)
        self.began: float | None = None
        """When the first frame was due."""
        self.position = 0

    def say(self, samples: np.ndarray) -> int:
        """Begin to say (n,) at 48 kHz: the position of its first sample."""
        start = self.position + len(self._to_say)
        self._to_say = np.concatenate([self._to_say, samples])
        return start

    @property
    def saying(self) -> bool:
        return len(self._to_say) > 0

    async def recv(self) -> av.AudioFrame:
        if self.readyState != "live":
            raise MediaStreamError
        if self.began is None:
            self.began = time.monotonic()
        due = self.began + self.position / RATE_HZ
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        block = np.zeros(FRAME, np.float32)
        taken = self._to_say[:FRAME]
        block[: len(taken)] = taken
        self._to_say = self._to_say[FRAME:]
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
        await until(lambda: self.pc.connectionState == "connected")
        await until(lambda: self.events is None or self.events.readyState == "open")

    def _listen(self, receiver: Any) -> None:
        """Take the packets as they come: aiortc's own buffer would hold them."""
        decoder = av.CodecContext.create("libopus", "r")
        heard = self.heard

        class Tap:
            def add(self, packet: Any) -> tuple[bool, None]:
                now = time.monotonic()
                samples = np.zeros(0, np.float32)
                for frame in decoder.decode(av.Packet(packet.payload)):
                    channels = len(frame.layout.channels)
                    block = frame.to_ndarray().reshape(-1, channels).astype(np.float32)
                    scale = 32768 if frame.format.name.startswith("s16") else 1
                    samples = np.concatenate([samples, block[:, 0] / scale])
                heard.append((now, packet.timestamp, samples))
                return False, None

        receiver._RTCRtpReceiver__jitter_buffer = Tap()

    def send(self, message: dict[str, Any]) -> None:
        self.events.send(json.dumps(message))

    @property
    def sound(self) -> np.ndarray:
        """All that came, (n,) at 48 kHz."""
        return np.concatenate([np.zeros(0, np.float32), *(samples for _, _, samples in self.heard)])

    @property
    def rtp_origin(self) -> int:
        """The RTP timestamp of the voice's first sample, once a frame was sent."""
        sender: Any = self.pc.getSenders()[0]
        last: int = sender._RTCRtpSender__rtp_timestamp
        return (last - (self.voice.position - FRAME)) & 0xFFFFFFFF

    async def close(self) -> None:
        await self.pc.close()


class Talk:
    """A conversation with a host: questions one after the other, or one over another's answer."""

    def __init__(self, url: str, token: str) -> None:
        headers = {"Authorization": f"Bearer {token}"}
        self._http = aiohttp.ClientSession(url, headers=headers)
        self.client = WebClient()
        self.session = ""

    async def begin(self) -> None:
        async with self._http.post("/sessions", json={}) as response:
            response.raise_for_status()
            self.session = (await response.json())["session_id"]

        async def answered(offer: str) -> str:
            path = f"/sessions/{self.session}/offer"
            async with self._http.post(path, json={"sdp": offer}) as response:
                response.raise_for_status()
                answer: str = (await response.json())["sdp"]
                return answer

        await self.client.connect(answered)
        await until(lambda: self._state == "listening")

    async def end(self) -> None:
        await self.client.close()
        async with self._http.delete(f"/sessions/{self.session}"):
            pass
        await self._http.close()

    async def ask(self, question: np.ndarray) -> None:
        """Ask, and hear the answer to its end."""
        turns = len(self._of("turn"))
        self.client.voice.say(question)
        await until(lambda: len(self._of("turn")) > turns and self._state == "listening")

    async def interrupt(self, question: np.ndarray) -> float | None:
        """Speak over the answer: ms from there to the last sound that came of it."""
        await until(lambda: self._state == "speaking")
        await asyncio.sleep(TALKED_S)
        if self._state != "speaking":
            return None
        onset = int(np.flatnonzero(np.abs(question) > 0.02)[0])
        voice = self.client.voice
        said = voice.say(question) + onset
        assert voice.began is not None
        spoke_at = voice.began + (said - FRAME) / RATE_HZ
        await asyncio.sleep(max(0.0, spoke_at - time.monotonic()))
        await until(lambda: self._last_sound() + QUIET_S < time.monotonic())
        return (self._last_sound() - spoke_at) * 1000

    def measured(self) -> dict[str, Any]:
        """What came, for who puts it together with what was sent."""
        client = self.client
        return {
            "session": self.session,
            "turns": self._of("turn"),
            "clocks": self._of("clock"),
            "faces": [(at, m["t_audio_ms"], m["heartbeat"]) for at, m in client.faces],
            "packets": [(at, rtp, _is_loud(samples)) for at, rtp, samples in client.heard],
            "voice_began": client.voice.began,
            "voice_rtp": client.rtp_origin,
        }

    def _last_sound(self) -> float:
        """When the last audible packet came."""
        return next((at for at, _, s in reversed(self.client.heard) if _is_loud(s)), 0.0)

    @property
    def _state(self) -> str:
        states = self._of("state")
        return states[-1]["state"] if states else ""

    def _of(self, kind: str) -> list[dict[str, Any]]:
        return [message for message in self.client.messages if message["type"] == kind]


def _is_loud(samples: np.ndarray) -> bool:
    return bool(len(samples)) and float(np.abs(samples).max()) > AUDIBLE


def recorded(path: Path) -> np.ndarray:
    """A recording (n,) at 48 kHz."""
    samples, rate_hz = read(path)
    return resample(samples, rate_hz, RATE_HZ)


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("--token", required=True)
    parser.add_argument("--ask", type=Path, nargs="*", default=[])
    parser.add_argument("--interrupt", type=Path, nargs="*", default=[])
    args = parser.parse_args()
    talk = Talk(args.url, args.token)
    await talk.begin()
    for wav in args.ask:
        await talk.ask(recorded(wav))
    barge_ins = []
    for place, wav in enumerate(args.interrupt):
        question = recorded(wav)
        if place:
            barge_ins.append(await talk.interrupt(question))
        else:
            talk.client.voice.say(question)
    measured = talk.measured() | {"barge_ins_ms": barge_ins}
    await talk.end()
    json.dump(measured, sys.stdout)


if __name__ == "__main__":
    asyncio.run(main())
