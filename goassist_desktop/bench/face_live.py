"""A conversation whose face is looked at: by the audio clock, and by a screen beside it."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from goassist_desktop.app import loaded_engines, make_session
from goassist_desktop.avatar import Renderer
from goassist_desktop.bench import questions
from goassist_desktop.bench.scenes import Answer, Reader, reading
from goassist_desktop.config import Config
from goassist_desktop.conversing import Until, converse, rehearse
from goassist_desktop.face_record import FPS, watch
from goassist_desktop.pipeline.blendshapes import Pose
from goassist_desktop.pipeline.clock import SampleClock
from goassist_desktop.pipeline.endpoints.capture import DEVICE_RATE_HZ, CaptureChain
from goassist_desktop.pipeline.endpoints.recording import RecordingEndpoint
from goassist_desktop.pipeline.events import Notice, SessionEvent
from goassist_desktop.pipeline.face import Face
from goassist_desktop.pipeline.frames import FaceFrame, Speech
from goassist_desktop.pipeline.protocols import FaceEngine, FaceStream
from goassist_desktop.pipeline.workers import Engines, Hosted
from goassist_desktop.talk import read_recording

QUESTIONS: Final = 5
"""The first of those recorded: in five voices, and without a pause inside."""
LOOKS_PER_S: Final = 60
FOLLOW: Final = 0.1
"""Share of the latest in the time that a picture is taken to need."""


@dataclass(frozen=True, slots=True)
class Live:
    """What was seen and said."""

    poses: list[Pose]
    """LOOKS_PER_S of them, from the beginning to the end."""
    answers: list[Answer]
    """All that were begun, heard or not."""
    offsets_ms: list[float]
    """How much later than its sound each frame was on the screen; none without one."""
    engine: str
    """The model of the engine that began."""
    engine_cpu_s: float
    engine_frames: int
    faults: int
    """How often a face engine lagged, or failed."""


def hold(
    config: Config,
    reply: Path,
    seconds: float,
    screen: Callable[[], Renderer] | None,
    notify: Callable[[Notice], None],
) -> Live:
    """Ask until the assistant has spoken for so long, and keep what it played in `reply`.

    In real time with a screen, on virtual time without one. Raises the errors of engines and
    endpoint.
    """
    poses: list[Pose] = []
    offsets_ms: list[float] = []
    faults = 0

    def publish(event: SessionEvent) -> None:
        nonlocal faults
        if isinstance(event, Notice):
            faults += event.what.startswith("face: ")
            notify(event)

    with loaded_engines(config) as engines, questions.recordings() as wavs:
        asked = [read_recording(path) for path in wavs[:QUESTIONS]]
        endpoint = RecordingEndpoint(
            CaptureChain(echo=False), reply=reply, realtime=screen is not None
        )
        reader = Reader(endpoint)
        engines, face = _timed(reading(engines, reader))

        async def script(until: Until) -> None:
            session = until.session
            watching = asyncio.create_task(
                watch(session.face, session.clock, LOOKS_PER_S, poses.append)
            )
            with _shown(session.face, session.clock, screen):
                count = 0
                while _sounded_s(endpoint) < seconds:
                    endpoint.say(asked[count % len(asked)])
                    count += 1
                    await until.quiet(endpoint.said[-1])
            watching.cancel()
            offsets_ms.extend(session.face.offsets_ms)

        if screen is None:
            rehearse(config, engines, endpoint, script, publish)
        else:
            session = make_session(config, engines, endpoint, publish)
            asyncio.run(converse(session, endpoint, script))
    return Live(poses, reader.answers, offsets_ms, face.info.model, face.cpu_s, face.frames, faults)


def _sounded_s(endpoint: RecordingEndpoint) -> float:
    return sum(sound.end - sound.start for sound in endpoint.sounds) / DEVICE_RATE_HZ


# -- the screen ------------------------------------------------------------------------------------


@contextmanager
def _shown(face: Face, clock: SampleClock, screen: Callable[[], Renderer] | None) -> Iterator[None]:
    """Draw the face FPS times a second, as a window would: in a thread of its own."""
    if screen is None:
        yield
        return
    over = threading.Event()
    thread = threading.Thread(target=_show, args=(face, clock, screen, over), name="screen")
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _show(
    face: Face, clock: SampleClock, screen: Callable[[], Renderer], over: threading.Event
) -> None:
    """A picture is seen only once it is drawn, and shows what belongs to that moment."""
    with contextlib.closing(screen()) as renderer:
        takes_ms = 0.0
        due = time.monotonic()
        while not over.wait(max(0.0, due - time.monotonic())):
            began = time.monotonic()
            due = max(due + 1 / FPS, began)
            pose = face.pose(clock.now_ms + takes_ms)
            renderer.draw(pose)
            face.shown(pose)
            takes_ms += FOLLOW * ((time.monotonic() - began) * 1000 - takes_ms)


# -- the engine ------------------------------------------------------------------------------------


class _TimedFace:
    """A face engine; what its frames cost is noted."""

    def __init__(self, engine: FaceEngine) -> None:
        self._engine = engine
        self.info = engine.info
        self.cpu_s = 0.0
        self.frames = 0

    def load(self) -> None:
        self._engine.load()

    def close(self) -> None:
        self._engine.close()

    def open(self) -> FaceStream:
        return _TimedStream(self, self._engine.open())

    def timed(self, frames: Iterator[FaceFrame]) -> Iterator[FaceFrame]:
        while True:
            began = time.thread_time()
            frame = next(frames, None)
            self.cpu_s += time.thread_time() - began
            if frame is None:
                return
            self.frames += 1
            yield frame


class _TimedStream:
    def __init__(self, face: _TimedFace, stream: FaceStream) -> None:
        self._face, self._stream = face, stream

    def push(self, speech: Speech) -> Iterator[FaceFrame]:
        return self._face.timed(self._stream.push(speech))

    def finish(self) -> Iterator[FaceFrame]:
        return self._face.timed(self._stream.finish())

    def close(self) -> None:
        self._stream.close()


def _timed(engines: Engines) -> tuple[Engines, _TimedFace]:
    """The same engines, and the first of the face's, which notes what it costs."""
    first, *others = engines.face
    face = _TimedFace(first.engine)
    return replace(engines, face=(Hosted(face, first.lane), *others)), face
