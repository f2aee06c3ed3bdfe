"""Whether Qt's thread comes round in time: how late it is for a timer of a few milliseconds."""

from __future__ import annotations

import time
from collections import deque
from typing import Final

from PySide6.QtCore import QObject, Qt, QTimer

EVERY_MS: Final = 10
KEPT: Final = 100_000


class Pulse(QObject):
    """Beats from construction on. `late_ms` holds how much later than due each beat came."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.late_ms: deque[float] = deque(maxlen=KEPT)
        self._last = time.monotonic()
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._beat)
        self._timer.start(EVERY_MS)

    def _beat(self) -> None:
        now = time.monotonic()
        self.late_ms.append(max(0.0, (now - self._last) * 1000 - EVERY_MS))
        self._last = now
