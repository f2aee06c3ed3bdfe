"""What every voice activity detector must do, asked of the real ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from goassist_desktop.pipeline.engines import REGISTRY, create
from goassist_desktop.pipeline.frames import Samples
from goassist_desktop.pipeline.protocols import VoiceActivity, VoiceActivityStream
from tests.engines import sounds
from tests.engines.sounds import recording

pytestmark = pytest.mark.models

MODELS = {"silero": "silero-vad"}


@pytest.fixture(scope="module", params=sorted(REGISTRY["voice_activity"]))
def engine(
    request: pytest.FixtureRequest, models: Callable[[str], Path]
) -> Iterator[VoiceActivity]:
    engine = create("voice_activity", request.param, models(MODELS[request.param]), threads=1)
    engine.load()
    yield engine
    engine.close()


def frames(stream: VoiceActivityStream, audio: Samples) -> Samples:
    """The audio in frames (count, frame_samples), without what is left over."""
    size = stream.frame_samples
    return audio[: audio.size // size * size].reshape(-1, size)


def probabilities(stream: VoiceActivityStream, audio: Samples) -> np.ndarray:
    return np.array([stream.probability(frame) for frame in frames(stream, audio)])


def test_speech_and_the_pauses_between(engine: VoiceActivity) -> None:
    """Seconds of the recording as an ear finds them."""
    stream = engine.open()
    found = probabilities(stream, recording("two_cities_1", 0, 14.5))
    times = (np.arange(found.size) + 0.5) * stream.frame_samples / 16_000
    assert np.all((found >= 0) & (found <= 1))
    for start, end in ((1.3, 2.9), (3.2, 4.3), (5.2, 6.1), (6.8, 8.0), (9.1, 10.1), (11.1, 12.6)):
        assert np.mean(found[(times > start) & (times < end)] > 0.5) > 0.95, (start, end)
    for start, end in ((0.0, 1.0), (4.65, 4.85), (8.35, 8.55), (12.95, 13.3)):
        assert np.mean(found[(times > start) & (times < end)] > 0.5) < 0.05, (start, end)


@pytest.mark.parametrize("sound", ["silence", "a quiet room", "noise", "loud noise", "click"])
def test_sounds_that_are_not_speech(engine: VoiceActivity, sound: str) -> None:
    assert probabilities(engine.open(), sounds.not_speech(5)[sound]).max() < 0.5


def test_the_onset_is_found_within_three_frames(engine: VoiceActivity) -> None:
    stream = engine.open()
    quiet = sounds.noise(2, 0.0003)[: 60 * stream.frame_samples]
    speech = recording("two_cities_1", 1.3, 2.5)
    found = probabilities(stream, np.concatenate([quiet, speech]))
    assert found[:60].max() < 0.5
    assert found[60:63].max() > 0.5


def test_streams_share_nothing(engine: VoiceActivity) -> None:
    speech, other = recording("two_cities_1", 1, 6), recording("beckett", 0, 5)
    alone = probabilities(engine.open(), speech)
    one, two = engine.open(), engine.open()
    together = []
    for a, b in zip(frames(one, speech), frames(two, other), strict=True):
        together.append(one.probability(a))
        two.probability(b)
    assert together == alone.tolist()


def test_a_frame_is_judged_by_those_before_it(engine: VoiceActivity) -> None:
    """Without what is carried along, the vowel of a second frame differs from that of a first."""
    stream = engine.open()
    speech = frames(stream, recording("two_cities_1", 1.3, 2.5))
    carried = [stream.probability(frame) for frame in speech]
    fresh = [engine.open().probability(frame) for frame in speech]
    assert np.mean(carried) > 0.9
    assert np.mean(fresh) < np.mean(carried) - 0.2


def test_other_lengths_are_refused_and_leave_the_state_alone(engine: VoiceActivity) -> None:
    speech = recording("two_cities_1", 1.3, 2.5)
    expected = probabilities(engine.open(), speech)
    stream = engine.open()
    found = []
    for frame in frames(stream, speech):
        for size in (0, 1, stream.frame_samples - 1, stream.frame_samples + 1, 1536):
            with pytest.raises(ValueError, match=str(stream.frame_samples)):
                stream.probability(np.ones(size, np.float32))
        with pytest.raises(ValueError, match=str(stream.frame_samples)):
            stream.probability(frame[np.newaxis])
        found.append(stream.probability(frame))
    assert found == expected.tolist()


def test_the_frame_given_is_not_kept(engine: VoiceActivity) -> None:
    """A caller may fill the same buffer again and again."""
    speech = recording("two_cities_1", 1.3, 2.5)
    expected = probabilities(engine.open(), speech)
    stream = engine.open()
    buffer = np.zeros(stream.frame_samples, np.float32)
    found = []
    for frame in frames(stream, speech):
        buffer[:] = frame
        found.append(stream.probability(buffer))
        buffer[:] = 1
    assert found == expected.tolist()
