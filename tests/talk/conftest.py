"""Conversations as a user holds them: the installed program, real models, real time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from goassist_desktop import weights
from goassist_desktop.pipeline.engines.whisper import Whisper

GOASSIST = Path(sys.executable).parent / "goassist"
DATA = Path(__file__).parents[1] / "data"


@dataclass(frozen=True)
class Talked:
    """What `goassist talk` left."""

    status: int
    printed: str
    report: dict[str, Any]
    reply: np.ndarray
    mic: np.ndarray
    rate_hz: int

    @property
    def turns(self) -> list[dict[str, Any]]:
        return self.report["turns"]

    def sound(self, turn: dict[str, Any]) -> np.ndarray:
        """What the loudspeaker played of a turn."""
        marks = turn["marks_ms"]
        first, last = (round(marks[m] * self.rate_hz / 1000) for m in ("first_audio", "audio_end"))
        return self.reply[first:last]


def environment() -> dict[str, str]:
    """Without the variables of tests, which the program does not know."""
    ours = {key: text for key, text in os.environ.items() if not key.startswith("GOASSIST_TEST_")}
    return ours | {"GOASSIST_PROFILE": "ci", "GOASSIST_CONFIG": os.devnull}


@pytest.fixture(scope="session")
def talk(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Talked]:
    """Run `goassist talk` with some arguments and read all it wrote."""

    def run(*arguments: object) -> Talked:
        folder = tmp_path_factory.mktemp("talk")
        reply, mic, report = folder / "reply.wav", folder / "mic.wav", folder / "report.json"
        outputs = ("--out", reply, "--mic-out", mic, "--report", report)
        done = subprocess.run(
            [str(word) for word in (GOASSIST, "talk", *arguments, *outputs)],
            capture_output=True,
            text=True,
            timeout=280,
            env=environment(),
        )
        assert done.returncode in (0, 1), done.stdout + done.stderr
        assert "Traceback" not in done.stderr, done.stderr
        played, rate_hz = soundfile.read(reply, dtype="float32")
        heard, mic_rate_hz = soundfile.read(mic, dtype="float32")
        assert rate_hz == mic_rate_hz
        return Talked(
            done.returncode,
            done.stdout + done.stderr,
            json.loads(report.read_text()),
            played,
            heard,
            rate_hz,
        )

    return run


@pytest.fixture(scope="session")
def ear() -> Iterator[Whisper]:
    """The recogniser, to hear the replies with."""
    ear = Whisper(weights.path("faster-whisper-tiny.en"))
    ear.load()
    yield ear
    ear.close()
