"""Synthesis with XTTS-v2 by Coqui (24 kHz), in a process and an environment of its own.

It needs `coqui-tts` with torch, which are not part of this program, and the model's files; see
docs/xtts.md. Its licence forbids commercial use: whoever wants it has to say that they know.

Only the speakers that come with the model are used: no voice is made of a recording.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np

from goassist_desktop.pipeline.engines import apart
from goassist_desktop.pipeline.engines.child_voice import Apart, ChildVoice
from goassist_desktop.pipeline.engines.coqui import LICENCE, REPOSITORY, TITLE, Studio
from goassist_desktop.pipeline.engines.spoken import (
    PUNCTUATION,
    Reading,
    Voice,
    loudness,
    new_g2p,
    pieces,
    read,
)
from goassist_desktop.pipeline.engines.word_times import Line, audible, weight
from goassist_desktop.pipeline.errors import EngineFailed, ModelMissing
from goassist_desktop.pipeline.frames import Samples, Speech, Word
from goassist_desktop.pipeline.protocols import EngineInfo

NAME: Final = "xtts"
RATE_HZ: Final = 24_000
LONGEST: Final = 150
"""Sounds, or letters, of one line; longer ones lose their end, in some languages from 95 on."""
SHORTER: Final = {"ko": 90}

SOUNDS: Final = "AIOQWYTaeiouæɑɒɔəɛɜɪʊʌᵊᵻɐbdfhjklmnpstvwzðŋɡɹʃʒʤʧθɾ"
"""misaki's letters for American English."""
AUDIBLE: Final = 5e-3
LEVEL: Final = 0.115
"""Root mean square of the voiced blocks (-19 dB) that the speaker is brought to."""
GAINS: Final = (0.25, 4.0)
FIRST_WORDS: Final = "Good morning. It is nice to hear from you again."
NUMBERS: Final = "1 2 3 4 5 6 7"
"""In other languages. Said at the start, to hear how loud and how fast the speaker is."""
SPARE_S: Final = 0.4
"""So long before what was given is played, more is given."""
UNITS: Final = (6.0, 20.0)
"""30 to 100 ms for the mean sound."""


class Xtts:
    """Synthesiser. Equal texts give equal samples. It tells no phonemes."""

    rate_hz = RATE_HZ
    starts_slowly = True

    def __init__(self, studio: Studio, *, threads: int = 1) -> None:
        self._studio = studio
        info = EngineInfo("synthesis", NAME, studio.speaker, LICENCE)
        self._voice = ChildVoice(
            info,
            RATE_HZ,
            Apart(
                TITLE,
                studio.program,
                Path(apart.__file__).parent / "xtts_model.py",
                {
                    "model": str(studio.model),
                    "speaker": studio.speaker,
                    "language": studio.language,
                    "threads": max(threads, (os.cpu_count() or 1) // 2),
                },
                studio.log,
            ),
        )
        self._g2p: Any = None
        self._manner = Voice(RATE_HZ, 1.0, (), AUDIBLE)
        self._unit = 0.0
        self._heard = 0
        """Which of the voice's processes was listened to."""

    @property
    def info(self) -> EngineInfo:
        return self._voice.info

    def load(self) -> None:
        """Start it where it does not run."""
        if why := self._studio.lacks():
            raise EngineFailed(f"{TITLE} can not be used: {why}")
        if missing := self._studio.missing():
            raise ModelMissing(
                f"voice model of {TITLE}: {missing} is missing; get it from the hub's {REPOSITORY}"
            )
        if self._g2p is None and self._studio.language == "en":
            self._g2p = new_g2p()
        self._voice.load()
        if self._heard != self._voice.starts:
            self._listen()
            self._heard = self._voice.starts

    def close(self) -> None:
        self._voice.close()

    def speak(self, text: str) -> Iterator[Speech | None]:
        longest = SHORTER.get(self._studio.language, LONGEST)
        for readings in pieces(self._read(text.split()), longest):
            said = [reading.text for reading in readings if weight(reading.phonemes)]
            if said:
                yield from self._line(" ".join(said), readings)
            else:
                words = tuple(Word(reading.text, 0, 0) for reading in readings)
                yield Speech(np.zeros(0, np.float32), RATE_HZ, words)

    def _line(self, text: str, readings: list[Reading]) -> Iterator[Speech | None]:
        """What comes is kept back while what was given lasts: the more is known of a line, the
        better are the times of its words."""
        line = Line(readings, self._manner, self._unit)
        began_s = lasts_s = 0.0
        for piece in self._voice.speak(text):
            if piece is not None:
                line.take(piece.samples)
            over = None
            if time.monotonic() > began_s + lasts_s - SPARE_S:
                over = line.over()
            if over is not None:
                began_s = began_s or time.monotonic()
                lasts_s += len(over.samples) / RATE_HZ
            yield over
        yield line.rest()

    def _read(self, words: list[str]) -> list[Reading]:
        """How words sound: in English as hibari's dictionary has it, elsewhere by their letters,
        each of which counts as one sound."""
        if self._g2p is not None:
            return read(words, self._g2p, SOUNDS + PUNCTUATION + "ˈˌ")
        return [Reading(word, _letters(word)) for word in words]

    def _listen(self) -> None:
        """Say something, so that all of it is warm, and hear how loud and fast the speaker is."""
        text = FIRST_WORDS if self._g2p is not None else NUMBERS
        heard = [piece.samples for piece in self._voice.speak(text) if piece is not None]
        sound: Samples = np.concatenate([np.zeros(0, np.float32), *heard])
        blocks = loudness(sound, RATE_HZ)
        voiced = blocks[blocks > AUDIBLE]
        if not len(voiced):
            raise EngineFailed(f"{TITLE} is loaded, but makes no sound")
        gain = float(np.clip(LEVEL / np.sqrt(np.mean(voiced**2)), *GAINS))
        self._manner = Voice(RATE_HZ, gain, (), AUDIBLE)
        sounds = sum(weight(reading.phonemes) for reading in self._read(text.split()))
        self._unit = float(np.clip(audible(sound, self._manner)[-1] / sounds, *UNITS))


def _letters(word: str) -> str:
    """A consonant for each letter and four for a digit, with the sign behind them."""
    said = sum(4 if letter.isdigit() else 1 for letter in word if letter.isalnum())
    signs = re.findall(r"[.!?…,;:—]", word)
    return "n" * said + (signs[-1] if said and signs else "")
