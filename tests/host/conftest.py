"""A server on a house of echoes, and who asks it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest

from goassist_desktop.host.limits import PER_MINUTE, Limits
from goassist_desktop.host.page_files import PageFile
from goassist_desktop.host.pairing import Pairing
from goassist_desktop.host.server import Server
from tests.fakes.house import EchoHouse

TOKEN = "a-token-for-these-tests"
KEY = {"Authorization": f"Bearer {TOKEN}"}
PAGE = {
    "/": PageFile(b"<p>page</p>", "text/html", "1"),
    "/app.js": PageFile(b"//" * 1000, "text/javascript", "2", b"packed"),
}


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Running:
    """A server that listens, its house, and a client with the token."""

    def __init__(self, limits: Limits | None = None, max_sessions: int = 5) -> None:
        self.house = EchoHouse(max_sessions)
        self.pairing = Pairing()
        self.clock = Clock()
        self.server = Server(
            self.house,
            token=TOKEN,
            pairing=self.pairing,
            page=PAGE,
            ice_servers=[],
            tls=None,
            limits=limits or Limits(),
            now=self.clock,
        )

    async def __aenter__(self) -> Running:
        [(address, self.port)] = await self.server.start("127.0.0.1", 0)
        self.url = f"http://{address}:{self.port}"
        self.client = aiohttp.ClientSession(self.url, headers=KEY)
        self.stranger = aiohttp.ClientSession(self.url, cookie_jar=aiohttp.CookieJar(unsafe=True))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.client.close()
        await self.stranger.close()
        await self.server.stop()

    async def create(self, **asked: object) -> tuple[int, dict]:
        async with self.client.post("/sessions", json=asked) as response:
            return response.status, await response.json()

    async def code(self, method: str, path: str, **options: object) -> tuple[int, str]:
        """Status and error code of a request."""
        async with self.client.request(method, path, **options) as response:
            content = await response.json()
            return response.status, content.get("error", {}).get("code", "")


def generous() -> Limits:
    return Limits(dict.fromkeys(PER_MINUTE, 100_000))


@pytest.fixture
async def running() -> AsyncIterator[Running]:
    async with Running(generous()) as server:
        yield server


@pytest.fixture
async def strict() -> AsyncIterator[Running]:
    """With the limits that users have."""
    async with Running() as server:
        yield server
