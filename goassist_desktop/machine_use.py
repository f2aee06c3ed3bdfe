"""What the program takes of this machine at the moment: processor, memory, graphics memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import psutil

from goassist_desktop import gpus
from goassist_desktop.gpus import DriverFailed, Gpu

MB: Final = 1e6


@dataclass(frozen=True, slots=True)
class MachineUse:
    busy_cores: float
    """Cores' worth of work since the last look; 0 at the first."""
    cores: int
    rss_mb: float
    """Of the program and its child processes."""
    total_mb: float
    gpu: Gpu | None
    """The fullest; None without an NVIDIA card and its driver."""


class Machine:
    """Looks, and takes some ms for it: not for the thread of a window."""

    def __init__(self) -> None:
        self._processes = {(own := psutil.Process()).pid: own}
        self._own = own

    def use(self) -> MachineUse:
        for child in self._own.children(recursive=True):
            self._processes.setdefault(child.pid, child)
        percent, rss = 0.0, 0
        for pid, process in list(self._processes.items()):
            try:
                percent += process.cpu_percent()
                rss += process.memory_info().rss
            except psutil.Error:  # it ended
                del self._processes[pid]
        return MachineUse(
            busy_cores=percent / 100,
            cores=psutil.cpu_count() or 1,
            rss_mb=rss / MB,
            total_mb=psutil.virtual_memory().total / MB,
            gpu=_fullest(),
        )


def _fullest() -> Gpu | None:
    try:
        return max(gpus.look(), key=lambda card: card.full, default=None)
    except DriverFailed:
        return None  # `goassist doctor` says what is wrong with it
