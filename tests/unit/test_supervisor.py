"""The supervisor with real children: they crash, hang, refuse to end, or mean to end."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from goassist_desktop import heartbeat
from goassist_desktop.heartbeat import Heartbeat

PATIENT_S = 20.0
"""What is waited for is there much sooner; a machine that is busy may take longer."""

SUPERVISOR = """
import sys
from goassist_desktop.supervisor import Limits, supervise
sys.exit(supervise(sys.argv[2:], Limits(**eval(sys.argv[1]))))
"""
QUICK = {
    "start_s": 5.0,
    "silence_s": 0.4,
    "hang_s": 0.4,
    "end_s": 0.4,
    "steady_s": 3600.0,
    "first_wait_s": 0.05,
    "longest_wait_s": 0.1,
}
CHILD = """
import os, pathlib, signal, subprocess, sys, time
lives = pathlib.Path(sys.argv[1])
with lives.open("a") as file:
    file.write(f"{os.getpid()}\\n")
life = len(lives.read_text().splitlines())
pipe = int(os.environ.pop("_GOASSIST_HEARTBEAT"))
def beat(seconds):
    for _ in range(int(seconds * 20)):
        os.write(pipe, b".")
        time.sleep(0.05)
"""

pytestmark = pytest.mark.timeout(3 * PATIENT_S)

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def lives(tmp_path: Path) -> Path:
    """A line for every life of the child: its number as a process."""
    path = tmp_path / "lives"
    path.touch()
    return path


@pytest.fixture
def start(lives: Path) -> Iterator[Start]:
    """Start a supervisor of a child that does what the text says."""
    started: list[subprocess.Popen[str]] = []

    def begin(
        child: str, environment: dict[str, str] | None = None, **limits: float
    ) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", CHILD + child, str(lives)]
        supervisor = subprocess.Popen(
            [sys.executable, "-c", SUPERVISOR, repr(QUICK | limits), *command],
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | (environment or {}),
        )
        started.append(supervisor)
        return supervisor

    yield begin
    for supervisor in started:
        supervisor.kill()
        for process in numbers(lives):  # a group of its own, with all it started
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process, signal.SIGKILL)
        supervisor.communicate(timeout=PATIENT_S)


def numbers(lives: Path) -> list[int]:
    return [int(line) for line in lives.read_text().splitlines()]


def gone(process: int) -> bool:
    """It ended, whether or not whoever inherited it has taken note."""
    try:
        return psutil.Process(process).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def until(happened: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENT_S
    while not happened():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


def test_who_means_to_end_is_left_alone(start: Start, lives: Path) -> None:
    supervisor = start("beat(0.2)")
    _, said = supervisor.communicate(timeout=PATIENT_S)
    assert supervisor.returncode == 0
    assert len(numbers(lives)) == 1
    assert not said


@pytest.mark.parametrize(
    ("death", "named"),
    [
        ("sys.exit(3)", "status 3"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", "SIGSEGV"),
        ("raise RuntimeError", "status 1"),
    ],
)
def test_who_dies_comes_back(start: Start, lives: Path, death: str, named: str) -> None:
    supervisor = start(f"beat(0.1)\nif life < 3: {death}")
    _, said = supervisor.communicate(timeout=PATIENT_S)
    assert supervisor.returncode == 0
    assert len(numbers(lives)) == 3
    assert said.count(f"{named}; starting it again") == 2


def test_it_waits_longer_every_time_and_never_gives_up(start: Start, lives: Path) -> None:
    supervisor = start("if life < 6: sys.exit(1)", first_wait_s=0.02, longest_wait_s=0.08)
    _, said = supervisor.communicate(timeout=PATIENT_S)
    waits = [line.rsplit(" in ", 1)[1] for line in said.splitlines() if " in " in line]
    assert waits == ["0.02 s", "0.04 s", "0.08 s", "0.08 s", "0.08 s"]
    assert len(numbers(lives)) == 6


def test_who_had_been_well_comes_back_at_once(start: Start, lives: Path) -> None:
    supervisor = start("beat(0.3)\nif life < 2: sys.exit(1)", steady_s=0.1, first_wait_s=3600.0)
    _, said = supervisor.communicate(timeout=PATIENT_S)
    assert len(numbers(lives)) == 2
    assert said == "goassist: the kiosk ended with status 1; starting it again\n"


@pytest.mark.parametrize("stubborn", ["", "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"])
def test_who_hangs_is_ended_and_comes_back(start: Start, lives: Path, stubborn: str) -> None:
    supervisor = start(f"{stubborn}beat(0.2)\nif life < 2: time.sleep(3600)")
    _, said = supervisor.communicate(timeout=PATIENT_S)
    assert supervisor.returncode == 0
    first, second = numbers(lives)
    assert first != second
    assert not psutil.pid_exists(first)
    assert "hangs, without a sign of life for 0.4 s" in said


def test_who_never_begins_to_beat_is_given_the_time_to_start_and_no_more(
    start: Start, lives: Path
) -> None:
    supervisor = start("if life < 2: time.sleep(3600)\nbeat(0.1)", start_s=0.8)
    _, said = supervisor.communicate(timeout=PATIENT_S)
    assert len(numbers(lives)) == 2
    assert "without a sign of life for 0.8 s" in said


def test_what_a_dead_child_had_started_goes_too(start: Start, lives: Path) -> None:
    orphan = "subprocess.Popen(['sleep', '3600'])"
    note = f"left = {orphan}; lives.with_name('left').write_text(str(left.pid))"
    supervisor = start(
        f"{note}\nbeat(0.1)\nos.kill(os.getpid(), signal.SIGKILL)",
        first_wait_s=3600.0,
        longest_wait_s=3600.0,
    )
    until(lambda: "SIGKILL" in (supervisor.stderr.readline() if supervisor.stderr else ""))
    left = int(lives.with_name("left").read_text())
    until(lambda: gone(left))
    assert supervisor.poll() is None


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_asked_to_end_it_ends_the_child_first(
    start: Start, lives: Path, number: signal.Signals
) -> None:
    polite = """
