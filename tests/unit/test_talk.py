"""What of a conversation counts as an answer, and where results may be written."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace

import pytest

from goassist_desktop import conversing, talk
from goassist_desktop.commands.talk import writable
from goassist_desktop.pipeline.clock import FIRST_AUDIO, MARKS, OFFSET, ONSET
from goassist_desktop.pipeline.endpoints.recording import Said
from goassist_desktop.pipeline.errors import BadInput, GoAssistError
from goassist_desktop.pipeline.events import BargeIn, TurnClosed

RATE_HZ = 48_000


def said(onset_s: float, offset_s: float) -> Said:
    onset, offset = round(onset_s * RATE_HZ), round(offset_s * RATE_HZ)
    return Said(onset - 4_800, offset + 4_800, onset, offset)


def turn(
    onset_s: float,
    offset_s: float,
    *barge_ins: BargeIn,
    text: str = "A question.",
    heard: bool = True,
    outcome: str = "completed",
) -> TurnClosed:
    marks = {ONSET: onset_s * 1000, OFFSET: offset_s * 1000}
    marks |= {FIRST_AUDIO: offset_s * 1000 + 400} if heard else {}
    return TurnClosed(1, text, "", "", outcome, False, dict.fromkeys(MARKS) | marks, {}, barge_ins)


def barge_in(onset_s: float, outcome: str) -> BargeIn:
    return BargeIn(onset_s * 1000, onset_s * 1000 + 90, outcome)


QUESTION, LATER = said(1, 2), said(5, 6)


def test_an_audible_turn_over_its_words_answers_a_recording():
    assert talk._answered(QUESTION, [turn(1, 2)], [])
    assert not talk._answered(LATER, [turn(1, 2)], [])
    assert not talk._answered(QUESTION, [turn(1, 2, heard=False)], [])
    assert not talk._answered(QUESTION, [turn(1, 2, outcome="failed")], [])
    assert not talk._answered(QUESTION, [], [])


def test_to_be_asked_back_is_no_answer():
    assert not talk._answered(QUESTION, [turn(1, 2, text="")], [])


def test_an_order_to_stop_is_obeyed_by_silence():
    assert talk._answered(LATER, [], [5_000])  # into silence
    assert talk._answered(LATER, [turn(1, 2, barge_in(5, "stopped"))], [5_000])


def test_an_order_to_stop_answers_its_own_recording_alone():
    stop = said(9, 9.5)
    turns = [
        turn(1, 2, barge_in(5, "stopped"), outcome="interrupted"),
        turn(7, 8, barge_in(9, "stopped"), outcome="interrupted"),
    ]
    assert talk._answered(stop, turns, [8_950])
    assert not talk._answered(LATER, turns, [8_950])


def test_what_did_not_stop_the_reply_wants_no_answer():
    turns = [turn(1, 2, barge_in(5, "resumed"))]
    assert talk._answered(LATER, turns, [])
    assert not talk._answered(said(8, 9), turns, [])


class Timeline:
    """An endpoint at which two seconds pass for every look at it."""

    failure = None

    def __init__(self, said: Said) -> None:
        self._said = said
        self._position = 0

    @property
    def position(self) -> int:
        self._position += 2 * RATE_HZ
        return self._position

    @property
    def saying(self) -> bool:
        return self._position < self._said.end

    def quiet_for(self) -> float:
        return self._position / RATE_HZ


@pytest.fixture
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversing, "POLL_S", 0.0)


@pytest.mark.usefixtures("no_pause")
def test_a_recording_may_be_longer_than_the_patience():
    long = said(1, 3 * conversing.PATIENCE_S)
    timeline = Timeline(long)
    asyncio.run(conversing.Until(SimpleNamespace(busy=False), timeline).quiet(long))
    assert timeline.position > long.end


@pytest.mark.usefixtures("no_pause")
def test_patience_with_a_stuck_session_ends():
    stuck = SimpleNamespace(busy=True, state="thinking")
    with pytest.raises(GoAssistError, match=r"nothing came of a recording .* thinking"):
        asyncio.run(conversing.Until(stuck, Timeline(QUESTION)).quiet(QUESTION))


def test_a_result_must_have_a_file_to_go_to(tmp_path: Path) -> None:
    there = tmp_path / "report.json"
    there.write_text("before")
    assert writable(there) == there
    assert there.read_text() == "before"
    for path, reason in ((tmp_path, "Is a directory"), (tmp_path / "no" / "a", "No such file")):
        with pytest.raises(BadInput) as refused:
            writable(path)
        assert str(refused.value).startswith(f"{path}: {reason}")
