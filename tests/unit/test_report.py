from __future__ import annotations

from goassist_desktop.pipeline.clock import FIRST_AUDIO, INTERVALS, MARKS
from goassist_desktop.pipeline.events import BargeIn, TurnClosed
from goassist_desktop.pipeline.session import Speculation
from goassist_desktop.report import Report, percentile


def closed(*barge_ins: BargeIn, first_audio: float | None = 1000.0) -> TurnClosed:
    return TurnClosed(
        turn_id=1,
        user_text="A question.",
        reply_text="An answer.",
        heard_text="An answer." if first_audio else "",
        outcome="completed" if first_audio else "interrupted",
        warmup=False,
        marks_ms=dict.fromkeys(MARKS) | {FIRST_AUDIO: first_audio},
        intervals_ms=dict.fromkeys(INTERVALS) | {"response_gap": 400.04 if first_audio else None},
        barge_ins=barge_ins,
    )


def report(*turns: TurnClosed, speculation: Speculation | None = None) -> dict:
    collected = Report([])
    for turn in turns:
        collected.take(turn)
    return collected.as_dict(speculation or Speculation())


def test_the_summary_tells_what_speculation_was_in_vain():
    made = report(closed(), speculation=Speculation(turns=5, unheard=3, unheard_ms=812.34))
    assert made["summary"]["speculations"] == 5
    assert made["summary"]["speculations_unheard"] == 3
    assert made["summary"]["speculations_unheard_ms"] == 812.3


def test_a_turn_tells_its_barge_ins_and_the_last_apart():
    cough, stop = BargeIn(2000.0, 2090.0, "resumed"), BargeIn(3000.0, 3101.26, "stopped")
    none, both = report(closed(), closed(cough, stop))["turns"]
    assert (none["barge_in"], none["barge_ins"]) == (None, [])
    assert [b["outcome"] for b in both["barge_ins"]] == ["resumed", "stopped"]
    assert both["barge_in"] == {
        "onset_ms": 3000.0,
        "silence_ms": 3101.3,
        "latency_ms": 101.3,
        "outcome": "stopped",
    }


def test_the_summary_counts_barge_ins_of_all_turns():
    cough, stop = BargeIn(2000.0, 2090.0, "resumed"), BargeIn(3000.0, 3110.0, "stopped")
    summary = report(closed(cough), closed(cough, stop))["summary"]
    assert (summary["stopped"], summary["resumed"]) == (1, 2)
    assert summary["barge_in_ms"] == {"n": 3, "p50": 90.0, "p95": 110.0, "max": 110.0}


def test_a_first_turn_without_sound_has_no_gap():
    summary = report(closed(first_audio=None), closed())["summary"]
    assert summary["first_response_gap_ms"] is None
    assert summary["intervals_ms"]["response_gap"] == {
        "n": 1, "p50": 400.0, "p95": 400.0, "max": 400.0,
    }  # fmt: skip


def test_percentiles_are_values_that_occurred():
    assert percentile([4, 1, 3, 2], 50) == 2
    assert percentile([4, 1, 3, 2], 95) == 4
    assert percentile([], 50) is None
