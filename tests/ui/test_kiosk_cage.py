"""The kiosk as it is installed: in cage, under its supervisor, on a screen without hardware."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from PySide6.QtGui import QColor, QImage

from goassist_desktop import weights
from goassist_desktop.pipeline.engines.whisper import Whisper
from tests.device.conftest import RATE_HZ, VirtualCard
from tests.device.test_conversation import last_sound, recorded, wait_until_it_speaks
from tests.fakes.kiosk_program import GROUNDS
from tests.talk.conftest import GOASSIST
from tests.talk.hearing import plain, transcribe
from tests.ui.conftest import SCREENS

pytestmark = pytest.mark.screen

CHECKOUT = Path(__file__).parents[2]
PROGRAMS = ("Xvfb", "Xwayland", "cage", "scrot", "setpriv")
SIZE = (1024, 768)
"""Of the only window that cage opens on an X server."""
PATIENT_S = 60.0
NOBODY = 65534

# cage refuses root. Somebody else, who may still read what is root's: Python may lie there.
NOT_ROOT = (
    "setpriv",
    f"--reuid={NOBODY}",
    f"--regid={NOBODY}",
    "--clear-groups",
    "--inh-caps=+dac_override",
    "--ambient-caps=+dac_override",
)


def until(happened: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENT_S
    while not happened():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


def gone(process: psutil.Process) -> bool:
    """It ended, whether or not whoever inherited it has taken note."""
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.fixture
def screen() -> Iterator[str]:
    """DISPLAY of an X server that only we know."""
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing:
        pytest.fail(f"{', '.join(missing)} not found: `make test` installs what is needed")
    size = "x".join(map(str, SIZE))
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", "1", "-screen", "0", f"{size}x24", "+extension", "GLX"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert server.stdout is not None
    number = server.stdout.readline().strip()
    yield f":{number}"
    server.terminate()
    server.communicate()


class Cage:
    """The compositor with the kiosk inside, and what is seen of it."""

    def __init__(self, screen: str, folder: Path, program: list[str], **more: str) -> None:
        """`more`: variables of its environment."""
        runtime = folder / "runtime"
        runtime.mkdir(mode=0o700)
        if os.geteuid() == 0:
            os.chown(runtime, NOBODY, NOBODY)
        self._folder, self._screen = folder, screen
        environment = os.environ | {
            "DISPLAY": screen,
            "HOME": str(runtime),
            "XDG_RUNTIME_DIR": str(runtime),
            "WLR_BACKENDS": "x11",
            "WLR_RENDERER": "pixman",
            "QT_QPA_PLATFORM": "wayland",
            "PYTHONDONTWRITEBYTECODE": "1",
            **more,
        }
        with (folder / "log").open("w") as log:
            self.process = subprocess.Popen(
                [*(NOT_ROOT if os.geteuid() == 0 else ()), "cage", "-s", "--", *program],
                cwd=CHECKOUT,
                env=environment,
                stdout=log,
                stderr=log,
            )

    def lives(self) -> list[int]:
        """Process numbers of the windows so far, the last of which is there now."""
        path = self._folder / "lives"
        return [int(line) for line in path.read_text().splitlines()] if path.exists() else []

    def wait_for_life(self, number: int) -> int:
        """Process number of this window, the first being 0, once it is on the screen."""

        def lives() -> bool:
            if self.process.poll() is not None:
                pytest.fail(f"cage ended: {self.printed}")
            return len(self.lives()) > number

        until(lives)
        until(lambda: self.colour(f"kiosk-cage-{number}") == QColor(GROUNDS[number]))
        return self.lives()[number]

    @property
    def printed(self) -> str:
        return (self._folder / "log").read_text()

    def colour(self, picture: str) -> QColor:
        """The colour of the screen's lower left corner."""
        return QImage(str(self.shot(picture))).pixelColor(2, SIZE[1] - 3)

    def shot(self, picture: str) -> Path:
        path = SCREENS / f"{picture}.png"
        SCREENS.mkdir(parents=True, exist_ok=True)
        environment = os.environ | {"DISPLAY": self._screen}
        subprocess.run(["scrot", "--overwrite", str(path)], env=environment, check=True)
        return path


