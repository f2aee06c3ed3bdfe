"""Synthesis with Kokoro-82M's voice "heart" (24 kHz), with the time of every word.

Ten times the network of hibari, which learnt from it. As there, the durations that the network
predicts are made an output of its graph.
"""

from __future__ import annotations

import importlib.resources
import json
from pathlib import Path

import numpy as np

from goassist_desktop.pipeline.engines.onnx_file import Session
from goassist_desktop.pipeline.engines.onnx_voice import OnnxVoice
from goassist_desktop.pipeline.engines.spoken import Voice
from goassist_desktop.pipeline.errors import EngineFailed, ModelMissing
from goassist_desktop.pipeline.frames import Samples
from goassist_desktop.pipeline.protocols import EngineInfo

RATE_HZ = 24_000
SPEAKER = "af_heart"
STYLES, WIDTH = 510, 256
"""The speaker's file: a vector of style, float32, for each number of phonemes from 1 on."""

DURATIONS = "/encoder/Clip_output_0"
"""The graph's node of rounded durations: float32 (1, phonemes), in units of FRAME samples."""
FRAME = 600

AHEAD = 1_200
"""Samples (50 ms) by which the sound of a phoneme precedes its stated place. Measured as for
hibari: 48 to 56 ms in five of six sentences."""

GAIN = 1.4
"""The voice itself lies 7 dB under full scale."""


class Kokoro(OnnxVoice):
    """Synthesiser for `<model_dir>/kokoro.onnx` and the speaker beside it."""

    rate_hz = RATE_HZ
    network = "kokoro.onnx"
    durations = DURATIONS

    @property
    def info(self) -> EngineInfo:
        return EngineInfo("synthesis", "kokoro", SPEAKER, "Apache-2.0")

    def _read(self) -> Voice:
        self._styles = _read_styles(self._dir / f"{SPEAKER}.bin")
        self._ids = _alphabet()
        return Voice(RATE_HZ, GAIN, self._ids)

    def _synthesise(self, session: Session, phonemes: str) -> tuple[Samples, list[int]]:
        # padded by one at both ends: the first end is where the first phoneme starts
        ids = [0, *(self._ids[phoneme] for phoneme in phonemes), 0]
        inputs = {
            "input_ids": np.asarray([ids], np.int64),
            "style": self._styles[[len(phonemes) - 1]],
            "speed": np.ones(1, np.float32),
        }
        waveform, durations = session.run(None, inputs)
        ends = np.cumsum(durations.reshape(-1)).astype(int) * FRAME
        return waveform.reshape(-1), [max(0, int(end) - AHEAD) for end in ends[:-1]]


def _read_styles(file: Path) -> Samples:
    """(STYLES, WIDTH). Raises ModelMissing."""
    try:
        styles = np.fromfile(file, "<f4")
    except OSError as error:
        raise ModelMissing(
            f"voice model {file} can not be read; run: goassist models pull"
        ) from error
    if styles.size != STYLES * WIDTH or not np.isfinite(styles).all():
        raise ModelMissing(f"voice model {file} is damaged; run: goassist models verify")
    return styles.astype(np.float32).reshape(STYLES, WIDTH)


def _alphabet() -> dict[str, int]:
    """Phoneme -> its number in the network. hibari has kept Kokoro's own. Raises EngineFailed."""
    try:
        file = importlib.resources.files("hibari") / "assets" / "vocab.json"
        ids: dict[str, int] = json.loads(file.read_text(encoding="utf-8"))
    except (ImportError, OSError, ValueError) as error:
        raise EngineFailed(f"synthesis: the package hibari-tts is broken: {error}") from error
    return ids
