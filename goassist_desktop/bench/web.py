"""The assistant in a browser: what the way there and back adds, and how it bears many at once.

The host is the program's own, with every engine; the clients are WebRTC clients in processes of
their own on this machine, and take part of its processors. What a browser adds of its own, to play
and to record, is not in the figures.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import sys
import threading
import time
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
from aiortc.rtp import RtpPacket
from rich.console import Console

from goassist_desktop import hosting, memory
from goassist_desktop.app import loaded_engines
from goassist_desktop.bench.figures import Figure
from goassist_desktop.bench.questions import recordings
from goassist_desktop.bench.web_client import FRAME, RATE_HZ, Talk
from goassist_desktop.config import Config
from goassist_desktop.host.limits import PER_MINUTE, Limits
from goassist_desktop.host.outgoing import OutgoingVoice
from goassist_desktop.host.peer import Peer
from goassist_desktop.hosting import LOOPBACK, Place, Serving
from goassist_desktop.pipeline.frames import Samples

TOKEN = "the-token-of-the-benchmark"
ONE_WAY_MS, BARGE_IN_MS, FACE_INTERVAL_MS, FACE_OFFSET_MS = 60.0, 250.0, 60.0, 60.0
"""Promised of one machine's loopback."""
MEGABYTE = 1e6


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--clients", type=int, default=4, metavar="N", help="at once (default 4)")
    parser.add_argument(
        "--cycles", type=int, default=0, metavar="N", help="connect, talk and leave so often"
    )


def measure(config: Config, args: argparse.Namespace, console: Console) -> list[Figure]:
    """Raises what engines and host raise."""
    config = replace(config, max_sessions=max(args.clients, 1))
    with loaded_engines(config, seats=config.max_sessions) as engines, recordings() as wavs:

        async def main() -> list[Figure]:
            place = Place(LOOPBACK, 0, https=False, token=TOKEN)
            # One address comes more often here than any that means well.
            open_to_all = Limits(dict.fromkeys(PER_MINUTE, sys.maxsize))
            async with hosting.serving(config, place, open_to_all) as serving:
                serving.house.use(engines)
                figures = await _alone(serving, wavs, console)
                figures += await _together(serving, wavs, args.clients, console)
                if args.cycles:
                    figures += await _cycles(serving, args.cycles, console)
                return figures

        return asyncio.run(main())


# -- one client ------------------------------------------------------------------------------------


async def _alone(serving: Serving, wavs: Sequence[Path], console: Console) -> list[Figure]:
    console.print("  One client: four questions, and eight interruptions", style="dim")
    with _tapped() as (sent, arrived):
        asking = await _client(serving, "--ask", *wavs[:4])
    interrupting = await _client(serving, "--interrupt", *wavs[4:13])
    gaps = [turn["intervals_ms"]["response_gap"] for turn in asking["turns"]]
    intervals = _face_intervals(asking)
    return [
        Figure("one way, to the assistant", "ms", _up(asking, arrived), {"p50": ONE_WAY_MS}),
        Figure("one way, from the assistant", "ms", _down(asking, sent), {"p50": ONE_WAY_MS}),
        Figure("response gap", "ms", tuple(gap for gap in gaps if gap is not None)),
        Figure(
            "onset to silence",
            "ms",
            tuple(ms for ms in interrupting["barge_ins_ms"] if ms is not None),
            {"p95": BARGE_IN_MS},
        ),
        Figure("between two frames of the face", "ms", intervals),
        Figure(
            "between two frames, p99",
            "ms",
            (sorted(intervals)[int(0.99 * len(intervals))],) if intervals else (),
            {"max": FACE_INTERVAL_MS},
        ),
        Figure("face after its sound", "ms", _face_offsets(asking), {"p95": FACE_OFFSET_MS}),
    ]


def _up(client: dict[str, Any], arrived: dict[int, float]) -> tuple[float, ...]:
    """From the first sample of each frame, as a microphone gives it, to where it is decoded."""
    delays = []
    for rtp, at in arrived.items():
        position = (rtp - client["voice_rtp"]) & 0xFFFFFFFF
        if position < 2**31:
            captured = client["voice_began"] + (position - FRAME) / RATE_HZ
            delays.append((at - captured) * 1000)
    return tuple(delay for delay in delays if 0 < delay < 5000)


def _down(client: dict[str, Any], sent: dict[int, float]) -> tuple[float, ...]:
    """From where a sample is given to the network to where its packet comes."""
    origin = client["clocks"][0]["rtp"]
    delays = []
    for at, rtp, _ in client["packets"]:
        given = sent.get((rtp - origin) & 0xFFFFFFFF)
        if given is not None:
            delays.append((at - given) * 1000)
    return tuple(delays)


def _speech(client: dict[str, Any]) -> list[tuple[float, float]]:
    """When sound came, from and to, apart by more than half a second."""
    spans: list[tuple[float, float]] = []
    for at, _, loud in client["packets"]:
        if not loud:
            continue
        if spans and at - spans[-1][1] < 0.5:
            spans[-1] = (spans[-1][0], at)
        else:
            spans.append((at, at))
    return spans


def _face_intervals(client: dict[str, Any]) -> tuple[float, ...]:
    """Between the frames that came while it spoke."""
    intervals = []
    for start, end in _speech(client):
        times = [at for at, _, _ in client["faces"] if start <= at <= end]
        intervals += [(b - a) * 1000 for a, b in pairwise(times)]
    return tuple(intervals)


