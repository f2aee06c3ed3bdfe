"""The program as a user has it: a real window on a screen, a microphone, a loudspeaker, and models.

Nothing is called from inside: what it does is seen on the screen, heard from the loudspeaker, and
read in the history it was told to keep.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from goassist_desktop import weights
from goassist_desktop.pipeline.engines.whisper import Whisper
from tests.device.conftest import RATE_HZ, VirtualCard, card  # noqa: F401 - a fixture
from tests.screens import Screen, screen
from tests.talk.conftest import GOASSIST

pytestmark = [pytest.mark.screen, pytest.mark.device, pytest.mark.models]

TITLE = "GoAssist"
READY_S = 40
LEAVE_S = 1.0
CONFIG = """
profile = "ci"
[persona]
name = "Mira"
[privacy]
keep_history = true
[window]
theme = "dark"
"""


@pytest.fixture(scope="module")
def models_folder() -> Path:
    """Where the models are, named before the card moves HOME."""
    return weights.models_dir()


@pytest.fixture(scope="module")
def ear(models_folder: Path) -> Iterator[Whisper]:
    ear = Whisper(models_folder / "faster-whisper-tiny.en")
    ear.load()
    yield ear
    ear.close()


@pytest.fixture
def monitor(tmp_path: Path) -> Iterator[Screen]:
    with screen(tmp_path) as made:
        yield made


class Window:
    """`goassist` with its window."""

    def __init__(self, card: VirtualCard, monitor: Screen, models: Path) -> None:
        self.home = card.folder
        self._config = card.folder / "config.toml"
        self._config.write_text(CONFIG)
        self._log = (card.folder / "printed.txt").open("w+")
        settings = {
            "GOASSIST_CONFIG": str(self._config),
            "GOASSIST_MODELS_DIR": str(models),
            "XDG_DATA_HOME": str(card.folder / "data"),
            "XDG_STATE_HOME": str(card.folder / "state"),
        }
        self.process = subprocess.Popen(
            [GOASSIST],
            stdout=self._log,
            stderr=subprocess.STDOUT,
            env=os.environ | card.environment | monitor.environment | settings,
        )
        monitor.wait_for_window(TITLE)

    @property
    def printed(self) -> str:
        return Path(self._log.name).read_text()

    def turns(self) -> list[tuple[str, str, str]]:
        """Of the history: what the user said, what they heard, and how it ended."""
        found = sorted((self.home / "data").rglob("*.sqlite"))
        if not found:
            return []
        with sqlite3.connect(f"file:{found[0]}?mode=ro", uri=True) as history:
            return history.execute(
                "select user_text, heard_text, outcome from turns order by id"
            ).fetchall()

    def wait_for_turns(self, count: int, seconds: float = 60) -> list[tuple[str, str, str]]:
        deadline = time.monotonic() + seconds
        while len(turns := self.turns()) < count:
            assert self.process.poll() is None, self.printed
            assert time.monotonic() < deadline, f"only {turns}\n{self.printed}"
            time.sleep(0.1)
        return turns

    def end(self) -> tuple[int, float]:
        """As the system ends it. The exit status, and the seconds it took."""
        asked = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(10), time.monotonic() - asked

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self._log.close()
