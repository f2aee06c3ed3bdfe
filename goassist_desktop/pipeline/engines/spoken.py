"""What the voices share that say phonemes and know how long each of them lasts.

A voice turns a line of phonemes into sound. Here text becomes such lines, and the sound a Speech
with the time of every word: trimmed, levelled, and with the pause that its punctuation asks for.

The phonemes are those of misaki, which Kokoro and all that came from it read: one letter a sound,
marks of stress before their vowel. The package hibari-tts finds them without espeak-ng.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from goassist_desktop.pipeline.errors import EngineFailed
from goassist_desktop.pipeline.frames import Phoneme, Samples, Speech, Word

MAX_PHONEMES = 400
"""The longest line, and so the length of one piece: hibari was trained to read that much at once,
and Kokoro reads 510."""

KNEE = 0.8
"""Above this the level is bent softly below 1; only the rare loudest vowel gets there."""

BLOCK_MS = 5
LEAD_MS = 10
FADE_MS = 4
PAUSE_MS = {".": 250, "!": 250, "?": 250, "…": 250, ",": 120, ";": 120, ":": 120, "—": 120}
NO_PAUSE_MS = 20

SENTENCE_END = ".!?…"
PUNCTUATION = SENTENCE_END + ',;:—"“”()'
STRESS = "ˈˌ"
DIPHTHONGS = {"A": "eɪ", "I": "aɪ", "O": "oʊ", "W": "aʊ", "Y": "ɔɪ"}
"""One letter each in this alphabet."""

Say = Callable[[str], tuple[Samples, list[int]]]
"""A line of phonemes -> its samples, and for each phoneme the sample where it starts, with the end
of the last one as last entry."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A written word and the phonemes that say it, punctuation included; "" when unspeakable."""

    text: str
    phonemes: str


@dataclass(frozen=True, slots=True)
class Voice:
    """What is particular to one."""

    rate_hz: int
    gain: float
    """Fixed, so that clauses keep their level."""
    alphabet: Container[str]
    """The phonemes and signs it knows; others are left out."""
    audible: float = 1e-3
    """Root mean square of a block, before the gain, under which it is silent (1e-3: -60 dB)."""


def new_g2p() -> Any:
    """What finds the phonemes of American English. Raises EngineFailed where it is broken."""
    try:
        from hibari.g2p import G2P

        return G2P()  # type: ignore[no-untyped-call]
    except (ImportError, OSError, ValueError) as error:
        raise EngineFailed(f"synthesis: the package hibari-tts is broken: {error}") from error


def spoken(text: str, g2p: Any, voice: Voice, say: Say) -> Iterator[Speech]:
    """One piece a sentence, or less where a sentence is longer than MAX_PHONEMES.

    A word the voice can not say (lone punctuation, a foreign script) gets an empty span.
    """
    for readings in pieces(read(text.split(), g2p, voice.alphabet)):
        phonemes = " ".join(reading.phonemes for reading in readings if reading.phonemes)
        if phonemes.strip(PUNCTUATION + " "):
            yield speech(readings, phonemes, *say(phonemes), voice)
        else:
            silence = np.zeros(0, np.float32)
            words = tuple(Word(reading.text, 0, 0) for reading in readings)
            yield Speech(silence, voice.rate_hz, words)


def read(words: Sequence[str], g2p: Any, alphabet: Container[str]) -> list[Reading]:
    """Phonemes of each word, in the context of all."""
    if not words:
        return []
    line = "".join(_plain(char) for char in " ".join(words))
    phonemes = [""]
    for token in g2p.phonemize_tokens(g2p.tokenize(line)):
        phonemes[-1] += token.phonemes or ""
        if token.whitespace:
            phonemes.append("")
    known = ("".join(p for p in reading if p in alphabet).strip() for reading in phonemes)
    return [
        Reading(word, reading[:MAX_PHONEMES]) for word, reading in zip(words, known, strict=True)
    ]


def _plain(char: str) -> str:
    """Characters the package stumbles over: "[a b](c)" would lose the space between its words,
    and a digit that is none for `int()`, such as a superscript, would raise."""
    if char in "[]" or (char.isdigit() and not char.isdecimal()):
        return "-"
    return char


def pieces(readings: Sequence[Reading], longest: int = MAX_PHONEMES) -> Iterator[list[Reading]]:
    """Sentences, split further where the phonemes would exceed what the network can read."""
    piece: list[Reading] = []
    length = 0
    for reading in readings:
        over = length + len(reading.phonemes) > longest
        ended = piece and piece[-1].phonemes.rstrip('"”)').endswith(tuple(SENTENCE_END))
        # A word without sound stays with the sentence before it.
        if piece and (over or (ended and reading.phonemes)):
            yield piece
            piece, length = [], 0
        piece.append(reading)
        length += len(reading.phonemes) + 1
    if piece:
        yield piece


