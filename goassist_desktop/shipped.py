"""What comes with the program besides code: models' manifest, heads, lip-sync network, licences."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def folder() -> Path:
    """The `models` folder: inside the installed package, or beside it in a checkout."""
    installed = _PACKAGE / "models"
    return installed if installed.exists() else _PACKAGE.parent / "models"


def licence() -> Path:
    """The licence of the program itself."""
    installed = _PACKAGE / "LICENSE"
    return installed if installed.exists() else _PACKAGE.parent / "LICENSE"
