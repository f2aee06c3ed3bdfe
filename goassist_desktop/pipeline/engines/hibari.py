"""Synthesis with hibari's voice "heart" (24 kHz), with the time of every word.

The network predicts how long each phoneme lasts and keeps that to itself. A word's time is the sum
of its phonemes' durations, so the duration node is made an output of the graph when it is read.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from goassist_desktop.pipeline.engines.onnx_file import BROKEN, DAMAGED
from goassist_desktop.pipeline.errors import EngineFailed, ModelMissing
from goassist_desktop.pipeline.frames import Phoneme, Samples, Speech, Word
from goassist_desktop.pipeline.protocols import EngineInfo

RATE_HZ = 24_000
MAX_PHONEMES = 400
"""What the network was trained to read at once, and so the length of one piece."""

DURATIONS = "/Cast_32_output_0"
"""The graph's node of rounded durations: int64 (phonemes,), in units of two 12.5 ms frames."""

AHEAD = 1_200
"""Samples (50 ms) by which the sound of a phoneme precedes its stated place. Measured: the spans of
s, z, sh fit the high-frequency energy best when moved by -37 to -52 ms, in each of 7 sentences."""

GAIN = 2.0
"""Fixed, so that clauses keep their level: the voice itself lies 10 dB under full scale."""
KNEE = 0.8
"""Above this the level is bent softly below 1; only the rare loudest vowel gets there."""

AUDIBLE = 1e-3
"""Root mean square of a block, before the gain, under which the voice is silent (-60 dB)."""
BLOCK_MS = 5
LEAD_MS = 10
FADE_MS = 4
PAUSE_MS = {".": 250, "!": 250, "?": 250, "…": 250, ",": 120, ";": 120, ":": 120, "—": 120}
NO_PAUSE_MS = 20

SENTENCE_END = ".!?…"
PUNCTUATION = SENTENCE_END + ',;:—"“”()'
STRESS = "ˈˌ"
DIPHTHONGS = {"A": "eɪ", "I": "aɪ", "O": "oʊ", "W": "aʊ", "Y": "ɔɪ"}
"""One letter each in the voice's alphabet."""


@dataclass(frozen=True, slots=True)
class _Reading:
    """A written word and the phonemes that say it, punctuation included; "" when unspeakable."""

    text: str
    phonemes: str


class HibariVoice:
    """Synthesiser for `<model_dir>/hibari.onnx`. Equal texts give equal samples."""

    rate_hz = RATE_HZ

    def __init__(self, model_dir: Path, *, threads: int = 1) -> None:
        self._model = model_dir / "hibari.onnx"
        self._threads = threads
        self._tts: Any = None

    @property
    def info(self) -> EngineInfo:
        return EngineInfo("synthesis", "hibari", "heart", "Apache-2.0")

    def load(self) -> None:
        if self._tts is not None:
            return
        try:
            model = self._model.read_bytes()
        except OSError as error:
            raise ModelMissing(
                f"voice model {self._model} can not be read; run: goassist models pull"
            ) from error
        try:
            from hibari import Hibari
        except ImportError as error:
            raise EngineFailed(f"synthesis: the package hibari-tts is broken: {error}") from error
        try:
            self._tts = Hibari(  # type: ignore[no-untyped-call]
                voice="heart", model=_with_output(model, DURATIONS), threads=self._threads
            )
        except DAMAGED as error:
            raise ModelMissing(
                f"voice model {self._model} is damaged; run: goassist models verify"
            ) from error
        except BROKEN as error:
            raise EngineFailed(f"voice model {self._model} can not be loaded: {error}") from error
        # The second word is in no dictionary: it makes the network for unknown words load too.
        for _ in self.speak("Hello, Zyglorp."):
            pass

    def close(self) -> None:
        self._tts = None

    def speak(self, text: str) -> Iterator[Speech]:
        """One piece a sentence, or less where a sentence is longer than MAX_PHONEMES.

        A word the voice can not say (lone punctuation, a foreign script) gets an empty span.
        """
        if self._tts is None:
            raise EngineFailed("synthesis: the voice is not loaded")
        for readings in _pieces(self._read(text.split())):
            yield self._say(readings)

    def _read(self, words: Sequence[str]) -> list[_Reading]:
        """Phonemes of each word, in the context of all."""
        if not words:
            return []
        g2p = self._tts.g2p
        line = "".join(_plain(char) for char in " ".join(words))
        vocab = self._tts.vocab
        phonemes = [""]
        for token in g2p.phonemize_tokens(g2p.tokenize(line)):
            phonemes[-1] += token.phonemes or ""
            if token.whitespace:
                phonemes.append("")
        known = ("".join(p for p in reading if p in vocab).strip() for reading in phonemes)
        return [
            _Reading(word, reading[:MAX_PHONEMES])
            for word, reading in zip(words, known, strict=True)
        ]

    def _say(self, readings: Sequence[_Reading]) -> Speech:
        phonemes = " ".join(reading.phonemes for reading in readings if reading.phonemes)
        if not phonemes.strip(PUNCTUATION + " "):
            silence = np.zeros(0, np.float32)
            return Speech(silence, RATE_HZ, tuple(Word(r.text, 0, 0) for r in readings))
        raw, edges = self._synthesise(phonemes)
        start, end = _audible(raw)
        pause_ms = PAUSE_MS.get(phonemes.rstrip('"”)')[-1:], NO_PAUSE_MS)
        first = max(0, start - _samples(LEAD_MS))
        last = end + _samples(pause_ms)
        words = _words(readings, edges, raw, first, end)
        sounds = _phonemes(readings, edges, words, first)
        return Speech(_finish(raw[first:last], last - first), RATE_HZ, words, sounds)

    def _synthesise(self, phonemes: str) -> tuple[Samples, list[int]]:
        """Samples, and for each phoneme the sample where it starts, with the end as last entry."""
        from hibari import dsp

        ids = np.asarray([self._tts.ids(phonemes)], np.int64)
        try:
            *spectra, durations = self._tts.sess.run(
                None, {"ids": ids, "speed": np.ones(1, np.float32)}
            )
        except BROKEN as error:
            raise EngineFailed(f"synthesis: the voice broke: {error}") from error
        # Noise from the text, so that a clause sounds the same each time it is said.
        noise = np.random.default_rng(zlib.crc32(phonemes.encode()))
        lh, theta, ln, lr, phi, f0 = (part[0] for part in spectra)
        raw: Samples = dsp.synth(lh, theta, ln, lr, phi, f0, noise)  # type: ignore[no-untyped-call]
        ends = np.cumsum(durations.reshape(-1))
        unit = len(raw) // int(ends[-1])
        # ids are padded by one at both ends: the first end is where the first phoneme starts
        return raw, [max(0, int(edge) * unit - AHEAD) for edge in ends[:-1]]


