"""Writing a recording while the session goes on.

Whoever has something to write only appends it to a queue; a thread of its own puts it into the
files, four times a second, sound before the lines that speak of it. So a recording that was cut off
is whole up to some moment before.
"""

from __future__ import annotations

import json
import os
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from goassist_desktop.pipeline.audio_files import WavWriter
from goassist_desktop.pipeline.errors import BadInput, GoAssistError
from goassist_desktop.pipeline.frames import ANALYSIS_RATE_HZ, Samples

FORMAT = 1
JOURNAL = "journal.jsonl"
MICROPHONE, LOUDSPEAKER, VOICE = "microphone", "loudspeaker", "voice"
_COPY = "copy"
WRITE_S = 0.25
_COPIED_AT_A_TIME = 1 << 20
_HEADER_BYTES = 44
"""Of a WAV file: what of it changes while it grows."""
APART_S = 1e-6
"""Between two things taken: on virtual time each has a moment of its own."""


def new_folder(path: Path) -> Path:
    """A folder for a recording, new or empty, that no other user may enter. Raises BadInput."""
    try:
        path.mkdir(mode=0o700, exist_ok=True)
        path.chmod(0o700)
        if any(path.iterdir()):
            raise BadInput(f"{path}: is not empty; a recording needs a folder of its own")
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror}") from error
    return path


class Journal:
    """The files of one recording, appended to from any thread. Close it at the end."""

    def __init__(
        self,
        folder: Path,
        header: dict[str, Any],
        rate_hz: int,
        voice_rate_hz: int,
        limit_bytes: int | None = None,
    ) -> None:
        """Once it takes more than `limit_bytes` of the disk, no more can be written.

        Raises BadInput or GoAssistError when the folder can not be written.
        """
        self._folder = folder
        self._limit_bytes = limit_bytes
        rates = {MICROPHONE: ANALYSIS_RATE_HZ, LOUDSPEAKER: rate_hz, VOICE: voice_rate_hz}
        self._sounds = {name: WavWriter(folder / f"{name}.wav", hz) for name, hz in rates.items()}
        try:
            self._lines = (folder / JOURNAL).open("w", encoding="utf-8")
        except OSError as error:
            raise BadInput(f"{folder}: {error.strerror}") from error
        self._queue: deque[tuple[str, Any]] = deque()  # bounded by WRITE_S
        self._failure: GoAssistError | None = None
        self.on_failure: Callable[[GoAssistError], None] = lambda error: None
        """Told, once and from the journal's thread, when no more can be written."""
        self._closing = threading.Event()
        self.line({"format": FORMAT, **header})
        self._thread = threading.Thread(target=self._write, name="recording")
        self._thread.start()

    def line(self, what: Any) -> None:
        """Anything JSON can hold, as it is now: it is written later."""
        self._queue.append((JOURNAL, what))

    def sound(self, name: str, samples: Samples) -> None:
        """Append (n,) samples to a file. They must not change any more."""
        self._queue.append((name, samples))

    def copy_to(self, folder: Path) -> None:
        """Copy all of it until now to a new folder, while it goes on. From any thread but its own.

        Raises BadInput or GoAssistError when that can not be; nothing is left there then.
        """
        asked: Future[list[_Part]] = Future()
        self._queue.append((_COPY, asked))
        parts = None
        while parts is None:
            try:
                parts = asked.result(timeout=WRITE_S)
            except TimeoutError:
                if not self._thread.is_alive():
                    parts = self._parts()
        with ExitStack() as opened:
            for part in parts:
                opened.enter_context(part.file)
            new_folder(folder)
            try:
                for part in parts:
                    part.copy_to(folder)
            except OSError as error:
                for part in parts:
                    (folder / part.name).unlink(missing_ok=True)
                folder.rmdir()
                raise GoAssistError(f"{folder}: can not be written: {error.strerror}") from error

    def _hand_out(self, asked: Future[list[_Part]]) -> None:
        try:
            asked.set_result(self._parts())
        except BadInput as error:
            asked.set_exception(error)

    def _parts(self) -> list[_Part]:
        """The files as they are now. By the journal's thread, or after its end."""
        names = [JOURNAL, *(sound.path.name for sound in self._sounds.values())]
        try:
            return [_Part.of(self._folder / name) for name in names]
        except OSError as error:
            raise BadInput(f"{self._folder}: {error.strerror}") from error

    def close(self) -> None:
        """Write what is left. Harmless when closed. Raises GoAssistError when that fails."""
        self._closing.set()
        self._thread.join()
        if self._failure is not None:
            raise self._failure

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self.close()
        except GoAssistError:
            if error is None:
                raise

    def _write(self) -> None:
        try:
            while not self._closing.wait(WRITE_S):
                self._drain()
            self._drain()
        except (GoAssistError, OSError) as error:
            self._queue = deque(maxlen=0)
            if not isinstance(error, GoAssistError):
                error = GoAssistError(f"{self._lines.name}: can not be written: {error.strerror}")
            if self._closing.is_set():
                self._failure = error  # for `close`: there is nobody else any more
            else:
                self.on_failure(error)
        finally:
            for sound in self._sounds.values():
                sound.close()
            with suppress(OSError):  # a full disk, which was told of when it was met
                self._lines.close()

    def _drain(self) -> None:
        waiting = [self._queue.popleft() for _ in range(len(self._queue))]
        for name, file in self._sounds.items():
            parts = [what for kind, what in waiting if kind == name]
            if parts:
                file.append(np.concatenate(parts))
        for kind, what in waiting:
            if kind == JOURNAL:
                self._lines.write(json.dumps(what, separators=(",", ":")) + "\n")
        self._lines.flush()
        for kind, what in waiting:
            if kind == _COPY:
                self._hand_out(what)
        if self._limit_bytes is not None and self._size() > self._limit_bytes:
            raise GoAssistError(f"it may take {self._limit_bytes / 1e6:g} MB, and does")

    def _size(self) -> int:
        """Bytes on the disk."""
        paths = [self._folder / JOURNAL, *(sound.path for sound in self._sounds.values())]
        return sum(os.stat(path).st_blocks * 512 for path in paths)


@dataclass(frozen=True, slots=True)
class _Part:
    """A file of a recording as it was at one moment: it grows at its end only, header apart."""

    name: str
    file: BufferedReader
    head: bytes
    size: int

    @classmethod
    def of(cls, path: Path) -> _Part:
        file = path.open("rb")
        head = file.read(_HEADER_BYTES)
        return cls(path.name, file, head, os.fstat(file.fileno()).st_size)

    def copy_to(self, folder: Path) -> None:
        with (folder / self.name).open("xb") as target:
            target.write(self.head)
            left = self.size - len(self.head)
            while left > 0 and (some := self.file.read(min(left, _COPIED_AT_A_TIME))):
                target.write(some)
                left -= len(some)
