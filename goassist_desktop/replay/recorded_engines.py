"""The engines of a recorded session: what they are asked, and what comes of it, is written down."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing
from functools import partial, wraps
from typing import TYPE_CHECKING, Any, TypeVar

from goassist_desktop.orderly import running_orderly_loop
from goassist_desktop.pipeline.frames import Samples, Speech
from goassist_desktop.pipeline.protocols import VoiceActivityStream
from goassist_desktop.pipeline.workers import Lane
from goassist_desktop.replay.journal import VOICE, Journal
from goassist_desktop.replay.values import error_value, result_value, rounded

if TYPE_CHECKING:
    from goassist_desktop.replay.recorder import Recorder

T = TypeVar("T")


class RecordedActivity:
    """Voice activity, whose every probability is written."""

    def __init__(self, engine: Any, journal: Journal) -> None:
        self._engine, self._journal = engine, journal
        self._opened = 0

    def open(self) -> VoiceActivityStream:
        self._opened += 1
        return _ActivityStream(self._engine.open(), self._journal, self._opened)


class _ActivityStream:
    def __init__(self, stream: VoiceActivityStream, journal: Journal, number: int) -> None:
        self._stream, self._journal, self._number = stream, journal, number
        self.frame_samples = stream.frame_samples

    def probability(self, frame: Samples) -> float:
        probability = self._stream.probability(frame)
        self._journal.line(["frame", self._number, probability])
        return probability


class _Over:
    """The end of a stream, perhaps by an error."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


class RecordedLane:
    """A Lane whose calls are written: asked, each item as it arrives, and how many were made."""

    def __init__(self, recorder: Recorder, stage: str, lane: Lane) -> None:
        self._recorder, self._stage, self._lane = recorder, stage, lane
        self._voice_at = 0

    async def run(self, call: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        async def once() -> AsyncGenerator[T, None]:
            yield await self._lane.run(self._counted(number, call), *args, **kwargs)

        number = self._recorder.asked(self._stage, call, args, kwargs)
        async with aclosing(self._arriving(number, once())) as results:
            return await anext(results)

    async def stream(
        self, call: Callable[..., Iterator[T | None]], *args: Any, **kwargs: Any
    ) -> AsyncGenerator[T, None]:
        number = self._recorder.asked(self._stage, call, args, kwargs)
        made = self._lane.stream(self._all_counted(number, call), *args, **kwargs)
        async with aclosing(self._arriving(number, made)) as items:
            async for item in items:
                yield item

    async def _arriving(
        self, number: int, made: AsyncGenerator[T, None]
    ) -> AsyncGenerator[T, None]:
        """The items, each taken when nothing else is left to do."""
        loop = running_orderly_loop()
        arrived: asyncio.Queue[T | _Over] = asyncio.Queue()  # bounded by what a call makes
        wanted = True

        def take(item: Any) -> None:
            if wanted:
                arrived.put_nowait(self._noted(number, item))

        async def read() -> None:
            async with aclosing(made):
                async for item in made:
                    loop.post(partial(take, item))

        def over(done: asyncio.Task[None]) -> None:
            if not done.cancelled():
                loop.post(partial(take, _Over(done.exception())))

        reading = asyncio.ensure_future(read())
        reading.add_done_callback(over)
        try:
            while not isinstance(item := await arrived.get(), _Over):
                yield item
            if item.error is not None:
                raise item.error
        finally:
            wanted = False
            reading.cancel()

    def _noted(self, number: int, item: Any) -> Any:
        """Write an item down, and return it as it was written."""
        if isinstance(item, _Over):
            error = None if item.error is None else error_value(item.error)
            self._recorder.taken("over", number, error)
            return item
        if isinstance(item, Speech):
            item = dataclasses.replace(item, samples=rounded(item.samples))
            self._recorder.journal.sound(VOICE, item.samples)
        self._recorder.taken("item", number, result_value(item, self._voice_at))
        if isinstance(item, Speech):
            self._voice_at += len(item.samples)
        return item

    # In the engine's thread. How far a call came, though nobody listened any more, is part of the
    # story: it is what the next one finds in the engine's cache.

    def _counted(self, number: int, call: Callable[..., T]) -> Callable[..., T]:
        @wraps(call)
        def counted(*args: Any, **kwargs: Any) -> T:
            self._recorder.journal.line(["made", number, 1])
            return call(*args, **kwargs)

        return counted

    def _all_counted(
        self, number: int, call: Callable[..., Iterator[T | None]]
    ) -> Callable[..., Iterator[T | None]]:
        @wraps(call)
        def counted(*args: Any, **kwargs: Any) -> Iterator[T | None]:
            made = 0
            items = call(*args, **kwargs)
            try:
                for item in items:
                    made += item is not None
                    yield item
            finally:
                close = getattr(items, "close", None)
                if close is not None:
                    close()
                self._recorder.journal.line(["made", number, made])

        return counted
