"""Recognition with Whisper on CTranslate2 (the models of faster-whisper), on the CPU or on CUDA.

Whisper was trained on 30 s of spectrogram, and encoding all of it costs the same for one word as
for thirty seconds. Here the encoder reads only the seconds that were spoken. What it would have
made of the rest is encoded once, when the model is loaded, and put behind: a decoder that finds
less than 30 s there does not see where the speech ends, and repeats it until it is stopped.

The language of an utterance is asked of the sound alone: that silence behind it counts as English.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ctranslate2
import numpy as np
import numpy.typing as npt
import tokenizers
from faster_whisper.feature_extractor import FeatureExtractor
from faster_whisper.tokenizer import Tokenizer

from goassist_desktop.pipeline.engines import cuda_libraries
from goassist_desktop.pipeline.engines.inventions import NO_SPEECH, spoken_words
from goassist_desktop.pipeline.engines.languages import LANGUAGES
from goassist_desktop.pipeline.errors import ConfigError, EngineFailed, ModelMissing
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

CLEAR = 0.45
"""Probability from which another language than the conversation's is believed. On 20 sentences in
five languages, most of a synthetic voice, with the base model: the highest of a wrong one 0.37, the
right one from 0.49 up where it was the likeliest."""
HOT_TOKENS = 180
"""Of hot words at most: with the longest answer, of 250 tokens, they fill the decoder's 448."""

ON_CUDA = ("float16", "int8_float16", "int8_float32", "float32")
"""The first that the card can do is used; the next takes half the memory. A card older than 2017
has the last two alone."""

FILES = ("config.json", "model.bin", "tokenizer.json")

Encoded = npt.NDArray[np.float32]
"""What the encoder made of the sound, shape (1, 50 per second, width of the model)."""


def computes_on_cards(device: str = "auto") -> bool:
    """Whether there is a card, and CUDA's libraries; 'cuda' is to fail where they are missing."""
    if device == "cpu" or not ctranslate2.get_cuda_device_count():  # type: ignore[attr-defined]
        return False
    return device == "cuda" or not cuda_libraries.preload()


