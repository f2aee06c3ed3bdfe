"""`goassist replay`: hold a recorded conversation again, and say what is different."""

from __future__ import annotations

import argparse
import time
from contextlib import nullcontext
from pathlib import Path

from rich.console import Console

from goassist_desktop.app import loaded_engines, make_session
from goassist_desktop.captions import Captions
from goassist_desktop.config import Config
from goassist_desktop.replay.facts import models, recorded_config
from goassist_desktop.replay.journal import new_folder
from goassist_desktop.replay.player import Player
from goassist_desktop.replay.reading import Recording, read

SHOWN = 10
"""Differences of engines that are printed."""
RECORD_HELP = (
    "keep the conversation in this new folder, for `goassist replay`: what is heard, played and "
    "decided, unencrypted, 10 MB a minute; without this nothing is kept"
)


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "replay",
        help="hold a recorded conversation again",
        description="Hold a conversation again that was recorded with --record, without waiting: "
        "everything arrives in the order in which it arrived then, and must lead to the same "
        "decisions. The engines are asked again, and must say the same.",
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="what --record left")
    parser.add_argument(
        "--as-recorded",
        action="store_true",
        help="take what the engines said then; no model is needed",
    )
    parser.set_defaults(run=run)


def add_record_flag(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--record", type=Path, metavar="FOLDER", help=RECORD_HELP)


def record_folder(args: argparse.Namespace, console: Console) -> Path | None:
    """Where to record to, made and said; None when nothing is. Raises BadInput."""
    if args.record is None:
        return None
    console.print(
        f"  Recording to {args.record}: what is heard, played and decided is kept there.",
        style="yellow",
        markup=False,
    )
    return new_folder(args.record)


def run(args: argparse.Namespace) -> int:
    """0 when all was the same, 1 when not. Raises BadInput for what is no recording."""
    console = Console(highlight=False, soft_wrap=True)
    recording = read(args.folder)
    config = recorded_config(recording.header)
    _introduce(recording, console)
    if not args.as_recorded:
        _compare_models(recording, config, console)
    with nullcontext() if args.as_recorded else loaded_engines(config) as engines:
        began = time.monotonic()
        with Captions(console) as captions:
            player = Player(recording, engines, captions.take)
            player.run(lambda *surroundings: make_session(config, *surroundings))
        took_s = time.monotonic() - began
    for difference in player.differences[:SHOWN]:
        console.print(f"goassist: {difference}", markup=False)
    if left := player.differences[SHOWN:]:
        console.print(f"goassist: and {len(left)} more", markup=False)
    verdict = "different" if player.differences else "the same"
    console.print(
        f"  {verdict}: {len(recording.events)} events, {player.results} results of engines; "
        f"{recording.seconds:.1f} s in {took_s:.1f} s",
        style="dim",
    )
    return 1 if player.differences else 0


def _introduce(recording: Recording, console: Console) -> None:
    header = recording.header
    whole = "" if recording.ended else ", cut off"
    console.print(
        f"  recorded by goassist {header.get('program')} at {header.get('made')}: "
        f"{recording.seconds:.1f} s{whole}",
        style="dim",
        markup=False,
    )


def _compare_models(recording: Recording, config: Config, console: Console) -> None:
    """Say which models are others, before they say other things."""
    then = recording.header.get("models", {})
    for stage, now in models(config).items():
        if (was := then.get(stage)) != now:
            name = was["model"] if was else "nothing"
            other = f"{name}, which has changed" if name == now["model"] else name
            console.print(f"  {stage} is {now['model']}, was {other}", style="yellow", markup=False)
