"""What the lip-sync network is given to hear."""

from __future__ import annotations

import numpy as np
import pytest

from goassist_desktop.pipeline.engines.speech_features import (
    BANDS,
    FRAME_MS,
    HIGHEST_HZ,
    LOWEST_HZ,
    SILENT_DB,
    WINDOW,
    Audio,
    log_mel,
    loudness_db,
)
from goassist_desktop.pipeline.frames import ANALYSIS_RATE_HZ, Samples


def sine(hz: float, seconds: float = 1.0, level: float = 0.5) -> Samples:
    t = np.arange(round(seconds * ANALYSIS_RATE_HZ)) / ANALYSIS_RATE_HZ
    return (level * np.sin(2 * np.pi * hz * t)).astype(np.float32)


def audio(*pieces: Samples, keep: int = 100_000) -> Audio:
    found = Audio()
    for piece in pieces:
        found.add(piece, keep)
    return found


def mel(hz: float) -> float:
    return 2595 * np.log10(1 + hz / 700)


@pytest.mark.parametrize("hz", [200.0, 440.0, 1000.0, 3000.0, 6000.0])
def test_a_tone_is_in_its_band(hz: float) -> None:
    spectrum = log_mel(audio(sine(hz)), np.array([30]))[0]
    step = (mel(HIGHEST_HZ) - mel(LOWEST_HZ)) / (BANDS + 1)
    assert int(np.argmax(spectrum)) + 1 == pytest.approx((mel(hz) - mel(LOWEST_HZ)) / step, abs=1)


def test_silence_is_zero() -> None:
    quiet = audio(np.zeros(16_000, np.float32))
    assert np.all(log_mel(quiet, np.arange(10)) == 0)
    assert loudness_db(quiet, np.arange(10)) == pytest.approx(SILENT_DB)


def test_loudness_of_a_tone() -> None:
    for level, expected_db in ((1.0, -3.01), (0.1, -23.01)):
        found = loudness_db(audio(sine(440, level=level)), np.arange(20, 40))
        assert found == pytest.approx(expected_db, abs=0.1)


def test_a_frame_lies_at_its_moment() -> None:
    """A click is in the middle of the frame of its time."""
    samples = np.zeros(16_000, np.float32)
    samples[round(21 * FRAME_MS * 16)] = 1.0
    windows = audio(samples).around(np.arange(60), WINDOW)
    assert np.argmax(windows[21]) == WINDOW // 2


def test_pieces_and_the_whole_are_heard_alike() -> None:
    rng = np.random.default_rng(3)
    samples = rng.normal(0, 0.1, 20_000).astype(np.float32)
    frames = np.arange(40, 70)
    whole = log_mel(audio(samples), frames)
    parts = np.split(samples, [1, 700, 9_000, 9_001])
    assert np.array_equal(log_mel(audio(*parts, keep=16_000), frames), whole)


def test_before_the_beginning_and_after_the_end_is_silence() -> None:
    found = audio(sine(440))
    assert np.all(log_mel(found, np.array([-70, -60])) == 0)
    assert np.all(log_mel(found, np.array([70, 600])) == 0)
    assert log_mel(found, np.array([0, 60])).max(axis=1).min() > 0
