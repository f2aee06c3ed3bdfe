"""Pocket TTS by Kyutai as a module for `serve.py`, in an environment that has `pocket-tts`.

It speaks with voices whose state was made beforehand, and makes none of a recording.
"""

from __future__ import annotations

import json
import logging
import tempfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
import yaml as _yaml
from pocket_tts import TTSModel
from pocket_tts.utils.config import CONFIGS_DIR

yaml: Any = _yaml  # without types

USUAL = CONFIGS_DIR / "english_2026-09.yaml"
"""The architecture of the files where there is no config.yaml beside them."""

Pieces = Iterator[tuple[Any, list[Any], list[Any]]]


class Damaged(Exception):
    """A file of the model is not what it should be."""


MISSING = (Damaged,)


class Stop:
    """As the threading.Event that the library looks at before every frame."""

    def __init__(self, wanted: Callable[[], bool]) -> None:
        self._wanted = wanted

    def is_set(self) -> bool:
        return not self._wanted()


class Voice:
    def __init__(self, model: Any, state: Any) -> None:
        self._model = model
        self._state = state
        self.rate_hz = int(model.sample_rate)

    def say(self, text: str, wanted: Callable[[], bool]) -> Pieces:
        """Pieces of 80 ms and more, as they are decoded. Equal texts give equal samples."""
        torch.manual_seed(zlib.crc32(text.encode()))
        chunks = self._model.generate_audio_stream(self._state, text, stop=Stop(wanted))
        try:
            for chunk in chunks:
                if not wanted():
                    break
                yield chunk.float().cpu().numpy(), [], []
        finally:
            for _ in chunks:  # the library's own threads end before the next text
                pass


def load(options: dict[str, Any]) -> Voice:
    """`options`: model (a folder), voice, threads. Raises Damaged."""
    logging.disable(logging.WARNING)  # the library tells of every text
    torch.set_num_threads(options["threads"])
    folder = Path(options["model"])
    config = folder / "config.yaml"
    architecture = yaml.safe_load((config if config.is_file() else USUAL).read_text())
    weights, tokenizer = folder / "model.safetensors", folder / "tokenizer.json"
    architecture["weights_path"] = str(weights)
    architecture["weights_path_without_voice_cloning"] = None
    architecture["flow_lm"]["lookup_table"]["tokenizer_path"] = str(tokenizer)
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(json.dumps(architecture))  # which is YAML too
        file.flush()
        model = _whole(weights, lambda: TTSModel.load_model(config=file.name))
    voice = folder / f"{options['voice']}.safetensors"
    state = _whole(voice, lambda: model.get_state_for_audio_prompt(str(voice)))
    return Voice(model, state)


def _whole(file: Path, read: Callable[[], Any]) -> Any:
    with file.open("rb"):  # raises what keeps it from being read at all
        pass
    try:
        return read()
    except (MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:
        raise Damaged(f"of Pocket TTS: {file} is damaged ({type(error).__name__})") from error
