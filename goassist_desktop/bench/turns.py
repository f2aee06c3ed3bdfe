"""Does it wait while the user is not done, and answer when they are? On recorded turns.

`pipeline.ears` hears the corpus on virtual time, with the engines of the configuration; then the
policy says how long it would have waited. Beside it stand silence alone and the turn detector
alone. The last three figures are those of LiveKit's eot-bench (its README, "Policy Sweep and
Operating Points"): for every threshold on a score, silence before it may be acted on, and silence
that ends the turn whatever the score, the mean delay after finished turns and the share of pauses
of 200 ms and more that were cut off; then the best of one at a bound on the other. Computing is no
part of them.
"""

from __future__ import annotations

import argparse
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table

from goassist_desktop.bench.figures import Figure
from goassist_desktop.bench.turn_moments import Moment, hearing, moments
from goassist_desktop.bench.turns_corpus import turns
from goassist_desktop.config import Config
from goassist_desktop.pipeline.endpointing import EndOfTurn, score

PAUSE_MS = 700
DELAY_MS = 350
CUT_OFFS = 5.0
"""Promised: at most so many % of the open pauses of PAUSE_MS, a median delay of DELAY_MS."""
BUDGETS_MS = (300, 600)
SHORTEST_HOLD_MS = 200
THRESHOLDS = 60
SETTINGS = np.array(
    [(act, end) for act in range(200, 650, 50) for end in range(200, 2050, 50) if act <= end]
)
"""(settings, 2): ms of silence before a score is acted on, and ms that end the turn anyway."""

Array = npt.NDArray[np.float64]
Scored = Callable[[Moment], float]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--all", action="store_true", help="also the subset that the policy was fitted on"
    )


def measure(config: Config, args: argparse.Namespace, console: Console) -> list[Figure]:
    """Hear the corpus and judge the policy. Raises ModelMissing and EngineFailed."""
    subsets = ("train", "held", "blind") if args.all else ("held", "blind")
    with hearing(config) as engines:
        heard = [m for subset in subsets for turn in turns(subset) for m in moments(turn, engines)]
    taking = config.turn_taking
    waits = paced_waits(heard, lambda: EndOfTurn(taking.pause_ms, taking.unsure_ms, taking.open_ms))
    _show(heard, waits, console)
    return figures(heard, waits)


def paced_waits(heard: Sequence[Moment], policy: Callable[[], EndOfTurn]) -> list[float]:
    """How long the policy waits at each moment: a session for each voice, in their order."""
    sessions: dict[str, EndOfTurn] = defaultdict(policy)
    waits = []
    for moment in heard:
        session = sessions[moment.turn.voice]
        waits.append(session.wait_ms(moment.probability, moment.text))
        if moment.label != "done" and not moment.cut_off(waits[-1]):
            session.note_pause(moment.resume_ms - moment.heard_offset_ms)
    return waits


def figures(heard: Sequence[Moment], waits: Sequence[float]) -> list[Figure]:
    """What the policy did with its settings, then what each score could do at best."""
    both = list(zip(heard, waits, strict=True))
    delays = tuple(m.delay_ms(wait) for m, wait in both if m.label == "done")
    cuts = [m.cut_off(wait, PAUSE_MS) for m, wait in both if m.label == "open"]
    found = [
        Figure("decision after finished turns", "ms", delays, {"p50": DELAY_MS}),
        Figure(f"cut-offs in {PAUSE_MS} ms open pauses", "%", _share(cuts), {"max": CUT_OFFS}),
    ]
    scores: dict[str, Scored] = {
        "": lambda moment: score(moment.probability, moment.text),
        ", silence alone": lambda moment: 0.0,
        ", detector alone": lambda moment: moment.probability,
    }
    swept = {name: Sweep.of(heard, scored) for name, scored in scores.items()}
    for name in (", silence alone", ", detector alone"):
        value = swept[name].least_open_cut_offs(DELAY_MS)
        found.append(Figure(f"cut-offs in {PAUSE_MS} ms open pauses{name}", "%", _one(value)))
    for budget_ms in BUDGETS_MS:
        for name, sweep in swept.items():
            value = sweep.least_cut_offs(budget_ms)
            found.append(Figure(f"false cut-offs at {budget_ms} ms{name}", "%", _one(value)))
    for name, sweep in swept.items():
        value = sweep.least_delay_ms(CUT_OFFS)
        found.append(Figure(f"delay at {CUT_OFFS:g} % cut-offs{name}", "ms", _one(value)))
    return found


