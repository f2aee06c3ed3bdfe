"""Clips and the words in them at another rate."""

from __future__ import annotations

import numpy as np
import pytest

from goassist_desktop.pipeline.frames import Speech, Word
from goassist_desktop.pipeline.resampling import at_rate, joined, resample


def tone(rate_hz: int, count: int, tone_hz: float = 440.0) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * tone_hz * np.arange(count) / rate_hz)).astype(np.float32)


def click(count: int, at: int) -> np.ndarray:
    samples = np.zeros(count, np.float32)
    samples[at] = 1.0
    return samples


@pytest.mark.parametrize(
    ("rate_hz", "to_hz"), [(44_100, 48_000), (22_050, 48_000), (48_000, 16_000), (16_000, 44_100)]
)
@pytest.mark.parametrize("count", [1, 7, 1_000, 44_101])
def test_length_and_type(rate_hz: int, to_hz: int, count: int) -> None:
    out = resample(tone(rate_hz, count), rate_hz, to_hz)
    assert out.shape == (round(count * to_hz / rate_hz),)
    assert out.dtype == np.float32


def test_nothing_stays_nothing() -> None:
    assert len(resample(np.zeros(0, np.float32), 44_100, 48_000)) == 0


def test_a_tone_is_the_same_tone_in_step() -> None:
    out = resample(tone(44_100, 44_100), 44_100, 48_000)
    assert np.abs(out - tone(48_000, 48_000))[480:-480].max() < 1e-3


def test_what_does_not_fit_the_lower_rate_is_gone() -> None:
    out = resample(tone(48_000, 48_000, 12_000.0), 48_000, 16_000)
    assert np.abs(out[160:-160]).max() < 1e-3


def test_the_same_rate_changes_no_sample() -> None:
    samples = tone(48_000, 100)
    assert np.array_equal(resample(samples, 48_000, 48_000), samples)


def test_words_stay_where_they_sound() -> None:
    speech = Speech(click(44_100, 11_025), 44_100, (Word("tick", 11_025, 22_050),))
    out = at_rate(speech, 48_000)
    assert (out.rate_hz, len(out.samples)) == (48_000, 48_000)
    assert out.words == (Word("tick", 12_000, 24_000),)
    assert np.argmax(out.samples) == out.words[0].start


def test_joined_pieces_follow_each_other_with_their_words() -> None:
    first = Speech(click(1_000, 300), 48_000, (Word("one", 300, 700),))
    pause = Speech(np.zeros(50, np.float32), 48_000, ())
    second = Speech(click(500, 20), 48_000, (Word("two", 20, 90), Word("three", 90, 500)))
    whole = joined([first, pause, second])
    assert (whole.rate_hz, len(whole.samples)) == (48_000, 1_550)
    assert whole.words == (
        Word("one", 300, 700),
        Word("two", 1_070, 1_140),
        Word("three", 1_140, 1_550),
    )
    assert list(np.flatnonzero(whole.samples)) == [300, 1_070]
