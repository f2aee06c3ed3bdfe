"""The built-in face: lips that follow the phonemes of the voice, or its sound alone.

Where a piece of speech has phonemes, the mouth is made from their times (`coarticulation`). Where
it has none, a small network hears the sound: `models/train_lipsync.py` taught it to do what the
phonemes would have made the mouth do. It knows one second of the past and 49 ms of what comes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from goassist_desktop.pipeline.engines.coarticulation import Sound, coarticulated
from goassist_desktop.pipeline.engines.onnx_file import open_session
from goassist_desktop.pipeline.engines.speech_features import (
    BANDS,
    FRAME_MS,
    Audio,
    log_mel,
    loudness_db,
)
from goassist_desktop.pipeline.engines.visemes import CHANNELS, OPENING, SEALS, Values, posture
from goassist_desktop.pipeline.errors import EngineFailed, ModelMissing
from goassist_desktop.pipeline.frames import ANALYSIS_RATE_HZ, FaceFrame, Speech
from goassist_desktop.pipeline.protocols import EngineInfo
from goassist_desktop.pipeline.resampling import resample

AHEAD: Final = 1
"""Frames the network hears beyond the one it makes: with half a spectrum's window, 33 ms."""
PAST: Final = 61
"""Frames before its own."""
BLOCK: Final = 60
"""So many frames are made at once: the first of a long piece does not wait for its last."""
REVISED_MS: Final = 200.0
"""The end of a piece was made as if silence followed; so much of it is made again with the next."""
AFTERWARDS_MS: Final = 250.0
"""The mouth may close so long after the last sample."""
KEPT_S: Final = 2.0
"""Of sound and phonemes, which frames to come may need."""
START_MS: Final = 50.0
"""From rest at the first sample of a reply."""
CROSS_MS: Final = 60.0
"""From frames made of phonemes to those made of sound."""
AUDIBLE: Final = 1e-3
LOUD_DB: Final = (-62.0, -50.0, -36.0, -24.0, -14.0)
LOUD_OPENING: Final = (0.0, 0.6, 0.8, 1.0, 1.08)
"""How far the mouth opens at a loudness. The voice's vowels have -24 to -14 dB."""
OUTPUTS: Final = len(CHANNELS) + len(SEALS)
SURE: Final = (0.25, 0.65)
"""Between these the network's belief in a seal counts for none to all of it."""
FIRMER: Final = np.array(
    [1.3 if name in ("mouthFunnel", "mouthPucker") else 1.0 for name in CHANNELS], np.float32
)
"""Unsure whether lips are round, the network rounds them half: to 60 % of what they should be."""
CALMING: Final = np.array([0.25, 0.5, 0.25], np.float32)
"""Over its frames, for it trembles a little: with the next one, 49 ms of what comes are heard."""


class LipSync:
    """FaceEngine for `<source>/lipsync.onnx`. Equal speech gives equal frames."""

    def __init__(self, source: Path | str, *, threads: int = 1) -> None:
        self._file = Path(source) / "lipsync.onnx"
        self._threads = threads
        self._network: Network | None = None

    @property
    def info(self) -> EngineInfo:
        return EngineInfo("face", "lipsync", "built-in lip-sync", "Apache-2.0")

    def load(self) -> None:
        if self._network is None:
            self._network = Network(self._file, threads=self._threads)

    def close(self) -> None:
        self._network = None

    def open(self) -> LipSyncStream:
        if self._network is None:
            raise EngineFailed("face: lipsync is not loaded")
        return LipSyncStream(self._network)


class Network:
    """Log-mel spectra to the mouth. Raises ModelMissing for a file that is not this network."""

    def __init__(self, file: Path, *, threads: int) -> None:
        try:
            self._session = open_session(file, threads=threads)
            found = self(np.zeros((PAST + 1 + AHEAD, BANDS), np.float32))
            if found.shape != (1, OUTPUTS):
                raise ValueError(f"it answers with {found.shape}")
        except (ModelMissing, ValueError) as error:
            state = "damaged" if file.is_file() else "missing"
            raise ModelMissing(
                f"model file {file} is {state}; it is part of the program: install that again"
            ) from error

    def __call__(self, spectra: npt.NDArray[np.float32]) -> Values:
        """Channels and seals (n, OUTPUTS) in [0, 1] from spectra (PAST + n + AHEAD, BANDS)."""
        (found,) = self._session.run(None, {"spectra": spectra.T[np.newaxis]})
        return np.asarray(found[0].T, np.float32)


