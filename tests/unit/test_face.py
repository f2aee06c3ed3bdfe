"""The mouth at the loudspeaker's samples: it follows, it never snaps, it nods for what is heard."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from goassist_desktop.pipeline import blendshapes
from goassist_desktop.pipeline.clock import SampleClock
from goassist_desktop.pipeline.face import COME_MS, EASE_MS, HOLD_MS, Face, Track
from goassist_desktop.pipeline.frames import FaceFrame, Samples, Speech, Word
from goassist_desktop.pipeline.life import BEAT_DEGREES, Living
from goassist_desktop.pipeline.speaker import Speaker
from goassist_desktop.pipeline.workers import Hosted
from tests.fakes.faces import LoudnessFace
from tests.fakes.virtual_time import VirtualLane

RATE_HZ = 48_000
BLOCK = 480
JAW = blendshapes.INDEX["jawOpen"]


class Stage:
    """A reply of six seconds whose mouth is wide open throughout, 10 ms after 10 ms."""

    def __init__(self, frames_until_ms: float = 6000.0) -> None:
        self.speaker = Speaker(RATE_HZ)
        self.clock = SampleClock()
        ladder = (Hosted(LoudnessFace(), VirtualLane()),)  # its frames are added here
        self.face = Face(ladder, self.speaker, self.clock, lambda: 0.0, lambda notice: None)
        words = [Word(f"{n}.", n * RATE_HZ * 2, n * RATE_HZ * 2 + RATE_HZ // 2) for n in range(3)]
        self.speech = Speech(np.full(6 * RATE_HZ, 0.3, np.float32), RATE_HZ, tuple(words))
        self.track = Track(1)
        self.track.add_speech(self.speech)
        self.face._tracks.append(self.track)
        self.add_frames(0.0, frames_until_ms)
        self.speaker.begin(1)
        self.speaker.open(1)
        self.jaws: list[float] = []
        self.pitches: list[float] = []

    def add_frames(self, first_ms: float, end_ms: float, reached_ms: float = 0.0) -> None:
        for ms in np.arange(first_ms, end_ms, 20.0):
            self.track.add(FaceFrame(float(ms), blendshapes.weights(jawOpen=1.0)), reached_ms)

    def push(self, samples: Samples) -> None:
        self.speaker.push(1, samples, ())

    def run(self, ms: float) -> None:
        for _ in range(round(ms / 10)):
            self.speaker.pull(BLOCK)
            self.clock.advance(160)
            self.face.watch()
            pose = self.face.pose()
            self.jaws.append(float(pose.weights[JAW]))
            self.pitches.append(pose.head[1] - Living(0).at(pose.at_ms).head[1])

    def step(self) -> float:
        """The largest in 10 ms."""
        return float(np.abs(np.diff([0.0, *self.jaws])).max())


MOST = 2 * 10 / EASE_MS + 0.01
"""How steep it may be: the beginning of the way to rest."""


def test_it_comes_holds_and_goes_by_the_clock() -> None:
    stage = Stage(frames_until_ms=500)
    stage.push(stage.speech.samples)
    stage.run(1500)
    jaws = stage.jaws
    assert jaws[round(COME_MS / 10)] == pytest.approx(1.0)
    assert min(jaws[10 : round((480 + HOLD_MS) / 10) - 1]) == pytest.approx(1.0)
    gone = round((480 + HOLD_MS + EASE_MS) / 10) + 2
    assert max(jaws[gone:]) == 0.0
    assert stage.step() < max(MOST, 10 / COME_MS + 0.01)


@pytest.mark.parametrize("silent_ms", [10, 20, 50, 100, 200])
def test_a_hole_in_the_sound_is_no_snap(silent_ms: int) -> None:
    stage = Stage()
    stage.push(stage.speech.samples[: RATE_HZ // 2])
    stage.run(500 + silent_ms)
    stage.push(stage.speech.samples[RATE_HZ // 2 :])
    stage.run(500)
    assert stage.step() < max(MOST, 10 / COME_MS + 0.01)
    assert stage.jaws[-1] == pytest.approx(1.0)


@pytest.mark.parametrize("late_ms", [30, 60, 90, 130, 160, 220, 300, 500])
@pytest.mark.parametrize("from_ms", [0, 500])
def test_frames_that_come_late_do_not_snap(from_ms: int, late_ms: int) -> None:
    stage = Stage(frames_until_ms=from_ms)
    stage.push(stage.speech.samples)
    stage.run(from_ms + late_ms)
    reached_ms = float(from_ms + late_ms)
    first = np.ceil((reached_ms - 40) / 20) * 20
    stage.add_frames(max(first, from_ms), 6000.0, reached_ms)
    stage.run(600)
    assert stage.step() < max(MOST, 10 / COME_MS + 0.01)
    assert stage.jaws[-1] == pytest.approx(1.0)


@pytest.mark.parametrize("played_ms", [20, 50, 500])
@pytest.mark.parametrize("end", [Speaker.hold, lambda speaker: speaker.flush(1)])
def test_when_the_sound_ends_the_mouth_only_closes(
    played_ms: int, end: Callable[[Speaker], object]
) -> None:
    stage = Stage()
    stage.push(stage.speech.samples)
    stage.run(played_ms)
    before = len(stage.jaws)
    end(stage.speaker)
    stage.run(400)
    closing = np.diff(stage.jaws[before:])
    assert closing.max(initial=0.0) <= 0.0
    assert stage.jaws[-1] == 0.0


def test_it_nods_for_what_is_heard_and_for_nothing_else() -> None:
    stage = Stage()
    stage.push(stage.speech.samples)
    stage.run(2500)
    assert sum(np.diff(np.array(stage.pitches) < -BEAT_DEGREES / 2) == 1) >= 2
    assert min(stage.pitches) == pytest.approx(-BEAT_DEGREES, abs=0.05)
    stage.speaker.flush(1)
    stage.pitches.clear()
    stage.run(5000)
    assert np.abs(stage.pitches[50:]).max() < 1e-6


def test_a_word_said_again_has_no_second_nod() -> None:
    stage = Stage()
    stage.push(stage.speech.samples)
    stage.run(600)
    stage.pitches.clear()
    stage.speaker.hold()
    stage.run(300)
    stage.speaker.resume()
    stage.run(800)
    assert np.abs(stage.pitches).max() < 1e-6


def test_what_was_shown_late_counts_with_what_was_drawn_late() -> None:
    stage = Stage(frames_until_ms=500)
    stage.push(stage.speech.samples)
    stage.run(570)
    pose = stage.face.pose()
    stage.run(20)
    stage.face.shown(pose)
    (offset_ms,) = stage.face.offsets_ms
    assert offset_ms == pytest.approx(20 + 90, abs=1)
