"""Who may ask: by token, or by the cookie of a browser that was paired; and from which page.

A browser sends its cookie along with whatever any page makes it ask. So what a cookie allows has to
come from our own page, which alone knows the second secret, and to our own name: a page that lets
its name point here (DNS rebinding) has another one.
"""

from __future__ import annotations

import hmac
import ipaddress
import secrets
import socket
from collections import OrderedDict
from typing import Final, Protocol
from urllib.parse import urlsplit

from aiohttp import web

from goassist_desktop.host.errors import ApiError
from goassist_desktop.host.limits import Limits

COOKIE: Final = "goassist"
CSRF_HEADER: Final = "X-CSRF-Token"
COOKIE_S: Final = 30 * 24 * 3600
MOST_COOKIES: Final = 256
SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})


class Pairing(Protocol):
    """Codes that let a browser in."""

    def redeem(self, code: str) -> bool:
        """Whether it is good; a code is good once."""


class Gate:
    """Lets requests in. From the event loop only."""

    def __init__(self, token: str, pairing: Pairing, limits: Limits, *, secure: bool) -> None:
        """`secure`: served by HTTPS, so that the cookie may be kept to it."""
        self._token = token.encode()
        self._pairing = pairing
        self._limits = limits
        self._secure = secure
        self._cookies: OrderedDict[str, tuple[str, float]] = OrderedDict()
        """Cookie -> its second secret, and when it was given."""

    def check_origin(self, request: web.BaseRequest) -> None:
        """Raises ApiError for another name than ours, and for another page's request."""
        host = request.headers.get("Host", "")
        if not _is_ours(host):
            raise ApiError(403, "host_not_allowed", "This is not a name of this machine.")
        origin = request.headers.get("Origin")
        if origin is not None and urlsplit_netloc(origin) != host.lower():
            raise ApiError(403, "wrong_origin", "Another page may not ask this.")
        if request.headers.get("Sec-Fetch-Site") == "cross-site" and request.method not in SAFE:
            raise ApiError(403, "wrong_origin", "Another page may not ask this.")

    def check(self, request: web.BaseRequest, now: float) -> None:
        """Raises ApiError unless a token or a cookie lets this request in."""
        given = _token(request)
        if given is not None:
            if hmac.compare_digest(_bytes(given), self._token):
                return
            self._denied(request, now)
        csrf = self.csrf(request, now)
        if csrf is None:
            if COOKIE in request.cookies:
                self._denied(request, now)
            raise ApiError(401, "unauthorized", "A token is needed, or a paired browser.")
        if request.method not in SAFE:
            said = request.headers.get(CSRF_HEADER, "")
            if not hmac.compare_digest(_bytes(said), csrf.encode()):
                raise ApiError(403, "csrf", f"{CSRF_HEADER} is missing or wrong.")

    def csrf(self, request: web.BaseRequest, now: float) -> str | None:
        """The second secret of the browser that asks; None if it was not paired, or long ago."""
        csrf, given = self._cookies.get(request.cookies.get(COOKIE, ""), ("", 0.0))
        return csrf if csrf and now - given < COOKIE_S else None

    def pair(self, code: str, response: web.StreamResponse, now: float) -> str | None:
        """Let a browser in that knows a code: the response takes the cookie to it. The second
        secret, or None where the code is not good."""
        if not self._pairing.redeem(code):
            return None
        cookie, csrf = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        self._cookies[cookie] = csrf, now
        if len(self._cookies) > MOST_COOKIES:
            self._cookies.popitem(last=False)
        response.set_cookie(
            COOKIE,
            cookie,
            max_age=COOKIE_S,
            httponly=True,
            secure=self._secure,
            samesite="Strict",
            path="/",
        )
        return csrf

    def _denied(self, request: web.BaseRequest, now: float) -> None:
        wait_s = self._limits.take(request.remote or "", "denied", now)
        if wait_s is not None:
            raise ApiError(429, "too_many", "Too many wrong tokens.", wait_s)
        raise ApiError(401, "unauthorized", "The token is wrong.")


def urlsplit_netloc(origin: str) -> str | None:
    """Host and port of an Origin header; None for what has none, such as "null"."""
    try:
        return urlsplit(origin).netloc.lower() or None
    except ValueError:
        return None


def _bytes(header: str) -> bytes:
    """As they came: what is no UTF-8 is no fault of ours."""
    return header.encode("utf-8", "surrogateescape")


def _token(request: web.BaseRequest) -> str | None:
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    return request.headers.get("X-API-Key")


def _is_ours(host: str) -> bool:
    """Whether a Host header is an address, or a name that nobody on the internet has."""
    try:
        name = urlsplit(f"//{host}").hostname
    except ValueError:
        return False
    if not name:
        return False
    try:
        ipaddress.ip_address(name)
    except ValueError:
        own = socket.gethostname().lower()
        return name in ("localhost", own) or name.endswith((".local", ".localhost"))
    return True
