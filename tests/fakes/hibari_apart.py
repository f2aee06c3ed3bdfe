"""Hibari's voice as a module for `apart/serve.py`: whole pieces, with words and sounds."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from goassist_desktop.pipeline.engines.hibari import HibariVoice
from goassist_desktop.pipeline.errors import ModelMissing


class Missing(Exception):
    """The model is absent or damaged."""


MISSING = (Missing,)


class Apart:
    def __init__(self, folder: Path, rest_s: float) -> None:
        """`rest_s`: how long it does nothing after each piece."""
        self._rest_s = rest_s
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
            time.sleep(self._rest_s)


def load(options: dict[str, Any]) -> Apart:
    try:
        return Apart(Path(options["model"]), options["rest_s"])
    except ModelMissing as error:
        raise Missing(str(error).removeprefix("voice model ")) from error
