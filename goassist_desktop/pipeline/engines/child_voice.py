"""A voice whose work is done in a process of its own: see `apart/serve.py` for what they say.

A library that crashes, hangs or takes all memory takes that process, and the next voice goes on.
Its environment may be another one than this program's: torch need not be in it.

Sound comes through memory that both processes see and that has no name, so that nothing is left of
it, whichever of them is killed. What it says is believed only as far as it makes sense.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from goassist_desktop.pipeline.child_lines import ChildLines
from goassist_desktop.pipeline.engines.apart import serve
from goassist_desktop.pipeline.errors import EngineFailed, ModelMissing
from goassist_desktop.pipeline.frames import Phoneme, Samples, Speech, Word
from goassist_desktop.pipeline.protocols import EngineInfo

SHARED_BYTES: Final = 4 * 2**20
"""44 s at 24 kHz: a voice may be that far ahead."""
LIFE_S: Final = 1.0
"""Without a beat of the process for so long it counts as dead, once it has said something; it beats
every 0.1 s."""
STUCK_S: Final = 20.0
"""Without sound for so long it counts as stuck, though it beats."""
READY_S: Final = 300.0
"""torch and two gigabytes from a slow disk."""
STEP_S: Final = 2.0
"""What was not wanted any more must be over by then, for the process to count as well."""


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
            process.end()

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
            process.kill()


Piece = tuple[Samples, tuple[Word, ...], tuple[Phoneme, ...]]


class _Process(ChildLines):
    def __init__(self, apart: Apart) -> None:
        self._asked = self._over = 0
        """Numbers of texts: the last one asked for, and the last that it is done with."""
        shared = _without_a_name(SHARED_BYTES)
        command = [apart.program, serve.__file__, str(apart.module), json.dumps(apart.options)]
        try:
            self._shared = serve.Shared(shared)
            super().__init__(
                f"{apart.title}'s process",
                lambda control: [*command, str(control), str(shared)],
                apart.log,
                (shared,),
            )
        finally:
            os.close(shared)

    def await_ready(self, rate_hz: int) -> None:
        """Raises ModelMissing too."""
        deadline = time.monotonic() + READY_S
        while (told := self.told()) is None:
            if time.monotonic() > deadline:
                raise EngineFailed(f"{self.title} was not ready in {READY_S:g} s: {self.log}")
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
                self._understood(self.told())
                if time.monotonic() > deadline:
                    return False
            return self.told() is None and self._beats()
        except EngineFailed:
            return False

    def say(self, text: str) -> Iterator[Piece | None]:
        """None: there was nothing for a moment."""
        self._asked += 1
        number = self._asked
        self._shared.header[serve.UNWANTED] = number - 1
        try:
            self.tell({"say": number, "text": text})
            parts: list[Samples] = []
            since = time.monotonic()
            while self._over < number:
                told = self.told()
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

    # -- what it says --------------------------------------------------------------------------

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
                    raise EngineFailed(f"{self.title} made sound that is none")
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
        if not self.lives:
            raise self.ended()
        if warm and not self._beats():
            raise EngineFailed(f"{self.title} gave no sign of life for {LIFE_S:g} s")
        patience_s = STUCK_S if warm else READY_S
        if time.monotonic() - since > patience_s:
            raise EngineFailed(f"{self.title} made no sound for {patience_s:g} s")

    def _failed(self, told: object) -> EngineFailed:
        match told:
            case {"failed": str(why)}:
                return EngineFailed(f"{self.title} failed: {why}"[:300])
        return self.nonsense(told)


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
