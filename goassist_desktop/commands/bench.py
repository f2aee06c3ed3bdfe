"""`goassist bench`: what the product promises, measured on this machine."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from rich.console import Console

from goassist_desktop.bench import run as stored
from goassist_desktop.bench.run import Run
from goassist_desktop.bench.table import table, verdict
from goassist_desktop.commands import settings
from goassist_desktop.pipeline.errors import BadInput
from goassist_desktop.supply.offers import model_names
from goassist_desktop.talk import writable

KINDS = {
    "latency": "response gap, first audio, each stage, memory",
    "turns": "whether it waits in a pause, and answers at the end",
    "barge-in": "onset to silence over its own voice, missed and false stops",
    "echo": "whether it hears itself: fades and stops in its own speech",
    "face": "whether it says what is heard, and looks alive; a contact sheet and a video",
    "window": "how soon the window is there, and whether it is ever blocked while one talks",
    "web": "what the way to a browser adds, many at once, and what is left behind",
    "engines": "every engine that is here: first output, speed, memory",
    "idle": "what listening costs while nobody speaks",
    "soak": "whether it stays well for half an hour",
}
"""What can be measured, in the order it is offered: module of goassist_desktop.bench -> help."""


class _KindParser(argparse.ArgumentParser):
    """Asks a kind's module for its arguments only once that kind was chosen."""

    kind = ""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        _module(self.kind).add_arguments(self)
        return super().parse_known_args(args, namespace)


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser("bench", help="measure this machine")
    parser.set_defaults(run=run)
    kinds = parser.add_subparsers(
        dest="kind", required=True, metavar="KIND", parser_class=_KindParser
    )
    for name, what in KINDS.items():
        kind = kinds.add_parser(name, help=what, description=what)
        kind.kind = name
        kind.add_argument("--json", type=Path, metavar="FILE", help="the figures as data")
        kind.add_argument(
            "--against", type=Path, metavar="FILE", help="an earlier --json to compare with"
        )
        settings.add_flags(kind)


def run(args: argparse.Namespace) -> int:
    """0 once measured: a missed limit is a result. Raises BadInput before anything is measured."""
    config = settings.configured(args)
    before = stored.read(args.against, args.kind) if args.against else None
    if args.json and args.against and args.json.resolve() == args.against.resolve():
        raise BadInput(f"{args.json}: is named twice; it would be overwritten")
    target = writable(args.json) if args.json else None
    console = Console(highlight=False)
    now = Run(args.kind, stored.this_machine(), model_names(config))
    figures = _module(args.kind).measure(config, args, console)
    now = replace(now, figures=tuple(figures))
    if target is not None:
        target.write_text(json.dumps(now.as_dict(), indent=1) + "\n", encoding="utf-8")
    _show(now, before, args.against, console)
    return 0


def _module(kind: str) -> ModuleType:
    return import_module(f"goassist_desktop.bench.{kind.replace('-', '_')}")


def _show(now: Run, before: Run | None, against: Path | None, console: Console) -> None:
    def say(line: str, style: str) -> None:
        console.print(f"  {line}", style=style, markup=False, soft_wrap=True)

    machine = now.machine
    console.print(
        table(f"bench {now.kind}", now.figures, None if before is None else now.ratios(before))
    )
    say(f"{machine['processor']}, {machine['cores']} cores, {machine['memory']}", "dim")
    say(f"Python {machine['Python']}; {', '.join(now.models.values())}", "dim")
    if before is not None:
        say(f"ratio: median against the median in {against}", "dim")
        for difference in now.differences(before):
            say(f"the ratios are of unlike runs: {difference}", "yellow")
    say(verdict(now.figures), "bold")
