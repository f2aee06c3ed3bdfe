"""The NVIDIA graphics cards that programs may compute on, as their driver tells of them.

The driver's library for this is NVML (docs.nvidia.com/deploy/nvml-api). It counts every card there
is, in the order of the bus. CUDA counts those that CUDA_VISIBLE_DEVICES leaves, in its own order,
which is made the same one here; a card's index is CUDA's.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import pynvml as _pynvml

os.environ.setdefault("CUDA_DEVICE_ORDER", "PCI_BUS_ID")

pynvml: Any = _pynvml  # without types

_VISIBLE: Final = "CUDA_VISIBLE_DEVICES"
_starting = threading.Lock()
_started = False


class DriverFailed(Exception):
    """The driver does not answer, in its own words."""


@dataclass(frozen=True, slots=True)
class Gpu:
    """A card at this moment."""

    index: int
    """CUDA's."""
    name: str
    total: int
    """Bytes."""
    used: int
    """Bytes, by all programs."""
    busy: float
    """Part of the time in which it computed something, 0 to 1; 0 where the card does not tell."""

    @property
    def full(self) -> float:
        """Part of the memory that is used."""
        return self.used / self.total


@dataclass(frozen=True, slots=True)
class Driver:
    version: str
    cuda: tuple[int, int]
    """The newest CUDA it can run."""


def look() -> list[Gpu]:
    """The cards there are: some milliseconds. Raises DriverFailed for a driver that is there and
    broken; one card that does not answer, as it does when it is lost, is not in the list."""
    if not _start():
        return []
    return list(_cards())


def driver() -> Driver | None:
    """None where there is none. Raises DriverFailed."""
    if not _start():
        return None
    try:
        cuda = pynvml.nvmlSystemGetCudaDriverVersion_v2()
        return Driver(_text(pynvml.nvmlSystemGetDriverVersion()), (cuda // 1000, cuda % 1000 // 10))
    except pynvml.NVMLError as error:
        raise DriverFailed(str(error)) from error


def _start() -> bool:
    """Whether there is a driver. Once it answered it is not asked again to begin."""
    global _started
    with _starting:
        if _started:
            return True
        try:
            pynvml.nvmlInit()
        except pynvml.NVMLError as error:
            if error.value in (
                pynvml.NVML_ERROR_LIBRARY_NOT_FOUND,
                pynvml.NVML_ERROR_DRIVER_NOT_LOADED,
            ):
                return False
            raise DriverFailed(str(error)) from error
        _started = True
        return True


def _cards() -> Iterator[Gpu]:
    try:
        handles = [pynvml.nvmlDeviceGetHandleByIndex(n) for n in range(pynvml.nvmlDeviceGetCount())]
    except pynvml.NVMLError as error:
        raise DriverFailed(str(error)) from error
    for index, handle in enumerate(_visible(handles)):
        try:
            memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
            yield Gpu(
                index,
                _text(pynvml.nvmlDeviceGetName(handle)),
                int(memory.total),
                int(memory.used),
                _busy(handle),
            )
        except pynvml.NVMLError:
            continue


def _visible(handles: list[Any]) -> Iterator[Any]:
    """Those that CUDA sees, in its order: numbers or beginnings of UUIDs, up to the first that is
    neither (CUDA C++ Programming Guide, "CUDA Environment Variables")."""
    chosen = os.environ.get(_VISIBLE)
    if chosen is None:
        yield from handles
        return
    for one in (name.strip() for name in chosen.split(",")):
        if one.isdecimal() and int(one) < len(handles):
            yield handles[int(one)]
        elif one.startswith("GPU-"):
            found = [h for h in handles if _text(pynvml.nvmlDeviceGetUUID(h)).startswith(one)]
            if len(found) != 1:
                return
            yield found[0]
        else:
            return


def _busy(handle: Any) -> float:
    try:
        return float(pynvml.nvmlDeviceGetUtilizationRates(handle).gpu) / 100
    except pynvml.NVMLError:
        return 0.0


def _text(value: str | bytes) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else value
