"""Who speaks no HTTP, or too much of it: nothing breaks, and nothing is told of the inside."""

from __future__ import annotations

import asyncio
import json
import logging
import random

import aiohttp
import pytest

from goassist_desktop.host import routes, server
from tests.host.conftest import KEY, TOKEN, Running

AUTH = f"Authorization: Bearer {TOKEN}\r\n"


async def send(running: Running, content: bytes, wait_s: float = 5.0) -> bytes:
    """What comes back for these bytes, until the other side closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
    try:
        writer.write(content)
        await writer.drain()
        async with asyncio.timeout(wait_s):
            return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


async def alive(running: Running) -> bool:
    async with running.client.get("/healthz") as response:
        return response.status == 200


@pytest.mark.parametrize(
    "content",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET\r\n\r\n",
        b"\r\n" * 100,
        b"POST /sessions HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nzz",
        b"GET /\xff\xfe HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 20_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"X: a\r\n" * 5000 + b"\r\n",
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ],
)
async def test_what_is_no_http_is_a_bad_request(
    running: Running, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    answer = await send(running, content + b"Connection: close\r\n\r\n", 3.0)
    if answer:
        status = int(answer.split()[1])
        assert 400 <= status < 500, answer
        body = answer.partition(b"\r\n\r\n")[2]
        assert json.loads(body)["error"]["code"], answer
        assert b"Traceback" not in answer and b"aiohttp" not in answer, answer
    assert "Traceback" not in caplog.text
    assert await alive(running)


async def test_noise(running: Running) -> None:
    chance = random.Random(1)
    for _ in range(100):
        await send(running, chance.randbytes(chance.randrange(1, 400)) + b"\r\n\r\n", 3.0)
    assert await alive(running)


async def test_half_a_request_is_not_waited_for(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routes, "READ_S", 0.3)
    head = f"POST /sessions HTTP/1.1\r\nHost: localhost\r\n{AUTH}Content-Type: application/json\r\n"
    answer = await send(running, f'{head}Content-Length: 100\r\n\r\n{{"a'.encode())
    assert answer.startswith(b"HTTP/1.1 408")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]["code"] == "too_slow"


async def test_a_connection_that_says_nothing_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "IDLE_CONNECTION_S", 0.3)
    async with Running() as running:
        for content in (b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: loc"):
            await send(running, content, 5.0)  # closed by the other side, or this times out


async def test_a_body_without_an_end(running: Running) -> None:
    head = f"POST /sessions HTTP/1.1\r\nHost: localhost\r\n{AUTH}Content-Type: application/json\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
    writer.write(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
    sent = 0
    try:
        while sent < 50_000_000 and not writer.is_closing():
            writer.write(b"10000\r\n" + b"a" * 0x10000 + b"\r\n")
            sent += 0x10000
            async with asyncio.timeout(5):
                await writer.drain()
    except (ConnectionError, TimeoutError):
        pass
    answer = b""
    try:
        async with asyncio.timeout(5):
            answer = await reader.read(200)
    except ConnectionError:
        pass
    writer.transport.abort()
    assert answer == b"" or answer.startswith(b"HTTP/1.1 413")
    assert await alive(running)


async def test_paths_lead_nowhere_else(running: Running) -> None:
    for path in ("/../server.py", "/%2e%2e/server.py", "/..%2fserver.py", "//etc/passwd", "/%00"):
        request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        answer = await send(running, request.encode())
        assert answer.split()[1] in (b"404", b"400"), (path, answer)


async def test_many_connections_that_are_left_open(running: Running) -> None:
    open_ones = [await asyncio.open_connection("127.0.0.1", running.port) for _ in range(200)]
    assert await alive(running)
    for _, writer in open_ones:
        writer.close()
        await writer.wait_closed()


async def test_a_listener_that_sends_too_much(running: Running) -> None:
    await running.create(session_id="mine")
    async with aiohttp.ClientSession(running.url, headers=KEY) as client:
        async with client.ws_connect("/sessions/mine/pcm") as socket:
            await socket.send_bytes(bytes(routes.LARGEST_PACKET + 1))
            message = await socket.receive()
            assert message.type is aiohttp.WSMsgType.CLOSE and message.data == 1009
    assert await alive(running)
