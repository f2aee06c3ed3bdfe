"""`goassist host`: the assistant in a browser, and no window."""

from __future__ import annotations

import argparse
import asyncio
import ipaddress
import signal
import sys
from collections.abc import Sequence

import segno
from rich.console import Console
from rich.markup import escape

from goassist_desktop import hosting
from goassist_desktop.app import GivenUp, loaded_engines
from goassist_desktop.commands import settings
from goassist_desktop.config import Config
from goassist_desktop.host.pairing import grouped
from goassist_desktop.hosting import EVERYWHERE, LOOPBACK
from goassist_desktop.pipeline.errors import BadInput


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "host",
        help="talk with it in a browser",
        description="Serve the page that talks with the assistant, on this machine or with --bind "
        "0.0.0.0 in its whole network. A browser is let in by the code that is shown; a program by "
        "the token.",
    )
    parser.add_argument("--bind", metavar="ADDR", help="the address to listen at")
    parser.add_argument("--port", type=int, metavar="N", help="default: host.port, 8443")
    parser.add_argument(
        "--http", action="store_true", help="without encryption, from this machine only"
    )
    parser.add_argument("--token", metavar="T", help="what programs are let in by")
    settings.add_flags(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Raises BadInput for what can not be served."""
    overridden = settings.flags(args)
    for key, value in (("host.port", args.port), ("host.token", args.token)):
        if value is not None:
            overridden[key] = str(value)
    config = settings.with_flags(overridden)
    bind = args.bind or place(config).bind
    if not _is_address(bind):
        raise BadInput(f"--bind {bind}: must be an address of this machine, such as {LOOPBACK}")
    if args.http and not ipaddress.ip_address(bind).is_loopback:
        raise BadInput("--http goes with a loopback address only: browsers give no microphone")
    return serve(config, hosting.Place(bind, config.host.port, https=not args.http))


def place(config: Config) -> hosting.Place:
    """Where the settings want it."""
    bind = EVERYWHERE if config.host.network else LOOPBACK
    return hosting.Place(bind, config.host.port)


def serve(config: Config, place: hosting.Place) -> int:
    """Until Ctrl-C, or SIGTERM."""
    console = Console(highlight=False)
    try:
        asyncio.run(_serve(config, place, console))
    except KeyboardInterrupt:
        pass
    return 0


async def _serve(config: Config, place: hosting.Place, console: Console) -> None:
    loop, over = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, over.set)
    async with hosting.serving(config, place) as serving:
        _tell(serving, console)
        loading = loaded_engines(config, given_up=over.is_set, seats=config.max_sessions)
        try:
            engines = await asyncio.to_thread(loading.__enter__)
        except GivenUp:
            return
        try:
            serving.house.use(engines)
            console.print("  Ready.  Ctrl-C ends it.", style="green")
            sys.stdout.flush()
            await over.wait()
        finally:
            await serving.server.sessions.close()
            serving.house.lose("gone")
            await asyncio.to_thread(loading.__exit__, None, None, None)


def _tell(serving: hosting.Serving, console: Console) -> None:
    local, *others = serving.urls
    console.print(f"  In a browser of this machine: {escape(serving.link(local))}", soft_wrap=True)
    for url in others:
        console.print(
            f"  From elsewhere:               {escape(serving.link(url))}", soft_wrap=True
        )
    if others:
        _show_qr(serving.link(others[0]), console)
    console.print(f"  Pairing code: {grouped(serving.pairing.code)}  (good once, for 10 minutes)")
    if serving.fingerprint:
        console.print(
            "  The certificate is this machine's own, so the browser warns. Its fingerprint:"
        )
        console.print(f"  {serving.fingerprint}", soft_wrap=True)
    console.print("  Loading the models …", style="dim")
    sys.stdout.flush()


def _show_qr(link: str, console: Console) -> None:
    """Two rows of the code in one line of text."""
    rows = [list(row) for row in segno.make(link, error="l").matrix_iter(border=2)]
    for upper, lower in _pairs(rows):
        line = "".join(
            " ▄▀█"[2 * (not above) + (not below)] for above, below in zip(upper, lower, strict=True)
        )
        console.print(f"  {line}", markup=False)


def _pairs(rows: list[list[int]]) -> Sequence[tuple[list[int], list[int]]]:
    if len(rows) % 2:
        rows = [*rows, [0] * len(rows[0])]
    return list(zip(rows[::2], rows[1::2], strict=True))


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
