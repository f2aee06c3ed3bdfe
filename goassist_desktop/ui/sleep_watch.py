"""Notices that the machine slept: sound devices and connections of before may be dead."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from PySide6.QtCore import SLOT, QObject, QTimer, Signal, Slot
from PySide6.QtDBus import QDBusConnection

EVERY_MS: Final = 2000
SLEPT_S: Final = 1.0
"""Less is how coarse the two clocks are, not sleep."""


def slept_so_far_s() -> float:
    """How long this machine has slept since it was started: one clock counts that, one does not."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) - time.clock_gettime(time.CLOCK_MONOTONIC)


class SleepWatch(QObject):
    """Asks the clocks every two seconds; where logind is there, it tells at once."""

    resumed = Signal()
    """Just woken up."""

    def __init__(
        self, parent: QObject | None = None, clock: Callable[[], float] = slept_so_far_s
    ) -> None:
        super().__init__(parent)
        self._clock, self._slept_s = clock, clock()
        self._timer = QTimer(self)
        self._timer.timeout.connect(self.look)
        self._timer.start(EVERY_MS)
        manager = "org.freedesktop.login1.Manager"
        QDBusConnection.systemBus().connect(  # type: ignore[call-overload]  # a str is right
            "", "/org/freedesktop/login1", manager, "PrepareForSleep", self, SLOT("_prepare(bool)")
        )

    def look(self) -> None:
        """Has it slept since the last look?"""
        slept_s = self._clock()
        if slept_s - self._slept_s >= SLEPT_S:
            self._slept_s = slept_s
            self.resumed.emit()

    @Slot(bool)
    def _prepare(self, begins: bool) -> None:
        if not begins:
            self.look()
