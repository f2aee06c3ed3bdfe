"""Reading a recording back, whole or cut off, and refusing what is none."""

from __future__ import annotations

import json
from collections import defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import soundfile

from goassist_desktop.pipeline.errors import BadInput
from goassist_desktop.pipeline.frames import ANALYSIS_RATE_HZ, BLOCK_MS, BLOCK_SAMPLES, Samples
from goassist_desktop.replay.journal import FORMAT, JOURNAL, LOUDSPEAKER, MICROPHONE, VOICE
from goassist_desktop.replay.values import Value, error_of, result_of

REQUESTS: Final[dict[str, list[type]]] = {
    "say": [str],
    "greet": [str],
    "stop_talking": [],
    "mute": [bool],
    "push_to_talk": [bool],
    "push_to_talk_only": [bool],
    "sleep": [str],
}
"""What can be asked of a session, and with what."""

_HEADER = ("config", "context_tokens", "frame_samples", "rate_hz", "capture_delay_ms")


@dataclass(slots=True)
class Over:
    """The end of a call, perhaps by an error."""

    error: BaseException | None


@dataclass(slots=True)
class Call:
    """What the session asked of an engine, and what came of it."""

    stage: str
    method: str
    arguments: Value
    made: int | None = None
    """Items the engine made, wanted or not; None when it never began."""
    results: list[Any] = field(default_factory=list)
    """What arrived, with an Over at the end when that arrived."""


@dataclass(slots=True)
class Taken:
    """Something that came from outside, and the blocks the loudspeaker took before the next."""

    at_s: float
    what: tuple[Any, ...]
    """("block",), ("result", Call, its index), ("notice", level, text),
    ("request", name, [with what]), ("stopped",)."""
    render_delay_ms: float | None = None
    """Set when it changed."""
    pulls: deque[tuple[int, int]] = field(default_factory=deque)
    """(samples, looks of the session at the loudspeaker before)."""


@dataclass(slots=True)
class Recording:
    """All of a recording but the sound of its microphone, which `blocks` reads."""

    folder: Path
    header: dict[str, Any]
    taken: list[Taken]
    calls: list[Call]
    frames: dict[int, list[float]]
    """The probability of speech of each frame, of the first stream, the second, and so on."""
    events: list[tuple[int, Value]]
    """What the session said, each with the number of blocks it had heard."""
    loudspeaker: npt.NDArray[np.int16]
    ended: bool
    """False: it was cut off."""

    @property
    def seconds(self) -> float:
        blocks = sum(taken.what == ("block",) for taken in self.taken)
        return blocks * BLOCK_MS / 1000

    def blocks(self) -> Iterator[Samples]:
        """What the ears were given, (160,) at 16 kHz at a time."""
        with soundfile.SoundFile(_sound(self.folder, MICROPHONE)) as sound:
            while len(block := sound.read(BLOCK_SAMPLES, dtype="float32")) == BLOCK_SAMPLES:
                yield np.asarray(block, np.float32)


def read(folder: Path) -> Recording:
    """Raises BadInput, naming file and line, for what is no recording, or a damaged one."""
    path = folder / JOURNAL
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a text"
        raise BadInput(f"{path}: {reason}; a recording is what --record left") from error
    *lines, cut_off = text.split("\n")
    header = _header(path, lines)
    microphone = _sound(folder, MICROPHONE)
    voice, loudspeaker = (_samples(_sound(folder, name)) for name in (VOICE, LOUDSPEAKER))
    reader = _Reader(voice.astype(np.float32) / np.float32(32768))
    for number, line in enumerate(lines[1:], start=2):
        try:
            reader.take(json.loads(line))
        except (ValueError, TypeError, KeyError, IndexError) as error:
            raise BadInput(f"{path}, line {number}: damaged: {error!r}") from error
    blocks = soundfile.info(microphone).frames // BLOCK_SAMPLES
    if reader.blocks > blocks:
        raise BadInput(
            f"{microphone}: {blocks * BLOCK_MS / 1000:.2f} s long, and the journal "
            f"speaks of {reader.blocks * BLOCK_MS / 1000:.2f} s"
        )
    return Recording(
        folder,
        header,
        reader.taken,
        list(reader.calls.values()),
        reader.frames,
        reader.events,
        loudspeaker,
        reader.ended and not cut_off,
    )


