"""Running an engine's plain code off the event loop.

A Lane is one worker thread. What it is asked runs in order, one thing at a time, so an engine needs
no locks. Whoever waits on it may stop waiting at any moment; the thread then finishes the step it
is in, sees that nobody wants more, and closes the engine's iterator.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, ParamSpec, Protocol, TypeVar

from goassist_desktop.pipeline.protocols import (
    Engine,
    LanguageModel,
    Recogniser,
    Synthesiser,
    TurnDetector,
    VoiceActivity,
)

P = ParamSpec("P")
T = TypeVar("T")
E = TypeVar("E", bound=Engine)


class Lane(Protocol):
    """Where an engine runs. Production uses ThreadLane; tests bring one on virtual time."""

    async def run(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The result of one call."""

    def stream(
        self, call: Callable[P, Iterator[T]], *args: P.args, **kwargs: P.kwargs
    ) -> AsyncGenerator[T, None]:
        """What the call's iterator gives, as it comes. Closing this closes the iterator."""

    def close(self) -> None:
        """Take no more work and wait for the step in progress."""


@dataclass(frozen=True, slots=True)
class Hosted(Generic[E]):
    """An engine and the lane it runs in."""

    engine: E
    lane: Lane


@dataclass(frozen=True, slots=True)
class Engines:
    """One loaded engine per stage. Voice activity takes 0.1 ms a frame and needs no lane."""

    activity: VoiceActivity
    detector: Hosted[TurnDetector]
    recogniser: Hosted[Recogniser]
    model: Hosted[LanguageModel]
    voice: Hosted[Synthesiser]


class ThreadLane:
    """A Lane on one thread of its own."""

    def __init__(self, name: str) -> None:
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)

    async def run(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, lambda: call(*args, **kwargs))

    async def stream(
        self, call: Callable[P, Iterator[T]], *args: P.args, **kwargs: P.kwargs
    ) -> AsyncGenerator[T, None]:
        loop = asyncio.get_running_loop()
        arrived: asyncio.Queue[T] = asyncio.Queue()  # bounded by what one call can make
        ended = asyncio.Event()
        unwanted = threading.Event()

        def tell(what: Callable[..., None], *values: T) -> None:
            if not unwanted.is_set():
                loop.call_soon_threadsafe(what, *values)

        def work() -> None:
            if unwanted.is_set():
                return
            iterator = call(*args, **kwargs)
            try:
                for item in iterator:
                    if unwanted.is_set():
                        return
                    tell(arrived.put_nowait, item)
            finally:
                close = getattr(iterator, "close", None)
                if close is not None:
                    close()

        done = loop.run_in_executor(self._executor, work)
        done.add_done_callback(lambda _: ended.set())
        end = asyncio.ensure_future(ended.wait())
        try:
            while True:
                item = asyncio.ensure_future(arrived.get())
                try:
                    await asyncio.wait((item, end), return_when=asyncio.FIRST_COMPLETED)
                finally:
                    if not item.done():
                        item.cancel()
                if item.done() and not item.cancelled():
                    yield item.result()
                elif arrived.empty():
                    break
            await done
        finally:
            unwanted.set()
            end.cancel()

    def close(self) -> None:
        self._executor.shutdown(wait=True, cancel_futures=True)
