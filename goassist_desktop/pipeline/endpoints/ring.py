"""Samples from an audio callback to a thread, or back."""

from __future__ import annotations

import numpy as np

from goassist_desktop.pipeline.frames import Samples


class Ring:
    """A preallocated buffer for one writing and one reading thread; neither ever waits.

    Each side moves only its own count, and only after the samples are in place.
    """

    def __init__(self, capacity: int) -> None:
        self._samples = np.zeros(capacity, np.float32)
        self._written = 0
        self._read = 0

    @property
    def available(self) -> int:
        """Samples waiting to be read."""
        return self._written - self._read

    def write(self, samples: Samples) -> None:
        """Append (n,). What does not fit is dropped, the newest first."""
        count = min(len(samples), len(self._samples) - self.available)
        start = self._written % len(self._samples)
        first = min(count, len(self._samples) - start)
        self._samples[start : start + first] = samples[:first]
        self._samples[: count - first] = samples[first:count]
        self._written += count

    def read(self, count: int) -> Samples | None:
        """The oldest (count,) samples, or None while there are fewer."""
        if self.available < count:
            return None
        start = self._read % len(self._samples)
        head = self._samples[start : start + count]
        out = np.concatenate([head, self._samples[: count - len(head)]])
        self._read += count
        return out

    def skip(self, count: int) -> None:
        """Drop the oldest `count` samples, or as many as there are."""
        self._read += min(count, self.available)
