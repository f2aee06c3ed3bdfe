"""A voice in a process of its own. Runs in any environment that has numpy.

    python serve.py MODULE OPTIONS CONTROL SHARED

MODULE is a Python file with

    load(options)   OPTIONS, a JSON object -> what has `rate_hz`, and `say(text, wanted)`, which
                    gives pieces of (samples (n,) float32, words, sounds); the latter two are lists
                    of [text, start, end] in samples of the piece, or empty. It may stop as soon as
                    `wanted()` is False
    MISSING         the exceptions of `load` that mean: the model is absent or damaged; their text
                    goes on behind "voice model"

CONTROL and SHARED are file descriptors. Over CONTROL, a socket, go lines of JSON: what is to be
said comes in; "ready", the pieces, "end", "missing" and "failed" go out. SHARED, a file in memory,
has HEADER numbers (int64) and then a ring of samples, of which a piece's line tells the place.

It ends when CONTROL is closed. What it prints is nobody's answer.
"""

from __future__ import annotations

import importlib.util
import json
import mmap
import os
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

import numpy as np

BEAT, READ, UNWANTED = 0, 1, 2
"""Places in the header: when this process last showed that it lives (time.monotonic_ns(), every
BEAT_S); how many samples were read so far; the number of the last text that is not wanted any
more. The first is written here, the others by who reads."""
HEADER = 8
BEAT_S = 0.1
FULL_S = 0.002
"""How often it is looked whether there is room again."""


class Shared:
    """What both processes see."""

    def __init__(self, fd: int) -> None:
        memory = mmap.mmap(fd, 0)
        self.header = np.frombuffer(memory, np.int64, HEADER)
        self.ring = np.frombuffer(memory, np.float32, offset=self.header.nbytes)
        self.position = 0
        """Samples written, or read, so far."""

    def places(self, count: int) -> tuple[slice, slice, int]:
        """Where the next `count` samples are, in two parts, and the length of the first."""
        start = self.position % len(self.ring)
        first = min(count, len(self.ring) - start)
        return slice(start, start + first), slice(0, count - first), first

    def write(self, samples: Any, wanted: Callable[[], bool]) -> bool:
        """Wait for room. False: they were not wanted any more."""
        while self.position + len(samples) - int(self.header[READ]) > len(self.ring):
            if not wanted():
                return False
            time.sleep(FULL_S)
        one, other, first = self.places(len(samples))
        self.ring[one], self.ring[other] = samples[:first], samples[first:]
        self.position += len(samples)
        return True

    def read(self, count: int) -> Any:
        """A copy; its room is free again."""
        one, other, _ = self.places(count)
        samples = np.concatenate([self.ring[one], self.ring[other]])
        self.position += count
        self.header[READ] = self.position
        return samples


def main(module: str, options: str, control_fd: str, shared_fd: str) -> None:
    for fd in (control_fd, shared_fd):
        os.set_inheritable(int(fd), False)
    control = socket.socket(fileno=int(control_fd))
    shared = Shared(int(shared_fd))
    threading.Thread(target=_beat, args=[shared], daemon=True).start()

    def tell(what: dict[str, Any]) -> None:
        control.sendall(json.dumps(what).encode() + b"\n")

    missing: tuple[type[Exception], ...] = ()
    try:
        engine = _imported(module)
        missing = engine.MISSING
        voice = engine.load(json.loads(options))
    except Exception as error:
        tell({"missing": str(error)} if isinstance(error, missing) else failure(error))
        raise
    tell({"ready": voice.rate_hz})
    for line in control.makefile():
        asked = json.loads(line)
        try:
            say(voice, asked["text"], asked["say"], shared, tell)
        except Exception as error:
            tell(failure(error))
            raise
        tell({"end": asked["say"]})


def say(
    voice: Any, text: str, number: int, shared: Shared, tell: Callable[[dict[str, Any]], None]
) -> None:
    def wanted() -> bool:
        return bool(shared.header[UNWANTED] < number)

    part = len(shared.ring) // 4
    with closing(voice.say(text, wanted)) as pieces:
        for samples, words, sounds in pieces:
            for at in range(0, max(1, len(samples)), part):
                some = samples[at : at + part]
                if not (wanted() and shared.write(some, wanted)):
                    return
                about = {"say": number, "at": shared.position - len(some), "count": len(some)}
                if at + part >= len(samples):
                    about |= {"words": words, "sounds": sounds}
                tell(about)


def failure(error: Exception) -> dict[str, str]:
    text = " ".join(str(error).split())
    kind = type(error).__name__
    return {"failed": f"{kind}: {text}"[:300] if text else kind}


def _beat(shared: Shared) -> None:
    while True:
        shared.header[BEAT] = time.monotonic_ns()
        time.sleep(BEAT_S)


def _imported(file: str) -> Any:
    spec = importlib.util.spec_from_file_location("voice", file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    main(*sys.argv[1:])
