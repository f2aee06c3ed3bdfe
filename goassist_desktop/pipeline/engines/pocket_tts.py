"""Synthesis with Pocket TTS by Kyutai (24 kHz), in a process and an environment of its own.

It needs `pocket-tts` with torch, which are not part of this program, and the model's files; see
docs/pocket-tts.md. It makes no voice of a recording: the files of voices come with the model.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from goassist_desktop.pipeline.engines import apart
from goassist_desktop.pipeline.engines.child_voice import Apart, ChildVoice
from goassist_desktop.pipeline.engines.spoken import new_g2p
from goassist_desktop.pipeline.engines.untimed_voice import FIRST_WORDS, UntimedVoice, english
from goassist_desktop.pipeline.errors import EngineFailed, ModelMissing
from goassist_desktop.pipeline.protocols import EngineInfo

NAME: Final = "pocket-tts"
TITLE: Final = "Pocket TTS"
LICENCE: Final = "CC-BY-4.0"
REPOSITORY: Final = "kyutai/pocket-tts-without-voice-cloning"
RATE_HZ: Final = 24_000
LONGEST: Final = 200
"""Sounds of one line: the library cuts at 50 of its tokens, that is about 200 letters."""


@dataclass(frozen=True, slots=True)
class Pocket:
    """Where it is installed, and who speaks."""

    program: str
    """The Python of an environment with pocket-tts."""
    model: Path
    """The folder of its files."""
    voice: str
    """The name of a voice's file there, such as 'alba'."""
    log: Path

    def lacks(self) -> str:
        """What keeps it from being used, in a line; empty for nothing."""
        if not self.program or shutil.which(self.program) is None:
            which = f"the program {self.program!r}" if self.program else "it"
            return (
                f"{which} is not installed: set pocket.program to the Python of an environment "
                "with pocket-tts"
            )
        return ""

    def missing(self) -> Path | None:
        """The first of its files that is not there."""
        names = ("model.safetensors", "tokenizer.json", f"{self.voice}.safetensors")
        return next((self.model / n for n in names if not (self.model / n).is_file()), None)


class PocketTts(UntimedVoice):
    """Synthesiser. Equal texts give equal samples."""

    def __init__(self, pocket: Pocket, *, threads: int = 1) -> None:
        options = {
            "model": str(pocket.model),
            "voice": pocket.voice,
            "threads": max(threads, (os.cpu_count() or 1) // 2),
        }
        module = Path(apart.__file__).parent / "pocket_model.py"
        info = EngineInfo("synthesis", NAME, pocket.voice, LICENCE)
        voice = ChildVoice(info, RATE_HZ, Apart(TITLE, pocket.program, module, options, pocket.log))
        super().__init__(voice, TITLE, LONGEST)
        self._pocket = pocket
        self._g2p: Any = None

    def load(self) -> None:
        if why := self._pocket.lacks():
            raise EngineFailed(f"{TITLE} can not be used: {why}")
        if missing := self._pocket.missing():
            raise ModelMissing(
                f"voice model of {TITLE}: {missing} is missing; get it from the hub's {REPOSITORY}"
            )
        self._g2p = self._g2p or new_g2p()
        self.started(english(self._g2p), FIRST_WORDS)
