"""What every recogniser must do, asked of the real ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import jiwer
import numpy as np
import pytest

from goassist_desktop.pipeline.engines import REGISTRY, create
from goassist_desktop.pipeline.errors import ModelMissing
from goassist_desktop.pipeline.frames import ANALYSIS_RATE_HZ
from goassist_desktop.pipeline.protocols import Recogniser
from tests.engines import sounds
from tests.engines.sounds import PEOPLE, SENTENCES, WORDS, recording

pytestmark = pytest.mark.models

MODELS = {"whisper": "faster-whisper-tiny.en", "moonshine": "moonshine-tiny-en"}
OPTIONAL = {"moonshine"}
"""Engines whose model no profile has; where it was not pulled their tests are skipped."""
CLOUD = {"deepgram"}
"""Nothing is sent to them here; `test_deepgram` has a service of its own."""
SECOND = ANALYSIS_RATE_HZ

UTTERANCES = (
    (0.5, 4.7, "it was the best of times it was the worst of times"),
    (4.7, 8.4, "it was the age of wisdom it was the age of foolishness"),
    (13.0, 17.0, "it was the season of light it was the season of darkness"),
    (17.0, 21.0, "it was the spring of hope it was the winter of despair"),
)
"""Where in "two_cities_1", seconds, and the words."""

NORMAL = jiwer.Compose(
    [
        jiwer.ToLowerCase(),
        jiwer.RemovePunctuation(),
        jiwer.RemoveMultipleSpaces(),
        jiwer.Strip(),
        jiwer.ReduceToListOfListOfWords(),
    ]
)


@pytest.fixture(scope="module", params=sorted({*REGISTRY["recognition"]} - CLOUD))
def engine(request: pytest.FixtureRequest, models: Callable[[str], Path]) -> Iterator[Recogniser]:
    try:
        folder = models(MODELS[request.param])
    except ModelMissing:
        if request.param not in OPTIONAL:
            raise
        pytest.skip(f"optional engine {request.param}: its model was not pulled")
    engine = create("recognition", request.param, folder, threads=2)
    engine.load()
    yield engine
    engine.close()


def word_errors(said: list[str], heard: list[str]) -> float:
    return jiwer.wer(said, heard, reference_transform=NORMAL, hypothesis_transform=NORMAL)


@pytest.mark.parametrize("name", PEOPLE)
def test_words_of_people(engine: Recogniser, name: str) -> None:
    assert word_errors([WORDS[name]], [engine.transcribe(recording(name)).text]) <= 0.10


def test_words_of_a_synthetic_voice(engine: Recogniser) -> None:
    heard = [engine.transcribe(recording(name)).text for name in SENTENCES]
    assert word_errors([WORDS[name] for name in SENTENCES], heard) <= 0.10


@pytest.mark.parametrize("name", PEOPLE)
def test_words_over_the_telephone(engine: Recogniser, name: str) -> None:
    narrow = sounds.over_the_telephone(recording(name))
    assert word_errors([WORDS[name]], [engine.transcribe(narrow).text]) <= 0.10


def test_short_utterances_are_heard_once(engine: Recogniser) -> None:
    """As the microphone gives them: with some silence before and behind, and with little noise."""
    silence = np.zeros(SECOND // 5, np.float32)
    said, heard = [], []
    for start_s, end_s, words in UTTERANCES:
        speech = recording("two_cities_1", start_s, end_s)
        for audio in (
            speech,
            np.concatenate([silence, speech, silence]),
            speech + sounds.noise(end_s - start_s, 0.001)[: speech.size],
        ):
            said.append(words)
            heard.append(engine.transcribe(audio).text)
            assert word_errors([words], heard[-1:]) < 0.5, "half of it may be an accident, no more"
    assert word_errors(said, heard) <= 0.10


def test_a_word_said_many_times(engine: Recogniser) -> None:
    """It looks like a decoder that repeats itself, and is not."""
    said = np.tile(recording("espeak_stop"), 6)
    heard = engine.transcribe(said).text.lower().replace("!", ".").split()
    assert {word.strip(".,") for word in heard} == {"stop"}
    assert 5 <= len(heard) <= 7


@pytest.mark.parametrize("name", ["espeak_thank_you", "espeak_stop", "espeak_wait"])
def test_what_is_often_invented_counts_when_it_is_said(engine: Recogniser, name: str) -> None:
    assert word_errors([WORDS[name]], [engine.transcribe(recording(name)).text]) == 0


@pytest.mark.parametrize("seconds", [1, 5])
@pytest.mark.parametrize("sound", sorted(sounds.not_speech(1)))
def test_no_words_where_nobody_speaks(engine: Recogniser, sound: str, seconds: float) -> None:
    assert engine.transcribe(sounds.not_speech(seconds)[sound]).text == ""


def test_quiet_speech_is_heard(engine: Recogniser) -> None:
    quiet = recording("two_cities_1", 0.5, 4.7) * np.float32(0.1)
    assert "the best of times" in engine.transcribe(quiet).text


def test_the_same_sound_gives_the_same_words(engine: Recogniser) -> None:
    """Whatever was heard in between."""
    audio = recording("two_cities_1", 0.5, 8.4)
    first = engine.transcribe(audio)
    engine.transcribe(recording("beckett"))
    engine.transcribe(sounds.noise(1, 0.1))
    assert engine.transcribe(audio) == first


def test_confidence_tells_clear_speech_from_noise(engine: Recogniser) -> None:
    clear = engine.transcribe(recording("two_cities_1"))
    assert 0.8 < clear.confidence <= 1
    assert 0 <= clear.no_speech < 0.5
    assert engine.transcribe(sounds.noise(3, 0.2)).confidence < 0.6


def test_length(engine: Recogniser) -> None:
    assert engine.transcribe(np.zeros(0, np.float32)).text == ""
    assert engine.transcribe(np.zeros(1, np.float32)).text == ""
    assert engine.transcribe(np.zeros(30 * SECOND, np.float32)).text == ""
    with pytest.raises(ValueError, match="30 s"):
        engine.transcribe(np.zeros(30 * SECOND + 1, np.float32))
    with pytest.raises(ValueError, match="one channel"):
        engine.transcribe(np.zeros((2, SECOND), np.float32))
