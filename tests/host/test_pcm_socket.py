"""PCM over a real WebSocket: both ways, and what closes it."""

from __future__ import annotations

import asyncio
import importlib.util
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pytest
from aiohttp import web

from goassist_desktop.host import pcm
from goassist_desktop.host.pcm import HEADER, Packer, PcmLine
from goassist_desktop.pipeline.audio_files import as_16_bit
from goassist_desktop.pipeline.endpoints.remote import RemoteEndpoint
from goassist_desktop.pipeline.frames import Samples


def client_program() -> Any:
    """docs/pcm_client.py, as a module."""
    path = Path(__file__).parents[2] / "docs" / "pcm_client.py"
    spec = importlib.util.spec_from_file_location("pcm_client", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Noise:
    def __init__(self) -> None:
        self.played: list[Samples] = []
        self._random = np.random.default_rng(3)

    def pull(self, count: int) -> Samples:
        self.played.append(self._random.uniform(-1, 1, count).astype(np.float32))
        return self.played[-1]


class There:
    """A server with one endpoint; whoever connects gets its line."""

    def __init__(self) -> None:
        self.endpoint = RemoteEndpoint()
        self.noise = Noise()
        self.blocks: list[Samples] = []
        self.received: list[dict[str, Any]] = []
        self.lines: list[PcmLine] = []
        self.url = ""

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        line = PcmLine(socket, self.endpoint, self.received.append)
        for other in self.lines:
            await other.close()
        self.lines.append(line)
        await line.serve()
        return socket


@asynccontextmanager
async def serving() -> AsyncIterator[There]:
    there = There()
    there.endpoint.start(there.noise, there.blocks.append, lambda notice: None)
    app = web.Application()
    app.router.add_get("/", there.serve)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    there.url = "http://{}:{}/".format(*runner.addresses[0])
    try:
        yield there
    finally:
        there.endpoint.stop()
        await runner.cleanup()


@asynccontextmanager
async def connected() -> AsyncIterator[tuple[There, aiohttp.ClientWebSocketResponse]]:
    async with serving() as there, aiohttp.ClientSession() as http:
        async with http.ws_connect(there.url) as socket:
            yield there, socket


async def closed(socket: aiohttp.ClientWebSocketResponse) -> tuple[int | None, str]:
    async with asyncio.timeout(10):
        while (message := await socket.receive()).type is not aiohttp.WSMsgType.CLOSE:
            assert message.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY)
        return message.data, message.extra


async def test_what_is_played_comes_bit_for_bit() -> None:
    joiner = client_program().Joiner(48_000)
    async with connected() as (there, socket):
        while len(joiner.samples) < 24_000:
            joiner.take((await socket.receive()).data)
        everything = as_16_bit(np.concatenate(there.noise.played))
    got = joiner.samples
    starts = np.flatnonzero(everything[: len(everything) - 1000] == got[0])
    assert any(np.array_equal(everything[s : s + len(got)], got) for s in starts)


async def test_what_is_said_is_heard() -> None:
    said = np.random.default_rng(1).integers(-9000, 9000, 8000).astype(np.int16) | np.int16(1)
    async with connected() as (there, socket):
        for number, packet in enumerate(Packer(16_000).push(said)):
            own = client_program().pack(number, said[240 * number : 240 * number + 320], 16_000)
            assert own == packet
            await socket.send_bytes(packet)
            await asyncio.sleep(0.015)
        async with asyncio.timeout(5):
            while np.count_nonzero(np.concatenate(there.blocks)) < 7600:
                await asyncio.sleep(0.02)
        heard = np.concatenate(there.blocks)
    words = (heard[heard != 0] * 32768).astype(np.int16)
    assert np.array_equal(words, said[: len(words)])


async def test_messages_go_both_ways() -> None:
    async with connected() as (there, socket):
        await socket.send_str('{"type": "stop"}')
        for junk in ("junk", "[1]", "[" * 5000, "x" * 10_000):
            await socket.send_str(junk)
        await socket.send_str('{"type": "mute", "muted": true}')
        there.lines[0].send_event({"type": "state", "state": "listening"})
        async with asyncio.timeout(5):
            while (message := await socket.receive()).type is not aiohttp.WSMsgType.TEXT:
                pass
            while len(there.received) < 2:
                await asyncio.sleep(0.01)
    assert json.loads(message.data) == {"type": "state", "state": "listening"}
    assert there.received == [{"type": "stop"}, {"type": "mute", "muted": True}]


@pytest.mark.parametrize(
    "packet", [b"", b"junk", HEADER.pack(b"GP", 2, 0, 0) + bytes(640), bytes(656)]
)
async def test_what_is_no_packet_closes_it(packet: bytes) -> None:
    async with connected() as (_, socket):
        await socket.send_bytes(packet)
        assert await closed(socket) == (1007, "bad_packet")


async def test_who_sends_faster_than_time_passes_is_refused() -> None:
    async with connected() as (there, socket):
        for packet in Packer(16_000).push(np.ones(16_000 * 5, np.int16)):
            await socket.send_bytes(packet)
        assert await closed(socket) == (1008, "too_fast")
        assert len(there.blocks) < 500


async def test_somebody_else_takes_the_line() -> None:
    async with serving() as there, aiohttp.ClientSession() as http:
        async with http.ws_connect(there.url) as first, http.ws_connect(there.url) as second:
            assert await closed(first) == (4000, "replaced")
            assert (await second.receive()).type is aiohttp.WSMsgType.BINARY


async def test_who_takes_nothing_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pcm, "STUCK_S", 0.3)
    async with connected() as (there, socket):
        transport = socket._response.connection.transport  # type: ignore[union-attr]
        transport.pause_reading()
        line = there.lines[0]
        loud = np.ones(720 * 50, np.float32)
        async with asyncio.timeout(20):
            while there.endpoint._send is not None:
                for start in range(0, len(loud), 720):
                    line._send(loud[start : start + 720], 0)
                await asyncio.sleep(0)
        assert len(line._sound) <= pcm.WAITING
        transport.resume_reading()
