"""A process that works for this one: what is said of its end."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from goassist_desktop.pipeline.child import Child

SAYS = {
    "ValueError: no such model": "Traceback\n  File x\nValueError: no such model\n",
    "Value error, Invalid folder: '/x'.": (
        "ValidationError: 1 validation error for Config\n  Value error, Invalid folder: '/x'.\n"
        "Please look at the folder.\n [type=value_error, input=1]\n    For more visit the manual\n"
    ),
    "the last thing": "one thing\nthe last thing\n\n",
    "": "",
}


@pytest.mark.parametrize("told", SAYS)
def test_its_last_word_on_an_error_is_kept(told: str, tmp_path: Path) -> None:
    code = f"import sys; sys.stdout.write({SAYS[told]!r}); sys.exit(3)"
    child = Child([sys.executable, "-c", code], tmp_path / "log", {})
    deadline = time.monotonic() + 10
    while child.status is None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert child.status == 3
    assert child.last_line() == told
    child.end()
