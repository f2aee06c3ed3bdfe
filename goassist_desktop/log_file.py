"""The program's log: JSON lines in a few small files, which nobody but the user can read.

No word of a conversation belongs in it. Of a turn its figures are written, of a library only its
warnings, and of an error everything but what it quotes: an error quotes what it stumbled over, and
that may be what somebody said.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import platformdirs

from goassist_desktop.pipeline.errors import BadInput, DeviceFailed, GoAssistError, ModelMissing
from goassist_desktop.pipeline.events import Notice, ReplyText, TurnClosed

NAME: Final = "goassist.log"
LARGEST_BYTES: Final = 1_000_000
FILES: Final = 3
_OURS: Final = "goassist_desktop"
_OF_CODE: Final = (
    *(BadInput, ModelMissing, DeviceFailed),
    *(OSError, ImportError, AttributeError, NameError, TypeError),
)
"""Errors that quote names of files, of settings and of code."""
_QUOTED: Final = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"")

logger = logging.getLogger(__name__)
_asyncio = logging.getLogger("asyncio")


def folder() -> Path:
    """Where the log is written."""
    return Path(platformdirs.user_log_dir("goassist", appauthor=False))


def files(where: Path | None = None) -> list[Path]:
    """The files of the log there are, the newest first."""
    return sorted((where or folder()).glob(f"{NAME}*"))


class Log:
    """An open log. `take` is given the session's events, from any thread."""

    def __init__(self) -> None:
        self._session = 0
        self._turn: int | None = None

    def begin_session(self) -> None:
        """What is logged from now on is of the next session."""
        self._session += 1
        self._turn = None

    def take(self, event: object) -> None:
        """Notices and the figures of turns are logged, never words."""
        match event:
            case ReplyText(turn_id):
                self._turn = turn_id
            case TurnClosed():
                self._turn = event.turn_id
                logger.info("turn %s: %s", event.outcome, _figures(event))
                self._turn = None
            case Notice(level, what):
                logger.log(_LEVELS[level], "%s", unquoted(what))

    def _place(self) -> dict[str, int]:
        """Session and turn that are going on."""
        place = {"session": self._session, "turn": self._turn}
        return {name: number for name, number in place.items() if number}


_LEVELS: Final = {"info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


@contextmanager
def open_log(
    notify: Callable[[Notice], None] = lambda notice: None, where: Path | None = None
) -> Iterator[Log]:
    """Log everything to files in the folder `where`; the platform's for logs if there is none.

    Where it can not be written the user is told, once, and nothing else happens.
    """
    log = Log()
    handler: logging.Handler
    try:
        handler = _File(where or folder(), log, notify)
    except OSError as error:
        notify(Notice("warning", _no_log(error)))
        handler = logging.NullHandler()  # without any, Python prints what is logged
    root, ours = logging.getLogger(), logging.getLogger(_OURS)
    before = ours.level
    ours.setLevel(logging.INFO)
    root.addHandler(handler)
    try:
        logger.info("begun, process %d", os.getpid())
        yield log
        logger.info("ended")
    finally:
        root.removeHandler(handler)
        ours.setLevel(before)
        with suppress(OSError):  # a full disk, which was told of when it was met
            handler.close()


def _no_log(error: OSError) -> str:
    return f"No log is written: {error.strerror or error}. Everything else works."


class _File(RotatingFileHandler):
    """A new file where the one in use was deleted; no more words after a failure than one."""

    def __init__(self, where: Path, log: Log, notify: Callable[[Notice], None]) -> None:
        where.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._notify = notify
        self._failed = False
        super().__init__(
            where / NAME, maxBytes=LARGEST_BYTES, backupCount=FILES - 1, encoding="utf-8"
        )
        self.setFormatter(_Lines(log))
        self.addFilter(_wanted)

    def _open(self) -> Any:
        return open(
            self.baseFilename, "a", encoding="utf-8", opener=lambda p, f: os.open(p, f, 0o600)
        )

    def emit(self, record: logging.LogRecord) -> None:
        if self.stream is not None and not os.path.exists(self.baseFilename):
            stream, self.stream = self.stream, None
            with suppress(OSError):
                stream.close()
        super().emit(record)

    def handleError(self, record: logging.LogRecord) -> None:
        _, error, _ = sys.exc_info()
        if not isinstance(error, OSError):
            raise
        if not self._failed:
            self._failed = True
            self._notify(Notice("warning", _no_log(error)))


def _wanted(record: logging.LogRecord) -> bool:
    """Of libraries only what is wrong: below that some tell what they are given."""
    return record.levelno >= (logging.INFO if _is_ours(record) else logging.WARNING)


def _is_ours(record: logging.LogRecord) -> bool:
    return record.name.split(".")[0] == _OURS


def unquoted(text: str) -> str:
    """The text without what it quotes."""
    return _QUOTED.sub("'…'", text)


class _Lines(logging.Formatter):
    def __init__(self, log: Log) -> None:
        super().__init__()
        self._log = log

    def format(self, record: logging.LogRecord) -> str:
        message = record.getMessage()
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "thread": record.threadName,
            **self._log._place(),
            "message": message if _is_ours(record) else unquoted(message),
        }
        if record.exc_info and record.exc_info[1] is not None:
            line["exception"] = described(record.exc_info[1])
        return json.dumps(line, ensure_ascii=False)


