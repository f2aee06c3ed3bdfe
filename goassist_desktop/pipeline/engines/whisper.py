"""Recognition with Whisper on CTranslate2 (the models of faster-whisper), int8 on the CPU.

Whisper was trained on 30 s of spectrogram, and encoding all of it costs the same for one word as
for thirty seconds. Here the encoder reads only the seconds that were spoken. What it would have
made of the rest is encoded once, when the model is loaded, and put behind: a decoder that finds
less than 30 s there does not see where the speech ends, and repeats it until it is stopped.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import ctranslate2
import numpy as np
import numpy.typing as npt
import tokenizers
from faster_whisper.feature_extractor import FeatureExtractor
from faster_whisper.tokenizer import Tokenizer

from goassist_desktop.pipeline.engines.inventions import spoken_words
from goassist_desktop.pipeline.errors import EngineFailed, ModelMissing
from goassist_desktop.pipeline.frames import ANALYSIS_RATE_HZ, Samples, Transcript
from goassist_desktop.pipeline.protocols import EngineInfo

WINDOW_S = 30
MIN_CONTEXT_S = 6
"""Measured on 150 short utterances: word errors 5.6 % with 4 or 6 s, 6.2 % with 2 s, 4.9 % with
30 s; with 6 s the model is surer of itself than with 4, for 10 ms more."""
TRAILING_S = 0.4
FRAMES_PER_S = 100
ENCODED_PER_S = FRAMES_PER_S // 2

DOUBTFUL = 0.45
"""Confidence under which the whole context is asked too. It costs most of a second; clear speech
does not come near it, single words on a bad line do."""
SILENT = 0.7
"""No speech so likely that there is nothing to ask about."""

BASE_TOKENS = 10
TOKENS_PER_S = 8
"""The fastest intelligible speech has about 6 words, that is 8 tokens, a second."""
REPEATS = 4
"""So many times the same tokens in a row are taken for a decoder gone round in circles."""
MAX_PERIOD = 24

FILES = ("config.json", "model.bin", "tokenizer.json")

Encoded = npt.NDArray[np.float32]
"""What the encoder made of the sound, shape (1, 50 per second, width of the model)."""


class Whisper:
    """Recogniser for a folder with a Whisper model in CTranslate2's format.

    `language` (a code such as 'en') is for multilingual models; the others know one language.
    """

    def __init__(self, model_dir: Path, *, threads: int = 2, language: str = "en") -> None:
        self._dir = model_dir
        self._threads = threads
        self._language = language
        self._model: Any = None

    @property
    def info(self) -> EngineInfo:
        return EngineInfo("recognition", "whisper", self._dir.name, "MIT")

    def load(self) -> None:
        if self._model is not None:
            return
        model = self._read_model()
        self._tokenizer = self._read_tokenizer(multilingual=model.is_multilingual)
        self._prompt = [*self._tokenizer.sot_sequence, self._tokenizer.no_timestamps]
        self._suppressed = _suppressed(self._tokenizer)
        self._features = FeatureExtractor(  # type: ignore[no-untyped-call]
            feature_size=model.n_mels
        )
        nothing = np.zeros((model.n_mels, WINDOW_S * FRAMES_PER_S), np.float32)
        self._tail = _encode(model, nothing)
        try:
            self._understand(model, np.zeros(ANALYSIS_RATE_HZ, np.float32), MIN_CONTEXT_S)
        except ValueError as error:  # the vocabulary lacks the tokens of the prompt
            raise _damaged(self._dir / "vocabulary") from error
        self._model = model

    def close(self) -> None:
        if self._model is not None:
            self._model.unload_model()
            self._model = None

    def transcribe(self, audio: Samples) -> Transcript:
        """The words in (n,) samples at 16 kHz. Raises ValueError for more than 30 s.

        `no_speech` and `confidence` are the model's own also where the text was dropped because
        nobody spoke.
        """
        if self._model is None:
            raise RuntimeError("whisper: transcribe before load")
        if audio.ndim != 1 or audio.size > WINDOW_S * ANALYSIS_RATE_HZ:
            raise ValueError(f"recognition takes one channel of at most 30 s, got {audio.shape}")
        if audio.size == 0:
            return Transcript("", no_speech=1.0, confidence=0.0)
        spoken_s = audio.size / ANALYSIS_RATE_HZ
        context_s = min(WINDOW_S, max(MIN_CONTEXT_S, math.ceil(spoken_s + TRAILING_S)))
        tokens, no_speech, confidence = self._understand(self._model, audio, context_s)
        if context_s < WINDOW_S:
            limit = _token_limit(spoken_s)
            circles = _runs_in_circles(tokens, limit)
            if circles or (confidence < DOUBTFUL and no_speech < SILENT):
                again, doubt, sure = self._understand(self._model, audio, WINDOW_S)
                if circles or (sure > confidence and not _runs_in_circles(again, limit)):
                    # A steady tone is speech to the whole context alone: both must think so.
                    tokens, no_speech, confidence = again, max(no_speech, doubt), sure
        if len(tokens) >= _token_limit(spoken_s):
            tokens = _without_repeats(tokens)
        text = spoken_words(
            self._tokenizer.decode(tokens), no_speech=no_speech, confidence=confidence
        )
        return Transcript(text, no_speech=no_speech, confidence=confidence)

    def _understand(
        self, model: Any, audio: Samples, context_s: int
    ) -> tuple[list[int], float, float]:
        """Tokens, probability that there is no speech, mean token probability."""
        padded = np.zeros(context_s * ANALYSIS_RATE_HZ, np.float32)
        padded[: audio.size] = audio
        encoded = _encode(model, self._features(padded, padding=0).astype(np.float32))
        whole = np.concatenate([encoded, self._tail[:, context_s * ENCODED_PER_S :]], axis=1)
        limit = _token_limit(audio.size / ANALYSIS_RATE_HZ)
        (result,) = model.generate(
            _storage(whole),
            [self._prompt],
            beam_size=1,
            max_length=2 * limit,  # CTranslate2 keeps half of it for the prompt
            suppress_tokens=self._suppressed,
            return_scores=True,
            return_no_speech_prob=True,
        )
        tokens = result.sequences_ids[0]
        # The score is the mean over the tokens; the end token's part is in the sum, not the count.
        mean_log = result.scores[0] * len(tokens) / (len(tokens) + 1)
        return tokens, float(result.no_speech_prob), min(1.0, math.exp(mean_log))

    def _read_model(self) -> Any:
        for name in FILES:
            if not (self._dir / name).is_file():
                raise ModelMissing(
                    f"model file {self._dir / name} is missing; run: goassist models pull"
                )
        try:
            # CTranslate2 would take an unreadable one for an empty one.
            json.loads((self._dir / "config.json").read_bytes())
        except ValueError as error:
            raise _damaged(self._dir / "config.json") from error
        try:
            return ctranslate2.models.Whisper(  # type: ignore[attr-defined]
                str(self._dir), device="cpu", compute_type="int8", intra_threads=self._threads
            )
        except RuntimeError as error:
            name = "vocabulary" if "vocabulary" in str(error) else "model.bin"
            raise _damaged(self._dir / name) from error
        except (ValueError, MemoryError) as error:
            raise EngineFailed(f"recognition: {self._dir} can not be loaded: {error}") from error

    def _read_tokenizer(self, *, multilingual: bool) -> Tokenizer:
        file = self._dir / "tokenizer.json"
        try:
            table = tokenizers.Tokenizer.from_file(str(file))
        except Exception as error:  # the only type tokenizers raises
            raise _damaged(file) from error
        return Tokenizer(table, multilingual, task="transcribe", language=self._language)


def _damaged(file: Path) -> ModelMissing:
    return ModelMissing(f"model file {file} is damaged; run: goassist models verify")


def _encode(model: Any, features: npt.NDArray[np.float32]) -> Encoded:
    """Encode (mels, frames); two frames make one column."""
    return np.array(model.encode(_storage(features[np.newaxis]), to_cpu=True))


def _storage(array: npt.NDArray[np.float32]) -> Any:
    contiguous = np.ascontiguousarray(array)
    return ctranslate2.StorageView.from_array(contiguous)  # type: ignore[attr-defined]


def _suppressed(tokenizer: Tokenizer) -> list[int]:
    """Tokens that are never speech: annotations in brackets, notes, the control tokens."""
    control = (
        tokenizer.transcribe,
        tokenizer.translate,
        tokenizer.sot,
        tokenizer.sot_prev,
        tokenizer.sot_lm,
        tokenizer.no_speech,
    )
    return sorted({*tokenizer.non_speech_tokens, *(t for t in control if t is not None)})


def _token_limit(seconds: float) -> int:
    return BASE_TOKENS + math.ceil(TOKENS_PER_S * seconds)


def _repeats(tokens: list[int]) -> tuple[int, int] | None:
    """(start, period) of the first run of tokens said REPEATS times on end, if there is one."""
    for start in range(len(tokens)):
        for period in range(1, min(MAX_PERIOD, (len(tokens) - start) // REPEATS) + 1):
            if (
                tokens[start : start + (REPEATS - 1) * period]
                == (tokens[start + period : start + REPEATS * period])
            ):
                return start, period
    return None


def _runs_in_circles(tokens: list[int], limit: int) -> bool:
    return len(tokens) >= limit or _repeats(tokens) is not None


def _without_repeats(tokens: list[int]) -> list[int]:
    """The tokens up to the end of the first round of a circle, all of them where there is none."""
    circle = _repeats(tokens)
    return tokens if circle is None else tokens[: sum(circle)]
