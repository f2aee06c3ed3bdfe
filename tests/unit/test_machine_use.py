"""What the program takes of the machine."""

from __future__ import annotations

import subprocess
import sys

import psutil
import pynvml
import pytest

from goassist_desktop.machine_use import Machine
from tests.fakes.nvml import Card, Nvml, put_in


def test_memory_counts_the_children() -> None:
    machine = Machine()
    alone = machine.use()
    grow = (
        "import sys; held = b'x' * 60_000_000; sys.stdout.write('.'); sys.stdout.flush(); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", grow], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        child.stdout.read(1)
        both = machine.use()
        child.communicate(b"\n")
    assert both.rss_mb - alone.rss_mb > 55
    assert machine.use().rss_mb < both.rss_mb - 55
    assert both.total_mb == pytest.approx(psutil.virtual_memory().total / 1e6)


def test_work_is_counted_in_cores() -> None:
    machine = Machine()
    machine.use()
    until = psutil.Process().cpu_times().user + 0.2
    while psutil.Process().cpu_times().user < until:
        sum(range(10_000))
    use = machine.use()
    assert 0 < use.busy_cores <= use.cores + 0.5


def test_the_fullest_card_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    put_in(monkeypatch, Nvml(Card("a"), Card("b", used=23_000_000_000)))
    gpu = Machine().use().gpu
    assert gpu is not None
    assert gpu.name == "b"


def test_a_driver_that_tells_nothing_is_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    put_in(monkeypatch, Nvml(fault=pynvml.NVML_ERROR_UNKNOWN))
    assert Machine().use().gpu is None
