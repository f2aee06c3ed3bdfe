"""What the program takes of the machine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from goassist_desktop.machine_use import GpuUse, Machine, parse


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


def test_an_answer_of_the_gpu_tool() -> None:
    assert parse("NVIDIA H100, 2048, 81559, 37\nanother, 1, 2, 3\n") == GpuUse(
        "NVIDIA H100", 2147.483648, pytest.approx(85520.8, abs=0.1), 37.0
    )
    assert parse("NVIDIA GB10, 2048, 4096, [N/A]").percent == 0


def _tool(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = folder / "nvidia-smi"
    tool.write_text(f"#!/bin/sh\n{script}\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


def test_a_gpu_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _tool(tmp_path, "echo 'Card, 1024, 2048, 5'", monkeypatch)
    gpu = Machine().use().gpu
    assert gpu is not None
    assert (gpu.name, gpu.percent, gpu.used_mb / gpu.total_mb) == ("Card", 5, 0.5)


@pytest.mark.parametrize("script", ["exit 9", "echo gibberish", "echo a, b, c, d", "true"])
def test_a_tool_that_tells_nothing_is_no_gpu(
    script: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _tool(tmp_path, script, monkeypatch)
    assert Machine().use().gpu is None
