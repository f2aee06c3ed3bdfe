"""What passes between a session and its engines, as JSON."""

from __future__ import annotations

import json
import zlib
from dataclasses import asdict, is_dataclass
from typing import Any

import numpy as np

from goassist_desktop.pipeline.audio_files import as_16_bit
from goassist_desktop.pipeline.errors import EngineFailed
from goassist_desktop.pipeline.events import SessionEvent
from goassist_desktop.pipeline.frames import Samples, Speech, Transcript, Word

Value = Any
"""Anything JSON can hold."""


def rounded(samples: Samples) -> Samples:
    """What a 16-bit file can hold of (n,) samples."""
    return as_16_bit(samples).astype(np.float32) / np.float32(32768)


def described(argument: Any) -> Value:
    """An argument of an engine, so far as it takes to know it again."""
    if isinstance(argument, np.ndarray):
        return {"samples": len(argument), "crc32": zlib.crc32(argument.tobytes())}
    if isinstance(argument, (list, tuple)):
        return [described(one) for one in argument]
    return asdict(argument) if is_dataclass(argument) else argument  # type: ignore[arg-type]


def event_value(event: SessionEvent) -> Value:
    value: Value = json.loads(json.dumps({"type": type(event).__name__, **asdict(event)}))
    return value


def result_value(result: Any, voice_at: int) -> Value:
    """A result, or one item of it. The samples of speech stand in a file, from `voice_at` on."""
    match result:
        case Transcript():
            return {"transcript": asdict(result)}
        case Speech(samples, rate_hz, words):
            said = [[word.text, word.start, word.end] for word in words]
            length = len(samples)
            return {
                "speech": {"at": voice_at, "samples": length, "rate_hz": rate_hz, "words": said}
            }
        case None | bool() | int() | float() | str():
            return result
    raise TypeError(f"{type(result).__name__} can not be recorded")


def result_of(value: Value, voice: Samples) -> Any:
    """The result again. `voice` is all speech of the recording. KeyError for an unknown kind."""
    if not isinstance(value, dict):
        return value
    if "transcript" in value:
        return Transcript(**value["transcript"])
    speech = value["speech"]
    samples = voice[speech["at"] : speech["at"] + speech["samples"]]
    return Speech(samples, speech["rate_hz"], tuple(Word(*word) for word in speech["words"]))


def error_value(error: BaseException) -> Value:
    return {"foreseen": isinstance(error, EngineFailed), "text": str(error) or repr(error)}


def error_of(value: Value) -> BaseException:
    return EngineFailed(value["text"]) if value["foreseen"] else RuntimeError(value["text"])
