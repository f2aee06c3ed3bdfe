"""From the conversation's threads to Qt's: a bounded queue, and one signal for all that is in it.

Neither side ever waits for the other. What is wanted at every frame (level, pose) does not come
this way: views ask `ports.Assistant` for the latest.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import Final

from PySide6.QtCore import QObject, Qt, Signal

from goassist_desktop.ui.ports import AssistantEvent

LONGEST: Final = 4096
"""A window that does not come to read for minutes loses the oldest, rather than memory."""


class Bridge(QObject):
    """`post` from any thread; `happened` comes on Qt's, in the same order."""

    happened = Signal(object)
    """An AssistantEvent."""
    _waiting = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._events: deque[AssistantEvent] = deque(maxlen=LONGEST)
        self._lock = threading.Lock()
        self._told = False
        self._waiting.connect(self.deliver, Qt.ConnectionType.QueuedConnection)

    def post(self, event: AssistantEvent) -> None:
        with self._lock:
            self._events.append(event)
            told, self._told = self._told, True
        if not told:
            self._waiting.emit()

    def deliver(self) -> None:
        """What waits, at once. On Qt's thread."""
        with self._lock:
            events, self._told = list(self._events), False
            self._events.clear()
        for event in events:
            self.happened.emit(event)
