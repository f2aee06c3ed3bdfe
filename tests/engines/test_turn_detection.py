"""What every turn detector must do, asked of the real ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from goassist_desktop.pipeline.engines import REGISTRY, create
from goassist_desktop.pipeline.frames import ANALYSIS_RATE_HZ, Samples
from goassist_desktop.pipeline.protocols import TurnDetector
from tests.engines import sounds
from tests.engines.sounds import recording

pytestmark = pytest.mark.models

MODELS = {"smart-turn": "smart-turn-v3.2"}
SILENCE = np.zeros(ANALYSIS_RATE_HZ // 5, np.float32)
"""How much of it has passed when the detector is asked."""

SENTENCES_S = ((0.5, 4.4), (4.7, 8.2), (8.4, 12.7), (13.0, 16.6), (17.0, 20.5))
"""Where "it was the ..., it was the ..." is said in the recording, seconds."""


@pytest.fixture(scope="module", params=sorted(REGISTRY["turn_detection"]))
def engine(request: pytest.FixtureRequest, models: Callable[[str], Path]) -> Iterator[TurnDetector]:
    engine = create("turn_detection", request.param, models(MODELS[request.param]), threads=1)
    engine.load()
    yield engine
    engine.close()


def spoken(name: str, part: float = 1) -> Samples:
    """A recording without the silence at its ends, or the first part of it."""
    audio = recording(name)
    loud = np.flatnonzero(np.abs(audio) > 0.01)
    return audio[loud[0] : loud[0] + round(part * (loud[-1] - loud[0]))]


@pytest.mark.parametrize("name", sounds.PEOPLE)
def test_a_finished_utterance(engine: TurnDetector, name: str) -> None:
    assert engine.finished(np.concatenate([spoken(name), SILENCE])) > 0.8


@pytest.mark.parametrize("name", sounds.PEOPLE)
def test_an_utterance_cut_in_the_middle_of_a_word(engine: TurnDetector, name: str) -> None:
    assert engine.finished(spoken(name, 0.55)) < 0.3


def test_sentences_and_their_beginnings(engine: TurnDetector) -> None:
    whole = [recording("two_cities_1", start, end) for start, end in SENTENCES_S]
    cut = [sentence[: round(0.75 * sentence.size)] for sentence in whole]
    assert np.median([engine.finished(np.concatenate([s, SILENCE])) for s in whole]) > 0.8
    assert np.median([engine.finished(s) for s in cut]) < 0.2


def test_only_the_last_eight_seconds_count(engine: TurnDetector) -> None:
    audio = recording("two_cities_1")
    assert engine.finished(audio) == engine.finished(audio[-8 * ANALYSIS_RATE_HZ :])


@pytest.mark.parametrize("gain", [0.1, 0.5, 3])
def test_the_level_does_not_count(engine: TurnDetector, gain: float) -> None:
    """As far as the decision goes; the network itself, of 8 bits, moves by a tenth or two."""
    assert engine.finished(spoken("two_cities_1") * np.float32(gain)) > 0.5
    assert engine.finished(spoken("two_cities_1", 0.55) * np.float32(gain)) < 0.5


def test_the_same_sound_gives_the_same_answer(engine: TurnDetector) -> None:
    audio = spoken("beckett")
    first = engine.finished(audio)
    engine.finished(spoken("two_cities_2"))
    assert engine.finished(audio) == first


@pytest.mark.parametrize("samples", [0, 1, 100, 8 * 16_000 - 1, 8 * 16_000 + 1, 30 * 16_000])
def test_any_length(engine: TurnDetector, samples: int) -> None:
    assert 0 <= engine.finished(np.zeros(samples, np.float32)) <= 1
    assert 0 <= engine.finished(sounds.noise(30, 0.1)[:samples]) <= 1
