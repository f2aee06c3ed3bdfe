"""Work outside Qt's thread. What comes of it is told on Qt's, to whoever is still there."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from typing import TypeVar

import shiboken6
from PySide6.QtCore import QCoreApplication, QObject, Qt, Signal

from goassist_desktop.pipeline.errors import GoAssistError

T = TypeVar("T")


class Jobs(QObject):
    """The jobs of one `owner`; nothing is told once that is gone.

    The application is its parent, for a thread at work must not tell something that is destroyed,
    nor be the one to destroy it.
    """

    _waiting = Signal()

    def __init__(self, owner: QObject) -> None:
        super().__init__(QCoreApplication.instance())
        self._owner = owner
        self._news: deque[Callable[[], None]] = deque()
        self._waiting.connect(self._deliver, Qt.ConnectionType.QueuedConnection)

    def run(
        self,
        work: Callable[[], T],
        done: Callable[[T], object],
        failed: Callable[[str], object],
        *,
        finish: bool = False,
    ) -> None:
        """`done` gets what the work returns, `failed` one line on why it could not.

        `finish`: the program does not end before it has. Other work is left where it stands.
        """

        def job() -> None:
            try:
                result = work()
            except (GoAssistError, OSError) as error:
                self._tell(partial(failed, _line(error)))
            except BaseException as error:  # noqa: BLE001 - raised in Qt's thread
                self._tell(partial(_raise, error))
            else:
                self._tell(partial(done, result))

        threading.Thread(target=job, name="settings", daemon=not finish).start()

    def follow(
        self,
        work: Callable[[], Iterable[T]],
        each: Callable[[T], object],
        done: Callable[[None], object],
        failed: Callable[[str], object],
    ) -> None:
        """The same for work whose results come one by one."""

        def all_of_it() -> None:
            for result in work():
                self._tell(partial(each, result))

        self.run(all_of_it, done, failed)

    def _tell(self, news: Callable[[], object]) -> None:
        self._news.append(lambda: (news(), None)[1])
        self._waiting.emit()

    def _deliver(self) -> None:
        while self._news and shiboken6.isValid(self._owner):
            self._news.popleft()()


def _line(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)


def _raise(error: BaseException) -> None:
    raise error
