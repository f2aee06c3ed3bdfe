"""What a face engine has heard of a reply, and where its frames stand in it."""

from __future__ import annotations

import numpy as np

from goassist_desktop.pipeline.frames import ANALYSIS_RATE_HZ, Samples, Speech
from goassist_desktop.pipeline.resampling import resample

FRAMES_PER_S = 30
"""Of Audio2Face-3D and of LAM-Audio2Expression."""


def sample_of(frame: int) -> int:
    """The sample of the reply, at 16 kHz, that a frame belongs to; frame 0 is its first."""
    return round(frame * ANALYSIS_RATE_HZ / FRAMES_PER_S)


def ms_of(frame: int) -> float:
    return frame * 1000 / FRAMES_PER_S


class HeardAudio:
    """A reply at 16 kHz, from the sample that is still needed to the last one heard."""

    def __init__(self) -> None:
        self.end = 0
        """Samples heard."""
        self._samples: Samples = np.zeros(0, np.float32)

    def add(self, speech: Speech) -> None:
        heard = resample(speech.samples, speech.rate_hz, ANALYSIS_RATE_HZ)
        self._samples = np.concatenate([self._samples, heard])
        self.end += len(heard)

    def frames_before(self, sample: int) -> int:
        """How many frames belong to the samples before this one."""
        frames = max(0, sample) * FRAMES_PER_S // ANALYSIS_RATE_HZ
        return frames + 1 if sample_of(frames) < sample else frames

    def window(self, first: int, count: int) -> Samples:
        """Samples (count,) from the one numbered `first`; silence before and after the reply."""
        begin = self.end - len(self._samples)
        here = self._samples[max(0, first - begin) : max(0, first + count - begin)]
        before = max(0, begin - first) if len(here) else 0
        return np.pad(here, (before, count - before - len(here)))

    def forget(self, before: int) -> None:
        """The samples before this one are not asked for again."""
        begin = self.end - len(self._samples)
        self._samples = self._samples[max(0, before - begin) :]
