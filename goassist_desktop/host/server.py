"""The server of the host: the page, the API, and who may use them."""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from http import HTTPStatus
from typing import Any, Final

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from goassist_desktop.host import openapi
from goassist_desktop.host.answers import (
    BAD_REQUEST,
    HEADERS,
    INTERNAL,
    REQUEST_ID,
    Handler,
    add_headers,
    answered,
    error_answer,
    request_id_of,
)
from goassist_desktop.host.errors import ApiError
from goassist_desktop.host.limits import Limits
from goassist_desktop.host.operations import OPERATIONS, Operation
from goassist_desktop.host.page_files import CSP, PERMISSIONS, PageFile
from goassist_desktop.host.ports import House
from goassist_desktop.host.routes import LARGEST_BODY, Routes
from goassist_desktop.host.security import Gate, Pairing
from goassist_desktop.host.sessions import Sessions
from goassist_desktop.pipeline.errors import GoAssistError

logger = logging.getLogger(__name__)

IDLE_CONNECTION_S: Final = 15.0
"""A connection that asks nothing, or not to the end, is closed after so long."""
CLOSE_S: Final = 1.0


class AddressTaken(GoAssistError):
    """The host can not listen where it should."""


class Server:
    """Serves one house, from `start` to `stop`, in the running event loop."""

    def __init__(
        self,
        house: House,
        *,
        token: str,
        pairing: Pairing,
        page: Mapping[str, PageFile],
        ice_servers: list[dict[str, Any]],
        tls: ssl.SSLContext | None,
        limits: Limits | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._tls = tls
        self._limits = limits or Limits()
        self._now = now
        self._gate = Gate(token, pairing, self._limits, secure=tls is not None)
        self.sessions = Sessions(house, now)
        self._routes = Routes(
            house, self.sessions, self._gate, openapi.document(), ice_servers, now
        )
        self._page = page
        self._reaping: asyncio.Task[None] | None = None
        self._operations: dict[tuple[str, str], Operation] = {}
        self._runner = _Runner(
            self._app(),
            access_log=None,
            handler_cancellation=True,  # who hangs up wants no answer any more
            keepalive_timeout=IDLE_CONNECTION_S,
            lingering_time=2.0,
            shutdown_timeout=CLOSE_S,
        )

    async def start(self, bind: str, port: int) -> list[tuple[str, int]]:
        """Listen: the addresses and ports. Raises AddressTaken, which names what was wanted."""
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, bind, port, ssl_context=self._tls).start()
        except OSError as error:
            await self._runner.cleanup()
            reason = error.strerror or str(error)
            raise AddressTaken(f"can not listen at {bind}, port {port}: {reason}") from error
        self._reaping = asyncio.create_task(self.sessions.reap(), name="reaper")
        return [(address[0], address[1]) for address in self._runner.addresses]

    async def stop(self) -> None:
        """Close every connection and end every session."""
        if self._reaping is not None:
            self._reaping.cancel()
            with suppress(asyncio.CancelledError):
                await self._reaping
        await self._runner.cleanup()

    # -- inside ----------------------------------------------------------------------------------

    def _app(self) -> web.Application:
        app = web.Application(
            middlewares=[answered, self._logged, self._guarded], client_max_size=LARGEST_BODY
        )
        app.on_response_prepare.append(add_headers)
        for operation in OPERATIONS:
            handler = getattr(self._routes, operation.name)
            route = app.router.add_route(operation.method, operation.path, handler)
            self._know(route, operation)
            if operation.method == "GET" and operation.described:
                self._know(app.router.add_route("HEAD", operation.path, handler), operation)
        for path in self._page:
            app.router.add_get(path, self._file)
        return app

    def _know(self, route: web.AbstractRoute, operation: Operation) -> None:
        assert route.resource is not None
        self._operations[route.method, route.resource.canonical] = operation

    @web.middleware
    async def _logged(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        began = self._now()
        status = 500
        try:
            response = await handler(request)
            status = response.status
            return response
        except (ApiError, web.HTTPException) as error:
            status = error.status
            raise
        finally:
            passed_ms = (self._now() - began) * 1000
            logger.info(
                "request %s: %s %s %d %.0f ms",
                request[REQUEST_ID],
                request.method,
                request.rel_url.raw_path[:200],
                status,
                passed_ms,
            )

    @web.middleware
    async def _guarded(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        self._gate.check_origin(request)
        resource = request.match_info.route.resource
        where = "" if resource is None else resource.canonical
        operation = self._operations.get((request.method, where))
        if operation is not None:
            wait_s = self._limits.take(request.remote or "", operation.kind, self._now())
            if wait_s is not None:
                raise ApiError(429, "too_many", "Too many requests; try again later.", wait_s)
            if not operation.open:
                self._gate.check(request, self._now())
        return await handler(request)

    async def _file(self, request: web.Request) -> web.StreamResponse:
        file = self._page[request.path]
        headers = {
            "Content-Security-Policy": CSP,
            "Permissions-Policy": PERMISSIONS,
            "Cache-Control": "no-cache",
            "ETag": f'"{file.etag}"',
        }
        if request.headers.get("If-None-Match") == headers["ETag"]:
            return web.Response(status=304, headers=headers)
        headers["Content-Type"] = file.content_type
        if file.packed is None or "gzip" not in request.headers.get("Accept-Encoding", ""):
            return web.Response(body=file.body, headers=headers)
        headers |= {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
        return web.Response(body=file.packed, headers=headers)


class _Handler(RequestHandler):
    """Answers what is no HTTP as everything else that is wrong is answered."""

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        if request.writer.output_size > 0:
            raise ConnectionError("an answer has begun already")
        request_id = request_id_of(request)
        if status == HTTPStatus.BAD_REQUEST:
            logger.info("request %s, from %s, is none", request_id, request.remote)
        else:
            logger.error("request %s broke", request_id, exc_info=exc)
        error = BAD_REQUEST if status == HTTPStatus.BAD_REQUEST else INTERNAL
        response = error_answer(error, request_id)
        response.headers.update({**HEADERS, "X-Request-ID": request_id})
        response.force_close()
        return response


class _Listening(web.Server):
    def __call__(self) -> RequestHandler:
        return _Handler(self, loop=self._loop, **self._kwargs)


class _Runner(web.AppRunner):
    """With our handler of requests, for which aiohttp has no setting."""

    async def _make_server(self) -> web.Server:
        server = await super()._make_server()
        server.__class__ = _Listening
        return server