def _plain(char: str) -> str:
    """Characters the package stumbles over: "[a b](c)" would lose the space between its words,
    and a digit that is none for `int()`, such as a superscript, would raise."""
    if char in "[]" or (char.isdigit() and not char.isdecimal()):
        return "-"
    return char


def _with_output(model: bytes, node: str) -> bytes:
    """The serialised model with one more graph output.

    Protocol buffers define the concatenation of two messages as their merge, so a second
    ModelProto { graph (7) { output (12) { name (1) } } } behind the first adds to its outputs.
    """
    message = node.encode()
    for field in (1, 12, 7):
        message = bytes([field << 3 | 2, len(message)]) + message
    return model + message


def _pieces(readings: Sequence[_Reading]) -> Iterator[list[_Reading]]:
    """Sentences, split further where the phonemes would exceed what the network can read."""
    piece: list[_Reading] = []
    length = 0
    for reading in readings:
        over = length + len(reading.phonemes) > MAX_PHONEMES
        ended = piece and piece[-1].phonemes.rstrip('"”)').endswith(tuple(SENTENCE_END))
        # A word without sound stays with the sentence before it.
        if piece and (over or (ended and reading.phonemes)):
            yield piece
            piece, length = [], 0
        piece.append(reading)
        length += len(reading.phonemes) + 1
    if piece:
        yield piece


def _words(
    readings: Sequence[_Reading], edges: Sequence[int], raw: Samples, first: int, end: int
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
            stop = start + _audible(raw[start:stop])[1]
        start = max(now, min(start, end) - first)
        now = max(start, min(stop, end) - first)
        words.append(Word(reading.text, start, now))
        at += len(reading.phonemes) + 1
    return tuple(words)


def _phonemes(
    readings: Sequence[_Reading], edges: Sequence[int], words: Sequence[Word], first: int
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


def _samples(ms: int) -> int:
    return RATE_HZ * ms // 1000


def _audible(raw: Samples) -> tuple[int, int]:
    """First and one-past-last sample that can be heard; all of it when nothing can."""
    block = _samples(BLOCK_MS)
    blocks = raw[: len(raw) // block * block].reshape(-1, block)
    loud = np.flatnonzero(np.sqrt(np.mean(blocks**2, axis=1)) > AUDIBLE)
    if not len(loud):
        return 0, len(raw)
    return int(loud[0]) * block, (int(loud[-1]) + 1) * block


def _finish(raw: Samples, length: int) -> Samples:
    """Level, soft knee, short fades at both cuts, zeros up to `length`."""
    speech = np.zeros(length, np.float32)
    voiced = raw * np.float32(GAIN)
    loud = np.abs(voiced) > KNEE
    room = 1 - KNEE
    over = (np.abs(voiced[loud]) - KNEE) / room
    voiced[loud] = np.sign(voiced[loud]) * (KNEE + room * np.tanh(over))
    fade = min(_samples(FADE_MS), len(voiced) // 2)
    ramp = np.linspace(0, 1, fade, dtype=np.float32)
    voiced[:fade] *= ramp
    voiced[len(voiced) - fade :] *= ramp[::-1]
    speech[: len(voiced)] = voiced
    return speech
