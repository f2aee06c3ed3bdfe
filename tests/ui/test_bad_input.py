"""The program where something is wrong before it begins: it says what, and never how it crashed."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from goassist_desktop import weights
from tests.screens import Screen, screen
from tests.talk.conftest import GOASSIST
from tests.ui.conftest import SCREENS

pytestmark = [pytest.mark.screen, pytest.mark.device, pytest.mark.models]

TITLE = "GoAssist"
PATIENCE_S = 40.0
STATE = Path("state/goassist")
CONFIG = Path("config/goassist/config.toml")
HISTORY = Path("data/goassist/history/history.db")


@pytest.fixture(scope="module")
def monitor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Screen]:
    with screen(tmp_path_factory.mktemp("screen")) as made:
        yield made


class Started:
    """`goassist` in a home of its own, where no sound server answers."""

    def __init__(self, home: Path, *arguments: str, **environment: str) -> None:
        self.home = home
        self._printed = (home / f"printed-{time.monotonic_ns()}").open("w+")
        self.process = subprocess.Popen(
            [GOASSIST, *arguments],
            stdout=self._printed,
            stderr=subprocess.STDOUT,
            env={**os.environ, **_places(home), **environment},
        )

    @property
    def printed(self) -> str:
        return Path(self._printed.name).read_text()

    @property
    def log(self) -> str:
        return "".join(file.read_text() for file in self.home.rglob("goassist.log"))

    def wait(self, true: Callable[[], object]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not true():
            assert self.process.poll() is None, self.printed
            assert time.monotonic() < deadline, f"{self.printed}\n{self.log}"
            time.sleep(0.05)

    def wait_for_log(self, words: str) -> None:
        self.wait(lambda: words in self.log)

    def end(self) -> None:
        """As the system ends it; it has said nothing, and ends well."""
        self.process.send_signal(signal.SIGTERM)
        assert (self.process.wait(10), self.printed) == (0, "")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self._printed.close()


def _places(home: Path) -> dict[str, str]:
    return {
        "HOME": str(home),
        "PULSE_SERVER": f"unix:{home}/nobody",
        "XDG_RUNTIME_DIR": str(home),
        "XDG_CONFIG_HOME": str(home / "config"),
        "XDG_STATE_HOME": str(home / "state"),
        "XDG_DATA_HOME": str(home / "data"),
        "GOASSIST_MODELS_DIR": str(weights.models_dir()),
        "GOASSIST_PROFILE": "ci",
    }


Start = Callable[..., Started]


@pytest.fixture
def start(tmp_path: Path, monitor: Screen, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Start it on the screen; not for the first time."""
    (tmp_path / STATE).mkdir(parents=True)
    (tmp_path / STATE / "setup.json").write_text("{}")
    started = []

    def begin(*arguments: str, **environment: str) -> Started:
        on_screen = {**monitor.environment, **environment}
        started.append(Started(tmp_path, *arguments, **on_screen))
        return started[-1]

    yield begin
    for one in started:
        one.kill()


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_a_broken_setting_is_named_and_its_default_offered(
    tmp_path: Path, monitor: Screen, start: Start
) -> None:
    text = "# mine\n[reply]\nmax_tokens = 'many'\nseed = 3\n"
    file = write(tmp_path / CONFIG, text)
    program = start()
    monitor.wait_for_window(TITLE)
    monitor.shot(SCREENS / "bad-config.png")
    monitor.key("Return")
    program.wait_for_log("window shown")
    assert file.read_text() == "# mine\n[reply]\nseed = 3\n"
    (kept,) = file.parent.glob("config.toml.broken-*")
    assert kept.read_text() == text
    program.end()


def test_who_would_rather_mend_it_themselves_quits(
    tmp_path: Path, monitor: Screen, start: Start
) -> None:
    file = write(tmp_path / CONFIG, "profile = ")
    program = start()
    monitor.wait_for_window(TITLE)
    monitor.key("Escape")
    assert (program.process.wait(10), program.printed) == (0, "")
    assert [each.name for each in file.parent.iterdir()] == ["config.toml"]


def test_without_a_folder_to_write_to_it_starts_all_the_same(
    tmp_path: Path, monitor: Screen, start: Start
) -> None:
    nowhere = str(write(tmp_path / "file", ""))
    places = ("CONFIG_HOME", "STATE_HOME", "DATA_HOME", "RUNTIME_DIR")
    program = start(**{f"XDG_{place}": nowhere for place in places})
    monitor.wait_for_window(TITLE)
    time.sleep(1.0)  # until it is painted
    monitor.shot(SCREENS / "bad-folders.png")
    program.end()


