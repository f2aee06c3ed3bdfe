"""Who is let in, and who is not: each asked over HTTP."""

from __future__ import annotations

import aiohttp
import pytest

from goassist_desktop.host.limits import PER_MINUTE
from goassist_desktop.host.operations import OPERATIONS
from goassist_desktop.host.security import COOKIE_S
from tests.host.conftest import TOKEN, Running

OPEN = {"/healthz", "/readyz", "/health", "/pair"}


async def asked(client: aiohttp.ClientSession, method: str, path: str, **options: object) -> tuple:
    async with client.request(method, path, **options) as response:
        content = await response.json(content_type=None)
        return response.status, (content or {}).get("error", {}).get("code", "")


async def test_all_but_health_needs_a_token(running: Running) -> None:
    guarded = [o for o in OPERATIONS if o.path not in OPEN]
    assert {o.path for o in OPERATIONS if o.open} == OPEN
    for operation in guarded:
        path = operation.path.format(session_id="x")
        if operation.described:
            got = await asked(running.stranger, operation.method, path)
            assert got == (401, "unauthorized"), operation
        else:
            with pytest.raises(aiohttp.WSServerHandshakeError, match="401"):
                await running.stranger.ws_connect(path)
    for path in OPEN:
        assert (await asked(running.stranger, "GET", path))[0] == 200


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ({"Authorization": f"Bearer {TOKEN}"}, 200),
        ({"Authorization": f"bearer {TOKEN}"}, 200),
        ({"X-API-Key": TOKEN}, 200),
        ({"Authorization": f"Basic {TOKEN}"}, 401),
        ({"Authorization": "Bearer wrong"}, 401),
        ({"Authorization": "Bearer"}, 401),
        ({"X-API-Key": TOKEN[:-1]}, 401),
        ({"X-API-Key": "ü"}, 401),
        ({"X-API-Key": "\udcff"}, 401),
        ({"Authorization": "Bearer \udcff\udcfe"}, 401),
        ({"Cookie": f"goassist={TOKEN}"}, 401),
    ],
)
async def test_tokens(running: Running, header: dict[str, str], status: int) -> None:
    async with running.stranger.get("/sessions", headers=header) as response:
        assert response.status == status
        assert ("WWW-Authenticate" in response.headers) == (status == 401)


async def test_a_browser_is_paired_by_a_code_once(running: Running) -> None:
    code = running.pairing.code
    wrong = f"{(int(code) + 1) % 10**8:08}"
    assert await asked(running.stranger, "POST", "/pair", json={"code": wrong}) == (401, "bad_code")
    assert (await asked(running.stranger, "GET", "/pair")) == (200, "")
    spaced = {"code": f"{code[:4]} {code[4:]}"}
    async with running.stranger.post("/pair", json=spaced) as response:
        csrf = (await response.json())["csrf"]
        cookie = response.headers["Set-Cookie"]
    assert "HttpOnly" in cookie and "SameSite=Strict" in cookie
    assert await asked(running.stranger, "POST", "/pair", json={"code": code}) == (401, "bad_code")
    async with running.stranger.get("/pair") as response:
        assert (await response.json())["csrf"] == csrf
    assert (await asked(running.stranger, "GET", "/sessions"))[0] == 200
    # A cookie alone changes nothing: any page could make the browser send it.
    assert await asked(running.stranger, "POST", "/sessions", json={}) == (403, "csrf")
    for said, status in (("wrong", 403), (csrf, 201)):
        headers = {"X-CSRF-Token": said}
        got = await asked(running.stranger, "POST", "/sessions", json={}, headers=headers)
        assert got[0] == status
    assert len(running.house.opened) == 1


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"Origin": "https://evil.example"}, "wrong_origin"),
        ({"Origin": "null"}, "wrong_origin"),
        ({"Origin": "http://["}, "wrong_origin"),
        ({"Origin": "http://127.0.0.1:1"}, "wrong_origin"),
        ({"Sec-Fetch-Site": "cross-site"}, "wrong_origin"),
        ({"Host": "evil.example"}, "host_not_allowed"),
        ({"Host": "evil.example:80"}, "host_not_allowed"),
        ({"Host": "["}, "host_not_allowed"),
        ({"Host": ""}, "host_not_allowed"),
    ],
)
async def test_other_pages_and_other_names_are_refused(
    running: Running, headers: dict[str, str], code: str
) -> None:
    got = await asked(running.client, "POST", "/sessions", json={}, headers=headers)
    assert got == (403, code)
    assert not running.house.opened
    if "Sec-Fetch-Site" not in headers:
        with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
            await running.client.ws_connect("/sessions/x/blendshapes", headers=headers)


