"""The order of an OrderlyLoop, and what computing costs on virtual time."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import aclosing

import pytest

from goassist_desktop import virtual_time
from goassist_desktop.orderly import OrderlyLoop
from goassist_desktop.virtual_time import VirtualLane, VirtualLoop, fixed, measured


@pytest.mark.parametrize("loop_factory", [OrderlyLoop, VirtualLoop])
def test_what_is_posted_waits_for_the_consequences_of_the_one_before(
    loop_factory: Callable[[], OrderlyLoop],
) -> None:
    log: list[str] = []

    async def consequences(name: str) -> None:
        for step in range(5):
            log.append(f"{name}{step}")
            await asyncio.sleep(0)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        tasks = []
        for name in "ab":
            loop.post(lambda name=name: tasks.append(loop.create_task(consequences(name))))
        await asyncio.sleep(0.001)
        await asyncio.gather(*tasks)

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(main())
    assert log == [f"{name}{step}" for name in "ab" for step in range(5)]


def test_a_thread_wakes_the_loop_by_posting() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        done = loop.create_future()
        thread = threading.Thread(target=lambda: loop.post(lambda: done.set_result(None)))
        thread.start()
        await done
        thread.join()

    with asyncio.Runner(loop_factory=OrderlyLoop) as runner:
        runner.run(main())


class Worker:
    """An engine, and the moments at which it was at work."""

    def __init__(self) -> None:
        self.log: list[tuple[str, float]] = []

    def once(self, name: str) -> str:
        self.log.append((name, asyncio.get_running_loop().time()))
        return name

    def items(self, name: str, count: int) -> Iterator[str]:
        for number in range(count):
            yield self.once(f"{name}{number}")


COSTS = fixed({"once": 0.5, "items": 0.25})


def test_a_result_comes_as_late_as_it_is_charged() -> None:
    worker = Worker()

    async def main() -> list[tuple[str, float]]:
        loop, lane = asyncio.get_running_loop(), VirtualLane(COSTS)
        arrived = [(await lane.run(worker.once, "a"), loop.time())]
        async with aclosing(lane.stream(worker.items, "b", 2)) as items:
            arrived += [(item, loop.time()) async for item in items]
        return arrived

    assert virtual_time.run(main()) == [("a", 0.5), ("b0", 0.75), ("b1", 1.0)]


def test_lanes_that_share_a_processor_take_turns() -> None:
    async def moments(processor: asyncio.Lock | None) -> dict[str, float]:
        loop, arrived = asyncio.get_running_loop(), {}

        async def one(name: str) -> None:
            await VirtualLane(COSTS, processor).run(Worker().once, name)
            arrived[name] = loop.time()

        await asyncio.gather(one("a"), one("b"))
        return arrived

    async def shared() -> dict[str, float]:
        return await moments(asyncio.Lock())

    assert virtual_time.run(moments(None)) == {"a": 0.5, "b": 0.5}
    assert virtual_time.run(shared()) == {"a": 0.5, "b": 1.0}


def test_what_a_step_took_is_measured_without_what_others_took() -> None:
    charged: list[float] = []

    class Sleeper:
        def wait(self) -> None:
            threading.Event().wait(0.05)  # no processor is busy with us

        def work(self) -> int:
            return sum(range(300_000))

    def charge(call: Callable[..., object], took_s: float) -> float:
        charged.append(measured(call, took_s))
        return charged[-1]

    async def main() -> float:
        lane = VirtualLane(charge)
        await lane.run(Sleeper().wait)
        await lane.run(Sleeper().work)
        return asyncio.get_running_loop().time()

    total = virtual_time.run(main())
    assert total == pytest.approx(sum(charged))
    waited, worked = charged
    assert waited < 0.05
    assert worked > 0
