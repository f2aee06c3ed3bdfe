"""Hibari's voice in place of `apart/xtts_model.py`: sound alone, in pieces, as XTTS-v2 gives it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from goassist_desktop import weights
from goassist_desktop.pipeline.engines.hibari import GAIN, HibariVoice
from goassist_desktop.pipeline.errors import ModelMissing

MISSING = (ModelMissing,)
PIECE = 22_272
"""Samples at 24 kHz: 20 tokens of XTTS-v2."""


SLOWNESS = 0.2
"""The time it takes to make a piece, as a share of what that lasts: 5 x real time."""


class Raw:
    rate_hz = 24_000

    def __init__(self) -> None:
        self._voice = HibariVoice(weights.path("hibari-heart"))
        self._voice.load()

    def say(
        self, text: str, wanted: Callable[[], bool]
    ) -> Iterator[tuple[np.ndarray, list[Any], list[Any]]]:
        said = [piece.samples / GAIN for piece in self._voice.speak(text)]
        silence = np.zeros(4_000, np.float32)
        sound = np.concatenate([silence, *said, silence])
        for at in range(0, len(sound), PIECE):
            if not wanted():
                return
            time.sleep(SLOWNESS * PIECE / self.rate_hz)
            yield sound[at : at + PIECE], [], []


def load(options: dict[str, Any]) -> Raw:
    return Raw()
