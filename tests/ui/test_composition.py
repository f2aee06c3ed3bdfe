"""The program put together, with an assistant that only notes what it is asked."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from goassist_desktop import weights
from goassist_desktop.config import Config
from goassist_desktop.supply import offers
from goassist_desktop.ui import jobs, program, window
from goassist_desktop.ui.ending import meanwhile
from goassist_desktop.ui.ports import Publish, Unable
from goassist_desktop.ui.program import Program
from goassist_desktop.ui.stage import Stage
from goassist_desktop.window_parts import Ledger, parts
from tests.fakes.assistant import ScriptedAssistant
from tests.fakes.renderer import FlatFace

pytestmark = pytest.mark.qt_log_ignore(
    "systemTrayWindowChanged", "does not support raise", extend=True
)
"""There is no tray here, and nobody who places windows."""


class Running:
    """The program without its loop."""

    def __init__(self, assistant: ScriptedAssistant, state: Path) -> None:
        self.asked = assistant.asked
        self.publish: Publish

        def connect(config: Config, publish: Publish) -> ScriptedAssistant:
            self.publish = publish
            return assistant

        given = replace(parts({}, Ledger()), assistant=connect, state=state, runtime=state)
        self.program = Program(Config(), given)
        self.program.window.show()

    def tray(self, name: str) -> QAction:
        """What stands in the tray's menu."""
        (menu,) = [
            one for one in QApplication.topLevelWidgets() if one.metaObject().className() == "QMenu"
        ]
        return next(one for one in menu.actions() if name in one.text())


@pytest.fixture
def running(
    qtbot: QtBot, assistant: ScriptedAssistant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Running]:
    monkeypatch.setenv("GOASSIST_CONFIG", str(tmp_path / "config.toml"))
    monkeypatch.setattr(window, "Stage", partial(Stage, open_face=FlatFace()))
    monkeypatch.setattr(program, "tray_available", lambda: True)
    before = QApplication.topLevelWidgets()
    made = Running(assistant, tmp_path)
    qtbot.addWidget(made.program.window)
    yield made
    jobs.finish()
    made.program.leave()
    made.program.window.stage.close_face()
    for widget in QApplication.topLevelWidgets():
        if widget not in before:  # views that nobody looked at have no parent
            widget.deleteLater()


def test_a_conversation_that_lacked_models_begins_once_they_have_come(
    running: Running, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = [weights.model("silero-vad")]
    monkeypatch.setattr(offers, "missing", lambda config: there)
    changed = running.program.downloads.changed
    changed.emit()
    running.publish(Unable("a model file is missing", "models"))
    qtbot.waitUntil(lambda: running.program.window.banner.messages != ())
    changed.emit()
    assert running.asked == []
    there.clear()
    changed.emit()
    changed.emit()
    assert running.asked == [("restart",)]


def test_with_a_tray_closing_hides(running: Running, qtbot: QtBot) -> None:
    window = running.program.window
    qtbot.mouseClick(window.controls.mute_button, Qt.MouseButton.LeftButton)
    running.program.change({"window.tray": True})
    assert running.tray("Mute").isChecked()
    window.close()
    assert not window.isVisible()
    running.tray("Show").trigger()
    assert window.isVisible()


def test_with_a_tray_ctrl_q_ends(
    running: Running, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[bool] = []
    monkeypatch.setattr(QApplication, "quit", lambda _: ended.append(True))
    running.program.change({"window.tray": True})
    window = running.program.window
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    qtbot.keyClick(window, Qt.Key.Key_Q, Qt.KeyboardModifier.ControlModifier)
    assert ended == [True]


def test_without_a_tray_closing_ends(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[bool] = []
    monkeypatch.setattr(QApplication, "quit", lambda _: ended.append(True))
    running.program.change({"window.tray": True})
    running.program.change({"window.tray": False})
    running.program.window.close()
    assert ended == [True]


def test_at_the_end_nobody_waits_for_another() -> None:
    meeting = threading.Barrier(3)
    with meanwhile(lambda: meeting.wait(10), lambda: meeting.wait(10)):
        meeting.wait(10)
    assert not meeting.broken


def test_settings_are_written_before_the_end(running: Running, tmp_path: Path) -> None:
    running.program.change({"persona.name": "Zoë"})
    jobs.finish()
    assert "Zoë" in (tmp_path / "config.toml").read_text()
