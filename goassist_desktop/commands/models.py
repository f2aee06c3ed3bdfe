"""`goassist models`: what there is, getting it, checking it, where it lies."""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bars

from goassist_desktop import weights
from goassist_desktop.pipeline.errors import ModelMissing
from goassist_desktop.supply import manifest

if TYPE_CHECKING:
    from goassist_desktop.supply.pull import Progress

_INTERRUPTED = 130
_LINE_EVERY_S = 10.0


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `models` and its own commands to the program's."""
    parser = subparsers.add_parser("models", help="list, get and check the models")
    parser.set_defaults(run=run)
    commands = parser.add_subparsers(dest="action", required=True, metavar="COMMAND")
    commands.add_parser("list", help="every model, its size, licence and state")
    pull = commands.add_parser("pull", help="get the models of a profile, or single ones")
    pull.add_argument("names", nargs="*", default=["embedded"], metavar="PROFILE|NAME")
    pull.add_argument("--from", dest="source", type=Path, metavar="DIR", help="import, offline")
    verify = commands.add_parser("verify", help="compare the contents with the manifest")
    verify.add_argument("names", nargs="*", metavar="PROFILE|NAME")
    path = commands.add_parser("path", help="the models folder, or where single models lie")
    path.add_argument("names", nargs="*", metavar="PROFILE|NAME")


def run(args: argparse.Namespace) -> int:
    """0 when done, 1 when something failed, 130 when interrupted.

    Raises BadInput for a name or folder that is not there, and what `weights` raises.
    """
    actions = {"list": _list, "pull": _pull, "verify": _verify, "path": _path}
    return actions[args.action](args)


def _list(_: argparse.Namespace) -> int:
    known = manifest.load()
    members = {profile: weights.profile(profile) for profile in known.profiles}
    rows = [("MODEL", "STAGE", "SIZE", "LICENCE", "STATE", "PROFILES")]
    for model in known.models.values():
        profiles = [profile for profile, models in members.items() if model in models]
        size = f"{model.size / 1e6:,.1f} MB"
        rows.append(
            (model.name, model.stage, size, model.licence, _state(model.name), ", ".join(profiles))
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        cells[2] = row[2].rjust(widths[2])
        _put("  ".join(cells).rstrip())
    return 0


def _state(name: str) -> str:
    """By name and size of the files; `verify` reads them."""
    try:
        weights.path(name)
    except ModelMissing as fault:
        return "damaged" if "damaged" in str(fault) else "missing"
    return "present"


def _pull(args: argparse.Namespace) -> int:
    models = weights.select(args.names)
    try:
        with _reporting() as (progress, say):
            weights.pull([m.name for m in models], source=args.source, progress=progress, say=say)
    except KeyboardInterrupt:
        _note("interrupted; what was fetched is kept, the same command goes on from there")
        return _INTERRUPTED
    for model in models:
        _put(f"{model.name}: {weights.path(model.name)}")
    return 0


def _verify(args: argparse.Namespace) -> int:
    models = weights.select(args.names or ["all"])
    present = [model.name for model in models if args.names or _state(model.name) != "missing"]
    faults = weights.verify(present)
    for file, fault in faults.items():
        _note(f"{file} {fault}; run: goassist models pull {file.partition('/')[0]}")
    if not faults:
        _put(f"whole: {', '.join(present) or 'no model is here yet'}")
    return 1 if faults else 0


def _path(args: argparse.Namespace) -> int:
    if not args.names:
        _put(str(weights.models_dir()))
    for model in weights.select(args.names) if args.names else ():
        _put(str(weights.path(model.name)))
    return 0


@contextlib.contextmanager
def _reporting() -> Iterator[tuple[Callable[[Progress], None], Callable[[str], None]]]:
    """A bar in a terminal, else a line for every file and another every ten seconds."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _line_writer(), _note
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=12),
        DownloadColumn(),
        TimeRemainingColumn(),
    )
    with Bars(*columns, console=console, transient=True) as bars:
        task = bars.add_task("looking", total=None)

        def progress(at: Progress) -> None:
            checking = at.all_total == 0
            bars.update(
                task,
                description=f"{at.file.partition('/')[0]} ({at.source})",
                completed=at.done if checking else at.all_done,
                total=at.total if checking else at.all_total,
            )

        yield progress, lambda text: console.print(text, markup=False, highlight=False)


def _line_writer() -> Callable[[Progress], None]:
    last = ("", "")
    next_s = time.monotonic() + _LINE_EVERY_S

    def progress(at: Progress) -> None:
        nonlocal last, next_s
        now_s = time.monotonic()
        news = (at.file, at.source) != last and at.source != "checking"
        if not news and now_s < next_s:
            return
        last, next_s = (at.file, at.source), now_s + _LINE_EVERY_S
        _note(
            f"{at.file} ({at.source}): {at.done / 1e6:.1f} of {at.total / 1e6:.1f} MB"
            + (f", in all {at.all_done / at.all_total:.0%}" if at.all_total else "")
        )

    return progress


def _put(line: str) -> None:
    sys.stdout.write(line + "\n")


def _note(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()
