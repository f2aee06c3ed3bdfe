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
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import psutil
from rich.console import Console

from goassist_desktop import gpu_account, weights
from goassist_desktop.app import SERVERS, threads_for
from goassist_desktop.bench.figures import Figure
from goassist_desktop.config import Config
from goassist_desktop.demo import recordings
from goassist_desktop.pipeline import audio_files
from goassist_desktop.pipeline.engines import REGISTRY, computes_on_cards, create
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
    for one in here(config):
        where = " on a graphics card" * (one.device != "cpu")
        console.print(f"  {one.stage}: {one.name}, {one.model}{where} …", style="dim", markup=False)
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, mp_context=context) as apart:
            found = apart.submit(probe, one, args.times).result()
        figures += [
            Figure(f"{one.model}{where}: {what}", unit, tuple(round(v, 2) for v in values))
            for what, (unit, values) in found.items()
        ]
    return figures


@dataclass(frozen=True, slots=True)
class Subject:
    """An engine with a model, and where it is to compute."""

    stage: str
    name: str
    model: str
    source: Any
    device: str = "cpu"


def here(config: Config) -> Iterator[Subject]:
    """All that can be measured, those that can use a graphics card there too: engines of the face
    are measured by `bench face`."""
    known = manifest.load().models.values()
    card = bool(gpu_account.cards())
    for stage in PROBES:
        for name in REGISTRY[stage]:
            able = card and name in gpu_account.PREDICTIONS and computes_on_cards(stage, name)
            for model in known:
                if (model.stage, model.engine) == (stage, name) and offers.state(model)[
                    0
                ] == "here":
                    for device in ("cpu", "cuda:0")[: 1 + able]:
                        yield Subject(stage, name, model.name, weights.path(model.name), device)
            if name in SERVERS and getattr(config.engines, stage) == name:
                yield Subject(stage, name, name, SERVERS[name](config))


def probe(subject: Subject, times: int) -> Found:
    """In a process of its own."""
    stage, name = subject.stage, subject.name
    options = {"device": subject.device} if name in gpu_account.PREDICTIONS else {}
    before, card_before = _memory(), _card_memory(subject)
    engine = create(stage, name, subject.source, threads=threads_for(stage), **options)
    began = time.monotonic()
    engine.load()
    loaded_s = time.monotonic() - began
    try:
        found = PROBES[stage](engine, times)
        used = _memory() - before
        on_card = _card_memory(subject) - card_before
    finally:
        engine.close()
    if on_card:
        found |= {"memory of the card": ("MB", (on_card / 1e6,))}
    return {"loading": ("s", (loaded_s,)), **found, "memory": ("MB", (used / 1e6,))}


def _card_memory(subject: Subject) -> int:
    """Bytes used of its card, by all programs."""
    return sum(card.used for card in gpu_account.cards() if subject.device == f"cuda:{card.index}")


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
