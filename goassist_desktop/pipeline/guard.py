"""Runs a command for as long as whoever asked for it lives, and leaves nothing of it behind.

    python guard.py [--keep=FD,FD…] COMMAND ARGUMENT…

Whoever asks holds the other end of the standard input. When that is closed, as it is even by a
process that was killed, everything the command started is ended: asked to, and killed END_S later;
killed at once when AT_ONCE is written to it. The command has the file descriptors FD too.
Exits with the command's status. It imports nothing of the program, to start in no time.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading
from types import FrameType
from typing import Final

END_S: Final = 5.0
KEEP: Final = "--keep="
AT_ONCE: Final = b"!"
_PR_SET_PDEATHSIG: Final = 1


def _die_with_the_guard() -> None:
    """In the child: should the guard itself be killed. Linux only; elsewhere that is a gap."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def main(command: list[str]) -> int:
    kept = []
    if command[0].startswith(KEEP):
        kept = [int(fd) for fd in command[0].removeprefix(KEEP).split(",")]
        command = command[1:]
    # Here is one thread, so that nothing can go wrong between fork and exec.
    child = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=_die_with_the_guard,
        pass_fds=kept,
    )
    for fd in kept:
        os.close(fd)  # so that who holds the other end sees when the command closes its own
    ended = threading.Event()

    def end(number: int = 0, frame: FrameType | None = None) -> None:
        ended.set()
        _signal(child, signal.SIGTERM)

    def listen() -> None:
        while said := os.read(0, 1024):
            if AT_ONCE in said:
                ended.set()
                _signal(child, signal.SIGKILL)
        end()
        if not _over(child):
            _signal(child, signal.SIGKILL)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, end)
    threading.Thread(target=listen, daemon=True).start()
    status = child.wait()
    _signal(child, signal.SIGKILL)  # what it started, and did not take with it
    return 0 if ended.is_set() else status if status >= 0 else 128 - status


def _over(child: subprocess.Popen[bytes]) -> bool:
    try:
        child.wait(END_S)
    except subprocess.TimeoutExpired:
        return False
    return True


def _signal(child: subprocess.Popen[bytes], number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, number)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except OSError as error:
        sys.exit(f"{error.filename}: {error.strerror}")
