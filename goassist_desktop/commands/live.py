"""`goassist`: talk at this machine's own microphone and loudspeaker.

Where there is none, the program says so, holds its demonstration conversation, and then lets a
browser talk to it, whose device may have one.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import platformdirs
from rich.console import Console

from goassist_desktop import conversing
from goassist_desktop.app import companions, engine_infos, loaded_engines, make_session, unseen
from goassist_desktop.captions import Captions, latency_table
from goassist_desktop.commands import host, settings
from goassist_desktop.commands.replay import add_record_flag, record_folder
from goassist_desktop.commands.talk import show
from goassist_desktop.config import Config
from goassist_desktop.demo import recordings
from goassist_desktop.host.server import AddressTaken
from goassist_desktop.pipeline.endpoints.local import LocalEndpoint
from goassist_desktop.pipeline.endpoints.room import Room
from goassist_desktop.pipeline.endpoints.sound_card import find_device
from goassist_desktop.pipeline.errors import DeviceFailed
from goassist_desktop.pipeline.events import SessionEvent
from goassist_desktop.replay.facts import facts
from goassist_desktop.replay.recorder import recording
from goassist_desktop.report import Report
from goassist_desktop.talk import hold, read_recording
from goassist_desktop.talk_script import one_by_one


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_record_flag(parser)
    settings.add_flags(parser)


def run(args: argparse.Namespace) -> int:
    seen = settings.configured(args)
    config = unseen(seen)
    console = Console(highlight=False)
    try:
        return _at_the_microphone(config, console, args)
    except DeviceFailed as error:
        console.print(f"  {error}", style="yellow", markup=False)
        console.print("  Holding the demonstration conversation instead.", style="yellow")
        if args.record is not None:
            console.print("  That one is not recorded.", style="yellow")
        status = demonstrate(config, console)
        return _to_browsers(seen, console) or status


def _to_browsers(config: Config, console: Console) -> int:
    """Until Ctrl-C. Where the port is taken, at any that is free."""
    console.print("  Now talk with it in a browser. Ctrl-C ends it.", style="bold")
    place = host.place(config)
    try:
        return host.serve(config, place)
    except AddressTaken as error:
        console.print(f"  {error}; another port is used.", style="yellow", markup=False)
        return host.serve(config, replace(place, port=0))


def _at_the_microphone(config: Config, console: Console, args: argparse.Namespace) -> int:
    input_device = config.audio.input_device or None
    output_device = config.audio.output_device or None
    # Asked before the models are loaded: who has no microphone should not wait to be told.
    find_device("input", input_device)
    find_device("output", output_device)
    record = record_folder(args, console)
    endpoint = LocalEndpoint(input_device, output_device, echo=config.audio.echo_cancellation)
    with loaded_engines(config) as engines:
        report = Report(engine_infos(engines))
        captions = Captions(console)

        def publish(event: SessionEvent) -> None:
            report.take(event)
            captions.take(event)

        with recording(record, facts(config), engines, endpoint, publish) as made_of:
            session = make_session(config, made_of.engines, made_of.endpoint, made_of.publish)
            try:
                with captions:
                    beside = companions(config, session, made_of.publish)
                    made_of.run(conversing.beside(session.run(), *beside))
            except KeyboardInterrupt:
                if report.turns:
                    console.print(latency_table(report.as_dict(session.speculation)))
    return 0


def demonstrate(config: Config, console: Console) -> int:
    """Recorded questions, answered aloud to a WAV, with captions and the latency table."""
    folder = Path(platformdirs.user_data_dir("goassist", appauthor=False)) / "demonstration"
    folder.mkdir(parents=True, exist_ok=True)
    with recordings() as wavs:
        script = one_by_one(wavs)
        sounds = [read_recording(say.wav) for say in script]
        held = hold(
            config,
            script,
            sounds,
            console,
            room=Room(),
            reply=folder / "reply.wav",
            mic=folder / "mic.wav",
        )
    (folder / "report.json").write_text(json.dumps(held.report, indent=1) + "\n", encoding="utf-8")
    status = show(held, console)
    console.print(f"  To hear it: {folder}", style="bold", soft_wrap=True)
    return status
