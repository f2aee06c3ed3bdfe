"""Work that would hold up the window, in a thread; what came of it is told on Qt's."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject, Qt, Signal


class Aside(QObject):
    """One piece of work that may be asked for again and again; it is never done twice at a time."""

    done = Signal(object)
    """What the work returned. It may raise nothing."""

    def __init__(self, name: str, done: Callable[[Any], None]) -> None:
        """`done`: a method of a QObject; not called once that is gone."""
        super().__init__()
        self._name = name
        self._busy = False
        self.done.connect(self._rest, Qt.ConnectionType.QueuedConnection)
        self.done.connect(done, Qt.ConnectionType.QueuedConnection)

    def start(self, work: Callable[[], object]) -> bool:
        """False, and nothing is done, while the work before goes on."""
        if self._busy:
            return False
        self._busy = True
        threading.Thread(target=self._run, args=(work,), name=self._name, daemon=True).start()
        return True

    def _run(self, work: Callable[[], object]) -> None:
        result = work()
        try:
            self.done.emit(result)
        except RuntimeError:  # the window is gone, and nobody waits for it
            return

    def _rest(self, _: object) -> None:
        self._busy = False
