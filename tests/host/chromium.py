"""The host as a user has it: `goassist host` in a process, and Chromium with a sound card."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.talk.conftest import GOASSIST, environment

CHROMIUM = shutil.which("chromium")
FLAGS = (
    "--no-sandbox",
    "--use-fake-ui-for-media-stream",  # asks nobody whether the microphone may be heard
    "--autoplay-policy=no-user-gesture-required",
    "--disable-background-networking",
)


@dataclass
class Host:
    """A running `goassist host`."""

    process: subprocess.Popen[bytes]
    log: Path

    @property
    def printed(self) -> str:
        return self.log.read_text()

    @property
    def link(self) -> str:
        """The page's address, with a pairing code."""
        found = re.findall(r"https?://(?:127\.0\.0\.1|localhost)\S*#code=\d+", self.printed)
        assert found, self.printed
        link: str = found[-1]
        return link

    def wait_for(self, text: str, seconds: float = 90.0) -> None:
        wait_until(lambda: text in self.printed, seconds, lambda: f"no {text!r} in {self.printed}")


def wait_until(
    true: Callable[[], object], seconds: float, otherwise: Callable[[], str] = lambda: "too late"
) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, otherwise()
        time.sleep(0.05)


@contextmanager
def hosting(folder: Path, *flags: str, **variables: str) -> Iterator[Host]:
    """`goassist host`, once its models are there; ended by Ctrl-C, which must be clean."""
    log = folder / "host.txt"
    with log.open("wb") as file:
        process = subprocess.Popen(
            [GOASSIST, "host", "--http", "--port", "0", *flags],
            stdout=file,
            stderr=subprocess.STDOUT,
            env=environment() | variables,
        )
    host = Host(process, log)
    try:
        host.wait_for("Ready")
        yield host
        process.send_signal(2)
        assert process.wait(10) in (0, 130), host.printed
        assert "Traceback" not in host.printed, host.printed
    finally:
        process.kill()
        process.wait()


@contextmanager
def chromium(sound: dict[str, str]) -> Iterator[Browser]:
    """A browser without a window that uses the sound card of this environment."""
    if CHROMIUM is None:
        pytest.skip("chromium is not installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=list(FLAGS),
            ignore_default_args=["--mute-audio"],
            env={**os.environ, **sound},
        )
        try:
            yield browser
        finally:
            browser.close()


def no_complaints(page: Page) -> list[str]:
    """What the page says to its console above a message, from now on."""
    said: list[str] = []
    page.on("console", lambda m: said.append(m.text) if m.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    return said
