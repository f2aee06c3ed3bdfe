"""A Python for `xtts.program` that runs hibari's voice in place of XTTS-v2: all but the model.

xtts_program.py SERVE MODULE ARGUMENT…
"""

from __future__ import annotations

import os
import sys
from pathlib import Path


def install(folder: Path) -> Path:
    """The program, as a file that can be run."""
    program = folder / "python"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{__file__}" "$@"\n')
    program.chmod(0o700)
    for name in ("config.json", "model.pth", "vocab.json", "speakers_xtts.pth"):
        (folder / name).touch()
    return program


if __name__ == "__main__":
    serve, _, *arguments = sys.argv[1:]
    module = Path(__file__).with_name("raw_hibari_apart.py")
    os.execv(sys.executable, [sys.executable, serve, str(module), *arguments])
