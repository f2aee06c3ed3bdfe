"""XTTS-v2 by Coqui as a module for `serve.py`, in an environment that has `coqui-tts` and torch.

It speaks with the speakers that come with the model, and makes none of a recording.
"""

from __future__ import annotations

import logging
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch.nn.modules.module import register_module_forward_pre_hook
from TTS.tts.configs.xtts_config import XttsConfig
from TTS.tts.layers.xtts.tokenizer import VoiceBpeTokenizer
from TTS.tts.layers.xtts.xtts_manager import SpeakerManager
from TTS.tts.models.xtts import Xtts, _legacy_safe_globals

Pieces = Iterator[tuple[Any, list[Any], list[Any]]]


class Damaged(Exception):
    """A file of the model is not what it should be."""


class Unwanted(Exception):
    """Nobody wants any more of what is being made."""


MISSING = (Damaged,)


class Model(Xtts):  # type: ignore[misc]
    def _load_checkpoint(self, model_path: Path) -> dict[str, Any]:
        """As the library's own, which at the first time writes the file anew: whoever ends it then
        is left with half a file. Reads weights, and runs nothing that may be in the file."""
        with _legacy_safe_globals():
            content = torch.load(model_path, map_location="cpu", weights_only=True)
        weights: dict[str, Any] = content["model"]
        return weights


class Voice:
    def __init__(self, model: Model, speaker: str, language: str) -> None:
        known = model.speaker_manager.speakers
        if speaker not in known:
            raise ValueError(f"there is no speaker {speaker!r}; there are {', '.join(known)}")
        of = known[speaker]
        self._who = of["gpt_cond_latent"], of["speaker_embedding"]
        self._model = model
        self._language = language
        self._wanted: Callable[[], bool] = lambda: True
        self.rate_hz = int(model.config.audio.output_sample_rate)
        register_module_forward_pre_hook(self._look)

    def say(self, text: str, wanted: Callable[[], bool]) -> Pieces:
        """Pieces of 20 of the model's tokens, nearly a second. Equal texts give equal samples."""
        torch.manual_seed(zlib.crc32(text.encode()))
        self._wanted = wanted
        how = self._model.config
        chunks = self._model.inference_stream(
            text,
            self._language,
            *self._who,
            temperature=how.temperature,
            length_penalty=how.length_penalty,
            repetition_penalty=how.repetition_penalty,
            top_k=how.top_k,
            top_p=how.top_p,
        )
        try:
            for chunk in chunks:
                yield chunk.float().cpu().numpy(), [], []
        except Unwanted:
            return

    def _look(self, module: Any, inputs: Any) -> None:
        """Before every layer: without a graphics card a single piece takes seconds."""
        if not self._wanted():
            raise Unwanted


def load(options: dict[str, Any]) -> Voice:
    """`options`: model (a folder), speaker, language, threads, device. Raises Damaged."""
    logging.disable(logging.WARNING)  # the library warns of texts, and quotes them
    torch.set_num_threads(options["threads"])
    folder = Path(options["model"])
    config = XttsConfig()
    _whole(folder / "config.json", config.load_json)
    _whole(folder / "vocab.json", VoiceBpeTokenizer)
    _whole(folder / "speakers_xtts.pth", SpeakerManager)
    model = Model(config)
    _whole(
        folder / "model.pth",
        lambda file: model.load_checkpoint(config, checkpoint_dir=str(folder), eval=True),
    )
    if options["device"] != "cpu":
        model.to(options["device"])
    return Voice(model, options["speaker"], options["language"])


def _whole(file: Path, read: Callable[[str], object]) -> None:
    with file.open("rb"):  # raises what keeps it from being read at all
        pass
    try:
        read(str(file))
    except (MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:
        raise Damaged(f"of XTTS-v2: {file} is damaged ({type(error).__name__})") from error
