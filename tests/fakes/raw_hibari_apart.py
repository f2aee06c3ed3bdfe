"""Hibari's voice in place of `apart/xtts_model.py`: sound alone, in pieces, as XTTS-v2 gives it.

With a file `dies` beside the model, {"with": [WORD, …], "after": PIECES}, it kills itself once, in
the first text that has one of the words, after so many pieces.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
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

    def __init__(self, folder: Path) -> None:
        self._dies = folder / "dies"
        self._voice = HibariVoice(weights.path("hibari-heart"))
        self._voice.load()

    def say(
        self, text: str, wanted: Callable[[], bool]
    ) -> Iterator[tuple[np.ndarray, list[Any], list[Any]]]:
        said = [piece.samples / GAIN for piece in self._voice.speak(text)]
        silence = np.zeros(4_000, np.float32)
        sound = np.concatenate([silence, *said, silence])
        dies = self._when(text)
        for number, at in enumerate(range(0, len(sound), PIECE)):
            if number == dies:
                self._die()
            if not wanted():
                return
            time.sleep(SLOWNESS * PIECE / self.rate_hz)
            yield sound[at : at + PIECE], [], []
        if dies is not None:
            self._die()

    def _when(self, text: str) -> int | None:
        """After how many pieces of a text it dies."""
        if not self._dies.exists():
            return None
        told = json.loads(self._dies.read_text())
        return told["after"] if any(word in text.lower() for word in told["with"]) else None

    def _die(self) -> None:
        self._dies.unlink()
        os.kill(os.getpid(), signal.SIGKILL)


def load(options: dict[str, Any]) -> Raw:
    return Raw(Path(options["model"]))
