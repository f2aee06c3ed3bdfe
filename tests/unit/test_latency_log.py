"""Latencies against the contract, the stage to blame, and the table of all turns."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import pytest

from goassist_desktop.latency_log import (
    CONTRACT,
    MOST_AT_ONCE,
    NAMES,
    Bar,
    Figures,
    LatencyLog,
    Overrun,
    Recent,
    bars,
    figures,
    overruns,
    write_csv,
    zero_ms,
)
from goassist_desktop.pipeline.clock import INTERVALS, MARKS
from goassist_desktop.pipeline.events import BargeIn
from tests.fakes.turns import closed


def test_every_interval_has_a_name() -> None:
    assert set(NAMES) == set(INTERVALS)


def test_the_bars_follow_each_other_and_know_what_was_done_before_the_decision() -> None:
    assert bars(closed(decision=400.0)) == [
        Bar("recognition", 0, 300, 300),
        Bar("llm_ttft", 300, 380, 80),
        Bar("first_clause", 380, 460, 20),
        Bar("clause_to_audio", 460, 600, 0),
    ]


def test_what_never_came_has_no_bar() -> None:
    turn = closed(first_token=None, first_clause=None, first_audio=None)
    assert [bar.name for bar in bars(turn)] == ["recognition"]


def test_a_typed_turn_counts_from_its_first_mark() -> None:
    turn = closed(onset=None, offset=None, endpoint=None, decision=300.0)
    assert zero_ms(turn) == 10_300
    assert [bar.name for bar in bars(turn)] == ["llm_ttft", "first_clause", "clause_to_audio"]


def test_a_good_turn_blames_nobody() -> None:
    assert overruns(closed()) == []


def test_a_slow_first_token_after_the_decision() -> None:
    turn = closed(decision=300.0, first_token=610.0, first_clause=640.0, first_audio=700.0)
    assert overruns(turn) == [Overrun("ttfa", 250.0, "llm_ttft", 310.0, 220.0)]


def test_work_before_the_decision_is_not_to_blame_for_the_ttfa() -> None:
    turn = closed(first_token=900.0, first_clause=1000.0, decision=1000.0, first_audio=1300.0)
    assert overruns(turn) == [Overrun("ttfa", 250.0, "clause_to_audio", 300.0, 215.0)]


def test_a_clause_that_took_longer_than_its_first_token_is_blamed_as_a_whole() -> None:
    turn = closed(decision=300.0, first_token=400.0, first_clause=520.0, first_audio=600.0)
    assert overruns(turn) == [Overrun("ttfa", 250.0, "first_clause", 220.0, 130.0)]


def test_a_decision_that_came_late_is_to_blame_for_the_gap() -> None:
    turn = closed(endpoint=1700.0, decision=1700.0, first_audio=1850.0)
    (found,) = overruns(turn)
    assert (found.latency, found.stage, found.took_ms) == ("response_gap", "decision_delay", 1240)
    assert found.over_ms == pytest.approx(1240 - 15 * 1300 / 250)


def test_slow_recognition_is_to_blame_beyond_the_silence_it_has_to_wait_for() -> None:
    late = {"final_text": 1400.0, "first_token": 1450.0, "first_clause": 1500.0}
    turn = closed(endpoint=1500.0, decision=1500.0, first_audio=1600.0, **late)
    (found,) = overruns(turn)
    assert (found.stage, found.took_ms) == ("recognition", 1400)
    assert found.over_ms == pytest.approx(1400 - 200 - 60 * 1300 / 250)


def test_a_phrase_without_a_model_blames_its_sound() -> None:
    turn = closed(first_token=None, first_clause=None, first_audio=900.0)
    assert [found.stage for found in overruns(turn)] == ["clause_to_audio"]


@pytest.mark.parametrize("name", ["final_text", "first_token", "first_clause", "decision"])
def test_whatever_is_late_somebody_is_over_their_share(name: str) -> None:
    order = ("final_text", "first_token", "first_clause", "decision", "first_audio")
    late = {m: 100.0 * n + 1500 * (n >= order.index(name)) for n, m in enumerate(order)}
    found = overruns(closed(endpoint=late["decision"], **late))
    assert found
    assert all(overrun.over_ms > 0 for overrun in found)


def test_figures_are_of_the_steady_state_as_soon_as_there_is_one() -> None:
    log = LatencyLog()
    log.add(closed(1, warmup=True, first_audio=900.0))
    assert figures(log.values("response_gap", 10)) == Figures(900, 900, 900)
    log.add(closed(2, first_audio=700.0))
    assert figures(log.values("response_gap", 10)) == Figures(700, 700, 700)


def test_barge_ins_are_counted_one_by_one() -> None:
    log = LatencyLog()
    log.add(closed(1))
    log.add(closed(2, barge_ins=(BargeIn(0, 90, "resumed"), BargeIn(500, 640, "stopped"))))
    assert [(v.place, v.ms) for v in log.values("barge_in", 10)] == [(1, 90), (1, 140)]


def test_only_the_latest_turns_are_asked_for() -> None:
    log = LatencyLog()
    for number in range(1, 6):
        log.add(closed(number, first_audio=600.0 + number))
    assert [v.ms for v in log.values("response_gap", 2)] == [604, 605]


@pytest.mark.parametrize(
    ("name", "values", "kept"),
    [
        ("ttfa", [250.0], True),
        ("ttfa", [251.0], False),
        ("response_gap", [901.0, 902.0, 1000.0], False),
        ("face_offset", [-126.0, 0.0], False),
        ("face_offset", [-125.0, 45.0], True),
        ("frame_time", [], True),
    ],
)
def test_the_contract(name: str, values: list[float], kept: bool) -> None:
    assert Figures.of(values).keep(CONTRACT[name]) is kept


def test_it_forgets_the_oldest() -> None:
    log = LatencyLog(kept=3)
    for number in range(1, 6):
        log.add(closed(number))
    assert [kept.turn.turn_id for kept in log.turns] == [3, 4, 5]
    assert log.place(2) is None
    assert log.place(4) == 1


def test_a_number_used_in_two_conversations_means_the_latest() -> None:
    log = LatencyLog()
    for _ in range(2):
        log.begin()
        log.add(closed(1))
    assert log.place(1) == 1


def test_the_table_has_everything_measured_and_nothing_said(tmp_path: Path) -> None:
    log = LatencyLog()
    log.begin()
    log.add(closed(7, barge_ins=(BargeIn(0, 90, "resumed"),), starved_ms=12.0, warmup=True))
    log.add(closed(8, outcome="failed", first_audio=None, audio_end=None))
    file = tmp_path / "latency.csv"
    write_csv(file, log.turns)
    with file.open(newline="") as opened:
        first, second = csv.DictReader(opened)
    assert {f"{name}_mark_ms" for name in MARKS} | {f"{name}_ms" for name in INTERVALS} <= set(
        first
    )
    assert (first["conversation"], first["turn"], first["warmup"]) == ("1", "7", "1")
    assert (first["response_gap_ms"], first["first_audio_mark_ms"]) == ("600.0", "10600.0")
    assert (first["barge_ins"], first["starved_ms"]) == ("90.0 resumed", "12.0")
    assert (second["outcome"], second["response_gap_ms"]) == ("failed", "")
    assert "secret" not in file.read_text()


# -- the last minute -------------------------------------------------------------------------------


def test_a_step_keeps_its_least_and_its_most() -> None:
    recent = Recent(window_s=10, step_s=1)
    assert not recent.take([1.0], 0.0)  # what was before is of unknown time
    assert recent.take([1.0, 5.0, 3.0], 0.5)
    assert recent.take([1.0, 5.0, 3.0, 9.0], 0.9)
    assert not recent.take([1.0, 5.0, 3.0, 9.0], 1.5)
    assert recent.curve(2.0) == ([-2.0], [3.0], [9.0])


def test_no_line_bridges_a_silence() -> None:
    recent = Recent(window_s=60, step_s=1)
    recent.take([], 0.0)
    recent.take([1.0], 1.0)
    recent.take([1.0, 2.0], 20.0)
    ago, least, _ = recent.curve(20.0)
    assert ago == [-19.0, -18.0, 0.0]
    assert math.isnan(least[1])


def test_what_is_older_than_the_window_goes() -> None:
    recent = Recent(window_s=10, step_s=1)
    recent.take([], 0.0)
    recent.take([1.0], 1.0)
    assert not recent.take([1.0], 10.0)
    assert recent.take([1.0], 12.0)
    assert recent.curve(12.0) == ([], [], [])


def test_a_full_list_tells_its_new_values_too() -> None:
    recent = Recent(window_s=10, step_s=1)
    values = [float(n) for n in range(100)]
    recent.take(values, 0.0)
    assert recent.take([*values[2:], 500.0, 400.0], 1.0)
    assert recent.curve(1.0) == ([0.0], [400.0], [500.0])


def test_a_list_that_begins_anew_is_new() -> None:
    recent = Recent(window_s=10, step_s=1)
    recent.take([1.0, 2.0, 3.0], 0.0)
    assert recent.take([7.0], 1.0)
    assert recent.curve(1.0) == ([0.0], [7.0], [7.0])


def test_after_a_long_pause_only_the_latest_count() -> None:
    recent = Recent(window_s=10, step_s=1)
    recent.take([], 0.0)
    recent.take([900.0] + [1.0] * MOST_AT_ONCE, 1.0)
    assert recent.curve(1.0) == ([0.0], [1.0], [1.0])
