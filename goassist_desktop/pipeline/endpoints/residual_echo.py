"""Attenuates what the linear filter left of the echo, as far as the echo explains it.

What the loudspeaker plays is known, and so is how far its prediction may be wrong: per band, what
is not clearly louder than that is taken for echo, and brought down to the noise of the room. What
remains looks like room to voice activity, not like speech, and not like silence with holes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from goassist_desktop.pipeline.endpoints.echo_delay import BLOCK, FFT, power
from goassist_desktop.pipeline.endpoints.linear_echo import BINS, Residual
from goassist_desktop.pipeline.frames import ANALYSIS_RATE_HZ, Samples

Bands = npt.NDArray[np.float64]

DELAY_SAMPLES = 32
"""The output is this much later than the input: half of the filter that attenuates."""
_TAPS = 2 * DELAY_SAMPLES + 1

# Bins of 50 Hz, in bands as wide as those of hearing (Glasberg and Moore, 1990), 100 Hz to 7.5 kHz.
_EDGES = np.array([2, 4, 6, 8, 10, 12, 15, 18, 22, 26, 31, 37, 44, 52, 62, 74, 88, 105, 125, 150])
_BANDS = len(_EDGES) - 1
_WHITE = np.diff(_EDGES) * float(BLOCK)
"""Power in the bands of a block of white noise whose samples have a mean square of 1."""

# What of the residual is explained. Found with own speech in 48 rooms, so that voice activity sees
# none of it, and as much as possible of a user up to 5 dB softer than the echo.
_MARGIN = 3.0
"""Errors exceed their expected power by so much at most: 9 in 10 measured ones do not reach it."""
_DISTORTED = 0.003
"""Part of the predicted echo that no linear filter finds, in its own band …"""
_SPREAD = 0.0002
"""… and in all others."""
_TAIL = 0.8
"""Reverberation behind the filter's end, per block: 60 dB in 0.6 s."""
_COHERENT = 0.15
"""Squared coherence with the echo that is no accident any more."""
_OPEN, _MIN_OPEN = 0.3, 0.12
"""Speech leaves this much (in power) in this part of the bands; what does not is an accident."""

# By how much the filter underestimates its errors: what a quarter of all moments stay under lies
# 9 dB under the largest errors, while users are silent for a quarter of the time.
_WRONG_QUANTILE = 0.25
_WRONG_OFFSET_DB = 9.0
_WRONG_STEP_DB = 0.03
_WRONG_MOST_DB = 19.0

# A prediction of what is not there: the residual is like it, upside down (whitened, -1 to 1), and
# this part of it is missing in the median band. At once if the residual is a surprise, and no
# louder than an echo would be; a user is seldom all of that, and unlike.
_UNLIKE, _MISSING = 0.35, 0.4
_UNLIKE_AT_ONCE, _MISSING_AT_ONCE = 0.18, 0.15
_SURPRISE_DB = 12.0
_AS_LOUD = 1.5

# Before the first echo was found: power against what is played, at most, and how it is lowered.
_COUPLING = 2.0
_COUPLING_LEAST = 1e-6
_COUPLING_RISE = 1.002  # per block: 1 dB a second, so that a sentence does not lift it

_UNDER_NOISE = 0.03
"""Attenuated to 15 dB under the noise; made noise fills up. The echo itself at the noise's level
was still heard as speech."""
_LEAST = 1e-7
_NOISE_BIAS = 1.5  # the mean against the minimum of 0.1 s means
_NOISE_RISE = 1.005  # per block at rest: 2 dB a second
_MEMORY = 0.5
_STEADY_MEMORY = 0.9
_AUDIBLE = 1e-3  # power in a band; -52 dB in one of them
_NOTHING = 1e-9


