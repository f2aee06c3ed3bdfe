"""Replies for face engines on made-up models, and what they make of them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from goassist_desktop.pipeline.frames import ANALYSIS_RATE_HZ, FaceFrame, Samples, Speech
from goassist_desktop.pipeline.protocols import FaceEngine

FRAME_MS = 1000 / 30


def babble(seconds: float, seed: int = 0) -> Samples:
    """Noise at 16 kHz that swells and fades as syllables do."""
    count = round(seconds * ANALYSIS_RATE_HZ)
    swell = np.abs(np.sin(np.arange(count) / ANALYSIS_RATE_HZ * 2 * np.pi * 2.3))
    noise = np.random.default_rng(seed).normal(0, 0.2, count)
    return (swell * noise).astype(np.float32)


def click(seconds: float, at_ms: float) -> Samples:
    """Silence at 16 kHz, but for 5 ms."""
    samples = np.zeros(round(seconds * ANALYSIS_RATE_HZ), np.float32)
    start = round(at_ms * ANALYSIS_RATE_HZ / 1000)
    samples[start : start + 80] = 0.5
    return samples


def in_pieces(samples: Samples, *seconds: float) -> list[Samples]:
    """Samples at 16 kHz, cut after so many seconds, and after so many more."""
    edges = np.cumsum(np.round(np.array(seconds) * ANALYSIS_RATE_HZ).astype(int))
    return np.split(samples, edges[:-1])


def number_of(frame: FaceFrame) -> int:
    return round(frame.at_ms / FRAME_MS)


def frames_of(
    engine: FaceEngine, *pieces: Samples, rate_hz: int = ANALYSIS_RATE_HZ
) -> npt.NDArray[np.float32]:
    """(frames, 52) of a reply in pieces: of each frame what was said of it last."""
    stream = engine.open()
    given: list[FaceFrame] = []
    for piece in pieces:
        given += stream.push(Speech(piece, rate_hz))
    given += stream.finish()
    stream.close()
    at = {number_of(frame): frame.weights for frame in given}
    assert sorted(at) == list(range(len(at)))
    return np.array([at[number] for number in range(len(at))])
