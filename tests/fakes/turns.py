"""Closed turns, from the moments that matter."""

from __future__ import annotations

from goassist_desktop.pipeline.clock import INTERVALS, Marks
from goassist_desktop.pipeline.events import BargeIn, Outcome, TurnClosed

MOMENTS = {
    "onset": -1500.0,
    "offset": 0.0,
    "final_text": 300.0,
    "first_token": 380.0,
    "first_clause": 460.0,
    "endpoint": 420.0,
    "decision": 460.0,
    "first_audio": 600.0,
    "audio_end": 2600.0,
}
"""Of a good turn, in ms after the user's last sample."""


def closed(
    turn_id: int = 1,
    *,
    at_ms: float = 10_000.0,
    warmup: bool = False,
    outcome: Outcome = "completed",
    barge_ins: tuple[BargeIn, ...] = (),
    starved_ms: float = 0.0,
    **moments: float | None,
) -> TurnClosed:
    """`moments` differ from MOMENTS; None: it never came."""
    marks = Marks()
    for mark, ms in (MOMENTS | moments).items():
        if ms is not None:
            marks.set(mark, at_ms + ms)
    return TurnClosed(
        turn_id=turn_id,
        user_text="a secret question",
        reply_text="a secret answer",
        heard_text="a secret",
        outcome=outcome,
        warmup=warmup,
        marks_ms=marks.as_dict(),
        intervals_ms={name: marks.interval(name) for name in INTERVALS},
        barge_ins=barge_ins,
        starved_ms=starved_ms,
    )
