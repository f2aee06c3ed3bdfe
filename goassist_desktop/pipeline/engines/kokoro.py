"""Synthesis with Kokoro-82M's voice "heart" (24 kHz), with the time of every word.

Ten times the network of hibari, which learnt from it. As there, the durations that the network
predicts are made an output of its graph.
"""

from __future__ import annotations

import importlib.resources
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from goassist_desktop.pipeline.engines.onnx_file import Session, open_session
from goassist_desktop.pipeline.engines.spoken import Voice, new_g2p, spoken
from goassist_desktop.pipeline.errors import EngineFailed, ModelMissing
from goassist_desktop.pipeline.frames import Samples, Speech
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


class Kokoro:
    """Synthesiser for `<model_dir>/kokoro.onnx` and the speaker beside it. Equal texts give equal
    samples."""

    rate_hz = RATE_HZ

    def __init__(self, model_dir: Path, *, threads: int = 1) -> None:
        self._dir = model_dir
        self._threads = threads
        self._session: Session | None = None
        self._g2p: Any = None

    @property
    def info(self) -> EngineInfo:
        return EngineInfo("synthesis", "kokoro", SPEAKER, "Apache-2.0")

    def load(self) -> None:
        if self._session is not None:
            return
        self._styles = _read_styles(self._dir / f"{SPEAKER}.bin")
        self._ids = _alphabet()
        self._voice = Voice(RATE_HZ, GAIN, self._ids)
        model = self._dir / "kokoro.onnx"
        session = open_session(model, threads=self._threads, node=DURATIONS)
        self._g2p = new_g2p()
        self._session = session
        # The second word is in no dictionary: it makes the network for unknown words load too.
        for _ in self.speak("Hello, Zyglorp."):
            pass

    def close(self) -> None:
        self._session = self._g2p = None

    def speak(self, text: str) -> Iterator[Speech]:
        """See `spoken`."""
        if self._session is None:
            raise EngineFailed("synthesis: the voice is not loaded")
        yield from spoken(text, self._g2p, self._voice, self._synthesise)

    def _synthesise(self, phonemes: str) -> tuple[Samples, list[int]]:
        """As `Say` has it."""
        if self._session is None:
            raise EngineFailed("synthesis: the voice was closed")
        # padded by one at both ends: the first end is where the first phoneme starts
        ids = [0, *(self._ids[phoneme] for phoneme in phonemes), 0]
        inputs = {
            "input_ids": np.asarray([ids], np.int64),
            "style": self._styles[[len(phonemes) - 1]],
            "speed": np.ones(1, np.float32),
        }
        waveform, durations = self._session.run(None, inputs)
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
