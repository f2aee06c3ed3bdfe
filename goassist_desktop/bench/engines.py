"""Every engine that is here, on the same inputs: how soon it says something, how fast it is, and
what memory it takes. Each in a process of its own, so that none is in the figures of another.
"""

from __future__ import annotations

import argparse
import multiprocessing
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from typing import Any, Final

import numpy as np
import psutil
from rich.console import Console

from goassist_desktop import weights
from goassist_desktop.app import SERVERS, threads_for
from goassist_desktop.bench.figures import Figure
from goassist_desktop.config import Config
from goassist_desktop.demo import recordings
from goassist_desktop.pipeline import audio_files
from goassist_desktop.pipeline.engines import REGISTRY, create
from goassist_desktop.pipeline.frames import ANALYSIS_RATE_HZ, Message, Samples
from goassist_desktop.pipeline.resampling import resample
from goassist_desktop.supply import manifest, offers

Found = dict[str, tuple[str, tuple[float, ...]]]
"""What was measured -> unit, values."""

SYSTEM: Final = Message("system", "You are a friendly voice assistant. " + "Answer briefly. " * 40)
QUESTION: Final = Message("user", "Why is the sky blue? Explain it in four sentences.")
CLAUSE: Final = "The capital of France is Paris."
SENTENCE: Final = (
    "Light from the sun meets the air on its way to us, and of all its colours the air scatters "
    "the blue ones most, so that they come to our eyes from everywhere above us."
)
TOKENS: Final = 60


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--times", type=int, default=5, metavar="N", help="each input so often (default: 5)"
    )


def measure(config: Config, args: argparse.Namespace, console: Console) -> list[Figure]:
    """Raises the errors of engines."""
    figures = []
    for stage, name, model, source in here(config):
        console.print(f"  {stage}: {name}, {model} …", style="dim", markup=False)
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, mp_context=context) as apart:
            found = apart.submit(probe, stage, name, source, args.times).result()
        figures += [
            Figure(f"{model}: {what}", unit, tuple(round(v, 2) for v in values))
            for what, (unit, values) in found.items()
        ]
    return figures


def here(config: Config) -> Iterator[tuple[str, str, str, Any]]:
    """Stage, engine, model and where that is, of all that can be measured: engines of the face are
    measured by `bench face`."""
    known = manifest.load().models.values()
    for stage in PROBES:
        for name in REGISTRY[stage]:
            for model in known:
                if (model.stage, model.engine) == (stage, name) and offers.state(model)[
                    0
                ] == "here":
                    yield stage, name, model.name, weights.path(model.name)
            if name in SERVERS and getattr(config.engines, stage) == name:
                yield stage, name, name, SERVERS[name](config)


def probe(stage: str, name: str, source: Any, times: int) -> Found:
    """In a process of its own."""
    before = _memory()
    engine = create(stage, name, source, threads=threads_for(stage))
    began = time.monotonic()
    engine.load()
    loaded_s = time.monotonic() - began
    try:
        found = PROBES[stage](engine, times)
        used = _memory() - before
    finally:
        engine.close()
    return {"loading": ("s", (loaded_s,)), **found, "memory": ("MB", (used / 1e6,))}


def _recognition(engine: Any, times: int) -> Found:
    questions = _questions()
    rates, firsts = [], []
    for _ in range(times):
        for sound in questions:
            took_s = _seconds(lambda sound=sound: engine.transcribe(sound))  # type: ignore[misc]
            firsts.append(1000 * took_s)
            rates.append(len(sound) / ANALYSIS_RATE_HZ / took_s)
    return {"words of a question": ("ms", tuple(firsts)), "speed": ("x", tuple(rates))}


def _language_model(engine: Any, times: int) -> Found:
    engine.prefill([SYSTEM])
    firsts, rates = [], []
    for number in range(times):
        question = Message("user", f"{QUESTION.text} This is question {number}.")
        began = time.monotonic()
        came: list[float] = []
        reply = engine.reply([SYSTEM, question], max_tokens=TOKENS, temperature=0.0, seed=0)
        with closing(reply):
            came += [time.monotonic() for piece in reply if piece]
        firsts.append(1000 * (came[0] - began))
        rates.append((len(came) - 1) / (came[-1] - came[0]))
    return {"first token": ("ms", tuple(firsts)), "speed": ("tokens/s", tuple(rates))}


def _synthesis(engine: Any, times: int) -> Found:
    firsts, rates = [], []
    for _ in range(times):
        firsts.append(1000 * _seconds(lambda: next(filter(None, engine.speak(CLAUSE)))))
        spoken_s = 0.0
        began = time.monotonic()
        for piece in filter(None, engine.speak(SENTENCE)):
            spoken_s += len(piece.samples) / piece.rate_hz
        rates.append(spoken_s / (time.monotonic() - began))
    return {"a short clause": ("ms", tuple(firsts)), "speed": ("x", tuple(rates))}


def _voice_activity(engine: Any, times: int) -> Found:
    stream = engine.open()
    frame = np.zeros(stream.frame_samples, np.float32)
    took = [1000 * _seconds(lambda: stream.probability(frame)) for _ in range(100 * times)]
    return {"a frame of 32 ms": ("ms", tuple(took))}


def _turn_detection(engine: Any, times: int) -> Found:
    took = [
        1000 * _seconds(lambda sound=sound: engine.finished(sound))  # type: ignore[misc]
        for _ in range(times)
        for sound in _questions()
    ]
    return {"a question": ("ms", tuple(took))}


PROBES: Final[dict[str, Callable[[Any, int], Found]]] = {
    "voice_activity": _voice_activity,
    "turn_detection": _turn_detection,
    "recognition": _recognition,
    "language_model": _language_model,
    "synthesis": _synthesis,
}


def _questions() -> list[Samples]:
    """Of the demonstration, at 16 kHz."""
    with recordings() as paths:
        return [resample(*audio_files.read(path), ANALYSIS_RATE_HZ) for path in paths]


def _memory() -> int:
    """Bytes of this process and of those it started."""
    me = psutil.Process()
    return sum(one.memory_info().rss for one in (me, *me.children(recursive=True)))


def _seconds(work: Callable[[], object]) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began
