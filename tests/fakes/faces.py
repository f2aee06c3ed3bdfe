"""Face engines for tests: plain, and broken in every way a real one may be."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from goassist_desktop.pipeline import blendshapes
from goassist_desktop.pipeline.errors import EngineFailed
from goassist_desktop.pipeline.frames import FaceFrame, Speech
from goassist_desktop.pipeline.protocols import EngineInfo, FaceEngine, FaceStream

FRAME_MS = 20.0
JAW = blendshapes.INDEX["jawOpen"]


class LoudnessFace:
    """The jaw opens as far as it is loud: 1 at a peak of 0.5. Frames every FRAME_MS."""

    def __init__(self, name: str = "loudness") -> None:
        self.name = name
        self.opened = self.closed = self.loads = 0
        self.seconds: dict[str, float] = {}
        """On virtual time: how long each frame of `push` and `finish` takes."""

    @property
    def info(self) -> EngineInfo:
        return EngineInfo("face", self.name, "none", "Apache-2.0", stand_in=True)

    def load(self) -> None:
        self.loads += 1

    def close(self) -> None:
        pass

    def open(self) -> FaceStream:
        self.opened += 1
        return _Stream(self)


class _Stream:
    def __init__(self, engine: LoudnessFace) -> None:
        self._engine = engine
        self._at_ms = 0.0

    @property
    def seconds(self) -> dict[str, float]:
        return self._engine.seconds

    def push(self, speech: Speech) -> Iterator[FaceFrame]:
        step = int(speech.rate_hz * FRAME_MS / 1000)
        for start in range(0, len(speech.samples), step):
            loud = float(np.abs(speech.samples[start : start + step]).max(initial=0.0))
            yield self._frame(self._at_ms + start * 1000 / speech.rate_hz, min(1.0, loud / 0.5))
        self._at_ms += len(speech.samples) * 1000 / speech.rate_hz

    def finish(self) -> Iterator[FaceFrame]:
        yield self._frame(self._at_ms, 0.0)

    def close(self) -> None:
        self._engine.closed += 1

    def _frame(self, at_ms: float, jaw: float) -> FaceFrame:
        weights = blendshapes.rest()
        weights[JAW] = jaw
        return FaceFrame(at_ms, weights)


class BrokenFace(LoudnessFace):
    """Good until `after_ms` of a reply, then `harm` does to its frames what it does."""

    def __init__(self, harm: Callable[[FaceFrame], FaceFrame], after_ms: float = 0.0) -> None:
        super().__init__("broken")
        self._harm, self._after_ms = harm, after_ms

    def open(self) -> FaceStream:
        self.opened += 1
        return _Harmed(self, self._harm, self._after_ms)


class _Harmed(_Stream):
    def __init__(
        self, engine: LoudnessFace, harm: Callable[[FaceFrame], FaceFrame], after_ms: float
    ) -> None:
        super().__init__(engine)
        self._harm, self._after_ms = harm, after_ms

    def _frame(self, at_ms: float, jaw: float) -> FaceFrame:
        frame = super()._frame(at_ms, jaw)
        return frame if at_ms < self._after_ms else self._harm(frame)


def dies(frame: FaceFrame) -> FaceFrame:
    raise EngineFailed("it was killed")


def is_not_a_number(frame: FaceFrame) -> FaceFrame:
    return FaceFrame(frame.at_ms, np.full(blendshapes.COUNT, np.nan, np.float32))


def is_too_short(frame: FaceFrame) -> FaceFrame:
    return FaceFrame(frame.at_ms, np.zeros(10, np.float32))


def is_of_the_future(frame: FaceFrame) -> FaceFrame:
    return FaceFrame(frame.at_ms + 60_000, frame.weights)


def is_out_of_range(frame: FaceFrame) -> FaceFrame:
    return FaceFrame(frame.at_ms, frame.weights * 100 - 3)


class Killed:
    """A real engine whose every reply dies after so many frames."""

    def __init__(self, engine: FaceEngine, after_frames: int) -> None:
        self._engine, self._after_frames = engine, after_frames
        self.load, self.close = engine.load, engine.close

    @property
    def info(self) -> EngineInfo:
        return self._engine.info

    def open(self) -> FaceStream:
        return _Dying(self._engine.open(), self._after_frames)


class _Dying:
    def __init__(self, stream: FaceStream, frames: int) -> None:
        self._stream, self._frames = stream, frames
        self.finish, self.close = stream.finish, stream.close

    def push(self, speech: Speech) -> Iterator[FaceFrame]:
        for frame in self._stream.push(speech):
            self._frames -= 1
            if self._frames < 0:
                raise EngineFailed("it was killed")
            yield frame
