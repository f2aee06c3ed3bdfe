"""What the stage tells of the conversation: word, light and captions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QFontMetricsF, QImage
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from goassist_desktop.pipeline.conversation import State
from goassist_desktop.pipeline.events import (
    PartialText,
    ReplyText,
    StateChanged,
    UserText,
)
from goassist_desktop.ui import motion, subtitle
from goassist_desktop.ui.halo import Halo, share
from goassist_desktop.ui.ports import Loading, Ready, Unable
from goassist_desktop.ui.stage import Stage
from goassist_desktop.ui.subtitle import wrapped
from goassist_desktop.ui.theme import theme
from tests.fakes.assistant import ScriptedAssistant
from tests.fakes.renderer import COLOURS, FlatFace

Make = Callable[..., Stage]
REPLY = (
    "Start in Rome, and give it three days: one for the old city, one for the museums, and one"
    " for doing nothing at all. Then take the train to Florence."
)


@pytest.fixture
def face() -> FlatFace:
    return FlatFace()


@pytest.fixture
def make(qtbot: QtBot, assistant: ScriptedAssistant, face: FlatFace) -> Iterator[Make]:
    made: list[Stage] = []

    def stage(size: tuple[int, int] = (480, 480), **kwargs: object) -> Stage:
        stage = Stage(
            assistant,
            "mira",
            **{"captions": True, "open_face": face, **kwargs},  # type: ignore[arg-type]
        )
        stage.setProperty("kind", "page")
        stage.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        stage.resize(*size)
        made.append(stage)
        return stage

    yield stage
    for each in made:
        each.close_face()
        each.deleteLater()


def entered(stage: Stage, state: State) -> Stage:
    stage.take(StateChanged(state, 0.0))
    return stage


def ring(stage: Stage) -> list[QColor]:
    """Colours along the line around the face: top, right, bottom, left."""
    picture: QImage = stage.grab().toImage()
    wide, high = stage.width(), stage.height()
    room = stage.faces.geometry().left()
    away = room - round(0.42 * room)
    places = (
        (wide // 2, away), (wide - 1 - away, high // 2), (wide // 2, high - 1 - away),
        (away, high // 2),
    )  # fmt: skip
    return [
        max((QColor(picture.pixel(x + dx, y + dy)) for dx in (-1, 0, 1) for dy in (-1, 0, 1)),
            key=lambda colour: colour.saturation() + colour.value())
        for x, y in places
    ]  # fmt: skip


def brightness(stage: Stage) -> list[int]:
    return [colour.value() for colour in ring(stage)]


def halo_of(stage: Stage) -> Halo:
    return cast(Halo, stage.findChild(Halo))


# -- the word --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "word"),
    [
        (State.IDLE, ""),
        (State.LISTENING, "Listening"),
        (State.THINKING, "Thinking"),
        (State.SPEAKING, "Speaking"),
        (State.HELD, "Listening"),
        (State.INTERRUPTED, "Listening"),
    ],
)
def test_the_word_is_that_of_the_state(make: Make, state: State, word: str) -> None:
    stage = entered(make(), state)
    assert stage.state_text == word
    assert stage.accessibleDescription() == word


def test_from_loading_to_a_conversation_and_to_none(make: Make) -> None:
    stage = make()
    stage.take(Loading())
    assert stage.state_text == "Getting ready…"
    stage.take(Ready((), 1.0))
    assert stage.state_text == "Listening"
    stage.take(Unable("no microphone", "sound"))
    assert stage.state_text == "Not ready"
    entered(stage, State.IDLE)  # the last word of the session that ended
    assert stage.state_text == "Not ready"
    stage.take(Loading())
    assert stage.state_text == "Getting ready…"


def test_muted_is_said_while_nobody_speaks(make: Make) -> None:
    stage = entered(make(), State.LISTENING)
    stage.set_muted(True)
    assert stage.state_text == "Muted"
    entered(stage, State.SPEAKING)
    assert stage.state_text == "Speaking"
    entered(stage, State.LISTENING)
    stage.set_muted(False)
    assert stage.state_text == "Listening"


def test_the_key_held_down_is_heard_though_muted(make: Make) -> None:
    stage = entered(make(), State.SPEAKING)
    stage.set_muted(True)
    stage.set_push_to_talk(True)
    assert stage.state_text == "Listening"
    stage.set_push_to_talk(False)
    assert stage.state_text == "Speaking"


# -- the light -------------------------------------------------------------------------------------


def test_the_line_is_as_bright_as_the_microphone_is_loud(
    qtbot: QtBot, make: Make, assistant: ScriptedAssistant
) -> None:
    stage = entered(make(), State.LISTENING)
    stage.show()
    qtbot.waitUntil(lambda: min(brightness(stage)) > 60)
    quiet = min(brightness(stage))
    assistant.level = -12.0
    qtbot.waitUntil(lambda: min(brightness(stage)) > quiet + 60)
    assistant.level = -60.0
    qtbot.waitUntil(lambda: max(brightness(stage)) < quiet + 10)


def test_levels_are_shares_of_what_one_hears() -> None:
    assert share(-90.0) == share(-60.0) == 0.0
    assert share(0.0) == 1.0
    assert 0.3 < share(-35.0) < share(-25.0) < 0.8


def test_a_light_travels_while_it_thinks(qtbot: QtBot, make: Make) -> None:
    stage = entered(make(), State.THINKING)
    stage.show()
    brightest: set[int] = set()

    def been_around() -> bool:
        sides = brightness(stage)
        brightest.add(sides.index(max(sides)))
        return len(brightest) >= 2

    qtbot.waitUntil(been_around)


def test_it_stands_still_where_motion_is_not_wanted(
    qtbot: QtBot, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(motion, "still", lambda: True)
    stage = entered(make(), State.THINKING)
    stage.show()
    qtbot.waitUntil(lambda: max(brightness(stage)) > 100)
    before = brightness(stage)
    qtbot.wait(150)
    assert brightness(stage) == before


def test_speech_rises_from_below(qtbot: QtBot, make: Make, assistant: ScriptedAssistant) -> None:
    assistant.speaking, assistant.jaw = True, 0.35
    stage = entered(make(), State.SPEAKING)
    stage.show()
    qtbot.waitUntil(lambda: brightness(stage)[2] > brightness(stage)[0] + 60)


def test_muted_is_grey(qtbot: QtBot, make: Make, assistant: ScriptedAssistant) -> None:
    assistant.level = -12.0
    theme().use("contrast")  # its greys are free of any tint
    stage = entered(make(), State.LISTENING)
    stage.show()
    qtbot.waitUntil(lambda: max(colour.saturation() for colour in ring(stage)) > 100)
    stage.set_muted(True)
    qtbot.waitUntil(lambda: not halo_of(stage).moving)
    assert max(colour.saturation() for colour in ring(stage)) == 0


def test_the_level_is_asked_for_only_while_it_is_shown(
    qtbot: QtBot, make: Make, assistant: ScriptedAssistant
) -> None:
    asked: list[float] = []

    def level_db() -> float:
        asked.append(-30.0)
        return -30.0

    assistant.level_db = level_db  # type: ignore[method-assign]
    stage = entered(make(), State.LISTENING)
    halo = halo_of(stage)
    assert not halo.moving
    stage.show()
    qtbot.waitUntil(lambda: len(asked) > 2)
    stage.hide()
    assert not halo.moving
    stage.show()
    entered(stage, State.HELD)
    qtbot.waitUntil(lambda: not halo.moving)


# -- captions --------------------------------------------------------------------------------------


def test_what_the_user_says_and_then_what_is_heard(make: Make) -> None:
    stage = make()
    stage.show()
    stage.take(PartialText("where should"))
    assert stage.caption == "where should"
    stage.take(UserText("Where should I go?", final=True))
    assert stage.caption == "Where should I go?"
    stage.take(ReplyText(1, REPLY, ""))
    assert stage.caption == "Where should I go?"
    stage.take(ReplyText(1, REPLY, "Start in Rome,"))
    assert stage.caption == "Start in Rome,"


def test_two_lines_at_most_and_the_latest(make: Make) -> None:
    stage = make()
    stage.show()
    stage.take(ReplyText(1, REPLY, REPLY))
    lines = stage.caption.splitlines()
    assert len(lines) == 2
    assert lines[-1].endswith("Florence.")


def test_words_to_come_move_none_that_are_there() -> None:
    font = theme().font("large")
    whole = wrapped(REPLY, font, 300)
    assert " ".join(whole) == REPLY
    assert all(QFontMetricsF(font).horizontalAdvance(line) <= 300 for line in whole)
    words = REPLY.split()
    for count in range(1, len(words)):
        some = wrapped(" ".join(words[:count]), font, 300)
        assert some[:-1] == whole[: len(some) - 1]


def test_a_word_wider_than_the_line_is_not_lost() -> None:
    assert wrapped("a " + "m" * 200, theme().font("large"), 300) == ["a", "m" * 200]


def test_a_reply_that_ends_does_not_cover_who_speaks_now(make: Make) -> None:
    stage = make()
    stage.show()
    stage.take(ReplyText(1, REPLY, "Start in Rome,"))
    stage.take(PartialText("no wait"))
    stage.take(ReplyText(1, REPLY, "Start in Rome,"))
    assert stage.caption == "no wait"


def test_captions_leave_after_a_while(
    qtbot: QtBot, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subtitle, "STAYS_MS", 20)
    monkeypatch.setattr(subtitle, "FADE_MS", 20)
    stage = make()
    stage.show()
    stage.take(PartialText("hello"))
    assert stage.caption == "hello"
    qtbot.waitUntil(lambda: stage.caption == "")
    stage.take(PartialText("hello again"))
    assert stage.caption == "hello again"


def test_captions_can_be_switched_off_and_on(make: Make) -> None:
    stage = make(captions=False)
    stage.show()
    stage.take(PartialText("hello"))
    assert stage.caption == ""
    stage.show_captions(True)
    assert stage.caption == "hello"


# -- the whole -------------------------------------------------------------------------------------


def test_who_stands_there_can_be_changed(qtbot: QtBot, make: Make, face: FlatFace) -> None:
    stage = make()
    stage.show()
    qtbot.waitUntil(lambda: face.people == ["mira"])
    stage.set_person("jonas")
    qtbot.waitUntil(lambda: face.people == ["mira", "jonas"])


def test_it_waits_for_somebody_darker_and_with_a_hint(qtbot: QtBot, make: Make) -> None:
    stage = make(attract=True)
    stage.set_hint("Say hello")
    stage.show()

    def wall() -> int:
        return QColor(stage.grab().toImage().pixel(240, 200)).value()

    bright = QColor(*COLOURS["mira"]).value()
    qtbot.waitUntil(lambda: 60 < wall() < 0.75 * bright)
    assert stage.state_text == ""
    stage.set_attract(False)
    entered(stage, State.LISTENING)
    qtbot.waitUntil(lambda: wall() == bright)
    assert stage.state_text == "Listening"


def test_without_a_conversation_the_face_is_still_and_dim(
    qtbot: QtBot, make: Make, assistant: ScriptedAssistant
) -> None:
    stage = make()
    stage.show()
    qtbot.waitUntil(lambda: len(assistant.shown_poses) > 0)
    stage.take(Unable("no microphone", "sound"))

    def stopped() -> bool:
        before = len(assistant.shown_poses)
        qtbot.wait(80)
        return len(assistant.shown_poses) == before

    qtbot.waitUntil(stopped)
    shown = len(assistant.shown_poses)
    stage.take(Loading())
    qtbot.waitUntil(lambda: len(assistant.shown_poses) > shown)


def test_the_face_ends_with_the_stage(qtbot: QtBot, make: Make, face: FlatFace) -> None:
    stage = make()
    stage.show()
    qtbot.waitUntil(lambda: bool(face.sizes))
    stage.close_face()
    assert face.open_now == 0


@pytest.mark.parametrize("size", [(480, 480), (1280, 800), (3840, 2160), (1080, 1920)])
def test_everything_has_its_place_in_every_size(
    make: Make, qapp: QApplication, size: tuple[int, int]
) -> None:
    theme().use("dark", 1.5)
    stage = make(size)
    stage.show()
    stage.take(Loading())
    stage.take(ReplyText(1, REPLY, REPLY))
    qapp.processEvents()
    inner = stage.faces.geometry()
    assert stage.rect().contains(inner)
    for child in stage.findChildren(QWidget, options=Qt.FindChildOption.FindDirectChildrenOnly):
        if child is not halo_of(stage):
            assert inner.contains(child.geometry())
    badge, captions = stage._badge.geometry(), stage._subtitle.geometry()
    assert not badge.intersects(captions)


def test_how_it_looks(
    qtbot: QtBot, make: Make, shoot: Callable[[QWidget, str], list[Path]]
) -> None:
    stage = entered(make(), State.LISTENING)
    stage.take(PartialText("where should I go"))
    for path in shoot(stage, "stage"):
        assert path.stat().st_size > 0
