"""Models fetched one after the other, in a thread, while somebody looks on.

What is asked for waits its turn; whatever ends a download, what came of it is kept, and asking
again goes on from there.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal

from goassist_desktop import weights
from goassist_desktop.pipeline.errors import GoAssistError

if TYPE_CHECKING:
    from goassist_desktop.supply.pull import Progress

TELL_EVERY_S: Final = 0.1
CLOSE_S: Final = 0.5
"""How long `close` waits for a download that stands still on the network."""
RATE_OVER_S: Final = 5.0

Phase = Literal["waiting", "checking", "fetching", "paused", "failed", "done"]


@dataclass(frozen=True, slots=True)
class Item:
    """One model on its way."""

    name: str
    phase: Phase = "waiting"
    done: int = 0
    """Bytes of the model that are here, with those of its files that were before."""
    total: int = 0
    rate: float = 0.0
    """Bytes a second; 0 while unknown."""
    fault: str = ""
    """Why it failed, as the supply says it."""

    @property
    def busy(self) -> bool:
        return self.phase in ("waiting", "checking", "fetching")

    @property
    def remaining_s(self) -> float | None:
        return (self.total - self.done) / self.rate if self.rate > 0 else None


class Rate:
    """Bytes a second over the last RATE_OVER_S."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def at(self, now_s: float, done: int) -> float:
        """The rate when `done` bytes are there at `now_s`; 0 while less than a second was seen."""
        self._seen.append((now_s, done))
        while now_s - self._seen[0][0] > RATE_OVER_S:
            self._seen.popleft()
        first_s, first = self._seen[0]
        return (done - first) / (now_s - first_s) if now_s - first_s >= 1 else 0.0


class PullQueue:
    """`tell` is called from the queue's threads when an item changed, but at most every
    TELL_EVERY_S for progress alone."""

    def __init__(self, tell: Callable[[], None]) -> None:
        self._tell = tell
        self._items: dict[str, Item] = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._closed = False

    def items(self) -> dict[str, Item]:
        """All that was asked for, by name, in that order."""
        with self._lock:
            return dict(self._items)

    def add(self, name: str) -> None:
        """Fetch a model, when its turn comes. Nothing changes for one on its way."""
        with self._lock:
            item = self._items.get(name)
            if self._closed or (item and item.busy):
                return
            total = weights.model(name).size
            self._items[name] = Item(name, done=item.done if item else 0, total=total)
            if self._thread is None:
                # A daemon: a connection that hangs must not keep the program from ending.
                self._thread = threading.Thread(target=self._run, name="model-queue", daemon=True)
                self._thread.start()
        self._tell()

    def pause(self, name: str) -> None:
        """Stop fetching it; `add` goes on."""
        with self._lock:
            item = self._items.get(name)
            if item is None or not item.busy:
                return
            if item.phase != "waiting":
                self._stop.set()
            self._items[name] = replace(item, phase="paused", rate=0.0)
        self._tell()

    def drop(self, name: str) -> None:
        """Forget that it was asked for. What was fetched stays, for another time."""
        self.pause(name)
        with self._lock:
            self._items.pop(name, None)
        self._tell()

    def failed(self, name: str, fault: str) -> None:
        """Note that something with a model did not work."""
        with self._lock:
            self._items[name] = Item(name, "failed", fault=fault)

    def close(self) -> None:
        """End it, within CLOSE_S. What was fetched is kept; nothing more is told."""
        with self._lock:
            self._closed = True
            self._tell = lambda: None
            self._stop.set()
            thread = self._thread
        if thread is not None:
            thread.join(CLOSE_S)

    def _run(self) -> None:
        while (name := self._next()) is not None:
            self._fetch(name)
            self._tell()

    def _next(self) -> str | None:
        with self._lock:
            waiting = [item for item in self._items.values() if item.phase == "waiting"]
            if self._closed or not waiting:
                self._thread = None
                return None
            name = waiting[0].name
            self._stop = threading.Event()
            self._items[name] = replace(waiting[0], phase="checking")
            return name

    def _fetch(self, name: str) -> None:
        from goassist_desktop.supply.pull import PullCancelled

        stop, rate, size = self._stop, Rate(), weights.model(name).size
        told_s = 0.0

        def progress(at: Progress) -> None:
            nonlocal told_s
            now_s = time.monotonic()
            if now_s - told_s < TELL_EVERY_S:
                return
            told_s = now_s
            if at.all_total:
                done = size - at.all_total + at.all_done
                self._set(stop, name, phase="fetching", done=done, rate=rate.at(now_s, done))
            self._tell()

        try:
            weights.pull(name, progress=progress, cancelled=stop.is_set)
        except PullCancelled:
            return
        except GoAssistError as error:
            self._set(stop, name, phase="failed", fault=str(error), rate=0.0)
        except BaseException as error:
            with self._lock:
                self._thread = None  # another try begins another one
                self._items[name] = Item(name, "failed", fault=f"a bug: {error!r}")
            self._tell()
            raise
        else:
            self._note_done(name, size)

    def _note_done(self, name: str, size: int) -> None:
        """It is whole, though it may have been paused in its last moment."""
        with self._lock:
            item = self._items.get(name)
            if item is not None and item.phase != "waiting":
                self._items[name] = Item(name, "done", done=size, total=size)

    def _set(self, stop: threading.Event, name: str, **change: object) -> None:
        """Change an item, unless it was paused or dropped meanwhile."""
        with self._lock:
            if not stop.is_set() and name in self._items:
                self._items[name] = replace(self._items[name], **change)  # type: ignore[arg-type]
