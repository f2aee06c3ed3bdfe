"""`goassist --terminal` without a microphone: a demonstration, then a page for a browser's."""

from __future__ import annotations

import re
import signal
import socket
import ssl
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from goassist_desktop import weights
from tests.talk.conftest import GOASSIST, environment

PATIENCE_S = 120.0


class Terminal:
    """The program, and what it printed."""

    def __init__(self, home: Path, *arguments: str) -> None:
        self._file = home / "printed"
        self._printed = self._file.open("wb")
        self.process = subprocess.Popen(
            [GOASSIST, "--terminal", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=self._printed,
            stderr=subprocess.STDOUT,
            env=environment()
            | {
                "HOME": str(home),
                "PULSE_SERVER": f"unix:{home}/nobody",
                "XDG_RUNTIME_DIR": str(home),
                "XDG_DATA_HOME": str(home / "data"),
                "GOASSIST_MODELS_DIR": str(weights.models_dir()),
            },
        )

    @property
    def printed(self) -> str:
        return self._file.read_text()

    def wait(self, words: str) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while words not in self.printed:
            assert self.process.poll() is None, self.printed
            assert time.monotonic() < deadline, self.printed
            time.sleep(0.05)

    def end(self) -> int:
        """By Ctrl-C."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(10)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self._printed.close()


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Callable[..., Terminal]]:
    started = []

    def start(*arguments: str) -> Terminal:
        started.append(Terminal(tmp_path, *arguments))
        return started[-1]

    yield start
    for one in started:
        one.kill()


def page(printed: str) -> tuple[int, bytes]:
    """Status and content of the page that is served."""
    found = re.search(r"https://127\.0\.0\.1:\d+/", printed)
    assert found is not None, printed
    trusting = ssl.create_default_context()
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    with urllib.request.urlopen(found[0], timeout=5, context=trusting) as answer:
        return answer.status, answer.read()


def test_after_the_demonstration_a_browser_may_talk(terminal: Callable[..., Terminal]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        program = terminal("--set", f"host.port={taken.getsockname()[1]}")
        program.wait("Ready.")
    assert "demonstration conversation" in program.printed
    assert "To hear it: " in program.printed
    assert "another port is used" in program.printed
    status, content = page(program.printed)
    assert status == 200
    assert b"<!doctype html" in content.lower()
    assert program.end() == 0
    assert "Traceback" not in program.printed
