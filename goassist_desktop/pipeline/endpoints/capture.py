"""From the microphone to samples worth listening to: decimation, echo cancellation, clean-up."""

from __future__ import annotations

import numpy as np
from pywebrtc_audio import AudioProcessor

from goassist_desktop.pipeline.endpoints import residual_echo
from goassist_desktop.pipeline.endpoints.linear_echo import LinearEcho
from goassist_desktop.pipeline.endpoints.residual_echo import ResidualEcho
from goassist_desktop.pipeline.frames import ANALYSIS_RATE_HZ, BLOCK_MS, Samples

DEVICE_RATE_HZ = 48_000
DEVICE_BLOCK_SAMPLES = DEVICE_RATE_HZ * BLOCK_MS // 1000

_FACTOR = DEVICE_RATE_HZ // ANALYSIS_RATE_HZ
_TAPS = 97
_CUTOFF_HZ = 7200.0
_KAISER_BETA = 6.0  # stop band 63 dB down, from 8.1 kHz on

# Noise suppression is late by this much, whatever it hears.
_PROCESSOR_DELAY_SAMPLES = 96

# Suppression takes 12 dB off the noise floor and gain gives at most 12 dB back, so that silence is
# never louder than it was; within that, neither recognition nor the seen onset of speech over echo
# depended on level or gain.
_NOISE_SUPPRESSION_LEVEL = 1
_MAX_GAIN_DB = 12.0


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


class CaptureChain:
    """What the microphone heard, without what the loudspeaker played, at 16 kHz.

    A linear filter takes away the echo it can predict; what is left is attenuated as far as what
    is played explains it; high pass, noise suppression and gain are those of WebRTC's audio
    processing module. The echo may lag its reference by 0 to 500 ms, which need not be known.

    With `echo` off the microphone is only decimated.
    """

    delay_samples: int
    """The output is this many samples at 16 kHz later than the input."""

    def __init__(self, *, echo: bool = True) -> None:
        self._mic = Decimator()
        self._rendered = Decimator()
        self._linear = LinearEcho()
        self._residual = ResidualEcho()
        self._processor: AudioProcessor | None = None
        self.delay_samples = Decimator.delay_samples
        if echo:
            self.delay_samples += residual_echo.DELAY_SAMPLES + _PROCESSOR_DELAY_SAMPLES
            self._processor = AudioProcessor(
                sample_rate=ANALYSIS_RATE_HZ,
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
        residual = self._linear.process(near, far)
        if residual is None:
            return [self._processor.process(self._residual.rest(near))]
        cleaned = self._residual.process(residual)
        if self._residual.lost:
            self._linear.mistrust()
        return [self._processor.process(cleaned)]
