"""`host:port`, as a setting has it."""

from __future__ import annotations

import re

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
