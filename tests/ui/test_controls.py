"""The bar of controls, used as people do: by mouse, finger and keyboard."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QEvent, QPoint, Qt
from PySide6.QtGui import QKeyEvent, QPointingDevice, QTouchEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from goassist_desktop.pipeline.conversation import State
from goassist_desktop.pipeline.events import StateChanged
from goassist_desktop.ui.controls import KEY_UP_MS, LONGEST_TEXT, Controls
from goassist_desktop.ui.kit import column
from goassist_desktop.ui.ports import Loading, Ready, Unable
from goassist_desktop.ui.theme import theme
from tests.ui.conftest import Shoot

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def controls(qtbot: QtBot) -> Controls:
    made = Controls()
    made.show_push_to_talk(True)
    qtbot.addWidget(made)
    made.resize(1000, 100)
    with qtbot.waitActive(made):
        made.show()
        made.activateWindow()
    made.take(Ready((), 1.0))
    return made


@pytest.fixture
def held(controls: Controls) -> list[bool]:
    """What was told of the button that is held."""
    told: list[bool] = []
    controls.held.connect(told.append)
    return told


@pytest.fixture
def said(controls: Controls) -> list[str]:
    told: list[str] = []
    controls.said.connect(told.append)
    return told


def test_switches_tell_what_they_are_switched_to(qtbot: QtBot, controls: Controls) -> None:
    told: list[tuple[str, bool]] = []
    controls.muted.connect(lambda on: told.append(("muted", on)))
    controls.captions.connect(lambda on: told.append(("captions", on)))
    for button in (controls.mute_button, controls.mute_button, controls.captions_button):
        qtbot.mouseClick(button, LEFT)
    assert told == [("muted", True), ("muted", False), ("captions", True)]


def test_what_was_switched_elsewhere_is_shown_and_not_told(controls: Controls) -> None:
    told: list[bool] = []
    controls.captions.connect(told.append)
    controls.show_captions(True)
    assert controls.captions_button.isChecked()
    controls.show_captions(False)
    assert not controls.captions_button.isChecked()
    assert told == []


def test_stop_can_be_pressed_while_there_is_something_to_stop(
    qtbot: QtBot, controls: Controls
) -> None:
    able = {}
    for state in State:
        controls.take(StateChanged(state, 0.0))
        able[state] = controls.stop_button.isEnabled()
    assert {state for state, on in able.items() if on} == {
        State.THINKING, State.SPEAKING, State.HELD,
    }  # fmt: skip
    controls.take(StateChanged(State.SPEAKING, 0.0))
    with qtbot.waitSignal(controls.stop):
        qtbot.mouseClick(controls.stop_button, LEFT)
    controls.take(Unable("x", "bug"))
    assert not controls.stop_button.isEnabled()


def test_it_is_held_by_mouse_even_beside_the_button(
    qtbot: QtBot, controls: Controls, held: list[bool]
) -> None:
    button = controls.hold_button
    qtbot.mousePress(button, LEFT)
    assert held == [True]
    qtbot.mouseMove(button, QPoint(300, 300))
    assert held == [True]
    qtbot.mouseRelease(button, LEFT, pos=QPoint(300, 300))
    assert held == [True, False]


def test_it_is_held_by_key_and_repeats_are_none(
    qtbot: QtBot, controls: Controls, held: list[bool]
) -> None:
    button = controls.hold_button
    button.setFocus()
    qtbot.keyPress(button, Qt.Key.Key_Space)
    for kind in (QEvent.Type.KeyRelease, QEvent.Type.KeyPress) * 3:
        repeat = QKeyEvent(kind, Qt.Key.Key_Space, Qt.KeyboardModifier.NoModifier, " ", True)
        QApplication.sendEvent(button, repeat)
    for _ in range(5):  # unmarked, as X11 now and then has them
        qtbot.keyRelease(button, Qt.Key.Key_Space)
        qtbot.keyPress(button, Qt.Key.Key_Space)
    qtbot.wait(2 * KEY_UP_MS)
    assert held == [True]
    qtbot.keyRelease(button, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: held == [True, False])


def test_it_is_held_by_finger(qtbot: QtBot, controls: Controls, held: list[bool]) -> None:
    screen: QPointingDevice = QTest.createTouchDevice()
    at = QPoint(10, 10)
    QTest.touchEvent(controls.hold_button, screen).press(0, at, controls.hold_button).commit()
    assert held == [True]
    far = QPoint(200, 90)
    QTest.touchEvent(controls.hold_button, screen).move(0, far, controls.hold_button).commit()
    assert held == [True]
    QTest.touchEvent(controls.hold_button, screen).release(0, far, controls.hold_button).commit()
    assert held == [True, False]


def test_a_finger_the_system_takes_over_lets_it_go(controls: Controls, held: list[bool]) -> None:
    screen: QPointingDevice = QTest.createTouchDevice()
    button = controls.hold_button
    QTest.touchEvent(button, screen).press(0, QPoint(10, 10), button).commit()
    QApplication.sendEvent(button, QTouchEvent(QEvent.Type.TouchCancel, screen))
    assert held == [True, False]


def test_whatever_takes_it_away_lets_it_go(
    qtbot: QtBot, controls: Controls, held: list[bool]
) -> None:
    button = controls.hold_button

    def lose_focus() -> None:
        controls.input.setFocus()

    def lose_the_window() -> None:
        QApplication.sendEvent(controls, QEvent(QEvent.Type.WindowDeactivate))

    def fail() -> None:
        controls.take(Unable("x", "sound"))

    def load() -> None:
        controls.take(Loading())

    def switch_off() -> None:
        controls.show_push_to_talk(False)

    for take_away in (lose_focus, lose_the_window, fail, load, switch_off):
        controls.take(Ready((), 1.0))
        controls.show_push_to_talk(True)
        button.setFocus()
        assert button.hasFocus()
        qtbot.keyPress(button, Qt.Key.Key_Space)
        assert held == [True], take_away.__name__
        take_away()
        assert held == [True, False], take_away.__name__
        qtbot.keyRelease(button, Qt.Key.Key_Space)
        assert held == [True, False], take_away.__name__
        held.clear()


def test_without_push_to_talk_there_is_nothing_to_hold(qtbot: QtBot) -> None:
    controls = Controls()
    qtbot.addWidget(controls)
    controls.show()
    assert not controls.hold_button.isVisible()


def test_typed_words_are_said(qtbot: QtBot, controls: Controls, said: list[str]) -> None:
    qtbot.keyClicks(controls.input, "  Why is   the sky blue? ")
    qtbot.keyClick(controls.input, Qt.Key.Key_Return)
    assert controls.input.text() == ""
    qtbot.keyClicks(controls.input, "And at night?")
    qtbot.mouseClick(controls.input.send_button, LEFT)
    assert said == ["Why is the sky blue?", "And at night?"]


def test_nothing_is_sent_of_nothing_or_to_nobody(
    qtbot: QtBot, controls: Controls, said: list[str]
) -> None:
    qtbot.keyClicks(controls.input, "   ")
    qtbot.keyClick(controls.input, Qt.Key.Key_Return)
    controls.take(Loading())
    qtbot.keyClicks(controls.input, "Hello")
    qtbot.keyClick(controls.input, Qt.Key.Key_Return)
    assert said == []
    assert controls.input.placeholderText() == "Getting ready …"
    controls.take(Ready((), 1.0))
    qtbot.keyClick(controls.input, Qt.Key.Key_Return)
    assert said == ["Hello"]


def test_too_many_letters_are_told_of_and_not_cut(
    qtbot: QtBot, controls: Controls, said: list[str]
) -> None:
    controls.input.setText("x" * (LONGEST_TEXT - 10))
    assert controls.note.text() == "10 letters left."
    qtbot.keyClicks(controls.input, "y" * 13)
    assert controls.note.text() == "Too long by 3 letters: 2000 at most."
    assert controls.note.isVisible()
    qtbot.keyClick(controls.input, Qt.Key.Key_Return)
    assert said == [] and len(controls.input.text()) == LONGEST_TEXT + 3
    for _ in range(3):
        qtbot.keyClick(controls.input, Qt.Key.Key_Backspace)
    qtbot.keyClick(controls.input, Qt.Key.Key_Return)
    assert len(said[0]) == LONGEST_TEXT
    assert not controls.note.isVisible()


def test_earlier_words_come_back(qtbot: QtBot, controls: Controls) -> None:
    keys = Qt.Key
    for words in ("one", "two", "two"):
        qtbot.keyClicks(controls.input, words)
        qtbot.keyClick(controls.input, keys.Key_Return)
    qtbot.keyClicks(controls.input, "three")
    seen = []
    for key in (keys.Key_Up, keys.Key_Up, keys.Key_Up, keys.Key_Down, keys.Key_Down, keys.Key_Down):
        qtbot.keyClick(controls.input, key)
        seen.append(controls.input.text())
    assert seen == ["two", "one", "one", "two", "three", "three"]


@pytest.mark.parametrize(("width", "scale"), [(480, 1.0), (480, 1.5), (1000, 1.5), (1000, 1.0)])
def test_all_has_room(controls: Controls, width: int, scale: float) -> None:
    theme().use("dark", scale)
    controls.resize(width, controls.sizeHint().height())
    QApplication.processEvents()
    buttons: list[QWidget] = [
        controls.mute_button, controls.hold_button, controls.stop_button, controls.captions_button,
    ]  # fmt: skip
    for one in (*buttons, controls.input):
        assert one.size().height() >= theme().px(44)
        assert controls.rect().contains(one.geometry()), one.accessibleName()
    for one in buttons:
        assert not one.geometry().intersects(controls.input.geometry())
    assert controls.input.width() >= theme().px(260)


def test_whatever_takes_the_keyboard_has_a_name(controls: Controls) -> None:
    found = [
        one for one in controls.findChildren(QWidget) if one.focusPolicy() != Qt.FocusPolicy.NoFocus
    ]
    assert len(found) == 6
    assert all(one.accessibleName() for one in found)


def test_pictures(qtbot: QtBot, shoot: Shoot) -> None:
    controls = Controls()
    controls.show_push_to_talk(True)
    page = QWidget()
    page.setProperty("kind", "page")
    page.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
    qtbot.addWidget(page)
    page.setLayout(column(1, controls, margin=24))
    controls.take(Ready((), 1.0))
    controls.take(StateChanged(State.SPEAKING, 0.0))
    assert len(shoot(page, "controls")) == 4
