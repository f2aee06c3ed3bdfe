"""The one resampler."""

from __future__ import annotations

import numpy as np
import soxr

from goassist_desktop.pipeline.frames import Phoneme, Samples, Speech, Word


def resample(samples: Samples, rate_hz: int, to_hz: int) -> Samples:
    """A whole clip (n,) at `rate_hz` as (round(n * to_hz / rate_hz),) at `to_hz`, in step."""
    if rate_hz == to_hz:
        return samples
    return np.asarray(soxr.resample(samples, rate_hz, to_hz, quality="HQ"), np.float32)


def at_rate(speech: Speech, rate_hz: int) -> Speech:
    """The same speech at another rate, its words and phonemes still in place."""
    scale = rate_hz / speech.rate_hz
    return Speech(
        resample(speech.samples, speech.rate_hz, rate_hz),
        rate_hz,
        tuple(Word(w.text, round(w.start * scale), round(w.end * scale)) for w in speech.words),
        tuple(
            Phoneme(p.symbol, round(p.start * scale), round(p.end * scale)) for p in speech.phonemes
        ),
    )


def joined(pieces: list[Speech]) -> Speech:
    """Several pieces of speech of one rate as one."""
    words: list[Word] = []
    phonemes: list[Phoneme] = []
    length = 0
    for piece in pieces:
        words += [Word(w.text, length + w.start, length + w.end) for w in piece.words]
        phonemes += [Phoneme(p.symbol, length + p.start, length + p.end) for p in piece.phonemes]
        length += len(piece.samples)
    samples = np.concatenate([piece.samples for piece in pieces])
    return Speech(samples, pieces[0].rate_hz, tuple(words), tuple(phonemes))
