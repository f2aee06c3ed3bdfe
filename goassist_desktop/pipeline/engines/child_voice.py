"""A voice whose work is done in a process of its own: see `apart/serve.py` for what they say.

A library that crashes, hangs or takes all memory takes that process, and the next voice goes on.
Its environment may be another one than this program's: torch need not be in it.

Sound comes through memory that both processes see and that has no name, so that nothing is left of
it, whichever of them is killed. What it says is believed only as far as it makes sense.
"""

from __future__ import annotations

import json
import os
import socket
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from goassist_desktop.pipeline.child import Child
from goassist_desktop.pipeline.engines.apart import serve
from goassist_desktop.pipeline.errors import EngineFailed, ModelMissing
from goassist_desktop.pipeline.frames import Phoneme, Samples, Speech, Word
from goassist_desktop.pipeline.protocols import EngineInfo

SHARED_BYTES: Final = 4 * 2**20
"""44 s at 24 kHz: a voice may be that far ahead."""
LOOK_S: Final = 0.02
"""How often whoever waits for sound may leave."""
LIFE_S: Final = 1.0
"""Without a beat of the process for so long it counts as dead, once it has said something; it beats
every 0.1 s."""
STUCK_S: Final = 20.0
"""Without sound for so long it counts as stuck, though it beats."""
READY_S: Final = 300.0
"""torch and two gigabytes from a slow disk."""
STEP_S: Final = 2.0
"""What was not wanted any more must be over by then, for the process to count as well."""
END_S: Final = 1.0
LONGEST_LINE: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Apart:
    """What runs in the process, and where."""

    title: str
    """As errors call it."""
    program: str
    """The Python of its environment."""
    module: Path
    options: Mapping[str, Any]
    log: Path
    """What it prints is added here."""


