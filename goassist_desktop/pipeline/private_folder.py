"""Temporary folders that only this user may enter, and that do not outlive the process for long.

They are removed by whoever made them, by `remove_all` before the process is left without that, and
by the next process that makes one, should this be killed.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir

import psutil

_NAME = re.compile(r"goassist-(\d+)-")


def make() -> TemporaryDirectory[str]:
    """A new folder, of mode 0700."""
    _remove(lambda process: not psutil.pid_exists(process))
    return TemporaryDirectory(prefix=f"goassist-{os.getpid()}-")


def remove_all() -> None:
    """Remove the folders of this process."""
    _remove(lambda process: process == os.getpid())


def _remove(of: Callable[[int], bool]) -> None:
    for folder in Path(gettempdir()).glob("goassist-*"):
        if (name := _NAME.match(folder.name)) and of(int(name[1])):
            shutil.rmtree(folder, ignore_errors=True)  # another user's stays
