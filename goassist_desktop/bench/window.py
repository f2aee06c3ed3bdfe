"""The window: how soon it is there, whether it is ever blocked while one talks, and what it costs.

It is started as a user starts it, and read from its own log. Then a conversation is held in it, in
real time, from recorded questions, while it is resized, minimised and its views are looked through.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Coroutine, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console

from goassist_desktop import config as configuration
from goassist_desktop import log_file, screen, weights
from goassist_desktop.assistant import Venue
from goassist_desktop.bench.figures import Figure
from goassist_desktop.bench.questions import recordings
from goassist_desktop.bench.soak import gaps_ms
from goassist_desktop.bench.usage import Usage, minutes, steadiness, thread_cpu_s
from goassist_desktop.bench.usage import watch as watch_usage
from goassist_desktop.config import Config
from goassist_desktop.conversing import Until
from goassist_desktop.pipeline import clock as mark
from goassist_desktop.pipeline.clock import INTERVALS
from goassist_desktop.pipeline.endpoints.capture import DEVICE_RATE_HZ, CaptureChain
from goassist_desktop.pipeline.endpoints.recording import RecordingEndpoint
from goassist_desktop.pipeline.endpoints.room import Room, speech_span
from goassist_desktop.pipeline.errors import BadInput, GoAssistError
from goassist_desktop.pipeline.events import BargeIn, TurnClosed
from goassist_desktop.pipeline.frames import Samples
from goassist_desktop.pipeline.protocols import Endpoint
from goassist_desktop.pipeline.session import Session
from goassist_desktop.supply.offers import model_names
from goassist_desktop.talk import read_recording
from goassist_desktop.ui.latency import LatencyPage
from goassist_desktop.ui.program import SETUP_DONE, Program
from goassist_desktop.ui.pulse import Pulse
from goassist_desktop.window_parts import Ledger, parts

STARTS = 5
SHOWN_LIMITS = {"max": 2.0}
READY_LIMITS = {"max": 5.0}
ENDED_LIMITS = {"max": 1.0}
BLOCKED_LIMITS = {"max": 50.0}
"""ms that Qt's thread may not come round."""
GRAPHS_LIMITS = {"max": 15.0}
"""Percent of one core for the graphs at 30 Hz, on Qt's thread."""
FRAME_LIMITS = {"p50": 1000 / 24}
OFFSET_LIMITS = {"p95": 45.0}
NONE = {"max": 0.0}
START_PATIENCE_S = 60.0
FIDGET_S = 1.5
GRAPHS_S = 10.0
GRAPHS_SETTLE_S = 3.0
"""The library of the graphs is loaded when they are first seen."""
GRAPHS_SIZE = (1280, 800)
GRAPHED_TURNS = 120
VIEWS = ("Latency", "History", "Models", "Settings", "Talk")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--minutes", type=float, default=3.0, metavar="M", help="of talking (default: 3)"
    )


def measure(config: Config, args: argparse.Namespace, console: Console) -> list[Figure]:
    """Raises BadInput, ModelMissing, and the errors of engines and endpoint."""
    seconds = 60 * minutes(args.minutes)
    if fault := screen.fault():
        raise BadInput(f"{fault}: set QT_QPA_PLATFORM=offscreen to measure without one")
    for name in model_names(config).values():
        weights.path(name)
    flags = [f"--set={setting}" for setting in args.settings]
    return [*_starts(flags, console), *_talked(config, seconds, console)]


# -- the start -------------------------------------------------------------------------------------


def _starts(flags: Sequence[str], console: Console) -> list[Figure]:
    """Of the program itself, in folders of its own, at whatever sound card there is."""
    shown, ready, ended = [], [], []
    for number in range(STARTS):
        with TemporaryDirectory(prefix="goassist-bench-") as folder:
            began, left = _start(Path(folder), flags)
        console.print(
            f"  start {number + 1}: shown {began[0]:.2f} s, ready {began[1]:.2f} s, "
            f"ended in {left:.2f} s",
            style="dim",
            markup=False,
        )
        shown.append(began[0])
        ready.append(began[1])
        ended.append(left)
    return [
        Figure("window shown", "s", tuple(shown), SHOWN_LIMITS),
        Figure("ready to talk", "s", tuple(ready), READY_LIMITS),
        Figure("ended", "s", tuple(ended), ENDED_LIMITS),
    ]


