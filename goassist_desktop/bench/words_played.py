"""Which words of the assistant's speech left the loudspeaker whole, found in the recording of it.

The speech is known to the sample, so a word is looked for as itself, not as what a recogniser makes
of it: where the recording correlates with it, all of it was played.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from goassist_desktop.pipeline.endpoints.capture import DEVICE_RATE_HZ
from goassist_desktop.pipeline.frames import Samples, Speech
from goassist_desktop.pipeline.resampling import resample

UNPLAYED = 2
"""After so many pieces that were not played none is: one alone may be too short to tell."""
LAST_WORDS = 3
"""So many at the end of an answer are looked for although nothing follows them."""
SAME = 0.9
"""Normalised correlation. A fade of 10 ms takes 0.02 to 0.05 off it, half a word 0.3."""
QUIETER = 0.25
"""A place with less of the word's energy is not the word."""
COARSE = 6
"""Searched at 8 kHz first, where a word's own place stands out; then to the sample."""
SHORTEST_S = 0.05
"""What is shorter is left out: half a syllable resembles many."""
TELLING_S = 0.2
"""What is longer is found anywhere; shorter words only where the longer ones say they are."""
PLACED_BY_S = 1.0
"""So much of a piece says where it was played."""
LONGEST_WAIT_S = 40.0
"""A piece of speech is played at most this long after the one before it."""


@dataclass(frozen=True, slots=True)
class Played:
    """A word of an answer, and the position at which it was played whole, or None."""

    text: str
    at: int | None


class Loudspeaker:
    """The recording of a loudspeaker, (n,) at 48 kHz."""

    def __init__(self, samples: Samples) -> None:
        self.samples = samples
        self.coarse = resample(samples, DEVICE_RATE_HZ, DEVICE_RATE_HZ // COARSE)


def words_played(
    speech: Sequence[Speech], loudspeaker: Loudspeaker, start: int, end: int
) -> list[Played]:
    """The words of an answer, at 48 kHz, in [start, end) of the recording.

    Words the voice can not say, and those too short to tell, are left out.
    """
    sounds: list[Samples] = []
    found: list[Played] = []
    unplayed, began = 0, start
    for piece in speech:
        places = [] if unplayed >= UNPLAYED else _places(piece, loudspeaker, start, end)
        unplayed = 0 if places else unplayed + 1
        start = max([start, *places])
        for word in piece.words:
            sound = piece.samples[word.start : word.end]
            if len(sound) < SHORTEST_S * DEVICE_RATE_HZ or not sound.any():
                continue
            at = (place + word.start for place in places)
            whole = (n for n in at if _alike(sound, loudspeaker.samples[:end], n))
            found.append(Played(word.text, next(whole, None)))
            sounds.append(sound)
    return _filled(found, sounds, loudspeaker, began, end)


def _filled(
    words: list[Played], sounds: Sequence[Samples], loudspeaker: Loudspeaker, start: int, end: int
) -> list[Played]:
    """Look for short words that were said between two holds, or last, where they have to be."""
    at = start
    for n, word in enumerate(words):
        if word.at is None:
            later = (w.at + len(s) for w, s in zip(words[n:], sounds[n:], strict=True) if w.at)
            before = next(later, end if len(words) - n <= LAST_WORDS else at)
            words[n] = word = Played(word.text, _search(sounds[n], loudspeaker, at, before))
        if word.at is not None:
            at = word.at
    return words


def _places(piece: Speech, loudspeaker: Loudspeaker, start: int, end: int) -> list[int]:
    """Where the piece would begin for each stretch of it that was played: one, or one more for
    each time it was held."""
    places: list[int] = []
    for word in piece.words:
        sound = piece.samples[word.start : word.end]
        if len(sound) < TELLING_S * DEVICE_RATE_HZ or not sound.any():
            continue
        recording = loudspeaker.samples[:end]
        if places and _alike(sound, recording, places[-1] + word.start):
            continue
        at = _search(sound, loudspeaker, max([start, *(p + word.start for p in places)]), end)
        if at is not None:
            places.append(at - word.start)
    return places


def place(piece: Speech, loudspeaker: Loudspeaker, start: int, end: int) -> int | None:
    """Where a piece of speech, at 48 kHz, begins in [start, end) of the recording, if it does."""
    if not piece.words:
        return None
    first, last = piece.words[0].start, piece.words[-1].end
    sound = piece.samples[first : min(last, first + round(PLACED_BY_S * DEVICE_RATE_HZ))]
    at = _search(sound, loudspeaker, start + first, end)
    return None if at is None else at - first


def lost(words: Sequence[Played]) -> list[str]:
    """Words of an answer never played whole, though later ones were; each with where it should be.

    "there (before 5.31 s)"
    """
    found: list[str] = []
    missing: list[str] = []
    for word in words:
        if word.at is None:
            missing.append(word.text)
        else:
            found += [f"{text} (before {word.at / DEVICE_RATE_HZ:.2f} s)" for text in missing]
            missing.clear()
    return found


def _alike(sound: Samples, recording: Samples, at: int) -> bool:
    part = recording[at : at + len(sound)] if at >= 0 else recording[:0]
    if len(part) < len(sound):
        return False
    scale = float(np.linalg.norm(part) * np.linalg.norm(sound))
    return scale > 0 and float(part @ sound) >= SAME * scale


def _search(sound: Samples, loudspeaker: Loudspeaker, start: int, end: int) -> int | None:
    """The likeliest place in [start, end), if the sound is whole there."""
    small = resample(sound, DEVICE_RATE_HZ, DEVICE_RATE_HZ // COARSE)
    begin = start // COARSE
    longest = round(LONGEST_WAIT_S * DEVICE_RATE_HZ / COARSE)
    part = loudspeaker.coarse[begin : min(begin + longest, end // COARSE)]
    if len(part) < len(small) or not small.any():
        return None
    size = 1 << (len(part) + len(small) - 1).bit_length()
    # In 64 bits: what rounding makes of a loud place must not outweigh a silent one.
    spectra = (np.fft.rfft(x.astype(np.float64), size) for x in (part, small))
    spectrum = next(spectra) * np.conj(next(spectra))
    product = np.fft.irfft(spectrum, size)[: len(part) - len(small) + 1]
    energy = np.concatenate([[0.0], np.cumsum(np.square(part, dtype=np.float64))])
    own = float(np.sum(np.square(small, dtype=np.float64)))
    power = np.maximum(energy[len(small) :] - energy[: -len(small)], QUIETER * own)
    likeness = product / np.sqrt(power * own)
    best = (begin + int(np.argmax(likeness))) * COARSE
    recording = loudspeaker.samples[:end]
    near = range(max(0, best - COARSE), best + COARSE + 1)
    return max(
        (at for at in near if _alike(sound, recording, at)),
        key=lambda at: float(recording[at : at + len(sound)] @ sound),
        default=None,
    )
