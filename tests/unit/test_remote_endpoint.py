from __future__ import annotations

import asyncio

import numpy as np
import pytest

from goassist_desktop.pipeline.endpoints.remote import LONGEST_DELAY_MS, RemoteEndpoint
from goassist_desktop.pipeline.frames import Samples
from tests.fakes import virtual_time


class Counting:
    """A source whose samples count themselves."""

    def __init__(self) -> None:
        self.pulled = 0

    def pull(self, count: int) -> Samples:
        self.pulled += count
        return np.full(count, self.pulled, np.float32)


class Line:
    """An endpoint that goes on, what it delivers, and what it sends."""

    def __init__(self) -> None:
        self.endpoint = RemoteEndpoint()
        self.source = Counting()
        self.heard: list[Samples] = []
        self.sent: list[tuple[int, int]] = []
        self.endpoint.start(self.source, self.heard.append, lambda notice: None)

    def send(self, samples: Samples, position: int) -> None:
        self.sent.append((position, len(samples)))

    @property
    def heard_s(self) -> float:
        return len(self.heard) / 100


def test_time_goes_on_when_nobody_is_there() -> None:
    async def main() -> None:
        line = Line()
        await asyncio.sleep(10.0)
        assert line.source.pulled == pytest.approx(480_000, abs=1920)
        assert line.heard_s == pytest.approx(10.0, abs=0.25)
        assert not np.concatenate(line.heard).any()
        line.endpoint.stop()
        line.endpoint.stop()
        await asyncio.sleep(1.0)
        assert line.source.pulled == pytest.approx(480_000, abs=1920)

    virtual_time.run(main())


def test_what_is_pulled_is_sent_without_a_gap() -> None:
    async def main() -> None:
        line = Line()
        await asyncio.sleep(0.5)
        line.endpoint.attach(line.send)
        await asyncio.sleep(1.0)
        line.endpoint.detach(lambda samples, position: None)  # somebody else's
        line.endpoint.attach(line.send, 720)
        await asyncio.sleep(1.0)
        line.endpoint.detach(line.send)
        await asyncio.sleep(1.0)
        line.endpoint.stop()
        sizes = {length for _, length in line.sent}
        assert sizes == {960, 720}
        for (position, length), (following, _) in zip(line.sent, line.sent[1:], strict=False):
            assert following == position + length
        assert sum(length for _, length in line.sent) == pytest.approx(96_000, abs=1920)

    virtual_time.run(main())


def test_what_is_heard_is_delivered_when_it_comes() -> None:
    async def main() -> None:
        line = Line()
        said = np.arange(1, 16_001, dtype=np.float32)
        for start in range(0, 16_000, 320):
            line.endpoint.hear(said[start : start + 320])
            assert len(line.heard) >= 2 * (start // 320 + 1)
            await asyncio.sleep(0.02)
        line.endpoint.stop()
        joined = np.concatenate(line.heard)
        assert np.array_equal(joined[joined > 0], said)

    virtual_time.run(main())


@pytest.mark.parametrize("size", [1, 100, 161, 240, 1000])
def test_portions_may_be_of_any_size(size: int) -> None:
    async def main() -> None:
        line = Line()
        said = np.arange(1, 8_001, dtype=np.float32)
        for start in range(0, 8_000, size):
            await asyncio.sleep(size / 16_000)
            line.endpoint.hear(said[start : start + size])
        line.endpoint.stop()
        joined = np.concatenate(line.heard)
        assert all(len(block) == 160 for block in line.heard)
        assert np.array_equal(joined[joined > 0], said[: 8_000 // 160 * 160])

    virtual_time.run(main())


def test_a_line_that_is_lost_leaves_the_timeline_whole() -> None:
    async def main() -> None:
        line = Line()

        async def talk(seconds: float) -> None:
            for _ in range(round(seconds * 50)):
                line.endpoint.hear(np.ones(320, np.float32))
                await asyncio.sleep(0.02)

        await talk(1.0)
        await asyncio.sleep(3.0)
        await talk(1.0)
        line.endpoint.stop()
        assert line.heard_s == pytest.approx(5.0, abs=0.25)

    virtual_time.run(main())


def test_muted_it_hears_silence() -> None:
    async def main() -> None:
        line = Line()
        line.endpoint.muted = True
        line.endpoint.hear(np.ones(320, np.float32))
        assert not np.concatenate(line.heard).any()
        line.endpoint.stop()
        line.endpoint.hear(np.ones(320, np.float32))  # after the end: nobody is there

    virtual_time.run(main())


def test_what_leaves_now_is_heard_later() -> None:
    async def main() -> None:
        line = Line()
        line.endpoint.delayed(80.0)
        for _ in range(100):
            await asyncio.sleep(0.0137)
            now_ms = (asyncio.get_running_loop().time() - line.endpoint._began) * 1000
            assert line.endpoint.leaving_ms == pytest.approx(now_ms + 80, abs=21)
        assert line.endpoint.heard_at_ms(48_000) == 1080.0
        for told, taken in ((-5.0, 0.0), (9e9, LONGEST_DELAY_MS)):
            line.endpoint.delayed(told)
            assert line.endpoint.render_delay_ms == taken
        line.endpoint.stop()

    virtual_time.run(main())