class Whisper:
    """Recogniser for a folder with a Whisper model in CTranslate2's format.

    `language`: a code of Whisper's, such as 'en', or 'auto': whatever is spoken. A model that knows
    English alone takes no other. `hot_words`: names and the like, with commas between them, that
    are to be spelled as they are here. `device`: 'cpu', 'cuda' or a card such as 'cuda:1', or
    'auto': CUDA where there is one.

    With 'auto' it remembers the language it heard last.
    """

    def __init__(
        self,
        model_dir: Path,
        *,
        threads: int = 2,
        language: str = "en",
        hot_words: str = "",
        device: str = "auto",
    ) -> None:
        self._dir = model_dir
        self._threads = threads
        self._language = language
        self._hot_words = hot_words
        self._device, _, card = device.partition(":")
        self._card = int(card or 0)
        self._model: Any = None
        self._tail: Encoded
        """What the encoder makes of 30 s of nothing."""
        self._hot: list[int]
        """The tokens that the prompt begins with, where there are hot words."""
        self._spoken: str
        """The language heard last; empty: none yet."""

    @property
    def info(self) -> EngineInfo:
        return EngineInfo("recognition", "whisper", self._dir.name, "MIT")

    def load(self) -> None:
        """As `Engine` says. Also raises ConfigError for a language that the model does not know."""
        if self._model is not None:
            return
        self._check_files()
        for device, compute_type in self._places():
            try:
                self._start(device, compute_type)
                return
            except _OutOfMemory as error:
                full = error
        raise full

    def close(self) -> None:
        if self._model is not None:
            self._model.unload_model()
            self._model = None

    def transcribe(self, audio: Samples) -> Transcript:
        """The words in (n,) samples at 16 kHz. Raises ValueError for more than 30 s, EngineFailed
        where the graphics card fails.

        `no_speech` and `confidence` are the model's own also where the text was dropped because
        nobody spoke.
        """
        if self._model is None:
            raise RuntimeError("whisper: transcribe before load")
        if audio.ndim != 1 or audio.size > WINDOW_S * ANALYSIS_RATE_HZ:
            raise ValueError(f"recognition takes one channel of at most 30 s, got {audio.shape}")
        if audio.size == 0:
            return Transcript("", no_speech=1.0, confidence=0.0)
        with _failures_of(self._place):
            return self._transcribe(audio)

    def _transcribe(self, audio: Samples) -> Transcript:
        sound = _Sound(audio, self._encode, self._tail)
        language = self._language_of(sound)
        heard = self._hear(sound, language, self._hot)
        if self._hot and (heard.no_speech > NO_SPEECH or _words(heard.text) <= self._hot_set):
            # In noise it says hot words, quite sure, and a short "Stop!" may become one. Without
            # them it knows better whether there was speech.
            plain = self._hear(sound, language, [])
            if not plain.text or not heard.text or plain.confidence > heard.confidence:
                heard = plain
        if heard.text:
            self._spoken = language
        return heard

    def _language_of(self, sound: _Sound) -> str:
        """The configured language, or the one that is spoken.

        What the short context says is doubted where it is not the language of the conversation:
        it takes short Spanish for Latin. The whole window errs too, but elsewhere.
        """
        if not self._choose:
            return "en" if self._language == "auto" else self._language
        found = self._languages(sound.encoded(sound.context_s))
        if max(found, key=found.__getitem__) == self._spoken:
            return self._spoken
        whole = self._languages(sound.encoded(WINDOW_S))
        both = {code: math.sqrt(p * whole[code]) for code, p in found.items()}
        likeliest = max(both, key=both.__getitem__)
        if self._spoken and both[likeliest] < CLEAR * sum(both.values()):
            return self._spoken
        return likeliest

    def _languages(self, encoded: Encoded) -> dict[str, float]:
        (found,) = self._model.detect_language(_storage(encoded))
        every = {token.strip("<|>"): float(probability) for token, probability in found}
        return {code: every[code] for code in self._starts if code in every}

    def _hear(self, sound: _Sound, language: str, hot: list[int]) -> Transcript:
        """What was said, with the tokens of hot words in mind."""
        prompt = [*hot, *self._starts[language]]
        tokens, no_speech, confidence = self._understand(sound, sound.context_s, prompt)
        limit = _token_limit(sound.spoken_s)
        if sound.context_s < WINDOW_S:
            circles = _runs_in_circles(tokens, limit)
            if circles or (confidence < DOUBTFUL and no_speech < SILENT):
                again, doubt, sure = self._understand(sound, WINDOW_S, prompt)
                if circles or (sure > confidence and not _runs_in_circles(again, limit)):
                    # A steady tone is speech to the whole context alone: both must think so.
                    tokens, no_speech, confidence = again, max(no_speech, doubt), sure
        if len(tokens) >= limit:
            tokens = _without_repeats(tokens)
        text = spoken_words(
            self._tokenizer.decode(tokens), no_speech=no_speech, confidence=confidence
        )
        return Transcript(text, no_speech=no_speech, confidence=confidence)

    def _understand(
        self, sound: _Sound, context_s: int, prompt: list[int]
    ) -> tuple[list[int], float, float]:
        """Tokens, probability that there is no speech, mean token probability."""
        limit = _token_limit(sound.spoken_s)
        (result,) = self._model.generate(
            _storage(sound.window(context_s)),
            [prompt],
            beam_size=1,
            # CTranslate2 keeps half of it, and at least the prompt's length, for the prompt.
            max_length=limit + max(limit, len(prompt)),
            suppress_tokens=self._suppressed,
            return_scores=True,
            return_no_speech_prob=True,
        )
        tokens = result.sequences_ids[0]
        # The score is the mean over the tokens; the end token's part is in the sum, not the count.
        mean_log = result.scores[0] * len(tokens) / (len(tokens) + 1)
        return tokens, float(result.no_speech_prob), min(1.0, math.exp(mean_log))

    def _encode(self, audio: Samples) -> Encoded:
        features = self._features(audio, padding=0).astype(np.float32)
        return _encode(self._model, features)

    # -- loading ---------------------------------------------------------------------------------

    def _places(self) -> list[tuple[str, str]]:
        """Device and arithmetic to try, each taking less memory than the one before."""
        found = ctranslate2.get_cuda_device_count() > 0  # type: ignore[attr-defined]
        if self._device == "cuda" and not found:
            raise EngineFailed("recognition.device = 'cuda': no graphics card with CUDA was found")
        if self._device == "cpu" or not found:
            return [("cpu", "int8")]
        cuda_libraries.preload()
        with _failures_of("cuda"):
            able = ctranslate2.get_supported_compute_types(  # type: ignore[attr-defined]
                "cuda", self._card
            )
        return [("cuda", each) for each in ON_CUDA if each in able]

    def _start(self, device: str, compute_type: str) -> None:
        """Raises _OutOfMemory where the graphics card has too little."""
        model = self._read_model(device, compute_type)
        self._place = device
        self._tokenizer = self._read_tokenizer(multilingual=model.is_multilingual)
        self._starts = _starts(self._tokenizer, multilingual=model.is_multilingual)
        if self._language != "auto" and self._language not in self._starts:
            knows = "does not know it" if model.is_multilingual else "knows English alone"
            raise ConfigError(
                f"recognition.language = {self._language!r}: {self._dir.name} {knows}"
            )
        self._choose = self._language == "auto" and model.is_multilingual
        self._spoken = ""
        self._hot_set = _words(self._hot_words)
        self._hot = _hot_tokens(self._tokenizer, self._hot_words)
        self._suppressed = _suppressed(self._tokenizer)
        self._features = FeatureExtractor(  # type: ignore[no-untyped-call]
            feature_size=model.n_mels
        )
        nothing = np.zeros((model.n_mels, WINDOW_S * FRAMES_PER_S), np.float32)
        self._model = model
        try:
            with _failures_of(device):
                self._tail = _encode(model, nothing)
                self._warm_up()
        except ValueError as error:  # the vocabulary lacks the tokens of the prompt
            self._model = None
            raise _damaged(self._dir / "vocabulary") from error
        except EngineFailed:
            self._model = None
            raise

    def _warm_up(self) -> None:
        sound = _Sound(np.zeros(ANALYSIS_RATE_HZ, np.float32), self._encode, self._tail)
        self._understand(sound, sound.context_s, [*self._hot, *self._starts["en"]])
        if self._choose:
            self._languages(sound.encoded(sound.context_s))

    def _check_files(self) -> None:
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

    def _read_model(self, device: str, compute_type: str) -> Any:
        try:
            return ctranslate2.models.Whisper(  # type: ignore[attr-defined]
                str(self._dir),
                device=device,
                device_index=self._card if device == "cuda" else 0,
                compute_type=compute_type,
                intra_threads=self._threads,
            )
        except RuntimeError as error:
            if device == "cuda" and _OF_THE_CARD.search(str(error)):
                raise _card_failed(error) from error
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
        return Tokenizer(table, multilingual, task="transcribe", language="en")


