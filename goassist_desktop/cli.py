"""The command line."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib.metadata import version

from rich.console import Console

from goassist_desktop.app import INTERRUPTED
from goassist_desktop.commands import bench, doctor, live, models, talk
from goassist_desktop.pipeline.errors import BadInput, GoAssistError

SWITCH_INTERVAL_S = 0.0005
"""Python's own 5 ms between threads is half an audio block: too long to wait for a turn."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command. 0: done, 1: failed, 2: bad input, 130: interrupted."""
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    parser = argparse.ArgumentParser(
        prog="goassist", description="A voice assistant you simply talk with."
    )
    parser.add_argument("--version", action="version", version=version("goassist-desktop"))
    live.add_arguments(parser)
    parser.set_defaults(run=live.run)
    subparsers = parser.add_subparsers(metavar="COMMAND")
    for command in (talk, models, doctor, bench):
        command.add_parser(subparsers)
    chosen = parser.parse_args(arguments)
    try:
        status: int = chosen.run(chosen)
        return status
    except GoAssistError as error:
        Console(stderr=True, highlight=False, soft_wrap=True).print(
            f"goassist: {error}", markup=False
        )
        return 2 if isinstance(error, BadInput) else 1
    except KeyboardInterrupt:
        return INTERRUPTED