@dataclass(frozen=True, slots=True)
class Sweep:
    """Every setting of eot-bench's policy on one score, each with what came of it."""

    mean_delay_ms: Array
    """(settings,) after finished turns."""
    median_delay_ms: Array
    cut_offs: Array
    """(settings,) % of the pauses of SHORTEST_HOLD_MS and more."""
    open_cut_offs: Array
    """(settings,) % of the plainly open pauses, had they lasted PAUSE_MS."""

    @classmethod
    def of(cls, heard: Sequence[Moment], scored: Scored) -> Sweep:
        done = [m for m in heard if m.label == "done"]
        holds = [
            m for m in heard if m.label != "done" and m.resume_ms - m.offset_ms >= SHORTEST_HOLD_MS
        ]
        opens = [m for m in heard if m.label == "open"]
        late = np.array([m.heard_offset_ms - m.offset_ms for m in done])
        allowed = np.array([m.heard_resume_ms - m.heard_offset_ms for m in holds])
        longer = np.array([PAUSE_MS - (m.resume_ms - m.offset_ms) for m in opens])
        allowed_open = longer + [m.heard_resume_ms - m.heard_offset_ms for m in opens]
        of_done, of_holds, of_opens = (
            np.array([scored(m) for m in some]) for some in (done, holds, opens)
        )
        every = np.concatenate((of_done, of_holds))
        thresholds = [*np.unique(np.quantile(every, np.linspace(0, 1, THRESHOLDS))), math.inf]
        found = []
        for threshold in thresholds:
            acts = [of_done >= threshold, of_holds >= threshold, of_opens >= threshold]
            waits = [np.where(act, SETTINGS[:, :1], SETTINGS[:, 1:]) for act in acts]
            delays = late + waits[0]
            found.append(
                (
                    delays.mean(axis=1),
                    np.median(delays, axis=1),
                    100 * np.mean(waits[1] < allowed, axis=1),
                    100 * np.mean(waits[2] < allowed_open, axis=1),
                )
            )
        return cls(*(np.concatenate(column) for column in zip(*found, strict=True)))

    def least_cut_offs(self, budget_ms: float) -> float | None:
        """% of pauses cut off, at a mean delay within the budget."""
        return _least(self.cut_offs[self.mean_delay_ms <= budget_ms])

    def least_delay_ms(self, cut_offs: float) -> float | None:
        """Mean delay at no more than so many % cut off."""
        return _least(self.mean_delay_ms[self.cut_offs <= cut_offs])

    def least_open_cut_offs(self, median_ms: float) -> float | None:
        return _least(self.open_cut_offs[self.median_delay_ms <= median_ms])


def _least(values: Array) -> float | None:
    return float(values.min()) if values.size else None


def _one(value: float | None) -> tuple[float, ...]:
    return () if value is None else (value,)


def _share(cuts: Iterable[bool]) -> tuple[float, ...]:
    found = [float(cut) for cut in cuts]
    return (100 * sum(found) / len(found),) if found else ()


def _show(heard: Sequence[Moment], waits: Sequence[float], console: Console) -> None:
    """Each kind of sentence, then every open pause that did not survive."""
    kinds: dict[str, list[tuple[Moment, float]]] = defaultdict(list)
    for moment, wait in zip(heard, waits, strict=True):
        kinds[moment.turn.kind].append((moment, wait))
    table = Table(box=None, header_style="dim")
    table.add_column("kind")
    for column in (f"open pauses cut at {PAUSE_MS} ms", "other pauses cut", "decided after, p50"):
        table.add_column(column, justify="right")
    for kind, found in kinds.items():
        opens = [m.cut_off(wait, PAUSE_MS) for m, wait in found if m.label == "open"]
        others = [m.cut_off(wait) for m, wait in found if m.label in ("end", "breath")]
        delays = [m.delay_ms(wait) for m, wait in found if m.label == "done"]
        median = f"{np.median(delays):.0f} ms" if delays else ""
        table.add_row(kind.replace("_", " "), _of(opens), _of(others), median)
    console.print(table)
    for moment, wait in zip(heard, waits, strict=True):
        if moment.label == "open" and moment.cut_off(wait, PAUSE_MS):
            line = f"  cut off: {moment.text!r} ({moment.turn.voice}: {moment.turn.text})"
            console.print(line, style="dim", markup=False, soft_wrap=True)


def _of(cuts: Sequence[bool]) -> str:
    return f"{sum(cuts)} of {len(cuts)}" if cuts else ""
