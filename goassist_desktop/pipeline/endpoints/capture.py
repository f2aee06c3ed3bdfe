"""From the microphone to samples worth listening to: decimation, echo cancellation, clean-up."""

from __future__ import annotations

import math

import numpy as np
from pywebrtc_audio import AudioProcessor

from goassist_desktop.pipeline.frames import ANALYSIS_RATE_HZ, BLOCK_MS, Samples

DEVICE_RATE_HZ = 48_000
DEVICE_BLOCK_SAMPLES = DEVICE_RATE_HZ * BLOCK_MS // 1000

_FACTOR = DEVICE_RATE_HZ // ANALYSIS_RATE_HZ
_TAPS = 97
_CUTOFF_HZ = 7200.0
_KAISER_BETA = 6.0  # stop band 63 dB down, from 8.1 kHz on

# AEC3 with noise suppression is late by this much, whatever it hears.
_PROCESSOR_DELAY_SAMPLES = 224

# Suppression takes 12 dB off the noise floor and gain gives at most 12 dB back, so that silence is
# never louder than it was; within that, neither recognition nor the seen onset of speech over echo
# depended on level or gain.
_NOISE_SUPPRESSION_LEVEL = 1
_MAX_GAIN_DB = 12.0

# For EchoPresence. Levels are smoothed over 100 ms; an echo may be half a second late.
_SMOOTHING = 0.1
_PLAYING_DB = -30.0
_SILENT_DB = -60.0
_BACKGROUND_RISE_DB = 0.02
_RISE_DB = 6.0
_INAUDIBLE = 10 ** (-75 / 10)
_LONGEST_ECHO_BLOCKS = 50
_PROOF_BLOCKS = 15
_PROOF_HOLDS_BLOCKS = 500


class Decimator:
    """48 kHz to 16 kHz, block by block, by a linear-phase low pass (windowed sinc).

    A streaming resampler holds samples back until its inner blocks are full (soxr at high quality:
    6 to 37 ms). Three to one is a plain filter, and its delay is constant: 1 ms.
    """

    delay_samples = (_TAPS - 1) // 2 // _FACTOR
    """In samples at 16 kHz."""

    def __init__(self) -> None:
        n = np.arange(_TAPS) - (_TAPS - 1) / 2
        taps = np.sinc(2 * _CUTOFF_HZ / DEVICE_RATE_HZ * n) * np.kaiser(_TAPS, _KAISER_BETA)
        self._taps = (taps / taps.sum()).astype(np.float32)
        self._buffer = np.zeros(_TAPS - 1 + DEVICE_BLOCK_SAMPLES, np.float32)

    def process(self, block: Samples) -> Samples:
        """(480,) at 48 kHz in, (160,) at 16 kHz out. Raises ValueError for another length."""
        if block.shape != (DEVICE_BLOCK_SAMPLES,):
            raise ValueError(f"a block has {DEVICE_BLOCK_SAMPLES} samples, not {block.shape}")
        self._buffer[: _TAPS - 1] = self._buffer[-(_TAPS - 1) :]
        self._buffer[_TAPS - 1 :] = block
        # Contiguous: the processor reads memory in a row and ignores strides.
        return np.ascontiguousarray(np.convolve(self._buffer, self._taps, "valid")[::_FACTOR])


class EchoPresence:
    """Whether the loudspeaker is heard in the microphone at all.

    An echo canceller takes everything for echo until it has learnt the room, and learns nothing
    where there is none: at headphones it was deaf for the first seconds of every reply. What
    proves that there is no echo is a moment in which the loudspeaker plays, and the microphone
    stays at its own background. It holds for the next seconds of playing, whoever speaks in them.
    """

    def __init__(self) -> None:
        self._near: float | None = None  # mean squares, smoothed
        self._far = 0.0
        self._background_db = math.inf
        self._playing_blocks = 0
        self._quiet_blocks = 0
        self._since_proof = _PROOF_HOLDS_BLOCKS

    def update(self, near: Samples, far: Samples) -> bool:
        """10 ms of the microphone and of what was played, any rate. True: there may be an echo."""
        near_power, far_power = (float(np.mean(np.square(x))) for x in (near, far))
        self._near = near_power if self._near is None else self._near
        self._near += _SMOOTHING * (near_power - self._near)
        self._far += _SMOOTHING * (far_power - self._far)
        near_db, far_db = (10 * math.log10(power + _INAUDIBLE) for power in (self._near, self._far))
        if far_db < _SILENT_DB:
            self._background_db = min(near_db, self._background_db + _BACKGROUND_RISE_DB)
        self._playing_blocks = self._playing_blocks + 1 if far_db > _PLAYING_DB else 0
        if self._playing_blocks > _LONGEST_ECHO_BLOCKS:
            self._since_proof += 1
            quiet = near_db < self._background_db + _RISE_DB
            self._quiet_blocks = self._quiet_blocks + 1 if quiet else 0
            if self._quiet_blocks >= _PROOF_BLOCKS and self._background_db < math.inf:
                self._since_proof = 0
        return self._since_proof >= _PROOF_HOLDS_BLOCKS


class CaptureChain:
    """What the microphone heard, without what the loudspeaker played, at 16 kHz.

    High pass, echo cancellation (AEC3), noise suppression and gain are those of WebRTC's audio
    processing module. The echo may lag its reference by 0 to about 500 ms; it is found without a
    hint as long as the lag stays put.

    With `echo` off the microphone is only decimated.
    """

    delay_samples: int
    """The output is this many samples at 16 kHz later than the input."""

    def __init__(self, *, echo: bool = True) -> None:
        self._mic = Decimator()
        self._rendered = Decimator()
        self._processor: AudioProcessor | None = None
        self._presence = EchoPresence()
        self.delay_samples = Decimator.delay_samples
        if echo:
            self.delay_samples += _PROCESSOR_DELAY_SAMPLES
            self._processor = AudioProcessor(
                sample_rate=ANALYSIS_RATE_HZ,
                echo_cancellation=True,
                noise_suppression=True,
                high_pass_filter=True,
                auto_gain_control=True,
                ns_level=_NOISE_SUPPRESSION_LEVEL,
                agc_max_gain_db=_MAX_GAIN_DB,
            )

    def process(self, mic: Samples, rendered: Samples) -> list[Samples]:
        """10 ms of each, (480,) at 48 kHz, to the cleaned blocks, here one of (160,) at 16 kHz.

        `rendered` is the next block of the one timeline of all that was played, silence included.
        Raises ValueError for another length.
        """
        near = self._mic.process(mic)
        far = self._rendered.process(rendered)
        if self._processor is None:
            return [near]
        if not self._presence.update(near, far):
            far = np.zeros_like(far)  # nothing to cancel, and nothing to mistake for it
        return [self._processor.process(near, far)]
