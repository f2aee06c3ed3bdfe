"""A sound card whose microphone and loudspeaker are recorded in one file, sample beside sample.

What a browser heard and what it played can so be compared to the sample, whatever its own clocks
and buffers do.
"""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import numpy as np

from tests.device.conftest import RATE_HZ, VirtualCard

_PART = "channels=1 channel_map=mono remix=no"
_BOTH = "channels=2 channel_map=front-left,front-right norewinds=1"
_LEFT = f"master_channel_map=front-left {_PART}"
_RIGHT = f"master_channel_map=front-right {_PART}"


class TwoSidedCard(VirtualCard):
    """Loudspeaker and microphone are the left and the right channel of one device."""

    devices = (
        f"module-null-sink sink_name=card rate=48000 {_BOTH}",
        f"module-remap-sink sink_name=loudspeaker master=card {_LEFT}",
        f"module-remap-sink sink_name=voice_in master=card {_RIGHT}",
        f"module-remap-source source_name=microphone master=card.monitor {_RIGHT}",
    )

    def record_both(self) -> BothSides:
        return BothSides(self)


class BothSides:
    """What the loudspeaker plays and the microphone hears, from construction until `stop`."""

    def __init__(self, card: VirtualCard) -> None:
        self.path: Path = card.folder / f"both-{time.monotonic_ns()}.s16"
        with self.path.open("wb") as file:
            self._parec = subprocess.Popen(
                f"parec --device=card.monitor --latency-msec=20 --raw --format=s16le "
                f"--rate={RATE_HZ} --channels=2".split(),
                env=os.environ | card.environment,
                stdout=file,
            )
        deadline = time.monotonic() + 10
        while not self.path.stat().st_size and time.monotonic() < deadline:
            time.sleep(0.02)

    def so_far(self) -> tuple[np.ndarray, np.ndarray]:
        """Loudspeaker and microphone (n,) at 48 kHz, as far as they were recorded."""
        raw = np.fromfile(self.path, "<i2")
        both = raw[: len(raw) // 2 * 2].reshape(-1, 2).astype(np.float32) / 32768
        return both[:, 0], both[:, 1]

    def stop(self) -> tuple[np.ndarray, np.ndarray]:
        self._parec.terminate()
        self._parec.wait()
        return self.so_far()
