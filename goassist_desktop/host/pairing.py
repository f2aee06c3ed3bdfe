"""The code by which a browser is let in: shown on this machine, typed or scanned there."""

from __future__ import annotations

import hmac
import secrets
import time
from collections.abc import Callable
from typing import Final

VALID_S: Final = 600.0
DIGITS: Final = 8


class Pairing:
    """One code at a time. It is good once, and for VALID_S. Safe from any thread: what two may do
    at once is to make a new code."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self.renew()

    @property
    def code(self) -> str:
        """The code of now: DIGITS digits."""
        if self.left_s <= 0:
            self.renew()
        return self._code

    @property
    def left_s(self) -> float:
        """For how long the code is still good."""
        return self._made + VALID_S - self._now()

    def renew(self) -> None:
        """Another code; the one before is not good any more."""
        self._code = f"{secrets.randbelow(10**DIGITS):0{DIGITS}}"
        self._made = self._now()

    def redeem(self, code: str) -> bool:
        """Whether it is the code of now, spaces apart. It is good once."""
        given = "".join(code.split())
        good = hmac.compare_digest(given.encode(), self.code.encode())
        if good:
            self.renew()
        return good


def grouped(code: str) -> str:
    """As it is read: 1234 5678."""
    return f"{code[:4]} {code[4:]}"
