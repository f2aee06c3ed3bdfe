"""A turn that felt wrong: what the user ticks, and what comes to lie in the folder."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog, QLabel, QPlainTextEdit, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from goassist_desktop.pipeline.errors import BadInput, GoAssistError
from goassist_desktop.pipeline.events import TurnClosed
from goassist_desktop.replay.values import event_value
from goassist_desktop.ui.felt_wrong import FeltWrong, Tick
from goassist_desktop.ui.kit import Switch
from tests.fakes.assistant import ScriptedAssistant
from tests.ui.conftest import Shoot

TURN = TurnClosed(
    turn_id=3,
    user_text="What is the capital of Peru?",
    reply_text="Lima is the capital, and a large one.",
    heard_text="Lima is the capital,",
    outcome="interrupted",
    warmup=False,
    marks_ms={"onset": 100.0},
    intervals_ms={"ttfa": 300.0, "response_gap": 480.0},
    reason="words",
)


class User:
    def __init__(self, qtbot: QtBot, keeping: bool, keep: Callable[[Path], None]) -> None:
        self.qtbot = qtbot
        self.dialog = FeltWrong(None, TURN, keeping, keep)
        self.dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose, False)
        qtbot.addWidget(self.dialog)
        with qtbot.waitExposed(self.dialog):
            self.dialog.open()

    def named(self, kind: type[QWidget], text: str) -> Any:
        return next(w for w in self.dialog.findChildren(kind) if w.text() == text)

    def press(self, text: str) -> None:
        self.qtbot.mouseClick(self.named(QPushButton, text), Qt.MouseButton.LeftButton)

    def tick(self, text: str) -> None:
        self.named(Tick, text).setFocus()
        self.qtbot.keyClick(self.named(Tick, text), Qt.Key.Key_Space)

    def sees(self, text: str) -> bool:
        return any(w.isVisible() and text in w.text() for w in self.dialog.findChildren(QLabel))

    def save_in(self, folder: Path) -> None:
        self.press("Save report …")
        (chooser,) = self.dialog.findChildren(QFileDialog)
        assert chooser.fileMode() == QFileDialog.FileMode.Directory
        chooser.setDirectory(str(folder.parent))
        chooser.selectFile(str(folder))
        chooser.accept()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "reports"
    made.mkdir()
    return made


def recorded(*turns: TurnClosed) -> Callable[[Path], None]:
    """Keeps a session that holds these turns."""

    def keep(folder: Path) -> None:
        lines = ['{"format":1}', '["block",0.01]']
        lines += [json.dumps(["event", event_value(t)], separators=(",", ":")) for t in turns]
        (folder / "journal.jsonl").write_text("\n".join(lines) + "\n")
        (folder / "microphone.wav").write_bytes(b"sound")

    return keep


def test_the_session_and_what_felt_wrong_are_saved(qtbot: QtBot, folder: Path) -> None:
    user = User(qtbot, True, recorded(replace(TURN, turn_id=2), TURN))
    assert user.sees("You: What is the capital of Peru?")
    assert user.sees("It is not encrypted")
    user.tick("It answered too late")
    user.tick("The voice sounded wrong")
    (remark,) = user.dialog.findChildren(QPlainTextEdit)
    qtbot.keyClicks(remark, "like a robot")
    user.save_in(folder)
    qtbot.waitUntil(lambda: user.sees("The report is saved"))
    (made,) = folder.iterdir()
    assert sorted(p.name for p in made.iterdir()) == [
        *("journal.jsonl", "microphone.wav", "report.json")
    ]
    assert made.stat().st_mode & 0o777 == 0o700
    report = json.loads((made / "report.json").read_text())
    assert (report["felt"], report["remark"]) == (["late", "voice"], "like a robot")
    assert report["recorded"]
    assert report["turn"]["user_text"] == "What is the capital of Peru?"
    assert report["turn"]["response_gap_ms"] == 480.0
    assert user.sees(f"goassist replay '{made}'")
    with qtbot.waitSignal(user.dialog.accepted):
        user.press("Done")


def test_without_a_recording_only_figures_are_saved(
    qtbot: QtBot, folder: Path, assistant: ScriptedAssistant
) -> None:
    user = User(qtbot, False, assistant.keep_session)
    assert user.sees("This session is not recorded")
    (switch,) = user.dialog.findChildren(Switch)
    with qtbot.waitSignal(user.dialog.keep_next_time) as asked:
        qtbot.keyClick(switch, Qt.Key.Key_Space)
    assert asked.args == [True]
    user.tick("It cut me off")
    user.save_in(folder)
    qtbot.waitUntil(lambda: user.sees("The report is saved"))
    assert assistant.asked == []
    (made,) = folder.iterdir()
    text = (made / "report.json").read_text()
    assert "Peru" not in text and "Lima" not in text
    report = json.loads(text)
    assert (report["felt"], report["recorded"]) == (["cut_off"], False)
    assert report["turn"]["ttfa_ms"] == 300.0
    assert not user.sees("goassist replay")


def nothing(folder: Path) -> None:
    raise BadInput("Nothing was recorded of this session.")


@pytest.mark.parametrize(
    ("keep", "why"),
    [
        (recorded(replace(TURN, turn_id=2)), "The recording of the session does not reach this"),
        (recorded(replace(TURN, marks_ms={"onset": 7.0})), "The recording of the session does not"),
        (nothing, "Nothing was recorded of this session. The report holds only"),
    ],
)
def test_a_recording_without_this_turn_is_not_given_away(
    qtbot: QtBot, folder: Path, keep: Callable[[Path], None], why: str
) -> None:
    user = User(qtbot, True, keep)
    user.save_in(folder)
    qtbot.waitUntil(lambda: user.sees(why))
    (made,) = folder.iterdir()
    assert [p.name for p in made.iterdir()] == ["report.json"]
    assert "Peru" not in (made / "report.json").read_text()


def test_a_report_that_can_not_be_written_leaves_nothing(qtbot: QtBot, folder: Path) -> None:
    def full(folder: Path) -> None:
        (folder / "journal.jsonl").write_text("half")
        raise GoAssistError("No space left on device.")

    user = User(qtbot, True, full)
    user.save_in(folder)
    qtbot.waitUntil(lambda: user.sees("No space left on device."))
    assert list(folder.iterdir()) == []
    assert user.named(QPushButton, "Save report …").isEnabled()


def test_a_place_that_can_not_be_written_is_named(
    qtbot: QtBot, folder: Path, assistant: ScriptedAssistant
) -> None:
    user = User(qtbot, True, assistant.keep_session)
    (folder / "file").touch()
    user.dialog._save_in(str(folder / "file"))
    qtbot.waitUntil(lambda: user.sees("can not be made: Not a directory"))


def test_escape_saves_nothing(qtbot: QtBot, assistant: ScriptedAssistant) -> None:
    user = User(qtbot, True, assistant.keep_session)
    with qtbot.waitSignal(user.dialog.rejected):
        qtbot.keyClick(user.dialog, Qt.Key.Key_Escape)
    assert assistant.asked == []


def test_pictures(qtbot: QtBot, assistant: ScriptedAssistant, shoot: Shoot) -> None:
    shoot(User(qtbot, False, assistant.keep_session).dialog, "felt-wrong")
