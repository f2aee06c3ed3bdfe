"""End of turn with Smart Turn v3.2 (pipecat-ai/smart-turn) on ONNX Runtime.

The network sees the last 8 s as Whisper's log-mel spectrogram. The audio is brought to zero mean
and unit variance first, its padding included, as in the network's training.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from faster_whisper.feature_extractor import FeatureExtractor

from goassist_desktop.pipeline.engines.onnx_file import Session, open_session
from goassist_desktop.pipeline.frames import ANALYSIS_RATE_HZ, Samples
from goassist_desktop.pipeline.protocols import EngineInfo

WINDOW_SAMPLES = 8 * ANALYSIS_RATE_HZ
VARIANCE_FLOOR = 1e-7
"""Keeps silence finite; the value of the transformers library's Whisper feature extractor."""


class SmartTurn:
    """TurnDetector for `<model_dir>/smart-turn-v3.2-cpu.onnx`.

    Judges English best. Its answer to audio without speech means nothing: ask after speech only.
    """

    def __init__(self, model_dir: Path, *, threads: int = 1) -> None:
        self._file = model_dir / "smart-turn-v3.2-cpu.onnx"
        self._threads = threads
        self._session: Session | None = None
        self._features = FeatureExtractor()  # type: ignore[no-untyped-call]

    @property
    def info(self) -> EngineInfo:
        return EngineInfo("turn_detection", "smart-turn", "Smart Turn v3.2", "BSD-2-Clause")

    def load(self) -> None:
        if self._session is None:
            session = open_session(self._file, threads=self._threads)
            self._judge(session, np.zeros(WINDOW_SAMPLES, np.float32))
            self._session = session

    def close(self) -> None:
        self._session = None

    def finished(self, audio: Samples) -> float:
        """Probability in [0, 1] that the utterance (n,) at 16 kHz is complete; 0 when n is 0."""
        if self._session is None:
            raise RuntimeError("smart-turn: finished before load")
        if audio.size == 0:
            return 0.0
        recent = audio[-WINDOW_SAMPLES:]
        return self._judge(
            self._session, np.pad(recent, (WINDOW_SAMPLES - recent.size, 0)).astype(np.float32)
        )

    def _judge(self, session: Session, window: Samples) -> float:
        normal = (window - window.mean()) / np.sqrt(window.var() + VARIANCE_FLOOR)
        features = self._features(normal, padding=0).astype(np.float32)
        (probability,) = session.run(None, {"input_features": features[np.newaxis]})
        return float(probability[0, 0])
