"""The head that is seen: whoever can draw it on this machine, best first, and never nobody.

A renderer turns a `Pose` into a picture. Below the one that needs OpenGL stands one that needs
nothing, and it takes over wherever the other breaks, be it in the middle of a sentence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from goassist_desktop.pipeline.blendshapes import Pose
from goassist_desktop.pipeline.errors import EngineFailed, ModelMissing
from goassist_desktop.pipeline.events import Notice

Picture = npt.NDArray[np.uint8]
"""(height, width, 3), RGB, the top row first."""


class Renderer(Protocol):
    """One person's head, drawn from one thread: the one that made it."""

    @property
    def name(self) -> str:
        """As a user may read it."""

    def draw(self, pose: Pose) -> Picture:
        """The pose as a picture of the size asked for. Raises EngineFailed when it can no more."""

    def resize(self, width: int, height: int) -> None:
        """The size of the next pictures. Raises EngineFailed, and ValueError for an empty one."""

    def close(self) -> None:
        """Free what it took. Harmless at any moment."""


def _gl(person: str, width: int, height: int) -> Renderer:
    from goassist_desktop.avatar.offscreen import OffscreenRenderer

    renderer: Renderer = OffscreenRenderer(person, width, height)
    return renderer


def _painted(person: str, width: int, height: int) -> Renderer:
    from goassist_desktop.avatar.painted import PaintedRenderer

    return PaintedRenderer(person, width, height)


RENDERERS: Final[Mapping[str, Callable[[str, int, int], Renderer]]] = {
    "gl": _gl,
    "painted": _painted,
}
"""The ladder, from its top: name -> what makes it. The last can always be made."""


def open_face(person: str, width: int, height: int, notify: Callable[[Notice], None]) -> Renderer:
    """The best renderer there is here, and those below it should it break.

    `notify` is told which it is, and why it is not a better one. Raises BadInput for somebody
    unknown, and ValueError for a picture without a pixel.
    """
    return _Ladder(person, width, height, notify)


class _Ladder:
    def __init__(
        self, person: str, width: int, height: int, notify: Callable[[Notice], None]
    ) -> None:
        self._person, self._size, self._notify = person, (width, height), notify
        self._below = list(RENDERERS.values())
        self._renderer = self._next()
        notify(Notice("info", f"face: drawn by {self.name}", "face"))

    @property
    def name(self) -> str:
        return self._renderer.name

    def draw(self, pose: Pose) -> Picture:
        while True:
            try:
                return self._renderer.draw(pose)
            except (EngineFailed, ModelMissing) as error:
                self._step_down(error)

    def resize(self, width: int, height: int) -> None:
        self._size = (width, height)
        try:
            self._renderer.resize(width, height)
        except (EngineFailed, ModelMissing) as error:
            self._step_down(error)  # the one below is made in the new size

    def close(self) -> None:
        self._renderer.close()

    def _next(self) -> Renderer:
        """The first from here down that can be had."""
        while True:
            make = self._below.pop(0)
            try:
                return make(self._person, *self._size)
            except (EngineFailed, ModelMissing) as error:
                if not self._below:
                    raise
                self._notify(
                    Notice("warning", f"face: {_why(error)}; it is drawn more simply", "face")
                )

    def _step_down(self, error: EngineFailed | ModelMissing) -> None:
        if not self._below:
            raise error
        broken, self._renderer = self._renderer, self._next()
        broken.close()
        self._notify(
            Notice("warning", f"face: {broken.name}: {_why(error)}; {self.name} takes over", "face")
        )


def _why(error: EngineFailed | ModelMissing) -> str:
    """Notices name the face themselves."""
    return str(error).removeprefix("face: ")
