"""What a process leaves behind in the folder for temporary files."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from goassist_desktop.pipeline import private_folder

KILLED = """
import os, sys, tempfile
from goassist_desktop.pipeline import private_folder
tempfile.tempdir = sys.argv[1]
folder = private_folder.make()
print(folder.name)
sys.stdout.flush()
os._exit(0)
"""

HANGING = """
import os, signal, sys, tempfile, threading
from goassist_desktop import app, cli
from goassist_desktop.commands import live
from goassist_desktop.config import Config
from goassist_desktop.pipeline import private_folder

tempfile.tempdir = sys.argv[1]

class Engine:
    def __init__(self, stage):
        self.stage = stage

    def load(self):
        if self.stage == "language_model":
            self.folder = private_folder.make()
            threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
            threading.Event().wait()

    def close(self):
        print("closed", self.stage)

def run(_):
    with app.loaded_engines(Config()):
        print("loaded")

app.create = lambda stage, *_, **__: Engine(stage)
app.weights.path = str
live.run = run
sys.exit(cli.main(["--terminal"]))
"""


def run(program: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program, str(folder)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_only_this_user_may_enter(temporary: Path) -> None:
    with private_folder.make() as name:
        assert Path(name).parent == temporary
        assert Path(name).stat().st_mode & 0o777 == 0o700


def test_the_folder_of_a_killed_process_goes_and_that_of_a_live_one_stays(temporary: Path) -> None:
    killed = Path(run(KILLED, temporary).stdout.strip())
    (killed / "model.sock").touch()
    other = temporary / "goassist-notes"
    other.mkdir()
    with private_folder.make() as first, private_folder.make() as second:
        assert set(temporary.iterdir()) == {Path(first), Path(second), other}


@pytest.fixture
def memory(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is taken to be in memory."""
    folder = tmp_path_factory.mktemp("memory")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    return folder


def test_what_fits_is_held_in_memory(temporary: Path, memory: Path) -> None:
    with private_folder.make(room_bytes=1000) as name:
        assert Path(name).parent == memory
        assert Path(name).stat().st_mode & 0o777 == 0o700
    with private_folder.make(room_bytes=1 << 60) as name:
        assert Path(name).parent == temporary


def test_a_killed_process_leaves_nothing_in_memory(temporary: Path, memory: Path) -> None:
    killed = Path(run(KILLED.replace("make()", "make(1000)"), temporary).stdout.strip())
    assert killed.parent == memory
    with private_folder.make():
        assert list(memory.iterdir()) == []


def test_all_of_this_process_can_be_removed(temporary: Path) -> None:
    with private_folder.make():
        private_folder.remove_all()
        assert list(temporary.iterdir()) == []


def test_ctrl_c_while_an_engine_hangs_leaves_nothing(temporary: Path) -> None:
    done = run(HANGING, temporary)
    assert (done.returncode, done.stderr) == (130, "")
    closed = {"voice_activity", "turn_detection", "recognition", "synthesis", "face"}
    assert {line.removeprefix("closed ") for line in done.stdout.splitlines()} == closed
    assert list(temporary.iterdir()) == []