def _face_offsets(client: dict[str, Any]) -> tuple[float, ...]:
    """How far apart a frame and the packet of its sound came, whichever was first."""
    clocks = client["clocks"]
    heard = [
        (clocks[0]["t_audio_ms"] + ((rtp - clocks[0]["rtp"]) & 0xFFFFFFFF) / RATE_HZ * 1000, at)
        for at, rtp, _ in client["packets"]
    ]
    starts = [ms for ms, _ in heard]
    offsets = []
    for at, ms, heartbeat in client["faces"]:
        place = bisect_right(starts, ms) - 1
        if place >= 0 and not heartbeat and ms - starts[place] < 25:
            offsets.append(abs(at - heard[place][1]) * 1000)
    return tuple(offsets)


# -- many ------------------------------------------------------------------------------------------


async def _together(
    serving: Serving, wavs: Sequence[Path], clients: int, console: Console
) -> list[Figure]:
    console.print(f"  {clients} clients at once, each with its own questions", style="dim")
    questions = [wavs[5 * place : 5 * place + 3] for place in range(clients)]
    held = await asyncio.gather(*(_client(serving, "--ask", *mine) for mine in questions))
    gaps, answered, own = [], 0, 0
    for mine, client in zip(questions, held, strict=True):
        turns = [turn for turn in client["turns"] if turn["outcome"] == "completed"]
        answered += len(turns)
        own += len(client["turns"]) == len(mine)
        gaps += [turn["intervals_ms"]["response_gap"] for turn in turns]
        for turn in client["turns"]:
            console.print(
                f"    {turn['user_text']}  —  {turn['reply_text']}", style="dim", markup=False
            )
    asked = sum(map(len, questions))
    return [
        Figure("questions answered at once", "%", (100 * answered / asked,), {"min": 100}),
        Figure(
            f"response gap, {clients} at once", "ms", tuple(gap for gap in gaps if gap is not None)
        ),
    ]


async def _cycles(serving: Serving, cycles: int, console: Console) -> list[Figure]:
    console.print(f"  {cycles} times: connect, talk for a moment, leave", style="dim")
    process = psutil.Process()
    url = serving.urls[0]

    def memory_mb() -> float:
        memory.give_back()
        return float(process.memory_info().rss / MEGABYTE)

    def counted() -> tuple[int, int, int, int]:
        gc.collect()
        return (
            serving.server.sessions.active,
            len(asyncio.all_tasks()),
            # The pool of the event loop, where the clients encode, has a bound of its own.
            sum(not thread.name.startswith("asyncio_") for thread in threading.enumerate()),
            process.num_fds(),
        )

    async def cycle() -> None:
        talk = Talk(url, TOKEN)
        await talk.begin()
        talk.client.send({"type": "say", "text": "Hello."})
        await asyncio.sleep(0.3)
        await talk.end()

    for _ in range(10):
        await cycle()
    before = await _settled(counted, None)
    halves = [memory_mb()]
    for count in (cycles // 2, cycles - cycles // 2):
        for _ in range(count):
            await cycle()
        await _settled(counted, before)
        halves.append(memory_mb())
        console.print(f"    {halves[0]:.0f} MB at first, now {halves[-1]:.0f} MB", style="dim")
    after = await _settled(counted, before)
    left = [b - a for a, b in zip(before, after, strict=True)]
    return [
        *(
            Figure(f"{what} left behind", "", (float(count),), {"max": 0})
            for what, count in zip(("sessions", "tasks", "threads", "files"), left, strict=True)
        ),
        Figure("memory, second half", "MB", (halves[2] - halves[1],), {"max": 10}),
    ]


async def _settled(counted: Any, wanted: Any) -> tuple[int, int, int, int]:
    """The counts, once they are as wanted, or after a while."""
    deadline = time.monotonic() + 5.0
    while True:
        now: tuple[int, int, int, int] = counted()
        if now == wanted or time.monotonic() > deadline:
            return now
        await asyncio.sleep(0.2)


# -- inside ----------------------------------------------------------------------------------------


async def _client(serving: Serving, what: str, *wavs: Path) -> dict[str, Any]:
    """What a client measured, in a process of its own."""
    command = ["-m", "goassist_desktop.bench.web_client", serving.urls[0], "--token", TOKEN, what]
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command, *map(str, wavs), stdout=asyncio.subprocess.PIPE
    )
    told, _ = await process.communicate()
    measured: dict[str, Any] = json.loads(told)
    return measured


@contextmanager
def _tapped() -> Iterator[tuple[dict[int, float], dict[int, float]]]:
    """When each position was given to the network, and when each RTP timestamp came from it."""
    sent: dict[int, float] = {}
    arrived: dict[int, float] = defaultdict(float)
    send, take = OutgoingVoice.send, Peer._on_packet

    def noting_send(self: OutgoingVoice, samples: Samples, position: int) -> None:
        sent[position] = time.monotonic()
        send(self, samples, position)

    def noting_take(self: Peer, packet: RtpPacket) -> None:
        take(self, packet)
        arrived[packet.timestamp] = time.monotonic()

    OutgoingVoice.send, Peer._on_packet = noting_send, noting_take  # type: ignore[method-assign]
    try:
        yield sent, arrived
    finally:
        OutgoingVoice.send, Peer._on_packet = send, take  # type: ignore[method-assign]
