"""Talks with a GoAssist host over a WebSocket: says a WAV file, and keeps what is answered.

    python docs/pcm_client.py https://127.0.0.1:8443 --token … --fingerprint 2F:5D:… \\
        question.wav answer.wav

Token and fingerprint are those of the host, which shows the latter: it stands in for a certificate
authority. Needs aiohttp, numpy, soundfile and soxr. See pcm.md for the packets.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import struct
import time

import aiohttp
import numpy as np
import soundfile
import soxr

HEADER = struct.Struct("<2sBxIQ")
UP_HZ, DOWN_HZ = 16_000, 48_000
PACKET_MS, HOP_MS = 20, 15
PATIENCE_S = 60.0


def pack(number: int, samples: np.ndarray, rate_hz: int) -> bytes:
    """One packet: `samples` are 20 ms, of which the first 5 were in the packet before."""
    return HEADER.pack(b"GP", 1, number, number * rate_hz * HOP_MS // 1000) + samples.tobytes()


class Joiner:
    """Packets to samples: each once, and silence for what is missing."""

    def __init__(self, rate_hz: int) -> None:
        self.hop = rate_hz * HOP_MS // 1000
        self.samples = np.zeros(0, np.int16)

    def take(self, packet: bytes) -> None:
        _, _, _, place = HEADER.unpack_from(packet)
        content = np.frombuffer(packet, "<i2", offset=HEADER.size)
        have = len(self.samples)
        if place + len(content) <= have:
            return  # late, or twice
        missing = np.zeros(max(0, place - have), np.int16)
        self.samples = np.concatenate([self.samples, missing, content[max(0, have - place) :]])


async def speak(socket: aiohttp.ClientWebSocketResponse, said: np.ndarray) -> None:
    """Send (n,) at 16 kHz in real time, and silence after it."""
    size, hop = UP_HZ * PACKET_MS // 1000, UP_HZ * HOP_MS // 1000
    began, number = time.monotonic(), 0
    while True:
        block = np.zeros(size, "<i2")
        part = said[number * hop : number * hop + size]
        block[: len(part)] = part
        await socket.send_bytes(pack(number, block, UP_HZ))
        number += 1
        await asyncio.sleep(max(0.0, began + number * HOP_MS / 1000 - time.monotonic()))


async def listen(socket: aiohttp.ClientWebSocketResponse, joiner: Joiner) -> None:
    """Until a turn is over: then its words are printed."""
    async for message in socket:
        if message.type is aiohttp.WSMsgType.BINARY:
            joiner.take(message.data)
            continue
        event = json.loads(message.data)
        if event["type"] == "turn":
            print(f"you        {event['user_text']}")  # noqa: T201
            print(f"assistant  {event['heard_text']}")  # noqa: T201
            return
    raise SystemExit(f"the host closed the line: {socket.close_code}")


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("url", help="the host, such as https://127.0.0.1:8443")
    parser.add_argument("question", help="a sound file: what is said")
    parser.add_argument("answer", help="a WAV file to be written")
    parser.add_argument("--token", required=True)
    parser.add_argument("--fingerprint", help="SHA-256 of the host's own certificate, as it shows")
    args = parser.parse_args()
    known = True
    if args.fingerprint:
        known = aiohttp.Fingerprint(bytes.fromhex(args.fingerprint.replace(":", "")))
    sound, rate_hz = soundfile.read(args.question, dtype="float32", always_2d=True)
    said = (soxr.resample(sound.mean(axis=1), rate_hz, UP_HZ) * 32767).astype("<i2")
    joiner = Joiner(DOWN_HZ)
    headers = {"Authorization": f"Bearer {args.token}"}
    async with aiohttp.ClientSession(args.url, headers=headers) as http:
        async with http.post("/sessions", json={"enable_avatar": False}, ssl=known) as response:
            session = await response.json()
            if response.status != 201:
                raise SystemExit(session["error"]["message"])
        path = f"/sessions/{session['session_id']}"
        async with http.ws_connect(f"{path}/pcm", ssl=known) as socket:
            speaking = asyncio.create_task(speak(socket, said))
            try:
                async with asyncio.timeout(PATIENCE_S):
                    await listen(socket, joiner)
            finally:
                speaking.cancel()
        async with http.delete(path, ssl=known):
            pass
    soundfile.write(args.answer, joiner.samples, DOWN_HZ)


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except aiohttp.ClientConnectorCertificateError:
        raise SystemExit(
            "the host's certificate is its own: pass the --fingerprint it shows"
        ) from None
    except aiohttp.ServerFingerprintMismatch:
        raise SystemExit("this is not the host of that fingerprint") from None
    except aiohttp.ClientError as error:
        raise SystemExit(f"the host can not be reached: {error}") from None
