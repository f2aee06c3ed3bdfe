"""The first start, from the first screen to the first word."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QSignalSpy
from PySide6.QtWidgets import QComboBox, QLabel, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from goassist_desktop import sound_check, weights
from goassist_desktop.config import Config
from goassist_desktop.pipeline.endpoints.room import Room
from goassist_desktop.sound_check import WHOLE_S, Echo
from goassist_desktop.supply.pull import Progress, PullCancelled, PullFailed
from goassist_desktop.ui.models import Downloads
from goassist_desktop.ui.setup import Services, Setup, needed
from goassist_desktop.ui.setup_parts import Look
from goassist_desktop.ui.setup_steps import echo_in_words
from goassist_desktop.ui.theme import LIGHT, theme
from tests.fakes.assistant import ScriptedAssistant
from tests.fakes.room_card import RoomCard
from tests.signals import speech
from tests.ui.conftest import SCREENS, Shoot

WELCOME, MICROPHONE, LOUDSPEAKER, READY = range(4)

HELLO = "Hello, I am GoAssist. What can I do for you?"


def put(name: str) -> None:
    folder = weights.models_dir() / name
    folder.mkdir(parents=True, exist_ok=True)
    for file in weights.model(name).files:
        with (folder / file.name).open("wb") as stream:
            stream.truncate(file.size)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GOASSIST_MODELS_DIR", str(tmp_path / "models"))
    monkeypatch.setattr(weights, "memory_bytes", lambda: 16 * 10**9)
    monkeypatch.setattr(sound_check, "RETRY_S", 0.02)
    monkeypatch.setattr(sound_check, "WATCH_S", 0.01)
    monkeypatch.setattr(sound_check, "WAIT_S", 0.005)
    return tmp_path / "models"


@pytest.fixture
def all_here(folder: Path) -> None:
    for model in weights.profile("embedded"):
        put(model.name)


@pytest.fixture
def card() -> RoomCard:
    return RoomCard(Room(120, -6))


class Kept:
    def __init__(self) -> None:
        self.settings: dict[str, str] = {}

    def __call__(self, settings: Mapping[str, str]) -> None:
        self.settings |= settings


@pytest.fixture
def kept() -> Kept:
    return Kept()


Begin = Callable[[], Setup]


@pytest.fixture
def begin(
    qtbot: QtBot, tmp_path: Path, assistant: ScriptedAssistant, card: RoomCard, kept: Kept
) -> Iterator[Begin]:
    downloads = Downloads()
    begun: list[Setup] = []

    def make() -> Setup:
        services = Services(Config(), kept, downloads, card, tmp_path / "state" / "setup.json")
        made = Setup(assistant, services)
        qtbot.addWidget(made)
        made.resize(1280, 800)
        made.show()
        begun.append(made)
        return made

    yield make
    for one in begun:
        one.close_devices()
    downloads.close()


def buttons(of: QWidget) -> dict[str, QPushButton]:
    return {b.text(): b for b in of.findChildren(QPushButton) if b.isVisible()}


def words(of: QWidget) -> str:
    return " | ".join(one.text() for one in of.findChildren(QLabel) if one.isVisible())


def click(qtbot: QtBot, of: QWidget, text: str) -> None:
    qtbot.mouseClick(buttons(of)[text], Qt.MouseButton.LeftButton)


def go_to(qtbot: QtBot, made: Setup, step: int) -> None:
    """By its own buttons."""
    while made.step < step:
        click(qtbot, made, "Not now" if "Not now" in buttons(made) else "Continue")


def listening(qtbot: QtBot, card: RoomCard) -> None:
    qtbot.waitUntil(lambda: card.open_now == 1)


# From the first to the last -----------------------------------------------------------------------


@pytest.mark.usefixtures("all_here")
def test_from_hello_to_the_first_word(
    qtbot: QtBot,
    begin: Begin,
    card: RoomCard,
    assistant: ScriptedAssistant,
    tmp_path: Path,
) -> None:
    state = tmp_path / "state" / "setup.json"
    assert needed(state)
    made = begin()
    finished = QSignalSpy(made.finished)
    assert "Hello, I am GoAssist." in words(made)
    assert "Everything I need is here." in words(made)
    assert card.opened == [], "nobody is listened to yet"
    click(qtbot, made, "Continue")
    assert "Can I hear you?" in words(made)
    listening(qtbot, card)
    card.pass_time(1.0)
    qtbot.waitUntil(lambda: "Listening" in words(made))
    card.pass_time(2.0, speech("beckett", 48_000)[:96_000])
    qtbot.waitUntil(lambda: "Yes, I hear you." in words(made) and card.idle)
    click(qtbot, made, "Continue")
    assert "Do I hear myself?" in words(made)
    click(qtbot, made, "Play the melody")
    assert not buttons(made)["Play the melody"].isEnabled()
    card.pass_time(WHOLE_S)
    qtbot.waitUntil(lambda: "Continue" in buttons(made), timeout=15_000)
    assert "dB of it are removed." in words(made)
    assert card.opened == [("", "")], "the same devices stay open from step to step"
    click(qtbot, made, "Continue")
    assert "All set." in words(made)
    qtbot.waitUntil(lambda: card.open_now == 0)
    click(qtbot, made, "Start talking")
    qtbot.waitUntil(lambda: finished.count() == 1)
    assert assistant.asked == [("start", HELLO)]
    assert not needed(state)


@pytest.mark.usefixtures("all_here")
def test_by_keyboard_alone(qtbot: QtBot, begin: Begin, assistant: ScriptedAssistant) -> None:
    made = begin()
    made.activateWindow()
    finished = QSignalSpy(made.finished)
    for step in (MICROPHONE, LOUDSPEAKER):
        qtbot.keyClick(made, Qt.Key.Key_Return)
        assert made.step == step
    qtbot.keyClick(made, Qt.Key.Key_Left, Qt.KeyboardModifier.AltModifier)
    assert made.step == MICROPHONE
    buttons(made)["Back"].setFocus()
    qtbot.keyClick(made, Qt.Key.Key_Return)
    assert made.step == WELCOME, "Enter presses the button that has the focus"
    go_to(qtbot, made, READY)
    qtbot.keyClick(made, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: finished.count() == 1)
    assert assistant.asked == [("start", HELLO)]


@pytest.mark.usefixtures("all_here")
@pytest.mark.parametrize("step", [WELCOME, MICROPHONE, LOUDSPEAKER, READY])
def test_it_can_be_left_at_any_time(
    qtbot: QtBot,
    begin: Begin,
    card: RoomCard,
    assistant: ScriptedAssistant,
    tmp_path: Path,
    step: int,
) -> None:
    made = begin()
    finished = QSignalSpy(made.finished)
    go_to(qtbot, made, step)
    if step in (MICROPHONE, LOUDSPEAKER):
        listening(qtbot, card)
    qtbot.keyClick(made, Qt.Key.Key_Escape)
    qtbot.keyClick(made, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: finished.count() == 1)
    assert card.open_now == 0, "the devices are free when the conversation begins"
    assert assistant.asked == [("start", HELLO)]
    assert not needed(tmp_path / "state" / "setup.json")


@pytest.mark.usefixtures("all_here")
def test_where_its_end_can_not_be_noted_it_goes_on_all_the_same(
    qtbot: QtBot, begin: Begin, tmp_path: Path, assistant: ScriptedAssistant
) -> None:
    (tmp_path / "state").write_text("a file where a folder should be")
    made = begin()
    finished = QSignalSpy(made.finished)
    click(qtbot, made, "Skip set-up")
    qtbot.waitUntil(lambda: finished.count() == 1)
    assert assistant.asked == [("start", HELLO)]


# Models -------------------------------------------------------------------------------------------


class Supply:
    """Stands for the network: every model comes half, then waits to be let go."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[str] = []
        self.open = False
        self.fault = ""
        monkeypatch.setattr(weights, "pull", self.pull)

    def pull(
        self,
        name: str,
        *,
        progress: Callable[[Progress], None],
        cancelled: Callable[[], bool],
    ) -> None:
        self.asked.append(name)
        size = weights.model(name).size
        progress(Progress(f"{name}/x", "hub", size // 2, size, size // 2, size))
        while not self.open:
            if cancelled():
                raise PullCancelled("cancelled")
            time.sleep(0.002)
        if self.fault:
            raise PullFailed(self.fault)
        put(name)


def test_missing_models_are_fetched_while_the_set_up_goes_on(
    qtbot: QtBot, begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    supply = Supply(monkeypatch)
    made = begin()
    assert "5 models are still to come, 1.2 GB." in words(made)
    assert supply.asked == [], "nothing is fetched before it is asked for"
    click(qtbot, made, "Get the models (1.2 GB)")
    qtbot.waitUntil(lambda: "you can go on meanwhile" in words(made))
    go_to(qtbot, made, READY)
    start = buttons(made)["Start talking"]
    assert not start.isEnabled(), "there is nothing to talk with yet"
    supply.open = True
    qtbot.waitUntil(start.isEnabled)
    assert supply.asked == [model.name for model in weights.profile("embedded")]
    assert "%" not in words(made)


def test_a_download_can_be_stopped_and_taken_up(
    qtbot: QtBot, begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    supply = Supply(monkeypatch)
    made = begin()
    click(qtbot, made, "Get the models (1.2 GB)")
    qtbot.waitUntil(lambda: "Pause" in buttons(made))
    click(qtbot, made, "Pause")
    qtbot.waitUntil(lambda: "Resume" in buttons(made))
    assert "are here." in words(made)
    supply.open = True
    click(qtbot, made, "Resume")
    qtbot.waitUntil(lambda: "Everything I need is here." in words(made))
    assert set(buttons(made)) == {"Continue", "Skip set-up"}


def test_a_download_that_is_cancelled_is_offered_again(
    qtbot: QtBot, begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    Supply(monkeypatch)
    made = begin()
    click(qtbot, made, "Get the models (1.2 GB)")
    qtbot.waitUntil(lambda: "Cancel" in buttons(made))
    click(qtbot, made, "Cancel")
    qtbot.waitUntil(lambda: "Get the models (1.2 GB)" in buttons(made))


def test_a_failed_download_says_why_and_can_be_tried_again(
    qtbot: QtBot, begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    supply = Supply(monkeypatch)
    supply.fault, supply.open = "x could not be had (hub: y can not be reached: z)", True
    made = begin()
    click(qtbot, made, "Get the models (1.2 GB)")
    qtbot.waitUntil(lambda: "Check the connection to the internet" in words(made))
    qtbot.waitUntil(lambda: len(supply.asked) == 5 and "Try again" in buttons(made))
    assert supply.fault not in words(made)
    click(qtbot, made, "Details")
    assert supply.fault in words(made)
    supply.fault = ""
    click(qtbot, made, "Try again")
    qtbot.waitUntil(lambda: "Everything I need is here." in words(made))


def test_models_that_are_left_out_do_not_hold_anybody_up(
    qtbot: QtBot, begin: Begin, assistant: ScriptedAssistant
) -> None:
    made = begin()
    finished = QSignalSpy(made.finished)
    go_to(qtbot, made, READY)
    assert "Get the models (1.2 GB)" in buttons(made)
    click(qtbot, made, "Skip set-up")
    qtbot.waitUntil(lambda: finished.count() == 1)
    assert assistant.asked == [("start", HELLO)], "which says that the models are missing"


# Sound --------------------------------------------------------------------------------------------


def choose(qtbot: QtBot, made: Setup, device: str) -> None:
    (box,) = (box for box in made.findChildren(QComboBox) if box.isVisible())
    qtbot.waitUntil(lambda: box.count() == 3)
    box.setFocus()
    while box.currentText() != device:
        qtbot.keyClick(box, Qt.Key.Key_Down)


@pytest.mark.usefixtures("all_here")
def test_another_microphone_is_used_at_once_and_kept(
    qtbot: QtBot, begin: Begin, card: RoomCard, kept: Kept
) -> None:
    made = begin()
    go_to(qtbot, made, MICROPHONE)
    listening(qtbot, card)
    choose(qtbot, made, "USB Headset")
    qtbot.waitUntil(lambda: card.opened[-1] == ("USB Headset", ""))
    assert kept.settings == {"audio.input_device": "USB Headset"}
    go_to(qtbot, made, LOUDSPEAKER)
    choose(qtbot, made, "Built-in Audio")
    qtbot.waitUntil(lambda: card.opened[-1] == ("USB Headset", "Built-in Audio"))
    assert kept.settings["audio.output_device"] == "Built-in Audio"


@pytest.mark.usefixtures("all_here")
def test_nobody_is_listened_to_while_it_is_hidden(
    qtbot: QtBot, begin: Begin, card: RoomCard
) -> None:
    made = begin()
    go_to(qtbot, made, MICROPHONE)
    listening(qtbot, card)
    made.hide()
    qtbot.waitUntil(lambda: card.open_now == 0)
    made.show()
    listening(qtbot, card)


@pytest.mark.usefixtures("all_here")
def test_without_a_microphone_it_says_so_and_goes_on_by_itself(
    qtbot: QtBot, begin: Begin, card: RoomCard
) -> None:
    card.broken = "no microphone found: connect one, or start the sound server"
    made = begin()
    go_to(qtbot, made, MICROPHONE)
    qtbot.waitUntil(lambda: "No microphone found: connect one" in words(made))
    card.broken = ""
    qtbot.waitUntil(lambda: "Listening" in words(made))
    assert "No microphone" not in words(made)


@pytest.mark.usefixtures("all_here")
def test_a_microphone_that_is_pulled_out_is_waited_for(
    qtbot: QtBot, begin: Begin, card: RoomCard
) -> None:
    made = begin()
    go_to(qtbot, made, LOUDSPEAKER)
    listening(qtbot, card)
    qtbot.waitUntil(buttons(made)["Play the melody"].isEnabled)
    card.broken = "no microphone found: connect one"
    card.unplug()
    qtbot.waitUntil(lambda: "No microphone found" in words(made))
    assert not buttons(made)["Play the melody"].isEnabled()
    card.broken = ""
    qtbot.waitUntil(buttons(made)["Play the melody"].isEnabled)


@pytest.mark.usefixtures("all_here")
def test_enter_while_the_melody_plays_does_not_leave_the_set_up(
    qtbot: QtBot, begin: Begin, card: RoomCard
) -> None:
    made = begin()
    go_to(qtbot, made, LOUDSPEAKER)
    listening(qtbot, card)
    qtbot.waitUntil(buttons(made)["Play the melody"].isEnabled)
    buttons(made)["Play the melody"].setFocus()
    qtbot.keyClick(made, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: not buttons(made)["Play the melody"].isEnabled())
    assert made.focusWidget() is made
    qtbot.keyClick(made, Qt.Key.Key_Return)
    assert made.step == LOUDSPEAKER and card.open_now == 1
    card.pass_time(WHOLE_S)
    qtbot.waitUntil(lambda: "Continue" in buttons(made), timeout=15_000)
    qtbot.keyClick(made, Qt.Key.Key_Return)
    assert made.step == READY


@pytest.mark.usefixtures("all_here")
def test_headphones_are_right_and_the_melody_can_be_played_again(
    qtbot: QtBot, begin: Begin, card: RoomCard
) -> None:
    card.room = Room()
    made = begin()
    go_to(qtbot, made, LOUDSPEAKER)
    listening(qtbot, card)
    for button in ("Play the melody", "Play it again"):
        qtbot.waitUntil(lambda button=button: buttons(made)[button].isEnabled())
        click(qtbot, made, button)
        card.pass_time(WHOLE_S)
        qtbot.waitUntil(lambda: "Play it again" in buttons(made), timeout=15_000)
        assert "right with headphones" in words(made)


@pytest.mark.parametrize(
    ("echo", "icon", "says"),
    [
        (Echo("removed", -36, -67, 120), "check", "31 dB of it are removed"),
        (Echo("removed", -62, -68, 120), "check", "hardly heard"),
        (Echo("removed", -30, -100, 120), "check", "more than 60 dB of it"),
        (Echo("unheard", -70, -70, 0), "check", "right with headphones"),
        (Echo("loud", -20, -28, 120), "warning", "Turn the loudspeaker down"),
        (Echo("disturbed", -20, -20, 120), "warning", "Play it again when it is quiet"),
        (Echo("silent", -100, -100, 0), "warning", "Is it muted?"),
    ],
)
def test_what_an_echo_means(echo: Echo, icon: str, says: str) -> None:
    shown, text = echo_in_words(echo)
    assert shown == icon and says in text


# How it looks -------------------------------------------------------------------------------------


@pytest.mark.usefixtures("all_here")
def test_the_appearance_changes_at_once_and_is_kept(qtbot: QtBot, begin: Begin, kept: Kept) -> None:
    made = begin()
    go_to(qtbot, made, READY)
    looks = {look.text(): look for look in made.findChildren(Look)}
    assert looks["As the system"].isChecked()
    qtbot.mouseClick(looks["Light"], Qt.MouseButton.LeftButton)
    assert theme().colours is LIGHT
    assert kept.settings == {"window.theme": "light"}


@pytest.mark.usefixtures("all_here")
def test_every_control_has_a_name(qtbot: QtBot, begin: Begin) -> None:
    made = begin()
    for step in range(4):
        go_to(qtbot, made, step)
        for widget in made.findChildren(QWidget):
            takes_keys = widget.isVisible() and widget.focusPolicy() & Qt.FocusPolicy.TabFocus
            if takes_keys and not isinstance(widget, QLabel):
                assert widget.accessibleName() or getattr(widget, "text", str)(), widget


def test_pictures(
    qtbot: QtBot, begin: Begin, card: RoomCard, shoot: Shoot, monkeypatch: pytest.MonkeyPatch
) -> None:
    Supply(monkeypatch)
    made = begin()
    click(qtbot, made, "Get the models (1.2 GB)")
    qtbot.waitUntil(lambda: "Pause" in buttons(made))
    shoot(made, "setup-1-welcome")
    go_to(qtbot, made, MICROPHONE)
    listening(qtbot, card)
    card.pass_time(2.0, speech("beckett", 48_000)[:96_000])
    qtbot.waitUntil(lambda: "Yes, I hear you." in words(made) and card.idle)
    shoot(made, "setup-2-microphone")
    go_to(qtbot, made, LOUDSPEAKER)
    click(qtbot, made, "Play the melody")
    card.pass_time(WHOLE_S)
    qtbot.waitUntil(lambda: "removed" in words(made), timeout=15_000)
    shoot(made, "setup-3-loudspeaker")
    theme().use("contrast", 1.5)
    made.resize(1280, 800)
    assert made.grab().save(str(SCREENS / "setup-3-loudspeaker-contrast-1.5.png"))
    theme().use("dark")
    go_to(qtbot, made, READY)
    shoot(made, "setup-4-ready")
