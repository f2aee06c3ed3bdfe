"""Running an engine's plain code off the event loop.

A Lane is one worker thread. What it is asked runs in order, one thing at a time, so an engine needs
no locks. Whoever waits on it may stop waiting at any moment; the thread then finishes the step it
is in, sees that nobody wants more, and closes the engine's iterator.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any, Generic, ParamSpec, Protocol, TypeVar

from goassist_desktop.pipeline.protocols import (
    Engine,
    FaceEngine,
    LanguageModel,
    Recogniser,
    Synthesiser,
    TurnDetector,
    VoiceActivity,
)

P = ParamSpec("P")
T = TypeVar("T")
E = TypeVar("E", bound=Engine)

logger = logging.getLogger(__name__)


class Lane(Protocol):
    """Where an engine runs. Production uses ThreadLane; tests bring one on virtual time."""

    async def run(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The result of one call."""

    def stream(
        self, call: Callable[P, Iterator[T | None]], *args: P.args, **kwargs: P.kwargs
    ) -> AsyncGenerator[T, None]:
        """What the call's iterator gives, as it comes. Closing this closes the iterator, as soon as
        it gives anything: None is a moment to be closed, and not passed on."""


@dataclass(frozen=True, slots=True)
class Hosted(Generic[E]):
    """An engine and the lane it runs in."""

    engine: E
    lane: Lane
    below: tuple[Hosted[E], ...] = ()
    """Those that take over when it fails, best first."""
    trouble: str = ""
    """Why it could not be loaded; empty: it was."""


@dataclass(frozen=True, slots=True)
class Engines:
    """One loaded engine per stage. Voice activity takes 0.1 ms a frame and needs no lane.

    The face has several, or none: when one fails, the next takes over.
    """

    activity: VoiceActivity
    detector: Hosted[TurnDetector]
    recogniser: Hosted[Recogniser]
    model: Hosted[LanguageModel]
    voice: Hosted[Synthesiser]
    face: tuple[Hosted[FaceEngine], ...] = ()


class ThreadLane:
    """A Lane on one thread of its own.

    The thread is a daemon: an engine that hangs in a library must not keep the program.
    """

    def __init__(self, name: str) -> None:
        self._asked: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def submit(self, call: Callable[[], T]) -> Future[T]:
        """Ask for a call from outside the event loop. RuntimeError when the lane is closed."""
        if self._closed.is_set():
            raise RuntimeError(f"lane {self._thread.name} is closed")
        future: Future[T] = Future()
        self._asked.put((future, call))
        return future

    async def run(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await asyncio.wrap_future(self.submit(lambda: call(*args, **kwargs)))

    async def stream(
        self, call: Callable[P, Iterator[T | None]], *args: P.args, **kwargs: P.kwargs
    ) -> AsyncGenerator[T, None]:
        loop = asyncio.get_running_loop()
        # Bounded by what one call can make. The end is the call's own future.
        arrived: asyncio.Queue[T | asyncio.Future[None]] = asyncio.Queue()
        unwanted = threading.Event()

        def work() -> None:
            if unwanted.is_set():
                return
            iterator = call(*args, **kwargs)
            try:
                for item in iterator:
                    if unwanted.is_set():
                        return
                    if item is not None:
                        loop.call_soon_threadsafe(arrived.put_nowait, item)
            except Exception:
                if not unwanted.is_set():
                    raise
                logger.debug("an engine failed when nobody listened any more", exc_info=True)
            finally:
                close = getattr(iterator, "close", None)
                if close is not None:
                    close()

        def end(done: asyncio.Future[None]) -> None:
            if not done.cancelled():
                done.exception()  # seen, should the reader leave before it comes to the end
            arrived.put_nowait(done)

        done = asyncio.wrap_future(self.submit(work))
        done.add_done_callback(end)
        try:
            while not isinstance(item := await arrived.get(), asyncio.Future):
                yield item
            item.result()
        finally:
            unwanted.set()
            done.cancel()

    def close(self) -> None:
        """Take no more work, drop what waits, and end after the step in progress."""
        self._closed.set()
        self._asked.put(None)

    def ended(self, within_s: float) -> bool:
        """Whether it is over, after at most this wait. If not, its engine is in use."""
        self._thread.join(within_s)
        return not self._thread.is_alive()

    def _work(self) -> None:
        while (asked := self._asked.get()) is not None:
            future, call = asked
            if self._closed.is_set():
                future.cancel()
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(call())
                except BaseException as error:  # noqa: BLE001 - raised for whoever asked
                    future.set_exception(error)
            del asked, future, call  # what they hold must not live until the next is asked
