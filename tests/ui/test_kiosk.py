"""The kiosk as those who stand before it use it: they speak, they tap, they press keys."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable

import pytest
from PySide6.QtCore import QPoint, QSocketNotifier, Qt
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QApplication, QLineEdit, QWidget
from pytestqt.qtbot import QtBot

from goassist_desktop.config import Config, Kiosk
from goassist_desktop.heartbeat import Heartbeat
from goassist_desktop.pipeline.conversation import State
from goassist_desktop.pipeline.events import (
    Notice,
    PartialText,
    ReplyText,
    SpeechStarted,
    StateChanged,
    UserText,
)
from goassist_desktop.ui.kiosk import KioskWindow
from goassist_desktop.ui.pin import PinGuard
from goassist_desktop.ui.ports import AssistantEvent, Loading, Ready, Unable
from tests.fakes.assistant import ScriptedAssistant
from tests.ui.conftest import Shoot

PIN = "2580"
CORNER = QPoint(10, 10)
READY = Ready((), 0.1)


class PlainStage(QWidget):
    """Notes what it is asked to show."""

    def __init__(self) -> None:
        super().__init__()
        self.attract = False
        self.hint = ""
        self.taken: list[AssistantEvent] = []
        self.field = QLineEdit(self)

    def take(self, event: AssistantEvent) -> None:
        self.taken.append(event)

    def set_hint(self, text: str) -> None:
        self.hint = text

    def set_attract(self, attract: bool) -> None:
        self.attract = attract


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def stage(qapp: QApplication) -> PlainStage:
    return PlainStage()


Open = Callable[..., KioskWindow]


@pytest.fixture
def kiosk_of(qtbot: QtBot, assistant: ScriptedAssistant, stage: PlainStage, clock: Clock) -> Open:
    """A kiosk with these settings, on the screen."""

    def show(**settings: object) -> KioskWindow:
        config = dataclasses.replace(Config(), kiosk=Kiosk(**({"pin": PIN} | settings)))  # type: ignore[arg-type]
        kiosk = KioskWindow(assistant, config, stage, clock)
        qtbot.addWidget(kiosk, before_close_func=lambda widget: widget.let_go())
        kiosk.show_kiosk()
        qtbot.waitUntil(kiosk.isActiveWindow)
        return kiosk

    return show


@pytest.fixture
def kiosk(kiosk_of: Open) -> KioskWindow:
    return kiosk_of()


def tap(kiosk: KioskWindow, times: int, at: QPoint = CORNER) -> None:
    for _ in range(times):
        QTest.mouseClick(kiosk, Qt.MouseButton.LeftButton, pos=at)


def chord(kiosk: KioskWindow) -> None:
    held = Qt.KeyboardModifier
    modifiers = held.ControlModifier | held.AltModifier | held.ShiftModifier
    QTest.keyClick(kiosk, Qt.Key.Key_K, modifiers)


def keys(kiosk: KioskWindow, text: str) -> None:
    """Type where the focus is."""
    focus = QApplication.focusWidget()
    assert focus is not None
    QTest.keyClicks(focus, text)


def enter(kiosk: KioskWindow, pin: str) -> None:
    keys(kiosk, pin)
    focus = QApplication.focusWidget()
    assert focus is not None
    QTest.keyClick(focus, Qt.Key.Key_Return)


def pad_is_up(kiosk: KioskWindow) -> bool:
    return kiosk.pad is not None and kiosk.pad.isVisible()


def key(kiosk: KioskWindow, name: str) -> QAbstractButton:
    """A key of the pad, by the name a screen reader gives it."""
    assert kiosk.pad is not None
    (found,) = (k for k in kiosk.pad.findChildren(QAbstractButton) if k.accessibleName() == name)
    return found


# -- the way out -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("press", "held"),
    [
        (Qt.Key.Key_F4, Qt.KeyboardModifier.AltModifier),
        (Qt.Key.Key_Q, Qt.KeyboardModifier.ControlModifier),
        (Qt.Key.Key_W, Qt.KeyboardModifier.ControlModifier),
        (Qt.Key.Key_Escape, Qt.KeyboardModifier.NoModifier),
        (Qt.Key.Key_F11, Qt.KeyboardModifier.NoModifier),
    ],
)
def test_no_key_closes_it_or_reaches_what_lies_below(
    kiosk: KioskWindow, stage: PlainStage, press: Qt.Key, held: Qt.KeyboardModifier
) -> None:
    fired: list[bool] = []
    shortcut = QShortcut(QKeySequence(press | held), kiosk)
    shortcut.activated.connect(lambda: fired.append(True))
    shortcut.setContext(Qt.ShortcutContext.ApplicationShortcut)
    QTest.keyClick(kiosk, press, held)
    assert not fired
    assert kiosk.isVisible()


def test_closing_it_is_refused_and_it_stays_on_the_whole_screen(
    qtbot: QtBot, kiosk: KioskWindow
) -> None:
    assert not kiosk.close()
    assert kiosk.isVisible()
    kiosk.showNormal()
    qtbot.waitUntil(kiosk.isFullScreen)


def test_neither_pointer_nor_tab_gets_into_the_stage(kiosk: KioskWindow, stage: PlainStage) -> None:
    assert kiosk.cursor().shape() == Qt.CursorShape.BlankCursor
    stage.field.setGeometry(200, 200, 300, 40)
    stage.field.show()
    at = QPoint(250, 220)
    assert kiosk.childAt(at) is None
    QTest.mouseClick(kiosk, Qt.MouseButton.LeftButton, pos=at)
    QTest.keyClick(kiosk, Qt.Key.Key_Tab)
    QTest.keyClicks(kiosk, "abc")
    assert QApplication.focusWidget() is kiosk
    assert stage.field.text() == ""


def test_five_taps_into_the_corner_and_the_pin_end_it(qtbot: QtBot, kiosk: KioskWindow) -> None:
    tap(kiosk, 4)
    assert not pad_is_up(kiosk)
    tap(kiosk, 1)
    assert pad_is_up(kiosk)
    with qtbot.waitSignal(kiosk.ended):
        for digit in PIN:
            QTest.mouseClick(key(kiosk, digit), Qt.MouseButton.LeftButton)
        QTest.mouseClick(key(kiosk, "Done"), Qt.MouseButton.LeftButton)
    kiosk.let_go()
    assert not kiosk.isVisible()


def test_a_double_click_is_two_taps(kiosk: KioskWindow) -> None:
    for _ in range(2):
        QTest.mouseClick(kiosk, Qt.MouseButton.LeftButton, pos=CORNER)
        QTest.mouseDClick(kiosk, Qt.MouseButton.LeftButton, pos=CORNER)
    QTest.mouseClick(kiosk, Qt.MouseButton.LeftButton, pos=CORNER)
    assert pad_is_up(kiosk)


def test_slow_taps_and_taps_elsewhere_do_not_count(kiosk: KioskWindow, clock: Clock) -> None:
    for _ in range(12):
        tap(kiosk, 1)
        clock.now_s += 0.8
    assert not pad_is_up(kiosk)
    clock.now_s += 10
    tap(kiosk, 4)
    tap(kiosk, 1, QPoint(kiosk.width() - 10, 10))
    tap(kiosk, 1)
    assert not pad_is_up(kiosk)


def test_keys_ask_for_the_pin_too(qtbot: QtBot, kiosk: KioskWindow) -> None:
    chord(kiosk)
    assert pad_is_up(kiosk)
    keys(kiosk, "99")
    for _ in range(2):
        QTest.keyClick(QApplication.focusWidget(), Qt.Key.Key_Backspace)
    with qtbot.waitSignal(kiosk.ended):
        enter(kiosk, PIN)


def test_the_pad_can_be_cancelled_and_forgets_what_was_typed(
    qtbot: QtBot, kiosk: KioskWindow
) -> None:
    chord(kiosk)
    keys(kiosk, PIN[:3])
    QTest.keyClick(QApplication.focusWidget(), Qt.Key.Key_Escape)
    assert not pad_is_up(kiosk)
    assert QApplication.focusWidget() is kiosk
    chord(kiosk)
    with qtbot.assertNotEmitted(kiosk.ended):
        enter(kiosk, PIN[3:])
    assert pad_is_up(kiosk)


def test_a_pad_that_nobody_touches_goes_away(
    qtbot: QtBot, kiosk: KioskWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert kiosk.pad is not None
    assert kiosk.pad.untouched.interval() == 15_000
    kiosk.pad.untouched.setInterval(50)
    chord(kiosk)
    qtbot.waitUntil(lambda: not pad_is_up(kiosk))


def test_a_wrong_pin_is_said_and_has_to_be_waited_for(qtbot: QtBot, kiosk: KioskWindow) -> None:
    chord(kiosk)
    assert kiosk.pad is not None
    with qtbot.assertNotEmitted(kiosk.ended):
        enter(kiosk, "1111")
        assert kiosk.pad.question.text() == "That was not it.\nPlease wait 2 s."
        assert not key(kiosk, "5").isEnabled()
        enter(kiosk, PIN)
        QTest.keyClick(QApplication.focusWidget(), Qt.Key.Key_Escape)
        chord(kiosk)  # the wait is not lost with the pad
        assert kiosk.pad.question.text() == "Please wait 2 s."
        enter(kiosk, PIN)


def test_the_wait_grows_and_ends() -> None:
    clock = Clock()
    guard = PinGuard(PIN, clock)
    waits = []
    for _ in range(10):
        assert not guard.right("0000")
        waits.append(guard.left_s())
        assert not guard.right(PIN)
        clock.now_s += guard.left_s()
    assert waits == [2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
    assert guard.right(PIN)
    assert not guard.right("0000")
    assert guard.left_s() == 2


@pytest.mark.parametrize("tried", ["", "2", "258", "25801", "\uff12\uff15\uff18\uff10", "02580"])
def test_only_the_pin_is_the_pin(tried: str) -> None:
    assert not PinGuard(PIN).right(tried)
    assert not PinGuard("").right(tried)


def test_without_a_pin_no_gesture_does_anything(kiosk_of: Open) -> None:
    kiosk = kiosk_of(pin="")
    tap(kiosk, 10)
    chord(kiosk)
    assert kiosk.pad is None
    assert QApplication.focusWidget() is kiosk


# -- rest and waking -------------------------------------------------------------------------------


def test_it_waits_for_somebody_and_wakes_when_they_speak(
    kiosk: KioskWindow, stage: PlainStage
) -> None:
    assert stage.hint == "Say hello"
    for event in (Loading(), READY, StateChanged(State.LISTENING, 0)):
        kiosk.take(event)
    assert stage.attract
    kiosk.take(SpeechStarted(100))
    assert not stage.attract
    assert stage.taken[-1] == SpeechStarted(100)


def test_with_a_wake_word_noise_does_not_wake_it(kiosk_of: Open, stage: PlainStage) -> None:
    kiosk = kiosk_of(wake_word="Mira")
    assert stage.hint == "Say “Mira”"
    kiosk.take(READY)
    for event in (SpeechStarted(100), UserText(" ", final=False), ReplyText(1, "Hello!", "")):
        kiosk.take(event)
        assert stage.attract
    kiosk.take(PartialText("what is"))
    assert not stage.attract


def test_left_alone_it_rests_and_forgets(
    qtbot: QtBot, kiosk_of: Open, stage: PlainStage, assistant: ScriptedAssistant
) -> None:
    kiosk = kiosk_of(idle_s=0.1)
    kiosk.take(READY)
    kiosk.take(UserText("Hello", final=True))
    assert not stage.attract
    assert assistant.asked == []
    qtbot.waitUntil(lambda: stage.attract)
    assert assistant.asked == [("sleep",)]


def test_noise_alone_is_nothing_to_forget(
    qtbot: QtBot, kiosk_of: Open, stage: PlainStage, assistant: ScriptedAssistant
) -> None:
    kiosk = kiosk_of(idle_s=0.05)
    kiosk.take(READY)
    kiosk.take(SpeechStarted(100))
    qtbot.waitUntil(lambda: stage.attract)
    assert assistant.asked == []


def test_it_does_not_rest_in_the_middle_of_an_answer(
    qtbot: QtBot, kiosk_of: Open, stage: PlainStage, assistant: ScriptedAssistant
) -> None:
    kiosk = kiosk_of(idle_s=0.05)
    kiosk.take(READY)
    kiosk.take(UserText("Tell me a story", final=True))
    for state in (State.THINKING, State.SPEAKING):
        kiosk.take(StateChanged(state, 0))
    assert not kiosk.idle.isActive()
    kiosk.take(PartialText("mm-hm"))  # which does not stop it
    assert not kiosk.idle.isActive()
    kiosk.take(StateChanged(State.LISTENING, 0))
    qtbot.waitUntil(lambda: stage.attract)
    assert assistant.asked == [("sleep",)]


# -- trouble ---------------------------------------------------------------------------------------


def test_what_keeps_it_from_talking_fills_the_screen_until_it_is_over(
    qtbot: QtBot, kiosk: KioskWindow, stage: PlainStage, assistant: ScriptedAssistant
) -> None:
    assert kiosk.retry.interval() == 5000
    kiosk.take(Unable("no microphone is there", "sound"))
    assert kiosk.message.isVisible()
    assert not stage.isVisible()
    kiosk.take(PartialText("Hello?"))
    assert not kiosk.idle.isActive()
    assert "be right back" in kiosk.message.text
    assert "microphone and loudspeaker are plugged in" in kiosk.message.text
    assert "No microphone is there" in kiosk.message.text
    kiosk.retry.start(1)
    qtbot.waitUntil(lambda: assistant.asked == [("start",)])
    kiosk.take(Loading())
    assert kiosk.message.isVisible()
    kiosk.take(Unable("no microphone is there", "sound"))
    assert kiosk.retry.interval() == 10_000
    kiosk.take(Loading())
    kiosk.take(READY)
    assert not kiosk.message.isVisible()
    assert stage.isVisible()
    assert stage.attract
    assert not kiosk.retry.isActive()


def test_the_pad_comes_up_over_a_failure(qtbot: QtBot, kiosk: KioskWindow) -> None:
    kiosk.take(Unable("model.bin is damaged", "models"))
    tap(kiosk, 5)
    assert kiosk.childAt(key(kiosk, "5").mapTo(kiosk, QPoint(20, 20))) is key(kiosk, "5")
    kiosk.take(Unable("model.bin is damaged", "models"))  # and stays above the next
    assert kiosk.childAt(key(kiosk, "5").mapTo(kiosk, QPoint(20, 20))) is key(kiosk, "5")
    with qtbot.waitSignal(kiosk.ended):
        enter(kiosk, PIN)


def test_a_lost_device_is_told_until_it_is_back(kiosk: KioskWindow) -> None:
    kiosk.take(READY)
    kiosk.take(Notice("warning", "the microphone is gone: waiting for it to come back"))
    assert kiosk.note.isVisible()
    assert kiosk.note.text() == "The microphone is gone: waiting for it to come back"
    kiosk.take(Notice("info", "microphone and loudspeaker are back"))
    assert not kiosk.note.isVisible()
    kiosk.take(Notice("warning", "the face is drawn more simply", "face"))
    assert not kiosk.note.isVisible()
    kiosk.take(Notice("warning", "your microphone is silent: is it muted?"))
    kiosk.take(SpeechStarted(0))
    assert not kiosk.note.isVisible()


# -- its sign of life ------------------------------------------------------------------------------


def test_it_beats_while_it_comes_round(qtbot: QtBot, kiosk: KioskWindow) -> None:
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    kiosk.beat(Heartbeat(writing, ("window",)))
    ready = QSocketNotifier(reading, QSocketNotifier.Type.Read)
    with qtbot.waitSignal(ready.activated):
        pass
    assert os.read(reading, 10) == b"."
    ready.setEnabled(False)
    kiosk.let_go()
    os.close(reading)
    os.close(writing)


# -- pictures --------------------------------------------------------------------------------------


def test_pictures(kiosk: KioskWindow, shoot: Shoot) -> None:
    kiosk.setMinimumSize(1, 1)
    kiosk.take(Notice("warning", "the microphone is gone: waiting for it to come back"))
    chord(kiosk)
    keys(kiosk, "12")
    shoot(kiosk, "kiosk-pin")
    QTest.keyClick(QApplication.focusWidget(), Qt.Key.Key_Escape)
    kiosk.take(Unable("the microphone “USB Audio” is gone", "sound"))
    shoot(kiosk, "kiosk-unable")
