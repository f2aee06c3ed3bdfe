"""Temporary folders that only this user may enter, and that do not outlive the process for long.

They are removed by whoever made them, by `remove_all` before the process is left without that, and
by the next process that makes one, should this be killed.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir

import psutil

PLENTY = 4
"""Memory holds what takes no more than this part of what is free."""
_NAME = re.compile(r"goassist-(\d+)-")


def make(room_bytes: int = 0) -> TemporaryDirectory[str]:
    """A new folder, of mode 0700.

    What takes up to `room_bytes` is held in memory, should there be plenty: then it is on no disk.
    """
    _remove(lambda process: not psutil.pid_exists(process))
    root = _in_memory(room_bytes) if room_bytes else None
    return TemporaryDirectory(prefix=f"goassist-{os.getpid()}-", dir=root)


def remove_all() -> None:
    """Remove the folders of this process."""
    _remove(lambda process: process == os.getpid())


def left_behind() -> list[Path]:
    """Folders of processes that are gone."""
    return list(_folders(lambda process: not psutil.pid_exists(process)))


def _remove(of: Callable[[int], bool]) -> None:
    for folder in _folders(of):
        shutil.rmtree(folder, ignore_errors=True)  # another user's stays


def _folders(of: Callable[[int], bool]) -> Iterator[Path]:
    for root in {gettempdir(), *_memory_folders()}:
        for folder in Path(root).glob("goassist-*"):
            if (name := _NAME.match(folder.name)) and of(int(name[1])):
                yield folder


def _memory_folders() -> list[str]:
    """Of file systems in memory."""
    return [folder for folder in (os.environ.get("XDG_RUNTIME_DIR"), "/dev/shm") if folder]


def _in_memory(room_bytes: int) -> str | None:
    plenty = PLENTY * room_bytes
    if psutil.virtual_memory().available < plenty:
        return None
    for folder in _memory_folders():
        with suppress(OSError):
            if shutil.disk_usage(folder).free >= plenty and os.access(folder, os.W_OK):
                return folder
    return None