class _Sound:
    """An utterance as the encoder reads it, each length once."""

    def __init__(self, audio: Samples, encode: Callable[[Samples], Encoded], tail: Encoded) -> None:
        self._audio = audio
        self._encode = encode
        self._tail = tail
        self._encoded: dict[int, Encoded] = {}
        self.spoken_s = audio.size / ANALYSIS_RATE_HZ
        enough_s = math.ceil(self.spoken_s + TRAILING_S)
        self.context_s = min(WINDOW_S, max(MIN_CONTEXT_S, enough_s))
        """Seconds that have to be read at least."""

    def encoded(self, context_s: int) -> Encoded:
        if context_s not in self._encoded:
            padded = np.zeros(context_s * ANALYSIS_RATE_HZ, np.float32)
            padded[: self._audio.size] = self._audio
            self._encoded[context_s] = self._encode(padded)
        return self._encoded[context_s]

    def window(self, context_s: int) -> Encoded:
        """The same, followed by silence up to the 30 s that the decoder expects."""
        rest = self._tail[:, context_s * ENCODED_PER_S :]
        return np.concatenate([self.encoded(context_s), rest], axis=1)


class _OutOfMemory(EngineFailed):
    """The graphics card has too little memory for this."""


_OF_THE_CARD = re.compile(r"cuda|cublas|cudnn|nvidia|gpu", re.IGNORECASE)
_FULL = re.compile(r"out of memory|ALLOC_FAILED", re.IGNORECASE)
_NO_LIBRARY = re.compile(r"Library (\S+) is not found")
_WITHOUT = "recognition.device = 'cpu' does without it"


@contextmanager
def _failures_of(device: str) -> Iterator[None]:
    """What CTranslate2 raises is the graphics card's where there is one; else it is a bug."""
    try:
        yield
    except RuntimeError as error:
        if device != "cuda":
            raise
        raise _card_failed(error) from error


def _card_failed(error: RuntimeError) -> EngineFailed:
    said = " ".join(str(error).split())
    if _FULL.search(said):
        return _OutOfMemory(
            f"recognition: the graphics card has too little memory for the model; {_WITHOUT}"
        )
    library = _NO_LIBRARY.search(said)
    if library:
        return EngineFailed(
            f"recognition: {library[1]}, a library of CUDA, is not installed; {_WITHOUT}"
        )
    return EngineFailed(f"recognition: the graphics card failed: {said}; {_WITHOUT}")


def _damaged(file: Path) -> ModelMissing:
    return ModelMissing(f"model file {file} is damaged; run: goassist models verify")


def _encode(model: Any, features: npt.NDArray[np.float32]) -> Encoded:
    """Encode (mels, frames); two frames make one column."""
    encoded = np.array(model.encode(_storage(features[np.newaxis]), to_cpu=True))
    return encoded.astype(np.float32, copy=False)  # a graphics card makes float16


def _storage(array: npt.NDArray[np.float32]) -> Any:
    contiguous = np.ascontiguousarray(array)
    return ctranslate2.StorageView.from_array(contiguous)  # type: ignore[attr-defined]


def _starts(tokenizer: Tokenizer, *, multilingual: bool) -> dict[str, list[int]]:
    """Language -> the tokens that a transcription in it begins with."""
    if not multilingual:
        return {"en": [tokenizer.sot, tokenizer.no_timestamps]}
    ids = {code: tokenizer.tokenizer.token_to_id(f"<|{code}|>") for code in LANGUAGES}
    return {
        code: [tokenizer.sot, language, tokenizer.transcribe, tokenizer.no_timestamps]
        for code, language in ids.items()
        if language is not None
    }


def _hot_tokens(tokenizer: Tokenizer, words: str) -> list[int]:
    """Hot words as a sentence said before, as many from the front as HOT_TOKENS has room for.

    Without its full stop the transcription would have none either, and be less sure.
    """
    each = [word.strip() for word in words.split(",") if word.strip()]
    for count in range(len(each), 0, -1):
        tokens = tokenizer.encode(" " + ", ".join(each[:count]) + ".")
        if len(tokens) < HOT_TOKENS:
            return [tokenizer.sot_prev, *tokens]
    return []


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.casefold()))


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
