"""Hibari's voice as a module for `apart/serve.py`: whole pieces, with words and sounds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from goassist_desktop.pipeline.engines.hibari import HibariVoice
from goassist_desktop.pipeline.errors import ModelMissing

MISSING = (ModelMissing,)


class Apart:
    def __init__(self, folder: Path) -> None:
        self._voice = HibariVoice(folder)
        self._voice.load()
        self.rate_hz = self._voice.rate_hz

    def say(
        self, text: str, wanted: Callable[[], bool]
    ) -> Iterator[tuple[np.ndarray, list[Any], list[Any]]]:
        for piece in self._voice.speak(text):
            words = [[word.text, word.start, word.end] for word in piece.words]
            sounds = [[sound.symbol, sound.start, sound.end] for sound in piece.phonemes]
            yield piece.samples, words, sounds


def load(options: dict[str, Any]) -> Apart:
    return Apart(Path(options["model"]))
