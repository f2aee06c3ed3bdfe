"""The corpus of `goassist bench turns`: turns of several voices, with pauses at known samples.

README.md says what it is made of, models/make_turns.py makes it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources

import numpy as np
import soundfile

from goassist_desktop.pipeline.frames import ANALYSIS_RATE_HZ, Samples

ROOM_DB = -62.0
"""Of a quiet room, full scale being 0: no microphone hears nothing at all."""
SPEECH_DB = -20.0


@dataclass(frozen=True, slots=True)
class RecordedTurn:
    """What a user says before they expect an answer."""

    subset: str
    """"train", on which the policy was fitted; "held" and "blind": other sentences, voices."""
    kind: str
    voice: str
    text: str
    """With its pauses marked: "|" where the sentence is plainly open, "/" where it is not."""
    pauses: tuple[str, ...]
    """"open" or "end" for each pause inside: what the words so far could be."""
    noise_db: float | None
    """Speech over noise, in dB; None for a quiet room."""
    parts: tuple[tuple[int, int], ...]
    """First and one past the last sample of each part spoken; a pause lies between two parts."""
    audio: Samples
    """(n,) at 16 kHz, with silence around."""


def turns(subset: str) -> Iterator[RecordedTurn]:
    """The turns of one subset, in the order they were made."""
    folder = resources.files(__name__)
    index = json.loads((folder / "index.json").read_text("utf-8"))
    with resources.as_file(folder / f"{subset}.ogg") as file:
        sound, rate_hz = soundfile.read(file, dtype="float32")
    assert rate_hz == ANALYSIS_RATE_HZ
    for number, about in enumerate(index):
        if about["subset"] == subset:
            audio = sound[about["start"] : about["end"]]
            yield RecordedTurn(
                subset=subset,
                kind=about["kind"],
                voice=about["voice"],
                text=about["text"],
                pauses=tuple(about["pauses"]),
                noise_db=about["noise_db"],
                parts=tuple((start, end) for start, end in about["parts"]),
                audio=audio + _room(audio.size, about["noise_db"], seed=number),
            )


def _room(count: int, noise_db: float | None, seed: int) -> Samples:
    """Pink noise, and in a noisy room mains hum at a quarter of its power; the same every time."""
    level_db = ROOM_DB if noise_db is None else SPEECH_DB - noise_db
    size = 1 << count.bit_length()  # quick to transform
    spectrum = np.fft.rfft(np.random.default_rng(seed).normal(size=size))
    noise = np.fft.irfft(spectrum / np.sqrt(np.arange(1, spectrum.size + 1)), size)[:count]
    noise /= np.sqrt(np.mean(noise**2))
    if noise_db is not None:
        t = np.arange(count) / ANALYSIS_RATE_HZ
        noise += 0.5 * np.sqrt(2) * np.sin(2 * np.pi * 100 * t)
        noise /= np.sqrt(1.25)
    return (noise * 10 ** (level_db / 20)).astype(np.float32)
