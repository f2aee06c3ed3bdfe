"""What a server said, as a part of one line for the user."""

from __future__ import annotations

from typing import Final

LONGEST: Final = 120


def one_line(text: str) -> str:
    """Without what can not be printed, and cut after LONGEST characters."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"
