"""The libraries of CUDA that CTranslate2 looks for when it computes on a graphics card.

It asks the system for them by name. NVIDIA also publishes them as Python packages (the extra `cuda`
of this program), in folders where no system looks: loaded from there beforehand, they are found.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

LIBRARIES: Final = {
    "libcublasLt.so.12": "nvidia/cublas/lib",
    "libcublas.so.12": "nvidia/cublas/lib",
}
"""Name -> folder in the Python packages; the second needs the first. CTranslate2 4.8 asks for no
other: cuDNN, which earlier ones wanted, is not in it any more."""


def preload() -> list[str]:
    """Load what there is. The names of those that are neither there nor known to the system."""
    return [name for name, folder in LIBRARIES.items() if not _load(name, folder)]


def _load(name: str, folder: str) -> bool:
    for place in (*_packaged(folder, name), name):
        with suppress(OSError):
            ctypes.CDLL(str(place), ctypes.RTLD_GLOBAL)
            return True
    return False


def _packaged(folder: str, name: str) -> Iterator[Path]:
    for site in sys.path:
        file = Path(site, folder, name)
        if file.is_file():
            yield file
