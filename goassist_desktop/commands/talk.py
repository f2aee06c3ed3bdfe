"""`goassist talk`: a conversation from recordings."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from goassist_desktop.avatar import open_face
from goassist_desktop.captions import Captions, latency_table
from goassist_desktop.commands import settings
from goassist_desktop.commands.replay import add_record_flag, record_folder
from goassist_desktop.config import Config
from goassist_desktop.face_record import FPS, VIDEO_SIZE, FaceLog, film
from goassist_desktop.pipeline.blendshapes import Pose
from goassist_desktop.pipeline.endpoints.capture import DEVICE_RATE_HZ
from goassist_desktop.pipeline.endpoints.room import Room, noise_at
from goassist_desktop.pipeline.errors import BadInput
from goassist_desktop.pipeline.frames import Samples
from goassist_desktop.talk import Held, hold, read_recording, writable
from goassist_desktop.talk_script import Say, one_by_one, read_script


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "talk",
        help="hold a conversation from recordings",
        description="Hold a conversation from recordings, in real time. Without --echo-gain-db "
        "the microphone is taken as it is, without echo cancellation, noise suppression and "
        "gain control.",
    )
    parser.add_argument("wavs", nargs="*", type=Path, metavar="WAV", help="what the user says")
    parser.add_argument("--script", type=Path, metavar="TOML", help="who says what, and when")
    parser.add_argument("--out", type=Path, metavar="WAV", help="what the loudspeaker played")
    parser.add_argument("--mic-out", type=Path, metavar="WAV", help="what the microphone heard")
    parser.add_argument("--report", type=Path, metavar="JSON", help="turns, marks and latencies")
    parser.add_argument("--face", type=Path, metavar="JSONL", help="blendshapes, one line a frame")
    parser.add_argument("--video", type=Path, metavar="MP4", help="the face, with what it says")
    parser.add_argument(
        "--echo-delay-ms", type=float, metavar="N", help="loudspeaker to microphone"
    )
    parser.add_argument("--echo-gain-db", type=float, metavar="G", help="0: as loud as played")
    parser.add_argument("--noise", type=Path, metavar="WAV", help="noise in the room, repeated")
    parser.add_argument("--snr-db", type=float, metavar="D", help="speech above that noise")
    add_record_flag(parser)
    settings.add_flags(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """0 when every recording got its answer, else 1. Raises BadInput for bad input."""
    script = _script(args)
    _check_outputs(args, [say.wav for say in script])
    config = settings.configured(args)
    sounds = [read_recording(say.wav) for say in script]
    room = _room(args, sounds)
    report = writable(args.report) if args.report else None
    console = Console(highlight=False)
    with _kept_face(args, config, console) as (watcher, reply):
        held = hold(
            config,
            script,
            sounds,
            console,
            room=room,
            reply=reply,
            mic=args.mic_out,
            record=record_folder(args, console),
            watcher=watcher,
        )
    if report is not None:
        report.write_text(json.dumps(held.report, indent=1) + "\n", encoding="utf-8")
    return show(held, console)


@contextmanager
def _kept_face(
    args: argparse.Namespace, config: Config, console: Console
) -> Iterator[tuple[Callable[[Pose], None] | None, Path | None]]:
    """What is to be given the poses, and where what is played is to be recorded.

    The video is made of both once the conversation is over. Raises BadInput.
    """
    video = writable(args.video) if args.video else None
    poses: list[Pose] = []
    takers: list[Callable[[Pose], None]] = [poses.append] if video else []
    with ExitStack() as stack:
        if args.face:
            takers.append(stack.enter_context(FaceLog(args.face)).take)
        reply: Path | None = args.out
        if video and reply is None:
            folder = stack.enter_context(TemporaryDirectory(prefix="goassist-talk-"))
            reply = Path(folder) / "reply.wav"

        def take(pose: Pose) -> None:
            for each in takers:
                each(pose)

        yield take if takers else None, reply
        if video and reply:
            seconds = len(poses) / FPS
            console.print(f"  drawing the face: {seconds:.0f} s of video …", style="dim")
            face = open_face(config.persona.head, VIDEO_SIZE, VIDEO_SIZE, Captions(console).take)
            stack.callback(face.close)
            film(face, poses, reply, video)


def show(held: Held, console: Console) -> int:
    """The figures, and the exit status they mean."""
    console.print(latency_table(held.report))
    rss = held.report["peak_rss_mb"]
    console.print(f"  ready in {held.ready_s:.1f} s · peak memory {rss:.0f} MB", style="dim")
    for wav in held.unanswered:
        console.print(f"goassist: {wav}: got no answer", markup=False)
    return 1 if held.unanswered else 0


def _script(args: argparse.Namespace) -> tuple[Say, ...]:
    if args.script is not None:
        if args.wavs:
            raise BadInput(f"{args.wavs[0]}: recordings are named in the script {args.script}")
        return read_script(args.script)
    if not args.wavs:
        raise BadInput("talk: no recording was given; name one or more, or a --script")
    return one_by_one(args.wavs)


def _check_outputs(args: argparse.Namespace, inputs: list[Path]) -> None:
    """Raises BadInput for an output that would overwrite what is read, or another output."""
    taken = {path.resolve() for path in (*inputs, args.script, args.noise) if path is not None}
    for output in (args.out, args.mic_out, args.report, args.face, args.video):
        if output is None:
            continue
        if output.resolve() in taken:
            raise BadInput(f"{output}: is named twice; it would be overwritten")
        taken.add(output.resolve())


def _room(args: argparse.Namespace, sounds: list[Samples]) -> Room:
    if args.echo_delay_ms is not None and args.echo_gain_db is None:
        raise BadInput("--echo-delay-ms: needs --echo-gain-db too")
    if (args.noise is None) != (args.snr_db is None):
        raise BadInput("--noise and --snr-db: one needs the other")
    noise = None
    if args.noise is not None:
        noise = noise_at(args.snr_db, read_recording(args.noise), sounds, DEVICE_RATE_HZ)
    return Room(
        echo_delay_ms=args.echo_delay_ms or 0.0, echo_gain_db=args.echo_gain_db, noise=noise
    )
