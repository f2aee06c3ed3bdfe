"""What the face does while it speaks: live frames of a conversation with real engines.

A session answers recorded questions by reading a text aloud. Its face is looked at sixty times a
second by the audio clock, and drawn beside, as a window would. What was seen is then compared with
the sounds that left the loudspeaker: they are found in its recording, sample by sample.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np
from rich.console import Console

from goassist_desktop.avatar import RENDERERS, Renderer, open_face
from goassist_desktop.bench import articulation, face_live, face_seen, face_sheet, wav
from goassist_desktop.bench.face_live import LOOKS_PER_S, Live
from goassist_desktop.bench.face_seen import Seen
from goassist_desktop.bench.figures import Figure
from goassist_desktop.bench.words_played import Loudspeaker
from goassist_desktop.config import Config
from goassist_desktop.face_record import FPS, VIDEO_SIZE, film
from goassist_desktop.pipeline.blendshapes import Pose
from goassist_desktop.pipeline.engines import REGISTRY
from goassist_desktop.pipeline.errors import BadInput, GoAssistError
from goassist_desktop.pipeline.events import Notice
from goassist_desktop.report import percentile
from goassist_desktop.talk import writable

MINUTES: Final = 2.0
DRAWN: Final = 200
"""Pictures drawn, with nothing else going on, to see how long one takes."""
MOST_SOUNDS: Final = 50
"""Of the sentence on the contact sheet."""
VIDEO_MS: Final = 14_000.0
LEAD_MS: Final = 500.0
"""What a video shows before the first word."""
FPS_LIMITS = {"min": 30.0}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--engine", choices=REGISTRY["face"], help="instead of the one in force")
    parser.add_argument(
        "--renderer",
        choices=("auto", *RENDERERS),
        default="auto",
        help="default: the best there is",
    )
    parser.add_argument(
        "--minutes", type=float, default=MINUTES, help="of own speech (default: %(default)g)"
    )
    parser.add_argument("--sheet", type=Path, metavar="PNG", help="a sentence as pictures")
    parser.add_argument("--video", type=Path, metavar="MP4", help="the beginning of an answer")
    parser.add_argument(
        "--virtual-time", action="store_true", help="do not wait, and draw nothing meanwhile"
    )


def measure(config: Config, args: argparse.Namespace, console: Console) -> list[Figure]:
    """Raises BadInput, and the errors of engines, renderer and endpoint."""
    if not 0 < args.minutes <= 600:
        raise BadInput(f"--minutes {args.minutes:g}: must be more than 0, and 600 at most")
    sheet, video = _outputs(args)
    if args.engine:
        config = replace(config, face=replace(config.face, engine=args.engine))
    if config.face.engine == "none":
        raise BadInput("face.engine = 'none': there is no mouth to measure; name an --engine")
    person = config.persona.head
    # A renderer in software is measured on one core: the others belong to who thinks and speaks.
    os.environ.setdefault("LP_NUM_THREADS", "1")

    def notify(notice: Notice) -> None:
        console.print(f"  {notice.what}", style="dim", markup=False)

    def screen() -> Renderer:
        if args.renderer != "auto":
            return RENDERERS[args.renderer](person, VIDEO_SIZE, VIDEO_SIZE)
        return open_face(person, VIDEO_SIZE, VIDEO_SIZE, lambda notice: None)

    console.print("  its words are read from a text; no language model is asked", style="dim")
    with closing(screen()) as renderer, TemporaryDirectory(prefix="goassist-bench-") as folder:
        reply = Path(folder) / "reply.wav"
        live = face_live.hold(
            config, reply, args.minutes * 60, None if args.virtual_time else screen, notify
        )
        console.print(f"  {live.engine}; drawn by {renderer.name}", style="dim", markup=False)
        seen = Seen(live.poses, face_seen.heard(live.answers, Loudspeaker(wav.load(reply)[0])))
        if not seen.sentences:
            raise GoAssistError("nothing of its answers was found in what the loudspeaker played")
        found = [
            *face_seen.figures(seen, live.offsets_ms),
            *_engine_figures(live, seen.speech_s),
            *_renderer_figures(renderer, live.poses),
        ]
        if sheet:
            _write_sheet(sheet, renderer, seen, f"{person}, {live.engine}")
        if video:
            start_ms = seen.turns[0][0].start_ms - LEAD_MS
            poses = seen.between(start_ms, start_ms + VIDEO_MS)[:: LOOKS_PER_S // FPS]
            film(renderer, poses, reply, video)
    return found


def _outputs(args: argparse.Namespace) -> tuple[Path | None, Path | None]:
    """Where to write sheet and video, once it is known that it can be. Raises BadInput."""
    taken = {path.resolve() for path in (args.json, args.against) if path}
    for path in (args.sheet, args.video):
        if path and path.resolve() in taken:
            raise BadInput(f"{path}: is named twice; it would be overwritten")
        if path:
            taken.add(writable(path).resolve())
    return args.sheet, args.video


def _engine_figures(live: Live, speech_s: float) -> list[Figure]:
    each_us = live.engine_cpu_s * 1e6 / max(1, live.engine_frames)
    return [
        Figure("engine CPU a frame", "µs", (round(each_us, 1),)),
        Figure("engine CPU", "%", (round(100 * live.engine_cpu_s / speech_s, 1),)),
        Figure("engine faults", "", (float(live.faults),), {"max": 0}),
    ]


def _renderer_figures(renderer: Renderer, poses: Sequence[Pose]) -> list[Figure]:
    """From poses out of the whole conversation, drawn while nothing else goes on."""
    chosen = [poses[n] for n in np.linspace(0, len(poses) - 1, DRAWN).astype(int)]
    renderer.draw(chosen[0])
    took_ms: list[float] = []
    began_cpu = time.process_time()
    for pose in chosen:
        began = time.perf_counter()
        renderer.draw(pose)
        took_ms.append((time.perf_counter() - began) * 1000)
    cpu_ms = (time.process_time() - began_cpu) * 1000 / DRAWN
    return [
        Figure("frames", "1/s", (round(1000 * DRAWN / sum(took_ms), 1),), FPS_LIMITS),
        Figure("frame time", "ms", tuple(round(ms, 2) for ms in took_ms)),
        Figure("frame time, 99 of 100", "ms", (round(percentile(took_ms, 99) or 0.0, 2),)),
        Figure("renderer CPU a frame", "ms", (round(cpu_ms, 2),)),
    ]


def _write_sheet(path: Path, renderer: Renderer, seen: Seen, who: str) -> None:
    """The sentence with the most sounds that find room."""
    fitting = [s for s in seen.sentences if len(s.sounds) <= MOST_SOUNDS] or seen.sentences[:1]
    sentence = max(fitting, key=lambda one: len(one.sounds))
    times = np.array([pose.at_ms for pose in seen.poses])
    cells = []
    for symbol, start_ms, end_ms in sentence.sounds:
        pose = seen.poses[int(np.argmin(np.abs(times - (start_ms + end_ms) / 2)))]
        apart_mm = float(articulation.aperture_mm(pose.weights))
        cells.append((renderer.draw(pose), symbol, f"{apart_mm:.1f} mm"))
    face_sheet.write(path, cells, f"{who}: {sentence.text}")
