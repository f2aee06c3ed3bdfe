"""An event loop on which no time is waited for: when nothing is ready, the clock jumps."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
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
    """A Lane whose engine takes the time it says: `engine.seconds[method]` a call, or an item."""

    def __init__(self) -> None:
        self._one = asyncio.Lock()

    async def run(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        async with self._one:
            result = call(*args, **kwargs)
            await asyncio.sleep(_seconds(call))
            return result

    async def stream(
        self, call: Callable[P, Iterator[T]], *args: P.args, **kwargs: P.kwargs
    ) -> AsyncGenerator[T, None]:
        async with self._one:
            iterator = call(*args, **kwargs)
            try:
                for item in iterator:
                    await asyncio.sleep(_seconds(call))
                    yield item
            finally:
                iterator.close()  # type: ignore[attr-defined]

    def close(self) -> None:
        pass


def _seconds(call: Callable[..., Any]) -> float:
    engine: Any = call.__self__  # type: ignore[attr-defined]
    return float(engine.seconds.get(call.__name__, 0.0))
