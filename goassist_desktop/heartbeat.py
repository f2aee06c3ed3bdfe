"""The sign of life of a kiosk: a byte in a pipe, to whoever watches it.

It is given only when every part of the program came round since the last one. So a window that
hangs is noticed while the conversation still runs, and the other way round.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterable
from typing import Final

VARIABLE: Final = "_GOASSIST_HEARTBEAT"
"""Holds the number of the pipe's writing end, and so marks the child. It is no setting, and so must
not begin as those do."""
EVERY_S: Final = 0.5
"""How often each part calls `beat`."""
PARTS: Final = ("window", "session")


class Heartbeat:
    """`beat` is called by each part, from its own thread, every EVERY_S."""

    def __init__(self, pipe: int, parts: Iterable[str] = PARTS) -> None:
        os.set_blocking(pipe, False)
        os.set_inheritable(pipe, False)  # or a process of ours that outlives us would beat for us
        self._pipe = pipe
        self._parts = frozenset(parts)
        self._missing = set(self._parts)
        self._lock = threading.Lock()

    def beat(self, part: str) -> None:
        """This part is alive. Raises KeyError for one that is not known.

        Should nobody watch any more, the program is asked to end as SIGTERM asks: a kiosk that
        outlived its supervisor would be in the way of the next.
        """
        if part not in self._parts:
            raise KeyError(part)
        with self._lock:
            self._missing.discard(part)
            if self._missing:
                return
            self._missing = set(self._parts)
        try:
            with contextlib.suppress(BlockingIOError):  # a full pipe has signs enough
                os.write(self._pipe, b".")
        except BrokenPipeError:
            os.kill(os.getpid(), signal.SIGTERM)


def inherited() -> Heartbeat | None:
    """The heartbeat that a supervisor wants of this process, or None where nobody watches."""
    pipe = os.environ.pop(VARIABLE, None)
    return None if pipe is None else Heartbeat(int(pipe))


def watched() -> bool:
    """Whether this process is the child of a supervisor (until `inherited` has been asked)."""
    return VARIABLE in os.environ
