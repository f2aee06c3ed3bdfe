"""Synthesis with hibari's voice "heart" (24 kHz), with the time of every word.

The network predicts how long each phoneme lasts and keeps that to itself. A word's time is the sum
of its phonemes' durations, so the duration node is made an output of the graph when it is read.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from goassist_desktop.pipeline.engines.onnx_file import BROKEN, DAMAGED, with_output
from goassist_desktop.pipeline.engines.spoken import Voice, spoken
from goassist_desktop.pipeline.errors import EngineFailed, ModelMissing
from goassist_desktop.pipeline.frames import Samples, Speech
from goassist_desktop.pipeline.protocols import EngineInfo

RATE_HZ = 24_000

DURATIONS = "/Cast_32_output_0"
"""The graph's node of rounded durations: int64 (phonemes,), in units of two 12.5 ms frames."""

AHEAD = 1_200
"""Samples (50 ms) by which the sound of a phoneme precedes its stated place. Measured: the spans of
s, z, sh fit the high-frequency energy best when moved by -37 to -52 ms, in each of 7 sentences."""

GAIN = 2.0
"""The voice itself lies 10 dB under full scale."""


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
                voice="heart", model=with_output(model, DURATIONS), threads=self._threads
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
        """See `spoken`."""
        if self._tts is None:
            raise EngineFailed("synthesis: the voice is not loaded")
        voice = Voice(RATE_HZ, GAIN, self._tts.vocab)
        yield from spoken(text, self._tts.g2p, voice, self._synthesise)

    def _synthesise(self, phonemes: str) -> tuple[Samples, list[int]]:
        """As `Say` has it."""
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
