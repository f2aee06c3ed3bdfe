"""Everything somebody needs who is to find out what is wrong: one zip, made when the user asks.

It is for strangers' eyes. So no word of a conversation is in it unless the user ticks that, and
never a sound, a PIN, or the name of the user's folder.
"""

from __future__ import annotations

import dataclasses
import json
import os
import platform
import re
import zipfile
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any, Final

import psutil

from goassist_desktop import config as settings
from goassist_desktop import doctor, log_file, weights
from goassist_desktop.config import Config
from goassist_desktop.finding import Finding
from goassist_desktop.pipeline.endpoints import sound_card
from goassist_desktop.pipeline.errors import DeviceFailed, GoAssistError
from goassist_desktop.pipeline.events import TurnClosed
from goassist_desktop.pipeline.protocols import EngineInfo
from goassist_desktop.pipeline.session import Speculation
from goassist_desktop.report import Report

VERSION: Final = 1
_SECRET: Final = re.compile(r"(^|_)(pin|token|password|secret|key)$")
_WITHHELD: Final = "(set, not shown)"
_LEAST_WORDS: Final = 2
"""An utterance of one word may stand in a log by chance."""
_README: Final = """\
Diagnostics of GoAssist Desktop, made {made}.

report.json     this machine, versions of all libraries, settings without secrets,
                what an examination found, and how fast the answers of this session were
logs/           the program's own logs: what it did, not what anybody said
{words}
It was made on this machine at its user's wish, and sent to nobody.
"""
_WITH_WORDS: Final = """\
transcript.txt  the words of this session, because that was ticked

There is no sound in it.
"""
_WITHOUT_WORDS: Final = """
There are no words of a conversation in it, and no sound.
"""


def export(
    path: Path,
    config: Config,
    *,
    include_words: bool,
    engines: Sequence[EngineInfo] = (),
    turns: Sequence[TurnClosed] = (),
    examine: Callable[[Config], Iterable[Finding]] = doctor.examine_silently,
) -> None:
    """Write the zip; one that is there is replaced, and only once the new one is whole.

    `engines` and `turns` are the running session's. It takes seconds: not for Qt's thread. Raises
    GoAssistError when it can not be written.
    """
    made = datetime.now(UTC).isoformat(timespec="seconds")
    report = Report(engines)
    for turn in turns:
        report.take(turn)
    content = {
        "version": VERSION,
        "made": made,
        "program": metadata.version(doctor.DISTRIBUTION),
        "machine": machine(),
        "examination": [dataclasses.asdict(finding) for finding in examine(config)],
        "engines": [dataclasses.asdict(info) for info in engines],
        "latency": _figures(report.as_dict(Speculation())),
        "settings": without_secrets(config),
        "settings_file": str(settings.default_path()),
        "libraries": libraries(),
    }
    discreet = _Discreet(turns)
    members = {
        "README.txt": _README.format(
            made=made, words=_WITH_WORDS if include_words else _WITHOUT_WORDS
        ),
        "report.json": discreet.text(json.dumps(content, indent=1, ensure_ascii=False)) + "\n",
    }
    for log in log_file.files():
        with suppress(FileNotFoundError):  # it was turned over meanwhile
            text = _read(log)
            members[f"logs/{log.name}"] = discreet.text(text)
    if include_words:
        members["transcript.txt"] = transcript(turns, config.persona.name)
    _write(path, members)


def machine() -> dict[str, Any]:
    """What the program runs on."""
    return {
        "system": platform.platform(),
        "processor": platform.processor() or platform.machine(),
        "cores": psutil.cpu_count(logical=False),
        "threads": os.cpu_count(),
        "memory_gb": round(weights.memory_bytes() / 1e9, 1),
        "free_gb": round(psutil.virtual_memory().available / 1e9, 1),
        "python": platform.python_version(),
        "desktop": os.environ.get("XDG_CURRENT_DESKTOP", ""),
        "display": os.environ.get("XDG_SESSION_TYPE", ""),
        "sound_devices": _sound_devices(),
    }


def _sound_devices() -> list[str]:
    try:
        devices = sound_card.list_devices()
    except DeviceFailed as error:
        return [str(error)]
    return [
        f"{d.name}: {d.input_channels} in, {d.output_channels} out, {d.rate_hz} Hz" for d in devices
    ]


def libraries() -> dict[str, str]:
    """Name -> version of everything that is installed beside the program."""
    found = {one.name: one.version for one in metadata.distributions()}
    return dict(sorted(found.items(), key=lambda item: item[0].lower()))


def without_secrets(config: Config) -> dict[str, Any]:
    """The settings, section by section. Of a secret only whether it is set."""

    def shown(name: str, value: Any) -> Any:
        if isinstance(value, dict):
            return {inner: shown(inner, one) for inner, one in value.items()}
        return _WITHHELD if value and _SECRET.search(name) else value

    return {name: shown(name, value) for name, value in dataclasses.asdict(config).items()}


def transcript(turns: Iterable[TurnClosed], persona: str) -> str:
    """What was said and heard."""
    lines = []
    for turn in turns:
        lines += [f"You: {turn.user_text}", f"{persona}: {turn.heard_text}"]
        if turn.heard_text != turn.reply_text:
            lines.append(f"(not heard, {turn.outcome}: {turn.reply_text})")
        lines.append("")
    return "\n".join(lines)


def _figures(report: dict[str, Any]) -> dict[str, Any]:
    """A report without the words of its turns."""
    turns = [
        {name: value for name, value in turn.items() if not name.endswith("_text")}
        | {"reason": log_file.unquoted(turn["reason"])}
        for turn in report["turns"]
    ]
    return {"turns": turns, "summary": report["summary"], "peak_rss_mb": report["peak_rss_mb"]}


class _Discreet:
    """Takes out of a text what this session's people said, should it be there, and who they are."""

    def __init__(self, turns: Iterable[TurnClosed]) -> None:
        said = {
            text
            for turn in turns
            for text in (turn.user_text, turn.reply_text, turn.heard_text)
            if len(text.split()) >= _LEAST_WORDS
        }
        longest_first = sorted(map(re.escape, said), key=len, reverse=True)
        self._said = re.compile("|".join(longest_first), re.IGNORECASE) if said else None
        self._home = str(Path.home())

    def text(self, text: str) -> str:
        if self._said is not None:
            text = self._said.sub("…", text)
        return text.replace(self._home, "~") if len(self._home) > 1 else text


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        raise
    except OSError as error:
        return f"{path.name} can not be read: {error.strerror}\n"


def _write(path: Path, members: dict[str, str]) -> None:
    begun = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        try:
            with (
                open(os.open(begun, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file,
                zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed,
            ):
                for name, text in members.items():
                    packed.writestr(name, text)
            begun.replace(path)
        except OSError:
            begun.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise GoAssistError(f"{path}: can not be written: {error.strerror or error}") from error
