"""What stands between the conversation, the log and the window."""

from __future__ import annotations

from pathlib import Path

import pytest

from goassist_desktop import log_file
from goassist_desktop.pipeline.events import Notice, TurnClosed
from goassist_desktop.pipeline.protocols import EngineInfo
from goassist_desktop.ui.ports import AssistantEvent, Loading, Ready, Unable
from goassist_desktop.window_parts import KEPT_TURNS, Ledger

ENGINE = EngineInfo("recognition", "whisper", "tiny", "MIT")


def turn(number: int) -> TurnClosed:
    return TurnClosed(number, "my secret", "indeed", "indeed", "completed", False, {}, {})


def test_a_window_is_told_what_came_before_it() -> None:
    ledger, told = Ledger(), list[AssistantEvent]()
    early = Notice("warning", "No log is written: Not a directory. Everything else works.")
    ledger.take(early)
    ledger.connect(told.append)
    ledger.take(Loading())
    assert told == [early, Loading()]


def test_a_report_gets_the_engines_and_the_latest_turns() -> None:
    ledger = Ledger()
    ledger.connect(lambda event: None)
    ledger.take(Ready((ENGINE,), 1.0))
    for number in range(KEPT_TURNS + 5):
        ledger.take(turn(number))
    assert ledger.engines == (ENGINE,)
    assert [one.turn_id for one in ledger.turns] == list(range(5, KEPT_TURNS + 5))


def test_the_log_says_why_there_is_no_conversation_and_quotes_nobody(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ledger = Ledger()
    ledger.connect(lambda event: None)
    with log_file.open_log(ledger.take, tmp_path) as ledger.log:
        ledger.take(Ready((), 1.0))
        ledger.take(turn(1))
        ledger.take(Unable("the conversation broke: ValueError('my secret')", "bug"))
    written = (tmp_path / log_file.NAME).read_text()
    assert "no conversation, bug: the conversation broke: ValueError" in written
    assert '"session": 1' in written
    assert "secret" not in written
    caplog.get_records("call").clear()  # a warning that belongs there


def test_a_bug_is_told_in_the_window() -> None:
    ledger, told = Ledger(), list[AssistantEvent]()
    ledger.connect(told.append)
    ledger.bug("ZeroDivisionError")
    (notice,) = told
    assert isinstance(notice, Notice)
    assert (notice.level, "ZeroDivisionError" in notice.what) == ("error", True)
