"""How fast it answers: a real conversation in real time, from forty recorded questions.

Every interval is computed from the marks of the turns; the response gap a second time from the
recordings of microphone and loudspeaker alone, which know nothing of the marks.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console

from goassist_desktop.bench import wav
from goassist_desktop.bench.figures import Figure
from goassist_desktop.bench.questions import recordings
from goassist_desktop.bench.wav import Stretch
from goassist_desktop.config import Config
from goassist_desktop.latency_log import NAMES
from goassist_desktop.pipeline import clock as mark
from goassist_desktop.pipeline.clock import INTERVALS
from goassist_desktop.pipeline.endpoints.room import Room
from goassist_desktop.pipeline.errors import BadInput
from goassist_desktop.pipeline.session import WARMUP_TURNS
from goassist_desktop.report import percentile
from goassist_desktop.supply.offers import model_names
from goassist_desktop.talk import Held, hold, read_recording
from goassist_desktop.talk_script import one_by_one

GAP_LIMITS: Mapping[str, Mapping[str, float]] = {
    "qwen2.5-coder-0.5b-instruct": {"p50": 650, "p95": 1000},
    "qwen2.5-coder-1.5b-instruct": {"p50": 900, "p95": 1200},
    "qwen2.5-7b-instruct": {"p50": 400, "p95": 800},
}
"""Language model -> what is promised of the response gap, in ms: of the first two on two cores
without a GPU, of the third on one."""
TTFA_LIMITS = {"p95": 250.0}
FIRST_TURN_LIMITS = {"max": 1.2}
"""The first turn's gap against the median of the warm ones."""
SAME_END_MS = 300.0
"""A turn whose speech ended this near to a question's end answers the whole question; the pauses
inside the recorded questions are longer, 430 ms and more."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--questions", type=int, metavar="N", help="ask only the first N (default: all forty)"
    )


def measure(config: Config, args: argparse.Namespace, console: Console) -> list[Figure]:
    """Raises BadInput, and the errors of engines and endpoint."""
    with recordings() as wavs, TemporaryDirectory(prefix="goassist-bench-") as folder:
        asked = len(wavs) if args.questions is None else args.questions
        if not WARMUP_TURNS < asked <= len(wavs):
            raise BadInput(
                f"--questions {asked}: must be {WARMUP_TURNS + 1} to {len(wavs)}; "
                f"the first {WARMUP_TURNS} are warm-up"
            )
        script = one_by_one(wavs[:asked])
        sounds = [read_recording(say.wav) for say in script]
        mic, reply = Path(folder) / "mic.wav", Path(folder) / "reply.wav"
        held = hold(config, script, sounds, console, room=Room(), mic=mic, reply=reply)
        for unanswered in held.unanswered:
            console.print(f"  {unanswered.name}: got no answer", style="yellow", markup=False)
        heard, rate_hz = wav.load(mic)
        said = wav.utterances(heard, rate_hz)
        played, _ = wav.load(reply)
        gaps = wav.gaps_ms(said, wav.replies(played, rate_hz), rate_hz)
    limits = GAP_LIMITS.get(model_names(config)["language_model"], {})
    spans = [Stretch(s.start * 1000 // rate_hz, s.end * 1000 // rate_hz) for s in said]
    return [
        Figure("response gap (WAV)", "ms", _known(gaps[WARMUP_TURNS:]), limits),
        *turn_figures(held.report["turns"], spans, limits),
        *_whole_figures(held),
    ]


def turn_figures(
    turns: Sequence[Mapping[str, Any]], said_ms: Sequence[Stretch], limits: Mapping[str, float]
) -> list[Figure]:
    """What the marks of a report's turns tell. `said_ms`: the questions, from the recording."""
    ends = [_end_of(turn, said_ms) for turn in turns]
    whole = [turn for turn, end in zip(turns, ends, strict=True) if end is not None]
    warm = [turn for turn in whole if not turn["warmup"]]
    late = [
        turn["marks_ms"][mark.OFFSET] - end
        for turn, end in zip(turns, ends, strict=True)
        if end is not None
    ]
    promised = {"response_gap": limits, "ttfa": TTFA_LIMITS}
    found = [
        Figure(name, "ms", _intervals(interval, warm), promised.get(interval, {}))
        for interval, name in NAMES.items()
    ]
    first = _intervals("response_gap", turns[:1])
    median = percentile(_intervals("response_gap", warm), 50)
    ratio = (first[0] / median,) if first and median else ()
    return [
        *found,
        Figure("offset error", "ms", tuple(late)),
        Figure("gaps inside replies", "ms", tuple(turn["starved_ms"] for turn in turns)),
        Figure("first turn's gap", "ms", first),
        Figure("first turn's gap / median", "", ratio, FIRST_TURN_LIMITS),
        Figure("answered too early", "", (float(len(turns) - len(whole)),)),
    ]


def _whole_figures(held: Held) -> list[Figure]:
    """What is said of the conversation as a whole."""
    summary = held.report["summary"]
    return [
        Figure("unanswered", "", (float(len(held.unanswered)),), {"max": 0}),
        Figure("speculations", "", (float(summary["speculations"]),)),
        Figure("speculations unheard", "", (float(summary["speculations_unheard"]),)),
        Figure("time in those", "s", (round(summary["speculations_unheard_ms"] / 1000, 1),)),
        Figure("ready", "s", (round(held.ready_s, 2),)),
        Figure("CPU a turn", "s", (round(held.cpu_s / max(1, summary["turns"]), 2),)),
        Figure("peak memory", "MB", (held.report["peak_rss_mb"],)),
    ]


def _end_of(turn: Mapping[str, Any], said_ms: Sequence[Stretch]) -> float | None:
    """The end of the question that a turn answers; None when it was not over yet."""
    offset = turn["marks_ms"][mark.OFFSET]
    if offset is None:
        return None
    end = min((span.end for span in said_ms), key=lambda at: abs(at - offset), default=None)
    return None if end is None or abs(end - offset) > SAME_END_MS else end


def _intervals(name: str, turns: Sequence[Mapping[str, Any]]) -> tuple[float, ...]:
    start, end = INTERVALS[name]
    marks = [turn["marks_ms"] for turn in turns]
    return _known(
        None if m[start] is None or m[end] is None else round(m[end] - m[start], 1) for m in marks
    )


def _known(values: Any) -> tuple[float, ...]:
    return tuple(round(value, 1) for value in values if value is not None)
