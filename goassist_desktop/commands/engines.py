"""`goassist engines`: every engine, and whether it would work here."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys

from rich.console import Console
from rich.table import Table

from goassist_desktop.catalogue import Entry, entries
from goassist_desktop.commands import settings
from goassist_desktop.supply.offers import STAGES, size_in_words

WIDTH = 160
"""Of what is not read in a terminal."""
TITLES = {**STAGES, "face": "Moves the face"}


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `engines` to the program's commands."""
    parser = subparsers.add_parser("engines", help="every engine: licence, needs, whether it works")
    parser.add_argument("--json", action="store_true", help="for machines")
    settings.add_flags(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """0. Raises ConfigError."""
    found = list(entries(settings.configured(args)))
    if args.json:
        rows = [dataclasses.asdict(entry) for entry in found]
        json.dump({"version": 1, "engines": rows}, sys.stdout, indent=2)
        sys.stdout.write("\n")
        return 0
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("", "ENGINE", "MODEL", "LICENCE", "MEMORY", "STATE"):
        table.add_column(heading, overflow="fold")
    before = ""
    for entry in found:
        if entry.stage != before:
            table.add_row("", f"[dim]{TITLES[entry.stage]}[/dim]")
            before = entry.stage
        memory = "" if entry.memory_bytes is None else size_in_words(entry.memory_bytes)
        mark = "[green]●[/green]" if entry.in_use else ""
        table.add_row(mark, entry.name, entry.model, entry.licence, memory, _state(entry))
    Console(highlight=False, width=WIDTH if not sys.stdout.isatty() else None).print(table)
    return 0


def _state(entry: Entry) -> str:
    cloud = "in the cloud: what you say leaves this machine" if entry.cloud else ""
    ready = "" if entry.why else ("in use" if entry.in_use else "ready")
    return "; ".join(filter(None, (ready, entry.why, cloud)))
