"""Synthesis by a voice in a process of its own that tells neither times of words nor phonemes.

The times are guessed: see `word_times`. How loud and how fast the speaker is, is heard when the
process is new.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np

from goassist_desktop.pipeline.engines.child_voice import ChildVoice
from goassist_desktop.pipeline.engines.spoken import (
    PUNCTUATION,
    Reading,
    Voice,
    loudness,
    pieces,
    read,
)
from goassist_desktop.pipeline.engines.word_times import Line, audible, weight
from goassist_desktop.pipeline.errors import EngineFailed
from goassist_desktop.pipeline.frames import Samples, Speech, Word
from goassist_desktop.pipeline.protocols import EngineInfo

SOUNDS: Final = "AIOQWYTaeiouæɑɒɔəɛɜɪʊʌᵊᵻɐbdfhjklmnpstvwzðŋɡɹʃʒʤʧθɾ"
"""misaki's letters for American English."""
AUDIBLE: Final = 5e-3
LEVEL: Final = 0.115
"""Root mean square of the voiced blocks (-19 dB) that the speaker is brought to."""
GAINS: Final = (0.25, 4.0)
SPARE_S: Final = 0.4
"""So long before what was given is played, more is given."""
UNITS: Final = (6.0, 20.0)
"""30 to 100 ms for the mean sound."""

FIRST_WORDS: Final = "Good morning. It is nice to hear from you again."
"""In English; said at the start, to hear how loud and how fast the speaker is."""


class UntimedVoice:
    """Synthesiser, but for `load`, which is `started` with what else is to be there."""

    starts_slowly = True

    def __init__(self, voice: ChildVoice, title: str, longest: int) -> None:
        """`longest`: sounds, or letters, of one line."""
        self.rate_hz = voice.rate_hz
        self._voice = voice
        self._title = title
        self._longest = longest
        self._manner = Voice(voice.rate_hz, 1.0, (), AUDIBLE)
        self._unit = 0.0
        self._heard = 0
        """Which of the voice's processes was listened to."""
        self._read: Callable[[list[str]], list[Reading]] = lambda words: []

    @property
    def info(self) -> EngineInfo:
        return self._voice.info

    def started(self, reads: Callable[[list[str]], list[Reading]], first_words: str) -> None:
        """Start its process where it does not run. `reads`: how words sound."""
        self._read = reads
        self._voice.load()
        if self._heard != self._voice.starts:
            self._listen(first_words)
            self._heard = self._voice.starts

    def close(self) -> None:
        self._voice.close()

    def speak(self, text: str) -> Iterator[Speech | None]:
        for readings in pieces(self._read(text.split()), self._longest):
            said = [reading.text for reading in readings if weight(reading.phonemes)]
            if said:
                yield from self._line(" ".join(said), readings)
            else:
                words = tuple(Word(reading.text, 0, 0) for reading in readings)
                yield Speech(np.zeros(0, np.float32), self.rate_hz, words)

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
                lasts_s += len(over.samples) / self.rate_hz
            yield over
        yield line.rest()

    def _listen(self, text: str) -> None:
        """Say something, so that all of it is warm, and hear how loud and fast the speaker is."""
        heard = [piece.samples for piece in self._voice.speak(text) if piece is not None]
        sound: Samples = np.concatenate([np.zeros(0, np.float32), *heard])
        blocks = loudness(sound, self.rate_hz)
        voiced = blocks[blocks > AUDIBLE]
        if not len(voiced):
            raise EngineFailed(f"{self._title} is loaded, but makes no sound")
        gain = float(np.clip(LEVEL / np.sqrt(np.mean(voiced**2)), *GAINS))
        self._manner = Voice(self.rate_hz, gain, (), AUDIBLE)
        sounds = sum(weight(reading.phonemes) for reading in self._read(text.split()))
        self._unit = float(np.clip(audible(sound, self._manner)[-1] / sounds, *UNITS))


def english(g2p: Any) -> Callable[[list[str]], list[Reading]]:
    """How English words sound, as hibari's dictionary has it."""
    return lambda words: read(words, g2p, SOUNDS + PUNCTUATION + "ˈˌ")
