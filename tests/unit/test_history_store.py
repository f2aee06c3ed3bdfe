"""The words of conversations: kept, found again, and gone when they are deleted."""

from __future__ import annotations

import sqlite3
import stat
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from goassist_desktop import history_store
from goassist_desktop.history_store import HistoryStore, marks
from goassist_desktop.pipeline.errors import GoAssistError
from goassist_desktop.pipeline.events import BargeIn, Notice, PartialText, TurnClosed


def turn(user: str, heard: str = "It is noon.", outcome: str = "completed") -> TurnClosed:
    return TurnClosed(
        turn_id=1,
        user_text=user,
        reply_text=f"{heard} And this was never heard.",
        heard_text=heard,
        outcome=outcome,  # type: ignore[arg-type]
        warmup=False,
        marks_ms={},
        intervals_ms={"response_gap": 412.5},
        barge_ins=(BargeIn(1000.0, 1090.0, "stopped"),),
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "history" / "history.db"


class Told:
    """What the store told the user, and a clock that is put forward."""

    def __init__(self) -> None:
        self.notices: list[Notice] = []
        self.now_s = 1_700_000_000.0

    def take(self, notice: Notice) -> None:
        self.notices.append(notice)


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def store(path: Path, told: Told) -> Iterator[HistoryStore]:
    made = HistoryStore(path, told.take, lambda: told.now_s)
    yield made
    made.close()


def keep(store: HistoryStore, *conversations: list[TurnClosed], persona: str = "Mira") -> None:
    for turns in conversations:
        store.begin(persona)
        for one in turns:
            store.take(one)
    store.settled()


def test_a_conversation_comes_back_as_it_was_heard(store: HistoryStore, told: Told) -> None:
    keep(store, [turn("What time is it?"), turn("And in Rome?", "It is", "interrupted")])
    (summary,) = store.page().found
    assert (summary.persona, summary.turns, summary.preview) == ("Mira", 2, "What time is it?")
    conversation = store.conversation(summary.id)
    assert conversation is not None
    assert conversation.began_s == told.now_s
    assert [(t.user, t.heard, t.outcome) for t in conversation.turns] == [
        ("What time is it?", "It is noon.", "completed"),
        ("And in Rome?", "It is", "interrupted"),
    ]
    figures = conversation.turns[0].figures
    assert figures["intervals_ms"] == {"response_gap": 412.5}
    assert figures["barge_ins_ms"] == [90.0]
    assert "Mira: It is …" in conversation.as_text()
    assert "never heard" not in conversation.as_text()


def test_nothing_is_made_before_there_is_something_to_keep(store: HistoryStore, path: Path) -> None:
    store.begin("Mira")
    store.take(PartialText("What"))
    store.take(turn("", ""))
    store.settled()
    assert store.page().found == ()
    assert store.conversation(1) is None
    store.delete(1)
    store.delete_all()
    assert (store.count(), store.size_bytes()) == (0, 0)
    assert not path.parent.exists()


def test_only_the_user_can_read_it(store: HistoryStore, path: Path) -> None:
    keep(store, [turn("What time is it?")])
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in store.files()} == {0o600}
    assert store.size_bytes() >= path.stat().st_size > 0


