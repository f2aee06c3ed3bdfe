"""A process that works for this one, and does not outlive it: see `guard`."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from goassist_desktop.pipeline import guard

KEPT_LOG_BYTES: Final = 10_000_000
"""A log longer than this is begun anew when its process is."""
_LAST_BYTES: Final = 4000
_ERROR: Final = re.compile(r"\b(\w*Error:|[Ee]rror[:,]) ")
"""Behind it a traceback may have advice, and the address of a manual."""


class Child:
    """Started with the constructor. Raises OSError where its log can not be written."""

    def __init__(
        self,
        command: Sequence[str],
        log: Path,
        more: Mapping[str, str],
        kept: Sequence[int] = (),
    ) -> None:
        """`more`: variables besides those of this process. What it prints goes to `log`. `kept`:
        file descriptors that it has too, under the same numbers."""
        log.parent.mkdir(parents=True, exist_ok=True)
        long = log.exists() and log.stat().st_size > KEPT_LOG_BYTES
        self._log = log
        keep = [f"{guard.KEEP}{','.join(map(str, kept))}"] if kept else []
        with log.open("wb" if long else "ab") as printed:
            self._from = printed.tell()
            self._process = subprocess.Popen(
                [sys.executable, str(Path(guard.__file__)), *keep, *command],
                stdin=subprocess.PIPE,
                stdout=printed,
                stderr=subprocess.STDOUT,
                env={**os.environ, **more},
                pass_fds=kept,
            )

    @property
    def status(self) -> int | None:
        """How it exited; None while it runs."""
        return self._process.poll()

    def last_line(self) -> str:
        """Its last word on an error, else what it printed last; "" for nothing."""
        with self._log.open("rb") as printed:
            end = printed.seek(0, os.SEEK_END)
            printed.seek(max(self._from, end - _LAST_BYTES))
            text = printed.read().decode(errors="replace")
        lines = [line.strip() for line in text.split("\n") if line.strip()]
        errors = [line for line in lines if _ERROR.search(line)]
        return (errors or lines or [""])[-1]

    def kill(self, within_s: float = 0.0) -> None:
        """As `end`, but without asking it."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it is over
            os.write(self._process.stdin.fileno(), guard.AT_ONCE)
        self.end(within_s)

    def end(self, within_s: float = 0.0) -> None:
        """Have it end, and wait at most so long; it goes on ending without us."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(within_s)
        except subprocess.TimeoutExpired:
            _ending.append(self._process)


_ending: list[subprocess.Popen[bytes]] = []
"""Those that were not waited for: kept, as Python warns of a process that is forgotten."""
