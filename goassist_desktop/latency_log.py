"""The latencies of the turns so far: against the contract, who is to blame, and as a table to keep.

It adds nothing to what `pipeline.clock` names: intervals come ready from the turns.
"""

from __future__ import annotations

import csv
import math
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from goassist_desktop.pipeline import clock as mark
from goassist_desktop.pipeline.clock import INTERVALS, MARKS
from goassist_desktop.pipeline.events import TurnClosed
from goassist_desktop.report import percentile

Latency = Literal["ttfa", "response_gap"]

NAMES: Final = {
    "response_gap": "response gap",
    "ttfa": "TTFA",
    "endpoint_delay": "endpoint delay",
    "decision_delay": "decision delay",
    "recognition": "recognition",
    "head_start": "head start",
    "llm_ttft": "first token",
    "first_clause": "first clause",
    "clause_to_audio": "clause to audio",
}
"""INTERVALS in words, the ones a person feels first."""

KEPT_TURNS: Final = 2000
"""The oldest are forgotten beyond."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What is promised of a latency, in ms. None: nothing."""

    p95: float
    p50: float | None = None
    least_p5: float | None = None
    """For what may be early as well as late."""


CONTRACT: Final[Mapping[str, Limits]] = {
    "ttfa": Limits(250.0),
    "response_gap": Limits(1500.0, p50=900.0),
    "barge_in": Limits(150.0),
    "face_offset": Limits(45.0, least_p5=-125.0),
    "frame_time": Limits(1000 / 24),
}
"""With the models that run on any processor. The face: ITU-R BT.1359, and 24 frames a second."""

LISTENING_MS: Final = 200.0
"""Silence there has to be before anything is done about it: it is nobody's fault."""
SHARES_MS: Final[Mapping[str, float]] = {
    "recognition": 60.0,
    "first_clause": 90.0,
    "decision_delay": 15.0,
    "clause_to_audio": 85.0,
}
"""Each stage's share of a TTFA of 250 ms: final text, first clause from the model, decision, and
first audio with its way out (75 + 10). The first clause's counts from the final text."""


TAIL: Final = 32
"""So many values tell which of a full list are new."""
MOST_AT_ONCE: Final = 256
BRIDGED_STEPS: Final = 4


@dataclass(frozen=True, slots=True)
class Bar:
    """A stretch of the waterfall, in ms after the turn's zero."""

    name: str
    """Of INTERVALS."""
    start_ms: float
    end_ms: float
    ahead_ms: float
    """So much of it was done before the decision."""


@dataclass(frozen=True, slots=True)
class Overrun:
    """A latency over its limit, and the stage that is most over its share of it."""

    latency: Latency
    limit_ms: float
    stage: str
    """Of INTERVALS."""
    took_ms: float
    over_ms: float
    """More than the stage's share."""


@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    """A turn, and which conversation since the start it belongs to: ids begin anew with each."""

    conversation: int
    turn: TurnClosed


@dataclass(frozen=True, slots=True)
class Value:
    """One measured latency."""

    place: int
    """Of its turn in `LatencyLog.turns`."""
    ms: float
    warmup: bool


@dataclass(frozen=True, slots=True)
class Figures:
    """Percentiles in ms, by nearest rank; None without values."""

    p50: float | None
    p95: float | None
    p5: float | None

    @classmethod
    def of(cls, values: Sequence[float]) -> Figures:
        return cls(percentile(values, 50), percentile(values, 95), percentile(values, 5))

    def keep(self, limits: Limits) -> bool:
        """Whether nothing that is promised is broken."""
        return not (
            (self.p95 is not None and self.p95 > limits.p95)
            or (limits.p50 is not None and self.p50 is not None and self.p50 > limits.p50)
            or (limits.least_p5 is not None and self.p5 is not None and self.p5 < limits.least_p5)
        )


class LatencyLog:
    """The turns of all conversations since the start, the latest last."""

    def __init__(self, kept: int = KEPT_TURNS) -> None:
        self.turns: deque[Kept] = deque(maxlen=kept)
        self._conversation = 0

    def begin(self) -> None:
        """Another conversation: its turns are counted from one again."""
        self._conversation += 1

    def add(self, turn: TurnClosed) -> None:
        self.turns.append(Kept(self._conversation, turn))

    def place(self, turn_id: int) -> int | None:
        """Where the latest turn of this id is; None if it is not known, or forgotten."""
        for place in range(len(self.turns) - 1, -1, -1):
            if self.turns[place].turn.turn_id == turn_id:
                return place
        return None

    def values(self, latency: str, latest: int) -> list[Value]:
        """What the latest so many turns measured; "barge_in" has one for each of theirs."""
        found: list[Value] = []
        for place in range(max(0, len(self.turns) - latest), len(self.turns)):
            turn = self.turns[place].turn
            if latency == "barge_in":
                found += [Value(place, b.latency_ms, turn.warmup) for b in turn.barge_ins]
            elif (ms := turn.intervals_ms[latency]) is not None:
                found.append(Value(place, ms, turn.warmup))
        return found


def figures(values: Sequence[Value]) -> Figures:
    """Of the steady state; of the warm-up, as long as there is nothing else."""
    steady = [value.ms for value in values if not value.warmup]
    return Figures.of(steady or [value.ms for value in values])


