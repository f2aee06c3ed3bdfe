"""Work outside Qt's thread. What comes of it is told on Qt's, to whoever is still there."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from typing import Final, TypeVar

import shiboken6
from PySide6.QtCore import QCoreApplication, QObject, Qt, Signal

from goassist_desktop.pipeline.errors import GoAssistError

FINISHING: Final = "finishing"
"""The name of threads that the program waits for at its end."""

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
        self._news: deque[Callable[[], object] | None] = deque()  # None: a job is over
        self._latest: dict[str, int] = {}
        self._running = 0
        self._waiting.connect(self._deliver, Qt.ConnectionType.QueuedConnection)
        owner.destroyed.connect(self._waiting)

    @property
    def idle(self) -> bool:
        """All has been told."""
        return self._running == 0

    def run(
        self,
        work: Callable[[], T],
        done: Callable[[T], object],
        failed: Callable[[str], object] | None = None,
        *,
        kind: str = "",
        finish: bool = False,
    ) -> None:
        """`done` gets what the work returns, `failed` one line on why it could not;
        without it, whatever is raised is a bug.

        `kind`: of several jobs of the same kind, only the latest is told of.
        `finish`: the program does not end before it has. Other work is left where it stands.
        """
        self.forget(kind)
        number = self._latest.get(kind)
        self._running += 1

        def tell(news: Callable[[], object]) -> None:
            if number == self._latest.get(kind):
                news()

        def job() -> None:
            try:
                result = work()
            except BaseException as error:  # noqa: BLE001 - raised in Qt's thread
                if failed is not None and isinstance(error, GoAssistError | OSError):
                    self._tell(partial(tell, partial(failed, _line(error))))
                else:
                    self._tell(partial(tell, partial(_raise, error)))
            else:
                self._tell(partial(tell, partial(done, result)))
            self._tell(None)

        name = FINISHING if finish else kind or "job"
        threading.Thread(target=job, name=name, daemon=not finish).start()

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

    def forget(self, kind: str) -> None:
        """Nobody wants to know any more what comes of those that were begun."""
        if kind:
            self._latest[kind] = self._latest.get(kind, 0) + 1

    def _tell(self, news: Callable[[], object] | None) -> None:
        self._news.append(news)
        self._waiting.emit()

    def _deliver(self) -> None:
        while self._news:
            news = self._news.popleft()
            if news is None:
                self._running -= 1
            elif shiboken6.isValid(self._owner):
                news()
        if self.idle and not shiboken6.isValid(self._owner):
            self.deleteLater()


def finish() -> None:
    """Wait for the work that is to be finished, of whatever owner."""
    for thread in threading.enumerate():
        if thread.name == FINISHING:
            thread.join()


def _line(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)


def _raise(error: BaseException) -> None:
    raise error
