"""Voice activity with Silero VAD (snakers4/silero-vad, v5 and v6) on ONNX Runtime."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from goassist_desktop.pipeline.engines.onnx_file import Session, open_session
from goassist_desktop.pipeline.frames import ANALYSIS_RATE_HZ, Samples
from goassist_desktop.pipeline.protocols import EngineInfo

FRAME_SAMPLES = 512
CONTEXT_SAMPLES = 64
"""The end of the last frame, put before the next one. Both from the model's own wrapper."""


class SileroStream:
    """The state of one microphone: the recurrent state (2, 1, 128) and the last 64 samples."""

    frame_samples = FRAME_SAMPLES

    def __init__(self, session: Session) -> None:
        self._session = session
        self._state = np.zeros((2, 1, 128), np.float32)
        self._input = np.zeros((1, CONTEXT_SAMPLES + FRAME_SAMPLES), np.float32)
        self._rate = np.array(ANALYSIS_RATE_HZ, np.int64)

    def probability(self, frame: Samples) -> float:
        """Probability in [0, 1] that the frame (512,) at 16 kHz holds speech."""
        if frame.shape != (FRAME_SAMPLES,):
            raise ValueError(
                f"voice activity takes frames of {FRAME_SAMPLES} samples, got {frame.shape}"
            )
        self._input[0, :CONTEXT_SAMPLES] = self._input[0, -CONTEXT_SAMPLES:]
        self._input[0, CONTEXT_SAMPLES:] = frame
        probability, self._state = self._session.run(
            None, {"input": self._input, "state": self._state, "sr": self._rate}
        )
        return float(probability[0, 0])


class Silero:
    """VoiceActivity for `<model_dir>/silero_vad.onnx`."""

    def __init__(self, model_dir: Path, *, threads: int = 1) -> None:
        self._file = model_dir / "silero_vad.onnx"
        self._threads = threads
        self._session: Session | None = None

    @property
    def info(self) -> EngineInfo:
        return EngineInfo("voice_activity", "silero", "Silero VAD 6.2", "MIT")

    def load(self) -> None:
        if self._session is None:
            session = open_session(self._file, threads=self._threads)
            SileroStream(session).probability(np.zeros(FRAME_SAMPLES, np.float32))
            self._session = session

    def close(self) -> None:
        self._session = None

    def open(self) -> SileroStream:
        if self._session is None:
            raise RuntimeError("silero: open before load")
        return SileroStream(self._session)
