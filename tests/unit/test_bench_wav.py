"""Measurements on recordings alone, against recordings whose every sample is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from goassist_desktop.bench import wav
from goassist_desktop.bench.wav import Stretch
from goassist_desktop.pipeline.frames import Samples

RATE_HZ = 1000
"""One sample is a millisecond."""


def sound(length: int, *stretches: tuple[int, int], level: float = 0.1) -> Samples:
    """Full-level samples in the stretches, and the faintest sound of a room everywhere else."""
    samples = np.full(length, 10 ** (-60 / 20), np.float32)
    for start, end in stretches:
        samples[start:end:2] = level
        samples[start + 1 : end : 2] = -level
    return samples


def test_a_recording_is_loaded_whole_and_with_its_rate(tmp_path: Path) -> None:
    samples = sound(48_000, (100, 200))
    soundfile.write(tmp_path / "mic.wav", samples, 48_000, "PCM_16")
    loaded, rate_hz = wav.load(tmp_path / "mic.wav")
    assert rate_hz == 48_000
    assert loaded.dtype == np.float32
    assert np.allclose(loaded, samples, atol=1 / 32768)


def test_stretches_are_joined_over_gaps_shorter_than_asked() -> None:
    samples = sound(1000, (100, 200), (250, 300), (351, 400))
    found = wav.stretches(samples, RATE_HZ, floor_dbfs=-40, gap_ms=51)
    assert found == [Stretch(100, 300), Stretch(351, 400)]


def test_what_stays_under_the_floor_is_no_sound() -> None:
    samples = sound(1000, (100, 200), level=10 ** (-41 / 20))
    assert wav.stretches(samples, RATE_HZ, floor_dbfs=-40, gap_ms=50) == []
    assert wav.stretches(samples, RATE_HZ, floor_dbfs=-42, gap_ms=50) == [Stretch(100, 200)]


def test_a_pause_inside_a_question_does_not_end_it() -> None:
    mic = sound(6000, (500, 1000), (1900, 2400), (3500, 4000))
    assert wav.utterances(mic, RATE_HZ) == [Stretch(500, 2400), Stretch(3500, 4000)]


def test_the_gap_is_from_the_last_sample_said_to_the_first_heard() -> None:
    said = [Stretch(500, 1000), Stretch(5000, 5500)]
    replied = [Stretch(1600, 2000), Stretch(2300, 2500), Stretch(6250, 7000)]
    assert wav.gaps_ms(said, replied, RATE_HZ) == [601.0, 751.0]


def test_a_question_without_a_reply_of_its_own_has_no_gap() -> None:
    said = [Stretch(500, 1000), Stretch(5000, 5500), Stretch(9000, 9500)]
    during_the_first = Stretch(700, 800)
    assert wav.gaps_ms(said, [during_the_first, Stretch(6000, 6100)], RATE_HZ) == [
        None,
        501.0,
        None,
    ]


@pytest.mark.parametrize(
    ("loudspeaker", "expected"),
    [
        (sound(2000, (0, 1100)), 100.0),
        (sound(2000, (0, 1050), (1150, 1300)), 300.0),  # a gap of 100 ms inside a word
        (sound(2000, (0, 1050), (1200, 1300)), 50.0),  # silent, although it resumed later
        (sound(2000, (0, 900)), 0.0),
        (sound(2000, (0, 2000)), None),
        (sound(2000, (0, 1900)), None),  # ends before it was silent for long enough
        (sound(2000, (0, 1850)), 850.0),
    ],
)
def test_silence_is_when_the_loudspeaker_falls_and_stays_silent(
    loudspeaker: Samples, expected: float | None
) -> None:
    assert wav.onset_to_silence_ms(loudspeaker, RATE_HZ, 1000) == expected
