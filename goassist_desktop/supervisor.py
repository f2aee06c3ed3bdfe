"""Keeps a kiosk running: starts it as a child, watches its heartbeat, starts it again.

This process outlives whatever happens to the window, the models and the graphics driver, so it
holds as little as possible: the standard library, no thread, some 10 MB.

As a program, with the kiosk's own command behind it:  python -m goassist_desktop.supervisor …
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NoReturn

from goassist_desktop.heartbeat import VARIABLE

TICK_S: Final = 1.0
"""How often systemd is told that we are alive."""
ENDS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@dataclass(frozen=True, slots=True)
class Limits:
    """How much patience there is, in seconds."""

    start_s: float = 60.0
    """Until the first heartbeat: engines are loaded meanwhile."""
    silence_s: float = 5.0
    """Between two heartbeats."""
    hang_s: float = 2.0
    """For a child that hangs to end after SIGTERM, before SIGKILL."""
    end_s: float = 1.5
    """The same when we are asked to end ourselves, which must be over within 2 s."""
    steady_s: float = 30.0
    """Who beat for this long before dying is started again at once; sooner counts as at once."""
    first_wait_s: float = 1.0
    """Before starting again who died at once; twice as long after every further time."""
    longest_wait_s: float = 30.0


def take_over(command: Sequence[str]) -> NoReturn:
    """Become a supervisor of `command`: this process goes on as a small one. Does not return."""
    sys.stdout.flush()
    sys.stderr.flush()
    # -P: what lies in the folder we were started in is none of ours.
    us = [sys.executable, "-P", "-m", "goassist_desktop.supervisor"]
    os.execv(sys.executable, [*us, *command])


def supervise(command: Sequence[str], limits: Limits = Limits()) -> int:
    """Run the command until it ends with status 0, or we are asked to end. Returns 0.

    We are asked by SIGTERM, SIGINT or SIGHUP, and by the end of whoever started us: a compositor
    that is gone takes the screen along, and the next one starts a supervisor of its own.
    To be called on the main thread of a process that does nothing else.
    Raises OSError when the command can not be started at all.
    """
    with _signals() as (asked, woken):
        return _Supervisor(command, limits, asked, woken).run()


class _Supervisor:
    def __init__(
        self, command: Sequence[str], limits: Limits, asked: list[int], woken: socket.socket
    ) -> None:
        self._command, self._limits, self._asked = command, limits, asked
        self._selector = selectors.DefaultSelector()
        self._woken = woken
        self._selector.register(woken, selectors.EVENT_READ)
        self._systemd = _Systemd(os.environ.get("NOTIFY_SOCKET"))
        self._ticked_s = 0.0
        self._parent = os.getppid()
        self._lived = False

    def run(self) -> int:
        limits, wait_s = self._limits, 0.0
        while True:
            why, steady_s = self._live()
            if not why or self._asked:
                self._systemd.tell("STOPPING=1")
                return 0
            if steady_s >= limits.steady_s:
                wait_s = 0.0
            else:
                wait_s = min(limits.longest_wait_s, 2 * wait_s or limits.first_wait_s)
            again = f"{why}; starting it again" + (f" in {wait_s:g} s" if wait_s else "")
            _say(again)
            self._systemd.tell(f"STATUS={again}")
            self._sleep(wait_s)
            if self._asked:
                return 0

    def _live(self) -> tuple[str, float]:
        """One life of the child: why it has to be started again, if so, and how long it beat."""
        try:
            child = _Child(self._command)
        except OSError as error:
            if not self._lived:
                raise
            return f"the kiosk could not be started: {error}", 0.0
        self._lived = True
        self._selector.register(child.pipe, selectors.EVENT_READ)
        try:
            hung, steady_s = self._watch(child)
            self._end(child)
        finally:
            self._selector.unregister(child.pipe)
            child.close()
        return hung or child.failure(), steady_s

    def _watch(self, child: _Child) -> tuple[str, float]:
        """Until it ends, hangs, or we are asked to end. Returns how it hangs, and how long it
        had been beating."""
        last_s = time.monotonic()
        first_s: float | None = None
        while not self._asked and not child.ended():
            now_s = time.monotonic()
            patience_s = self._limits.start_s if first_s is None else self._limits.silence_s
            if now_s - last_s >= patience_s:
                steady_s = 0.0 if first_s is None else last_s - first_s
                return f"the kiosk hangs, without a sign of life for {patience_s:g} s", steady_s
            self._turn(last_s + patience_s - now_s)
            if child.beats():
                last_s = time.monotonic()
                if first_s is None:
                    first_s = last_s
                    self._systemd.tell("READY=1\nSTATUS=Running")
        return "", 0.0 if first_s is None else time.monotonic() - first_s

    def _end(self, child: _Child) -> None:
        """See that the child and all it started are gone."""
        patience_s = self._limits.end_s if self._asked else self._limits.hang_s
        until_s = time.monotonic() + patience_s
        if not child.ended():
            child.send(signal.SIGTERM)
        while not child.ended() and (left_s := until_s - time.monotonic()) > 0:
            self._turn(left_s)
            if self._asked:
                until_s = min(until_s, time.monotonic() + self._limits.end_s)
        child.reap()

    def _sleep(self, seconds: float) -> None:
        until_s = time.monotonic() + seconds
        while not self._asked and (left_s := until_s - time.monotonic()) > 0:
            self._turn(left_s)

    def _turn(self, longest_s: float) -> None:
        """Wait for anything to happen. Tells systemd that we are alive."""
        now_s = time.monotonic()
        if now_s - self._ticked_s >= TICK_S:
            self._ticked_s = now_s
            self._systemd.tell("WATCHDOG=1")
            if os.getppid() != self._parent:
                self._asked.append(signal.SIGHUP)
        for key, _ in self._selector.select(min(longest_s, TICK_S)):
            if key.fileobj is self._woken:
                self._woken.recv(64)


class _Child:
    """One life of the command, in a process group of its own, and the pipe that it beats in."""

    def __init__(self, command: Sequence[str]) -> None:
        self.status: int | None = None
        """As subprocess has it, once reaped: negative for a signal."""
        # Ours of both ends stay open: a pipe at its end would wake us again and again.
        self.pipe, self._beating = os.pipe()
        os.set_blocking(self.pipe, False)
        environment = os.environ | {VARIABLE: str(self._beating)}
        for ours in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"):
            environment.pop(ours, None)
        try:
            self._process = subprocess.Popen(
                command, env=environment, pass_fds=(self._beating,), start_new_session=True
            )
        except OSError:
            self.close()
            raise

    def beats(self) -> bool:
        """Whether it beat since the last call."""
        try:
            return b"." in os.read(self.pipe, 4096)
        except BlockingIOError:
            return False

    def ended(self) -> bool:
        if self.status is not None:
            return True
        how = os.WEXITED | os.WNOHANG | os.WNOWAIT
        return os.waitid(os.P_PID, self._process.pid, how) is not None

    def failure(self) -> str:
        """Why a child that ended must be started again; empty when it meant to end."""
        if self.status == 0:
            return ""
        if self.status is not None and self.status < 0:
            return f"the kiosk was ended by {signal.Signals(-self.status).name}"
        return f"the kiosk ended with status {self.status}"

    def send(self, number: int) -> None:
        os.kill(self._process.pid, number)  # still its own: it has not been waited for

    def reap(self) -> None:
        """Kill what is left of it and of what it started."""
        # Until it has been waited for, nobody else is given its number.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self.status = self._process.wait()

    def close(self) -> None:
        os.close(self.pipe)
        os.close(self._beating)


class _Systemd:
    """What a service of Type=notify says (sd_notify(3)); nothing where nobody listens."""

    def __init__(self, address: str | None) -> None:
        self._address = address.replace("@", "\0", 1) if address else None
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)

    def tell(self, state: str) -> None:
        if self._address is not None:
            # It judges our silence itself; there is nobody else to tell.
            with contextlib.suppress(OSError):
                self._socket.sendto(state.encode(), self._address)


@contextlib.contextmanager
def _signals() -> Iterator[tuple[list[int], socket.socket]]:
    """What asks us to end is noted, and every signal wakes whoever waits on the socket."""
    asked: list[int] = []
    woken, wake = socket.socketpair()
    woken.setblocking(False)
    wake.setblocking(False)
    handlers = {number: signal.signal(number, lambda n, _: asked.append(n)) for number in ENDS}
    handlers[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, lambda *_: None)
    before = signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
    try:
        yield asked, woken
    finally:
        signal.set_wakeup_fd(before)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        woken.close()
        wake.close()


def _say(what: str) -> None:
    with contextlib.suppress(OSError):  # who does not listen is no reason to end
        sys.stderr.write(f"goassist: {what}\n")
        sys.stderr.flush()


def _main() -> int:
    try:
        return supervise(sys.argv[1:])
    except OSError as error:
        _say(f"{error.filename}: {error.strerror}")
        return 1


if __name__ == "__main__":
    sys.exit(_main())
