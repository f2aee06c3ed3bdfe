"""`goassist`: the window where there is a screen, else the terminal (see `live`)."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from rich.console import Console

from goassist_desktop import config as configuration
from goassist_desktop import screen
from goassist_desktop.commands import live, settings
from goassist_desktop.pipeline.errors import BadInput, DeviceFailed

if TYPE_CHECKING:
    from goassist_desktop.window_parts import Ledger


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--terminal", action="store_true", help="captions in the terminal, and no window"
    )
    parser.add_argument(
        "--kiosk", action="store_true", help="the face alone on a full screen, kept running"
    )
    live.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    if args.kiosk:
        if args.terminal or args.record is not None:
            raise BadInput("--kiosk goes with neither --terminal nor --record")
        return _as_a_kiosk(args)
    if args.terminal or args.record is not None:
        return live.run(args)
    if fault := screen.fault():
        Console(highlight=False).print(f"  No window: {fault}.", style="yellow", markup=False)
        return live.run(args)
    return _in_a_window(args)


def _in_a_window(args: argparse.Namespace) -> int:
    from goassist_desktop.ui.program import Program, load_config
    from goassist_desktop.window_parts import Ledger, parts

    flags = settings.flags(args)
    config = load_config(partial(configuration.load, flags), configuration.default_path())
    if config is None:
        return 0  # they chose to quit
    ledger = Ledger()
    with _logged(ledger):
        return Program(config, parts(flags, ledger)).run()


def _as_a_kiosk(args: argparse.Namespace) -> int:
    """Raises ConfigError, and DeviceFailed without a screen, before anything is begun."""
    from goassist_desktop import heartbeat, supervisor
    from goassist_desktop.window_parts import Ledger, parts

    config = settings.configured(args)
    if fault := screen.fault():
        raise DeviceFailed(f"no kiosk: {fault}")
    if not heartbeat.watched():
        supervisor.take_over([sys.executable, "-P", "-m", "goassist_desktop", *sys.argv[1:]])
    from goassist_desktop.ui.kiosk_program import KioskProgram

    beating = heartbeat.inherited()
    ledger = Ledger()
    with _logged(ledger):
        return KioskProgram(config, parts(settings.flags(args), ledger, beating), beating).run()


@contextmanager
def _logged(ledger: Ledger) -> Iterator[None]:
    """All that happens, what Qt says of it, and what nobody catches, into the log."""
    from goassist_desktop import log_file
    from goassist_desktop.ui import qt_messages

    opened = log_file.open_log(ledger.take)
    with opened as ledger.log, log_file.hook_exceptions(ledger.bug), qt_messages.logged():
        yield
