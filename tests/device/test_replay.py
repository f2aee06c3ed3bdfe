"""A conversation at a sound card, recorded as it was held, and held again."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import numpy as np
import soundfile

from goassist_desktop import weights
from goassist_desktop.pipeline.resampling import resample
from tests.device.conftest import RATE_HZ, VirtualCard
from tests.talk.conftest import DATA, GOASSIST, environment

VOICES = DATA / "voices"
MODELS = weights.models_dir()
"""Named before the card moves HOME."""


def said(name: str) -> np.ndarray:
    samples, rate_hz = soundfile.read(VOICES / f"{name}.flac", dtype="float32")
    return resample(samples, rate_hz, RATE_HZ)


def test_a_conversation_at_the_microphone_is_held_again(card: VirtualCard) -> None:
    folder, printed = card.folder / "recording", card.folder / "printed.txt"
    variables = environment() | card.environment | {"GOASSIST_MODELS_DIR": str(MODELS)}
    with printed.open("w") as log:
        program = subprocess.Popen(
            [GOASSIST, "--record", folder], stdout=log, stderr=subprocess.STDOUT, env=variables
        )
    try:
        wait_for(program, printed, "Listening")
        card.speak(said("joe_story")).wait()
        wait_for(program, folder / "journal.jsonl", '"speaking"')
        time.sleep(1.0)
        card.speak(said("joe_germany")).wait()
        wait_for(program, printed, "Berlin")
        program.send_signal(2)
        assert program.wait(10) == 0
    finally:
        program.kill()
        program.wait()
    assert "stopped in" in printed.read_text()
    for flags in ([], ["--as-recorded"]):
        done = subprocess.run(
            [GOASSIST, "replay", folder, *flags], capture_output=True, text=True, env=variables
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert "Berlin" in done.stdout


def wait_for(program: subprocess.Popen[bytes], file: Path, text: str) -> None:
    deadline = time.monotonic() + 60
    while not file.exists() or text not in file.read_text():
        assert program.poll() is None
        assert time.monotonic() < deadline, f"no {text!r} in {file}"
        time.sleep(0.05)
