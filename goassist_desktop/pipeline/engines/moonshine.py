"""Recognition with Moonshine (usefulsensors/moonshine) on ONNX Runtime: English, small, fast.

Its encoder reads the samples themselves, as many as there are, so that its time grows with the
length of the speech. The model is not used through its authors' own library, which keeps state
from one call to the next (the same sound gives other words) and dies of short inputs.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from goassist_desktop.pipeline.engines.inventions import spoken_words
from goassist_desktop.pipeline.engines.onnx_file import Session, open_session
from goassist_desktop.pipeline.errors import ModelMissing
from goassist_desktop.pipeline.frames import ANALYSIS_RATE_HZ, Samples, Transcript
from goassist_desktop.pipeline.protocols import EngineInfo

MAX_S = 30
MIN_SAMPLES = ANALYSIS_RATE_HZ // 2
"""Shorter sound is followed by silence up to here: the encoder's filters need some length."""

LAYERS, HEADS, HEAD_WIDTH = 6, 8, 36
START, END = 1, 2
TOKENS_PER_S = 8
"""More than the fastest intelligible speech has, about 6 words a second. The decoder gets there
only by repeating itself, which it does on noise, very sure of itself."""
BASE_TOKENS = 10

CACHE = tuple(
    f"{layer}.{side}.{part}"
    for layer in range(LAYERS)
    for side in ("decoder", "encoder")
    for part in ("key", "value")
)


class Moonshine:
    """Recogniser for `<model_dir>` with encoder, decoder and tokenizer of Moonshine tiny."""

    def __init__(self, model_dir: Path, *, threads: int = 2) -> None:
        self._dir = model_dir
        self._threads = threads
        self._encoder: Session | None = None
        self._decoder: Session | None = None

    @property
    def info(self) -> EngineInfo:
        return EngineInfo("recognition", "moonshine", self._dir.name, "MIT")

    def load(self) -> None:
        if self._encoder is not None:
            return
        self._vocabulary = _read_vocabulary(self._dir / "tokenizer.bin")
        encoder = open_session(self._dir / "encoder_model.ort", threads=self._threads)
        self._decoder = open_session(self._dir / "decoder_model_merged.ort", threads=self._threads)
        self._encoder = encoder
        self.transcribe(np.zeros(ANALYSIS_RATE_HZ, np.float32))

    def close(self) -> None:
        self._encoder = self._decoder = None

    def transcribe(self, audio: Samples) -> Transcript:
        """The words in (n,) samples at 16 kHz. Raises ValueError for more than 30 s.

        The model has no figure for `no_speech`: low confidence is all there is to tell by.
        """
        if self._encoder is None or self._decoder is None:
            raise RuntimeError("moonshine: transcribe before load")
        if audio.ndim != 1 or audio.size > MAX_S * ANALYSIS_RATE_HZ:
            raise ValueError(f"recognition takes one channel of at most 30 s, got {audio.shape}")
        if audio.size == 0:
            return Transcript("", no_speech=1.0, confidence=0.0)
        sound = np.zeros((1, max(audio.size, MIN_SAMPLES)), np.float32)
        sound[0, : audio.size] = audio
        mask = np.ones(sound.shape, np.int64)
        (encoded,) = self._encoder.run(None, {"input_values": sound, "attention_mask": mask})
        limit = BASE_TOKENS + math.ceil(TOKENS_PER_S * audio.size / ANALYSIS_RATE_HZ)
        tokens, confidence = _decode(self._decoder, encoded, mask, limit)
        if len(tokens) == limit:
            tokens = []
        spoken = b"".join(self._vocabulary[token] for token in tokens)
        text = spoken.decode("utf-8", errors="replace").replace("▁", " ")
        words = spoken_words(text, no_speech=1 - confidence, confidence=confidence)
        return Transcript(words, confidence=confidence)


def _decode(
    decoder: Session, encoded: npt.NDArray[np.float32], mask: npt.NDArray[np.int64], limit: int
) -> tuple[list[int], float]:
    """The likeliest tokens one by one, up to `limit`, and their mean probability.

    `mask` (1, n) is of the samples; the decoder takes every 384th of it, an encoded column each.
    """
    inputs: dict[str, Any] = {
        f"past_key_values.{name}": np.zeros((1, HEADS, 0, HEAD_WIDTH), np.float32) for name in CACHE
    }
    inputs["encoder_hidden_states"] = encoded
    inputs["encoder_attention_mask"] = mask
    tokens: list[int] = []
    logs = []
    while len(tokens) < limit:
        inputs["input_ids"] = np.array([[tokens[-1] if tokens else START]], np.int64)
        inputs["use_cache_branch"] = np.array([bool(tokens)])
        logits, *cache = decoder.run(None, inputs)
        scores = logits[0, -1].astype(np.float64)
        token = int(scores.argmax())
        logs.append(-math.log(np.exp(scores - scores[token]).sum()))
        if token == END:
            break
        for name, value in zip(CACHE, cache, strict=True):
            # What the encoder gave stays as the first step made it; later steps return it empty.
            if not tokens or ".decoder." in name:
                inputs[f"past_key_values.{name}"] = value
        tokens.append(token)
    return tokens, math.exp(sum(logs) / len(logs))


def _read_vocabulary(file: Path) -> list[bytes]:
    """The tokens in their order: each a length (one byte, or two from 128 on) and its bytes."""
    try:
        packed = file.read_bytes()
    except OSError as error:
        raise ModelMissing(
            f"model file {file} can not be read; run: goassist models pull"
        ) from error
    vocabulary = []
    at = 0
    try:
        while at < len(packed):
            size = packed[at]
            at += 1
            if size >= 128:
                size += packed[at] * 128 - 128
                at += 1
            vocabulary.append(packed[at : at + size])
            at += size
    except IndexError:
        at = -1
    if at != len(packed) or len(vocabulary) != 32768:
        raise ModelMissing(f"model file {file} is damaged; run: goassist models verify")
    return vocabulary
