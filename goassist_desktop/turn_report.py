"""The report of a turn that felt wrong: a folder with its figures, and the session to replay."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from goassist_desktop.pipeline.errors import BadInput, GoAssistError
from goassist_desktop.pipeline.events import TurnClosed
from goassist_desktop.pipeline.session import Speculation
from goassist_desktop.report import Report

VERSION: Final = 1
JOURNAL: Final = "journal.jsonl"
"""Of a recording: see `replay`, which the window knows nothing of."""
FILE: Final = "report.json"
FELT: Final = {
    "late": "It answered too late",
    "cut_off": "It cut me off",
    "did_not_stop": "It did not stop",
    "misheard": "It misheard me",
    "wrong": "The answer was wrong",
    "voice": "The voice sounded wrong",
    "face": "The face looked wrong",
}
"""What may have felt wrong, and how people say it."""


def new_name(now: datetime) -> str:
    """Of a report's folder."""
    return f"GoAssist report {now:%Y-%m-%d %H.%M.%S}"


@dataclass(frozen=True, slots=True)
class Saved:
    folder: Path
    without: str = ""
    """Why the session is not in it, for a user; empty when it is."""


def save(
    folder: Path,
    turn: TurnClosed,
    felt: Sequence[str],
    remark: str,
    keep_session: Callable[[Path], None] | None,
) -> Saved:
    """Write the report to a new folder. `felt` are keys of FELT.

    `keep_session` puts the recorded session there. Without it, or where that does not hold this
    turn, no words are in the report but the `remark`. It may take seconds. Raises GoAssistError,
    and leaves no folder then.
    """
    try:
        folder.mkdir(mode=0o700)
    except OSError as error:
        raise GoAssistError(f"{folder} can not be made: {error.strerror}.") from error
    try:
        without = _keep(folder, turn, keep_session)
        content = {
            "version": VERSION,
            "program": version("goassist-desktop"),
            "made": datetime.now().astimezone().isoformat(timespec="seconds"),
            "felt": list(felt),
            "remark": remark.strip(),
            "recorded": not without,
            "turn": _figures(turn, words=not without),
        }
        text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
        (folder / FILE).write_text(text, encoding="utf-8")
    except BaseException as error:
        with suppress(OSError):
            shutil.rmtree(folder)
        if isinstance(error, OSError):
            raise GoAssistError(f"{folder} can not be written: {error.strerror}.") from error
        raise
    return Saved(folder, without)


def _keep(folder: Path, turn: TurnClosed, keep_session: Callable[[Path], None] | None) -> str:
    """Put the session there if this turn is in it; else why not."""
    if keep_session is None:
        return "This session is not recorded."
    try:
        keep_session(folder)
    except BadInput as error:
        return str(error)
    if _holds(folder / JOURNAL, turn):
        return ""
    for path in folder.iterdir():  # of something else, which is nobody's business
        path.unlink()
    return "The recording of the session does not reach this turn."


def _holds(journal: Path, turn: TurnClosed) -> bool:
    """Whether this turn is in a recording."""
    wanted = json.loads(json.dumps(asdict(turn)))
    with suppress(FileNotFoundError), journal.open(encoding="utf-8") as lines:
        for line in lines:
            if line.startswith('["event",{"type":"TurnClosed"'):
                _, event = json.loads(line)
                if all(event.get(name) == wanted[name] for name in ("turn_id", "marks_ms")):
                    return True
    return False


def _figures(turn: TurnClosed, *, words: bool) -> dict[str, Any]:
    collected = Report([])
    collected.take(turn)
    figures: dict[str, Any] = collected.as_dict(Speculation())["turns"][0]
    if words:
        return figures
    return {name: value for name, value in figures.items() if not name.endswith("_text")}
