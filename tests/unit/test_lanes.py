"""Engines in threads: order, errors, and what happens when nobody listens any more."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from collections.abc import Iterator
from contextlib import aclosing

import pytest

from goassist_desktop.pipeline.errors import EngineFailed
from goassist_desktop.pipeline.workers import ThreadLane


@pytest.fixture
def lane() -> Iterator[ThreadLane]:
    lane = ThreadLane("test")
    yield lane
    lane.close()
    assert lane.ended(within_s=1.0)


class Counter:
    """Counts, one number for each permit, and says when it was closed."""

    def __init__(self) -> None:
        self.permits = threading.Semaphore(0)
        self.closed = threading.Event()
        self.threads: set[str] = set()

    def count(self, end: int) -> Iterator[int]:
        self.threads.add(threading.current_thread().name)
        try:
            for number in range(end):
                self.permits.acquire()
                yield number
        finally:
            self.closed.set()


async def test_a_stream_gives_all_items_in_order(lane: ThreadLane) -> None:
    counter = Counter()
    counter.permits.release(500)
    assert [n async for n in lane.stream(counter.count, 500)] == list(range(500))
    assert counter.closed.is_set()
    assert counter.threads == {"test"}


async def test_items_come_while_more_are_made(lane: ThreadLane) -> None:
    counter = Counter()
    async with aclosing(lane.stream(counter.count, 2)) as stream:
        counter.permits.release()
        assert await anext(stream) == 0
        assert not counter.closed.is_set()
        counter.permits.release()
        assert await anext(stream) == 1


async def test_closing_a_stream_closes_the_iterator_at_its_next_step(lane: ThreadLane) -> None:
    counter = Counter()
    async with aclosing(lane.stream(counter.count, 1000)) as stream:
        counter.permits.release()
        await anext(stream)
    assert not counter.closed.is_set()  # it is between two items, and nobody waited for it
    counter.permits.release()
    await lane.run(lambda: None)  # comes after it
    assert counter.closed.is_set()


async def test_cancelling_the_reader_closes_the_iterator(lane: ThreadLane) -> None:
    counter = Counter()

    async def read() -> None:
        async with aclosing(lane.stream(counter.count, 1000)) as stream:
            async for _ in stream:
                pass

    task = asyncio.create_task(read())
    counter.permits.release()
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    counter.permits.release()
    await lane.run(lambda: None)
    assert counter.closed.is_set()


async def test_a_stream_that_was_closed_before_its_turn_is_never_begun(lane: ThreadLane) -> None:
    blocking, unwanted = Counter(), Counter()
    first = asyncio.ensure_future(anext(lane.stream(blocking.count, 1)))
    await asyncio.sleep(0)
    second = lane.stream(unwanted.count, 5)
    waiting = asyncio.ensure_future(anext(second))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait((waiting,))
    blocking.permits.release()
    assert await first == 0
    await lane.run(lambda: None)
    assert unwanted.threads == set()


async def test_an_error_comes_after_the_items_before_it(lane: ThreadLane) -> None:
    def failing() -> Iterator[int]:
        yield 1
        yield 2
        raise EngineFailed("broke")

    seen = []
    with pytest.raises(EngineFailed, match="broke"):
        async for item in lane.stream(failing):
            seen.append(item)
    assert seen == [1, 2]
    with pytest.raises(ValueError, match="no"):
        await lane.run(int_of, "no")


async def test_an_error_that_nobody_waits_for_is_not_complained_of(lane: ThreadLane) -> None:
    complaints: list[str] = []
    asyncio.get_running_loop().set_exception_handler(
        lambda _, context: complaints.append(context["message"])
    )
    permit = threading.Event()

    def failing() -> Iterator[int]:
        yield 1
        permit.wait()
        raise EngineFailed("broke")

    async with aclosing(lane.stream(failing)) as stream:
        await anext(stream)
    permit.set()  # it fails after it was closed
    await lane.run(lambda: None)
    async with aclosing(lane.stream(failing)) as stream:
        await anext(stream)
        await lane.run(lambda: None)  # it fails before it is closed, and the error is not read
    gc.collect()
    assert complaints == []


async def test_a_closed_lane_drops_what_waits_and_takes_no_more() -> None:
    lane = ThreadLane("test")
    begun, permit = threading.Event(), threading.Event()
    step = lane.submit(lambda: (begun.set(), permit.wait()))
    waiting = lane.submit(lambda: 1)
    begun.wait()
    lane.close()
    assert not lane.ended(within_s=0.05)  # it is in a step, and is not waited for
    permit.set()
    assert lane.ended(within_s=1.0)
    assert step.result() == (None, True)
    assert waiting.cancelled()
    with pytest.raises(RuntimeError, match="closed"):
        await lane.run(lambda: None)


def int_of(text: str) -> int:
    return int(text)


async def test_none_is_a_moment_to_be_closed_and_not_passed_on() -> None:
    lane = ThreadLane("test")
    closed = threading.Event()

    def silent() -> Iterator[int | None]:
        try:
            yield 1
            while True:
                time.sleep(0.005)
                yield None
        finally:
            closed.set()

    async with aclosing(lane.stream(silent)) as items:
        assert await anext(items) == 1
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await anext(items)
    assert await asyncio.to_thread(closed.wait, 1)
    lane.close()
    assert lane.ended(1)