class ChildVoice:
    """Synthesiser. `load` starts the process, or another in place of one that is not well."""

    def __init__(self, info: EngineInfo, rate_hz: int, apart: Apart) -> None:
        self.rate_hz = rate_hz
        self._info = info
        self._apart = apart
        self._process: _Process | None = None
        self.starts = 0
        """How many processes there were so far."""

    @property
    def info(self) -> EngineInfo:
        return self._info

    def load(self) -> None:
        if self._process is not None and self._process.well():
            return
        self._kill()
        process = self._process = _Process(self._apart)
        self.starts += 1
        try:
            process.await_ready(self.rate_hz)
        except (EngineFailed, ModelMissing):
            self._kill()
            raise

    def close(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.end(END_S)

    def speak(self, text: str) -> Iterator[Speech | None]:
        if self._process is None:
            raise EngineFailed("synthesis: the voice is not loaded")
        try:
            for piece in self._process.say(text):
                yield None if piece is None else Speech(piece[0], self.rate_hz, *piece[1:])
        except EngineFailed:
            self._kill()
            raise

    def _kill(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill(END_S)


Piece = tuple[Samples, tuple[Word, ...], tuple[Phoneme, ...]]


class _Process:
    """Started with the constructor. Raises EngineFailed, after which it is to be killed."""

    def __init__(self, apart: Apart) -> None:
        self._title = f"{apart.title}'s process"
        self._log = apart.log
        self._unread = b""
        self._asked = self._over = 0
        """Numbers of texts: the last one asked for, and the last that it is done with."""
        shared = _without_a_name(SHARED_BYTES)
        self._control, theirs = socket.socketpair()
        self._control.settimeout(LOOK_S)
        command = [apart.program, serve.__file__, str(apart.module), json.dumps(apart.options)]
        command += [str(theirs.fileno()), str(shared)]
        try:
            self._shared = serve.Shared(shared)
            self._child = Child(command, apart.log, {}, (theirs.fileno(), shared))
        except OSError as error:
            self._control.close()
            raise EngineFailed(f"{self._title} can not be started: {error}") from error
        finally:
            theirs.close()
            os.close(shared)

    def await_ready(self, rate_hz: int) -> None:
        """Raises ModelMissing too."""
        deadline = time.monotonic() + READY_S
        while (told := self._told()) is None:
            if time.monotonic() > deadline:
                raise EngineFailed(f"{self._title} was not ready in {READY_S:g} s: {self._log}")
        match told:
            case {"ready": int(found)} if found == rate_hz:
                return
            case {"missing": str(which)}:
                raise ModelMissing(f"voice model {which}")
        raise self._failed(told)

    def well(self) -> bool:
        """Whether it lives and waits for work, or will do so in a moment."""
        deadline = time.monotonic() + STEP_S
        try:
            while self._over < self._asked:
                self._understood(self._told())
                if time.monotonic() > deadline:
                    return False
            return self._told() is None and self._beats()
        except EngineFailed:
            return False

    def say(self, text: str) -> Iterator[Piece | None]:
        """None: there was nothing for a moment."""
        self._asked += 1
        number = self._asked
        self._shared.header[serve.UNWANTED] = number - 1
        try:
            self._tell({"say": number, "text": text})
            parts: list[Samples] = []
            since = time.monotonic()
            while self._over < number:
                told = self._told()
                samples = self._understood(told)
                if told is None or told.get("say") != number:
                    self._check_life(since)
                    yield None
                    continue
                parts.append(samples)
                if "words" in told:
                    yield self._piece(told, np.concatenate(parts))
                    parts = []
                since = time.monotonic()
        finally:
            self._shared.header[serve.UNWANTED] = number

    def end(self, within_s: float) -> None:
        self._control.close()
        self._child.end(within_s)

    def kill(self, within_s: float) -> None:
        self._control.close()
        self._child.kill(within_s)

    # -- what it says --------------------------------------------------------------------------

    def _tell(self, what: dict[str, Any]) -> None:
        try:
            self._control.sendall(json.dumps(what).encode() + b"\n")
        except OSError as error:  # it ended, or has not read for long
            raise self._ended() from error

    def _told(self) -> dict[str, Any] | None:
        """The next thing; None when it said nothing within LOOK_S."""
        while b"\n" not in self._unread:
            try:
                came = self._control.recv(2**16)
            except TimeoutError:
                return None
            except OSError:
                came = b""
            if not came:
                raise self._ended()
            self._unread += came
            if len(self._unread) > LONGEST_LINE:
                raise self._failed(self._unread)
        line, _, self._unread = self._unread.partition(b"\n")
        try:
            told = json.loads(line)
        except ValueError as error:
            raise self._failed(line) from error
        if not isinstance(told, dict):
            raise self._failed(line)
        return told

    def _understood(self, told: dict[str, Any] | None) -> Samples:
        """The samples that something told is about, if any; whether or not they are wanted."""
        match told:
            case None:
                pass
            case {"end": int(number)} if self._over < number <= self._asked:
                self._over = number
            case {"say": int(number), "at": int(at), "count": int(count)} if (
                number <= self._asked
                and at == self._shared.position
                and 0 <= count <= len(self._shared.ring)
            ):
                samples: Samples = self._shared.read(count)
                if not np.isfinite(samples).all():
                    raise EngineFailed(f"{self._title} made sound that is none")
                return samples
            case _:
                raise self._failed(told)
        return np.zeros(0, np.float32)

    def _piece(self, told: dict[str, Any], samples: Samples) -> Piece:
        try:
            words = tuple(Word(*span) for span in _spans(told["words"], len(samples)))
            sounds = tuple(Phoneme(*span) for span in _spans(told["sounds"], len(samples)))
        except (ValueError, KeyError, TypeError) as error:
            raise self._failed(told) from error
        return samples, words, sounds

    # -- how it is -----------------------------------------------------------------------------

    def _beats(self) -> bool:
        beat_ns = int(self._shared.header[serve.BEAT])
        return time.monotonic_ns() - beat_ns < LIFE_S * 1e9

    def _check_life(self, since: float) -> None:
        """`since`: when the last sound came. With the first text libraries are still being linked,
        which holds Python's lock, and with it the beat."""
        warm = self._over > 0
        if self._child.status is not None:
            raise self._ended()
        if warm and not self._beats():
            raise EngineFailed(f"{self._title} gave no sign of life for {LIFE_S:g} s")
        patience_s = STUCK_S if warm else READY_S
        if time.monotonic() - since > patience_s:
            raise EngineFailed(f"{self._title} made no sound for {patience_s:g} s")

    def _ended(self) -> EngineFailed:
        deadline = time.monotonic() + END_S
        while (status := self._child.status) is None and time.monotonic() < deadline:
            time.sleep(LOOK_S / 4)
        if status is None:
            return EngineFailed(f"{self._title} does not listen any more")
        if status > 128:  # as `guard` has it
            return EngineFailed(f"{self._title} was killed by signal {status - 128}")
        said = self._child.last_line()
        return EngineFailed(f"{self._title} ended with status {status}: {said}"[:300])

    def _failed(self, told: object) -> EngineFailed:
        match told:
            case {"failed": str(why)}:
                return EngineFailed(f"{self._title} failed: {why}"[:300])
        return EngineFailed(f"{self._title} said what makes no sense: {str(told)[:80]!r}")


def _spans(told: Sequence[Any], length: int) -> Iterator[tuple[str, int, int]]:
    """Of words or sounds. Raises ValueError for what is none, or not in order."""
    now = 0
    for text, start, end in told:
        whole = isinstance(text, str) and isinstance(start, int) and isinstance(end, int)
        if not (whole and now <= start <= end <= length):
            raise ValueError(f"no span: {text!r}, {start!r} to {end!r}")
        yield text, start, end
        now = start


def _without_a_name(size: int) -> int:
    """A file in memory, or on the disk where there is no other."""
    if hasattr(os, "memfd_create"):
        fd = os.memfd_create("goassist-voice", os.MFD_CLOEXEC)
    else:
        with tempfile.TemporaryFile() as file:
            fd = os.dup(file.fileno())
    os.ftruncate(fd, size)
    return fd
