"""Whether there is a screen for a window. Qt can not be asked: it ends the process if not."""

from __future__ import annotations

import ctypes
import importlib.util
import os
import re
import socket
import sys
from pathlib import Path

_X11_LIBRARIES = ("libxcb-cursor.so.0", "libxcb-icccm.so.4", "libxkbcommon-x11.so.0")
"""What Qt's X11 plugin needs and a bare system has not."""
_PLATFORMS = ("", "xcb", "wayland", "wayland-egl", "offscreen", "minimal")
"""Of QT_QPA_PLATFORM; Qt's others are for machines without a desktop, and untried."""


def fault() -> str:
    """Why no window can be shown here, in a few words; empty when one can."""
    if importlib.util.find_spec("PySide6") is None:
        return "PySide6 is not installed"
    if sys.platform != "linux":
        return ""
    try:
        ctypes.CDLL("libEGL.so.1")
    except OSError:
        return "the library libEGL.so.1 is missing (Debian and Ubuntu: libegl1)"
    chosen = re.split("[:;]", os.environ.get("QT_QPA_PLATFORM", ""))[0]
    if chosen not in _PLATFORMS:
        names = ", ".join(filter(None, _PLATFORMS))
        return f"QT_QPA_PLATFORM={chosen} is not known (known are {names})"
    if chosen in ("offscreen", "minimal"):
        return ""
    wayland = "" if chosen == "xcb" else os.environ.get("WAYLAND_DISPLAY", "")
    if wayland and _answers(Path(os.environ.get("XDG_RUNTIME_DIR", "")) / wayland):
        return ""
    if os.environ.get("DISPLAY") and not chosen.startswith("wayland"):
        return _x11_fault()
    if wayland:
        return f"the display WAYLAND_DISPLAY={wayland} does not answer"
    return "there is no screen"


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as display:
        display.settimeout(1.0)
        try:
            display.connect(str(path))
        except OSError:
            return False
    return True


def _x11_fault() -> str:
    """Asks the X server as Qt will: it may be gone, or not let us in."""
    try:
        xcb = ctypes.CDLL("libxcb.so.1")
        for library in _X11_LIBRARIES:
            ctypes.CDLL(library)
    except OSError as error:
        library = str(error).partition(":")[0]
        return f"the library {library} is missing: `make run` installs what is needed"
    xcb.xcb_connect.restype = ctypes.c_void_p
    for function in (xcb.xcb_connection_has_error, xcb.xcb_disconnect):
        function.argtypes = [ctypes.c_void_p]
    connection = xcb.xcb_connect(None, None)
    refused = xcb.xcb_connection_has_error(connection)
    xcb.xcb_disconnect(connection)
    return f"the display DISPLAY={os.environ['DISPLAY']} does not answer" if refused else ""
