"""A configuration file that can not be used, at the start of the program."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QDialog
from pytestqt.qtbot import QtBot

from goassist_desktop import config
from goassist_desktop.pipeline.errors import ConfigError
from goassist_desktop.ui.settings import BrokenConfigDialog

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "config.toml"
    monkeypatch.setenv("GOASSIST_CONFIG", str(path))
    return path


def dialog(
    qtbot: QtBot, file: Path, environment: dict[str, str] | None = None
) -> BrokenConfigDialog:
    """As the start of the program shows it."""
    with pytest.raises(ConfigError) as refused:
        config.load({}, environment or {})
    shown = BrokenConfigDialog(str(refused.value), file)
    qtbot.addWidget(shown)
    shown.show()
    return shown


def test_one_wrong_setting_gets_its_default(qtbot: QtBot, file: Path) -> None:
    file.write_text("# mine\n[audio]\necho_cancellation = 'perhaps'\ninput_device = 'usb'\n")
    shown = dialog(qtbot, file)
    assert "audio.echo_cancellation = 'perhaps': must be true or false" in shown.what.text()
    assert shown.use.text() == "Use the default for audio.echo_cancellation"
    qtbot.keyClick(shown, Qt.Key.Key_Return)
    assert shown.result() == QDialog.DialogCode.Accepted
    assert config.load({}, {}).audio.input_device == "usb"
    assert len(list(file.parent.glob("config.toml.broken-*"))) == 1


def test_several_at_once(qtbot: QtBot, file: Path) -> None:
    file.write_text("profile = 3\n[audio]\nvolume = 11\n")
    shown = dialog(qtbot, file)
    assert shown.use.text() == "Use the defaults for these 2 settings"
    qtbot.mouseClick(shown.use, LEFT)
    assert config.load({}, {}) == config.Config()


def test_a_file_that_is_no_toml(qtbot: QtBot, file: Path) -> None:
    file.write_text("[audio\n")
    shown = dialog(qtbot, file)
    assert shown.use.text() == "Start with the defaults"
    qtbot.mouseClick(shown.use, LEFT)
    assert config.load({}, {}) == config.Config()


def test_mending_it_by_hand(qtbot: QtBot, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr(
        QDesktopServices, "openUrl", lambda url: opened.append(url.toLocalFile()) is None
    )
    file.write_text("profile = 3\n")
    shown = dialog(qtbot, file)
    assert shown.again.isHidden()
    qtbot.mouseClick(shown.open_file, LEFT)
    assert opened == [str(file)]
    qtbot.mouseClick(shown.again, LEFT)
    assert shown.isVisible()
    file.write_text("profile = 'ci'\n")
    qtbot.mouseClick(shown.again, LEFT)
    assert shown.result() == QDialog.DialogCode.Accepted
    assert file.read_text() == "profile = 'ci'\n"


def test_a_wrong_variable_is_not_the_file_s_fault(qtbot: QtBot, file: Path) -> None:
    file.write_text("profile = 'ci'\n")
    shown = dialog(qtbot, file, {"GOASSIST_PROFILE": "huge"})
    assert "GOASSIST_PROFILE = 'huge': must be one of embedded, ci" in shown.what.text()
    assert shown.use.isHidden()
    assert shown.open_file.isHidden()
    qtbot.mouseClick(shown.quit, LEFT)
    assert shown.result() == QDialog.DialogCode.Rejected


def test_a_folder_that_can_not_be_written_is_told(
    qtbot: QtBot, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text("profile = 3\n")
    shown = dialog(qtbot, file)

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("goassist_desktop.settings_file.shutil.copy2", refuse)
    qtbot.mouseClick(shown.use, LEFT)
    assert shown.isVisible()
    assert shown.fault.text().endswith("can not be written: Permission denied")
    assert file.read_text() == "profile = 3\n"
