"""Virtual time with the fakes: each engine says itself how long its calls take."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from goassist_desktop import virtual_time
from goassist_desktop.virtual_time import run

__all__ = ["VirtualLane", "run"]


class VirtualLane(virtual_time.VirtualLane):
    """A lane whose engine takes `engine.seconds[method]` a call, or an item."""

    def __init__(self) -> None:
        super().__init__(_seconds)


def _seconds(call: Callable[..., Any], took_s: float) -> float:
    call = inspect.unwrap(call)
    engine: Any = call.__self__  # type: ignore[attr-defined]
    return float(engine.seconds.get(call.__name__, 0.0))
