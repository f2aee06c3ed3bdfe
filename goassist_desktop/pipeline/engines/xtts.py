"""Synthesis with XTTS-v2 by Coqui (24 kHz), in a process and an environment of its own.

It needs `coqui-tts` with torch, which are not part of this program, and the model's files; see
docs/xtts.md. Its licence forbids commercial use: whoever wants it has to say that they know.

Only the speakers that come with the model are used: no voice is made of a recording.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, Final

from goassist_desktop.pipeline.engines import apart
from goassist_desktop.pipeline.engines.child_voice import Apart, ChildVoice
from goassist_desktop.pipeline.engines.coqui import LICENCE, REPOSITORY, TITLE, Studio
from goassist_desktop.pipeline.engines.spoken import Reading, new_g2p
from goassist_desktop.pipeline.engines.untimed_voice import FIRST_WORDS, UntimedVoice, english
from goassist_desktop.pipeline.errors import EngineFailed, ModelMissing
from goassist_desktop.pipeline.protocols import EngineInfo

NAME: Final = "xtts"
RATE_HZ: Final = 24_000
LONGEST: Final = 150
"""Sounds, or letters, of one line; longer ones lose their end, in some languages from 95 on."""
SHORTER: Final = {"ko": 90}
NUMBERS: Final = "1 2 3 4 5 6 7"
"""The first words in other languages than English."""


class Xtts(UntimedVoice):
    """Synthesiser. Equal texts give equal samples."""

    def __init__(self, studio: Studio, *, threads: int = 1, device: str = "cpu") -> None:
        """`device`: 'cpu', or a graphics card, such as 'cuda:0'."""
        info = EngineInfo("synthesis", NAME, studio.speaker, LICENCE)
        options = {
            "model": str(studio.model),
            "speaker": studio.speaker,
            "language": studio.language,
            "device": device,
            "threads": max(threads, (os.cpu_count() or 1) // 2),
        }
        module = Path(apart.__file__).parent / "xtts_model.py"
        voice = ChildVoice(info, RATE_HZ, Apart(TITLE, studio.program, module, options, studio.log))
        super().__init__(voice, TITLE, SHORTER.get(studio.language, LONGEST))
        self._studio = studio
        self._g2p: Any = None

    def load(self) -> None:
        if why := self._studio.lacks():
            raise EngineFailed(f"{TITLE} can not be used: {why}")
        if missing := self._studio.missing():
            raise ModelMissing(
                f"voice model of {TITLE}: {missing} is missing; get it from the hub's {REPOSITORY}"
            )
        if self._studio.language == "en":
            self._g2p = self._g2p or new_g2p()
            self.started(english(self._g2p), FIRST_WORDS)
        else:
            self.started(_spelled, NUMBERS)


def _spelled(words: list[str]) -> list[Reading]:
    """How words sound by their letters, each of which counts as one sound."""
    return [Reading(word, _letters(word)) for word in words]


def _letters(word: str) -> str:
    """A consonant for each letter and four for a digit, with the sign behind them."""
    said = sum(4 if letter.isdigit() else 1 for letter in word if letter.isalnum())
    signs = re.findall(r"[.!?…,;:—]", word)
    return "n" * said + (signs[-1] if said and signs else "")
