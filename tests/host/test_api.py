"""What the API answers, asked as a client would: over HTTP, of a server that listens."""

from __future__ import annotations

import asyncio
import json

import aiohttp
import pytest

from goassist_desktop.host.sessions import ASKED_S, IDLE_S, LONGEST_S
from tests.host.conftest import Running


async def read(response: aiohttp.ClientResponse) -> dict:
    return json.loads(await response.text())


async def test_a_session_from_its_beginning_to_its_end(running: Running) -> None:
    status, session = await running.create(session_id="mine", system_prompt="be brief")
    assert status == 201
    assert session["session_id"] == "mine" and session["state"] == "listening"
    assert session["ice_servers"] == [] and session["created_at"].endswith("+00:00")
    assert running.house.opened["mine"].wish.system_prompt == "be brief"
    async with running.client.get("/sessions") as response:
        listed = await read(response)
    assert (listed["active_count"], listed["available_slots"]) == (1, 4)
    assert [one["session_id"] for one in listed["sessions"]] == ["mine"]
    async with running.client.get("/sessions/mine") as response:
        assert (response.status, (await read(response))["avatar"]) == (200, True)
    async with running.client.delete("/sessions/mine") as response:
        assert (response.status, await read(response)) == (200, {"ok": True})
    assert running.house.opened["mine"].closed == 1
    assert await running.code("GET", "/sessions/mine") == (404, "unknown_session")
    assert await running.code("DELETE", "/sessions/mine") == (404, "unknown_session")


async def test_without_a_body_of_wishes_there_is_a_session_too(running: Running) -> None:
    status, session = await running.create()
    assert status == 201 and len(session["session_id"]) >= 12


@pytest.mark.parametrize(
    ("content", "kind", "answer"),
    [
        (b"{", "application/json", (400, "bad_json")),
        (b"\xff\xfe", "application/json", (400, "bad_json")),
        (b"[" * 20_000, "application/json", (400, "bad_json")),
        (b"{}", "text/plain", (415, "not_json")),
        (b'{"session_id": 5}', "application/json", (422, "invalid")),
        (b'{"session_id": "a b"}', "application/json", (422, "invalid")),
        (b'{"session_id": "../x"}', "application/json", (422, "invalid")),
        (b'{"unknown": 1}', "application/json", (422, "invalid")),
        (b'{"enable_avatar": NaN}', "application/json", (422, "invalid")),
        (b"[]", "application/json", (422, "invalid")),
        (json.dumps({"system_prompt": "x" * 4001}).encode(), "application/json", (422, "invalid")),
        (b'"' + b"x" * 200_000 + b'"', "application/json", (413, "too_large")),
    ],
)
async def test_what_is_no_request_is_refused(
    running: Running, content: bytes, kind: str, answer: tuple[int, str]
) -> None:
    headers = {"Content-Type": kind}
    assert await running.code("POST", "/sessions", data=content, headers=headers) == answer
    assert not running.house.opened


async def test_an_id_is_there_once(running: Running) -> None:
    await running.create(session_id="mine")
    assert await running.code("POST", "/sessions", json={"session_id": "mine"}) == (409, "exists")
    assert len(running.house.opened) == 1


async def test_fifty_one_who_come_at_once_for_five_places(running: Running) -> None:
    answers = await asyncio.gather(*(running.create() for _ in range(51)))
    assert sorted(status for status, _ in answers) == [201] * 5 + [503] * 46
    assert len(running.house.opened) == 5
    async with running.client.post("/sessions", json={}) as response:
        assert response.status == 503
        assert int(response.headers["Retry-After"]) >= 1
        assert (await read(response))["error"]["code"] == "full"


async def test_who_waits_sees_their_place_and_gets_one(running: Running) -> None:
    for number in range(5):
        await running.create(session_id=f"s{number}")
    first = await running.create(session_id="first", wait=True)
    second = await running.create(session_id="second", wait=True)
    assert [(status, s["state"], s["place"]) for status, s in (first, second)] == [
        (202, "waiting", 1),
        (202, "waiting", 2),
    ]
    # Nobody overtakes who waits, and nothing is said to a session that has no place.
    assert await running.code("POST", "/sessions/first/offer", json={"sdp": "v=0"}) == (
        409, "waiting",
    )  # fmt: skip
    await running.code("DELETE", "/sessions/s0")
    running.server.sessions.look()
    async with running.client.get("/sessions/first") as response:
        assert (await read(response))["state"] == "listening"
    async with running.client.get("/sessions/second") as response:
        assert (await read(response))["place"] == 1


