"""Voices in processes of their own, and what is done to those."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import psutil

from goassist_desktop.pipeline.engines.apart import serve
from goassist_desktop.pipeline.engines.child_voice import Apart, ChildVoice
from goassist_desktop.pipeline.protocols import EngineInfo

GONE_S = 1.0
FAKES = Path(__file__).parents[1] / "fakes"


def apart(module: Path, folder: Path, **options: Any) -> ChildVoice:
    """The voice of a module for `apart/serve.py`; `folder` gets its log."""
    info = EngineInfo("synthesis", "apart", "heart", "Apache-2.0")
    return ChildVoice(
        info, 24_000, Apart("The voice", sys.executable, module, options, folder / "apart.log")
    )


def hibari_apart(model: Path, folder: Path, rest_s: float = 0.0) -> ChildVoice:
    """`rest_s`: how long it does nothing after each piece."""
    return apart(FAKES / "hibari_apart.py", folder, model=str(model), rest_s=rest_s)


def process_of(engine: Any) -> psutil.Process:
    """The one that computes. `engine` may hold a ChildVoice."""
    voice: Any = engine if isinstance(engine, ChildVoice) else engine._voice
    guard = psutil.Process(voice._process._child._process.pid)
    [process] = guard.children()
    assert serve.__file__ in process.cmdline()
    return process


def kill(engine: Any) -> None:
    process = process_of(engine)
    process.kill()
    assert over(process)


def over(process: psutil.Process) -> bool:
    """Whether it has ended, with all its threads, after a moment at most."""
    deadline = time.monotonic() + GONE_S
    while process.is_running():
        if time.monotonic() > deadline:  # whose parent is gone may never be reaped
            return bool(process.status() == psutil.STATUS_ZOMBIE)
        time.sleep(0.01)
    return True


def shared_memory(pid: int) -> set[str]:
    """What a process shares with others, as Linux calls it: "(deleted)" has no name."""
    maps = Path(f"/proc/{pid}/maps").read_text()
    paths = (line.split(maxsplit=5)[5] for line in maps.splitlines() if len(line.split()) > 5)
    return {path for path in paths if path.startswith(("/memfd:", "/dev/shm/"))}
