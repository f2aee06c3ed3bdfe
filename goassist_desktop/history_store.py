"""The words of conversations, kept on this machine where the user wants that: one SQLite file.

Turns are written by a thread of the store's own; whoever adds one only puts it into a queue.
Reading and deleting open a connection of their own each time, so they may come from any thread, and
should not come from Qt's. Without a turn to keep there is no file.

A turn's number is `conversation << TURN_BITS | n`: the turns of a conversation stand together, and
the index of words, whose rows have the same numbers, gives whole conversations in their order.
"""

from __future__ import annotations

import glob
import json
import os
import queue
import re
import sqlite3
import threading
import time
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import platformdirs

from goassist_desktop.pipeline.errors import GoAssistError
from goassist_desktop.pipeline.events import Notice, TurnClosed

VERSION: Final = 1
TURN_BITS: Final = 20
WAITING: Final = 256
"""Turns that may wait to be written; more than that many are lost, and that is said."""
CLOSE_S: Final = 0.5
BUSY_S: Final = 5.0
PAGE: Final = 50
PREVIEW: Final = 160
"""Characters of a turn shown in a list."""
_NEWEST: Final = 1 << 42
_DAMAGED: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_TABLES: Final = """
CREATE TABLE conversations(
    id INTEGER PRIMARY KEY AUTOINCREMENT, began REAL NOT NULL, persona TEXT NOT NULL);
CREATE TABLE turns(
    id INTEGER PRIMARY KEY, at REAL NOT NULL, user TEXT NOT NULL, heard TEXT NOT NULL,
    outcome TEXT NOT NULL, figures TEXT NOT NULL);
"""
_INDEX: Final = """
CREATE VIRTUAL TABLE words USING fts5(
    user, heard, content=turns, content_rowid=id, detail=none, prefix='1 2 3');
CREATE TRIGGER turn_added AFTER INSERT ON turns BEGIN
    INSERT INTO words(rowid, user, heard) VALUES (new.id, new.user, new.heard); END;
CREATE TRIGGER turn_deleted AFTER DELETE ON turns BEGIN
    INSERT INTO words(words, rowid, user, heard) VALUES ('delete', old.id, old.user, old.heard);
END;
"""

T = TypeVar("T")
Span = tuple[int, int]
"""Where something stands in a text: first character, and the one after the last."""


def default_path() -> Path:
    """Where the history is kept, in a folder of its own."""
    return Path(platformdirs.user_data_dir("goassist", appauthor=False)) / "history" / "history.db"


@dataclass(frozen=True, slots=True)
class Summary:
    """A conversation in a list."""

    id: int
    began_s: float
    """Wall clock, seconds since 1970."""
    persona: str
    turns: int
    preview: str
    """What the user said first, or around what was searched for."""
    marked: tuple[Span, ...] = ()
    """What was searched for, in the preview."""


@dataclass(frozen=True, slots=True)
class Page:
    """Some conversations, the newest first."""

    found: tuple[Summary, ...]
    before: int | None
    """Ask for the next page with it; None: there is none."""


@dataclass(frozen=True, slots=True)
class KeptTurn:
    at_s: float
    user: str
    heard: str
    """What of the reply came out of the loudspeaker."""
    outcome: str
    figures: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Conversation:
    id: int
    began_s: float
    persona: str
    turns: tuple[KeptTurn, ...]

    def as_text(self) -> str:
        """To copy, or to save as a text file."""
        lines = [time.strftime("%Y-%m-%d %H:%M", time.localtime(self.began_s)), ""]
        for turn in self.turns:
            if turn.user:
                lines.append(f"You: {turn.user}")
            if turn.heard:
                cut = " …" if turn.outcome == "interrupted" else ""
                lines.append(f"{self.persona}: {turn.heard}{cut}")
            lines.append("")
        return "\n".join(lines)