def _start(folder: Path, flags: Sequence[str]) -> tuple[tuple[float, float], float]:
    """Seconds to the window and to the conversation, and of the end."""
    state = folder / "goassist"
    state.mkdir()
    (state / SETUP_DONE).write_text("{}")
    _like_runtime_folder(folder)
    own = {"XDG_STATE_HOME": str(folder), "XDG_RUNTIME_DIR": str(folder)}
    program = subprocess.Popen(
        [sys.executable, "-m", "goassist_desktop", *flags],
        env=os.environ | own,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        times = _wait_for_marks(program, state / "log")
        asked = time.monotonic()
        program.send_signal(signal.SIGTERM)
        program.wait(START_PATIENCE_S)
        return times, time.monotonic() - asked
    finally:
        program.kill()
        program.wait()


def _like_runtime_folder(folder: Path) -> None:
    """Give it what this login's has, the sound server and the display, but for a program of ours
    that runs already."""
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    for one in Path(runtime).iterdir() if runtime and Path(runtime).is_dir() else ():
        if not (folder / one.name).exists():
            (folder / one.name).symlink_to(one)


def _wait_for_marks(program: subprocess.Popen[bytes], log: Path) -> tuple[float, float]:
    deadline = time.monotonic() + START_PATIENCE_S
    while time.monotonic() < deadline and program.poll() is None:
        found = {}
        for file in log_file.files(log):
            for line in file.read_text(encoding="utf-8").splitlines():
                words = json.loads(line)["message"].split()
                found[words[0]] = words
        if "ready" in found:
            return float(found["window"][2]), float(found["ready"][3])
        time.sleep(0.05)
    raise GoAssistError(f"the window was not ready to talk within {START_PATIENCE_S:g} s")


# -- a conversation --------------------------------------------------------------------------------


def _talked(config: Config, seconds: float, console: Console) -> list[Figure]:
    console.print(f"  talking for {seconds / 60:g} minutes …", style="dim", markup=False)
    endpoint = RecordingEndpoint(CaptureChain(echo=True), room=Room())
    with TemporaryDirectory(prefix="goassist-bench-") as folder:
        (Path(folder) / SETUP_DONE).write_text("{}")
        talk = _Talk(endpoint, seconds)
        given = parts({}, talk.ledger, venue=Venue(lambda _: endpoint, talk.beside))
        given = replace(given, state=Path(folder), runtime=Path(folder))
        talk.program = Program(_unkept(config), given)
        talk.pulse = Pulse(talk.program)
        talk.program.run()
    if talk.failure is not None:
        raise talk.failure
    return talk.figures()


def _unkept(config: Config) -> Config:
    """Without anything that would be left behind."""
    return configuration.changed(config, {"privacy.keep_history": False, "window.tray": False})


class _Talk:
    """The user's side: asks in one thread, and fidgets with the window in the other."""

    program: Program
    pulse: Pulse

    def __init__(self, endpoint: RecordingEndpoint, seconds: float) -> None:
        self.ledger = Ledger()
        self.failure: GoAssistError | None = GoAssistError("the window was closed too early")
        self._endpoint = endpoint
        self._seconds = seconds
        self._blocked: tuple[float, ...] = ()
        self._frames: tuple[float, ...] = ()
        self._offsets: tuple[float, ...] = ()
        self._graphs = 0.0
        self._usages: list[Usage] = []

    def beside(self, session: Session, endpoint: Endpoint) -> Iterable[Coroutine[Any, Any, None]]:
        return [self._script(session)]

    async def _script(self, session: Session) -> None:
        try:
            await self._talk(Until(session, self._endpoint))
            self.failure = None
        except GoAssistError as error:
            self.failure = error
        finally:
            self._do(self.program.leave)
        await asyncio.Event().wait()  # the window ends us

    async def _talk(self, until: Until) -> None:
        with recordings() as wavs:
            sounds = [read_recording(path) for path in wavs]
        questions = cycle([(sound, speech_span(sound, DEVICE_RATE_HZ)) for sound in sounds])
        await until.quiet()
        self._graphs = await self._graphs_percent()
        self.pulse.late_ms.clear()
        await self._ask(until, questions, self._seconds / 2)
        self._frames = tuple(self.program.window.stage.faces.frame_times_ms())
        self._offsets = tuple(self.program.assistant.face_offsets_ms())
        others = [
            asyncio.create_task(other) for other in (self._fidget(), watch_usage(self._usages))
        ]
        await self._ask(until, questions, self._seconds / 2)
        for other in others:
            other.cancel()
        self._blocked = tuple(self.pulse.late_ms)

    async def _ask(
        self, until: Until, questions: Iterator[tuple[Samples, tuple[int, int]]], seconds: float
    ) -> None:
        end = until.endpoint.position + round(seconds * DEVICE_RATE_HZ)
        while until.endpoint.position < end:
            sound, span = next(questions)
            until.endpoint.say(sound, span=span)
            await until.quiet(until.endpoint.said[-1])

    async def _graphs_percent(self) -> float:
        """What Qt's thread takes more of a core while graphs full of turns, in a window of their
        own, follow a face of 60 frames a second, than while they are hidden."""
        frames: list[float] = []
        made: list[LatencyPage] = []

        def show() -> None:
            page = LatencyPage(lambda: frames, lambda: frames)
            for number in range(GRAPHED_TURNS):
                page.take(_made_up_turn(number))
            page.resize(*GRAPHS_SIZE)
            page.show()
            made.append(page)

        async def face() -> None:
            while True:
                frames.append(16 + 4 * math.sin(len(frames) / 7))
                await asyncio.sleep(1 / 60)

        self._do(self.program.window.show_view, "History")
        facing = asyncio.create_task(face())
        self._do(show)
        await asyncio.sleep(GRAPHS_SETTLE_S)
        shown = await self._qt_percent()
        self._do(lambda: made[0].hide())
        hidden = await self._qt_percent()
        facing.cancel()
        self._do(lambda: made.pop().deleteLater())
        self._do(self.program.window.show_view, "Talk")
        return max(0.0, shown - hidden)

    async def _qt_percent(self) -> float:
        before, began = thread_cpu_s()["MainThread"], time.monotonic()
        await asyncio.sleep(GRAPHS_S)
        return 100 * (thread_cpu_s()["MainThread"] - before) / (time.monotonic() - began)

    async def _fidget(self) -> None:
        """What a restless user does with a window."""
        window = self.program.window
        steps = [
            (window.resize, 1000, 700),
            (window.resize, 1280, 800),
            (window.showMinimized,),
            (window.showNormal,),
            *((window.show_view, view) for view in VIEWS),
        ]
        for do, *what in cycle(steps):
            self._do(do, *what)
            await asyncio.sleep(FIDGET_S)

    def _do(self, do: Any, *what: Any) -> None:
        self.program.asked.emit(lambda: do(*what))

    def figures(self) -> list[Figure]:
        said, sounds = self._endpoint.said, self._endpoint.sounds
        gaps = gaps_ms(said, sounds)
        return [
            Figure("window blocked", "ms", self._blocked, BLOCKED_LIMITS),
            Figure("graphs", "%", (round(self._graphs, 1),), GRAPHS_LIMITS),
            Figure("frame time", "ms", self._frames, FRAME_LIMITS),
            Figure("face to sound", "ms", self._offsets, OFFSET_LIMITS),
            Figure("response gap", "ms", tuple(gaps)),
            Figure("unanswered", "", (float(len(said) - len(gaps)),), NONE),
            Figure(
                "gaps inside replies", "ms", tuple(turn.starved_ms for turn in self.ledger.turns)
            ),
            *(steadiness(self._usages) if len(self._usages) > 1 else ()),
        ]


def _made_up_turn(number: int) -> TurnClosed:
    """With latencies as they are: the graphs have something to draw."""
    marks = {
        mark.ONSET: 0.0,
        mark.OFFSET: 1000.0,
        mark.FINAL_TEXT: 1120.0,
        mark.FIRST_TOKEN: 1300.0,
        mark.ENDPOINT: 1330.0,
        mark.DECISION: 1340.0,
        mark.FIRST_CLAUSE: 1400.0 + 50 * math.sin(number),
        mark.FIRST_AUDIO: 1480.0 + 80 * math.sin(number),
        mark.AUDIO_END: 4000.0,
    }
    intervals: dict[str, float | None] = {
        name: marks[end] - marks[start] for name, (start, end) in INTERVALS.items()
    }
    cut = BargeIn(2000.0, 2060.0 + 20 * math.sin(number), "stopped")
    return TurnClosed(number, "", "", "", "interrupted", False, dict(marks), intervals, (cut,))