class Recent:
    """What a source of frames measured in the last minute: least and most, step by step.

    The source is a growing list that forgets its oldest when it is full.
    """

    def __init__(self, window_s: float = 60.0, step_s: float = 0.1) -> None:
        self.window_s, self._step_s = window_s, step_s
        self._steps: deque[tuple[int, float, float]] = deque(maxlen=round(window_s / step_s))
        self._count: int | None = None
        self._tail: list[float] = []

    def take(self, values: Sequence[float], now_s: float) -> bool:
        """Look at the source. True when what there is to see has changed. What it had at the
        first look is of an unknown time, and is left out."""
        fresh = self._fresh(values)
        self._count, self._tail = len(values), list(values[-TAIL:])
        step = int(now_s / self._step_s)
        oldest = step - (self._steps.maxlen or 0)
        moved = bool(self._steps) and self._steps[0][0] < oldest
        while self._steps and self._steps[0][0] < oldest:
            self._steps.popleft()
        if not len(fresh):
            return moved
        least, most = min(fresh), max(fresh)
        if self._steps and self._steps[-1][0] == step:
            _, before_least, before_most = self._steps.pop()
            least, most = min(least, before_least), max(most, before_most)
        self._steps.append((step, least, most))
        return True

    def curve(self, now_s: float) -> tuple[list[float], list[float], list[float]]:
        """Seconds from now (negative), and the least and the most of each step. A step without a
        frame has nan, so that no line bridges it."""
        ago: list[float] = []
        least: list[float] = []
        most: list[float] = []
        before: int | None = None
        for step, low, high in self._steps:
            if before is not None and step - before > BRIDGED_STEPS:
                ago.append((before + 1) * self._step_s - now_s)
                least.append(math.nan)
                most.append(math.nan)
            ago.append(step * self._step_s - now_s)
            least.append(low)
            most.append(high)
            before = step
        return ago, least, most

    def _fresh(self, values: Sequence[float]) -> Sequence[float]:
        if self._count is None:
            return ()
        if len(values) != self._count:  # it grows, or began anew
            begun = self._count if len(values) > self._count else 0
            return values[max(begun, len(values) - MOST_AT_ONCE) :]
        least = max(0, len(values) - MOST_AT_ONCE)
        for end in range(len(values), least, -1):
            if list(values[max(0, end - TAIL) : end]) == self._tail[-end:]:
                return values[end:]
        return values[least:]


def zero_ms(turn: TurnClosed) -> float | None:
    """Where a turn's waterfall begins to count, in ms of the audio timeline: the user's last
    sample, or the first mark of a turn that was typed. None for a turn without any."""
    offset = turn.marks_ms[mark.OFFSET]
    if offset is not None:
        return offset
    return min((ms for ms in turn.marks_ms.values() if ms is not None), default=None)


def bars(turn: TurnClosed) -> list[Bar]:
    """The stages between the user's last sample and the reply's first, as far as they came."""
    zero = zero_ms(turn)
    if zero is None:
        return []
    decision = turn.marks_ms[mark.DECISION]
    found = []
    for name in ("recognition", "llm_ttft", "first_clause", "clause_to_audio"):
        start, end = (turn.marks_ms[m] for m in INTERVALS[name])
        if start is None or end is None:
            continue
        ahead = 0.0 if decision is None else max(0.0, min(end, decision) - start)
        found.append(Bar(name, start - zero, end - zero, ahead))
    return found


def overruns(turn: TurnClosed) -> list[Overrun]:
    """What was over its limit, if anything was."""
    found = []
    promised: tuple[Latency, ...] = ("ttfa", "response_gap")
    for latency in promised:
        took, limit_ms = turn.intervals_ms[latency], CONTRACT[latency].p95
        if took is not None and took > limit_ms:
            found.append(_blame(turn, latency, limit_ms))
    return found


def _blame(turn: TurnClosed, latency: Latency, limit_ms: float) -> Overrun:
    """The stages have no overlap and fill the whole latency, so one of them is over its share."""
    ms = {name: value or 0.0 for name, value in turn.intervals_ms.items()}
    token, clause = ms["llm_ttft"], ms["llm_ttft"] + ms["first_clause"]
    if latency == "ttfa":
        silence_ms, before = 0.0, {}
        ahead = max(0.0, ms["head_start"])
        token, clause = max(0.0, token - ahead), max(0.0, clause - ahead)
    else:
        silence_ms = LISTENING_MS
        waited = max(0.0, ms["decision_delay"] - ms["recognition"] - clause)
        before = {"recognition": ms["recognition"], "decision_delay": waited}
    took = before | {"clause_to_audio": ms[latency] - sum(before.values()) - clause}
    took["first_clause"] = clause
    scale = (limit_ms - silence_ms) / sum(SHARES_MS.values())
    shares = {stage: SHARES_MS[stage] * scale for stage in took}
    if silence_ms:
        shares["recognition"] += silence_ms
    worst = max(took, key=lambda stage: took[stage] - shares[stage])
    spent, share = took[worst], shares[worst]
    if worst == "first_clause" and token > max(share, clause / 2):
        worst, spent = "llm_ttft", token
    return Overrun(latency, limit_ms, worst, spent, spent - share)


def write_csv(path: Path, turns: Iterable[Kept]) -> None:
    """All marks and intervals of the turns, one a line, and nothing that was said. Raises OSError.

    Marks are ms of the audio timeline. A barge-in is its latency in ms and its outcome.
    """
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(
            ["conversation", "turn", "outcome", "warmup"]
            + [f"{name}_mark_ms" for name in MARKS]
            + [f"{name}_ms" for name in INTERVALS]
            + ["starved_ms", "barge_ins"]
        )
        for kept in turns:
            turn = kept.turn
            table.writerow(
                [kept.conversation, turn.turn_id, turn.outcome, int(turn.warmup)]
                + [_cell(turn.marks_ms[name]) for name in MARKS]
                + [_cell(turn.intervals_ms[name]) for name in INTERVALS]
                + [
                    _cell(turn.starved_ms),
                    "; ".join(f"{b.latency_ms:.1f} {b.outcome}" for b in turn.barge_ins),
                ]
            )


def _cell(ms: float | None) -> str:
    return "" if ms is None else f"{ms:.1f}"
