"""The report of a turn that felt wrong: a folder with its figures, and the session to replay."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final

from goassist_desktop.pipeline.errors import GoAssistError
from goassist_desktop.pipeline.events import TurnClosed
from goassist_desktop.pipeline.session import Speculation
from goassist_desktop.report import Report

VERSION: Final = 1
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


def save(
    folder: Path,
    turn: TurnClosed,
    felt: Sequence[str],
    remark: str,
    keep_session: Callable[[Path], None] | None,
) -> Path:
    """Write the report to a new folder, which is returned. `felt` are keys of FELT.

    `keep_session` puts the recorded session there; without it nobody's words are in the report but
    the `remark`. It may take seconds. Raises GoAssistError, and leaves no folder then.
    """
    recorded = keep_session is not None
    collected = Report([])
    collected.take(turn)
    (figures,) = collected.as_dict(Speculation())["turns"]
    if not recorded:
        figures = {name: value for name, value in figures.items() if not name.endswith("_text")}
    content = {
        "version": VERSION,
        "program": version("goassist-desktop"),
        "made": datetime.now().astimezone().isoformat(timespec="seconds"),
        "felt": list(felt),
        "remark": remark.strip(),
        "recorded": recorded,
        "turn": figures,
    }
    try:
        folder.mkdir(mode=0o700)
    except OSError as error:
        raise GoAssistError(f"{folder} can not be made: {error.strerror}.") from error
    try:
        if keep_session is not None:
            keep_session(folder)
        text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
        (folder / FILE).write_text(text, encoding="utf-8")
    except BaseException as error:
        with suppress(OSError):
            shutil.rmtree(folder)
        if isinstance(error, OSError):
            raise GoAssistError(f"{folder} can not be written: {error.strerror}.") from error
        raise
    return folder
