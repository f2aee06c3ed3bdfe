"""What every test has to leave behind: nothing, and no warning in the log."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator

import pytest

GRACE_S = 2.0


def running() -> set[threading.Thread]:
    """Threads of ours: not those Python only heard of, nor the progress bars' of a library."""
    return {
        thread
        for thread in threading.enumerate()
        if not isinstance(thread, threading._DummyThread) and thread.name != "tqdm_monitor"
    }


@pytest.fixture(autouse=True)
def nothing_is_left(
    caplog: pytest.LogCaptureFixture,
) -> Iterator[None]:
    """Fails a test that leaves a thread running, or made something log a warning."""
    before = running()
    yield
    loud = [r.getMessage() for r in caplog.get_records("call") if r.levelno >= logging.WARNING]
    assert not loud, f"logged: {loud}"
    deadline = time.monotonic() + GRACE_S
    while (left := running() - before) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not left, f"still running: {[thread.name for thread in left]}"
