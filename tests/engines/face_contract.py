"""What every face engine must do. Inherit `FaceContract` in a class of tests, with its engine:

    class TestMine(FaceContract):
        @pytest.fixture(scope="class")
        @classmethod
        def engine(cls) -> Iterator[FaceEngine]:
            engine = Mine(..., threads=1)
            engine.load()
            yield engine
            engine.close()

`reply` is two sentences of the real voice in three pieces, the second boundary inside a sentence.
Another fixture of this name in the class replaces it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest

from goassist_desktop.bench.articulation import CLOSED_MM, aperture_mm
from goassist_desktop.pipeline import blendshapes
from goassist_desktop.pipeline.errors import EngineFailed
from goassist_desktop.pipeline.face import AHEAD_MS, GAP_MS
from goassist_desktop.pipeline.frames import FaceFrame, Samples, Speech
from goassist_desktop.pipeline.protocols import Engine, FaceEngine, FaceStream
from goassist_desktop.pipeline.resampling import at_rate, joined

Reply = list[Speech]


def length_ms(speech: Speech) -> float:
    return len(speech.samples) * 1000 / speech.rate_hz


def animated(engine: FaceEngine, reply: Iterable[Speech]) -> list[FaceFrame]:
    """The frames of a reply as they stand in the end, in order of time."""
    stream = engine.open()
    try:
        frames = {f.at_ms: f for piece in reply for f in stream.push(piece)}
        frames |= {f.at_ms: f for f in stream.finish()}
    finally:
        stream.close()
    return [frames[at_ms] for at_ms in sorted(frames)]


def stacked(frames: Iterable[FaceFrame]) -> np.ndarray:
    """Weights (n, 52)."""
    return np.stack([frame.weights for frame in frames])


def at(frames: list[FaceFrame], ms: np.ndarray) -> np.ndarray:
    """Weights (n, 52) at the times (n,), the frames joined by straight lines."""
    times = [frame.at_ms for frame in frames]
    return np.stack([np.interp(ms, times, column) for column in stacked(frames).T], axis=1)


def silence(seconds: float, rate_hz: int = 24_000) -> Speech:
    return Speech(np.zeros(round(seconds * rate_hz), np.float32), rate_hz)


class FaceContract:
    articulates: ClassVar[bool] = True
    """False for engines on small random weights, whose mouths say nothing."""
    most_apart: ClassVar[float] = 0.05
    """What any weight may differ by when the reply comes in pieces, or at another rate."""

    @pytest.fixture(scope="class")
    @classmethod
    def engine(cls) -> FaceEngine:
        raise NotImplementedError("give the engine to be tested")

    @pytest.fixture
    def reply(self, said: Reply) -> Reply:
        return said

    def test_it_says_what_it_is(self, engine: FaceEngine) -> None:
        assert isinstance(engine, Engine)
        assert engine.info.stage == "face"
        assert engine.info.name
        assert engine.info.licence
        assert not engine.info.stand_in

    def test_weights_are_weights(self, engine: FaceEngine, reply: Reply) -> None:
        for frame in animated(engine, reply):
            assert frame.weights.shape == (blendshapes.COUNT,)
            assert frame.weights.dtype == np.float32
            assert np.isfinite(frame.weights).all()
            assert frame.weights.min() >= 0
            assert frame.weights.max() <= 1

    def test_times_rise_and_cover_the_reply(self, engine: FaceEngine, reply: Reply) -> None:
        stream = engine.open()
        ended_ms = 0.0
        seen = {0.0}
        for piece in reply:
            ended_ms += length_ms(piece)
            times = [frame.at_ms for frame in stream.push(piece)]
            assert times == sorted(set(times))
            assert all(0 <= at_ms <= ended_ms + AHEAD_MS for at_ms in times)
            seen |= set(times)
        times = [frame.at_ms for frame in stream.finish()]
        assert times == sorted(set(times))
        seen |= {ended_ms, *times}
        assert max(seen) <= ended_ms + AHEAD_MS
        assert np.diff(sorted(seen)).max() < GAP_MS
        stream.close()

    def test_the_mouth_moves_with_speech_and_is_shut_in_silence(
        self, engine: FaceEngine, reply: Reply
    ) -> None:
        if not self.articulates:
            pytest.skip("its weights are random")
        frames = animated(engine, [*reply, silence(1.0)])
        apart = aperture_mm(stacked(frames))
        times = np.array([frame.at_ms for frame in frames])
        spoken_ms = sum(length_ms(piece) for piece in reply)
        assert np.percentile(apart[times < spoken_ms], 80) > 3
        assert apart[(times > spoken_ms + 200)].max() < CLOSED_MM
        alone = animated(engine, [silence(2.0)])
        assert aperture_mm(stacked(alone)).max() < CLOSED_MM

    def test_equal_speech_gives_equal_frames(self, engine: FaceEngine, reply: Reply) -> None:
        first, second = animated(engine, reply), animated(engine, reply)
        assert [f.at_ms for f in first] == [f.at_ms for f in second]
        assert np.array_equal(stacked(first), stacked(second))

    def test_streams_share_nothing(self, engine: FaceEngine, reply: Reply) -> None:
        one, other = engine.open(), engine.open()
        found: list[list[FaceFrame]] = [[], []]
        backwards = list(reversed(reply))
        for left, right in zip(reply, backwards, strict=True):
            pushed = one.push(left), other.push(right)
            while new := [(i, f) for i, frames in enumerate(pushed) if (f := next(frames, None))]:
                for i, frame in new:
                    found[i].append(frame)
        for i, (stream, pieces) in enumerate(((one, reply), (other, backwards))):
            found[i] += stream.finish()
            final = {frame.at_ms: frame for frame in found[i]}
            alone = animated(engine, pieces)
            assert sorted(final) == [frame.at_ms for frame in alone]
            assert np.array_equal(stacked(final[f.at_ms] for f in alone), stacked(alone))
            stream.close()

    def test_pieces_and_the_whole_differ_little(self, engine: FaceEngine, reply: Reply) -> None:
        pieces, whole = animated(engine, reply), animated(engine, [joined(reply)])
        ms = np.arange(0, sum(length_ms(piece) for piece in reply), 10)
        assert np.abs(at(pieces, ms) - at(whole, ms)).max() <= self.most_apart

    def test_the_rate_of_the_speech_does_not_matter(self, engine: FaceEngine, reply: Reply) -> None:
        found = animated(engine, reply)
        other = animated(engine, [at_rate(piece, 16_000) for piece in reply])
        ms = np.arange(0, sum(length_ms(piece) for piece in reply), 10)
        assert np.abs(at(found, ms) - at(other, ms)).max() <= self.most_apart

    def test_pieces_of_any_length(self, engine: FaceEngine, reply: Reply) -> None:
        first = reply[0]
        crumbs = [replace(first, samples=s, phonemes=()) for s in crumbled(first.samples)]
        frames = animated(engine, crumbs)
        ended_ms = sum(length_ms(crumb) for crumb in crumbs)
        assert all(0 <= frame.at_ms <= ended_ms + AHEAD_MS for frame in frames)
        assert np.isfinite(stacked(frames)).all()

    def test_a_reply_without_sound(self, engine: FaceEngine) -> None:
        for reply in ([], [silence(0.0)], [silence(0.0), silence(0.0)]):
            assert all(frame.at_ms <= AHEAD_MS for frame in animated(engine, reply))

    @pytest.mark.parametrize("harm", [np.nan, np.inf, 1e30, -3.0])
    def test_samples_that_are_none(self, engine: FaceEngine, reply: Reply, harm: float) -> None:
        samples = reply[0].samples.copy()
        samples[2000:2500] = harm
        try:
            frames = animated(engine, [replace(reply[0], samples=samples), *reply[1:]])
        except EngineFailed:
            return
        weights = stacked(frames)
        assert np.isfinite(weights).all()
        assert weights.min() >= 0
        assert weights.max() <= 1

    def test_it_may_be_closed_at_any_moment(self, engine: FaceEngine, reply: Reply) -> None:
        expected = stacked(animated(engine, reply))
        unused = engine.open()
        unused.close()
        unused.close()
        for taken in (0, 1, 20):
            stream = engine.open()
            frames = stream.push(reply[0])
            for _ in range(taken):
                next(frames)
            closer = threading.Thread(target=stream.close)
            closer.start()
            closer.join(5)
            assert not closer.is_alive()
            stream.close()
            finishes(stream, reply)
        assert np.array_equal(stacked(animated(engine, reply)), expected)


def crumbled(samples: Samples) -> Iterable[Samples]:
    """The samples in parts of all sizes from none to a few hundred."""
    start = 0
    for size in (0, 1, 2, 37, 0, 240, 241, 399, 400, 401, 640):
        yield samples[start : start + size]
        start += size
    yield samples[start:]


def finishes(stream: FaceStream, reply: Reply) -> None:
    """What a closed stream answers does not matter, but it answers, and breaks nothing."""
    try:
        list(stream.push(reply[0]))
        list(stream.finish())
    except EngineFailed:
        pass
