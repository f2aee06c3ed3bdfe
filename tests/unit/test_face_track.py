"""The frames of one reply: which is seen when, what is refused, and where its phrases begin."""

import numpy as np
import pytest

from goassist_desktop.pipeline import blendshapes
from goassist_desktop.pipeline.errors import EngineFailed
from goassist_desktop.pipeline.face import BEATS_APART_MS, GAP_MS, JOIN_MS, Track
from goassist_desktop.pipeline.frames import FaceFrame, Speech, Word

RATE_HZ = 24_000
JAW = blendshapes.INDEX["jawOpen"]


def speech(text: str, seconds_a_word: float = 0.3) -> Speech:
    step = round(seconds_a_word * RATE_HZ)
    words = [Word(word, n * step, (n + 1) * step) for n, word in enumerate(text.split())]
    return Speech(np.zeros(len(words) * step, np.float32), RATE_HZ, tuple(words))


def frame(at_ms: float, jaw: float) -> FaceFrame:
    return FaceFrame(at_ms, blendshapes.weights(jawOpen=jaw))


def track(*frames: tuple[float, float], seconds: float = 10.0) -> Track:
    made = Track(1)
    made.add_speech(Speech(np.zeros(round(seconds * RATE_HZ), np.float32), RATE_HZ))
    for at_ms, jaw in frames:
        made.add(frame(at_ms, jaw))
    return made


def jaw_at(made: Track, ms: float) -> tuple[float, float]:
    weights, missing_ms = made.sample(ms)
    return float(weights[JAW]), missing_ms


def test_between_two_frames_it_is_between_them() -> None:
    made = track((0, 0.0), (40, 0.4))
    assert jaw_at(made, 10) == (pytest.approx(0.1), 0.0)
    assert jaw_at(made, 40) == (pytest.approx(0.4), 0.0)


def test_after_the_last_frame_it_says_for_how_long_there_is_none() -> None:
    made = track((0, 0.0), (40, 0.4))
    assert jaw_at(made, 190) == (pytest.approx(0.4), 150.0)
    assert track().sample(300)[1] == 300.0


def test_a_frame_replaces_the_one_of_its_time_in_any_order() -> None:
    made = track((0, 0.2), (20, 0.5), (40, 0.4), (20, 0.9))
    assert jaw_at(made, 20) == (pytest.approx(0.9), 0.0)
    assert jaw_at(made, 30) == (pytest.approx(0.65), 0.0)


def test_after_a_gap_it_comes_from_what_was_held() -> None:
    late = 40 + GAP_MS + 60
    made = track((0, 0.4), (40, 0.4), (late, 0.8), (late + JOIN_MS / 2, 0.8), (late + JOIN_MS, 0.8))
    assert jaw_at(made, 40 + GAP_MS)[1] == GAP_MS, "not joined to what is far away"
    assert jaw_at(made, late)[0] == pytest.approx(0.4)
    assert jaw_at(made, late + JOIN_MS / 2)[0] == pytest.approx(0.6)
    assert jaw_at(made, late + JOIN_MS)[0] == pytest.approx(0.8)


def test_a_late_frame_does_not_snap() -> None:
    made = track((0, 0.2), (20, 0.2))
    for n in range(4, 20):
        made.add(frame(n * 20, 1.0), reached_ms=90)
    values = [jaw_at(made, ms)[0] for ms in range(80, 260, 10)]
    assert values[0] == pytest.approx(0.2) and values[-1] == pytest.approx(1.0)
    assert max(np.diff(values)) <= 0.15


def test_another_engine_goes_on_from_where_the_last_one_was() -> None:
    made = track(*[(n * 20, 0.8) for n in range(20)])
    made.cut(200)
    for n in range(8, 30):
        made.add(frame(n * 20, 0.2))
    assert jaw_at(made, 200)[0] == pytest.approx(0.8)
    assert jaw_at(made, 200 + JOIN_MS / 2)[0] == pytest.approx(0.5, abs=0.06)
    assert jaw_at(made, 200 + JOIN_MS)[0] == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("at_ms", "weights", "why"),
    [
        (0.0, np.full(52, np.nan), "not a number"),
        (np.inf, np.zeros(52), "not a number"),
        (0.0, np.zeros(51), "51"),
        (20_000.0, np.zeros(52), "a reply of 10000 ms"),
        (-5000.0, np.zeros(52), "-5000 ms"),
    ],
)
def test_what_can_not_be_a_frame_is_refused(at_ms: float, weights: np.ndarray, why: str) -> None:
    made = track((0, 0.5))
    with pytest.raises(EngineFailed, match=why):
        made.add(FaceFrame(at_ms, weights.astype(np.float32)))
    assert jaw_at(made, 0) == (0.5, 0.0)


def test_a_sentence_has_its_beat_wherever_its_pieces_are_cut() -> None:
    made = Track(1)
    made.add_speech(speech("The moon is"))
    made.add_speech(speech("made of rock. It is cold."))
    assert made.beats == pytest.approx([0, 6 * 300])


def test_a_phrase_has_one_only_far_from_the_one_before() -> None:
    made = Track(1)
    made.add_speech(speech("Well, " + "now " * 8 + "then, on."))
    (first, second) = made.beats
    assert first == 0 and second == pytest.approx(10 * 300)
    assert second - first >= BEATS_APART_MS
