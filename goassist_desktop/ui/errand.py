"""Work that would hold up the window, done in a thread; what comes of it is told on Qt's."""

from __future__ import annotations

import threading
from collections.abc import Callable

from PySide6.QtCore import QObject, Qt, Signal

from goassist_desktop.pipeline.errors import GoAssistError


class Errand(QObject):
    """One kind of work. Asked for again, only what comes of the latest is told."""

    done = Signal(object)
    """What the work returned."""
    failed = Signal(str)
    """It could not be done; in words for the user."""
    said = Signal(str)
    """See `say`."""
    _over = Signal(int, object, object)

    def __init__(self, name: str, parent: QObject) -> None:
        super().__init__(parent)
        self._name = name
        self._latest = 0
        self._busy = False
        self._over.connect(self._tell, Qt.ConnectionType.QueuedConnection)

    @property
    def busy(self) -> bool:
        return self._busy

    def start(self, work: Callable[[], object]) -> None:
        """Do it; it may raise GoAssistError."""
        self._latest += 1
        self._busy = True
        run = threading.Thread(
            target=self._run, args=(work, self._latest), name=self._name, daemon=True
        )
        run.start()

    def forget(self) -> None:
        """Nobody wants to know any more what comes of it."""
        self._latest += 1
        self._busy = False

    def say(self, line: str) -> None:
        """From the work: what is being done."""
        self._emit(self.said, line)

    def _run(self, work: Callable[[], object], number: int) -> None:
        try:
            self._emit(self._over, number, work(), None)
        except GoAssistError as error:
            self._emit(self._over, number, None, str(error))
        except BaseException:
            self._emit(self._over, number, None, "Something went wrong. It is in the log.")
            raise

    @staticmethod
    def _emit(signal: object, *what: object) -> None:
        try:
            signal.emit(*what)  # type: ignore[attr-defined]
        except RuntimeError:  # the window is gone, and nobody waits for it
            return

    def _tell(self, number: int, result: object, fault: str | None) -> None:
        if number != self._latest:
            return
        self._busy = False
        if fault is None:
            self.done.emit(result)
        else:
            self.failed.emit(fault)
