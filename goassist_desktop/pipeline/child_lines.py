"""A child with which lines of JSON are exchanged, over a socket of its own: what it prints is no
answer. What it says is believed only as far as it makes sense.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from goassist_desktop.pipeline.child import Child
from goassist_desktop.pipeline.errors import EngineFailed

LOOK_S: Final = 0.02
"""How often whoever waits for it may leave."""
END_S: Final = 1.0
LONGEST_LINE: Final = 1_000_000


class ChildLines:
    """Started with the constructor. Raises EngineFailed, after which it is to be killed."""

    def __init__(
        self,
        title: str,
        command: Callable[[int], Sequence[str]],
        log: Path,
        kept: Sequence[int] = (),
    ) -> None:
        """`title`: as errors call it. `command`: from the number of its end of the socket. `kept`:
        other file descriptors that it has too."""
        self.title = title
        self.log = log
        self._unread = b""
        self._control, theirs = socket.socketpair()
        self._control.settimeout(LOOK_S)
        with theirs:
            number = theirs.fileno()
            try:
                self._child = Child(command(number), log, {}, (number, *kept))
            except OSError as error:
                self._control.close()
                raise EngineFailed(f"{title} can not be started: {error}") from error

    @property
    def lives(self) -> bool:
        return self._child.status is None

    def end(self, within_s: float = END_S) -> None:
        self._control.close()
        self._child.end(within_s)

    def kill(self, within_s: float = END_S) -> None:
        self._control.close()
        self._child.kill(within_s)

    def tell(self, what: Mapping[str, Any]) -> None:
        try:
            self._control.sendall(json.dumps(what).encode() + b"\n")
        except OSError as error:  # it ended, or has not read for long
            raise self.ended() from error

    def told(self) -> dict[str, Any] | None:
        """The next thing; None when it said nothing within LOOK_S."""
        while b"\n" not in self._unread:
            try:
                came = self._control.recv(2**16)
            except TimeoutError:
                return None
            except OSError:
                came = b""
            if not came:
                raise self.ended()
            self._unread += came
            if len(self._unread) > LONGEST_LINE:
                raise self.nonsense(self._unread)
        line, _, self._unread = self._unread.partition(b"\n")
        try:
            told = json.loads(line)
        except ValueError as error:
            raise self.nonsense(line) from error
        if not isinstance(told, dict):
            raise self.nonsense(line)
        return told

    def ended(self) -> EngineFailed:
        """How it ended, which it is about to."""
        deadline = time.monotonic() + END_S
        while (status := self._child.status) is None and time.monotonic() < deadline:
            time.sleep(LOOK_S / 4)
        if status is None:
            return EngineFailed(f"{self.title} does not listen any more")
        if status > 128:  # as `guard` has it
            return EngineFailed(f"{self.title} was killed by signal {status - 128}")
        said = self._child.last_line()
        return EngineFailed(f"{self.title} ended with status {status}: {said}"[:300])

    def nonsense(self, told: object) -> EngineFailed:
        return EngineFailed(f"{self.title} said what makes no sense: {str(told)[:80]!r}")
