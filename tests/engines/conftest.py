from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from goassist_desktop import weights
from goassist_desktop.pipeline.engines.hibari import HibariVoice
from goassist_desktop.pipeline.frames import Speech

pytest.register_assert_rewrite("tests.engines.face_contract")


@pytest.fixture(scope="session")
def models() -> Callable[[str], Path]:
    """The folder of a model of the manifest; a missing one fails the test, naming the command."""
    return weights.path


@pytest.fixture(scope="session")
def speak(models: Callable[[str], Path]) -> Callable[[str], Speech]:
    """A clause as the voice says it, in one piece, with its phonemes."""
    voice = HibariVoice(models("hibari-heart"))
    voice.load()

    def said(text: str) -> Speech:
        (piece,) = voice.speak(text)
        return piece

    return said


@pytest.fixture(scope="session")
def said(speak: Callable[[str], Speech]) -> list[Speech]:
    """A reply in three pieces; the last two are one sentence."""
    texts = ("Bob may move the piano.", "Five of us would help", "to put it over there, above you.")
    return [speak(text) for text in texts]