class LipSyncStream:
    """The face of one reply."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._audio = Audio()
        self._sounds: list[Sound] = []
        self._by_ear: list[tuple[float, float]] = []
        """Corners of the share of the frames that is made of sound alone, over the time in ms."""
        self._end_ms = 0.0
        self._closed = False

    def push(self, speech: Speech) -> Iterator[FaceFrame]:
        start_ms = self._end_ms
        self._take(speech)
        yield from self._frames(max(0.0, start_ms - REVISED_MS), self._end_ms)

    def finish(self) -> Iterator[FaceFrame]:
        if self._end_ms > 0:
            yield from self._frames(self._end_ms, self._end_ms + AFTERWARDS_MS)

    def close(self) -> None:
        self._closed = True

    def _take(self, speech: Speech) -> None:
        start_ms = self._end_ms
        per_ms = speech.rate_hz / 1000
        samples = np.clip(np.nan_to_num(speech.samples), -1.0, 1.0)
        self._end_ms += samples.size / per_ms
        self._audio.add(
            resample(samples, speech.rate_hz, ANALYSIS_RATE_HZ), round(KEPT_S * ANALYSIS_RATE_HZ)
        )
        kept_ms = start_ms - 1000 * KEPT_S
        self._sounds = [sound for sound in self._sounds if sound.end_ms > kept_ms]
        for phoneme in speech.phonemes:
            sound = Sound(
                phoneme.symbol,
                min(start_ms + phoneme.start / per_ms, self._end_ms),
                min(start_ms + phoneme.end / per_ms, self._end_ms),
            )
            if sound.end_ms >= sound.start_ms:
                self._sounds.append(sound)
        silent = not speech.phonemes and np.max(np.abs(samples), initial=0.0) <= AUDIBLE
        by_ear = 0.0 if speech.phonemes else 1.0
        if silent:
            return
        if not self._by_ear:
            self._by_ear = [(start_ms, by_ear)]
        elif self._by_ear[-1][1] != by_ear:
            before = (start_ms - CROSS_MS / 2, self._by_ear[-1][1])
            self._by_ear += [before, (start_ms + CROSS_MS / 2, by_ear)]

    def _frames(self, from_ms: float, to_ms: float) -> Iterator[FaceFrame]:
        """Those in [from_ms, to_ms)."""
        last = math.ceil(to_ms / FRAME_MS)
        for first in range(math.ceil(from_ms / FRAME_MS), last, BLOCK):
            frames = np.arange(first, min(first + BLOCK, last))
            for frame, weights in zip(frames.tolist(), self._weights(frames), strict=True):
                if self._closed:
                    return
                yield FaceFrame(frame * FRAME_MS, weights)

    def _weights(self, frames: npt.NDArray[np.int64]) -> Values:
        """(n, 52) for frames (n,) that follow each other."""
        mouth = self._mouth(frames)
        channels, seals = mouth[:, : len(CHANNELS)], mouth[:, len(CHANNELS) :]
        loud = np.interp(loudness_db(self._audio, frames), LOUD_DB, LOUD_OPENING)
        opening = np.where(OPENING, loud[:, np.newaxis], 1.0).astype(np.float32)
        return posture(channels * opening, seals)

    def _mouth(self, frames: npt.NDArray[np.int64]) -> Values:
        """Channels and seals (n, OUTPUTS), from phonemes, by ear, or where they meet from both."""
        at_ms = frames * FRAME_MS
        turns = np.array(self._by_ear or [(0.0, 0.0)])
        by_ear = np.interp(at_ms, turns[:, 0], turns[:, 1])[:, np.newaxis].astype(np.float32)
        told = heard = np.zeros((frames.size, OUTPUTS), np.float32)
        if by_ear.min() < 1:
            told = coarticulated(self._sounds, frames)
        if by_ear.max() > 0:
            heard = self._heard(frames)
        start = np.clip(at_ms / START_MS, 0.0, 1.0)[:, np.newaxis].astype(np.float32)
        mouth: Values = start * (told + by_ear * (heard - told))
        return mouth

    def _heard(self, frames: npt.NDArray[np.int64]) -> Values:
        """The same by ear alone."""
        side = CALMING.size // 2
        heard = np.arange(frames[0] - side - PAST, frames[-1] + side + AHEAD + 1)
        mouth = self._network(log_mel(self._audio, heard))
        channels = mouth[:, : len(CHANNELS)] * FIRMER
        seals = np.interp(mouth[:, len(CHANNELS) :], SURE, (0.0, 1.0)).astype(np.float32)
        both = np.concatenate([channels, seals], axis=1)
        calm: Values = np.lib.stride_tricks.sliding_window_view(both, CALMING.size, 0) @ CALMING
        return calm
