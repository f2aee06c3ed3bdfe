"""What the operating system refuses is one line, whatever was being written."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = [
    sys.executable,
    "-c",
    "import sys; from goassist_desktop.cli import main; sys.exit(main())",
]


def goassist(
    *arguments: str, stdout: int = subprocess.PIPE, **variables: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PROGRAM, *arguments],
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        env=os.environ | {"GOASSIST_CONFIG": os.devnull} | variables,
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_is_one_line() -> None:
    with Path("/dev/full").open("w") as full:
        done = goassist("models", "list", stdout=full.fileno())
    assert done.stderr == "goassist: No space left on device\n"
    assert done.returncode == 1


def test_who_closes_the_pipe_is_not_told() -> None:
    read, write = os.pipe()
    os.close(read)
    try:
        done = goassist("models", "list", stdout=write)
    finally:
        os.close(write)
    assert done.stderr == ""
    assert done.returncode == 1


def test_a_folder_that_can_not_be_made_is_named(tmp_path: Path) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.touch()
    done = goassist("models", "pull", "silero-vad", GOASSIST_MODELS_DIR=str(in_the_way / "models"))
    (line,) = done.stderr.splitlines()
    assert line.startswith("goassist: ")
    assert str(in_the_way) in line
    assert done.returncode == 1


def test_the_help_of_talk_says_when_the_microphone_is_not_cleaned() -> None:
    done = goassist("talk", "--help")
    assert "Without --echo-gain-db the microphone is taken as it is" in " ".join(
        done.stdout.split()
    )
    assert done.returncode == 0


@pytest.mark.parametrize("key", ["face.live_link", "face.service"])
def test_an_address_that_is_none_is_refused_before_anything_is_loaded(
    key: str, tmp_path: Path
) -> None:
    done = goassist("--set", f"{key}=studio", GOASSIST_MODELS_DIR=str(tmp_path))
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"goassist: --set {key} = 'studio': must be a host and a port")
    assert done.returncode == 2