def test_a_damaged_history_is_put_aside(tmp_path: Path, monitor: Screen, start: Start) -> None:
    file = write(tmp_path / HISTORY, "this is no database " * 100)
    program = start("--set", "privacy.keep_history=true")
    program.wait_for_log("ready to talk")
    monitor.key("ctrl+l")
    monitor.type("What is the capital of France?")
    monitor.key("Return")
    program.wait((file.parent / "history.db.broken").exists)
    program.wait(lambda: file.exists() and _turns(file))
    monitor.shot(SCREENS / "bad-history.png")
    program.end()


def _turns(file: Path) -> list[tuple[str]]:
    with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as history:
        return history.execute("SELECT user FROM turns").fetchall()


def test_missing_models_are_offered(tmp_path: Path, monitor: Screen, start: Start) -> None:
    program = start(GOASSIST_MODELS_DIR=str(tmp_path / "none"))
    program.wait_for_log("no conversation, models")
    time.sleep(1.0)  # until it is painted
    monitor.shot(SCREENS / "bad-no-models.png")
    program.end()


def test_a_damaged_model_is_named(tmp_path: Path, monitor: Screen, start: Start) -> None:
    """Of the right size, but full of nothing."""
    models = tmp_path / "models"
    models.mkdir()
    for model in weights.profile("ci"):
        (models / model.name).symlink_to(weights.path(model.name))
    (damaged,) = (model for model in weights.profile("ci") if model.stage == "language_model")
    (models / damaged.name).unlink()
    for file in damaged.files:
        with write(models / damaged.name / file.name, "").open("wb") as content:
            content.truncate(file.size)
    program = start(GOASSIST_MODELS_DIR=str(models))
    program.wait_for_log("no conversation, ")
    time.sleep(1.0)  # until it is painted
    monitor.shot(SCREENS / "bad-model.png")
    program.end()


def test_two_starts_at_once_are_one_program(monitor: Screen, start: Start) -> None:
    both = start(), start()
    deadline = time.monotonic() + PATIENCE_S
    while not (over := [one for one in both if one.process.poll() is not None]):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    (second,) = over
    assert (second.process.returncode, second.printed) == (0, "")
    (first,) = set(both) - {second}
    first.wait_for_log("window shown")
    first.end()


@pytest.mark.parametrize(
    ("arguments", "environment", "status", "said"),
    [
        (["--set", "kiosk.pin=12a4"], {}, 2, "--set kiosk.pin: must be digits"),
        (["--set", "kiosk.wake_word=?"], {}, 2, "kiosk.wake_word = '?': must have a letter in it"),
        (["--terminal"], {}, 2, "--kiosk goes with neither --terminal nor --record"),
        ([], {"DISPLAY": ""}, 1, "no kiosk: there is no screen"),
        ([], {"DISPLAY": ":4711"}, 1, "no kiosk: the display DISPLAY=:4711 does not answer"),
        ([], {"QT_QPA_PLATFORM": "paper"}, 1, "no kiosk: QT_QPA_PLATFORM=paper is not known"),
        ([], {"QT_QPA_PLATFORM": "wayland"}, 1, "no kiosk: there is no screen"),
    ],
)
def test_a_kiosk_that_can_not_be_says_why(
    start: Start, arguments: list[str], environment: dict[str, str], status: int, said: str
) -> None:
    environment = {"WAYLAND_DISPLAY": "", "QT_QPA_PLATFORM": "", **environment}
    program = start("--kiosk", *arguments, **environment)
    assert program.process.wait(20) == status
    (line,) = program.printed.splitlines()
    assert line.startswith("goassist: ")
    assert said in line


@pytest.mark.parametrize("display", ["", ":4711"])
def test_without_a_screen_it_talks_in_the_terminal(start: Start, display: str) -> None:
    program = start(DISPLAY=display, WAYLAND_DISPLAY="", QT_QPA_PLATFORM="")
    program.wait(lambda: "demonstration conversation" in program.printed)
    assert "No window: " in program.printed
    program.process.send_signal(signal.SIGINT)
    assert program.process.wait(10) == 130
    assert "Traceback" not in program.printed
