"""How the host answers: JSON, its errors among it, with the headers that every answer has."""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import Awaitable, Callable
from typing import Any, Final

from aiohttp import web
from pydantic import BaseModel

from goassist_desktop.host.errors import ApiError

logger = logging.getLogger(__name__)

REQUEST_ID: Final = web.RequestKey("request_id", str)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Server": "GoAssist",
}
_GOOD_ID: Final = re.compile(r"[\x21-\x7e]{1,128}")

_OF_STATUS: Final = {
    404: ApiError(404, "not_found", "There is nothing here."),
    405: ApiError(405, "method_not_allowed", "This can not be done here."),
    413: ApiError(413, "too_large", "The request is too large."),
}
BAD_REQUEST: Final = ApiError(400, "bad_request", "This is not a request that can be understood.")
INTERNAL: Final = ApiError(500, "internal", "Something went wrong here; it was logged.")


def json_answer(model: BaseModel, status: int = 200) -> web.Response:
    return web.Response(
        text=model.model_dump_json(), status=status, content_type="application/json"
    )


def error_answer(error: ApiError, request_id: str) -> web.Response:
    headers = {}
    if error.retry_after_s is not None:
        headers["Retry-After"] = str(error.retry_after_s)
    if error.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    content: dict[str, Any] = {
        "error": {"code": error.code, "message": error.what},
        "request_id": request_id,
    }
    return web.json_response(content, status=error.status, headers=headers)


def request_id_of(request: web.BaseRequest) -> str:
    given = request.headers.get("X-Request-ID", "")
    return given if _GOOD_ID.fullmatch(given) else secrets.token_hex(8)


@web.middleware
async def answered(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every request gets an id and an answer, whatever the handler raises."""
    request[REQUEST_ID] = request_id = request_id_of(request)
    try:
        response = await handler(request)
    except ApiError as error:
        response = error_answer(error, request_id)
    except web.HTTPException as error:
        known = _OF_STATUS.get(error.status, BAD_REQUEST)
        response = error_answer(known, request_id)
        if "Allow" in error.headers:
            response.headers["Allow"] = error.headers["Allow"]
    except ConnectionError:
        raise  # nobody is there to be answered
    except Exception:
        logger.exception("request %s: %s %s broke", request_id, request.method, request.path)
        response = error_answer(INTERNAL, request_id)
    return response


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """For the signal `on_response_prepare`, so that streams and sockets have them too."""
    response.headers.update(HEADERS)
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers["X-Request-ID"] = request.get(REQUEST_ID) or request_id_of(request)
