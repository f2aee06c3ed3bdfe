"""What listening costs while nobody speaks: in silence, and in the noise of an ordinary room.

The real session with every engine, and the clean-up of a microphone that hears a loudspeaker. The
virtual sound card, which stands where the sound card's driver stands, is in the figures.
"""

from __future__ import annotations

import argparse
import asyncio
from dataclasses import replace

import numpy as np
from rich.console import Console

from goassist_desktop.app import loaded_engines, make_session
from goassist_desktop.bench.figures import Figure
from goassist_desktop.bench.usage import (
    Usage,
    busiest,
    cpu_percent,
    minutes,
    steadiness,
    thread_cpu_s,
    watch,
)
from goassist_desktop.config import Config
from goassist_desktop.conversing import Until, converse
from goassist_desktop.pipeline.endpoints.capture import DEVICE_RATE_HZ, CaptureChain
from goassist_desktop.pipeline.endpoints.recording import RecordingEndpoint
from goassist_desktop.pipeline.endpoints.room import Room
from goassist_desktop.pipeline.events import SessionEvent, SpeechStarted
from goassist_desktop.pipeline.frames import Samples
from goassist_desktop.pipeline.workers import Engines

CPU_LIMITS = {"max": 5.0}
"""Percent of one core."""
NOISE_DBFS = -60.0
"""Pink noise of this RMS: an ordinary room. The silence is that of a microphone, -70 dBFS."""
SETTLING_S = 65.0
"""By then the ears' memory of the last minute is filled: what it takes until then is no growth."""
SHOWN_PERCENT = 0.05
"""Threads that take less are not worth a line."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--minutes", type=float, default=2.0, metavar="M", help="of each of the two (default: 2)"
    )


def measure(config: Config, args: argparse.Namespace, console: Console) -> list[Figure]:
    """Raises BadInput, and the errors of engines and endpoint."""
    seconds = 60 * minutes(args.minutes)
    rooms = {"silence": Room(), "noise": Room(noise=pink_noise(NOISE_DBFS))}
    figures = []
    with loaded_engines(config) as engines:
        for name, room in rooms.items():
            console.print(f"  {name}: {args.minutes:g} minutes …", style="dim", markup=False)
            found = _listen(config, engines, room, seconds, console)
            figures += [replace(figure, name=f"{name}: {figure.name}") for figure in found]
    return figures


def pink_noise(level_dbfs: float) -> Samples:
    """Ten seconds at 48 kHz that repeat without a seam: power falls 3 dB an octave from 20 Hz on.

    The level is the RMS, of 1.0.
    """
    count = 10 * DEVICE_RATE_HZ
    frequency = np.fft.rfftfreq(count, 1 / DEVICE_RATE_HZ)
    amplitude = np.where(frequency >= 20, 1 / np.sqrt(np.maximum(frequency, 20)), 0.0)
    phase = np.random.default_rng(60).uniform(0, 2 * np.pi, len(frequency))
    noise = np.fft.irfft(amplitude * np.exp(1j * phase), count)
    level = 10 ** (level_dbfs / 20) / np.sqrt(np.mean(noise**2))
    return np.asarray(noise * level, np.float32)


def _listen(
    config: Config, engines: Engines, room: Room, seconds: float, console: Console
) -> list[Figure]:
    usages: list[Usage] = []
    threads: list[dict[str, float]] = []
    onsets = 0

    def publish(event: SessionEvent) -> None:
        nonlocal onsets
        onsets += isinstance(event, SpeechStarted)

    async def nobody_speaks(until: Until) -> None:
        await until.position(round(SETTLING_S * DEVICE_RATE_HZ))
        threads.append(thread_cpu_s())
        watching = asyncio.create_task(watch(usages))
        # Not by `until`, which looks a hundred times a second and would be in the figures.
        await asyncio.sleep(seconds)
        watching.cancel()
        usages.append(Usage.now())
        threads.append(thread_cpu_s())
        await until.quiet()

    endpoint = RecordingEndpoint(CaptureChain(echo=True), room=room)
    session = make_session(config, engines, endpoint, publish)
    asyncio.run(converse(session, endpoint, nobody_speaks))
    before, after = threads
    for name, percent in busiest(before, after, seconds):
        if percent >= SHOWN_PERCENT:
            console.print(f"    {name}: {percent:.1f} %", style="dim", markup=False)
    return [
        Figure("CPU", "%", (round(cpu_percent(usages), 2),), CPU_LIMITS),
        *steadiness(usages),
        Figure("taken for speech", "", (float(onsets),), {"max": 0}),
    ]
