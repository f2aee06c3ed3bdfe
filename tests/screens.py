"""A screen without hardware: Xvfb with a window manager, seen by `shot`, used by keys and mouse."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PROGRAMS = ("Xvfb", "openbox", "scrot", "xdotool")


class Screen:
    """`environment` makes programs show themselves here."""

    def __init__(self, folder: Path, width: int, height: int) -> None:
        missing = [program for program in PROGRAMS if shutil.which(program) is None]
        if missing:
            pytest.fail(f"{', '.join(missing)} not found: `make test` installs what is needed")
        reading, writing = os.pipe()
        self._log = (folder / "screen.log").open("w")
        self._server = subprocess.Popen(
            [
                # Without -noreset it begins anew whenever its last client leaves, and who comes in
                # that moment, as openbox did now and then, is turned away.
                *["Xvfb", "-displayfd", str(writing), "-nolisten", "tcp", "-noreset"],
                *["-screen", "0", f"{width}x{height}x24", "+extension", "GLX"],
            ],
            pass_fds=[writing],
            stdout=self._log,
            stderr=self._log,
        )
        os.close(writing)
        with os.fdopen(reading) as told:
            number = told.readline().strip()
        if not number:
            pytest.fail(f"Xvfb did not start: {(folder / 'screen.log').read_text()}")
        self.environment = {"DISPLAY": f":{number}", "QT_QPA_PLATFORM": "xcb"}
        self._manager = subprocess.Popen(
            ["openbox", "--sm-disable"],
            env=os.environ | self.environment,
            stdout=self._log,
            stderr=self._log,
        )
        deadline = time.monotonic() + 20
        while int(self._run("xdotool", "get_num_desktops") or 0) == 0:
            # A window that is shown before it gets no keys.
            assert time.monotonic() < deadline, (folder / "screen.log").read_text()
            time.sleep(0.05)

    def shot(self, path: Path) -> Path:
        """A picture of all of it, as PNG."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._run("scrot", "--overwrite", "--silent", str(path))
        return path

    def wait_for_window(self, title: str, seconds: float = 20) -> str:
        """The id of the window of this title, once it is shown."""
        deadline = time.monotonic() + seconds
        while not (found := self._run("xdotool", "search", "--onlyvisible", "--name", title)):
            assert time.monotonic() < deadline, f"no window {title!r}"
            time.sleep(0.05)
        return found.split()[0]

    def key(self, *keys: str) -> None:
        """Press and release, as in key("ctrl+m")."""
        self._run("xdotool", "key", *keys)

    def hold(self, key: str) -> None:
        self._run("xdotool", "keydown", key)

    def release(self, key: str) -> None:
        self._run("xdotool", "keyup", key)

    def type(self, text: str) -> None:
        self._run("xdotool", "type", "--delay", "5", text)

    def do(self, *words: str) -> str:
        """Anything else xdotool can do; what it says."""
        return self._run("xdotool", *words)

    def close(self) -> None:
        for process in (self._manager, self._server):
            process.terminate()
            process.wait()
        self._log.close()

    def _run(self, *command: str) -> str:
        done = subprocess.run(
            command, env=os.environ | self.environment, capture_output=True, text=True, check=False
        )
        return done.stdout


@contextmanager
def screen(folder: Path, width: int = 1280, height: int = 800) -> Iterator[Screen]:
    made = Screen(folder, width, height)
    try:
        yield made
    finally:
        made.close()
