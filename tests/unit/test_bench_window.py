"""What the measurement of the window reads and prepares, without a window."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import pytest

from goassist_desktop import log_file
from goassist_desktop.bench import window
from goassist_desktop.pipeline.errors import GoAssistError


def process(code: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", code])


def test_the_start_is_read_from_the_programs_own_log(tmp_path: Path) -> None:
    with log_file.open_log(where=tmp_path):
        logger = logging.getLogger("goassist_desktop.ui.program")
        logger.info("window shown %.2f s after the start", 1.25)
        logger.info("ready to talk %.2f s after the start", 3.5)
    program = process("import time; time.sleep(60)")
    try:
        assert window._wait_for_marks(program, tmp_path) == (1.25, 3.5)
    finally:
        program.kill()
        program.wait()


def test_a_program_that_ends_is_not_waited_for(tmp_path: Path) -> None:
    program = process("")
    with pytest.raises(GoAssistError, match="not ready to talk"):
        window._wait_for_marks(program, tmp_path)
    program.wait()


def test_a_start_has_the_logins_sockets_but_no_running_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    login, own = tmp_path / "login", tmp_path / "own"
    (login / "pulse").mkdir(parents=True)
    (login / "wayland-0").touch()
    (login / "goassist").mkdir()
    (login / "goassist" / "lock").touch()
    (own / "goassist").mkdir(parents=True)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(login))
    window._like_runtime_folder(own)
    assert (own / "pulse").is_dir()
    assert (own / "wayland-0").exists()
    assert not list((own / "goassist").iterdir())
