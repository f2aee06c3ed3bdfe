"""A renderer that draws one colour a person, notes what is asked of it, and can hang or break."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np

from goassist_desktop.avatar import Picture
from goassist_desktop.pipeline.blendshapes import Pose
from goassist_desktop.pipeline.events import Notice

COLOURS = {"mira": (40, 120, 200), "jonas": (200, 90, 40)}


class FlatFace:
    """Call it as one calls `avatar.open_face`. All it made share what is noted here."""

    def __init__(self, name: str = "flat (llvmpipe)") -> None:
        self.name = name
        self.sizes: list[tuple[int, int]] = []
        """Of the pictures, in order."""
        self.people: list[str] = []
        """Everybody who was opened."""
        self.threads: set[threading.Thread] = set()
        self.open_now = 0
        self.go_on = threading.Event()
        self.go_on.set()
        """Clear it, and the next picture hangs."""
        self.error: Exception | None = None

    def __call__(
        self, person: str, width: int, height: int, notify: Callable[[Notice], None]
    ) -> _Flat:
        self.people.append(person)
        self.open_now += 1
        notify(Notice("info", f"face: drawn by {self.name}"))
        return _Flat(self, person, (width, height))


class _Flat:
    def __init__(self, all_of_them: FlatFace, person: str, size: tuple[int, int]) -> None:
        self._all, self._colour, self._size = all_of_them, COLOURS[person], size

    @property
    def name(self) -> str:
        return self._all.name

    def draw(self, pose: Pose) -> Picture:
        self._all.go_on.wait()
        if self._all.error is not None:
            raise self._all.error
        self._all.threads.add(threading.current_thread())
        self._all.sizes.append(self._size)
        picture = np.full((self._size[1], self._size[0], 3), self._colour, np.uint8)
        # Whatever shows these at another edge than its own is seen.
        picture[:8], picture[-8:] = (255, 0, 0), (0, 255, 0)
        return picture

    def resize(self, width: int, height: int) -> None:
        self._size = (width, height)

    def close(self) -> None:
        self._all.open_now -= 1
