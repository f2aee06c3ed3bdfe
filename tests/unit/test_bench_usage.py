"""Growth and load, from samples that are known; and that a real process can be sampled."""

from __future__ import annotations

import asyncio
import threading

import numpy as np
import pytest

from goassist_desktop.bench import usage
from goassist_desktop.bench.figures import Figure
from goassist_desktop.bench.idle import pink_noise
from goassist_desktop.bench.soak import gaps_ms
from goassist_desktop.bench.usage import Usage
from goassist_desktop.cli import main
from goassist_desktop.pipeline.endpoints.capture import DEVICE_RATE_HZ
from goassist_desktop.pipeline.endpoints.recording import Said, Sound


def sampled(rss_mb: list[float], threads: list[int] | None = None) -> list[Usage]:
    """One sample a minute; every minute costs three seconds of the processor."""
    return [
        Usage(
            at_s=1000 + 60 * minute,
            cpu_s=50 + 3 * minute,
            rss_mb=rss,
            threads=threads[minute] if threads else 20,
            handles=10,
        )
        for minute, rss in enumerate(rss_mb)
    ]


def steadiness(samples: list[Usage]) -> dict[str, Figure]:
    return {figure.name: figure for figure in usage.steadiness(samples)}


def test_the_load_is_in_percent_of_one_core() -> None:
    assert usage.cpu_percent(sampled([1.0, 1.0, 1.0])) == pytest.approx(5.0)


def test_the_slope_is_that_of_all_samples() -> None:
    assert usage.growth_mb_per_h(sampled([100.0, 101.0, 102.0])) == pytest.approx(60.0)
    assert usage.growth_mb_per_h(sampled([100.0, 104.0, 100.0])) == pytest.approx(0.0)


def test_memory_that_grows_breaks_its_promise() -> None:
    grown = steadiness(sampled([100.0, 100.0, 101.0, 102.0, 102.0, 102.0]))
    assert grown["memory last / first"].missed == ("max",)
    steady = steadiness(sampled([100.0, 100.0, 120.0, 100.0, 100.9, 100.9]))
    assert steady["memory last / first"].missed == ()


def test_a_thread_that_stays_breaks_its_promise_and_one_that_comes_and_goes_does_not() -> None:
    memory = [100.0] * 6
    stays = steadiness(sampled(memory, threads=[20, 20, 20, 20, 21, 21]))
    assert stays["threads gained"].missed == ("max",)
    leaves = steadiness(sampled(memory, threads=[20, 20, 23, 23, 20, 20]))
    assert leaves["threads gained"].missed == ()
    assert leaves["threads"].statistic("max") == 23


def test_the_busiest_thread_comes_first_and_a_new_one_counts_from_nothing() -> None:
    before = {"main": 10.0, "audio": 5.0}
    after = {"main": 11.0, "audio": 8.0, "new": 2.0}
    assert usage.busiest(before, after, 10) == [("audio", 30.0), ("new", 20.0), ("main", 10.0)]


def test_this_process_is_sampled_while_something_else_goes_on() -> None:
    samples: list[Usage] = []

    async def go() -> None:
        watching = asyncio.create_task(usage.watch(samples))
        while not samples:
            await asyncio.sleep(0)
        watching.cancel()

    asyncio.run(go())
    assert samples[0].rss_mb > 1
    assert samples[0].threads >= threading.active_count()
    assert samples[0].handles >= 1
    assert usage.thread_cpu_s()["MainThread"] > 0


@pytest.mark.parametrize("kind", ["idle", "soak"])
@pytest.mark.parametrize("minutes", ["0", "-1", "nan", "inf"])
def test_a_length_that_makes_no_sense_is_refused(
    kind: str, minutes: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", kind, "--minutes", minutes]) == 2
    assert f"--minutes {minutes}: must be" in capsys.readouterr().err


def test_the_noise_is_pink_at_its_level_and_repeats_without_a_seam() -> None:
    noise = pink_noise(-60)
    assert 20 * np.log10(np.sqrt(np.mean(noise**2, dtype=np.float64))) == pytest.approx(-60)
    power = np.abs(np.fft.rfft(noise.astype(np.float64))) ** 2
    hz = len(noise) / DEVICE_RATE_HZ

    def octave(low_hz: float) -> float:
        return float(power[round(low_hz * hz) : round(2 * low_hz * hz)].sum())

    assert octave(4000) / octave(100) == pytest.approx(1.0, rel=0.01)  # the same in every octave
    steps = np.abs(np.diff(noise))
    assert abs(noise[0] - noise[-1]) <= steps.max()


def test_a_gap_ends_with_the_next_sound_unless_the_next_question_comes_first() -> None:
    ms = DEVICE_RATE_HZ // 1000

    def said(at_ms: int) -> Said:
        """A recording of a second, with 200 ms of silence at either end."""
        start = at_ms * ms
        return Said(start, start + 1000 * ms, start + 200 * ms, start + 800 * ms)

    asked = [said(0), said(5000), said(10_000)]
    sounds = [
        Sound(100 * ms, 700 * ms),
        Sound(1500 * ms, 3000 * ms),
        Sound(11_000 * ms, 12_000 * ms),
    ]
    assert gaps_ms(asked, sounds) == [700.0, 200.0]
