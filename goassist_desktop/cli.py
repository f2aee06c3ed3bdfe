"""The command line."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from importlib.metadata import version

from rich.console import Console

from goassist_desktop.pipeline.errors import BadInput, GoAssistError

INTERRUPTED = 130
"""Exit status after Ctrl-C."""
SWITCH_INTERVAL_S = 0.0005
"""Python's own 5 ms between threads is half an audio block: too long to wait for a turn."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command. 0: done, 1: failed, 2: bad input, 130: interrupted."""
    # Until the libraries are imported there is nothing to clean up, and Ctrl-C ends the process
    # at once: Python would lose it in the middle of an import, or print where it was.
    python_handler = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        from goassist_desktop.app import end
        from goassist_desktop.commands import (
            bench,
            desktop,
            doctor,
            engines,
            host,
            models,
            replay,
            talk,
        )
    finally:
        signal.signal(signal.SIGINT, python_handler)

    parser = argparse.ArgumentParser(
        prog="goassist", description="A voice assistant you simply talk with."
    )
    parser.add_argument("--version", action="version", version=version("goassist-desktop"))
    desktop.add_arguments(parser)
    parser.set_defaults(run=desktop.run)
    subparsers = parser.add_subparsers(metavar="COMMAND")
    for command in (talk, host, replay, models, engines, doctor, bench):
        command.add_parser(subparsers)
    return end(_status(parser, arguments))


def _status(parser: argparse.ArgumentParser, arguments: Sequence[str] | None) -> int:
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    try:
        try:
            chosen = parser.parse_args(arguments)
            status: int = chosen.run(chosen)
            return status
        finally:
            _flush_output()  # while what can not be written is still our matter
    except GoAssistError as error:
        _say(str(error))
        return 2 if isinstance(error, BadInput) else 1
    except OSError as error:
        _discard_output()
        if not isinstance(error, BrokenPipeError):  # who closed the pipe has read enough
            reason = error.strerror or str(error)
            _say(reason if error.filename is None else f"{error.filename}: {reason}")
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED


def _say(error: str) -> None:
    Console(stderr=True, highlight=False, soft_wrap=True).print(f"goassist: {error}", markup=False)


def _flush_output() -> None:
    if sys.stdout is not None:  # as it is when it was closed by who called us
        sys.stdout.flush()


def _discard_output() -> None:
    """Where standard output can not take what is left for it: else the interpreter complains."""
    try:
        _flush_output()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