async def test_our_own_page_and_names_are_let_in(running: Running) -> None:
    for host in ("127.0.0.1", "localhost", "kiosk.local", "[::1]", "192.168.1.7"):
        headers = {"Host": f"{host}:8443", "Origin": f"https://{host}:8443"}
        got = await asked(running.client, "GET", "/sessions", headers=headers)
        assert got == (200, ""), host


@pytest.mark.parametrize(
    ("method", "path", "kind"),
    [
        ("POST", "/sessions", "create"),
        ("POST", "/sessions/x/offer", "offer"),
        ("POST", "/sessions/x/chat", "chat"),
        ("POST", "/pair", "pair"),
        ("GET", "/sessions", "other"),
    ],
)
async def test_who_asks_too_often_waits(strict: Running, method: str, path: str, kind: str) -> None:
    body = {"json": {"code": "1"}} if kind == "pair" else {"json": {}} if method == "POST" else {}
    for _ in range(PER_MINUTE[kind]):
        assert (await asked(strict.client, method, path, **body))[0] != 429
    async with strict.client.request(method, path, **body) as response:
        assert response.status == 429
        wait_s = int(response.headers["Retry-After"])
    strict.clock.now += wait_s - 1
    assert (await asked(strict.client, method, path, **body)) == (429, "too_many")
    strict.clock.now += 1
    assert (await asked(strict.client, method, path, **body))[0] != 429


async def test_an_address_that_is_told_is_not_believed(strict: Running) -> None:
    for number in range(PER_MINUTE["create"]):
        headers = {"X-Forwarded-For": f"10.0.0.{number}"}
        await asked(strict.client, "POST", "/sessions", json={}, headers=headers)
    headers = {"X-Forwarded-For": "10.0.0.99", "Forwarded": "for=10.0.0.99"}
    got = await asked(strict.client, "POST", "/sessions", json={}, headers=headers)
    assert got == (429, "too_many")


async def test_candidates_do_not_count_as_offers(strict: Running) -> None:
    for _ in range(3 * PER_MINUTE["offer"]):
        await asked(strict.client, "POST", "/sessions/x/ice-candidate", json={"candidate": ""})
    assert (await asked(strict.client, "POST", "/sessions/x/offer", json={"sdp": "v"}))[0] == 404


async def test_a_browser_is_let_in_for_thirty_days(running: Running) -> None:
    await asked(running.stranger, "POST", "/pair", json={"code": running.pairing.code})
    running.clock.now += COOKIE_S - 1
    assert (await asked(running.stranger, "GET", "/sessions"))[0] == 200
    running.clock.now += 1
    assert (await asked(running.stranger, "GET", "/sessions"))[0] == 401


async def test_a_browser_whose_secret_is_no_text_is_refused(running: Running) -> None:
    await asked(running.stranger, "POST", "/pair", json={"code": running.pairing.code})
    headers = {"X-CSRF-Token": "\udcff"}
    got = await asked(running.stranger, "POST", "/sessions", json={}, headers=headers)
    assert got == (403, "csrf")


async def test_who_guesses_tokens_is_slowed_down(strict: Running) -> None:
    statuses = []
    for number in range(PER_MINUTE["denied"] + 5):
        headers = {"X-API-Key": f"guess{number}"}
        statuses.append((await asked(strict.stranger, "GET", "/metrics", headers=headers))[0])
    assert statuses == [401] * PER_MINUTE["denied"] + [429] * 5


async def test_a_session_can_be_made_by_who_was_refused_the_minute_before(strict: Running) -> None:
    for _ in range(PER_MINUTE["create"]):
        assert (await strict.create())[0] == 201
    assert (await strict.create())[0] == 429
    assert strict.server.sessions.active == PER_MINUTE["create"]
