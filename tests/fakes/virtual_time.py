"""An event loop on which no time is waited for: when nothing is ready, the clock jumps."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from contextlib import aclosing, closing
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class _JumpingSelector(selectors.DefaultSelector):
    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        ready = super().select(0)
        if not ready:
            if timeout is None:
                raise RuntimeError("everybody waits for something that will never happen")
            self.now += max(0.0, timeout)
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now


def run(main: Coroutine[Any, Any, T]) -> T:
    """`asyncio.run` on virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)


class VirtualLane:
    """A Lane whose engine takes the time it says: `engine.seconds[method]` a call, or an item.

    Like a thread it works ahead of who reads, and finishes its step when nobody does any more.
    """

    def __init__(self) -> None:
        self._one = asyncio.Lock()
        self._asked: set[asyncio.Task[None]] = set()

    async def run(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        def once() -> Iterator[T]:
            yield call(*args, **kwargs)

        async with aclosing(self._items(once, _seconds(call))) as results:
            return await anext(results)

    async def stream(
        self, call: Callable[P, Iterator[T]], *args: P.args, **kwargs: P.kwargs
    ) -> AsyncGenerator[T, None]:
        items = self._items(lambda: call(*args, **kwargs), _seconds(call))
        async with aclosing(items):
            async for item in items:
                yield item

    async def _items(
        self, call: Callable[[], Iterator[T]], seconds: float
    ) -> AsyncGenerator[T, None]:
        arrived: asyncio.Queue[T | asyncio.Task[None]] = asyncio.Queue()
        unwanted = False

        async def work() -> None:
            async with self._one:
                if unwanted:
                    return
                with closing(call()) as iterator:  # type: ignore[type-var]
                    for item in iterator:
                        await asyncio.sleep(seconds)
                        if unwanted:
                            return
                        arrived.put_nowait(item)

        def end(done: asyncio.Task[None]) -> None:
            self._asked.discard(done)
            if not done.cancelled():
                done.exception()
            arrived.put_nowait(done)

        task = asyncio.ensure_future(work())
        self._asked.add(task)
        task.add_done_callback(end)
        try:
            while not isinstance(item := await arrived.get(), asyncio.Task):
                yield item
            item.result()
        finally:
            unwanted = True


def _seconds(call: Callable[..., Any]) -> float:
    engine: Any = call.__self__  # type: ignore[attr-defined]
    return float(engine.seconds.get(call.__name__, 0.0))