def _filters() -> Bands:
    """Taps (bands, taps) of filters which open one band each; their responses add up to 1."""
    places = (_EDGES[:-1] + _EDGES[1:]) / 2
    responses = np.array([np.interp(np.arange(BINS), places, row) for row in np.eye(_BANDS)])
    taps = np.roll(np.fft.irfft(responses, FFT), DELAY_SAMPLES, axis=1)[:, :_TAPS]
    return np.asarray(taps * np.hanning(_TAPS + 2)[1:-1])


_FILTERS = _filters()


class ResidualEcho:
    """Works block by block; `lost` says that the prediction of the last block was plainly wrong."""

    def __init__(self) -> None:
        self.lost = False
        self._noise = np.full(_BANDS, np.inf)
        self._power = np.zeros(_BANDS)
        self._steady = np.zeros(_BANDS)
        self._echo_power = np.full(_BANDS, _NOTHING)
        self._cross = np.zeros(_BANDS, np.complex128)
        self._tail = np.zeros(_BANDS)
        self._wrong_db = np.zeros(_BANDS)
        self._coupling = np.full(_BANDS, _COUPLING)
        self._buffer = np.zeros(BLOCK + _TAPS - 1, np.float32)
        self._open = np.zeros(_TAPS, np.float32)
        self._open[DELAY_SAMPLES] = 1
        self._taps = self._open
        self._random = np.random.default_rng(0)
        self._white = self._random.standard_normal(ANALYSIS_RATE_HZ).astype(np.float32)
        self._comfort_taps = np.zeros(_TAPS, np.float32)
        self._ramp = (np.arange(1, BLOCK + 1) / BLOCK).astype(np.float32)

    def rest(self, samples: Samples) -> Samples:
        """A block (160,) in which nothing of the loudspeaker can be heard."""
        padded = np.concatenate([np.zeros(BLOCK, np.float32), samples])
        heard = np.fft.rfft(padded).astype(np.complex64)
        self._smooth_power(_by_band(power(heard)))
        self._noise = np.minimum(self._noise * _NOISE_RISE, self._steady)
        return self._filtered(samples, None)

    def process(self, residual: Residual) -> Samples:
        """A block (160,) with what is left of the echo, attenuated."""
        heard = _by_band(power(residual.spectrum)) + _NOTHING
        self._smooth_power(heard)
        self._noise = np.minimum(self._noise, self._steady)
        if residual.echo is None:
            explained = self._unknown(residual)
        else:
            explained = self._known(residual, heard)
        gain = 1 - explained / heard
        if np.mean(gain > _OPEN) < _MIN_OPEN:  # speech is never in single bands
            gain[:] = 0
        noise = _NOISE_BIAS * self._noise
        gain = np.maximum(gain, np.clip(_UNDER_NOISE * noise / heard, _LEAST, 1))
        missing = np.maximum(noise - gain * heard, 0) / _WHITE
        return self._filtered(residual.samples, np.sqrt(gain)) + self._comfort(np.sqrt(missing))

    def _smooth_power(self, heard: Bands) -> None:
        if not self._steady.any():
            self._power, self._steady = heard.copy(), heard + _NOTHING
        self._power += (1 - _MEMORY) * (heard + _NOTHING - self._power)
        self._steady += (1 - _STEADY_MEMORY) * (heard + _NOTHING - self._steady)

    def _unknown(self, residual: Residual) -> Bands:
        """Explained by what was played, of which nobody knows how loud it is heard.

        The most there can be, until enough was played without being found: then no more than was
        heard in the quietest moments of playing.
        """
        played = np.asarray(_by_band(residual.unsure))
        if not residual.heard:
            loud = played > _AUDIBLE
            ratio = np.where(loud, self._power / (played + _NOTHING), self._coupling)
            risen = np.minimum(self._coupling * _COUPLING_RISE, ratio)
            self._coupling = np.clip(risen, _COUPLING_LEAST, _COUPLING)
        return np.asarray(2 * _MARGIN * self._coupling * played)

    def _known(self, residual: Residual, heard: Bands) -> Bands:
        assert residual.echo is not None
        echo = _by_band(power(residual.echo))
        unsure = _by_band(residual.unsure)
        cross = _by_band(residual.spectrum * np.conj(residual.echo))
        self._tail = np.maximum(echo, _TAIL * self._tail)
        self._follow_errors(heard, unsure, echo > _AUDIBLE)
        self.lost = _lost(cross, heard, echo, unsure)
        wrong = 10 ** (self._wrong_db / 10)
        explained = wrong * unsure + _DISTORTED * self._tail + _SPREAD * self._tail.sum()
        self._cross += (1 - _MEMORY) * (cross - self._cross)
        self._echo_power += (1 - _MEMORY) * (echo - self._echo_power)
        coherence = np.square(np.abs(self._cross)) / (self._power * self._echo_power + _NOTHING)
        same = np.clip((coherence - _COHERENT) / (1 - _COHERENT), 0, 1)
        return np.asarray(_MARGIN * explained + 2 * same * heard)

    def _follow_errors(self, heard: Bands, unsure: Bands, audible: npt.NDArray[np.bool_]) -> None:
        """By how much the filter underestimates its errors, from the quieter moments of playing."""
        level = self._wrong_db - _WRONG_OFFSET_DB
        above = heard > unsure * 10 ** (level / 10)
        down = _WRONG_STEP_DB * (1 - _WRONG_QUANTILE) / _WRONG_QUANTILE
        step = np.where(above, _WRONG_STEP_DB, -down)
        self._wrong_db = np.clip(self._wrong_db + audible * step, 0, _WRONG_MOST_DB)

    def _filtered(self, samples: Samples, gain: Bands | None) -> Samples:
        """The block that is DELAY_SAMPLES older, with these gains; None: as it is."""
        self._buffer[: _TAPS - 1] = self._buffer[BLOCK:]
        self._buffer[_TAPS - 1 :] = samples
        before, self._taps = self._taps, self._open if gain is None else _design(gain)
        if before is self._open and gain is None:
            return self._buffer[DELAY_SAMPLES : DELAY_SAMPLES + BLOCK].copy()
        return self._faded(self._buffer, before, self._taps)

    def _comfort(self, gain: Bands) -> Samples:
        """Noise for the block, as loud as the noise that was taken away."""
        start = self._random.integers(len(self._white) - len(self._buffer))
        before, self._comfort_taps = self._comfort_taps, _design(gain)
        white = self._white[start : start + len(self._buffer)]
        return self._faded(white, before, self._comfort_taps)

    def _faded(self, samples: Samples, before: Samples, after: Samples) -> Samples:
        """`samples` filtered, from one filter to the next in the course of the block."""
        old, new = (np.convolve(samples, taps, "valid") for taps in (before, after))
        return np.asarray(old + self._ramp * (new - old), np.float32)


def _by_band(spectrum: npt.NDArray[np.inexact]) -> Any:
    """Sums over the bands; real for powers, complex for products of spectra."""
    return np.add.reduceat(spectrum, _EDGES)[:-1]


def _lost(cross: npt.NDArray[np.complex128], heard: Bands, echo: Bands, unsure: Bands) -> bool:
    """Where the residual holds the prediction upside down, there was no such echo."""
    audible = echo > _AUDIBLE
    if audible.sum() <= _BANDS // 2:
        return False
    cross = cross[audible]
    heard, echo, unsure = (x[audible] for x in (heard, echo, unsure))
    missing = -float(np.median(cross.real / echo))
    likeness = -float(np.mean(cross.real / np.sqrt(heard * echo)))
    surprise_db = float(np.mean(10 * np.log10(heard / (unsure + _NOTHING))))
    if surprise_db > _SURPRISE_DB and heard.sum() < _AS_LOUD * echo.sum():
        return missing > _MISSING_AT_ONCE and likeness > _UNLIKE_AT_ONCE
    return missing > _MISSING and likeness > _UNLIKE


def _design(gain: Bands) -> Samples:
    """A linear-phase filter with these gains in the bands."""
    return np.asarray(gain @ _FILTERS, np.float32)
