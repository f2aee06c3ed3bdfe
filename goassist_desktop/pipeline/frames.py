"""The nouns that carry samples.

Two rates meet here: ANALYSIS_RATE_HZ (16 kHz mono, everything that listens) and the endpoint's own
rate (what the loudspeaker plays). A position on a timeline is always a sample count at a stated
rate, counted from the start of the session.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

ANALYSIS_RATE_HZ = 16_000
BLOCK_MS = 10
BLOCK_SAMPLES = ANALYSIS_RATE_HZ * BLOCK_MS // 1000

Samples = npt.NDArray[np.float32]
"""Mono float32 in [-1, 1], shape (n,)."""
Weights = npt.NDArray[np.float32]
"""Blendshape weights (52,) float32 in [0, 1], in the order of `blendshapes.NAMES`."""


@dataclass(frozen=True, slots=True)
class Word:
    """A spoken word. `start` and `end` are sample offsets at the rate of the Speech holding it."""

    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Phoneme:
    """A sound of a word, as its symbol of the International Phonetic Alphabet.

    `start` and `end` are sample offsets at the rate of the Speech holding it.
    """

    symbol: str
    start: int
    end: int


@dataclass(frozen=True, slots=True, eq=False)
class Speech:
    """Synthesised speech: samples (n,) at `rate_hz`, and the words they say, in order."""

    samples: Samples
    rate_hz: int
    words: tuple[Word, ...] = ()
    phonemes: tuple[Phoneme, ...] = ()
    """The sounds of the words, in order, where the voice knows them; without stress and pauses."""


@dataclass(frozen=True, slots=True, eq=False)
class FaceFrame:
    """What the face does for the sound at one moment of a reply.

    `at_ms` counts from the first sample of the reply; `weights` (52,) float32 in [0, 1] are in the
    order of `blendshapes.NAMES`.
    """

    at_ms: float
    weights: Weights


@dataclass(frozen=True, slots=True)
class Transcript:
    """What a recogniser understood.

    `no_speech` is the model's own probability in [0, 1] that there was no speech at all, and
    `confidence` the mean token probability in [0, 1]; engines that know neither leave 0 and 1.
    """

    text: str
    no_speech: float = 0.0
    confidence: float = 1.0


@dataclass(frozen=True, slots=True)
class Message:
    """One entry of the conversation as the language model sees it."""

    role: str
    """'system', 'user' or 'assistant'."""
    text: str
