"""The whole window, view by view: nothing is cut, nothing lies over anything, all views agree.

Pictures of each are kept in `build/screens`, to be looked at.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtWidgets import (
    QAbstractScrollArea,
    QLabel,
    QPushButton,
    QScrollArea,
    QStackedWidget,
    QWidget,
)
from pytestqt.qtbot import QtBot

from goassist_desktop import config as settings
from goassist_desktop.config import Config
from goassist_desktop.pipeline.conversation import State
from goassist_desktop.pipeline.endpoints.room import Room
from goassist_desktop.pipeline.events import (
    BargeIn,
    Notice,
    ReplyText,
    StateChanged,
    TurnClosed,
    UserText,
)
from goassist_desktop.pipeline.protocols import EngineInfo
from goassist_desktop.ui import motion
from goassist_desktop.ui.history import HistoryPage
from goassist_desktop.ui.ports import Loading, Ready
from goassist_desktop.ui.program import Parts, Program
from goassist_desktop.ui.settings import SettingsPage, SettingsServices
from goassist_desktop.ui.theme import SIZES, theme
from tests.fakes.assistant import ScriptedAssistant
from tests.fakes.room_card import RoomCard
from tests.fakes.turns import closed
from tests.ui.conftest import SCREENS

VIEWS = ("Talk", "Latency", "History", "Models", "Settings")
ENGINES = (
    EngineInfo("voice_activity", "silero", "silero-vad-6.2", "MIT"),
    EngineInfo("recognition", "whisper", "faster-whisper-tiny.en", "MIT"),
    EngineInfo("language_model", "llama-cpp", "qwen2.5-1.5b-instruct-q4_k_m", "Apache-2.0"),
    EngineInfo("synthesis", "hibari", "hibari-heart", "Apache-2.0"),
)
ASKED = "Could you explain to me why the sky is blue in the daytime and red in the evening?"
ANSWER = "Once upon a time there was a dragon who could not breathe fire, so it baked bread."


def services(file: Path) -> SettingsServices:
    return SettingsServices(
        config_file=file,
        save=lambda changes: None,
        devices=lambda: [],
        test_tone=lambda of: None,
        preview=lambda of, text: None,
        system_prompt=lambda of: "You are a friendly voice assistant.",
        stored=lambda: ["the words of conversations"],
        delete_everything=lambda: None,
        export_diagnostics=lambda path, words: None,
        examine=lambda of: [],
        version="1.2.3",
    )


@pytest.fixture
def program(
    qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, assistant: ScriptedAssistant
) -> Iterator[Program]:
    monkeypatch.setattr(motion, "still", lambda: True)
    monkeypatch.setenv("GOASSIST_MODELS_DIR", str(tmp_path / "models"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    config = settings.changed(Config(), {"privacy.keep_history": True, "window.theme": "dark"})
    made = Program(
        config,
        Parts(
            assistant=lambda config, publish: assistant,
            settings=services(tmp_path / "config.toml"),
            card=RoomCard(Room(120, -6)),
            state=tmp_path,
            runtime=tmp_path,
        ),
    )
    qtbot.addWidget(made.window)
    converse(made)
    yield made
    made.window.stage.close_face()
    made.downloads.close()
    made.history.close()


def converse(program: Program) -> None:
    """A conversation, in which one answer is going on, and something that went wrong."""
    tell = program._bridge.happened.emit
    tell(Loading())
    tell(Ready(ENGINES, 3.2))
    cut = (BargeIn(11_000.0, 11_180.0, "stopped"),)
    late = {"endpoint": 700.0, "decision": 760.0, "first_audio": 2300.0, "audio_end": 4000.0}
    for turn in (
        closed(1, warmup=True),
        closed(2, outcome="interrupted", barge_ins=cut),
        closed(3, outcome="failed", first_audio=None, audio_end=None),
        closed(4, starved_ms=420.0, final_text=900.0, first_token=1500.0, **late),
    ):
        tell(said(turn))
    tell(UserText(ASKED, True))
    tell(StateChanged(State.SPEAKING, 20_000.0))
    tell(ReplyText(5, ANSWER, ANSWER[:40]))
    tell(Notice("error", "the language model failed: out of memory"))


def said(turn: TurnClosed) -> TurnClosed:
    heard = ANSWER if turn.outcome == "completed" else ANSWER[:40]
    return dataclasses.replace(turn, user_text=ASKED, reply_text=ANSWER, heard_text=heard)


def show(qtbot: QtBot, program: Program, view: str) -> QWidget:
    """A view, once all that comes by and by is there."""
    shown = program.window.show_view(view)
    qtbot.wait(60)
    if view == "Latency":
        cells = program.latency._cells
        qtbot.waitUntil(
            lambda: len(program.latency._frame_graphs) == 2 and all(c.isVisible() for c in cells)
        )
        qtbot.wait(60)
    if isinstance(shown, HistoryPage):
        qtbot.waitUntil(lambda: shown._count > 0)
    return shown


def seen(root: QWidget, kind: type[QWidget]) -> list[QWidget]:
    return [one for one in root.findChildren(kind) if one.isVisible()]


def where(widget: QWidget) -> QRect:
    return QRect(widget.mapTo(widget.window(), QPoint(0, 0)), widget.size())


def assert_whole(root: QWidget) -> None:
    """Every text has the room it needs."""
    for one in seen(root, QLabel):
        assert isinstance(one, QLabel)
        if one.sizePolicy().horizontalPolicy() == one.sizePolicy().Policy.Ignored:
            continue  # it is the first to go, and goes as a whole
        if one.wordWrap():
            assert one.height() >= one.heightForWidth(one.width()), one.text()
        else:
            assert one.width() >= one.sizeHint().width(), one.text()
        assert one.height() >= one.fontMetrics().height(), one.text()
    for one in seen(root, QPushButton):
        assert isinstance(one, QPushButton)
        assert one.width() >= one.sizeHint().width(), one.text()
        assert one.height() >= one.sizeHint().height(), one.text()


def assert_apart(root: QWidget) -> None:
    """What lies in a layout lies over nothing else, and within what holds it."""
    for parent in [root, *seen(root, QWidget)]:
        if parent.layout() is None or isinstance(parent, (QStackedWidget, QAbstractScrollArea)):
            continue
        inside = [
            child
            for child in parent.children()
            if isinstance(child, QWidget) and child.isVisible() and not child.isWindow()
        ]
        for one, other in combinations(inside, 2):
            common = one.geometry() & other.geometry()
            assert common.isEmpty(), f"{name(one)} and {name(other)} in {name(parent)}: {common}"
        for one in inside:
            assert parent.rect().contains(one.geometry()), f"{name(one)} leaves {name(parent)}"


def assert_reachable(program: Program) -> None:
    """Whatever the Tab key comes to can be seen, or be scrolled to."""
    window = program.window
    one: QWidget = window.nextInFocusChain()
    while one is not window:
        if one.isVisible() and one.isEnabled() and one.focusPolicy() & Qt.FocusPolicy.TabFocus:
            hidden = one.visibleRegion().isEmpty() and not scrolls(one)
            assert not hidden, f"Tab comes to {name(one)}, which nobody sees"
        one = one.nextInFocusChain()


def scrolls(widget: QWidget) -> bool:
    parent = widget.parentWidget()
    while parent is not None:
        if isinstance(parent, QScrollArea):
            return True
        parent = parent.parentWidget()
    return False


def name(widget: QWidget) -> str:
    text = widget.text() if isinstance(widget, (QLabel, QPushButton)) else ""
    return f"{type(widget).__name__} {text or widget.accessibleName()!r}"


def title_of(view: QWidget) -> QRect:
    """Where its title is written."""
    titles = [one for one in seen(view, QLabel) if one.property("kind") == "heading"]
    return where(min(titles, key=lambda one: where(one).left()))


@pytest.mark.parametrize(
    ("look", "size", "scale"),
    [
        ("dark", (880, 560), 1.0),
        ("light", (1280, 800), 1.5),
        ("contrast", (2560, 1440), 1.0),
    ],
)
def test_every_view(
    qtbot: QtBot, program: Program, look: str, size: tuple[int, int], scale: float
) -> None:
    program.change({"window.theme": look, "window.text_scale": scale})
    window = program.window
    window.resize(*size)
    window.show()
    SCREENS.mkdir(parents=True, exist_ok=True)
    titles = {}
    for view in VIEWS:
        shown = show(qtbot, program, view)
        stem = f"view-{view.lower()}-{look}-{size[0]}x{size[1]}"
        if isinstance(shown, SettingsPage):
            for row in range(shown.list.count()):
                shown.list.setCurrentRow(row)
                qtbot.wait(10)
                assert_whole(window)
                assert_apart(window)
                window.grab().save(str(SCREENS / f"{stem}-{row}.png"))
        else:
            assert_whole(window)
            assert_apart(window)
            window.grab().save(str(SCREENS / f"{stem}.png"))
        assert_reachable(program)
        titles[view] = title_of(shown)
    assert len({title.top() for title in titles.values()}) == 1, titles
    pages = {titles[view].left() for view in VIEWS if view != "Talk"}
    assert len(pages) == 1, titles
    assert all(title.height() >= theme().px(SIZES["title"]) for title in titles.values())
