"""Parts of the window, on Qt's screen of nothing, and pictures of them.

Pictures are kept in `build/screens` of the checkout, to be looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication, QWidget

from goassist_desktop.ui.theme import theme
from tests.device.conftest import card
from tests.fakes.assistant import ScriptedAssistant

__all__ = ["card"]

SCREENS = Path(__file__).parents[2] / "build" / "screens"
SIZES = ((1280, 800), (1920, 1080))
THEMES = ("dark", "light")

Shoot = Callable[[QWidget, str], list[Path]]


@pytest.fixture(scope="session")
def qapp_args() -> list[str]:
    """Not by a variable: programs that tests start would have it too."""
    return ["goassist", "-platform", "offscreen"]


@pytest.fixture(autouse=True)
def styled(qapp: QApplication) -> Iterator[None]:
    theme().use("dark")
    yield
    theme().use("dark")


@pytest.fixture
def assistant() -> ScriptedAssistant:
    return ScriptedAssistant()


@pytest.fixture
def shoot(qapp: QApplication) -> Shoot:
    """Take pictures of a top-level widget, in dark and light and in two sizes."""

    def take(widget: QWidget, name: str) -> list[Path]:
        SCREENS.mkdir(parents=True, exist_ok=True)
        taken = []
        for choice in THEMES:
            theme().use(choice)
            for width, height in SIZES:
                widget.resize(width, height)
                widget.show()
                qapp.processEvents()
                path = SCREENS / f"{name}-{choice}-{width}x{height}.png"
                assert widget.grab().save(str(path))
                taken.append(path)
        return taken

    return take
