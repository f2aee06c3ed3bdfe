from __future__ import annotations

from goassist_desktop.host.metrics import Metrics
from goassist_desktop.pipeline.events import BargeIn, Notice, TurnClosed

TURN = TurnClosed(
    1, "hello", "hi there", "hi", "interrupted", False, {},
    {"ttfa": 120.0, "response_gap": 640.0, "recognition": 90.0, "llm_ttft": None},
    (BargeIn(1000.0, 1080.0, "stopped"),),
)  # fmt: skip


def lines(metrics: Metrics) -> dict[str, float]:
    told = metrics.render().decode()
    return {
        name: float(value)
        for line in told.splitlines()
        if not line.startswith("#")
        for name, value in [line.rsplit(" ", 1)]
    }


def test_a_turn_is_counted_and_timed() -> None:
    metrics = Metrics()
    metrics.take(TURN)
    metrics.take(TURN)
    told = lines(metrics)
    assert told['goassist_turns_total{outcome="interrupted"}'] == 2
    assert told['goassist_barge_ins_total{outcome="stopped"}'] == 2
    assert told["goassist_ttfa_seconds_sum"] == 0.24
    assert told['goassist_ttfa_seconds_bucket{le="0.1"}'] == 0
    assert told['goassist_ttfa_seconds_bucket{le="0.15"}'] == 2
    assert told["goassist_response_gap_seconds_count"] == 2
    assert told["goassist_asr_seconds_sum"] == 0.18
    assert told["goassist_llm_ttft_seconds_count"] == 0
    assert round(told["goassist_barge_in_seconds_sum"], 3) == 0.16


def test_what_fails_is_counted_by_what_it_is() -> None:
    metrics = Metrics()
    metrics.take(Notice("error", "the model is gone"))
    metrics.take(Notice("warning", "it lags", "face"))
    metrics.take(Notice("info", "nothing"))
    metrics.dropped(3)
    metrics.dropped(-5)  # somebody left, and took their count along
    told = lines(metrics)
    assert told['goassist_errors_total{component="conversation",type="notice"}'] == 1
    assert told["goassist_yields_total"] == 1
    assert told["goassist_backpressure_total"] == 3


def test_every_state_has_a_gauge() -> None:
    metrics = Metrics()
    metrics.states(["listening", "speaking", "listening"])
    told = lines(metrics)
    assert told['goassist_state{state="listening"}'] == 2
    assert told['goassist_state{state="held"}'] == 0
    assert told["goassist_sessions_active"] == 3


def test_two_hosts_count_apart() -> None:
    one, other = Metrics(), Metrics()
    one.take(TURN)
    assert "goassist_turns_total{" not in other.render().decode()