def described(error: BaseException) -> str:
    """An error, where it came from and what it came of; without what it quotes of its data."""
    chain = [error]
    while (link := _before(chain[-1])) is not None and link not in chain:
        chain.append(link)
    parts = []
    for one in reversed(chain):
        frames = traceback.extract_tb(one.__traceback__)
        places = [f"  {frame.filename}:{frame.lineno} in {frame.name}" for frame in frames]
        parts.append("\n".join([*places, f"{type(one).__name__}: {_discreet(one)}".rstrip(": ")]))
    return "\nand then\n".join(parts)


def _before(error: BaseException) -> BaseException | None:
    return error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _discreet(error: BaseException) -> str:
    text = str(error)
    return text if isinstance(error, _OF_CODE) else unquoted(text)


def _figures(turn: TurnClosed) -> str:
    figures = {name: ms for name, ms in turn.intervals_ms.items() if ms is not None}
    parts = [f"{name} {ms:.0f} ms" for name, ms in figures.items()]
    parts += [f"{barge_in.outcome} in {barge_in.latency_ms:.0f} ms" for barge_in in turn.barge_ins]
    if turn.starved_ms:
        parts.append(f"silent inside for {turn.starved_ms:.0f} ms")
    return ", ".join(parts) or "nothing was heard"


# -- what nobody caught ----------------------------------------------------------------------------


@contextmanager
def hook_exceptions(on_bug: Callable[[str], None]) -> Iterator[None]:
    """Log what nobody catches: in threads, slots of Qt, tasks, and where Python only complains.

    `on_bug` is told one line about it, from any thread. What Python does with such an error by
    itself is done as well.
    """

    def bug(where: str, error: BaseException | None) -> None:
        if error is None or isinstance(error, (KeyboardInterrupt, SystemExit)):
            return
        what = str(error) if isinstance(error, GoAssistError) else type(error).__name__
        logger.error("a bug %s", where, exc_info=error)
        on_bug(what)

    def of_main(
        kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        bug("in the main thread", error)
        before[0](kind, error, trace)

    def of_thread(args: threading.ExceptHookArgs) -> None:
        name = args.thread.name if args.thread is not None else "that has ended"
        bug(f"in the thread {name}", args.exc_value)
        before[1](args)

    def of_nobody(args: Any) -> None:
        if args.exc_value is not None:
            logger.error("an error that can not be raised", exc_info=args.exc_value)
        before[2](args)

    told = _OfTasks(on_bug)
    before = sys.excepthook, threading.excepthook, sys.unraisablehook
    sys.excepthook, threading.excepthook, sys.unraisablehook = of_main, of_thread, of_nobody
    _asyncio.addHandler(told)
    try:
        yield
    finally:
        _asyncio.removeHandler(told)
        sys.excepthook, threading.excepthook, sys.unraisablehook = before


class _OfTasks(logging.Handler):
    """asyncio logs what a task or a callback did not catch; this tells of it too."""

    def __init__(self, on_bug: Callable[[str], None]) -> None:
        super().__init__(logging.ERROR)
        self._on_bug = on_bug

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info and record.exc_info[1] is not None:
            self._on_bug(type(record.exc_info[1]).__name__)