async def test_who_asks_no_more_loses_their_place_in_the_queue(running: Running) -> None:
    for number in range(5):
        await running.create(session_id=f"s{number}")
    await running.create(session_id="gone", wait=True)
    await running.create(session_id="patient", wait=True)
    running.clock.now += ASKED_S - 1
    async with running.client.get("/sessions/patient") as response:
        assert (await read(response))["place"] == 2
    running.clock.now += 2
    running.server.sessions.look()
    async with running.client.get("/sessions/patient") as response:
        assert (await read(response))["place"] == 1
    assert await running.code("GET", "/sessions/gone") == (404, "unknown_session")


@pytest.mark.parametrize("why", ["idle", "old", "over"])
async def test_the_reaper_ends_what_is_over(running: Running, why: str) -> None:
    await running.create(session_id="mine")
    hosted = running.house.opened["mine"]
    match why:
        case "idle":
            hosted.quiet_s = IDLE_S - 1
            running.server.sessions.look()
            assert running.server.sessions.active == 1
            hosted.quiet_s = IDLE_S + 1
        case "old":
            running.clock.now += LONGEST_S + 1
        case "over":
            hosted.over = True
    running.server.sessions.look()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert running.server.sessions.available == 5
    assert hosted.closed == 1


async def test_a_bug_in_one_place_leaves_the_others(
    running: Running, caplog: pytest.LogCaptureFixture
) -> None:
    await running.create(session_id="mine")

    def broken() -> None:
        raise RuntimeError("a bug")

    look, running.server.sessions.look = running.server.sessions.look, broken
    async with asyncio.timeout(5):
        while "could not be looked after" not in caplog.text:
            await asyncio.sleep(0.05)
    running.server.sessions.look = look
    running.house.opened["mine"].over = True
    async with asyncio.timeout(5):
        while not running.house.opened["mine"].closed:
            await asyncio.sleep(0.05)
    caplog.clear()


async def test_a_session_that_can_not_begin_takes_no_place(
    running: Running, caplog: pytest.LogCaptureFixture
) -> None:
    running.house.broken = True
    assert await running.code("POST", "/sessions", json={}) == (503, "not_ready")
    running.house.broken = False
    assert running.server.sessions.available == 5
    assert "can not begin: no seat" in caplog.text
    caplog.clear()


@pytest.mark.parametrize(("level", "status"), [(3, 201), (4, 503), (5, 503)])
async def test_a_busy_assistant_takes_nobody(running: Running, level: int, status: int) -> None:
    running.house.level = level
    assert (await running.create())[0] == status
    assert (await running.create(wait=True))[0] == {3: 201, 4: 202, 5: 503}[level]


async def test_offer_and_candidates(running: Running) -> None:
    await running.create(session_id="mine")
    candidate = {"candidate": "candidate:1 1 UDP 1 127.0.0.1 9 typ host", "sdpMid": "0"}
    early = await running.code("POST", "/sessions/mine/ice-candidate", json=candidate)
    assert early == (409, "no_peer")
    async with running.client.post("/sessions/mine/offer", json={"sdp": "v=0"}) as response:
        assert await read(response) == {
            "type": "answer",
            "sdp": "v=0 answer",
            "session_id": "mine",
        }
    async with running.client.post("/sessions/mine/ice-candidate", json=candidate) as response:
        assert await read(response) == {"ok": True}
    bad = await running.code("POST", "/sessions/mine/offer", json={"sdp": "junk"})
    assert bad == (400, "bad_sdp")
    for path in ("offer", "ice-candidate", "chat"):
        body = {"sdp": "v=0"} if path == "offer" else candidate if "ice" in path else None
        asked = await running.code("POST", f"/sessions/no/{path}", json=body or {"message": "x"})
        assert asked == (404, "unknown_session")


async def test_chat(running: Running) -> None:
    await running.create(session_id="mine")
    async with running.client.post("/sessions/mine/chat", json={"message": "hello"}) as response:
        assert await read(response) == {"session_id": "mine", "answer": "you said hello "}
    asked = {"message": "hello", "stream": True}
    async with running.client.post("/sessions/mine/chat", json=asked) as response:
        assert response.content_type == "text/event-stream"
        lines = [line async for line in response.content if line.strip()]
    events = [json.loads(line.removeprefix(b"data: ")) for line in lines]
    assert events[-1] == {"done": True}
    assert "".join(event["piece"] for event in events[:-1]) == "you said hello "
    for nothing in ("", "  \n"):
        asked = {"message": nothing}
        assert await running.code("POST", "/sessions/mine/chat", json=asked) == (422, "invalid")
    for stream in (False, True):
        asked = {"message": "break", "stream": stream}
        code = await running.code("POST", "/sessions/mine/chat", json=asked)
        assert code == (503, "no_answer")


