"""The script of a conversation: which recording is spoken to the microphone, and when.

[[say]]
wav = "question.wav"      # relative to the script
after = "quiet"           # the default
delay_s = 0.5             # the default is 0
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast, get_args

from goassist_desktop.pipeline.errors import BadInput

After = Literal["start", "quiet", "speaking"]
"""What the delay counts from.

'start': the start of the session.
'quiet': the moment the assistant has been quiet for 0.5 s, owes no answer and nobody speaks.
'speaking': the moment the reply to the entry before became audible, which makes a barge-in.
"""

LONGEST_DELAY_S = 3600


@dataclass(frozen=True, slots=True)
class Say:
    """A recording to be spoken `delay_s` seconds after something."""

    wav: Path
    after: After = "quiet"
    delay_s: float = 0.0


def one_by_one(wavs: Iterable[Path]) -> tuple[Say, ...]:
    """The script of recordings without a script: each once the assistant is quiet."""
    return tuple(Say(wav) for wav in wavs)


def read_script(path: Path) -> tuple[Say, ...]:
    """The entries of a script in their order, at least one.

    Raises BadInput naming the file and, where it applies, the line, or the entry (counted from 1),
    the key, its value and what is allowed.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise BadInput(f"{path}: not a script: not text in UTF-8") from error
    except tomllib.TOMLDecodeError as error:  # says line and column
        raise BadInput(f"{path}: invalid TOML: {error}") from error

    for key in content:
        if key != "say":
            raise BadInput(f"{path}: {key}: unknown; a script is a list of [[say]]")
    entries = content.get("say")
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise BadInput(f"{path}: a script is a list of [[say]], and there is none")
    if not entries:
        raise BadInput(f"{path}: say = []: at least one entry is needed")
    return tuple(_say(path, number, entry) for number, entry in enumerate(entries, start=1))


def _say(path: Path, number: int, entry: dict[str, Any]) -> Say:
    def invalid(key: str, allowed: str) -> BadInput:
        value = f" = {entry[key]!r}" if key in entry else ""
        return BadInput(f"{path}: say {number}: {key}{value}: {allowed}")

    for key in entry:
        if key not in ("wav", "after", "delay_s"):
            raise invalid(key, "unknown; wav, after and delay_s are allowed")

    if "wav" not in entry:
        raise invalid("wav", "missing; the path of a recording is needed")
    if not isinstance(entry["wav"], str):
        raise invalid("wav", "must be the path of a recording")
    wav = path.parent / entry["wav"]
    if not wav.is_file():
        raise invalid("wav", "no such file; paths are relative to the script")

    after = entry.get("after", "quiet")
    if after not in get_args(After):
        raise invalid("after", 'must be "start", "quiet" or "speaking"')
    if after == "speaking" and number == 1:
        raise invalid("after", "the first entry has no reply before it to speak into")

    delay_s = entry.get("delay_s", 0.0)
    # true is an int to Python, and TOML can say nan.
    if type(delay_s) not in (int, float) or not 0 <= delay_s <= LONGEST_DELAY_S:
        raise invalid("delay_s", f"must be a number of seconds, 0 to {LONGEST_DELAY_S}")
    return Say(wav, cast(After, after), float(delay_s))
