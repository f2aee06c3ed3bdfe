"""The timelines of a sound card: what stalls, losses and foreign clocks do to them."""

from collections import deque

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from goassist_desktop.pipeline.endpoints.ring import Ring
from goassist_desktop.pipeline.endpoints.timeline import (
    CUSHION_BLOCKS,
    CaptureClock,
    RenderReference,
    Wakening,
)

BLOCK_S = 0.01
START_S = 1000.0
OPENING_S = 0.3


class Microphone:
    """Delivers blocks to a CaptureClock, and counts what comes out of it."""

    def __init__(self) -> None:
        self.clock = CaptureClock(START_S)
        self.silent: list[int] = []
        """Which of the blocks delivered were silence."""
        self.delivered = 0
        self.dropped = 0
        self.now = START_S

    def arrive(self, now: float) -> None:
        self.now = now
        missing = self.clock.arrived(now)
        if missing is None:
            self.dropped += 1
        else:
            self._silence(missing)
            self.delivered += 1

    def wait(self, until: float, step_s: float = 0.05) -> None:
        while self.now < until - 1e-9:
            self.now = min(until, self.now + step_s)
            self._silence(self.clock.absent(self.now))

    def blocks_behind(self) -> float:
        """Of real time, since the first block."""
        assert self.clock.blocks == self.delivered
        return (self.now - self.clock.origin) / BLOCK_S - self.delivered

    def _silence(self, count: int) -> None:
        self.silent += range(self.delivered, self.delivered + count)
        self.delivered += count


def steady(count: int, start: float = START_S + OPENING_S, period: float = BLOCK_S) -> list[float]:
    return [start + n * period for n in range(1, count + 1)]


def test_blocks_in_bursts_pass_as_they_are():
    mic = Microphone()
    for n, due in enumerate(steady(3000)):
        mic.arrive(due + (0.02, 0.01, 0.0)[n % 3])  # three at a time
    assert mic.delivered == 3000
    assert not mic.silent
    assert not mic.dropped


def test_a_device_that_went_away_is_replaced_by_silence_in_real_time():
    mic = Microphone()
    for due in steady(100):
        mic.arrive(due)
    gone = mic.now
    mic.wait(gone + 3.0)
    assert mic.silent == list(range(100, 100 + len(mic.silent)))
    assert len(mic.silent) == pytest.approx(300, abs=1)
    for due in steady(100, start=gone + 3.0):
        mic.arrive(due)
    assert mic.delivered == pytest.approx(500, abs=1)
    assert mic.dropped == 0


def test_silence_waits_for_a_device_that_is_merely_late():
    mic = Microphone()
    for due in steady(100):
        mic.arrive(due)
    mic.wait(mic.now + 0.14)
    assert not mic.silent
    mic.wait(mic.now + 0.05)
    assert mic.silent


def test_samples_that_come_after_their_silence_are_dropped():
    mic = Microphone()
    for due in steady(100):
        mic.arrive(due)
    mic.wait(mic.now + 0.4)
    late = mic.now
    for _ in range(40):
        mic.arrive(late)
    for due in steady(100, start=late):
        mic.arrive(due)
    assert mic.blocks_behind() == pytest.approx(0, abs=1.5)
    assert mic.delivered == 240


def test_our_own_sleep_is_not_taken_for_silence():
    mic = Microphone()
    for due in steady(100):
        mic.arrive(due)
    mic.wait(mic.now + 1.0, step_s=1.0)  # asleep for a second; the blocks are in the buffer
    assert not mic.silent
    for _ in range(100):
        mic.arrive(mic.now)
    assert mic.delivered == 200
    assert mic.dropped == 0


@pytest.mark.parametrize("slept_s", [3.0, 8 * 3600.0])
@pytest.mark.parametrize("buffered", [0, 150])
def test_the_time_a_machine_slept_is_left_out(slept_s, buffered):
    """Where its clock went on meanwhile: hours of silence at once would be hours of work."""
    mic = Microphone()
    for due in steady(100):
        mic.arrive(due)
    woken = mic.now + slept_s
    if not buffered:  # the streams are dead, and are opened again
        mic.wait(woken, step_s=slept_s)
        mic.wait(woken + 1.0)
        assert mic.silent
        assert len(mic.silent) == pytest.approx(100, abs=1)
    for _ in range(buffered):
        mic.arrive(woken)
    for due in steady(300, start=mic.now):
        mic.arrive(due)
    assert mic.delivered == pytest.approx(400 + (buffered or 100), abs=2)
    assert mic.dropped == 0
    assert mic.blocks_behind() == pytest.approx(0, abs=2)


def test_a_microphone_that_is_never_there_is_silence_in_real_time_across_sleep():
    mic = Microphone()
    mic.wait(START_S + 10)
    mic.wait(START_S + 10_000, step_s=9_990)
    mic.wait(START_S + 10_010)
    assert mic.delivered == pytest.approx(2000, abs=20)
    assert mic.delivered == len(mic.silent)


