"""`goassist`: the window where there is a screen, else the terminal (see `live`)."""

from __future__ import annotations

import argparse

from rich.console import Console

from goassist_desktop import screen
from goassist_desktop.commands import live, settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--terminal", action="store_true", help="captions in the terminal, and no window"
    )
    live.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    if args.terminal or args.record is not None:
        return live.run(args)
    if fault := screen.fault():
        Console(highlight=False).print(f"  No window: {fault}.", style="yellow", markup=False)
        return live.run(args)
    from goassist_desktop.commands.desktop_parts import parts
    from goassist_desktop.ui.program import Program

    config = settings.configured(args)
    return Program(config, parts(config)).run()
