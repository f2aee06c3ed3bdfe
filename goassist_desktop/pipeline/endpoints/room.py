"""What a microphone hears in a room: echo of the loudspeaker, noise, and how loud speech is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from goassist_desktop.pipeline.errors import ConfigError
from goassist_desktop.pipeline.frames import Samples

Mask = npt.NDArray[np.bool_]

SPEECH_FLOOR_DB = (-40.0, -30.0)
"""What is this far below the loudest moment of a recording is no speech: the first in a clean
recording, up to the second in one with noise of its own."""
NOISE_PERCENTILE = 5
ABOVE_NOISE_DB = 15.0
"""The noise of a recording is the level its quietest moments stay under; speech is above it."""
ENVELOPE_MS = 20
RUMBLE_MS = 5
"""A moving mean this long holds what is below some 100 Hz: handling, mains, traffic; no speech."""
REVERBERATION_GAIN_DB = -6.0
"""Energy of the reverberation against the direct sound: a loudspeaker near the microphone."""
FIRST_REFLECTION_MS = 2.0


@dataclass(frozen=True, slots=True, eq=False)
class Room:
    """The way from the loudspeaker to the microphone, and the noise around. Raises ConfigError.

    The direct sound arrives `echo_delay_ms` after it was played, at `echo_gain_db`; a decaying
    reverberation follows, 60 dB down after `reverberation_s` (0: none). A gain of None is a
    headphone: no echo at all. `noise` (n,) at the endpoint's rate repeats for ever as it is; see
    `noise_at` for its level.
    """

    echo_delay_ms: float = 0.0
    echo_gain_db: float | None = None
    reverberation_s: float = 0.25
    noise: Samples | None = None

    def __post_init__(self) -> None:
        _within("echo_delay_ms", self.echo_delay_ms, 0, 1000)
        if self.echo_gain_db is not None:
            _within("echo_gain_db", self.echo_gain_db, -80, 20)
        _within("reverberation_s", self.reverberation_s, 0, 2)

    def echo_response(self, rate_hz: int) -> Samples | None:
        """Impulse response from loudspeaker to microphone, the same at every call; None: no echo.

        The reverberation is noise under an exponential decay (J. A. Moorer, About this
        reverberation business, 1979).
        """
        if self.echo_gain_db is None:
            return None
        delay = round(self.echo_delay_ms * rate_hz / 1000)
        room = np.zeros(1 + round(self.reverberation_s * rate_hz))
        first = round(FIRST_REFLECTION_MS * rate_hz / 1000)
        if len(room) > first:
            t_s = np.arange(first, len(room)) / rate_hz
            decay = 10 ** (-3 * t_s / self.reverberation_s)
            tail = np.random.default_rng(25).standard_normal(len(t_s)) * decay
            room[first:] = tail * 10 ** (REVERBERATION_GAIN_DB / 20) / np.linalg.norm(tail)
        room[0] = 1.0
        room *= 10 ** (self.echo_gain_db / 20)
        return np.concatenate([np.zeros(delay), room]).astype(np.float32)


def noise_at(snr_db: float, noise: Samples, speech: Sequence[Samples], rate_hz: int) -> Samples:
    """`noise` scaled to lie `snr_db` below the level of the recordings of speech.

    The level of speech is that of its active parts, pauses excluded, as ITU-T P.56 means it.
    Raises ConfigError.
    """
    _within("snr_db", snr_db, -40, 100)
    active = np.concatenate([part[_speech(part, rate_hz)[0]] for part in speech])
    ratio = _rms(active) / _rms(noise)
    return (noise * (ratio * 10 ** (-snr_db / 20))).astype(np.float32)


def speech_span(recording: Samples, rate_hz: int) -> tuple[int, int]:
    """Positions of the first and of the last sample of speech, by energy, in (n,) with sound.

    Too wide by up to RUMBLE_MS / 2 in a clean recording, by up to ENVELOPE_MS / 2 in a noisy one.
    """
    active, loud = _speech(recording, rate_hz)
    (speech,) = np.nonzero(active & loud)
    return int(speech[0]), int(speech[-1])


def _speech(recording: Samples, rate_hz: int) -> tuple[Mask, Mask]:
    """Which samples (n,) lie within speech, and which are loud enough to be its first or last.

    The former are known by the level around them, and reach half of ENVELOPE_MS too far.
    """
    signal = recording - _moving_mean(recording, rate_hz * RUMBLE_MS // 1000)
    power = _moving_mean(np.square(signal), rate_hz * ENVELOPE_MS // 1000)
    level = np.sqrt(np.maximum(power, 0.0))  # its running sum can round to just below zero
    loudest, quietest = float(level.max()), float(np.percentile(level, NOISE_PERCENTILE))
    lowest, highest = (loudest * 10 ** (floor_db / 20) for floor_db in SPEECH_FLOOR_DB)
    floor = min(max(quietest * 10 ** (ABOVE_NOISE_DB / 20), lowest), highest)
    return level > floor, np.abs(signal) > floor


def _moving_mean(signal: npt.NDArray[np.floating], width: int) -> npt.NDArray[np.float64]:
    """(n,) means over `width` samples around each, or those of them there are at the ends."""
    total = np.concatenate([[0.0], np.cumsum(signal, dtype=np.float64)])
    at = np.arange(len(signal))
    before = np.maximum(at - width // 2, 0)
    after = np.minimum(at + width // 2 + 1, len(signal))
    return np.asarray((total[after] - total[before]) / (after - before), np.float64)


def _rms(samples: Samples) -> float:
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))


def _within(key: str, value: float, lowest: float, highest: float) -> None:
    if not lowest <= value <= highest:  # refuses nan too
        raise ConfigError(f"{key} = {value:g}: must be {lowest:g} to {highest:g}")


class Convolver:
    """Filters a stream with a long response, block by block and without delay.

    Uniformly partitioned overlap-save (F. Wefers, Partitioned convolution algorithms for real-time
    auralization, 2015, chapter 5): a 0.4 s response costs 0.1 ms where plain convolution takes 10.
    """

    def __init__(self, response: Samples, block: int) -> None:
        self._block = block
        parts = -(-len(response) // block)
        padded = np.zeros(parts * block, np.float32)
        padded[: len(response)] = response
        self._response = np.fft.rfft(padded.reshape(parts, block), n=2 * block)
        self._past = np.zeros_like(self._response)  # spectra of the input, the newest first
        self._input = np.zeros(2 * block, np.float32)

    def process(self, samples: Samples) -> Samples:
        """The filtered stream (block,) that belongs to the next (block,) samples of input."""
        self._input = np.concatenate([self._input[self._block :], samples])
        self._past = np.roll(self._past, 1, axis=0)
        self._past[0] = np.fft.rfft(self._input)
        spectrum = np.einsum("pf,pf->f", self._past, self._response)
        return np.fft.irfft(spectrum)[self._block :].astype(np.float32)
