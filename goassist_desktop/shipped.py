"""What comes with the program besides code: manifest of models, heads, lip-sync network."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def folder() -> Path:
    """The `models` folder: inside the installed package, or beside it in a checkout."""
    installed = _PACKAGE / "models"
    return installed if installed.exists() else _PACKAGE.parent / "models"
