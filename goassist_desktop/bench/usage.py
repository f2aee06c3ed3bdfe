"""What the program takes of the machine while it runs: processor, memory, threads, open files."""

from __future__ import annotations

import asyncio
import statistics
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import psutil

from goassist_desktop.bench.figures import Figure
from goassist_desktop.pipeline.errors import BadInput

EVERY_S = 1.0
MB = 1e6
SHORTEST_MINUTES, LONGEST_MINUTES = 0.1, 24 * 60.0
GROWTH_LIMITS = {"max": 1.01}
"""Memory may waver by 1 %."""
GAIN_LIMITS = {"max": 0.0}
"""Threads and open files are as many at the end as at the beginning."""


def minutes(asked: float) -> float:
    """What was asked for with --minutes. Raises BadInput."""
    if not SHORTEST_MINUTES <= asked <= LONGEST_MINUTES:  # refuses nan too
        raise BadInput(f"--minutes {asked:g}: must be {SHORTEST_MINUTES:g} to {LONGEST_MINUTES:g}")
    return asked


@dataclass(frozen=True, slots=True)
class Usage:
    """The process at one moment."""

    at_s: float
    """Of the monotonic clock."""
    cpu_s: float
    """Of all threads, since the process began."""
    rss_mb: float
    threads: int
    handles: int
    """Open files and sockets."""

    @classmethod
    def now(cls) -> Usage:
        process = psutil.Process()
        with process.oneshot():
            return cls(
                at_s=time.monotonic(),
                cpu_s=time.process_time(),
                rss_mb=process.memory_info().rss / MB,
                threads=process.num_threads(),
                handles=process.num_fds(),
            )


async def watch(samples: list[Usage]) -> None:
    """Append a sample every second, until cancelled."""
    while True:
        samples.append(Usage.now())
        await asyncio.sleep(EVERY_S)


def cpu_percent(samples: Sequence[Usage]) -> float:
    """Of one core, from the first sample to the last."""
    first, last = samples[0], samples[-1]
    return 100 * (last.cpu_s - first.cpu_s) / (last.at_s - first.at_s)


def growth_mb_per_h(samples: Sequence[Usage]) -> float:
    """The slope of the memory, by least squares over all samples."""
    hours = [(sample.at_s - samples[0].at_s) / 3600 for sample in samples]
    return float(np.polyfit(hours, [sample.rss_mb for sample in samples], 1)[0])


def drift(values: Sequence[float]) -> tuple[float, float]:
    """The medians of the first and of the last third, of at least one value."""
    third = max(1, len(values) // 3)
    return statistics.median(values[:third]), statistics.median(values[-third:])


def steadiness(samples: Sequence[Usage]) -> list[Figure]:
    """Whether anything grows: the last third of the samples against the first."""
    first, last = drift([sample.rss_mb for sample in samples])
    threads = [sample.threads for sample in samples]
    handles = [sample.handles for sample in samples]
    return [
        Figure("memory", "MB", tuple(round(sample.rss_mb, 1) for sample in samples)),
        Figure("memory slope", "MB/h", (round(growth_mb_per_h(samples), 2),)),
        Figure("memory last / first", "", (round(last / first, 4),), GROWTH_LIMITS),
        Figure("threads", "", tuple(map(float, threads))),
        Figure("threads gained", "", (_gained(threads),), GAIN_LIMITS),
        Figure("open files gained", "", (_gained(handles),), GAIN_LIMITS),
    ]


def _gained(counts: Sequence[int]) -> float:
    first, last = drift(counts)
    return last - first


def thread_cpu_s() -> dict[str, float]:
    """Thread -> processor seconds so far; threads that are not Python's are added up as one."""
    names = {thread.native_id: thread.name for thread in threading.enumerate()}
    spent: dict[str, float] = {}
    for thread in psutil.Process().threads():
        name = names.get(thread.id, "libraries")
        spent[name] = spent.get(name, 0.0) + thread.user_time + thread.system_time
    return spent


def busiest(
    before: dict[str, float], after: dict[str, float], seconds: float
) -> list[tuple[str, float]]:
    """(thread, percent of one core) between two calls of `thread_cpu_s`, the busiest first."""
    spent = {name: after[name] - before.get(name, 0.0) for name in after}
    return [(name, 100 * spent[name] / seconds) for name in sorted(spent, key=lambda n: -spent[n])]
