"""The main window as a whole: its keys, its views, and what covers it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QApplication, QComboBox, QDialog, QLabel, QLineEdit, QWidget
from pytestqt.qtbot import QtBot

from goassist_desktop.config import Config, changed
from goassist_desktop.pipeline.events import Notice, ReplyText, UserText
from goassist_desktop.ui import window
from goassist_desktop.ui.ports import Loading, Ready
from goassist_desktop.ui.stage import Stage
from goassist_desktop.ui.window import MainWindow
from tests.fakes.assistant import ScriptedAssistant
from tests.fakes.renderer import FlatFace
from tests.fakes.turns import closed

CTRL = Qt.KeyboardModifier.ControlModifier
VIEWS = ("Latency", "History", "Models", "Settings")


class View(QWidget):
    """One with a field and a list of choices."""

    def __init__(self) -> None:
        super().__init__()
        self.field = QLineEdit(self)
        self.choice = QComboBox(self)


class Covering(QWidget):
    """What lies over the window, and hears its keys."""

    def __init__(self) -> None:
        super().__init__()
        self.keys: list[int] = []
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.text() or event.key() == Qt.Key.Key_Escape:
            self.keys.append(event.key())


class User:
    """With the keyboard."""

    def __init__(self, qtbot: QtBot, assistant: ScriptedAssistant) -> None:
        self.qtbot, self.asked = qtbot, assistant.asked
        self.window = MainWindow(assistant, Config(), dict.fromkeys(VIEWS, ("history", View)))
        qtbot.addWidget(self.window)
        self.window.show()
        self.window.activateWindow()
        qtbot.waitUntil(self.window.isActiveWindow)

    @property
    def focused(self) -> QWidget:
        found = QApplication.focusWidget()
        assert found is not None
        return found

    def press(
        self, key: Qt.Key, held: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier
    ) -> None:
        self.qtbot.keyClick(self.focused, key, held)

    def view(self, name: str) -> View:
        view = self.window.show_view(name)
        assert isinstance(view, View)
        return view


@pytest.fixture
def user(
    qtbot: QtBot, assistant: ScriptedAssistant, monkeypatch: pytest.MonkeyPatch
) -> Iterator[User]:
    monkeypatch.setattr(window, "Stage", partial(Stage, open_face=FlatFace()))
    user = User(qtbot, assistant)
    user.window.take(Ready((), 1.0))
    yield user
    user.window.use(Config())  # looks at no keys any more
    user.window.stage.close_face()


def test_escape_stops_the_reply_wherever_the_keyboard_is(user: User) -> None:
    user.press(Qt.Key.Key_L, CTRL)
    assert user.focused is user.window.controls.input
    user.press(Qt.Key.Key_Escape)
    user.view("History").choice.setFocus()
    user.press(Qt.Key.Key_Escape)
    assert user.asked == [("stop_talking",)] * 2


def test_escape_on_the_banner_dismisses_it(user: User) -> None:
    user.window.take(Notice("error", "the sound card is no longer served"))
    user.window.banner.action.setFocus()
    user.press(Qt.Key.Key_Escape)
    assert user.window.banner.messages == ()
    assert user.asked == []


def test_what_covers_the_window_has_all_keys_but_quit(user: User, qtbot: QtBot) -> None:
    covering = Covering()
    user.window.cover(covering)
    assert user.focused is covering
    user.press(Qt.Key.Key_Escape)
    user.press(Qt.Key.Key_N, CTRL)
    user.press(Qt.Key.Key_M, CTRL)
    assert covering.keys == [Qt.Key.Key_Escape, Qt.Key.Key_N, Qt.Key.Key_M]
    assert user.asked == []
    with qtbot.waitSignal(user.window.quit_asked):
        user.press(Qt.Key.Key_Q, CTRL)
    user.window.uncover()
    user.press(Qt.Key.Key_N, CTRL)
    assert user.asked == [("restart",)]


def test_every_view_has_a_key(user: User) -> None:
    for number, name in enumerate(("Talk", *VIEWS), start=1):
        user.press(Qt.Key(Qt.Key.Key_0 + number), CTRL)
        assert user.window.show_view(name).isVisible()


def test_tab_goes_through_all_that_can_be_done(user: User) -> None:
    user.window.controls.input.setFocus()
    names = []
    for _ in range(12):
        user.press(Qt.Key.Key_Tab)
        names.append(user.focused.accessibleName())
    for wanted in ("Talk", "Mute the microphone", "Captions", "New conversation"):
        assert wanted in names
    assert names.index("Mute the microphone") < names.index("What you want to say")


def test_the_keys_are_listed(user: User, qtbot: QtBot) -> None:
    push_to_talk(user)
    user.press(Qt.Key.Key_F1)
    (dialog,) = user.window.findChildren(QDialog)
    words = {line.text() for line in dialog.findChildren(QLabel)}
    assert {"Stop the reply", "Esc", "Quit", "Ctrl+Q", "Ctrl+Space"} <= words
    qtbot.keyClick(dialog, Qt.Key.Key_Escape)
    assert user.asked == []


def test_a_new_conversation_begins_with_an_empty_sheet(user: User) -> None:
    """What the one before still has to tell belongs to it."""
    user.window.take(UserText("a secret question", final=True))
    user.window.take(ReplyText(1, "a secret answer", "a secret"))
    assert user.window.stage.caption == "a secret"
    user.press(Qt.Key.Key_N, CTRL)
    user.window.take(closed(1, outcome="interrupted"))
    assert user.window.transcript.view.toPlainText() == ""
    user.window.take(Ready((), 0.1))
    assert user.window.stage.caption == ""
    user.window.take(UserText("Hello.", final=True))
    assert "Hello." in user.window.transcript.view.toPlainText()


# -- push to talk ----------------------------------------------------------------------------------


def push_to_talk(user: User) -> None:
    user.window.use(changed(Config(), {"audio.push_to_talk": True}))


def test_ctrl_space_held_down_is_push_to_talk_in_any_view(user: User, qtbot: QtBot) -> None:
    push_to_talk(user)
    field = user.view("History").field
    field.setFocus()
    qtbot.keyPress(field, Qt.Key.Key_Space, CTRL)
    assert user.asked == [("push_to_talk", True)]
    qtbot.keyRelease(field, Qt.Key.Key_Space)  # the other key was let go first
    qtbot.waitUntil(lambda: user.asked[1:] == [("push_to_talk", False)])
    assert field.text() == ""


def test_space_alone_is_push_to_talk_where_it_means_nothing_else(user: User, qtbot: QtBot) -> None:
    push_to_talk(user)
    view = user.view("History")
    for widget in (view.field, view.choice):
        widget.setFocus()
        qtbot.keyClick(widget, Qt.Key.Key_Space)
        if widget is view.choice:
            view.choice.hidePopup()
    assert user.asked == []
    assert view.field.text() == " "
    talk = user.window.show_view("Talk")
    qtbot.keyPress(talk, Qt.Key.Key_Space)
    assert user.asked == [("push_to_talk", True)]
    qtbot.keyRelease(talk, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: user.asked[1:] == [("push_to_talk", False)])


def test_nobody_talks_by_key_while_it_is_not_ready(user: User, qtbot: QtBot) -> None:
    push_to_talk(user)
    user.window.take(Loading())
    qtbot.keyClick(user.window.show_view("Talk"), Qt.Key.Key_Space)
    assert user.asked == []
