"""What the voices share that are one ONNX network from phonemes to sound: see `spoken`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from goassist_desktop.pipeline.engines.onnx_file import Session, open_session
from goassist_desktop.pipeline.engines.spoken import Voice, new_g2p, spoken
from goassist_desktop.pipeline.errors import EngineFailed
from goassist_desktop.pipeline.frames import Samples, Speech


class OnnxVoice(ABC):
    """Synthesiser, but for its `info`. Equal texts give equal samples."""

    rate_hz: int
    network: str
    """Its file."""
    durations: str
    """The node of its graph that tells how long each phoneme lasts."""

    def __init__(self, model_dir: Path, *, threads: int = 1) -> None:
        self._dir = model_dir
        self._threads = threads
        self._session: Session | None = None
        self._g2p: Any = None

    def load(self) -> None:
        if self._session is not None:
            return
        self._voice = self._read()
        session = open_session(self._dir / self.network, threads=self._threads, node=self.durations)
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
        yield from spoken(text, self._g2p, self._voice, self._say)

    def _say(self, phonemes: str) -> tuple[Samples, list[int]]:
        if self._session is None:
            raise EngineFailed("synthesis: the voice was closed")
        return self._synthesise(self._session, phonemes)

    @abstractmethod
    def _read(self) -> Voice:
        """The files beside the network. Raises ModelMissing and EngineFailed."""

    @abstractmethod
    def _synthesise(self, session: Session, phonemes: str) -> tuple[Samples, list[int]]:
        """As `Say` has it."""
