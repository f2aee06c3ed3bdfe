from __future__ import annotations

import asyncio
import hashlib
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from goassist_desktop.host.address import own_names
from goassist_desktop.host.certificate import fingerprint, ready_certificate, tls

NAMES = ["localhost", "127.0.0.1"]
NOW = datetime(2026, 6, 1, tzinfo=UTC)


def test_it_is_made_once_and_kept_to_its_user(tmp_path: Path) -> None:
    path = ready_certificate(tmp_path / "host", NAMES, NOW)
    made = path.read_bytes()
    assert path.stat().st_mode & 0o777 == 0o600
    assert ready_certificate(tmp_path / "host", NAMES, NOW + timedelta(days=300)) == path
    assert path.read_bytes() == made


@pytest.mark.parametrize("fault", ["absent", "empty", "garbled", "no key", "other key", "names"])
def test_one_that_does_not_serve_is_made_anew(tmp_path: Path, fault: str) -> None:
    path = ready_certificate(tmp_path, NAMES, NOW)
    before = path.read_bytes()
    names = NAMES
    match fault:
        case "absent":
            path.unlink()
        case "empty":
            path.write_bytes(b"")
        case "garbled":
            path.write_bytes(before[:200] + b"xxxx" + before[204:])
        case "no key":
            path.write_bytes(before[before.index(b"-----BEGIN CERT") :])
        case "other key":
            other = ready_certificate(tmp_path / "other", NAMES, NOW).read_bytes()
            end = b"-----END PRIVATE KEY-----\n"
            path.write_bytes(other.split(end)[0] + end + before.split(end)[1])
        case "names":
            names = [*NAMES, "10.1.2.3"]
    after = ready_certificate(tmp_path, names, NOW).read_bytes()
    assert after != before
    assert ready_certificate(tmp_path, names, NOW).read_bytes() == after


@pytest.mark.parametrize(("days", "kept"), [(0, True), (389, True), (391, False), (1000, False)])
def test_it_is_renewed_before_it_expires(tmp_path: Path, days: int, kept: bool) -> None:
    before = ready_certificate(tmp_path, NAMES, NOW).read_bytes()
    after = ready_certificate(tmp_path, NAMES, NOW + timedelta(days=days)).read_bytes()
    assert (before == after) == kept


async def test_who_trusts_it_can_talk_to_us_under_our_names(tmp_path: Path) -> None:
    path = ready_certificate(tmp_path, own_names())

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello")
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0, ssl=tls(path))
    port = server.sockets[0].getsockname()[1]
    trusting = ssl.create_default_context(cadata=path.read_text().split("KEY-----\n")[-1])
    for name in ("localhost", "127.0.0.1"):
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=trusting, server_hostname=name
        )
        shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        assert await reader.read() == b"hello"
        writer.close()
        digits = fingerprint(path).replace(":", "").lower()
        assert digits == hashlib.sha256(shown).hexdigest()
    server.close()
    await server.wait_closed()
