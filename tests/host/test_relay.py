"""STUN and TURN, by a server that others run in earnest: coturn."""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from aiortc import RTCConfiguration, RTCIceServer

from goassist_desktop.bench.web_client import WebClient
from goassist_desktop.host.ice import IceSettings
from tests.host.test_peer import Here, loud, until

USER, PASSWORD = "assistant", "a-password"


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


@pytest.fixture
def turn(tmp_path: Path) -> Iterator[str]:
    """Host and port of a server on loopback."""
    program = shutil.which("turnserver")
    if program is None:
        pytest.skip("turnserver (coturn) is not installed")
    port = free_port()
    settings = {
        "listening-ip": "127.0.0.1", "relay-ip": "127.0.0.1", "listening-port": port,
        "realm": "test", "user": f"{USER}:{PASSWORD}", "log-file": tmp_path / "turn.log",
        "pidfile": tmp_path / "turn.pid", "min-port": 49152, "max-port": 49352,
        "userdb": tmp_path / "turn.db",
    }  # fmt: skip
    flags = ("lt-cred-mech", "no-tls", "no-dtls", "no-cli", "allow-loopback-peers", "simple-log")
    config = tmp_path / "turn.conf"
    lines = [f"{name}={value}" for name, value in settings.items()]
    config.write_text("\n".join([*lines, *flags]) + "\n")
    process = subprocess.Popen(
        [program, "-c", config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


def relayed_only(sdp: str) -> str:
    """The same, with no candidate but those of a relay."""
    kept = [
        line
        for line in sdp.splitlines()
        if not line.startswith("a=candidate:") or " typ relay" in line
    ]
    return "\r\n".join(kept) + "\r\n"


async def started(turn: str) -> None:
    """Until the server answers a binding request (RFC 8489)."""
    host, port = turn.split(":")
    request = b"\x00\x01\x00\x00\x21\x12\xa4\x42" + bytes(12)
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.setblocking(False)
        async with asyncio.timeout(10):
            while True:
                asking.sendto(request, (host, int(port)))
                try:
                    async with asyncio.timeout(0.2):
                        if await loop.sock_recv(asking, 1500):
                            return
                except (TimeoutError, ConnectionError):
                    await asyncio.sleep(0.1)


async def test_sound_goes_through_a_relay(turn: str) -> None:
    await started(turn)
    url = f"turn:{turn}?transport=udp"
    servers = [RTCIceServer(url, USER, PASSWORD)]
    here = Here(IceSettings(turn=url, turn_user=USER, turn_password=PASSWORD))
    there = WebClient(RTCConfiguration(iceServers=servers))

    async def answered(offer: str) -> str:
        assert " typ relay" in offer
        answer = await here.peer.answer(relayed_only(offer))
        assert " typ relay" in answer
        return relayed_only(answer)

    try:
        await there.connect(answered)
        there.voice.say((0.3 * np.sin(np.arange(48_000) * 0.05)).astype(np.float32))
        here.tone.on = True
        await until(lambda: loud(here.heard) and loud(there.sound))
    finally:
        await there.close()
        await here.close()


async def test_our_address_is_asked_for_where_that_is_wanted(turn: str) -> None:
    await started(turn)
    for settings, asked in ((IceSettings(stun=f"stun:{turn}"), True), (IceSettings(), False)):
        here, there = Here(settings), WebClient()
        answer = await here.peer.answer(await there.offer())
        # On one machine the address that a server sees is none that was not known before.
        servers = here.peer._pc._RTCPeerConnection__configuration.iceServers  # type: ignore[attr-defined]
        assert bool(servers) == asked
        assert " typ host" in answer
        await there.close()
        await here.close()


async def test_without_the_right_password_there_is_no_relay_and_no_harm(turn: str) -> None:
    await started(turn)
    settings = IceSettings(turn=f"turn:{turn}", turn_user=USER, turn_password="wrong")
    here, there = Here(settings), WebClient()
    try:
        answer = await here.peer.answer(await there.offer())
        assert " typ relay" not in answer and " typ host" in answer
    finally:
        await there.close()
        await here.close()
