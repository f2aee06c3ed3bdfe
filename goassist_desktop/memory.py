"""Memory that was freed, back to the system.

glibc keeps what was freed in pieces: every conversation leaves a tenth of a megabyte more, though
nothing of it is left.
"""

from __future__ import annotations

import ctypes
from functools import lru_cache
from typing import Any


def give_back() -> None:
    """Takes some milliseconds. Does nothing where there is no glibc."""
    trim = _trim()
    if trim is not None:
        trim(0)


@lru_cache(maxsize=1)
def _trim() -> Any:
    try:
        return ctypes.CDLL("libc.so.6").malloc_trim
    except (OSError, AttributeError):
        return None
