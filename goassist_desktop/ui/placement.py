"""Where the window was, for the next start: a small file among the program's own state."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from PySide6.QtCore import QPoint, QRect, QSize
from PySide6.QtWidgets import QApplication, QWidget

FIRST_SIZE: Final = QSize(1280, 800)
SHARE: Final = 0.8
"""Of a screen that is too small for FIRST_SIZE and its frame."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Top left with the frame, size without, in px of the desktop."""

    x: int
    y: int
    width: int
    height: int
    maximised: bool = False

    @property
    def area(self) -> QRect:
        return QRect(self.x, self.y, self.width, self.height)


def first_area(screen: QRect) -> QRect:
    """In the middle of a screen, for a start that remembers nothing."""
    size = FIRST_SIZE
    if size.width() >= screen.width() or size.height() >= screen.height():
        size = size.boundedTo(QSize(int(SHARE * screen.width()), int(SHARE * screen.height())))
    area = QRect(QPoint(0, 0), size)
    area.moveCenter(screen.center())
    return area


def fitted(area: QRect, screens: Sequence[QRect]) -> QRect:
    """The same wholly on the screen that shows most of it; on the first, if none shows any."""

    def shown(screen: QRect) -> int:
        common = screen.intersected(area)
        return common.width() * common.height()

    screen = max(screens, key=shown)
    size = area.size().boundedTo(screen.size())
    left = min(max(area.left(), screen.left()), screen.left() + screen.width() - size.width())
    top = min(max(area.top(), screen.top()), screen.top() + screen.height() - size.height())
    return QRect(QPoint(left, top), size)


def restore(window: QWidget, path: Path) -> None:
    """Put the window where it was, or where a first one belongs. Before it is shown.

    Where a compositor places windows itself (Wayland), the size is what comes of it.
    """
    screens = [screen.availableGeometry() for screen in QApplication.screens()]
    kept = _read(path)
    area = first_area(screens[0]) if kept is None else fitted(kept.area, screens)
    window.move(area.topLeft())
    window.resize(area.size())
    if kept is not None and kept.maximised:
        window.showMaximized()


def keep(window: QWidget, path: Path) -> None:
    """Note where the window is. Raises OSError with the file's name."""
    normal = window.normalGeometry()
    if normal.isEmpty() or not (window.isMaximized() or window.isFullScreen()):
        normal = QRect(window.pos(), window.size())
    placement = Placement(
        normal.x(), normal.y(), normal.width(), normal.height(), window.isMaximized()
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_suffix(".new")
    half.write_text(json.dumps(asdict(placement)) + "\n", encoding="utf-8")
    half.replace(path)


def _read(path: Path) -> Placement | None:
    """None where there is nothing of use."""
    try:
        kept = Placement(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None  # a first start, or a file that somebody wrote into: not worth a word
    sizes = (kept.x, kept.y, kept.width, kept.height)
    if not all(type(size) is int and abs(size) < 1 << 20 for size in sizes):
        return None
    return kept if kept.width > 0 and kept.height > 0 else None