def asked(*_):
    lives.with_name("asked").touch()
    sys.exit(0)
signal.signal(signal.SIGTERM, asked)
os.write(pipe, b".")
lives.with_name("ready").touch()
beat(3600)
"""
    supervisor = start(polite, end_s=PATIENT_S)
    until(lives.with_name("ready").exists)
    supervisor.send_signal(number)
    assert supervisor.wait(PATIENT_S) == 0
    assert lives.with_name("asked").exists()
    assert len(numbers(lives)) == 1


def test_asked_to_end_it_does_not_wait_for_who_refuses(start: Start, lives: Path) -> None:
    refusing = """
signal.signal(signal.SIGTERM, signal.SIG_IGN)
beat(0.1)
lives.with_name("ready").touch()
beat(3600)
"""
    supervisor = start(refusing)
    until(lives.with_name("ready").exists)
    supervisor.terminate()
    assert supervisor.wait(PATIENT_S) == 0
    assert not psutil.pid_exists(numbers(lives)[0])


def test_asked_to_end_it_starts_no_other(start: Start, lives: Path) -> None:
    supervisor = start("sys.exit(1)", first_wait_s=3600.0, longest_wait_s=3600.0)
    until(
        lambda: "starting it again" in (supervisor.stderr.readline() if supervisor.stderr else "")
    )
    supervisor.terminate()
    assert supervisor.wait(PATIENT_S) == 0
    assert len(numbers(lives)) == 1


def test_a_child_whose_supervisor_was_killed_ends(start: Start, lives: Path) -> None:
    beating = """
import threading
from goassist_desktop.heartbeat import Heartbeat
heart = Heartbeat(pipe, ("window",))
lives.with_name("ready").touch()
while True:
    heart.beat("window")
    time.sleep(0.05)
