"""Past conversations, as a user comes to them: by mouse and by keys."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtGui import QGuiApplication, QTextCursor
from PySide6.QtWidgets import QFileDialog, QLineEdit, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from goassist_desktop.history_store import HistoryStore
from goassist_desktop.pipeline.errors import GoAssistError
from goassist_desktop.pipeline.events import TurnClosed
from goassist_desktop.ui import kit
from goassist_desktop.ui.confirm import Confirm
from goassist_desktop.ui.history import HistoryPage
from goassist_desktop.ui.history_list import ConversationList, day_of
from goassist_desktop.ui.history_text import AT_A_TIME, ConversationText
from tests.ui.conftest import Shoot

DAY_S = 86400.0
NOON_S = datetime.datetime.now().replace(hour=12, minute=0, second=0).timestamp()


class Past:
    """A store, and a clock that stands where it is put."""

    def __init__(self, path: Path) -> None:
        self.now_s = NOON_S
        self.store = HistoryStore(path, lambda notice: None, lambda: self.now_s)

    def talk(self, days_ago: float, *turns: tuple[str, str], outcome: str = "completed") -> None:
        self.now_s = NOON_S - days_ago * DAY_S
        self.store.begin("Mira")
        for said, heard in turns:
            closed = TurnClosed(1, said, heard, heard, outcome, False, {}, {})  # type: ignore[arg-type]
            self.store.take(closed)
        self.store.settled()


@pytest.fixture
def past(tmp_path: Path) -> Iterator[Past]:
    made = Past(tmp_path / "history" / "history.db")
    yield made
    made.store.close()


@pytest.fixture
def talked(past: Past) -> Past:
    past.talk(9, ("Tell me a story about a lighthouse.", "Once there was a lighthouse keeper."))
    past.talk(1, ("How do I make risotto?", "Soften an onion"), outcome="interrupted")
    past.talk(0, ("What is the capital of Peru?", "Lima."), ("Thank you.", "You are welcome."))
    return past


class User:
    """Somebody at a page that is on the screen."""

    def __init__(self, qtbot: QtBot, page: HistoryPage) -> None:
        self.qtbot, self.page = qtbot, page

    def find(self, kind: type[QWidget], name: str = "") -> QWidget:
        return next(
            w
            for w in self.page.findChildren(kind)
            if w.isVisible() and name in (w.accessibleName(), getattr(w, "text", str)(), "")
        )

    @property
    def list(self) -> ConversationList:
        (found,) = self.page.findChildren(ConversationList)
        return found

    @property
    def search(self) -> QLineEdit:
        (found,) = self.page.findChildren(QLineEdit)
        return found

    def rows(self) -> list[str]:
        model = self.list.model()
        return [model.index(row, 0).data() for row in range(model.rowCount())]

    def sees_rows(self, *rows: str) -> None:
        self.qtbot.waitUntil(lambda: self.rows() == list(rows))

    def reads(self) -> str:
        (text,) = self.page.findChildren(ConversationText)
        return text.toPlainText() if text.isVisible() and text.whole else ""

    def sees(self, text: str) -> bool:
        return any(w.isVisible() and text in w.text() for w in self.page.findChildren(kit.QLabel))

    def click(self, kind: type[QWidget], name: str) -> None:
        self.qtbot.mouseClick(self.find(kind, name), Qt.MouseButton.LeftButton)

    def click_row(self, text: str) -> None:
        row = self.rows().index(text)
        box: QRect = self.list.visualRect(self.list.model().index(row, 0))
        where: QPoint = box.center()
        self.qtbot.mouseClick(self.list.viewport(), Qt.MouseButton.LeftButton, pos=where)

    def press(self, key: Qt.Key, on: QWidget | None = None, ctrl: bool = False) -> None:
        held = Qt.KeyboardModifier.ControlModifier if ctrl else Qt.KeyboardModifier.NoModifier
        self.qtbot.keyClick(on or self.page.focusWidget(), key, held)


def open_page(qtbot: QtBot, past: Past, keeping: bool = True, width: int = 1280) -> User:
    page = HistoryPage(past.store, keeping)
    qtbot.addWidget(page)
    page.resize(width, 800)
    with qtbot.waitExposed(page):
        page.show()
    page.activateWindow()
    user = User(qtbot, page)
    qtbot.waitUntil(lambda: page._jobs.idle)
    return user


@pytest.fixture
def user(qtbot: QtBot, talked: Past) -> User:
    made = open_page(qtbot, talked)
    qtbot.waitUntil(lambda: "Lima." in made.reads())
    return made


PERU, RISOTTO = "What is the capital of Peru?", "How do I make risotto?"
STORY = "Tell me a story about a lighthouse."


# -- days ------------------------------------------------------------------------------------------


def test_days_have_the_names_people_give_them() -> None:
    today = datetime.date(2026, 3, 1)

    def name(*date: int) -> str:
        return day_of(datetime.datetime(*date, 12).timestamp(), today)  # type: ignore[misc]

    assert name(2026, 3, 1) == "Today"
    assert name(2026, 2, 28) == "Yesterday"
    assert name(2026, 2, 27) == "Friday, 27 February"
    assert name(2025, 12, 31) == "Wednesday, 31 December 2025"


def test_conversations_stand_below_their_days(user: User) -> None:
    nine = day_of(NOON_S - 9 * DAY_S, datetime.date.today())
    user.sees_rows("Today", PERU, "Yesterday", RISOTTO, nine, STORY)
    assert user.sees("3 conversations, ")


# -- reading ---------------------------------------------------------------------------------------


def test_the_newest_is_open_and_a_click_opens_another(user: User) -> None:
    assert user.reads() == "\n".join(
        ["You", PERU, "Mira", "Lima.", "You", "Thank you.", "Mira", "You are welcome."]
    )
    assert user.sees("Today, 12:00")
    user.click_row(RISOTTO)
    user.qtbot.waitUntil(lambda: RISOTTO in user.reads())
    assert "Soften an onion …  you interrupted" in user.reads()
    assert user.sees("Yesterday, 12:00")


def test_arrows_go_from_one_to_the_next_past_the_days(user: User) -> None:
    user.press(Qt.Key.Key_Tab)
    user.list.setFocus()
    user.press(Qt.Key.Key_Down)
    assert user.list.currentIndex().data() == RISOTTO
    user.press(Qt.Key.Key_Down)
    assert user.list.currentIndex().data() == STORY
    user.qtbot.waitUntil(lambda: "lighthouse keeper" in user.reads())
    user.press(Qt.Key.Key_Up)
    user.press(Qt.Key.Key_Up)
    assert user.list.currentIndex().data() == PERU


def test_a_long_conversation_comes_whole(qtbot: QtBot, past: Past) -> None:
    many = 3 * AT_A_TIME + 1
    past.talk(0, *((f"question {n}", f"answer {n}") for n in range(many)))
    user = open_page(qtbot, past)
    qtbot.waitUntil(lambda: f"answer {many - 1}" in user.reads())
    assert user.reads().count("question ") == many
    (text,) = user.page.findChildren(ConversationText)
    assert text.verticalScrollBar().maximum() > 0
    assert text.verticalScrollBar().value() == 0


def test_in_a_narrow_window_one_thing_is_shown_at_a_time(qtbot: QtBot, talked: Past) -> None:
    user = open_page(qtbot, talked, width=500)
    assert user.list.isVisible() and user.reads() == ""
    user.list.setFocus()
    user.press(Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: "Lima." in user.reads())
    assert not user.list.isVisible()
    user.click(kit.IconButton, "Back to the list")
    assert user.list.isVisible() and user.list.hasFocus()


def test_screen_readers_are_told_what_when_and_with_whom(user: User) -> None:
    role = Qt.ItemDataRole.AccessibleTextRole
    said = user.list.model().index(1, 0).data(role)
    assert said == f"{PERU}. Today, 12:00, with Mira, 2 turns"
    for widget in (user.list, user.search):
        assert widget.accessibleName()


# -- searching -------------------------------------------------------------------------------------


def test_words_are_looked_for_while_they_are_typed(user: User) -> None:
    user.press(Qt.Key.Key_F, on=user.page, ctrl=True)
    assert user.search.hasFocus()
    user.qtbot.keyClicks(user.search, "lighth")
    nine = day_of(NOON_S - 9 * DAY_S, datetime.date.today())
    user.sees_rows(nine, STORY)
    user.press(Qt.Key.Key_Down)
    user.qtbot.waitUntil(lambda: "lighthouse keeper" in user.reads())
    (text,) = user.page.findChildren(ConversationText)
    marked = QTextCursor(text.document())
    marked.setPosition(text.toPlainText().index("lighth") + 1)
    assert marked.charFormat().fontWeight() > 500
    user.press(Qt.Key.Key_Escape)
    assert user.search.text() == ""
    user.qtbot.waitUntil(lambda: len(user.rows()) == 6)


def test_what_is_not_found_is_said(user: User) -> None:
    user.qtbot.keyClicks(user.search, "zebra")
    user.qtbot.waitUntil(lambda: user.sees("Nothing found for “zebra”."))
    assert not user.list.isVisible()
    user.search.clear()
    user.qtbot.waitUntil(lambda: user.list.isVisible() and len(user.rows()) == 6)


def test_more_comes_as_it_is_scrolled(qtbot: QtBot, past: Past) -> None:
    for number in range(120):
        past.talk(0, (f"question {number}", "yes"))
    user = open_page(qtbot, past)
    assert 50 <= len(user.rows()) < 121

    def at_the_end() -> bool:
        user.list.scrollToBottom()
        return len(user.rows()) == 121

    qtbot.waitUntil(at_the_end)
    assert user.rows() == ["Today", *(f"question {n}" for n in reversed(range(120)))]


# -- taking out ------------------------------------------------------------------------------------


def test_a_conversation_is_copied(user: User) -> None:
    user.click(kit.IconButton, "Copy this conversation")
    copied = QGuiApplication.clipboard().text()
    assert f"You: {PERU}\nMira: Lima." in copied
    assert user.sees("Copied")


def test_a_conversation_is_saved(user: User, tmp_path: Path) -> None:
    target = tmp_path / "peru.txt"
    user.click(kit.IconButton, "Save as a text file")
    (dialog,) = user.page.findChildren(QFileDialog)
    assert "Conversation " in dialog.selectedFiles()[0]
    dialog.selectFile(str(target))
    dialog.accept()
    user.qtbot.waitUntil(lambda: user.sees("Saved as peru.txt"))
    assert f"You: {PERU}\nMira: Lima." in target.read_text()


def test_where_it_can_not_be_saved_that_is_said(user: User, tmp_path: Path) -> None:
    user.page._save_to(str(tmp_path / "nowhere" / "peru.txt"))
    user.qtbot.waitUntil(lambda: user.sees("can not be written: No such file"))


# -- deleting --------------------------------------------------------------------------------------


def answer(user: User, verb: str) -> None:
    (dialog,) = user.page.findChildren(Confirm)
    button = next(b for b in dialog.findChildren(QPushButton) if b.text() == verb)
    user.qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def test_a_conversation_is_deleted_once_that_is_meant(user: User, talked: Past) -> None:
    user.click(kit.IconButton, "Delete this conversation")
    answer(user, "Cancel")
    assert talked.store.count() == 3
    user.list.setFocus()
    user.press(Qt.Key.Key_Delete)
    user.qtbot.waitUntil(lambda: len(user.page.findChildren(Confirm)) == 1)
    answer(user, "Delete")
    nine = day_of(NOON_S - 9 * DAY_S, datetime.date.today())
    user.sees_rows("Yesterday", RISOTTO, nine, STORY)
    user.qtbot.waitUntil(lambda: "Soften an onion" in user.reads())
    assert talked.store.page("Peru").found == ()


def test_the_question_can_be_left_by_keys(user: User, talked: Past) -> None:
    user.list.setFocus()
    user.press(Qt.Key.Key_Delete)
    (dialog,) = user.page.findChildren(Confirm)
    assert dialog.focusWidget().text() == "Cancel"
    user.press(Qt.Key.Key_Escape, on=dialog)
    user.qtbot.waitUntil(lambda: user.page.findChildren(Confirm) == [])
    assert talked.store.count() == 3


def test_all_are_deleted(user: User, talked: Past) -> None:
    user.click(QPushButton, "Delete all …")
    answer(user, "Delete all")
    user.qtbot.waitUntil(lambda: user.sees("No conversations yet"))
    assert talked.store.files() == []


# -- keeping ---------------------------------------------------------------------------------------


def test_where_nothing_is_kept_the_switch_is_offered(qtbot: QtBot, past: Past) -> None:
    user = open_page(qtbot, past, keeping=False)
    assert user.sees("Nothing is kept")
    assert user.sees("Switch on to keep the words of conversations on this machine.")
    with qtbot.waitSignal(user.page.keep) as asked:
        user.press(Qt.Key.Key_Space, on=user.find(kit.Switch, "Keep conversations"))
    assert asked.args == [True]
    assert user.sees("No conversations yet")
    assert not past.store.files()


def test_what_was_kept_before_is_shown_though_nothing_new_is(qtbot: QtBot, talked: Past) -> None:
    user = open_page(qtbot, talked, keeping=False)
    qtbot.waitUntil(lambda: "Lima." in user.reads())
    switch = user.find(kit.Switch, "Keep conversations")
    assert not switch.isChecked()
    with qtbot.waitSignal(user.page.keep) as asked:
        user.click(kit.Switch, "Keep conversations")
    assert asked.args == [True]


def test_the_setting_shows_in_the_switch(user: User) -> None:
    user.page.set_keeping(False)
    assert not user.find(kit.Switch, "Keep conversations").isChecked()


def test_what_is_added_comes_with_the_next_look(user: User, talked: Past) -> None:
    talked.talk(0, ("A new question", "A new answer"))
    user.page.reload()
    user.qtbot.waitUntil(lambda: user.rows()[:3] == ["Today", "A new question", PERU])
    assert "Lima." in user.reads()  # what is read stays open


# -- failures --------------------------------------------------------------------------------------


def test_a_history_that_can_not_be_read_says_why(
    qtbot: QtBot, talked: Past, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise GoAssistError("The history can not be read: the disk is gone.")

    with monkeypatch.context() as patched:
        patched.setattr(HistoryStore, "page", fail)
        user = open_page(qtbot, talked)
        assert user.sees("the disk is gone")
    user.click(QPushButton, "Try again")
    qtbot.waitUntil(lambda: "Lima." in user.reads())
    assert not user.sees("the disk is gone")


def test_pictures(qtbot: QtBot, talked: Past, shoot: Shoot) -> None:
    user = open_page(qtbot, talked)
    qtbot.waitUntil(lambda: "Lima." in user.reads())
    shoot(user.page, "history")
