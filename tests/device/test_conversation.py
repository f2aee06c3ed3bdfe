"""The program at a sound card: spoken to through its microphone, heard from its loudspeaker."""

from __future__ import annotations

import subprocess
import time
import tomllib
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile

from goassist_desktop import weights
from goassist_desktop.pipeline.engines.whisper import Whisper
from goassist_desktop.pipeline.resampling import resample
from tests.device.conftest import RATE_HZ, Recording, VirtualCard
from tests.engines.sounds import WORDS
from tests.talk.conftest import DATA, GOASSIST, environment
from tests.talk.hearing import audible, plain, transcribe, word_errors

VOICES = DATA / "voices"
SAID = WORDS | {
    f"voices/{question['file'].removesuffix('.flac')}": question["text"]
    for question in tomllib.loads((VOICES / "questions.toml").read_text())["question"]
}
INTERRUPTIONS = (
    "voices/joe_plants", "voices/slt_colors", "voices/joe_sky", "voices/slt_music",
    "voices/joe_joke", "espeak_weather", "voices/slt_breakfast", "voices/joe_week",
    "voices/slt_water", "voices/joe_germany",
)  # fmt: skip
"""One sentence each: after a whole one, a pause of 0.7 s before the next may be answered."""


def recorded(name: str) -> np.ndarray:
    samples, rate_hz = soundfile.read(DATA / f"{name}.flac", dtype="float32")
    return resample(samples, rate_hz, RATE_HZ)


class Program:
    """`goassist`, running, and what it prints."""

    def __init__(self, card: VirtualCard, models: Path) -> None:
        self._log = (card.folder / "printed.txt").open("w+")
        self._process = subprocess.Popen(
            [GOASSIST, "--terminal"],
            stdout=self._log,
            stderr=subprocess.STDOUT,
            env=environment() | card.environment | {"GOASSIST_MODELS_DIR": str(models)},
        )
        self.wait_for("Listening", 60)

    @property
    def printed(self) -> str:
        return Path(self._log.name).read_text()

    def wait_for(self, text: str, seconds: float, times: int = 1) -> None:
        deadline = time.monotonic() + seconds
        while self.printed.count(text) < times:
            assert self._process.poll() is None, self.printed
            assert time.monotonic() < deadline, f"no {text!r} in:\n{self.printed}"
            time.sleep(0.05)

    def interrupt(self) -> tuple[int, float]:
        """Ctrl-C. The exit status, and the seconds it took."""
        asked = time.monotonic()
        self._process.send_signal(2)
        status = self._process.wait(10)
        return status, time.monotonic() - asked

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        self._log.close()


@pytest.fixture
def program(card: VirtualCard, models_folder: Path) -> Iterator[Program]:
    program = Program(card, models_folder)
    yield program
    program.kill()


@pytest.fixture(scope="module")
def models_folder() -> Path:
    """Where the models are, named before the card moves HOME."""
    return weights.models_dir()


@pytest.fixture(scope="module")
def ear(models_folder: Path) -> Iterator[Whisper]:
    ear = Whisper(models_folder / "faster-whisper-tiny.en")
    ear.load()
    yield ear
    ear.close()


def test_it_answers_through_the_loudspeaker(
    card: VirtualCard, program: Program, ear: Whisper
) -> None:
    recording = card.record()
    card.speak(recorded("voices/joe_germany")).wait()
    program.wait_for("first audio", 30)  # printed when the reply is over
    played = recording.stop()
    assert "capital of germany" in plain(program.printed)
    assert "berlin" in plain(transcribe(ear, played, RATE_HZ))
    status, seconds = program.interrupt()
    assert status == 0, program.printed
    assert seconds < 1.0
    assert "Traceback" not in program.printed


def test_ten_interruptions_in_a_row(card: VirtualCard, program: Program, ear: Whisper) -> None:
    loudspeaker = card.record()
    card.speak(recorded("voices/joe_story")).wait()
    for number, name in enumerate(INTERRUPTIONS, start=1):
        wait_until_it_speaks(loudspeaker)
        time.sleep(1.0 if number == 1 else 0.4)
        card.speak(recorded(name)).wait()
        program.wait_for("stopped in", 10, times=number)
    program.wait_for("first audio", 60, times=len(INTERRUPTIONS) + 1)
    played = loudspeaker.stop()
    lines = program.printed.splitlines()
    answers = [line for line in lines if "first audio" in line]
    assert len(answers) == len(INTERRUPTIONS) + 1
    # The words of a turn that was not over come again, whole, in the next line.
    heard = [
        words.removeprefix("  you  ")
        for words, answer in pairwise(lines)
        if words.startswith("  you ") and answer in answers
    ]
    for name, words in zip(INTERRUPTIONS, heard[1:], strict=True):
        assert plain(words).split()[0] == plain(SAID[name]).split()[0], (name, words)
        assert word_errors(SAID[name], words) <= 0.25, (name, words)
    assert "berlin" in plain(transcribe(ear, last_sound(played), RATE_HZ))
    status, _ = program.interrupt()
    assert status == 0, program.printed


def last_sound(played: np.ndarray) -> np.ndarray:
    """What follows the last silence of more than half a second."""
    times_ms = audible(played, RATE_HZ)
    gaps = np.flatnonzero(np.diff(times_ms) > 500)
    start_ms = times_ms[gaps[-1] + 1] if len(gaps) else times_ms[0]
    return played[round(start_ms * RATE_HZ / 1000) :]


def wait_until_it_speaks(loudspeaker: Recording, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not len(audible(loudspeaker.latest(0.2), RATE_HZ)):
        assert time.monotonic() < deadline, "the loudspeaker stays silent"
        time.sleep(0.02)