"""
    supervisor = start(beating)
    until(lives.with_name("ready").exists)
    supervisor.kill()
    supervisor.wait()
    until(lambda: gone(numbers(lives)[0]))


def test_it_ends_with_whoever_started_it(lives: Path) -> None:
    child = [sys.executable, "-c", CHILD + "beat(3600)", str(lives)]
    supervisor = [sys.executable, "-c", SUPERVISOR, repr(QUICK), *child]
    # As a compositor that starts a kiosk, and crashes a little later.
    parent = f"import subprocess, time; subprocess.Popen({supervisor!r}); time.sleep(3600)"
    compositor = subprocess.Popen([sys.executable, "-c", parent])
    until(lambda: numbers(lives))
    watching = psutil.Process(numbers(lives)[0]).ppid()
    compositor.kill()
    compositor.wait()
    until(lambda: gone(watching))
    until(lambda: gone(numbers(lives)[0]))


def test_systemd_hears_that_it_runs_and_goes_on(start: Start, tmp_path: Path) -> None:
    heard = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    heard.bind(str(tmp_path / "notify"))
    heard.settimeout(PATIENT_S)
    secret = "assert 'NOTIFY_SOCKET' not in os.environ\n"
    supervisor = start(f"{secret}beat(0.2)", {"NOTIFY_SOCKET": str(tmp_path / "notify")})
    assert supervisor.wait(PATIENT_S) == 0
    said: list[str] = []
    while "STOPPING=1" not in said:
        said += heard.recv(1024).decode().splitlines()
    heard.close()
    assert said == ["WATCHDOG=1", "READY=1", "STATUS=Running", "STOPPING=1"]


def test_a_large_process_goes_on_as_a_small_one(lives: Path) -> None:
    child = [sys.executable, "-c", CHILD + "beat(0.1)\nif life < 2: sys.exit(1)", str(lives)]
    large = f"import numpy; from goassist_desktop.supervisor import take_over; take_over({child})"
    supervisor = subprocess.Popen([sys.executable, "-c", large], stderr=subprocess.DEVNULL)
    until(lambda: numbers(lives))
    assert psutil.Process(supervisor.pid).memory_info().rss < 20e6
    assert supervisor.wait(PATIENT_S) == 0
    assert len(numbers(lives)) == 2


def test_what_can_not_be_started_is_said(start: Start) -> None:
    refused = subprocess.run(
        [sys.executable, "-m", "goassist_desktop.supervisor", "/nowhere/goassist"],
        stderr=subprocess.PIPE,
        text=True,
    )
    assert refused.returncode == 1
    assert refused.stderr == "goassist: /nowhere/goassist: No such file or directory\n"


def test_it_is_small(start: Start, lives: Path) -> None:
    supervisor = start("beat(3600)")
    until(lambda: numbers(lives))
    assert psutil.Process(supervisor.pid).memory_info().rss < 20e6


def test_it_beats_only_while_every_part_does() -> None:
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    heart = Heartbeat(writing)

    def heard() -> bytes:
        try:
            return os.read(reading, 100)
        except BlockingIOError:
            return b""

    for _ in range(3):
        heart.beat("window")
    assert heard() == b""
    heart.beat("session")
    assert heard() == b"."
    heart.beat("session")
    assert heard() == b""
    with pytest.raises(KeyError):
        heart.beat("face")
    os.close(reading)
    os.close(writing)


def test_who_is_watched_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    assert heartbeat.inherited() is None
    reading, writing = os.pipe()
    monkeypatch.setenv(heartbeat.VARIABLE, str(writing))
    assert heartbeat.watched()
    heart = heartbeat.inherited()
    assert heart is not None
    assert not heartbeat.watched()
    assert not os.get_inheritable(writing)
    os.close(reading)
    os.close(writing)
