"""What the program takes of this machine at the moment: processor, memory, graphics memory."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from typing import Final

import psutil

MB: Final = 1e6
MIB: Final = 1024 * 1024
ANSWER_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class GpuUse:
    name: str
    used_mb: float
    """By all programs."""
    total_mb: float
    percent: float
    """Of the time in which it computed something."""


@dataclass(frozen=True, slots=True)
class MachineUse:
    busy_cores: float
    """Cores' worth of work since the last look; 0 at the first."""
    cores: int
    rss_mb: float
    """Of the program and its child processes."""
    total_mb: float
    gpu: GpuUse | None
    """None without an NVIDIA GPU and its tool."""


class Machine:
    """Looks, and takes some ms for it, with a GPU up to 2 s: not for the thread of a window."""

    def __init__(self) -> None:
        self._processes = {(own := psutil.Process()).pid: own}
        self._own = own
        self._gpu_tool = shutil.which("nvidia-smi")

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
            gpu=self._gpu(),
        )

    def _gpu(self) -> GpuUse | None:
        if self._gpu_tool is None:
            return None
        command = [
            self._gpu_tool,
            "--query-gpu=name,memory.used,memory.total,utilization.gpu",
            "--format=csv,noheader,nounits",
        ]
        try:
            answer = subprocess.run(
                command, capture_output=True, text=True, timeout=ANSWER_S, check=True
            )
            return parse(answer.stdout)
        except (OSError, subprocess.SubprocessError, ValueError):
            return None  # `goassist doctor` says what is wrong with it


def parse(answer: str) -> GpuUse:
    """The first GPU of nvidia-smi's answer, which counts memory in MiB. Raises ValueError."""
    name, used, total, percent = (part.strip() for part in answer.partition("\n")[0].split(","))
    share = 0.0 if percent.startswith("[") else float(percent)  # "[N/A]" on some
    return GpuUse(name, float(used) * MIB / MB, float(total) * MIB / MB, share)
