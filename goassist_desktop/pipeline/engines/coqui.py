"""What there is to know of XTTS-v2 by Coqui before it is used; imports nothing heavy."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

TITLE: Final = "XTTS-v2"
LICENCE: Final = "Coqui Public Model License 1.0.0, non-commercial"
READ_IT_AT: Final = "coqui.ai/cpml"
NOT_ACCEPTED: Final = (
    f"its licence ({LICENCE}) is not accepted: read it at {READ_IT_AT}, and set "
    "xtts.licence_accepted"
)
REPOSITORY: Final = "coqui/XTTS-v2"
FILES: Final = ("config.json", "model.pth", "vocab.json", "speakers_xtts.pth")
LANGUAGES: Final = (
    "en", "es", "fr", "de", "it", "pt", "pl", "tr", "ru", "nl", "cs", "ar", "hu", "ko", "hi",
)  # fmt: skip
"""Those of the model that put spaces between words."""


@dataclass(frozen=True, slots=True)
class Studio:
    """Where it is installed, and who speaks."""

    program: str
    """The Python of an environment with coqui-tts."""
    model: Path
    """The folder of its files; where the setting is empty, among the other models."""
    speaker: str
    """One of those that come with it."""
    language: str
    licence_accepted: bool
    log: Path

    def lacks(self) -> str:
        """What keeps it from being used, in a line; empty for nothing."""
        if not self.licence_accepted:
            return NOT_ACCEPTED
        if not self.program or shutil.which(self.program) is None:
            which = f"the program {self.program!r}" if self.program else "it"
            return (
                f"{which} is not installed: set xtts.program to the Python of an environment with "
                "coqui-tts"
            )
        return ""

    def missing(self) -> Path | None:
        """The first of its files that is not there."""
        return next(
            (self.model / name for name in FILES if not (self.model / name).is_file()), None
        )
