"""Conversations on virtual time: nothing is waited for, and computing takes the time it is charged.

An event loop whose clock jumps to the next moment at which something is due, and lanes on it that
run an engine's steps in the loop's own thread. While a step is computed the clock stands still; its
result then arrives as late as the step is charged. So a conversation is as fast as its computing
allows, and with fixed charges it is the same every time.
"""

from __future__ import annotations

import asyncio
import dataclasses
import inspect
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator, Mapping
from contextlib import aclosing
from typing import Any, ParamSpec, TypeVar

from goassist_desktop.orderly import OrderlyLoop, PatientSelector
from goassist_desktop.pipeline.workers import Engines, Hosted

P = ParamSpec("P")
T = TypeVar("T")
E = TypeVar("E")

Charge = Callable[[Callable[..., Any], float], float]
"""From a call, and the seconds its step took here, to the seconds of virtual time it takes."""

TYPICAL_S = {
    "ci": {
        "finished": 0.05,
        "transcribe": 0.1,
        "count_tokens": 0.001,
        "prefill": 0.05,
        "reply": 0.025,
        "speak": 0.02,
        "load": 0.0,
        "push": 0.001,
        "finish": 0.001,
    },
    "embedded": {
        "finished": 0.05,
        "transcribe": 0.1,
        "count_tokens": 0.001,
        "prefill": 0.1,
        "reply": 0.046,
        "speak": 0.02,
        "load": 0.0,
        "push": 0.001,
        "finish": 0.001,
    },
}
"""Profile -> method -> seconds a step, on two undisturbed cores, rounded."""


def typical_s(profile: str) -> Mapping[str, float]:
    """The same, for those of graphics cards too: as if there were none."""
    return TYPICAL_S.get(profile, TYPICAL_S["embedded"])


# -- the loop --------------------------------------------------------------------------------------


class _JumpingSelector(PatientSelector):
    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def wait(self, timeout: float | None) -> list[Any]:
        ready = super().wait(0)
        if not ready:
            if timeout is None:
                raise RuntimeError("everybody waits for something that will never happen")
            self.now += max(0.0, timeout)
        return ready


class VirtualLoop(OrderlyLoop):
    """When nothing is ready, the clock jumps. Threads can not be waited for."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now


def run(main: Coroutine[Any, Any, T]) -> T:
    """`asyncio.run` on virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)


# -- what computing costs --------------------------------------------------------------------------


def measured(call: Callable[..., Any], took_s: float) -> float:
    """What the step took here: as in real time on this machine, and different every time."""
    return took_s


def fixed(seconds: Mapping[str, float]) -> Charge:
    """Method -> seconds a step: the same conversation every time, on any machine."""
    return lambda call, took_s: seconds[inspect.unwrap(call).__name__]


class _Step:
    """How long a step computed: the wall says, but never more than processors were busy with us.

    So other programs disturb it little. The engines' own threads are counted, too.
    """

    def __init__(self) -> None:
        self._wall, self._busy = time.perf_counter(), time.process_time()

    def took_s(self) -> float:
        return min(time.perf_counter() - self._wall, time.process_time() - self._busy)


# -- the lanes -------------------------------------------------------------------------------------


class VirtualLane:
    """A Lane on a VirtualLoop. An engine's step takes what `charge` says.

    Like a thread it works ahead of who reads, and finishes its step when nobody does any more.
    """

    def __init__(self, charge: Charge, processor: asyncio.Lock | None = None) -> None:
        """Lanes that share a `processor` compute one step at a time, in the order they ask."""
        self._charge = charge
        self._processor = processor or asyncio.Lock()
        self._one = asyncio.Lock()
        self._asked: set[asyncio.Task[None]] = set()

    async def run(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        def once() -> Iterator[tuple[T]]:
            yield (call(*args, **kwargs),)

        async with aclosing(self._items(once, call)) as results:
            return (await anext(results))[0]

    async def stream(
        self, call: Callable[P, Iterator[T | None]], *args: P.args, **kwargs: P.kwargs
    ) -> AsyncGenerator[T, None]:
        async with aclosing(self._items(lambda: call(*args, **kwargs), call)) as items:
            async for item in items:
                yield item

    async def _items(
        self, start: Callable[[], Iterator[T | None]], call: Callable[..., Any]
    ) -> AsyncGenerator[T, None]:
        arrived: asyncio.Queue[T | asyncio.Task[None]] = asyncio.Queue()
        unwanted = False

        async def work() -> None:
            async with self._one:
                if unwanted:
                    return
                iterator = start()
                try:
                    while (item := await self._step(call, iterator)) is not None:
                        if unwanted:
                            return
                        if item[0] is not None:
                            arrived.put_nowait(item[0])
                finally:
                    close = getattr(iterator, "close", None)
                    if close is not None:
                        close()

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

    async def _step(
        self, call: Callable[..., Any], iterator: Iterator[T | None]
    ) -> tuple[T | None] | None:
        """The next item, after the time it takes. The end comes with the last item."""
        async with self._processor:
            step = _Step()
            for item in iterator:
                await asyncio.sleep(self._charge(call, step.took_s()))
                return (item,)
        return None


def on_virtual_time(engines: Engines, charge: Charge) -> Engines:
    """The same loaded engines, for one conversation on a VirtualLoop.

    They share one processor: the heavy ones use every core, and then two at once take as long as
    one after the other. The face, which is cheap and may never delay them, has its own.
    """
    processor = asyncio.Lock()

    def hosted(one: Hosted[Any]) -> Hosted[Any]:
        below = tuple(hosted(other) for other in one.below)
        return Hosted(one.engine, VirtualLane(charge, processor), below, one.trouble)

    return dataclasses.replace(
        engines,
        detector=hosted(engines.detector),
        recogniser=hosted(engines.recogniser),
        model=hosted(engines.model),
        voice=hosted(engines.voice),
        face=tuple(Hosted(one.engine, VirtualLane(charge)) for one in engines.face),
    )
