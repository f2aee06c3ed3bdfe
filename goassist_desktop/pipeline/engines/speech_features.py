"""What the lip-sync network hears: a log-mel spectrum and the loudness for every frame of the face.

The face has FACE_HZ frames a second, the audio 16,000 samples: frame k lies at sample
round(k · 16000 / 60), and everything here is taken from windows around that sample.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from goassist_desktop.pipeline.frames import ANALYSIS_RATE_HZ, Samples

FACE_HZ: Final = 60
FRAME_MS: Final = 1000 / FACE_HZ
WINDOW: Final = 512
"""Samples (32 ms) of a spectrum, under a Hann window."""
BANDS: Final = 40
LOWEST_HZ, HIGHEST_HZ = 80.0, 7600.0
FLOOR: Final = 1e-4
"""Energy of a band under which there is nothing to hear; speech has 1 to 1000."""
SCALE: Final = 6.0
LOUDNESS_WINDOW: Final = 1920
"""Samples (120 ms) of a loudness, under a Hann window."""
SILENT_DB: Final = -100.0


class Audio:
    """The last seconds of a sound at 16 kHz, by place in it; zeros where there is nothing."""

    def __init__(self) -> None:
        self.end = 0
        """Samples added so far."""
        self._kept = np.zeros(0, np.float32)

    def add(self, samples: Samples, keep: int) -> None:
        """More of the sound; at least `keep` samples from before it can still be read."""
        self._kept = np.concatenate([self._kept[max(0, self._kept.size - keep) :], samples])
        self.end += samples.size

    def around(self, frames: npt.NDArray[np.int64], window: int) -> Samples:
        """Windows (n, window) around the frames (n,) of the face."""
        starts = np.round(frames * (ANALYSIS_RATE_HZ / FACE_HZ)).astype(np.int64) - window // 2
        starts -= self.end - self._kept.size
        before = max(0, -int(starts[0]))
        after = max(0, int(starts[-1]) + window - self._kept.size)
        padded = np.pad(self._kept, (before, after))
        return np.lib.stride_tricks.sliding_window_view(padded, window)[starts + before]


def log_mel(audio: Audio, frames: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    """(n, BANDS) for the frames (n,), in order: 0 for silence, about 1 to 3 for speech."""
    spectra = np.abs(np.fft.rfft(audio.around(frames, WINDOW) * _HANN, axis=1)) ** 2
    energies = spectra.astype(np.float32) @ _BANK
    return np.asarray(np.log(np.maximum(energies, FLOOR) / FLOOR) / SCALE, np.float32)


def loudness_db(audio: Audio, frames: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    """Decibels (n,) under full scale, where a sine of full scale has -3; at least SILENT_DB."""
    power = audio.around(frames, LOUDNESS_WINDOW) ** 2 @ _SMOOTH
    return np.asarray(10 * np.log10(np.maximum(power, 10 ** (SILENT_DB / 10))), np.float32)


def _hann(size: int) -> npt.NDArray[np.float32]:
    """Periodic."""
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)).astype(np.float32)


def _mel_bank() -> npt.NDArray[np.float32]:
    """Triangles (WINDOW // 2 + 1, BANDS) evenly spaced in mel, m = 2595 log10(1 + f / 700)."""
    lowest, highest = (2595 * np.log10(1 + hz / 700) for hz in (LOWEST_HZ, HIGHEST_HZ))
    centres = 700 * (10 ** (np.linspace(lowest, highest, BANDS + 2) / 2595) - 1)
    bins = np.arange(WINDOW // 2 + 1)[:, np.newaxis] * (ANALYSIS_RATE_HZ / WINDOW)
    rising = (bins - centres[:-2]) / np.diff(centres)[:-1]
    falling = (centres[2:] - bins) / np.diff(centres)[1:]
    return np.maximum(np.minimum(rising, falling), 0.0).astype(np.float32)


_HANN: Final = _hann(WINDOW)
_BANK: Final = _mel_bank()
_SMOOTH: Final = _hann(LOUDNESS_WINDOW) / _hann(LOUDNESS_WINDOW).sum()