@pytest.fixture
def cage(screen: str, tmp_path: Path) -> Iterator[Cage]:
    made = Cage(
        screen, tmp_path, [sys.executable, "-m", "tests.fakes.kiosk_program", str(tmp_path)]
    )
    yield made
    if made.process.poll() is None:
        made.process.kill()
        made.process.wait()


def test_a_kiosk_that_is_killed_is_back_on_the_screen_and_ends_when_it_is_told_to(
    cage: Cage,
) -> None:
    first = cage.wait_for_life(0)
    supervisor = psutil.Process(first).ppid()
    os.kill(first, signal.SIGKILL)
    second = cage.wait_for_life(1)
    assert second != first
    assert psutil.Process(second).ppid() == supervisor
    os.kill(supervisor, signal.SIGTERM)
    assert cage.process.wait(PATIENT_S) == 0  # that of the kiosk, so that nothing restarts it
    assert not psutil.pid_exists(second)
    assert len(cage.lives()) == 2


def test_a_compositor_that_crashes_takes_the_kiosk_along(cage: Cage) -> None:
    window = psutil.Process(cage.wait_for_life(0))
    supervisor = psutil.Process(window.ppid())
    cage.process.kill()
    cage.process.wait()
    until(lambda: gone(supervisor))
    until(lambda: gone(window))


@pytest.fixture(scope="module")
def models_folder() -> Path:
    """Where the models are, named before the card moves HOME."""
    return weights.models_dir()


@pytest.mark.device
@pytest.mark.models
def test_the_real_kiosk_answers_and_does_so_again_after_it_was_killed(
    screen: str, card: VirtualCard, models_folder: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "kiosk"
    folder.mkdir()
    kiosk = [str(GOASSIST), "--kiosk", "--set", "profile=ci", "--set", "persona.name=Mira"]
    sound = {name: card.environment[name] for name in ("PULSE_SERVER", "HOME")}
    settings = {"GOASSIST_MODELS_DIR": str(models_folder), "XDG_STATE_HOME": str(folder / "state")}
    if os.geteuid() == 0:
        os.chown(folder, NOBODY, NOBODY)
    cage = Cage(screen, folder, kiosk, **sound, **settings)
    ear = Whisper(models_folder / "faster-whisper-tiny.en")
    ear.load()
    try:
        loudspeaker = card.record()
        for life in range(2):
            until(lambda life=life: ready(folder) > life)
            card.speak(recorded("voices/joe_germany")).wait()
            wait_until_it_speaks(loudspeaker)
            cage.shot(f"kiosk-real-{life}")
            time.sleep(2.0)
            played = last_sound(loudspeaker.latest(6))
            assert "berlin" in plain(transcribe(ear, played, RATE_HZ)), cage.printed
            window = the_window(cage.process.pid)
            supervisor = window.parent()
            assert supervisor is not None
            if life == 0:
                window.kill()
        loudspeaker.stop()
        supervisor.terminate()
        assert cage.process.wait(PATIENT_S) == 0
        assert gone(window)
        assert "Traceback" not in cage.printed
    finally:
        ear.close()
        if cage.process.poll() is None:
            cage.process.kill()
            cage.process.wait()


def ready(folder: Path) -> int:
    """How often the kiosk said that it can be talked with."""
    logs = (folder / "state" / "goassist" / "log").glob("*")
    return sum(log.read_text().count("ready to talk") for log in logs)


def the_window(cage: int) -> psutil.Process:
    """The process below cage and the supervisor."""
    (supervisor,) = (
        child for child in psutil.Process(cage).children() if "supervisor" in str(child.cmdline())
    )
    (window,) = supervisor.children()
    return window
