"""The report of a conversation: its turns, marks and latencies, as data for report.json."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from goassist_desktop.pipeline.events import BargeIn, SessionEvent, TurnClosed
from goassist_desktop.pipeline.protocols import EngineInfo
from goassist_desktop.pipeline.session import Speculation


def percentile(values: Iterable[float], percent: float) -> float | None:
    """The nearest-rank percentile, so that it is always a value that occurred. None for no values.

    Nearest-rank method: rank = ceil(percent / 100 * n).
    """
    ordered = sorted(values)
    if not ordered:
        return None
    return ordered[max(0, math.ceil(percent / 100 * len(ordered)) - 1)]


class Report:
    """Collects the events of a session. `as_dict` is what report.json holds."""

    def __init__(self, engines: Sequence[EngineInfo]) -> None:
        self.turns: list[TurnClosed] = []
        self._engines = engines

    def take(self, event: SessionEvent) -> None:
        if isinstance(event, TurnClosed):
            self.turns.append(event)

    def as_dict(self, speculation: Speculation) -> dict[str, Any]:
        return {
            "version": 1,
            "engines": {
                info.stage: {"name": info.name, "model": info.model, "stand_in": info.stand_in}
                for info in self._engines
            },
            "turns": [_turn(turn) for turn in self.turns],
            "summary": self._summary(speculation),
            "peak_rss_mb": peak_rss_mb(),
        }

    def _summary(self, speculation: Speculation) -> dict[str, Any]:
        warm = [turn for turn in self.turns if not turn.warmup]
        steady = warm or self.turns
        stages = {
            name: _distribution(t.intervals_ms[name] for t in steady)
            for name in (self.turns[0].intervals_ms if self.turns else ())
        }
        barge_ins = [b for turn in self.turns for b in turn.barge_ins]
        first = self.turns[0].intervals_ms.get("response_gap") if self.turns else None
        return {
            "turns": len(self.turns),
            "steady_state": bool(warm),
            "intervals_ms": stages,
            "first_response_gap_ms": _round(first),
            "barge_in_ms": _distribution(b.latency_ms for b in barge_ins),
            "stopped": sum(b.outcome == "stopped" for b in barge_ins),
            "resumed": sum(b.outcome == "resumed" for b in barge_ins),
            "speculations": speculation.turns,
            "speculations_unheard": speculation.unheard,
            "speculations_unheard_ms": _round(speculation.unheard_ms),
        }


def peak_rss_mb() -> float:
    """The most memory this process ever held, in MB (10^6 bytes)."""
    import resource

    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6, 1)


def _turn(turn: TurnClosed) -> dict[str, Any]:
    barge_ins = [_barge_in(barge_in) for barge_in in turn.barge_ins]
    return {
        "id": turn.turn_id,
        "user_text": turn.user_text,
        "reply_text": turn.reply_text,
        "heard_text": turn.heard_text,
        "outcome": turn.outcome,
        "reason": turn.reason,
        "warmup": turn.warmup,
        "marks_ms": turn.marks_ms,
        "ttfa_ms": _round(turn.intervals_ms["ttfa"]),
        "response_gap_ms": _round(turn.intervals_ms["response_gap"]),
        "barge_in": barge_ins[-1] if barge_ins else None,
        "barge_ins": barge_ins,
        "starved_ms": _round(turn.starved_ms),
    }


def _barge_in(barge_in: BargeIn) -> dict[str, float | str | None]:
    return {
        "onset_ms": _round(barge_in.onset_ms),
        "silence_ms": _round(barge_in.silence_ms),
        "latency_ms": _round(barge_in.latency_ms),
        "outcome": barge_in.outcome,
    }


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 1)


def _distribution(values: Iterable[float | None]) -> dict[str, float | int | None]:
    known = [value for value in values if value is not None]
    return {
        "n": len(known),
        "p50": _round(percentile(known, 50)),
        "p95": _round(percentile(known, 95)),
        "max": _round(max(known, default=None)),
    }