def test_it_is_written_by_its_own_thread_and_all_of_it_at_the_end(
    path: Path, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    writers = set()
    insert = HistoryStore._insert

    def watched(self: HistoryStore, waiting: list[tuple[str, object]]) -> None:
        writers.add(threading.current_thread().name)
        insert(self, waiting)

    monkeypatch.setattr(HistoryStore, "_insert", watched)
    store = HistoryStore(path, told.take)
    store.begin("Mira")
    for number in range(5):
        store.take(turn(f"question {number}"))
    store.close()
    store.close()
    store.take(turn("too late"))
    assert writers == {"history"}
    assert HistoryStore(path).page().found[0].turns == 5


def test_pages_follow_each_other_without_a_gap(store: HistoryStore) -> None:
    keep(store, *([turn(f"question {number}")] for number in range(7)))
    seen: list[str] = []
    before = None
    while True:
        page = store.page(before=before, limit=3)
        seen += [summary.preview for summary in page.found]
        if page.before is None:
            break
        before = page.before
    assert seen == [f"question {number}" for number in reversed(range(7))]


WITHOUT_INDEX = pytest.param("this is no SQL", id="without an index")


@pytest.fixture(params=[pytest.param(history_store._INDEX, id="with an index"), WITHOUT_INDEX])
def either(
    request: pytest.FixtureRequest, store: HistoryStore, monkeypatch: pytest.MonkeyPatch
) -> HistoryStore:
    monkeypatch.setattr(history_store, "_INDEX", request.param)
    keep(
        store,
        [turn("What is the capital of Peru?", "Lima."), turn("Thank you.", "You are welcome.")],
        [turn("Tell me about Lima beans.", "They are beans.")],
        [turn("What is a café?", "A place for 100% of coffee.")],
    )
    return store


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("lima", ["Tell me about Lima beans.", "Lima."]),
        ("LIM", ["Tell me about Lima beans.", "Lima."]),
        ("lima peru", ["What is the capital of Peru?"]),
        ("peru welcome", []),
        ('"" AND (', []),
        ("100%", ["A place for 100% of coffee."]),
        ("what", ["What is a café?", "What is the capital of Peru?"]),
        ("; --", []),
        ("  ", ["What is a café?", "Tell me about Lima beans.", "What is the capital of Peru?"]),
    ],
)
def test_words_are_found(either: HistoryStore, words: str, found: list[str]) -> None:
    assert [summary.preview for summary in either.page(words).found] == found


def test_what_was_found_is_marked(store: HistoryStore) -> None:
    long = "and so on " * 40
    keep(store, [turn(f"{long} the Café of Lima {long}")])
    (summary,) = store.page("cafe lima").found
    assert [summary.preview[a:b] for a, b in summary.marked] == ["Café", "Lima"]
    assert len(summary.preview) < 170
    assert summary.preview.startswith("… ")


def test_marks_stand_at_the_beginning_of_words() -> None:
    text = "A bean, urban beans and ÉTÉ"
    assert [text[a:b] for a, b in marks(text, "bean ete")] == ["bean", "bean", "ÉTÉ"]
    assert marks(text, "") == ()


def test_a_page_of_what_was_found_goes_on(store: HistoryStore) -> None:
    keep(store, *([turn(f"lima {number}"), turn("lima again")] for number in range(5)))
    first = store.page("lima", limit=3)
    second = store.page("lima", before=first.before, limit=3)
    assert [s.id for s in (*first.found, *second.found)] == [5, 4, 3, 2, 1]
    assert second.before is None


def secret_is_in(path: Path) -> bool:
    return any(b"xylophone" in file.read_bytes() for file in path.parent.iterdir())


def test_a_deleted_conversation_leaves_no_word_in_the_file(store: HistoryStore, path: Path) -> None:
    keep(store, [turn("xylophone " * 50)], [turn("something else")])
    assert secret_is_in(path)
    store.delete(1)
    assert [summary.preview for summary in store.page().found] == ["something else"]
    assert store.page("xylophone").found == ()
    assert not secret_is_in(path)


def test_what_comes_after_a_deletion_is_a_conversation_again(store: HistoryStore) -> None:
    keep(store, [turn("before")])
    store.delete(1)
    store.take(turn("after"))
    store.settled()
    (summary,) = store.page().found
    assert (summary.id, summary.preview, summary.persona) == (2, "after", "Mira")


def test_deleting_all_removes_the_files(store: HistoryStore, path: Path) -> None:
    keep(store, [turn("xylophone")])
    (path.parent / "history.db.broken").write_bytes(b"xylophone")
    store.delete_all()
    assert list(path.parent.iterdir()) == []
    store.take(turn("after"))
    store.settled()
    assert [summary.preview for summary in store.page().found] == ["after"]


def not_a_database(path: Path) -> None:
    path.write_bytes(b"no database " * 1000)


