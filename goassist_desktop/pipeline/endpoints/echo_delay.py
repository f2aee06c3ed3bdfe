"""How late the loudspeaker is heard in the microphone."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from goassist_desktop.pipeline.frames import ANALYSIS_RATE_HZ, BLOCK_MS, Samples

Complex = npt.NDArray[np.complex64]
Power = npt.NDArray[np.float32]

BLOCK = ANALYSIS_RATE_HZ * BLOCK_MS // 1000
FFT = 2 * BLOCK
LONGEST_BLOCKS = 50
"""An echo may be half a second late."""

_FIRST_BIN, _END_BIN = 4, 104  # 200 Hz to 5.2 kHz, where speech is
_MEMORY = np.float32(0.97)  # of what was heard, per block: 0.3 s
_LOOK_EVERY_BLOCKS = 3
_SEEN = 3  # times in a row: in the first 0.1 s wrong lags were seen twice
# The peak against the root mean square of all lags. Chance reaches 12, but seldom alone.
_SUSPECT = 20.0
_CERTAIN = 12.0
_AUDIBLE = 1e-6  # mean square of what is played, -60 dB
_WARM_UP_BLOCKS = 6
_ALONE = 1.5  # against the best of all other lags
_REFLECTIONS = 40  # samples around a peak that belong to it
_BETTER = 2.0  # against what is where the echo was: its reverberation outlives a pause
_NEAR_SAMPLES = 64


class DelayFinder:
    """Lag of the echo behind the reference, by generalised cross-correlation.

    Knapp and Carter, The generalized correlation method for estimation of time delay, 1976, with
    their weighting SCOT, here on overlapping blocks, so that all lags up to LONGEST_BLOCKS are
    seen at once. In a synthetic room the true sample was found 0.1 to 0.2 s after the echo began,
    also while someone else spoke 10 dB louder.
    """

    def __init__(self) -> None:
        bins = _END_BIN - _FIRST_BIN
        self._past = np.zeros((2 * LONGEST_BLOCKS, bins), np.complex64)  # a ring, written twice
        self._at = 0
        self._cross = np.zeros((LONGEST_BLOCKS, bins), np.complex64)
        self._near_power = np.full(bins, 1e-9, np.float32)
        self._far_power = np.full(bins, 1e-9, np.float32)
        self._far = np.zeros(FFT, np.float32)
        self._near = np.zeros(FFT, np.float32)
        self._whitened = np.zeros((LONGEST_BLOCKS, FFT // 2 + 1), np.complex64)
        self._heard = 0
        self.suspects = False
        """Whether there is an echo, be its lag sure or not."""
        self._last = -1
        self._seen = 0

    def update(self, near: Samples, far: Samples, known: int | None) -> int | None:
        """Blocks (160,) of the microphone and the reference; the lag in samples when it is sure.

        `known` is where the echo was up to now: another lag has to be much better than that.
        """
        self._far[:BLOCK] = self._far[BLOCK:]
        self._far[BLOCK:] = far
        self._near[BLOCK:] = near
        played = np.fft.rfft(self._far)[_FIRST_BIN:_END_BIN].astype(np.complex64)
        heard = np.fft.rfft(self._near)[_FIRST_BIN:_END_BIN].astype(np.complex64)
        self._at = (self._at - 1) % LONGEST_BLOCKS
        self._past[self._at] = self._past[self._at + LONGEST_BLOCKS] = played
        past = self._past[self._at : self._at + LONGEST_BLOCKS]
        self._cross *= _MEMORY
        self._cross += np.conj(past) * heard
        self._far_power += (1 - _MEMORY) * (power(played) - self._far_power)
        self._near_power += (1 - _MEMORY) * (power(heard) - self._near_power)
        self._heard += bool(np.mean(np.square(far)) > _AUDIBLE)
        if self._heard < _WARM_UP_BLOCKS or self._heard % _LOOK_EVERY_BLOCKS:
            return None
        return self._look(known)

    def _look(self, known: int | None) -> int | None:
        scale = 1 / np.sqrt(self._far_power * self._near_power + 1e-20)
        self._whitened[:, _FIRST_BIN:_END_BIN] = self._cross * scale
        lags = np.abs(np.fft.irfft(self._whitened, FFT, axis=1)[:, :BLOCK]).ravel()
        peak = int(np.argmax(lags))
        # Where nothing was played yet there is no chance of a peak either.
        played = np.count_nonzero(np.any(self._past[:LONGEST_BLOCKS], axis=1)) * BLOCK
        mean = float(np.sqrt(np.sum(np.square(lags)) / max(1, played)))
        # A vowel is like itself some periods later, and as sure of the wrong lag.
        self.suspects = bool(lags[peak] > _SUSPECT * mean)
        others = np.concatenate([lags[: max(0, peak - _REFLECTIONS)], lags[peak + _REFLECTIONS :]])
        found = peak if lags[peak] > max(_CERTAIN * mean, _ALONE * others.max()) else -1
        if known is not None and not known <= peak < known + _NEAR_SAMPLES:
            if lags[peak] < _BETTER * lags[known : known + _NEAR_SAMPLES].max():
                found = -1
        self._seen = self._seen + 1 if found >= 0 and abs(found - self._last) <= 1 else 1
        self._last = found
        return found if found >= 0 and self._seen >= _SEEN else None


def power(spectrum: Complex) -> Power:
    """Squared magnitudes."""
    return np.square(spectrum.real) + np.square(spectrum.imag)
