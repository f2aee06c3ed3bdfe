"""The transcript, as it is seen, clicked and walked through."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QGuiApplication, QTextCharFormat, QTextCursor
from PySide6.QtWidgets import QApplication, QLabel, QMenu
from pytestqt.qtbot import QtBot

from goassist_desktop.pipeline.clock import INTERVALS
from goassist_desktop.pipeline.events import Outcome, PartialText, ReplyText, TurnClosed, UserText
from goassist_desktop.ui import transcript as module
from goassist_desktop.ui.ports import Loading, Ready, Unable
from goassist_desktop.ui.theme import theme
from goassist_desktop.ui.transcript import QUESTIONS, Transcript
from tests.ui.conftest import Shoot

STORY = "Once upon a time, by a quiet harbour, there lived a lighthouse keeper."


def closed(
    turn_id: int,
    user: str,
    reply: str,
    heard: str | None = None,
    outcome: Outcome = "completed",
    reason: str = "",
) -> TurnClosed:
    gap = dict.fromkeys(INTERVALS) | {"response_gap": 412.0}
    heard = reply if heard is None else heard
    return TurnClosed(turn_id, user, reply, heard, outcome, False, {}, gap, (), 0.0, reason)


def converse(transcript: Transcript, turns: int, first: int = 1) -> None:
    for turn_id in range(first, first + turns):
        words, reply = f"Question {turn_id}?", f"Answer {turn_id}."
        transcript.take(UserText(words, final=True))
        transcript.take(ReplyText(turn_id, reply, ""))
        transcript.take(closed(turn_id, words, reply))


@pytest.fixture
def transcript(qtbot: QtBot) -> Transcript:
    made = Transcript("Mira")
    qtbot.addWidget(made)
    made.resize(460, 640)
    with qtbot.waitExposed(made):
        made.show()
    return made


def letters(transcript: Transcript, words: str) -> QTextCharFormat:
    """How these words are written."""
    found = transcript.view.document().find(words)
    assert not found.isNull(), (words, transcript.view.toPlainText())
    return found.charFormat()


def colour(transcript: Transcript, words: str) -> str:
    return letters(transcript, words).foreground().color().name()


def point_of(transcript: Transcript, words: str) -> QPoint:
    """Its middle, on the viewport."""
    found = transcript.view.document().find(words)
    assert not found.isNull(), (words, transcript.view.toPlainText())
    begin = QTextCursor(found)
    begin.setPosition(found.selectionStart())
    rect = transcript.view.cursorRect(begin).united(transcript.view.cursorRect(found))
    return rect.center()


def click(qtbot: QtBot, transcript: Transcript, words: str) -> None:
    button = Qt.MouseButton.LeftButton
    qtbot.mouseClick(transcript.view.viewport(), button, pos=point_of(transcript, words))


def test_words_are_quiet_until_they_are_final_or_heard(transcript: Transcript) -> None:
    text, quiet = theme().colours.text, theme().colours.quiet
    transcript.take(PartialText("tell me"))
    assert colour(transcript, "tell me") == quiet
    transcript.take(UserText("Tell me a story.", final=True))
    assert colour(transcript, "Tell me a story.") == text
    transcript.take(ReplyText(1, STORY, "Once upon"))
    assert colour(transcript, "Once upon") == text
    assert colour(transcript, "a time") == quiet
    transcript.take(ReplyText(1, STORY, "Once upon a time,"))
    assert colour(transcript, "a time") == text
    transcript.take(closed(1, "Tell me a story.", STORY, "Once upon a time,", "interrupted"))
    assert letters(transcript, "by a quiet harbour").fontStrikeOut()
    assert not letters(transcript, "a time,").fontStrikeOut()
    assert transcript.view.toPlainText().split("\n") == [
        "You", "Tell me a story.", "Mira   412 ms  ·  interrupted", STORY,
    ]  # fmt: skip


def test_text_is_never_markup(transcript: Transcript) -> None:
    transcript.take(UserText("<b>bold</b> &amp; x < y", final=True))
    assert "<b>bold</b> &amp; x < y" in transcript.view.toPlainText()


def test_words_that_come_again_stand_there_once(transcript: Transcript) -> None:
    converse(transcript, 1)
    transcript.take(UserText("Hello.", final=True))
    transcript.take(closed(2, "Hello.", "Hi.", "", "interrupted", "words"))
    transcript.take(PartialText("what"))
    transcript.take(UserText("Hello. What time is it?", final=True))
    transcript.take(ReplyText(3, "Noon.", "Noon."))
    assert transcript.view.toPlainText().count("Hello.") == 1
    assert transcript.view.toPlainText().endswith("\nHello. What time is it?\nMira\nNoon.")


def test_what_is_removed_between_two_turns_leaves_them_whole(transcript: Transcript) -> None:
    transcript.take(UserText("Hello.", final=True))
    transcript.take(closed(1, "Hello.", "Hi.", "", "interrupted", "words"))
    transcript.take(UserText("", final=True))
    transcript.take(closed(2, "", "Sorry?"))
    transcript.take(UserText("Hello. Again.", final=True))
    assert transcript.view.toPlainText() == "Mira   412 ms\nSorry?\nYou\nHello. Again."
    assert colour(transcript, "Sorry?") == theme().colours.text


def test_a_click_chooses_a_turn(qtbot: QtBot, transcript: Transcript) -> None:
    converse(transcript, 3)
    for words, turn_id in (("Answer 2.", 2), ("Question 1?", 1)):
        with qtbot.waitSignal(transcript.turn_chosen) as chosen:
            click(qtbot, transcript, words)
        assert chosen.args == [turn_id]


def test_a_double_click_selects_a_word_and_chooses_nothing(
    qtbot: QtBot, transcript: Transcript
) -> None:
    converse(transcript, 1)
    QApplication.setDoubleClickInterval(100)
    try:
        with qtbot.assertNotEmitted(transcript.turn_chosen, wait=150):
            at = point_of(transcript, "Answer")
            for act in (qtbot.mouseClick, qtbot.mouseDClick):
                act(transcript.view.viewport(), Qt.MouseButton.LeftButton, pos=at)
    finally:
        QApplication.setDoubleClickInterval(400)
    assert transcript.view.textCursor().selectedText() == "Answer"
    qtbot.keyClick(transcript.view, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert QGuiApplication.clipboard().text() == "Answer"
    assert not QGuiApplication.clipboard().mimeData().hasHtml()


def test_the_keyboard_walks_from_turn_to_turn(qtbot: QtBot, transcript: Transcript) -> None:
    converse(transcript, 3)
    transcript.view.setFocus(Qt.FocusReason.TabFocusReason)
    chosen: list[int] = []
    transcript.turn_chosen.connect(chosen.append)
    keys = Qt.Key
    for key in (keys.Key_Return, keys.Key_Up, keys.Key_Up, keys.Key_Up, keys.Key_Return):
        qtbot.keyClick(transcript.view, key)
    qtbot.keyClick(transcript.view, keys.Key_Down)
    qtbot.keyClick(transcript.view, keys.Key_Enter)
    assert chosen == [3, 1, 2]
    qtbot.keyClick(transcript.view, keys.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert QGuiApplication.clipboard().text() == "You: Question 2?\nMira: Answer 2."


def test_the_menu_of_a_turn(qtbot: QtBot, transcript: Transcript) -> None:
    converse(transcript, 2)
    transcript.view.setFocus(Qt.FocusReason.TabFocusReason)
    qtbot.keyClick(transcript.view, Qt.Key.Key_Up)
    menu = transcript.view.menu(transcript.view.turn_at(point_of(transcript, "Answer 1.")))
    copying, wrong = menu.actions()
    copying.trigger()
    assert QGuiApplication.clipboard().text() == "You: Question 1?\nMira: Answer 1."
    with qtbot.waitSignal(transcript.felt_wrong) as felt:
        wrong.trigger()
    assert felt.args == [1]
    menu.close()


def test_a_turn_that_is_not_answered_can_not_feel_wrong(transcript: Transcript) -> None:
    transcript.take(UserText("Hello?", final=True))
    menu: QMenu = transcript.view.menu(transcript.view.turn_at(point_of(transcript, "Hello?")))
    assert [action.isEnabled() for action in menu.actions()] == [True, False]
    menu.close()


def test_the_end_is_followed_until_one_scrolls_up(qtbot: QtBot, transcript: Transcript) -> None:
    bar = transcript.view.verticalScrollBar()
    converse(transcript, 20)
    assert bar.value() == bar.maximum() > 0
    assert not transcript.latest.isVisible()
    transcript.view.setFocus(Qt.FocusReason.TabFocusReason)
    for _ in range(12):
        qtbot.keyClick(transcript.view, Qt.Key.Key_Up)
    above = bar.value()
    assert transcript.latest.isVisible()
    converse(transcript, 5, first=21)
    assert bar.value() == above
    qtbot.mouseClick(transcript.latest, Qt.MouseButton.LeftButton)
    assert bar.value() == bar.maximum()
    assert not transcript.latest.isVisible()
    converse(transcript, 1, first=26)
    assert bar.value() == bar.maximum()


def test_the_oldest_turns_leave_and_the_others_stay_where_they_are(
    qtbot: QtBot, transcript: Transcript, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LONGEST", 20)
    monkeypatch.setattr(module, "TRIM", 5)
    converse(transcript, 25)
    assert "Question 1?" in transcript.view.toPlainText()
    bar = transcript.view.verticalScrollBar()
    bar.setValue(bar.maximum() - 300)
    before = point_of(transcript, "Answer 22.")
    converse(transcript, 1, first=26)
    text = transcript.view.toPlainText()
    assert text.startswith("You\nQuestion 7?\nMira   412 ms\nAnswer 7.")
    assert text.count("Question") == 20
    assert (point_of(transcript, "Answer 22.") - before).manhattanLength() <= 2
    bar.setValue(bar.maximum())
    with qtbot.waitSignal(transcript.turn_chosen) as chosen:
        click(qtbot, transcript, "Answer 26.")
    assert chosen.args == [26]


def test_words_that_come_to_nothing_are_forgotten(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FORGET_MS", 10)
    transcript = Transcript()
    qtbot.addWidget(transcript)
    transcript.take(PartialText("uh"))
    assert "uh" in transcript.view.toPlainText()
    qtbot.waitUntil(lambda: transcript.view.empty)
    assert transcript.view.toPlainText() == ""
    converse(transcript, 1)
    assert transcript.view.toPlainText().startswith("You\nQuestion 1?")


def test_an_empty_one_invites(qtbot: QtBot, transcript: Transcript) -> None:
    question = transcript.invitation.questions[1]
    transcript.take(Loading())
    assert not question.isVisible()
    transcript.take(Ready((), 1.0))
    with qtbot.waitSignal(transcript.suggested) as asked:
        qtbot.mouseClick(question, Qt.MouseButton.LeftButton)
    assert asked.args == [QUESTIONS[1]]
    transcript.take(UserText("Hello.", final=True))
    assert not question.isVisible()
    transcript.clear()
    assert question.isVisible()
    transcript.take(Ready((), 1.0))
    converse(transcript, 1)
    assert transcript.view.toPlainText().startswith("You\nQuestion 1?")


def test_the_invitation_says_how_to_be_heard(transcript: Transcript) -> None:
    def line() -> str:
        return transcript.invitation.findChildren(QLabel)[0].text()

    assert line() == "Say something, or type below."
    transcript.use_push_to_talk(True)
    assert line() == "Hold the button and talk, or type below."
    transcript.take(Unable("x", "bug"))
    assert line() == "Not ready to talk yet."


def test_hovering_tells_how_long_the_answer_took(qtbot: QtBot, transcript: Transcript) -> None:
    converse(transcript, 1)
    port = transcript.view.viewport()
    qtbot.mouseMove(port, pos=point_of(transcript, "Answer 1."))
    assert port.toolTip().startswith("Answered in 412 ms.")
    qtbot.mouseMove(port, pos=QPoint(200, 600))
    assert port.toolTip() == ""


def test_it_takes_the_colours_and_sizes_of_the_theme(transcript: Transcript) -> None:
    converse(transcript, 2)
    before = letters(transcript, "Answer 2.").font().pixelSize()
    theme().use("light", 1.5)
    after = letters(transcript, "Answer 2.")
    assert after.foreground().color().name() == theme().colours.text
    assert after.font().pixelSize() == pytest.approx(1.5 * before, abs=1)
    assert transcript.view.toPlainText().count("Answer") == 2


def test_final_words_are_announced(transcript: Transcript, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(module, "announce", lambda widget, text, urgent=False: told.append(text))
    transcript.take(PartialText("hello"))
    transcript.take(UserText("Hello.", final=True))
    transcript.take(ReplyText(1, "Hi there.", "Hi"))
    transcript.take(closed(1, "Hello.", "Hi there."))
    assert told == ["You: Hello.", "Mira: Hi there."]


def test_pictures(transcript: Transcript, shoot: Shoot) -> None:
    transcript.setProperty("kind", "page")
    transcript.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
    converse(transcript, 1)
    transcript.take(UserText("Tell me a story.", final=True))
    transcript.take(closed(2, "Tell me a story.", STORY, STORY[:29], "interrupted"))
    transcript.take(UserText("And another one, please.", final=True))
    transcript.take(ReplyText(3, STORY, STORY[:29]))
    assert len(shoot(transcript, "transcript")) == 4
