"""The banner: what it says and in which order, for how long, and what its button wants."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from goassist_desktop.pipeline.events import Notice
from goassist_desktop.ui import banner as module
from goassist_desktop.ui.banner import Banner
from goassist_desktop.ui.kit import IconButton, column
from goassist_desktop.ui.ports import Loading, Ready, Unable
from goassist_desktop.ui.theme import theme
from tests.ui.conftest import Shoot

GONE = Notice("warning", "the microphone 'USB' stopped: waiting for it to come back")
BACK = Notice("info", "microphone and loudspeaker are back")
LAGS = Notice("warning", "face: lipsync lags; the face rests, speech goes on", "face")
FAILED = Notice("error", "language model: connection lost: timed out")
NO_MICROPHONE = Unable("no microphone found: connect one, or start the sound server", "sound")


@pytest.fixture
def page(qtbot: QtBot) -> QWidget:
    made = QWidget()
    made.setProperty("kind", "page")
    made.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
    made.resize(900, 300)
    qtbot.addWidget(made)
    return made


@pytest.fixture
def banner(qtbot: QtBot, page: QWidget) -> Banner:
    made = Banner()
    page.setLayout(column(made, 1))
    QTest.mouseMove(page, QPoint(880, 280))
    with qtbot.waitExposed(page):
        page.show()
    return made


def headline(banner: Banner) -> str:
    return "" if banner.shown is None else banner.shown.headline


def icon_button(banner: Banner, name: str) -> IconButton:
    return next(one for one in banner.findChildren(IconButton) if one.accessibleName() == name)


def test_it_takes_no_room_until_there_is_something_to_say(qtbot: QtBot, banner: Banner) -> None:
    assert not banner.isVisible()
    banner.take(Notice("info", "face: drawn by llvmpipe"))
    assert not banner.isVisible()
    banner.take(NO_MICROPHONE)
    assert banner.accessibleName() == "There is no microphone."
    qtbot.waitUntil(lambda: banner.height() >= theme().px(50))
    banner.take(Loading())
    qtbot.waitUntil(lambda: not banner.isVisible())
    assert banner.height() == 0


def test_its_button_says_what_is_wanted(qtbot: QtBot, banner: Banner) -> None:
    banner.take(NO_MICROPHONE)
    assert banner.action.text() == "Sound settings"
    qtbot.waitUntil(banner.action.isVisible)
    with qtbot.waitSignal(banner.wanted) as wanted:
        qtbot.mouseClick(banner.action, Qt.MouseButton.LeftButton)
    assert wanted.args == ["sound-settings"]


def test_without_a_way_to_help_there_is_no_button(banner: Banner) -> None:
    banner.take(Notice("error", "the sound system hangs: start the program again"))
    assert not banner.action.isVisibleTo(banner)


def test_what_is_back_takes_the_place_of_what_was_gone(banner: Banner) -> None:
    banner.take(GONE)
    banner.take(BACK)
    assert [one.headline for one in banner.messages] == ["Microphone and loudspeaker are back."]


def test_the_worst_comes_first_and_all_can_be_read(qtbot: QtBot, banner: Banner) -> None:
    banner.take(LAGS)
    banner.take(FAILED)
    banner.take(GONE)
    assert headline(banner) == "The language model stopped."
    seen = []
    for _ in range(4):
        seen.append(headline(banner))
        qtbot.mouseClick(icon_button(banner, "Next message"), Qt.MouseButton.LeftButton)
    assert seen == [
        "The language model stopped.",
        "The microphone is gone.",
        "The face rests for a moment.",
        "The language model stopped.",
    ]


def test_it_is_dismissed_by_button_and_by_key(qtbot: QtBot, banner: Banner) -> None:
    banner.take(FAILED)
    banner.take(GONE)
    qtbot.mouseClick(icon_button(banner, "Dismiss"), Qt.MouseButton.LeftButton)
    assert headline(banner) == "The microphone is gone."
    banner.action.setFocus()
    qtbot.keyClick(banner.action, Qt.Key.Key_Escape)
    assert banner.messages == ()
    qtbot.waitUntil(lambda: not banner.isVisible())


def test_warnings_go_by_themselves_and_errors_stay(
    qtbot: QtBot, banner: Banner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LASTS_MS", {"info": 10, "warning": 20, "error": 10})
    banner.take(FAILED)
    banner.take(GONE)
    banner.take(LAGS)
    assert len(banner.messages) == 3
    qtbot.waitUntil(lambda: len(banner.messages) == 2)
    banner.take(BACK)
    assert len(banner.messages) == 2
    qtbot.waitUntil(lambda: len(banner.messages) == 1)
    assert headline(banner) == "The language model stopped."


def test_it_waits_for_whoever_is_at_it(
    qtbot: QtBot, banner: Banner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LASTS_MS", {"warning": 30})
    monkeypatch.setattr(module, "LOOKED_AT_MS", 10)
    over: list[str] = []
    time_over = Banner._time_over
    monkeypatch.setattr(
        Banner,
        "_time_over",
        lambda self, message: (time_over(self, message), over.append(message.key)),
    )
    banner.take(LAGS)
    banner.action.setFocus()
    assert banner.action.hasFocus()
    qtbot.waitUntil(lambda: len(over) >= 3)
    assert headline(banner) == "The face rests for a moment."
    banner.take(FAILED)  # not while somebody is about to press the button
    assert headline(banner) == "The face rests for a moment."
    banner.action.clearFocus()
    qtbot.waitUntil(lambda: headline(banner) == "The language model stopped.")


def test_being_ready_ends_what_kept_it_from_talking(banner: Banner) -> None:
    banner.take(NO_MICROPHONE)
    banner.take(LAGS)
    banner.take(Ready((), 2.0))
    assert [one.key for one in banner.messages] == ["face"]


def test_it_is_announced_and_a_failure_at_once(
    banner: Banner, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[str, bool]] = []
    monkeypatch.setattr(
        module, "announce", lambda widget, text, *, urgent: told.append((text, urgent))
    )
    banner.take(BACK)
    banner.take(FAILED)
    assert told[0] == ("Microphone and loudspeaker are back.", False)
    assert told[1][0].startswith("The language model stopped. Begin again.")
    assert told[1][1]


@pytest.mark.parametrize(("width", "scale"), [(900, 1.0), (480, 1.0), (480, 1.5)])
def test_all_words_fit(
    qtbot: QtBot, page: QWidget, banner: Banner, width: int, scale: float
) -> None:
    theme().use("dark", scale)
    page.resize(width, 500)
    banner.take(NO_MICROPHONE)
    banner.take(GONE)
    qtbot.waitUntil(lambda: banner.height() >= theme().px(50))
    qtbot.waitUntil(lambda: banner.action.width() >= banner.action.sizeHint().width())
    for words in (banner.action, icon_button(banner, "Next message")):
        corner = words.mapTo(page, QPoint(words.width(), words.height()))
        assert corner.x() <= width and corner.y() <= banner.y() + banner.height()


def test_pictures(page: QWidget, banner: Banner, shoot: Shoot, qtbot: QtBot) -> None:
    banner.take(GONE)
    banner.take(FAILED)
    qtbot.waitUntil(lambda: banner.height() >= theme().px(50))
    assert len(shoot(page, "banner")) == 4