def speech(
    readings: Sequence[Reading], phonemes: str, raw: Samples, edges: Sequence[int], voice: Voice
) -> Speech:
    """The Speech of a line: `raw` and `edges` are what the voice made of `phonemes`, see Say."""
    rate_hz = voice.rate_hz
    start, end = _audible(raw, voice)
    first = max(0, start - LEAD_MS * rate_hz // 1000)
    last = end + pause_ms(phonemes) * rate_hz // 1000
    words = _words(readings, edges, raw, first, end, voice)
    sounds = _phonemes(readings, edges, words, first)
    samples = _finish(raw[first:last], last - first, voice)
    return Speech(samples, rate_hz, words, sounds)


def pause_ms(phonemes: str) -> int:
    """The silence that the last sign of a line or word asks for."""
    return PAUSE_MS.get(phonemes.rstrip('"”)')[-1:], NO_PAUSE_MS)


def _words(
    readings: Sequence[Reading],
    edges: Sequence[int],
    raw: Samples,
    first: int,
    end: int,
    voice: Voice,
) -> tuple[Word, ...]:
    """Spans of the words, counted from sample `first` of `raw`, none of them after `end`."""
    words = []
    at = 0  # phoneme
    now = 0  # sample
    for reading in readings:
        spoken = reading.phonemes.strip(PUNCTUATION)
        if not spoken:
            words.append(Word(reading.text, now, now))
            at += len(reading.phonemes) + 1 if reading.phonemes else 0
            continue
        offset = reading.phonemes.index(spoken)
        start = edges[at + offset]
        stop = edges[at + offset + len(spoken)]
        if len(spoken) < len(reading.phonemes):
            # The silence of a pause counts as part of the phoneme before it.
            stop = start + _audible(raw[start:stop], voice)[1]
        start = max(now, min(start, end) - first)
        now = max(start, min(stop, end) - first)
        words.append(Word(reading.text, start, now))
        at += len(reading.phonemes) + 1
    return tuple(words)


def _phonemes(
    readings: Sequence[Reading], edges: Sequence[int], words: Sequence[Word], first: int
) -> tuple[Phoneme, ...]:
    """Spans of the sounds inside their words, counted from sample `first`.

    A mark of stress belongs to the sound behind it, a mark of length to the one before.
    """
    sounds: list[Phoneme] = []
    at = 0
    for reading, word in zip(readings, words, strict=True):
        begun = None
        for offset, symbol in enumerate(reading.phonemes):
            start = edges[at + offset] if begun is None else begun
            begun = start if symbol in STRESS else None
            if symbol in STRESS or symbol in PUNCTUATION:
                continue
            start = min(max(start - first, word.start), word.end)
            end = min(max(edges[at + offset + 1] - first, word.start), word.end)
            if symbol == "ː" and sounds:
                symbol, start = sounds[-1].symbol + symbol, sounds.pop().start
            sounds.append(Phoneme(DIPHTHONGS.get(symbol, symbol), start, end))
        at += len(reading.phonemes) + 1 if reading.phonemes else 0
    return tuple(sounds)


def loudness(raw: Samples, rate_hz: int) -> Samples:
    """Root mean square of each block of BLOCK_MS."""
    block = BLOCK_MS * rate_hz // 1000
    blocks = raw[: len(raw) // block * block].reshape(-1, block)
    rms: Samples = np.sqrt(np.mean(blocks**2, axis=1))
    return rms


def _audible(raw: Samples, voice: Voice) -> tuple[int, int]:
    """First and one-past-last sample that can be heard; all of it when nothing can."""
    loud = np.flatnonzero(loudness(raw, voice.rate_hz) > voice.audible)
    if not len(loud):
        return 0, len(raw)
    block = BLOCK_MS * voice.rate_hz // 1000
    return int(loud[0]) * block, (int(loud[-1]) + 1) * block


def _finish(raw: Samples, length: int, voice: Voice) -> Samples:
    """Level, short fades at both cuts, zeros up to `length`."""
    finished = np.zeros(length, np.float32)
    voiced = levelled(raw, voice.gain)
    fade = min(FADE_MS * voice.rate_hz // 1000, len(voiced) // 2)
    ramp = np.linspace(0, 1, fade, dtype=np.float32)
    voiced[:fade] *= ramp
    voiced[len(voiced) - fade :] *= ramp[::-1]
    finished[: len(voiced)] = voiced
    return finished


def levelled(raw: Samples, gain: float) -> Samples:
    """The same louder, with a soft knee."""
    voiced: Samples = raw * np.float32(gain)
    loud = np.abs(voiced) > KNEE
    room = 1 - KNEE
    over = (np.abs(voiced[loud]) - KNEE) / room
    voiced[loud] = np.sign(voiced[loud]) * (KNEE + room * np.tanh(over))
    return voiced
