"""One line of what the examination of the machine found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Finding:
    """`remedy` is what to do; empty when there is nothing to."""

    check: str
    state: State
    found: str
    remedy: str = ""
