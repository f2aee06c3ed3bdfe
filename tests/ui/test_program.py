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
from tests.device.conftest import RATE_HZ, VirtualCard
from tests.device.test_conversation import last_sound, recorded, wait_until_it_speaks
from tests.screens import Screen, screen
from tests.talk.conftest import GOASSIST
from tests.talk.hearing import plain, transcribe
from tests.ui.conftest import SCREENS

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


class NoCard:
    """Where no sound server answers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {
            "HOME": str(folder),
            "XDG_RUNTIME_DIR": str(folder),
            "PULSE_SERVER": f"unix:{folder}/nobody",
        }


class Window:
    """`goassist` with its window."""

    def __init__(self, card: VirtualCard | NoCard, monitor: Screen, models: Path) -> None:
        self.home = card.folder
        self._monitor = monitor
        self._config = card.folder / "config.toml"
        self._config.write_text(CONFIG)
        state = card.folder / "state" / "goassist"
        state.mkdir(parents=True)
        (state / "setup.json").write_text("{}")  # this is not the first start
        self._log = (card.folder / "printed.txt").open("w+")
        settings = {
            "GOASSIST_CONFIG": str(self._config),
            "GOASSIST_MODELS_DIR": str(models),
            "XDG_DATA_HOME": str(card.folder / "data"),
            "XDG_STATE_HOME": str(card.folder / "state"),
            "PYTHONFAULTHANDLER": "1",  # where it crashes, `printed` shows it
        }
        self._environment = os.environ | card.environment | monitor.environment | settings
        self.process = self._start()
        monitor.do("windowactivate", "--sync", monitor.wait_for_window(TITLE))

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [GOASSIST], stdout=self._log, stderr=subprocess.STDOUT, env=self._environment
        )

    @property
    def printed(self) -> str:
        return Path(self._log.name).read_text()

    def turns(self) -> list[tuple[str, str, str]]:
        """Of the history: what the user said, what they heard, and how it ended."""
        found = sorted((self.home / "data").rglob("history.db"))
        if not found:
            return []
        with sqlite3.connect(f"file:{found[0]}?mode=ro", uri=True) as history:
            return history.execute("SELECT user, heard, outcome FROM turns ORDER BY id").fetchall()

    def wait_for_turns(self, count: int, seconds: float = 60) -> list[tuple[str, str, str]]:
        deadline = time.monotonic() + seconds
        while len(turns := self.turns()) < count:
            assert self.process.poll() is None, self.printed
            if time.monotonic() >= deadline:
                seen = self._monitor.shot(SCREENS / "program-unanswered.png")
                pytest.fail(f"only {turns}, see {seen.name}\n{self.printed}\n{self.log}")
            time.sleep(0.1)
        return turns

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_S
        while "ready to talk" not in self.log:
            assert self.process.poll() is None, self.printed
            assert time.monotonic() < deadline, self.log
            time.sleep(0.1)

    @property
    def log(self) -> str:
        folder = self.home / "state" / "goassist" / "log"
        return "".join(file.read_text() for file in sorted(folder.glob("*")))

    def again(self) -> subprocess.Popen[bytes]:
        """Start it once more."""
        return self._start()

    def end(self) -> tuple[int, float]:
        """As the system ends it. The exit status, and the seconds it took."""
        asked = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(10), time.monotonic() - asked

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self._log.close()


@pytest.fixture
def window(card: VirtualCard, monitor: Screen, models_folder: Path) -> Iterator[Window]:
    window = Window(card, monitor, models_folder)
    yield window
    window.kill()


def test_a_conversation_with_an_interruption_in_the_window(
    card: VirtualCard, monitor: Screen, window: Window, ear: Whisper
) -> None:
    """Spoken, spoken over, typed; with the views looked through, and ended."""
    window.wait_until_ready()
    loudspeaker = card.record()
    card.speak(recorded("voices/joe_story")).wait()
    wait_until_it_speaks(loudspeaker)
    monitor.shot(SCREENS / "program-speaking.png")
    time.sleep(1.0)
    card.speak(recorded("voices/joe_germany")).wait()
    story, germany = window.wait_for_turns(2)
    monitor.shot(SCREENS / "program-interrupted.png")
    assert story[2] == "interrupted"
    assert story[1], "nothing of the story was heard"
    assert "germany" in plain(germany[0])
    assert "berlin" in plain(germany[1])
    assert "berlin" in plain(transcribe(ear, last_sound(loudspeaker.latest(6)), RATE_HZ))

    monitor.key("ctrl+l")
    monitor.type("What is the capital of France?")
    monitor.key("Return")
    *_, france = window.wait_for_turns(3)
    assert france[0] == "What is the capital of France?"
    assert "paris" in plain(transcribe(ear, last_sound(loudspeaker.latest(6)), RATE_HZ))
    for number, view in enumerate(("talk", "latency", "history", "models", "settings"), start=1):
        monitor.key(f"ctrl+{number}")
        time.sleep(0.7)
        monitor.shot(SCREENS / f"program-{view}.png")
    loudspeaker.stop()
    status, seconds = window.end()
    assert status == 0, window.printed
    assert seconds < LEAVE_S
    assert "Traceback" not in window.printed


def test_muted_it_does_not_hear(card: VirtualCard, monitor: Screen, window: Window) -> None:
    window.wait_until_ready()
    monitor.key("ctrl+m")
    time.sleep(0.5)
    card.speak(recorded("voices/joe_plants")).wait()
    time.sleep(1.0)
    monitor.shot(SCREENS / "program-muted.png")
    monitor.key("ctrl+m")
    time.sleep(0.5)
    card.speak(recorded("voices/joe_germany")).wait()
    (turn,) = window.wait_for_turns(1)
    assert "germany" in plain(turn[0])


def test_a_second_start_raises_the_first(
    card: VirtualCard, monitor: Screen, window: Window
) -> None:
    window.wait_until_ready()
    monitor.do("search", "--onlyvisible", "--name", TITLE, "windowminimize")
    second = window.again()
    assert second.wait(20) == 0
    monitor.wait_for_window(TITLE)
    assert window.process.poll() is None


def test_the_screen_goes_away(card: VirtualCard, monitor: Screen, window: Window) -> None:
    window.wait_until_ready()
    monitor.close()
    assert window.process.wait(10) != 0
    assert "Traceback" not in window.printed


def test_it_is_closed_in_mid_sentence(card: VirtualCard, monitor: Screen, window: Window) -> None:
    window.wait_until_ready()
    loudspeaker = card.record()
    card.speak(recorded("voices/joe_story")).wait()
    wait_until_it_speaks(loudspeaker)
    monitor.key("ctrl+q")
    asked = time.monotonic()
    status = window.process.wait(10)
    assert time.monotonic() - asked < LEAVE_S
    assert status == 0, window.printed
    (story,) = window.turns()  # what was heard of it is kept
    assert story[2] == "interrupted"
    loudspeaker.stop()


def test_without_a_sound_card_it_says_so_and_can_be_typed_to(
    monitor: Screen, models_folder: Path, tmp_path: Path
) -> None:
    window = Window(NoCard(tmp_path), monitor, models_folder)
    try:
        window.wait_until_ready()
        monitor.shot(SCREENS / "program-no-sound.png")
        monitor.key("ctrl+l")
        monitor.type("What is the capital of France?")
        monitor.key("Return")
        (turn,) = window.wait_for_turns(1)
        assert "paris" in plain(turn[1])
    finally:
        window.kill()