async def test_who_hangs_up_ends_the_answer(running: Running) -> None:
    await running.create(session_id="mine")
    asked = {"message": "for ever", "stream": True}
    async with running.client.post("/sessions/mine/chat", json=asked) as response:
        await response.content.readline()
        response.close()
    deadline = asyncio.get_running_loop().time() + 5
    while running.house.opened["mine"].open_chats:
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(0.01)


async def test_the_face_by_websocket(running: Running) -> None:
    await running.create(session_id="mine")
    async with running.client.ws_connect("/sessions/mine/blendshapes") as socket:
        frames = [json.loads((await socket.receive()).data) for _ in range(3)]
        await socket.ping()
    assert [frame["seq"] for frame in frames] == [0, 1, 2]
    assert len(frames[0]["blendshapes"]) == 52


async def test_a_listener_that_is_slow_gets_the_newest_frames(running: Running) -> None:
    await running.create(session_id="mine")
    faces = running.house.opened["mine"].frames
    faces.pause_s = 0.0
    async with running.client.ws_connect("/sessions/mine/blendshapes") as socket:
        transport = socket._response.connection.transport
        transport.pause_reading()
        # The network's own buffers take some frames: what matters is that not all of them wait.
        while faces.made < 40_000:
            await asyncio.sleep(0.01)
        faces.pause_s = 0.01
        transport.resume_reading()
        seen = [0]
        while seen[-1] < 40_000:
            seen.append(json.loads((await socket.receive()).data)["seq"])
    assert seen == sorted(seen)
    assert len(seen) < 30_000, "frames should have been dropped"


async def test_sockets_of_no_session_close_with_a_reason(running: Running) -> None:
    for kind in ("blendshapes", "pcm"):
        async with running.client.ws_connect(f"/sessions/no/{kind}") as socket:
            message = await socket.receive()
            assert (message.data, message.extra) == (4004, "unknown_session")
    await running.create(session_id="faceless", enable_avatar=False)
    async with running.client.ws_connect("/sessions/faceless/blendshapes") as socket:
        assert (await socket.receive()).data == 4009


async def test_readiness_names_what_is_missing(running: Running) -> None:
    async with running.client.get("/readyz") as response:
        ready = {"ready": True, "missing": {}, "replaced": {}}
        assert (response.status, await read(response)) == (200, ready)
    running.house.lacking = {"synthesis": "a stand-in is used"}
    async with running.client.get("/readyz") as response:
        assert response.status == 503
        assert (await read(response))["missing"] == {"synthesis": "a stand-in is used"}
    assert await running.code("POST", "/sessions", json={}) == (503, "not_ready")
    async with running.stranger.get("/health") as response:
        report = await read(response)
    assert report["status"] == "not_ready" and report["available_slots"] == 5


async def test_every_answer_has_an_id_and_is_closed_to_other_pages(running: Running) -> None:
    paths = ["/healthz", "/", "/nothing", "/sessions", "/metrics"]
    for path in paths:
        async with running.client.get(path, headers={"X-Request-ID": "abc-123"}) as response:
            assert response.headers["X-Request-ID"] == "abc-123", path
            assert response.headers["X-Content-Type-Options"] == "nosniff"
            assert response.headers["X-Frame-Options"] == "DENY"
    async with running.client.get("/nothing", headers={"X-Request-ID": "a\tb" * 99}) as response:
        made = response.headers["X-Request-ID"]
        assert (await read(response))["request_id"] == made
        assert len(made) == 16


async def test_what_is_not_there_is_said_in_json(running: Running) -> None:
    assert await running.code("GET", "/nothing") == (404, "not_found")
    assert await running.code("GET", "/heads/../../secret") == (404, "not_found")
    async with running.client.put("/sessions", json={}) as response:
        assert response.status == 405
        assert set(response.headers["Allow"].split(",")) >= {"GET", "POST"}
        assert (await read(response))["error"]["code"] == "method_not_allowed"
    async with running.client.head("/sessions") as response:
        assert response.status == 200


async def test_the_page(running: Running) -> None:
    async with running.stranger.get("/") as response:
        assert "script-src 'self'" in response.headers["Content-Security-Policy"]
        assert "unsafe" not in response.headers["Content-Security-Policy"]
        etag = response.headers["ETag"]
    async with running.stranger.get("/", headers={"If-None-Match": etag}) as response:
        assert response.status == 304
    async with running.stranger.get("/app.js", headers={"Accept-Encoding": ""}) as response:
        assert await response.read() == b"//" * 1000


async def test_the_server_ends_every_session(running: Running) -> None:
    await running.create(session_id="mine")
    await running.server.stop()
    assert running.house.opened["mine"].closed == 1
