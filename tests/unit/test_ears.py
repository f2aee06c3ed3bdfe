from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from goassist_desktop.pipeline.ears import Memory, edges, last_start


@given(st.lists(st.integers(1, 90), min_size=1, max_size=30), st.data())
@settings(deadline=None)
def test_memory_gives_back_what_was_written(sizes: list[int], data: st.DataObject) -> None:
    memory = Memory(100)
    everything = np.arange(sum(sizes), dtype=np.float32)
    at = 0
    for size in sizes:
        memory.write(everything[at : at + size])
        at += size
    start = data.draw(st.integers(0, at))
    end = data.draw(st.integers(0, at + 50))
    kept = everything[max(start, at - 100, 0) : max(0, min(end, at))]
    read = memory.read(start, end)
    assert np.array_equal(read, kept if start < end else kept[:0])


def test_edges_are_those_of_the_sound() -> None:
    noise = np.random.default_rng(1).standard_normal(16_000).astype(np.float32) * 1e-3
    noise[4_000:10_000] += 0.2 * np.sin(np.arange(6_000) * 0.2).astype(np.float32)
    found = edges(noise)
    assert found is not None
    assert abs(found[0] - 4_000) <= 80
    assert abs(found[1] - 10_000) <= 80


def test_nothing_stands_out_of_silence() -> None:
    assert edges(np.zeros(0, np.float32)) is None
    assert edges(np.zeros(16_000, np.float32)) is None


def test_a_breath_before_it_does_not_begin_a_sound() -> None:
    audio = np.random.default_rng(1).standard_normal(6_400).astype(np.float32) * 1e-3
    audio[800:1_600] += 0.02 * np.sin(np.arange(800) * 0.2).astype(np.float32)
    audio[4_800:] += 0.2 * np.sin(np.arange(1_600) * 0.2).astype(np.float32)
    assert last_start(audio) == 4_800
    audio[1_600:3_200] = 0.02 * np.sin(np.arange(1_600) * 0.2).astype(np.float32)
    start = last_start(audio)  # 100 ms before it: a stop, then
    assert start == 800
    assert last_start(np.zeros(0, np.float32)) is None
