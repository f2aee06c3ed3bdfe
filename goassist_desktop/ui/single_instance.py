"""One of us at a time: there is one microphone, and one conversation.

Who holds the lock is the one; it ends with its process, however that ends. The second says so at
a socket beside it, and the window of the first comes forward.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import time
from pathlib import Path
from typing import Final

import platformdirs
from PySide6.QtCore import QObject, Signal
from PySide6.QtNetwork import QLocalServer

PATIENCE_S: Final = 2.0
"""For the first to listen at its socket: both may have been started at once."""
RETRY_S: Final = 0.05


def default_folder() -> Path:
    """This user's own, and where there is one, that of this login."""
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    if os.path.isabs(runtime) and Path(runtime).is_dir():
        return Path(runtime) / "goassist"
    return platformdirs.user_state_path("goassist", appauthor=False)


class SingleInstance(QObject):
    """`claim` once, before anything else is begun."""

    show_asked = Signal()
    """Another one was started, and ended: whoever started it wants to see us."""

    def __init__(self, folder: Path | None = None) -> None:
        super().__init__()
        self._folder = folder or default_folder()
        self._lock: int | None = None
        self._server = QLocalServer(self)
        self._server.setSocketOptions(QLocalServer.SocketOption.UserAccessOption)
        self._server.newConnection.connect(self._called)

    def claim(self) -> bool:
        """Whether we are the one. If not, the one that is has been asked to show itself.

        Raises OSError where the lock can not be made.
        """
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            self._call()
            return False
        self._lock = lock
        # Of one that crashed: whoever holds the lock knows that nobody listens there.
        QLocalServer.removeServer(self._address())
        if not self._server.listen(self._address()):
            raise OSError(f"{self._address()}: {self._server.errorString()}")
        return True

    def release(self) -> None:
        """Let another one begin. Harmless when there is nothing to release."""
        self._server.close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _address(self) -> str:
        return str(self._folder / "socket")

    def _call(self) -> None:
        """Ask the one to show itself; in vain when it hangs, or is just ending."""
        deadline_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline_s:
            with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as caller:
                caller.settimeout(PATIENCE_S)
                caller.connect(self._address())
                return
            time.sleep(RETRY_S)

    def _called(self) -> None:
        while (caller := self._server.nextPendingConnection()) is not None:
            caller.close()
            caller.deleteLater()
            self.show_asked.emit()
