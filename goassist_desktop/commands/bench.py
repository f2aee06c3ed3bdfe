"""`goassist bench`: what the product promises in milliseconds, measured on this machine."""

from __future__ import annotations

import argparse
import json
import platform
from pathlib import Path

import psutil
from rich.console import Console

from goassist_desktop.commands import settings
from goassist_desktop.commands.talk import show, writable
from goassist_desktop.demo import recordings
from goassist_desktop.pipeline.endpoints.room import Room
from goassist_desktop.talk import hold, read_recording
from goassist_desktop.talk_script import one_by_one

ROUNDS = 3
"""Times the recorded questions are asked: the first turns are warm-up and reported apart."""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser("bench", help="measure this machine")
    parser.set_defaults(run=run)
    kinds = parser.add_subparsers(dest="kind", required=True, metavar="KIND")
    latency = kinds.add_parser("latency", help="response gap, first audio, each stage, memory")
    latency.add_argument("--json", type=Path, metavar="FILE", help="the figures as data")
    settings.add_flags(latency)


def run(args: argparse.Namespace) -> int:
    """Hold a conversation from the recorded questions and print what it took."""
    config = settings.configured(args)
    target = writable(args.json) if args.json else None
    console = Console(highlight=False)
    with recordings() as wavs:
        script = one_by_one(wavs * ROUNDS)
        sounds = [read_recording(say.wav) for say in script]
        held = hold(config, script, sounds, console, room=Room())
    first = held.report["summary"]["first_response_gap_ms"]
    status = show(held, console)
    gap = "no sound" if first is None else f"response gap {first:.0f} ms"
    console.print(f"  first turn: {gap}", style="dim")
    if target is not None:
        machine = {
            "cpu": platform.processor() or platform.machine(),
            "cores": psutil.cpu_count(logical=False),
            "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        }
        figures = {"machine": machine, "ready_s": round(held.ready_s, 2), **held.report}
        target.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    return status
