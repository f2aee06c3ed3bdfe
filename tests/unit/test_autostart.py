"""Start at login, in an autostart folder of the test's own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from goassist_desktop import autostart


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    return tmp_path


def command() -> list[str]:
    """The command as a desktop reads it from the entry, whose quotes are those of a shell."""
    lines = autostart.entry_path().read_text(encoding="utf-8").splitlines()
    (line,) = (line.removeprefix("Exec=") for line in lines if line.startswith("Exec="))
    shell = "printf '%s\\n' " + line.replace("\\\\", "\\").replace("%%", "%")
    printed = subprocess.run(["sh", "-c", shell], stdout=subprocess.PIPE, text=True, check=True)
    return printed.stdout.splitlines()


def test_on_and_off(home: Path) -> None:
    assert not autostart.is_on()
    autostart.switch(True)
    assert autostart.is_on()
    assert autostart.entry_path() == home / ".config/autostart/goassist.desktop"
    assert [path.name for path in autostart.entry_path().parent.iterdir()] == ["goassist.desktop"]
    autostart.switch(False)
    autostart.switch(False)
    assert not autostart.is_on()


def test_it_starts_this_very_installation() -> None:
    autostart.switch(True)
    assert command() == [sys.executable, "-P", "-m", "goassist_desktop"]


@pytest.mark.parametrize(
    "odd", ["/opt/my python/bin/python", '/opt/a"b$HOME`c\\d/python', "/opt/100%/python", "/é/p"]
)
def test_folders_with_odd_names(monkeypatch: pytest.MonkeyPatch, odd: str) -> None:
    monkeypatch.setattr(autostart, "COMMAND", (odd, "-m", "goassist_desktop"))
    autostart.switch(True)
    assert command() == [odd, "-m", "goassist_desktop"]


def test_the_configuration_folder_of_the_desktop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "elsewhere"))
    autostart.switch(True)
    assert (tmp_path / "elsewhere/autostart/goassist.desktop").exists()
    monkeypatch.setenv("XDG_CONFIG_HOME", "relative")  # which the specification says to ignore
    assert autostart.entry_path() == tmp_path / ".config/autostart/goassist.desktop"


@pytest.mark.parametrize("line", ["Hidden=true", "X-GNOME-Autostart-enabled = false"])
def test_switched_off_by_the_desktop(line: str) -> None:
    autostart.switch(True)
    path = autostart.entry_path()
    kept = [line for line in path.read_text().splitlines() if "Autostart" not in line]
    path.write_text("\n".join([*kept, line]))
    assert not autostart.is_on()
    autostart.switch(True)
    assert autostart.is_on()


def test_what_is_no_entry_starts_nothing() -> None:
    path = autostart.entry_path()
    path.parent.mkdir(parents=True)
    path.write_bytes(b"\xff\xfe")
    assert not autostart.is_on()


def test_where_it_can_not_be_written_the_file_is_named(home: Path) -> None:
    (home / ".config").mkdir()
    (home / ".config/autostart").write_text("a file is in the way")
    with pytest.raises(OSError) as refused:
        autostart.switch(True)
    assert str(refused.value.filename) == str(home / ".config/autostart")