def half_of_it(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:1024] + b"\xff" * (len(content) - 1024))


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [not_a_database, half_of_it, empty])
@pytest.mark.parametrize("first", ["a turn", "a look"])
def test_a_damaged_file_is_put_aside_and_a_new_one_begun(
    store: HistoryStore, path: Path, told: Told, damage: object, first: str
) -> None:
    keep(store, [turn("before")])
    damage(path)  # type: ignore[operator]
    damaged = path.read_bytes()
    if first == "a look":
        assert store.page().found == ()
    store.take(turn("after"))
    store.settled()
    assert [summary.preview for summary in store.page().found] == ["after"]
    assert path.with_name("history.db.broken").read_bytes() == damaged
    (notice,) = told.notices
    assert "was damaged" in notice.what
    assert str(path.with_name("history.db.broken")) in notice.what


def test_a_second_damaged_file_does_not_replace_the_first(
    store: HistoryStore, path: Path, told: Told
) -> None:
    for text in ("one", "two"):
        keep(store, [turn(text)])
        path.write_bytes(text.encode() * 1000)
        store.page()
    assert path.with_name("history.db.broken").read_bytes().startswith(b"oneone")
    assert path.with_name("history.db.broken-2").read_bytes().startswith(b"twotwo")
    told.notices.clear()


def test_a_full_disk_is_told_of_once_and_the_conversation_goes_on(
    store: HistoryStore, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(store, [turn("before")])
    connect = sqlite3.connect

    def full(*args: object, **kwargs: object) -> sqlite3.Connection:
        database = connect(*args, **kwargs)  # type: ignore[call-overload]
        database.execute("PRAGMA max_page_count = 1")  # it is never less than what is there
        return database

    with monkeypatch.context() as patched:
        patched.setattr(sqlite3, "connect", full)
        store.begin("Jonas")
        for number in range(3):
            store.take(turn(f"too long {number} " + "and so on " * 5000))
        store.settled()
    (notice,) = told.notices
    assert "the disk is full" in notice.what
    store.take(turn("there is room again"))
    store.settled()
    found = [(s.persona, s.preview, s.turns) for s in store.page().found]
    assert found == [("Jonas", "there is room again", 1), ("Mira", "before", 1)]


def test_a_newer_history_is_left_alone(store: HistoryStore, path: Path, told: Told) -> None:
    keep(store, [turn("before")])
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    store.take(turn("after"))
    store.settled()
    with pytest.raises(GoAssistError, match="newer version"):
        store.page()
    (notice,) = told.notices
    assert "is not kept: The history is of a newer version" in notice.what
    assert path.exists()


def test_a_place_that_is_no_folder_is_told_of(tmp_path: Path, told: Told) -> None:
    (tmp_path / "file").touch()
    store = HistoryStore(tmp_path / "file" / "history.db", told.take)
    store.take(turn("before"))
    store.close()
    (notice,) = told.notices
    assert notice.what.startswith("This conversation is not kept: ")


def test_too_much_at_once_is_told_of(
    store: HistoryStore, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()
    insert = HistoryStore._insert

    def slow(self: HistoryStore, waiting: list[tuple[str, object]]) -> None:
        go_on.wait(30)
        insert(self, waiting)

    monkeypatch.setattr(HistoryStore, "_insert", slow)
    for number in range(2 * history_store.WAITING + 10):
        store.take(turn(str(number)))
    go_on.set()
    store.settled()
    (notice,) = told.notices
    assert "the disk is too slow" in notice.what
    assert store.page().found[0].turns >= history_store.WAITING


def test_many_threads_read_while_one_writes(store: HistoryStore) -> None:
    over = threading.Event()

    def read() -> None:
        while not over.is_set():
            for summary in store.page("question").found:
                store.conversation(summary.id)

    with ThreadPoolExecutor(3) as readers:
        reading = [readers.submit(read) for _ in range(3)]
        keep(store, *([turn(f"question {number}")] for number in range(12)))
        store.delete(3)
        over.set()
        for one in reading:
            one.result()
    assert store.count() == 11