class HistoryStore:
    """The conversations of one file. All of it may be called from any thread.

    `begin` and `take` return at once; reading and deleting wait for the disk, and raise
    GoAssistError in words for the user.
    """

    def __init__(
        self,
        path: Path,
        notify: Callable[[Notice], None] = lambda notice: None,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        """`notify` is told, from any thread, of what the user should know."""
        self._path = path
        self._notify = notify
        self._now_s = now_s
        self._waiting: queue.Queue[tuple[str, Any]] = queue.Queue(WAITING)
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self._closed = False
        self._said: set[str] = set()
        self._file = threading.RLock()  # held by whoever changes which file there is
        self._conversation: tuple[int | None, str] = (None, "")

    # -- adding ----------------------------------------------------------------------------------

    def begin(self, persona: str) -> None:
        """What comes now is another conversation, with this persona."""
        self._put("begin", persona)

    def take(self, event: object) -> None:
        """Keep a turn that is over; other events are none of its business."""
        if isinstance(event, TurnClosed) and (event.user_text or event.heard_text):
            self._put("turn", (self._now_s(), event))

    def close(self) -> None:
        """Write what waits, for CLOSE_S at most. Nothing is added any more."""
        with self._starting:
            self._closed = True
            thread = self._thread
        if thread is not None:
            with suppress(queue.Full):  # then the disk hangs, and the thread with it
                self._waiting.put_nowait(("close", None))
            thread.join(CLOSE_S)

    def settled(self) -> None:
        """Wait until everything added before is written. Not for Qt's thread."""
        if self._thread is not None:
            done = threading.Event()
            self._waiting.put(("done", done))
            done.wait()

    def _put(self, kind: str, what: Any) -> None:
        with self._starting:
            if self._closed:
                return
            if self._thread is None:
                # A daemon: a disk that hangs must not keep the program.
                self._thread = threading.Thread(target=self._write, name="history", daemon=True)
                self._thread.start()
        try:
            self._waiting.put_nowait((kind, what))
        except queue.Full:
            self._say_once(
                "slow", "Some of this conversation is not kept: the disk is too slow for it."
            )

    def _write(self) -> None:
        while True:
            waiting = [self._waiting.get()]
            while not self._waiting.empty():
                waiting.append(self._waiting.get())
            self._keep([one for one in waiting if one[0] in ("begin", "turn")])
            for kind, what in waiting:
                if kind == "done":
                    what.set()
                elif kind == "close":
                    return

    def _keep(self, waiting: list[tuple[str, Any]]) -> None:
        if all(kind == "begin" for kind, _ in waiting):
            self._begin(waiting)
            return
        with self._file:
            try:
                try:
                    self._insert(waiting)
                except sqlite3.DatabaseError as error:
                    if not _is_damage(error):
                        raise
                    self._put_aside()
                    self._insert(waiting)
            except (sqlite3.Error, OSError, GoAssistError) as error:
                self._begin(waiting)
                self._say_once(
                    "failed", f"This conversation is not kept: {_why(error)}. It goes on without."
                )

    def _begin(self, waiting: list[tuple[str, Any]]) -> None:
        for persona in (what for kind, what in waiting if kind == "begin"):
            self._conversation = (None, persona)

    def _insert(self, waiting: list[tuple[str, Any]]) -> None:
        """All of it, or nothing."""
        conversation = self._conversation
        self._create()
        with self._open() as database:
            for kind, what in waiting:
                if kind == "begin":
                    conversation = (None, what)
                else:
                    number = _insert_turn(database, conversation, *what)
                    conversation = (number, conversation[1])
        self._conversation = conversation

    # -- reading ---------------------------------------------------------------------------------

    def page(self, words: str = "", *, before: int | None = None, limit: int = PAGE) -> Page:
        """Conversations that hold all the words, the newest first; all of them for no words.

        A word is found where it begins another; case and accents do not matter.
        """
        terms = _terms(words)
        before = _NEWEST if before is None else before
        nothing = Page((), None)

        def read(database: sqlite3.Connection) -> Page:
            if words.strip() and not terms:
                return nothing
            hits = _hits(database, terms, before) if terms else _all(database, before)
            found: list[Summary] = []
            for number, turn in hits:
                if len(found) == limit:
                    return Page(tuple(found), found[-1].id)
                found.append(_summary(database, number, turn, terms))
            return Page(tuple(found), None)

        return self._read(read, nothing)

    def conversation(self, number: int) -> Conversation | None:
        """All of it; None when it was deleted."""

        def read(database: sqlite3.Connection) -> Conversation | None:
            row = database.execute(
                "SELECT began, persona FROM conversations WHERE id = ?", (number,)
            ).fetchone()
            if row is None:
                return None
            turns = database.execute(
                "SELECT at, user, heard, outcome, figures FROM turns "
                "WHERE id >= ? AND id < ? ORDER BY id",
                _turns_of(number),
            )
            kept = tuple(
                KeptTurn(at_s, user, heard, outcome, json.loads(figures))
                for at_s, user, heard, outcome, figures in turns
            )
            return Conversation(number, row[0], row[1], kept)

        return self._read(read, None)

    def count(self) -> int:
        """Conversations kept."""

        def read(database: sqlite3.Connection) -> int:
            (count,) = database.execute("SELECT count(*) FROM conversations").fetchone()
            return int(count)

        return self._read(read, 0)

    def size_bytes(self) -> int:
        """What it takes on the disk."""
        return sum(_size(path) for path in self.files())

    def files(self) -> list[Path]:
        """Every file of the history that there is, those put aside as damaged included."""
        return sorted(self._path.parent.glob(f"{glob.escape(self._path.name)}*"))

    # -- deleting --------------------------------------------------------------------------------

    def delete(self, number: int) -> None:
        """One conversation: its words are overwritten in the file, not only forgotten."""
        with self._file, _in_words("The conversation was not deleted"):
            if not self._path.exists():
                return
            with self._open() as database:
                database.execute("PRAGMA secure_delete = ON")
                database.execute("DELETE FROM turns WHERE id >= ? AND id < ?", _turns_of(number))
                database.execute("DELETE FROM conversations WHERE id = ?", (number,))
                if _has_index(database):  # it would keep deleted words until it is tidied up
                    database.execute("INSERT INTO words(words) VALUES ('optimize')")
            with self._open() as database:
                database.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def delete_all(self) -> None:
        """Every conversation, and the files themselves."""
        with self._file, _in_words("The history was not deleted"):
            for path in self.files():
                path.unlink()
            self._conversation = (None, self._conversation[1])

    # -- the file --------------------------------------------------------------------------------

    def _create(self) -> None:
        """Make the file, for us alone, where there is none. SQLite gives its others its mode."""
        if self._path.exists():
            return
        folder = self._path.parent
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        begun = self._path.with_name(f"{self._path.name}.new")
        begun.unlink(missing_ok=True)
        os.close(os.open(begun, os.O_CREAT | os.O_EXCL, 0o600))
        with closing(sqlite3.connect(begun)) as database:
            database.execute("PRAGMA journal_mode = WAL")
            database.executescript(_TABLES)
            with suppress(sqlite3.OperationalError):  # this SQLite has no FTS5: LIKE does it
                database.executescript(_INDEX)
            database.execute(f"PRAGMA user_version = {VERSION}")
        begun.replace(self._path)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """A connection, whose changes are committed at the end."""
        uri = f"{self._path.absolute().as_uri()}?mode=rw"
        database = sqlite3.connect(uri, uri=True, timeout=BUSY_S)
        try:
            database.execute("PRAGMA synchronous = NORMAL")
            (version,) = database.execute("PRAGMA user_version").fetchone()
            if version > VERSION:
                raise GoAssistError("The history is of a newer version of the program.")
            if version < VERSION:
                raise _Damaged("it is not a history")
            with database:
                yield database
        finally:
            database.close()

    def _read(self, query: Callable[[sqlite3.Connection], T], nothing: T) -> T:
        """What the query finds; `nothing` where nothing is kept, or not any more, being damaged."""
        with _in_words("The history can not be read"):
            try:
                return self._ask(query, nothing)
            except sqlite3.DatabaseError as error:
                if not _is_damage(error):
                    raise
            with self._file:  # perhaps somebody else has put it aside by now
                try:
                    return self._ask(query, nothing)
                except sqlite3.DatabaseError as error:
                    if not _is_damage(error):
                        raise
                    self._put_aside()
                    return nothing

    def _ask(self, query: Callable[[sqlite3.Connection], T], nothing: T) -> T:
        if not self._path.exists():
            return nothing
        with self._open() as database:
            database.execute("BEGIN")  # all of it as it is now
            return query(database)

    def _put_aside(self) -> None:
        """Keep a damaged file, so that somebody may still read it, and let a new one be begun."""
        if not self._path.exists():
            return
        aside = self._path.with_name(f"{self._path.name}.broken")
        number = 1
        while aside.exists():
            number += 1
            aside = self._path.with_name(f"{self._path.name}.broken-{number}")
        for end in ("-wal", "-shm"):
            with suppress(FileNotFoundError):
                self._path.with_name(self._path.name + end).replace(f"{aside}{end}")
        self._path.replace(aside)
        self._conversation = (None, self._conversation[1])
        what = f"The history was damaged. It was put aside as {aside}, and a new one is begun."
        self._notify(Notice("warning", what))

    def _say_once(self, kind: str, what: str) -> None:
        if kind not in self._said:
            self._said.add(kind)
            self._notify(Notice("warning", what))


def _insert_turn(
    database: sqlite3.Connection,
    conversation: tuple[int | None, str],
    at_s: float,
    turn: TurnClosed,
) -> int:
    """Add a turn to a conversation, which is begun unless it is there. Its number."""
    number, persona = conversation
    known = "SELECT 1 FROM conversations WHERE id = ?"
    if number is None or not database.execute(known, (number,)).fetchone():
        begun = "INSERT INTO conversations(began, persona) VALUES (?, ?)"
        number = database.execute(begun, (at_s, persona)).lastrowid
        assert number is not None
    first, end = _turns_of(number)
    latest = "SELECT max(id) FROM turns WHERE id >= ? AND id < ?"
    (last,) = database.execute(latest, (first, end)).fetchone()
    figures = {
        "turn_id": turn.turn_id,
        "intervals_ms": turn.intervals_ms,
        "barge_ins_ms": [round(barge_in.latency_ms, 1) for barge_in in turn.barge_ins],
        "starved_ms": turn.starved_ms,
    }
    values = (turn.user_text, turn.heard_text, turn.outcome, json.dumps(figures))
    database.execute(
        "INSERT INTO turns VALUES (?, ?, ?, ?, ?, ?)",
        (first if last is None else last + 1, at_s, *values),
    )
    return number


# -- looking for words -----------------------------------------------------------------------------


def _all(database: sqlite3.Connection, before: int) -> Iterator[tuple[int, int | None]]:
    numbers = database.execute(
        "SELECT id FROM conversations WHERE id < ? ORDER BY id DESC", (before,)
    )
    return ((number, None) for (number,) in numbers)


def _hits(
    database: sqlite3.Connection, terms: list[str], before: int
) -> Iterator[tuple[int, int | None]]:
    """Conversations with a turn that holds all terms, and the newest such turn of each."""
    if _has_index(database):
        asked = " ".join(f'"{term}"*' for term in terms)
        rows = database.execute(
            "SELECT rowid FROM words WHERE words MATCH ? AND rowid < ? ORDER BY rowid DESC",
            (asked, before << TURN_BITS),
        )
    else:
        # As good as it gets without the index: anywhere in a word, and accents matter.
        holds = " AND ".join("user || ' ' || heard LIKE ?" for _ in terms)
        rows = database.execute(
            f"SELECT id FROM turns WHERE id < ? AND {holds} ORDER BY id DESC",
            (before << TURN_BITS, *(f"%{term}%" for term in terms)),
        )
    latest = None
    for (turn,) in rows:
        if turn >> TURN_BITS != latest:
            latest = turn >> TURN_BITS
            yield latest, turn


def _summary(
    database: sqlite3.Connection, number: int, turn: int | None, terms: list[str]
) -> Summary:
    began, persona = database.execute(
        "SELECT began, persona FROM conversations WHERE id = ?", (number,)
    ).fetchone()
    (count,) = database.execute(
        "SELECT count(*) FROM turns WHERE id >= ? AND id < ?", _turns_of(number)
    ).fetchone()
    shown = turn if turn is not None else _turns_of(number)[0]
    row = database.execute(
        "SELECT user, heard FROM turns WHERE id >= ? ORDER BY id LIMIT 1", (shown,)
    ).fetchone() or ("", "")
    texts = [text for text in row if text] or [""]
    text = next((one for one in texts if marks(one, terms)), texts[0])
    text, marked = _excerpt(text, marks(text, terms))
    return Summary(number, began, persona, count, text, marked)


def _excerpt(text: str, marked: tuple[Span, ...]) -> tuple[str, tuple[Span, ...]]:
    """PREVIEW characters around the first mark."""
    start = 0
    if marked and marked[0][1] > PREVIEW // 2:
        start = text.rfind(" ", 0, max(0, marked[0][0] - PREVIEW // 4)) + 1
    lead = "… " if start else ""
    shown = text[start : start + PREVIEW]
    end = start + len(shown)
    moved = tuple(
        (a - start + len(lead), b - start + len(lead)) for a, b in marked if a >= start and b <= end
    )
    return lead + shown + ("…" if end < len(text) else ""), moved


def marks(text: str, terms: list[str] | str) -> tuple[Span, ...]:
    """Where words of the text begin with one of the terms, in order."""
    wanted = _terms(terms) if isinstance(terms, str) else terms
    if not wanted:
        return ()
    longest_first = sorted(map(re.escape, wanted), key=len, reverse=True)
    pattern = rf"(?<!\w)(?:{'|'.join(longest_first)})"
    return tuple(found.span() for found in re.finditer(pattern, _folded(text)))


def _terms(words: str) -> list[str]:
    return re.findall(r"\w+", _folded(words))


def _folded(text: str) -> str:
    """Without case and accents, each character for one."""
    return "".join(unicodedata.normalize("NFD", char)[0].lower()[0] for char in text)


def _turns_of(number: int) -> tuple[int, int]:
    return number << TURN_BITS, (number + 1) << TURN_BITS


def _has_index(database: sqlite3.Connection) -> bool:
    known = "SELECT 1 FROM sqlite_master WHERE name = 'words'"
    return database.execute(known).fetchone() is not None


# -- failures --------------------------------------------------------------------------------------


class _Damaged(sqlite3.DatabaseError):
    """A database, but not one of ours."""


def _is_damage(error: sqlite3.Error) -> bool:
    return isinstance(error, _Damaged) or getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGED


def _why(error: Exception) -> str:
    if isinstance(error, OSError):
        return error.strerror or str(error)
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    known = {
        sqlite3.SQLITE_FULL: "the disk is full",
        sqlite3.SQLITE_READONLY: "its file can not be written",
        sqlite3.SQLITE_CANTOPEN: "its file can not be opened",
        sqlite3.SQLITE_PERM: "its file can not be written",
        sqlite3.SQLITE_BUSY: "another program holds its file",
    }
    return known.get(code, str(error).rstrip("."))


@contextmanager
def _in_words(what: str) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise GoAssistError(f"{what}: {_why(error)}.") from error


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