def _header(path: Path, lines: list[str]) -> dict[str, Any]:
    try:
        header = json.loads(lines[0])
        version = header["format"]
    except (IndexError, ValueError, TypeError, KeyError) as error:
        raise BadInput(f"{path}: not the journal of a recording") from error
    if version != FORMAT:
        raise BadInput(f"{path}: of format {version}; this version reads format {FORMAT}")
    missing = [key for key in _HEADER if key not in header]
    if missing:
        raise BadInput(f"{path}: its header lacks {', '.join(missing)}")
    return dict(header)


def _sound(folder: Path, name: str) -> Path:
    """A file of the recording, as it was written or packed. Raises BadInput."""
    wav, packed = folder / f"{name}.wav", folder / f"{name}.flac"
    path = packed if packed.exists() and not wav.exists() else wav
    try:
        info = soundfile.info(path)
    except soundfile.LibsndfileError as error:
        reason = error.error_string.removeprefix("Error : ").rstrip(".")
        raise BadInput(f"{path}: can not be read: {reason}") from error
    if info.channels != 1 or (name == MICROPHONE and info.samplerate != ANALYSIS_RATE_HZ):
        raise BadInput(f"{path}: not of a recording: {info.samplerate} Hz, {info.channels} ch.")
    return path


def _samples(path: Path) -> npt.NDArray[np.int16]:
    samples, _ = soundfile.read(path, dtype="int16")
    return np.asarray(samples, np.int16)


class _Reader:
    """Takes the lines of a journal, one after the other."""

    def __init__(self, voice: Samples) -> None:
        self._voice = voice
        self.taken: list[Taken] = []
        self.calls: dict[int, Call] = {}
        self.frames: dict[int, list[float]] = defaultdict(list)
        self.events: list[tuple[int, Value]] = []
        self.blocks = 0
        self.ended = False
        self._render_delay_ms: float | None = None

    def take(self, line: Any) -> None:
        """ValueError and the like for a line that is none."""
        match line:
            case ["made", int(number), int(count)]:
                self.calls[number].made = count
            case _ if self.ended:
                pass  # what came after the session was told to stop
            case ["block", float(at_s)]:
                self.blocks += 1
                self._note(at_s, "block")
            case ["pull", int(count), int(looks)]:
                self.taken[-1].pulls.append((count, looks))
            case ["frame", int(stream), float(probability)]:
                self.frames[stream].append(probability)
            case ["ask", int(number), str(stage), str(method), list(args), list(kwargs)]:
                self.calls[number] = Call(stage, method, [args, kwargs])
            case ["item", float(at_s), int(number), value]:
                self._arrived(at_s, number, result_of(value, self._voice))
            case ["over", float(at_s), int(number), value]:
                self._arrived(at_s, number, Over(None if value is None else error_of(value)))
            case ["render_delay", float(delay_ms)]:
                self._render_delay_ms = delay_ms
            case ["notice", float(at_s), str(level), str(text)]:
                self._note(at_s, "notice", level, text)
            case ["request", float(at_s), str(name), list(what)] if list(
                map(type, what)
            ) == REQUESTS.get(name):
                self._note(at_s, "request", name, what)
            case ["event", dict(value)]:
                self.events.append((self.blocks, value))
            case ["stopped", float(at_s)]:
                self._note(at_s, "stopped")
                self.ended = True
            case _:
                raise ValueError("no line of a journal")

    def _arrived(self, at_s: float, number: int, result: Any) -> None:
        call = self.calls[number]
        self._note(at_s, "result", call, len(call.results))
        call.results.append(result)

    def _note(self, at_s: float, *what: Any) -> None:
        self.taken.append(Taken(at_s, what, self._render_delay_ms))
        self._render_delay_ms = None
