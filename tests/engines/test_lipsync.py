"""Whether the built-in face's lips do what is heard: real speech, with phonemes and by ear."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from goassist_desktop import shipped
from goassist_desktop.bench.articulation import (
    CLOSED_MM,
    Score,
    aperture_mm,
    rounding_mm,
    score,
)
from goassist_desktop.pipeline import blendshapes
from goassist_desktop.pipeline.engines.lipsync import LipSync
from goassist_desktop.pipeline.engines.speech_features import FRAME_MS
from goassist_desktop.pipeline.engines.visemes import CHANNELS, UNKNOWN, posture, visemes
from goassist_desktop.pipeline.errors import EngineFailed, ModelMissing
from goassist_desktop.pipeline.frames import ANALYSIS_RATE_HZ, FaceFrame, Phoneme, Speech
from goassist_desktop.pipeline.resampling import joined
from tests.engines.face_contract import animated, length_ms, silence, stacked
from tests.engines.sounds import recording

pytestmark = pytest.mark.models

SENTENCES = (
    "Bob may move the piano to a bigger room above the shop.",
    "Five of us would help you put it over there before lunch.",
    "The capital of France is Paris, which lies on the river Seine.",
    "I can help you plan a short trip to the mountains this weekend.",
    "Yes, of course, a spider has eight legs and no wings.",
    "My favorite number is fifty five, but people prefer simple problems.",
    "Who knew you would choose two blue shoes and a brown coat?",
    "We drove past a boat that moved slowly over the open water.",
    "Probably everybody remembers the summer when the bumblebees came back.",
)
SHARES = ("closure", "labiodental", "rounding", "opening", "false_rounding")


@pytest.fixture(scope="module")
def engine() -> Iterator[LipSync]:
    engine = LipSync(shipped.folder(), threads=1)
    engine.load()
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def spoken(speak: Callable[[str], Speech]) -> list[Speech]:
    return [speak(text) for text in SENTENCES]


def by_ear(speech: Speech) -> Speech:
    return replace(speech, phonemes=())


def sounds_ms(speech: Speech) -> list[tuple[str, float, float]]:
    per_ms = speech.rate_hz / 1000
    return [(p.symbol, p.start / per_ms, p.end / per_ms) for p in speech.phonemes]


def judged(engine: LipSync, spoken: Sequence[Speech], *, ear: bool) -> list[Score]:
    return [
        score(animated(engine, [by_ear(s) if ear else s]), sounds_ms(s), speech=s) for s in spoken
    ]


def share(scores: Sequence[Score], name: str) -> float:
    """Percent of all events of the scores, of which there must be enough to tell."""
    counts = [found.events[name] for found in scores]
    assert sum(counts) >= 20
    hits = [n * getattr(found, name) for found, n in zip(scores, counts, strict=True) if n]
    return sum(hits) / sum(counts)


# -- with phonemes -------------------------------------------------------------------------------


def test_lips_do_what_the_phonemes_say(engine: LipSync, spoken: list[Speech]) -> None:
    scores = judged(engine, spoken, ear=False)
    found = {name: share(scores, name) for name in SHARES}
    print(found)
    assert found["closure"] >= 95
    assert found["labiodental"] >= 95
    assert found["rounding"] >= 95
    assert found["opening"] >= 90
    assert found["false_rounding"] <= 12
    assert max(s.silence_mm for s in scores if s.silence_mm is not None) < 0.2
    assert max(s.jerk for s in scores) < 60_000
    assert abs(np.median([s.lag_ms for s in scores])) <= 40
    assert np.median([s.correlation for s in scores]) > 0.4


def test_the_openings_are_those_of_conversation(engine: LipSync, spoken: list[Speech]) -> None:
    weights = np.concatenate([stacked(animated(engine, [speech])) for speech in spoken])
    jaw = weights[:, blendshapes.INDEX["jawOpen"]]
    assert 0.3 < np.percentile(jaw, 98) < 0.5
    assert 0.08 < jaw.mean() < 0.25
    assert 4 < aperture_mm(weights).mean() < 9


def test_the_mouth_moves_before_its_sound_but_not_before_the_reply(engine: LipSync) -> None:
    """Half a second of silence, then a round vowel, then an open one."""
    rate_hz = 24_000
    samples = np.zeros(rate_hz * 2, np.float32)
    samples[rate_hz // 2 : rate_hz] = 0.1 * np.sin(np.arange(rate_hz // 2) / 20)
    ms = rate_hz // 1000
    vowels = (Phoneme("uː", 500 * ms, 700 * ms), Phoneme("ɑː", 700 * ms, 1000 * ms))
    frames = animated(engine, [Speech(samples, rate_hz, (), vowels)])
    times = np.array([frame.at_ms for frame in frames])
    rounded = rounding_mm(stacked(frames))
    before_ms = 500 - times[rounded > 0.2 * rounded.max()][0]
    assert 40 <= before_ms <= 130
    assert rounded[times < 350].max() < 0.3
    assert aperture_mm(stacked(frames))[times > 1250].max() < 0.3
    early = animated(engine, [Speech(samples[rate_hz // 2 :], rate_hz, (), tuple(
        replace(v, start=v.start - 500 * ms, end=v.end - 500 * ms) for v in vowels
    ))])  # fmt: skip
    assert early[0].at_ms == 0
    assert np.all(early[0].weights == 0)


def test_a_vowel_leaves_its_mark_on_the_consonant_before_it(engine: LipSync) -> None:
    """The s of "soon" is rounder than that of "seen", the jaw of "tot" lower than that of "tit"."""

    def middle(*symbols: str) -> np.ndarray:
        rate_hz, step = 24_000, 24 * 80
        told = tuple(
            Phoneme(symbol, 12_000 + i * step, 12_000 + (i + 1) * step)
            for i, symbol in enumerate(symbols)
        )
        samples = (0.1 * np.sin(np.arange(30_000) / 20)).astype(np.float32)
        frames = animated(engine, [Speech(samples, rate_hz, (), told)])
        return frames[round(540 / FRAME_MS)].weights

    assert rounding_mm(middle("s", "u", "n")) > rounding_mm(middle("s", "i", "n")) + 2
    assert aperture_mm(middle("t", "ɑ", "t")) > aperture_mm(middle("t", "ɪ", "t")) + 0.5


def test_a_diphthong_glides(engine: LipSync, speak: Callable[[str], Speech]) -> None:
    speech = speak("Aye, I do, oh no.")
    frames = animated(engine, [speech])
    times = [frame.at_ms for frame in frames]
    jaw = stacked(frames)[:, blendshapes.INDEX["jawOpen"]]
    pucker = stacked(frames)[:, blendshapes.INDEX["mouthPucker"]]
    for symbol, start, end in sounds_ms(speech):
        early, late = start + 0.35 * (end - start), start + 0.95 * (end - start)
        if symbol == "aɪ":
            assert np.interp(late, times, jaw) < np.interp(early, times, jaw) - 0.03
        if symbol == "oʊ":
            assert np.interp(late, times, pucker) > 0.2


def test_a_murmur_opens_less_and_closes_as_well(engine: LipSync, spoken: list[Speech]) -> None:
    loud = [replace(s, samples=s.samples * np.float32(1.0)) for s in spoken]
    soft = [replace(s, samples=s.samples * np.float32(0.06)) for s in spoken]

    def opening(speeches: list[Speech]) -> float:
        return np.mean([aperture_mm(stacked(animated(engine, [s]))).mean() for s in speeches])

    assert 0.5 < opening(soft) / opening(loud) < 0.85
    assert share(judged(engine, soft, ear=False), "closure") >= 95


def cut(speech: Speech, at: int) -> list[Speech]:
    """In two pieces at a sample, each with its own phonemes."""
    first = tuple(p for p in speech.phonemes if p.end <= at)
    second = tuple(
        replace(p, start=p.start - at, end=p.end - at) for p in speech.phonemes[len(first) :]
    )
    return [
        Speech(speech.samples[:at], speech.rate_hz, (), first),
        Speech(speech.samples[at:], speech.rate_hz, (), second),
    ]


@pytest.mark.parametrize("ear", [False, True])
def test_pieces_join_smoothly(engine: LipSync, spoken: list[Speech], ear: bool) -> None:
    """Cut between two words, a sentence is spoken as if it were whole."""
    for speech in spoken:
        at = speech.words[len(speech.words) // 2].start
        pieces = cut(speech, at)
        if ear:
            speech, pieces = by_ear(speech), [by_ear(piece) for piece in pieces]
        whole, parts = animated(engine, [speech]), animated(engine, pieces)
        assert len(whole) == len(parts)
        assert np.abs(stacked(whole) - stacked(parts)).max() < 0.03


def test_what_is_given_again_with_the_next_piece_is_its_end(
    engine: LipSync, spoken: list[Speech]
) -> None:
    first, second = cut(spoken[0], spoken[0].words[6].start)
    stream = engine.open()
    provisional = {f.at_ms: f.weights for f in stream.push(first)}
    again = [f for f in stream.push(second) if f.at_ms < length_ms(first)]
    assert 100 < length_ms(first) - again[0].at_ms <= 200
    # It did not know that more would come: the mouth had begun to shut.
    apart = [aperture_mm(provisional[f.at_ms]) - aperture_mm(f.weights) for f in again]
    assert apart[-1] < -1
    assert abs(apart[0]) < 0.5
    stream.close()


def test_symbols_nobody_told_us_of(engine: LipSync, spoken: list[Speech]) -> None:
    strange = ("", "?", "ʘ", "xyz", "t͡ʃ", "ãː", "\u02c8", "日", "n̩")
    speech = spoken[0]
    told = tuple(
        replace(p, symbol=strange[i % len(strange)]) for i, p in enumerate(speech.phonemes)
    )
    weights = stacked(animated(engine, [replace(speech, phonemes=told)]))
    assert np.isfinite(weights).all()
    assert aperture_mm(weights).max() > 2
    assert visemes("ʘ") == [(UNKNOWN, 1.0)]
    assert [v for v, _ in visemes("t͡ʃ")] == [visemes("t")[0][0], visemes("ʃ")[0][0]]
    assert visemes("ãː") == visemes("a")


def test_the_voice_has_no_sound_without_a_mouth(speak: Callable[[str], Speech]) -> None:
    texts = (
        "Thirty-three wooden buttons, bottled water, a little kitten and the cotton mill",
        "The measure of pleasure, church, judge, thing, they, singing, yacht",
        "Sure, poor, more, boy, noise, how, loud, bird, about, roses, human, happy",
    )
    heard = {p.symbol for text in texts for p in speak(text).phonemes}
    assert len(heard) > 38
    unknown = {s for s in heard if any(v is UNKNOWN for v, _ in visemes(s))} - {"ə", "ᵊ"}
    assert not unknown


def test_phonemes_that_can_not_be(engine: LipSync, spoken: list[Speech]) -> None:
    """Backwards, empty, outside of the sound, all at once: a mouth all the same."""
    speech = spoken[1]
    end = len(speech.samples)
    told = (
        Phoneme("a", 5000, 4000), Phoneme("b", 3000, 3000), Phoneme("o", end - 10, end + 90_000),
        Phoneme("m", end + 5000, end + 9000), Phoneme("i", -4000, 2000), Phoneme("u", 0, end),
    )  # fmt: skip
    weights = stacked(animated(engine, [replace(speech, phonemes=told)]))
    assert np.isfinite(weights).all()
    assert weights.min() >= 0
    assert weights.max() <= 1


def test_closed_lips_stay_closed_whatever_the_jaw_does() -> None:
    for symbol in ("a", "u", "s", "l", "i"):
        channels = np.array([visemes(symbol)[0][0].target])
        sealed = posture(channels, np.array([[1.0, 0.0]], np.float32))
        assert aperture_mm(sealed)[0] == 0
    wide = np.array([visemes("a")[0][0].target])
    assert rounding_mm(posture(np.array([visemes("u")[0][0].target]), np.ones((1, 2)))) > 3
    assert aperture_mm(posture(wide, np.zeros((1, 2)))) > 10
    assert wide.shape == (1, len(CHANNELS))


# -- by ear --------------------------------------------------------------------------------------


def test_lips_do_what_is_heard(engine: LipSync, spoken: list[Speech]) -> None:
    """Less than with phonemes: a p and a t differ little in sound until they are over."""
    scores = judged(engine, spoken, ear=True)
    found = {name: share(scores, name) for name in SHARES}
    print(found)
    assert found["closure"] >= 90
    assert found["labiodental"] >= 85
    assert found["rounding"] >= 85
    assert found["opening"] >= 90
    assert found["false_rounding"] <= 20
    assert max(s.silence_mm for s in scores if s.silence_mm is not None) < CLOSED_MM
    assert max(s.jerk for s in scores) < 60_000
    assert abs(np.median([s.lag_ms for s in scores])) <= 40


def test_the_ear_agrees_with_the_phonemes(engine: LipSync, spoken: list[Speech]) -> None:
    heard = np.concatenate([stacked(animated(engine, [by_ear(s)])) for s in spoken])
    told = np.concatenate([stacked(animated(engine, [s])) for s in spoken])
    for measure, least in ((aperture_mm, 0.75), (rounding_mm, 0.65)):
        assert np.corrcoef(measure(heard), measure(told))[0, 1] > least


PAUSES = {
    "two_cities_1": ((0.0, 1.0), (4.65, 4.85), (8.35, 8.55), (12.95, 13.3)),
}
"""Seconds without speech, as an ear finds them."""


@pytest.mark.parametrize("name", ["two_cities_1", "beckett", "espeak_story", "espeak_weather"])
def test_voices_it_was_not_taught(engine: LipSync, name: str) -> None:
    """People and another synthesiser: the mouth follows the loudness, and is shut in pauses."""
    speech = Speech(recording(name, 0, 14), ANALYSIS_RATE_HZ)
    frames = animated(engine, [speech])
    found = score(frames, [], speech=speech)
    assert found.lag_ms is not None
    assert -80 <= found.lag_ms <= 40
    assert found.correlation is not None
    assert found.correlation > 0.35
    apart = aperture_mm(stacked(frames))
    assert 2 < np.percentile(apart, 80) < 14
    times = np.array([frame.at_ms for frame in frames]) / 1000
    for start_s, end_s in PAUSES.get(name, ()):
        assert np.median(apart[(times > start_s) & (times < end_s)]) < 1.5


def test_it_does_not_hear_further_than_it_may(engine: LipSync, spoken: list[Speech]) -> None:
    """What is said more than 60 ms later changes nothing."""
    samples = spoken[0].samples
    changed = samples.copy()
    at_ms = 1500.0
    changed[36_000:] = spoken[1].samples[20_000:][: changed.size - 36_000]
    one, other = (animated(engine, [Speech(s, 24_000)]) for s in (samples, changed))
    reached_ms = [a.at_ms for a, b in zip(one, other, strict=False)
                  if np.abs(a.weights - b.weights).max() > 1e-3]  # fmt: skip
    assert at_ms - 62 < reached_ms[0] < at_ms


def test_it_is_small_and_quick(engine: LipSync, spoken: list[Speech]) -> None:
    assert (shipped.folder() / "lipsync.onnx").stat().st_size < 2e6
    speech = by_ear(joined(spoken))
    began = time.thread_time()
    frames = animated(engine, [speech])
    assert (time.thread_time() - began) * 1000 / len(frames) < 2


def test_pieces_with_phonemes_and_without_meet_smoothly(
    engine: LipSync, spoken: list[Speech]
) -> None:
    told, heard, pause = spoken[0], by_ear(spoken[1]), silence(0.02)
    weights = stacked(animated(engine, [told, heard, pause, told, pause, heard]))
    alone = [np.abs(np.diff(stacked(animated(engine, [s])), axis=0)).max() for s in (told, heard)]
    assert np.abs(np.diff(weights, axis=0)).max() <= max(alone) + 0.02


# -- its file ------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["absent", "empty", "cut", "other", "another network"])
def test_a_file_that_is_not_what_it_should_be(
    fault: str, models: Callable[[str], Path], tmp_path: Path
) -> None:
    whole = shipped.folder() / "lipsync.onnx"
    broken = tmp_path / "lipsync.onnx"
    if fault == "empty":
        broken.touch()
    elif fault == "cut":
        broken.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    elif fault == "other":
        broken.write_bytes(b"<html>404 Not Found</html>" * 10)
    elif fault == "another network":
        shutil.copy(models("silero-vad") / "silero_vad.onnx", broken)
    engine = LipSync(tmp_path, threads=1)
    with pytest.raises(ModelMissing, match=str(broken)) as caught:
        engine.load()
    assert "\n" not in str(caught.value)
    with pytest.raises(EngineFailed, match="not loaded"):
        engine.open()
    shutil.copy(whole, broken)
    engine.load()
    assert list(engine.open().push(silence(0.1)))
    engine.close()


def test_it_is_loaded_once_and_closed_for_good() -> None:
    engine = LipSync(shipped.folder(), threads=1)
    assert engine.info.licence == "Apache-2.0"
    engine.close()
    with pytest.raises(EngineFailed, match="not loaded"):
        engine.open()
    engine.load()
    engine.load()
    stream = engine.open()
    engine.close()
    engine.close()
    with pytest.raises(EngineFailed, match="not loaded"):
        engine.open()
    assert list(stream.push(silence(0.1)))  # a reply that was begun may end


def test_frames_are_sixty_a_second(engine: LipSync, spoken: list[Speech]) -> None:
    frames: list[FaceFrame] = animated(engine, spoken[:2])
    assert np.allclose(np.diff([frame.at_ms for frame in frames]), FRAME_MS)
    assert frames[-1].at_ms > length_ms(joined(spoken[:2])) + 150
