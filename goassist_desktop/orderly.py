"""An event loop that takes what comes from outside one thing at a time.

Blocks of audio and results of engines come from threads, while earlier ones still have consequences
under way, and on a plain loop they mix as it happens. Here the next one is taken only when nothing
is left to do. So the order in which things were taken tells the whole story, and can be repeated.
"""

from __future__ import annotations

import asyncio
import selectors
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any


class PatientSelector(selectors.DefaultSelector):
    """Does the next thing posted where it would begin to wait."""

    def __init__(self) -> None:
        super().__init__()
        self.posted: deque[Callable[[], object]] = deque()

    def select(self, timeout: float | None = None) -> list[Any]:
        if self.posted and timeout != 0:  # asyncio does not wait while anything is left to do
            self.posted.popleft()()
            timeout = 0
        return self.wait(timeout)

    def wait(self, timeout: float | None) -> list[Any]:
        return super().select(timeout)


class OrderlyLoop(asyncio.SelectorEventLoop):
    def __init__(self, selector: PatientSelector | None = None) -> None:
        self._patient = selector or PatientSelector()
        super().__init__(self._patient)

    def post(self, callback: Callable[[], object]) -> None:
        """Call it, in the order of posting, when nothing else is left to do. From any thread."""
        self._patient.posted.append(partial(self.call_soon, callback))
        self.call_soon_threadsafe(_nothing)  # a loop that waits wakes up


def running_orderly_loop() -> OrderlyLoop:
    """The loop we are on, which must be one."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, OrderlyLoop)
    return loop


def _nothing() -> None:
    pass
