"""A head drawn without a screen: for pictures, videos, and machines whose window has no OpenGL."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from types import TracebackType
from typing import Any, Final, Self

import moderngl
import numpy as np
import numpy.typing as npt

from goassist_desktop.avatar.head import Size, load_head
from goassist_desktop.avatar.renderer import HeadRenderer
from goassist_desktop.pipeline.blendshapes import Pose
from goassist_desktop.pipeline.errors import EngineFailed

SOFTWARE: Final = ("llvmpipe", "softpipe", "swrast", "swiftshader")
"""Words in the names of renderers that draw with the processor."""

Picture = npt.NDArray[np.uint8]


class OffscreenRenderer:
    """Belongs to the thread that made it."""

    def __init__(self, person: str, width: int, height: int, size: Size | None = None) -> None:
        """`size` of the head: the small one for a renderer in software, else the large, if None.

        Raises EngineFailed without EGL, ModelMissing without the head.
        """
        self.name = ""
        """Of the graphics processor, as its driver calls it."""
        self._person, self._size = person, size
        self._width, self._height = width, height
        self._context: moderngl.Context | None = None
        self._open()

    def draw(self, pose: Pose) -> Picture:
        """The face as (height, width, 3), the top row first.

        A context that was lost is made anew, once. Raises EngineFailed when none is to be had.
        """
        try:
            return self._drawn(pose)
        except EngineFailed:
            self._open()
            return self._drawn(pose)

    def resize(self, width: int, height: int) -> None:
        self._width, self._height = width, height

    def close(self) -> None:
        """Free the context. Harmless when it is gone."""
        if self._context is not None:
            self._context.release()
            self._context = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _open(self) -> None:
        self.close()
        try:
            settings: dict[str, Any] = {"standalone": True, "backend": "egl", "require": 330}
            context = moderngl.create_context(**settings)
        except Exception as error:  # glcontext raises the bare Exception, moderngl its own
            raise EngineFailed(f"face: no OpenGL without a screen: {error}") from error
        self._context = context
        self._frame: moderngl.Framebuffer | None = None
        self.name = str(context.info["GL_RENDERER"])
        software = any(word in self.name.lower() for word in SOFTWARE)
        try:
            head = load_head(self._person, self._size or ("small" if software else "large"))
            with context:
                self._renderer = HeadRenderer(context, head, "light" if software else "full")
        except moderngl.Error as error:
            self.close()
            raise EngineFailed(f"face: {self.name} can not draw it: {_line(error)}") from error
        except BaseException:
            self.close()
            raise

    def _drawn(self, pose: Pose) -> Picture:
        context = self._context
        if context is None:
            raise EngineFailed("face: the renderer is closed")
        size = self._width, self._height
        try:
            with context:
                if self._frame is None or self._frame.size != size:
                    if self._frame is not None:
                        self._frame.release()
                    self._frame = context.simple_framebuffer(size, 4)
                self._frame.use()
                self._renderer.draw(pose, *size)
                _FINISH()
                pixels = np.zeros((self._height, self._width, 4), np.uint8)
                self._frame.read_into(pixels, components=4)
                state = context.error
        except moderngl.Error as error:
            raise EngineFailed(f"face: {self.name} can not draw: {_line(error)}") from error
        if state != "GL_NO_ERROR" or not pixels[0, 0, 3]:  # what is drawn is opaque
            raise EngineFailed("face: the context of the renderer is lost")
        return np.ascontiguousarray(pixels[::-1, :, :3])


def _finish() -> Callable[[], None]:
    """`glFinish` of the context in use. What it waits for, all other threads of Python do not:
    moderngl keeps them waiting while it reads a picture that is being drawn."""
    try:
        address_of = ctypes.CDLL("libEGL.so.1").eglGetProcAddress
    except (OSError, AttributeError):
        return lambda: None
    address_of.restype, address_of.argtypes = ctypes.c_void_p, [ctypes.c_char_p]
    address = address_of(b"glFinish")
    return ctypes.CFUNCTYPE(None)(address) if address else lambda: None


_FINISH: Final = _finish()


def _line(error: moderngl.Error) -> str:
    """The first line of it: a driver may say much."""
    return next(iter(str(error).strip().splitlines()), "without a word")
