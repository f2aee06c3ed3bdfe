"""Asks the desktop not to blank the screen nor to lock it while the kiosk runs.

By the desktops' common interface (org.freedesktop.ScreenSaver), for as long as the process lives.
Where no desktop is, nobody answers: in cage no screen is blanked, and a bare X server is told by
`xset s off -dpms` at its start.
"""

from __future__ import annotations

from typing import Final

from PySide6.QtDBus import QDBusConnection, QDBusMessage

WHY: Final = "People may talk to it at any time"


def keep_awake() -> None:
    """Ask, and do not wait for the answer."""
    bus = QDBusConnection.sessionBus()
    if bus.isConnected():
        name, path = "org.freedesktop.ScreenSaver", "/org/freedesktop/ScreenSaver"
        call = QDBusMessage.createMethodCall(name, path, name, "Inhibit")
        call.setArguments(["GoAssist", WHY])
        call.setAutoStartService(False)
        bus.send(call)
