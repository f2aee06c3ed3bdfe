from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from goassist_desktop import weights


@pytest.fixture(scope="session")
def models() -> Callable[[str], Path]:
    """The folder of a model of the manifest; a missing one fails the test, naming the command."""
    return weights.path
