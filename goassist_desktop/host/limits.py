"""How often one address may ask for what.

A window slides over the last minute of each address and kind of request. An address of IPv6 is its
/64: whoever has one has all of it.
"""

from __future__ import annotations

import ipaddress
import math
from collections import OrderedDict, deque
from collections.abc import Mapping
from typing import Final

WINDOW_S: Final = 60.0
MOST_WINDOWS: Final = 4096
"""Addresses and kinds that are remembered: the ones unseen for longest are forgotten first."""

PER_MINUTE: Final[Mapping[str, int]] = {
    "create": 5,
    "offer": 10,
    "candidate": 120,
    "chat": 30,
    "pair": 5,
    "denied": 20,
    "other": 60,
}


class Limits:
    """Counts requests. Times are seconds of one monotonic clock."""

    def __init__(self, per_minute: Mapping[str, int] = PER_MINUTE) -> None:
        self._per_minute = per_minute
        self._windows: OrderedDict[tuple[str, str], deque[float]] = OrderedDict()

    def take(self, address: str, kind: str, now: float) -> int | None:
        """Count one request: None if it may go on, else after how many seconds one may."""
        wait_s = self.wait_s(address, kind, now)
        if wait_s is None:
            self._window(address, kind).append(now)
        return wait_s

    def wait_s(self, address: str, kind: str, now: float) -> int | None:
        """The same, without counting."""
        window = self._window(address, kind)
        while window and now - window[0] >= WINDOW_S:
            window.popleft()
        if len(window) < self._per_minute[kind]:
            return None
        return max(1, math.ceil(WINDOW_S - (now - window[0])))

    def _window(self, address: str, kind: str) -> deque[float]:
        key = (_whose(address), kind)
        window = self._windows.setdefault(key, deque())
        self._windows.move_to_end(key)
        if len(self._windows) > MOST_WINDOWS:
            self._windows.popitem(last=False)
        return window


def _whose(address: str) -> str:
    try:
        ip = ipaddress.ip_address(address.split("%")[0])
    except ValueError:
        return address
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            return str(ip.ipv4_mapped)
        return str(ipaddress.ip_network((ip, 64), strict=False))
    return address
