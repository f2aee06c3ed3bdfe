"""How fast it answers: a real conversation in real time, from recorded questions."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from rich.console import Console

from goassist_desktop.bench.figures import Figure
from goassist_desktop.config import Config
from goassist_desktop.demo import recordings
from goassist_desktop.pipeline.clock import INTERVALS
from goassist_desktop.pipeline.endpoints.room import Room
from goassist_desktop.talk import hold, read_recording
from goassist_desktop.talk_script import one_by_one


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """None."""


def measure(config: Config, args: argparse.Namespace, console: Console) -> list[Figure]:
    with recordings() as wavs:
        script = one_by_one(wavs * 3)
        sounds = [read_recording(say.wav) for say in script]
        held = hold(config, script, sounds, console, room=Room())
    return [_interval(name, held.report["turns"]) for name in INTERVALS]


def _interval(name: str, turns: Sequence[dict[str, Any]]) -> Figure:
    start, end = INTERVALS[name]
    marks = [turn["marks_ms"] for turn in turns if not turn["warmup"]]
    spans = [m[end] - m[start] for m in marks if m[start] is not None and m[end] is not None]
    return Figure(name, "ms", tuple(spans))