@given(
    steps=st.lists(
        st.tuples(st.sampled_from("asz"), st.floats(0.001, 1.9), st.integers(1, 50)), max_size=60
    )
)
def test_the_timeline_never_leaps(steps):
    """Whatever comes, late, in bursts, or not at all, and however long it sleeps in between."""
    mic = Microphone()
    awake_s = 0.0
    for what, seconds, count in steps:
        if what == "z":
            mic.wait(mic.now + 3600, step_s=3600)
        else:
            mic.wait(mic.now + seconds)
            awake_s += seconds
        if what == "a":
            for _ in range(count):
                mic.arrive(mic.now)
    most = awake_s / BLOCK_S + sum(count for what, _, count in steps if what == "a")
    assert mic.delivered <= most + 1


@pytest.mark.parametrize(
    ("ran", "passed", "noticed"),
    [
        (0.1, 0.1, False),
        (4.0, 4.0, False),  # a busy machine
        (0.1, 3600.1, True),  # the one clock stood still
        (3600.1, 3600.1, True),  # none did
        (0.1, -3600.0, False),  # somebody set the clock
    ],
)
def test_the_machine_slept(ran, passed, noticed):
    wakening = Wakening(5000.0, 9000.0)
    assert not wakening.noticed(5000.1, 9000.1)
    assert wakening.noticed(5000.1 + ran, 9000.1 + passed) is noticed
    assert not wakening.noticed(5000.2 + ran, 9000.2 + passed)


@pytest.mark.parametrize("lost", [5, 30])
def test_lost_samples_become_silence_soon(lost):
    mic = Microphone()
    times = steady(100 + lost + 100)
    for due in times[:100] + times[100 + lost :]:
        mic.arrive(due)
    assert mic.blocks_behind() == pytest.approx(0, abs=1)
    assert min(mic.silent) <= 200
    assert len(mic.silent) == pytest.approx(lost, abs=1)


@pytest.mark.parametrize("ppm", [-100, 100])
def test_a_clock_that_differs_is_followed_without_a_gap(ppm):
    mic = Microphone()
    for due in steady(60_000, period=BLOCK_S * (1 + ppm / 1e6)):
        mic.arrive(due)
    assert mic.delivered == 60_000
    assert not mic.silent
    assert mic.dropped == 0


def blocks(first: int, count: int) -> np.ndarray:
    """Blocks of 480 samples, each of its own number."""
    return np.repeat(np.arange(first, first + count, dtype=np.float32), 480)


def test_the_reference_runs_a_cushion_ahead():
    reference = RenderReference()
    assert reference.take() is None
    reference.render(blocks(1, CUSHION_BLOCKS + 4))
    for n in range(5, 5 + CUSHION_BLOCKS):
        block = reference.take()
        assert block.shape == (480,)
        assert set(block) == {n}
        reference.render(blocks(n + CUSHION_BLOCKS, 1))


def test_a_dry_loudspeaker_is_silence_and_the_lead_stays_as_it_was():
    reference = RenderReference()
    reference.render(blocks(1, CUSHION_BLOCKS))
    taken = [reference.take() for _ in range(CUSHION_BLOCKS + 10)]
    assert [block is None for block in taken] == [False] * CUSHION_BLOCKS + [True] * 10
    # Late by ten blocks, the loudspeaker goes on; so does the reference, as far ahead as before.
    reference.render(blocks(CUSHION_BLOCKS + 1, CUSHION_BLOCKS))
    assert set(reference.take()) == {CUSHION_BLOCKS + 1}


def test_a_reference_that_runs_away_is_brought_back():
    reference = RenderReference()
    reference.render(blocks(1, CUSHION_BLOCKS))
    following = CUSHION_BLOCKS + 1
    for n in range(1000):
        ahead = 2 if n in (100, 200, 300) else 1  # the microphone lost three blocks
        reference.take()
        reference.render(blocks(following, ahead))
        following += ahead
    assert set(reference.take()) == {following - CUSHION_BLOCKS}


@given(
    capacity=st.integers(1, 50),
    steps=st.lists(st.tuples(st.sampled_from("wrs"), st.integers(0, 40)), max_size=100),
)
def test_the_ring_is_a_queue_that_drops_what_does_not_fit(capacity, steps):
    ring, model, number = Ring(capacity), deque(), 0
    for step, count in steps:
        if step == "w":
            ring.write(np.arange(number, number + count, dtype=np.float32))
            model.extend(range(number, number + min(count, capacity - len(model))))
            number += count
        elif step == "s":
            ring.skip(count)
            for _ in range(min(count, len(model))):
                model.popleft()
        elif len(model) < count:
            assert ring.read(count) is None
        else:
            assert ring.read(count).tolist() == [model.popleft() for _ in range(count)]
        assert ring.available == len(model)
