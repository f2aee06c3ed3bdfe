"""The end: SIGTERM, SIGINT and SIGHUP on Qt's thread and at once, and all that ends by itself.

Python runs its handlers between two instructions of its own, and Qt's loop may not come to one for
minutes. So the signal is written into a socket that Qt's loop listens to.
"""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from PySide6.QtCore import QObject, QSocketNotifier, Signal

SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Ending(QObject):
    """From construction until `close`, on the main thread."""

    asked = Signal(int)
    """By the signal of this number. A second one ends the process as it does any other."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._reading, self._writing = socket.socketpair()
        self._reading.setblocking(False)
        self._writing.setblocking(False)
        self._notifier = QSocketNotifier(self._reading.fileno(), QSocketNotifier.Type.Read, self)
        self._notifier.activated.connect(self._woken)
        self._handlers = {number: signal.signal(number, _nothing) for number in SIGNALS}
        self._descriptor = signal.set_wakeup_fd(self._writing.fileno(), warn_on_full_buffer=False)

    def close(self) -> None:
        """Signals do again what they did before. Harmless when closed."""
        if self._reading.fileno() < 0:
            return
        self._notifier.setEnabled(False)
        signal.set_wakeup_fd(self._descriptor)
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._reading.close()
        self._writing.close()

    def _woken(self) -> None:
        for number in self._reading.recv(64):
            if number in SIGNALS:
                for again in SIGNALS:
                    signal.signal(again, signal.SIG_DFL)
                self.asked.emit(number)
                return


@contextmanager
def meanwhile(*waits: Callable[[], object]) -> Iterator[None]:
    """Do these at the same time, each in a thread: the longest counts, and not their sum."""
    threads = [threading.Thread(target=wait, name="ending") for wait in waits]
    for thread in threads:
        thread.start()
    yield
    for thread in threads:
        thread.join()


def _nothing(number: int, frame: object) -> None:
    """A handler is needed for the signal not to end us."""
