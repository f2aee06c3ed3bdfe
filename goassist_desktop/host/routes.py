"""The handlers of the API: each named in `operations`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import aclosing
from importlib.metadata import version
from typing import Any, Final, TypeVar

from aiohttp import web
from pydantic import BaseModel, ValidationError

from goassist_desktop.host import schemas
from goassist_desktop.host.answers import json_answer
from goassist_desktop.host.errors import ApiError
from goassist_desktop.host.ports import House, Wish
from goassist_desktop.host.security import Gate
from goassist_desktop.host.sessions import Place, Sessions
from goassist_desktop.host.sockets import serve_faces
from goassist_desktop.pipeline.errors import GoAssistError

M = TypeVar("M", bound=BaseModel)

LARGEST_BODY: Final = 98_304
"""An SDP of 64 KiB, written as JSON."""
READ_S: Final = 10.0
"""Who has not sent their request after so long is not waited for."""
LARGEST_PACKET: Final = 65_536
PING_S: Final = 15.0

_BAD_CODE: Final = ApiError(401, "bad_code", "This pairing code is not good, or not any more.")


class Routes:
    """The operations, on one house."""

    def __init__(
        self,
        house: House,
        sessions: Sessions,
        gate: Gate,
        openapi: dict[str, object],
        ice_servers: list[dict[str, Any]],
        now: Callable[[], float],
    ) -> None:
        self._house = house
        self._sessions = sessions
        self._gate = gate
        self._openapi = openapi
        self._ice_servers = ice_servers
        self._now = now

    # -- how it is -------------------------------------------------------------------------------

    async def alive(self, request: web.Request) -> web.Response:
        return json_answer(schemas.Alive())

    async def ready(self, request: web.Request) -> web.Response:
        missing = dict(self._house.missing())
        status = 503 if missing else 200
        replaced = dict(self._house.replaced())
        answer = schemas.Readiness(ready=not missing, missing=missing, replaced=replaced)
        return json_answer(answer, status)

    async def health(self, request: web.Request) -> web.Response:
        missing = dict(self._house.missing())
        return json_answer(
            schemas.Health(
                status="not_ready" if missing else "ready",
                missing=missing,
                version=version("goassist-desktop"),
                level=self._house.level,
                active_count=self._sessions.active,
                available_slots=self._sessions.available,
                waiting=sum(place.waiting for place in self._sessions.all),
                engines=self._house.engines(),
            )
        )

    async def metrics(self, request: web.Request) -> web.Response:
        return web.Response(
            body=self._house.metrics(),
            headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"},
        )

    async def openapi(self, request: web.Request) -> web.Response:
        return web.json_response(self._openapi)

    # -- pairing ---------------------------------------------------------------------------------

    async def pair(self, request: web.Request) -> web.Response:
        asked = await _read(request, schemas.Pair)
        response = web.Response(content_type="application/json")
        csrf = self._gate.pair(asked.code, response, self._now())
        if csrf is None:
            raise _BAD_CODE
        response.text = schemas.Paired(csrf=csrf).model_dump_json()
        return response

    async def paired(self, request: web.Request) -> web.Response:
        return json_answer(schemas.Browser(csrf=self._gate.csrf(request, self._now())))

    # -- conversations ---------------------------------------------------------------------------

    async def create(self, request: web.Request) -> web.Response:
        asked = await _read(request, schemas.CreateSession)
        wish = Wish(asked.system_prompt or "", asked.enable_avatar)
        place = self._sessions.create(asked.session_id, wish, wait=asked.wait)
        return json_answer(self._described(place), 202 if place.waiting else 201)

    async def sessions(self, request: web.Request) -> web.Response:
        places = self._sessions.all
        return json_answer(
            schemas.SessionList(
                active_count=self._sessions.active,
                available_slots=self._sessions.available,
                sessions=[schemas.Session(**self._sessions.about(place)) for place in places],
            )
        )

    async def session(self, request: web.Request) -> web.Response:
        return json_answer(self._described(self._sessions.get(_id(request))))

    async def end(self, request: web.Request) -> web.Response:
        await self._sessions.end(_id(request))
        return json_answer(schemas.Ok())

    async def offer(self, request: web.Request) -> web.Response:
        hosted = self._sessions.hosted(_id(request))
        asked = await _read(request, schemas.Offer)
        answer = await hosted.offer(asked.sdp)
        return json_answer(schemas.Answer(sdp=answer, session_id=_id(request)))

    async def candidate(self, request: web.Request) -> web.Response:
        hosted = self._sessions.hosted(_id(request))
        asked = await _read(request, schemas.IceCandidate)
        await hosted.candidate(asked.candidate, asked.sdpMid, asked.sdpMLineIndex)
        return json_answer(schemas.Ok())

    async def chat(self, request: web.Request) -> web.StreamResponse:
        hosted = self._sessions.hosted(_id(request))
        asked = await _read(request, schemas.Chat)
        try:
            async with aclosing(hosted.chat(asked.message)) as pieces:
                if not asked.stream:
                    answer = "".join([piece async for piece in pieces])
                    return json_answer(schemas.ChatAnswer(session_id=_id(request), answer=answer))
                first = await anext(pieces, None)
                response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
                await response.prepare(request)
                try:
                    if first is not None:
                        await _event(response, {"piece": first})
                    async for piece in pieces:
                        await _event(response, {"piece": piece})
                    await _event(response, {"done": True})
                except GoAssistError:
                    await _event(response, {"error": "failed"})
                return response
        except ApiError:
            raise
        except GoAssistError as error:
            raise ApiError(503, "no_answer", "There is no answer to be had now.", 5) from error

    async def faces(self, request: web.Request) -> web.StreamResponse:
        socket = _socket()
        await socket.prepare(request)
        try:
            with self._sessions.hosted(_id(request)).faces() as faces:
                await serve_faces(socket, faces)
        except ApiError as error:
            await socket.close(code=4000 + error.status % 100, message=error.code.encode())
        return socket

    async def pcm(self, request: web.Request) -> web.StreamResponse:
        socket = _socket()
        await socket.prepare(request)
        try:
            await self._sessions.hosted(_id(request)).pcm(socket)
        except ApiError as error:
            await socket.close(code=4000 + error.status % 100, message=error.code.encode())
        return socket

    def _described(self, place: Place) -> schemas.CreatedSession:
        return schemas.CreatedSession(**self._sessions.about(place), ice_servers=self._ice_servers)


def _id(request: web.Request) -> str:
    return request.match_info["session_id"]


def _socket() -> web.WebSocketResponse:
    return web.WebSocketResponse(heartbeat=PING_S, compress=False, max_msg_size=LARGEST_PACKET)


async def _event(response: web.StreamResponse, content: dict[str, object]) -> None:
    await response.write(f"data: {json.dumps(content)}\n\n".encode())


async def _read(request: web.Request, model: type[M]) -> M:
    """The body of a request. Raises ApiError for what the model does not allow."""
    if request.content_type != "application/json":
        raise ApiError(415, "not_json", "The body has to be application/json.")
    try:
        async with asyncio.timeout(READ_S):
            body = await request.read()
    except TimeoutError as error:
        raise ApiError(408, "too_slow", "The request did not come in time.") from error
    except web.HTTPRequestEntityTooLarge as error:
        raise ApiError(413, "too_large", "The request is too large.") from error
    except (web.RequestPayloadError, ValueError) as error:
        raise ApiError(400, "bad_body", "The body can not be read.") from error
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        if first["type"] == "json_invalid":
            raise ApiError(400, "bad_json", "The body is not JSON.") from error
        where = ".".join(str(part) for part in first["loc"]) or "body"
        raise ApiError(422, "invalid", f"{where[:64]}: {first['msg'][:160]}") from error
