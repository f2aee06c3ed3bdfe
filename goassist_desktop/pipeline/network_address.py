"""Addresses as settings have them: `host:port`, and those of WebSockets."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from goassist_desktop.pipeline.errors import ConfigError

_LABEL = r"[A-Za-z0-9_-]{1,63}"
_HOST = re.compile(rf"\[[0-9A-Fa-f:.]+\]|{_LABEL}(\.{_LABEL})*\.?")
"""A name, an IPv4 address, or an IPv6 address in brackets."""


def host_and_port(text: str, key: str) -> tuple[str, int]:
    """Host (an IPv6 address without its brackets) and port. ConfigError names the setting `key`."""
    host, _, port = text.rpartition(":")
    good = _HOST.fullmatch(host) and re.fullmatch(r"[0-9]{1,5}", port)
    if not good or not 0 < int(port) < 2**16:
        raise ConfigError(
            f"{key} = {text!r}: must be a host and a port from 1 to {2**16 - 1}, "
            "such as localhost:52000"
        )
    return host.strip("[]"), int(port)


def web_socket(text: str, key: str) -> None:
    """Raises ConfigError, naming the setting `key`, for what is no address of a WebSocket, or one
    that is not encrypted and leads away from this machine: what goes there would be readable."""
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        parts, host, port = urlsplit(""), "", None
    here = host in ("localhost", "127.0.0.1", "::1")
    named = f"[{host}]" if ":" in host else host
    good = _HOST.fullmatch(named) and port != 0 and text.isascii() and text.isprintable()
    plain = not (parts.query or parts.fragment or parts.username or " " in text)
    if not good or not plain or parts.scheme not in (("wss", "ws") if here else ("wss",)):
        raise ConfigError(
            f"{key} = {text!r}: must be wss://HOST or wss://HOST:PORT; ws:// only to this machine"
        )
