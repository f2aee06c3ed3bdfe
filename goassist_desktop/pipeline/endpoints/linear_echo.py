"""The part of the echo that a linear filter predicts, and how far the prediction may be wrong."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from goassist_desktop.pipeline.endpoints.echo_delay import (
    BLOCK,
    FFT,
    LONGEST_BLOCKS,
    Complex,
    DelayFinder,
    Power,
    power,
)
from goassist_desktop.pipeline.frames import Samples

BINS = FFT // 2 + 1
PARTS = 24
"""The filter covers this many blocks of reverberation: 240 ms."""
LEAD_SAMPLES = 32
"""It begins this much before the direct sound, which the finder may have missed by a little."""
_MOVED_SAMPLES = 24
"""An echo this far from where it was expected is followed."""
_REPLAY_BLOCKS = 50
"""The last half second is learnt again, in a few milliseconds, when the lag is found."""
_HISTORY_BLOCKS = _REPLAY_BLOCKS + PARTS + LONGEST_BLOCKS + 2
_REST_BLOCKS = LONGEST_BLOCKS + PARTS
"""With nothing played for so long, nothing of it can be heard."""
_ABSENT_BLOCKS = LONGEST_BLOCKS + 10
_LOUD = 1e-5  # mean square, -50 dB
_LOST_BLOCKS = 40
"""A lost echo may be anywhere for so long, or until shortly after it was found."""
_FOUND_BLOCKS = 5

# Of the Kalman filter. Powers are those of spectra of (320,) samples.
_KEEP = np.float32(0.9985**2)  # the room stays the same for some 7 s
_PRIOR = 0.3  # part of the expected power in the first block; it decays as reverberation does
_PRIOR_DECAY = 0.7
_PRIOR_LEAST = 1e-3
_NEAR_MEMORY = np.float32(0.6)
_QUIET = np.float32(1e-7)
_HALF = np.float32(0.5)  # of a spectrum's power comes from the half that is not zero
_SHRINK = np.float32(0.25)
"""How much a block lowers uncertainty. Theory says 0.5, for independent blocks; those of speech
repeat each other, and the filter was sure too early: 3 dB less echo after 0.5 s instead of 13."""


@dataclass(frozen=True, slots=True, eq=False)
class Residual:
    """What is left of a block of the microphone, and what is known of it.

    Spectra are of (320,) samples, the block behind as many zeros.
    """

    samples: Samples
    """(160,)"""
    spectrum: Complex
    echo: Complex | None
    """Predicted, and subtracted already; None while nothing is known of the echo."""
    unsure: Power
    """Expected power of the echo that is still in `spectrum`; with nothing known, the most that was
    played in the last half second."""
    heard: bool = True
    """Whether there may be an echo: no longer when enough was played in which none was found."""


class KalmanFilter:
    """Partitioned-block frequency-domain Kalman filter.

    G. Enzner and P. Vary, Frequency-domain adaptive Kalman filter for acoustic echo control in
    hands-free telephones, 2006; F. Kuech, E. Mabande and G. Enzner, State-space architecture of
    the partitioned-block-based acoustic echo controller, 2014. Each coefficient has an uncertainty,
    and learns as fast as that, against the loudness of everything else, allows: it needs no
    detector of double talk.
    """

    def __init__(self) -> None:
        self._past = np.zeros((2 * PARTS, BINS), np.complex64)  # a ring, written twice
        self._past_power = np.zeros((2 * PARTS, BINS), np.float32)
        self._at = 0
        self._far = np.zeros(FFT, np.float32)
        self._error = np.zeros(FFT, np.float32)
        self._near_power = np.zeros(BINS, np.float32)
        self._filter = np.zeros((PARTS, BINS), np.complex64)
        self._doubt = np.zeros((PARTS, BINS), np.float32)
        self._taps = np.zeros((PARTS, BLOCK))

    @property
    def peak(self) -> int:
        """Where the filter has its strongest tap."""
        return int(np.argmax(np.abs(self._taps)))

    def shift(self, samples: int) -> None:
        """Move the taps later, or earlier where negative."""
        taps = np.roll(self._taps.ravel(), samples)
        if samples > 0:
            taps[:samples] = 0
        else:
            taps[samples:] = 0
        self._taps = taps.reshape(PARTS, BLOCK)
        self._filter = np.fft.rfft(self._taps, FFT, axis=1).astype(np.complex64)

    def expect(self, coupling: float) -> None:
        """The echo has changed. `coupling`: its power against what is played, at most."""
        shape = np.maximum(_PRIOR_DECAY ** np.arange(PARTS), _PRIOR_LEAST)
        prior = (_PRIOR * coupling * shape[:, None]).astype(np.float32)
        self._doubt = np.maximum(self._doubt, prior)

    @property
    def coupling(self) -> Power:
        """Power of the echo against what is played, as the filter has learnt it."""
        return np.asarray(power(self._filter).sum(0), np.float32)

    def refer(self, far: Samples) -> None:
        """Take a block of the reference without listening."""
        self._far[:BLOCK] = self._far[BLOCK:]
        self._far[BLOCK:] = far
        self._at = (self._at - 1) % PARTS
        played = np.fft.rfft(self._far).astype(np.complex64)
        self._past[self._at] = self._past[self._at + PARTS] = played
        self._past_power[self._at] = self._past_power[self._at + PARTS] = power(played)

    def process(self, near: Samples, far: Samples) -> Residual:
        """Blocks (160,) of the microphone and of the reference."""
        self.refer(far)
        past = self._past[self._at : self._at + PARTS]
        echo = np.einsum("pf,pf->f", past, self._filter)
        residual = near - np.fft.irfft(echo, FFT)[BLOCK:].astype(np.float32)
        self._error[BLOCK:] = residual
        error = np.fft.rfft(self._error).astype(np.complex64)
        doubt = self._doubt * self._past_power[self._at : self._at + PARTS]
        unsure = _HALF * doubt.sum(0)
        self._near_power += (1 - _NEAR_MEMORY) * (power(error) - self._near_power)
        certainty = 1 / (unsure + self._near_power + _QUIET)
        self._filter += np.conj(past) * (self._doubt * certainty) * error
        self._taps = np.fft.irfft(self._filter, FFT, axis=1)[:, :BLOCK]
        self._filter = np.fft.rfft(self._taps, FFT, axis=1).astype(np.complex64)
        self._doubt *= _KEEP * (1 - _SHRINK * doubt * certainty)
        self._doubt += (1 - _KEEP) * power(self._filter)
        return Residual(residual, error, echo, unsure)


class LinearEcho:
    """The Kalman filter behind the delay that the finder found."""

    def __init__(self) -> None:
        self._finder = DelayFinder()
        self._filter = KalmanFilter()
        self._far = np.zeros((_HISTORY_BLOCKS) * BLOCK, np.float32)
        self._near = np.zeros(_REPLAY_BLOCKS * BLOCK, np.float32)
        self._padded = np.zeros(FFT, np.float32)
        self._played = np.zeros((LONGEST_BLOCKS, BINS), np.float32)  # power, in a ring
        self._at = 0
        self._coupling = np.zeros(BINS, np.float32)
        self._lost_blocks = 0
        self._unheard_blocks = 0
        self._silent_blocks = _REST_BLOCKS
        self.delay: int | None = None
        """Of the filter's begin behind the reference, in samples; None: not known yet."""

    def mistrust(self) -> None:
        """The echo is not where it was: it may be anywhere, as loud as it was."""
        if self._lost_blocks <= 0:
            self._coupling = 2 * self._filter.coupling
            self._filter.expect(float(self._coupling.mean()))
        self._lost_blocks = _LOST_BLOCKS

    def process(self, near: Samples, far: Samples) -> Residual | None:
        """Blocks (160,) at 16 kHz. None: nothing was played that could be heard."""
        self._near[:-BLOCK] = self._near[BLOCK:]
        self._near[-BLOCK:] = near
        self._silent_blocks = 0 if far.any() else self._silent_blocks + 1
        if self._silent_blocks >= _REST_BLOCKS:
            self._far[:] = 0
            return None
        self._far[:-BLOCK] = self._far[BLOCK:]
        self._far[-BLOCK:] = far
        lag = self._finder.update(near, far, self.delay)
        if lag is not None:
            self._follow(lag)
        if self._finder.suspects:
            self._unheard_blocks = 0
        elif float(np.mean(np.square(far))) > _LOUD:
            self._unheard_blocks += 1
        self._at = (self._at + 1) % LONGEST_BLOCKS
        self._played[self._at] = power(self._spectrum(far))
        if self.delay is None:
            absent = self._unheard_blocks > _ABSENT_BLOCKS
            return Residual(near, self._spectrum(near), None, self._played.max(0), not absent)
        residual = self._filter.process(near, self._reference(0))
        if self._lost_blocks > 0:
            self._lost_blocks -= 1
            anywhere = self._coupling * self._played.max(0)
            residual = replace(residual, unsure=np.maximum(residual.unsure, anywhere))
        return residual

    def _spectrum(self, block: Samples) -> Complex:
        self._padded[BLOCK:] = block
        return np.fft.rfft(self._padded).astype(np.complex64)

    def _reference(self, ago: int) -> Samples:
        assert self.delay is not None
        end = len(self._far) - ago * BLOCK - self.delay
        return self._far[end - BLOCK : end]

    def _follow(self, lag: int) -> None:
        """The echo was found at `lag`: take the filter there, with the room that is known."""
        if self.delay is None:
            self.delay = max(0, lag - LEAD_SAMPLES)
            self._filter.expect(self._loudness())
            self._relearn()
        elif abs(lag - self.delay - self._filter.peak) > _MOVED_SAMPLES:  # it jumped
            self.delay = max(0, lag - self._filter.peak)
            self._lost_blocks = min(self._lost_blocks, _FOUND_BLOCKS)
            self._filter.expect(self._loudness())
            self._relearn()
        elif abs(lag - self.delay - LEAD_SAMPLES) > _MOVED_SAMPLES:  # it drifted
            delay = max(0, lag - LEAD_SAMPLES)
            self._filter.shift(self.delay - delay)
            self.delay = delay
            self._rewind()

    def _loudness(self) -> float:
        """Power of what was heard against what was played, in the last half second."""
        heard = np.mean(np.square(self._near))
        played = np.mean([np.square(self._reference(ago)) for ago in range(_REPLAY_BLOCKS)])
        return float(heard / (played + 1e-9))

    def _rewind(self) -> None:
        for ago in range(PARTS, 0, -1):
            self._filter.refer(self._reference(ago))

    def _relearn(self) -> None:
        """The last half second again."""
        for ago in range(_REPLAY_BLOCKS + PARTS - 1, _REPLAY_BLOCKS - 1, -1):
            self._filter.refer(self._reference(ago))
        for ago in range(_REPLAY_BLOCKS - 1, 0, -1):
            end = len(self._near) - ago * BLOCK
            self._filter.process(self._near[end - BLOCK : end], self._reference(ago))
