"""The latency page, used as a person does: looked at, stepped through, pointed at, saved."""

from __future__ import annotations

import csv
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QImage, QMouseEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QApplication,
    QFileDialog,
    QLabel,
    QLineEdit,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QWidget,
)
from pytestqt.qtbot import QtBot

from goassist_desktop.gpus import Gpu
from goassist_desktop.machine_use import MachineUse
from goassist_desktop.pipeline.events import BargeIn
from goassist_desktop.pipeline.protocols import EngineInfo
from goassist_desktop.ui.graphs import FEWEST_PLACES, FrameGraph, Graph, TurnGraph
from goassist_desktop.ui.latency import LatencyPage
from goassist_desktop.ui.ports import Ready
from goassist_desktop.ui.strip import MachineCard
from goassist_desktop.ui.theme import theme
from goassist_desktop.ui.waterfall import Waterfall
from tests.fakes.turns import closed
from tests.ui.conftest import Shoot

GRAPHS = 5


class Frames:
    """Where the page gets the face's figures from."""

    def __init__(self) -> None:
        self.offsets_ms: list[float] = []
        self.times_ms: list[float] = []
        self.asked = 0

    def offsets(self) -> list[float]:
        self.asked += 1
        return list(self.offsets_ms)

    def times(self) -> list[float]:
        return list(self.times_ms)


@pytest.fixture
def frames() -> Frames:
    return Frames()


@pytest.fixture
def page(qtbot: QtBot, frames: Frames) -> Iterator[LatencyPage]:
    made = LatencyPage(frames.offsets, frames.times)
    qtbot.addWidget(made)
    made.resize(1280, 1600)
    yield made
    made.hide()


def shown(qtbot: QtBot, page: LatencyPage) -> None:
    """On the screen, and with the keyboard."""
    with qtbot.waitExposed(page):
        page.show()
    page.activateWindow()
    page.setFocus()


def with_graphs(qtbot: QtBot, page: LatencyPage) -> None:
    """The same, when all graphs have come."""
    shown(qtbot, page)
    qtbot.waitUntil(lambda: len(page.findChildren(Graph)) == GRAPHS)
    QApplication.processEvents()


def texts(widget: QWidget) -> list[str]:
    return [label.text() for label in widget.findChildren(QLabel) if label.isVisible()]


def named(page: QWidget, name: str) -> QPushButton:
    (found,) = (b for b in page.findChildren(QPushButton) if b.text() == name)
    return found


def graph(page: LatencyPage, title: str) -> Graph:
    (found,) = (g for g in page.findChildren(Graph) if g.accessibleName() == title)
    return found


def told(page: LatencyPage) -> str:
    return page.findChild(Waterfall).accessibleDescription()


def press(page: LatencyPage, key: Qt.Key) -> None:
    QTest.keyClick(page.findChild(Waterfall), key)


def point(graph: Graph, x: float, *, click: bool = False) -> None:
    """Move the pointer over a place of the plot."""
    box = graph.plot.box
    at = graph.plot.mapFromScene(box.mapViewToScene(QPointF(x, box.viewRange()[1][0])))
    if click:
        QTest.mouseClick(graph.plot.viewport(), Qt.MouseButton.LeftButton, pos=at)
        return
    none = Qt.MouseButton.NoButton
    where = QPointF(at)
    moved = QMouseEvent(
        QEvent.Type.MouseMove, where, where, none, none, Qt.KeyboardModifier.NoModifier
    )
    QApplication.sendEvent(graph.plot.viewport(), moved)


def test_the_program_starts_without_the_library_of_the_graphs() -> None:
    script = "import sys, goassist_desktop.ui.latency; sys.exit('pyqtgraph' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


# -- a turn ----------------------------------------------------------------------------------------


def test_before_the_first_turn_it_says_what_there_will_be(qtbot: QtBot, page: LatencyPage) -> None:
    with_graphs(qtbot, page)
    assert "Nothing measured yet" in texts(page)
    assert any("p50 900, p95 1500 ms" in text for text in texts(page))
    assert not named(page, "Save as CSV").isEnabled()
    assert not named(page, "Save picture").isEnabled()
    press(page, Qt.Key.Key_Left)  # to nowhere


def test_a_turn_shows_its_figures(qtbot: QtBot, page: LatencyPage) -> None:
    shown(qtbot, page)
    page.take(closed(4, first_audio=640.0))
    assert {"640", "180", "limit 1500 ms", "limit 250 ms", "warm", "Turn 1"} <= set(texts(page))
    assert "Nothing measured yet" not in texts(page)
    assert told(page).startswith(
        "Turn 1, answered in full, warm. "
        "Response gap 640 ms, within the limit of 1.50 s. TTFA 180 ms, within"
    )


def test_an_overrun_names_who_is_to_blame(qtbot: QtBot, page: LatencyPage) -> None:
    shown(qtbot, page)
    page.take(closed(decision=300.0, first_token=610.0, first_clause=640.0, first_audio=700.0))
    sentence = "The first token took 310 ms after the decision, 220 ms over its share of the TTFA."
    assert sentence in texts(page)
    assert "limit 250 ms, 150 over" in texts(page)
    assert sentence in told(page)
    page.take(closed())
    assert sentence not in texts(page)


def test_barge_ins_silences_and_warm_up_are_told(qtbot: QtBot, page: LatencyPage) -> None:
    shown(qtbot, page)
    barge_in = BargeIn(11_000.0, 11_112.0, "stopped")
    page.take(closed(warmup=True, outcome="interrupted", barge_ins=(barge_in,), starved_ms=340.0))
    told_tags = {"warm-up", "interrupted", "barge-in, stopped", "112", "limit 150 ms"}
    assert told_tags | {"340 ms of silence"} <= set(texts(page))
    tip = page.findChild(Waterfall).tip("reply")
    assert "340 ms of it silent" in tip
    assert "Barge-in: silent after 112 ms, stopped" in tip


def test_a_row_tells_its_numbers_when_it_is_pointed_at(qtbot: QtBot, page: LatencyPage) -> None:
    shown(qtbot, page)
    waterfall = page.findChild(Waterfall)
    assert waterfall.tip("recognition") == ""
    page.take(closed(decision=400.0))
    assert waterfall.tip("first_clause") == (
        "First clause: 80 ms, from 380 ms to 460 ms, 20 ms of it before the decision"
    )
    assert waterfall.tip("ttfa") == "TTFA: 200 ms"


@pytest.mark.parametrize(
    "missing",
    [
        ("onset", "offset", "endpoint"),
        ("first_audio", "audio_end"),
        ("first_token", "first_clause"),
        ("audio_end",),
        ("onset", "offset", "final_text", "first_token", "first_clause", "endpoint", "decision",
         "first_audio", "audio_end"),
    ],
)  # fmt: skip
def test_turns_that_lack_moments_can_be_seen(
    qtbot: QtBot, page: LatencyPage, missing: tuple[str, ...]
) -> None:
    shown(qtbot, page)
    page.take(closed(**dict.fromkeys(missing)))
    page.grab()
    assert "Turn 1" in texts(page)


# -- which turn ------------------------------------------------------------------------------------


def test_the_arrow_keys_step_through_the_turns(qtbot: QtBot, page: LatencyPage) -> None:
    shown(qtbot, page)
    for number in range(1, 5):
        page.take(closed(number, first_audio=600.0 + number))
    assert "Turn 4 of 4" in texts(page)
    press(page, Qt.Key.Key_Left)
    assert "603" in texts(page)
    press(page, Qt.Key.Key_Home)
    assert "601" in texts(page)
    press(page, Qt.Key.Key_Left)
    press(page, Qt.Key.Key_Right)
    assert "602" in texts(page)
    press(page, Qt.Key.Key_End)
    assert "604" in texts(page)


def test_a_chosen_turn_stays_until_the_latest_is_wanted(qtbot: QtBot, page: LatencyPage) -> None:
    shown(qtbot, page)
    for number in range(1, 4):
        page.take(closed(number, first_audio=600.0 + number))
    page.choose(2)
    page.take(closed(4, first_audio=604.0))
    assert "602" in texts(page)
    page.choose(99)
    assert "602" in texts(page)
    page.choose(4)
    page.take(closed(5, first_audio=605.0))
    assert "605" in texts(page)


def test_what_happens_while_it_is_hidden_is_there_when_it_is_shown(
    qtbot: QtBot, page: LatencyPage, frames: Frames
) -> None:
    for number in range(1, 4):
        page.take(closed(number, first_audio=600.0 + number))
    assert not page.findChildren(Graph)
    with_graphs(qtbot, page)
    qtbot.waitUntil(lambda: frames.asked > 2)
    assert "603" in texts(page)
    page.hide()
    asked = frames.asked
    qtbot.wait(100)
    assert frames.asked == asked


def test_the_page_scrolls_by_keyboard(qtbot: QtBot, page: LatencyPage) -> None:
    page.resize(1280, 500)
    with_graphs(qtbot, page)
    bar = page.findChild(QScrollArea).verticalScrollBar()
    press(page, Qt.Key.Key_PageDown)
    assert bar.value() > 0


# -- graphs ----------------------------------------------------------------------------------------


def test_graphs_tell_median_and_percentile_of_the_steady_state(
    qtbot: QtBot, page: LatencyPage
) -> None:
    with_graphs(qtbot, page)
    page.take(closed(1, warmup=True, first_audio=1400.0))
    for number in range(2, 5):
        page.take(closed(number, first_audio=600.0 + number))
    gap = graph(page, "Response gap")
    assert "p50 603   p95 604 ms" in texts(gap)
    assert gap.accessibleDescription().endswith("within the limits")
    page.take(closed(5, first_audio=1800.0))
    assert gap.accessibleDescription().endswith("over the limits")


def test_pointing_at_a_graph_tells_the_value_and_a_click_chooses_the_turn(
    qtbot: QtBot, page: LatencyPage
) -> None:
    with_graphs(qtbot, page)
    page.take(closed(1, warmup=True, first_audio=601.0))
    for number in range(2, 5):
        page.take(closed(number, first_audio=600.0 + number))
    gap = graph(page, "Response gap")
    point(gap, FEWEST_PLACES - 4)
    assert "turn 1: 601 ms, warm-up" in texts(gap)
    QApplication.sendEvent(gap.plot, QEvent(QEvent.Type.Leave))
    assert "p50 603   p95 604 ms" in texts(gap)
    point(gap, FEWEST_PLACES - 3, click=True)
    assert "Turn 2 of 4" in texts(page)


def test_barge_ins_have_a_graph_of_their_own(qtbot: QtBot, page: LatencyPage) -> None:
    with_graphs(qtbot, page)
    page.take(closed(1))
    cut = graph(page, "Barge-in")
    assert not cut.plot.isVisible()
    page.take(closed(2, barge_ins=(BargeIn(0, 90, "resumed"), BargeIn(500, 660, "stopped"))))
    assert cut.plot.isVisible()
    assert "p50 90   p95 160 ms" in texts(cut)


def test_frames_are_drawn_as_they_come(qtbot: QtBot, page: LatencyPage, frames: Frames) -> None:
    with_graphs(qtbot, page)
    face = graph(page, "Face behind sound")
    assert isinstance(face, FrameGraph)
    qtbot.waitUntil(lambda: frames.asked > 1)
    assert not face.plot.isVisible()
    frames.offsets_ms += [10.0, 20.0, -130.0]
    qtbot.waitUntil(face.plot.isVisible)
    qtbot.waitUntil(lambda: "p50 10   p95 20 ms" in texts(face))
    assert face.accessibleDescription().endswith("over the limits")  # much too early
    point(face, 0)
    assert any(text.endswith("s ago: \N{MINUS SIGN}130 to 20 ms") for text in texts(face))
    assert not graph(page, "Time a frame takes").plot.isVisible()


def test_graphs_follow_the_theme(qtbot: QtBot, page: LatencyPage) -> None:
    with_graphs(qtbot, page)
    page.take(closed())
    gap = graph(page, "Response gap")
    assert isinstance(gap, TurnGraph)
    high = gap.plot.height()
    for choice in ("light", "contrast", "dark"):
        theme().use(choice, 1.5)
        picture = gap.plot.grab().toImage()
        assert picture.pixelColor(1, picture.height() - 2) == theme().colour("surface")
    assert gap.plot.height() > high


def test_with_large_text_graphs_stand_below_each_other(qtbot: QtBot, page: LatencyPage) -> None:
    page.resize(1280, 1000)
    with_graphs(qtbot, page)

    def columns() -> int:
        return len({g.x() for g in page.findChildren(Graph)})

    assert columns() == 3
    theme().use("dark", 1.5)
    qtbot.waitUntil(lambda: columns() == 2)


def test_one_far_out_does_not_flatten_the_others(qtbot: QtBot, page: LatencyPage) -> None:
    with_graphs(qtbot, page)
    page.take(closed(1))
    page.take(closed(2, first_audio=60_000.0))
    gap = graph(page, "Response gap")
    assert gap.plot.box.viewRange()[1][1] < 5000
    point(gap, FEWEST_PLACES - 1)
    assert "turn 2: 60000 ms" in texts(gap)


def test_where_there_is_little_room_nothing_is_cut_off(qtbot: QtBot, page: LatencyPage) -> None:
    theme().use("dark", 1.5)
    page.resize(960, 800)
    with_graphs(qtbot, page)
    barge_ins = (BargeIn(0, 90, "resumed"), BargeIn(500, 660, "stopped"))
    page.take(closed(barge_ins=barge_ins, starved_ms=340.0, first_audio=1800.0))
    area = page.findChild(QScrollArea)
    qtbot.waitUntil(lambda: area.widget().width() <= area.viewport().width())


# -- engines and machine ---------------------------------------------------------------------------


def test_the_engines_in_use(qtbot: QtBot, page: LatencyPage) -> None:
    shown(qtbot, page)
    engines = (
        EngineInfo("recognition", "Moonshine", "moonshine-tiny", "MIT"),
        EngineInfo("synthesis", "Hibari", "anny", "MIT"),
    )
    page.take(Ready(engines, 2.0))
    assert {"Understanding words", "Moonshine", "moonshine-tiny", "Hibari"} <= set(texts(page))
    page.take(Ready((EngineInfo("recognition", "Deepgram", "nova", "", cloud=True),), 2.0))
    qtbot.waitUntil(lambda: "Deepgram, in the cloud" in texts(page))
    assert "Moonshine" not in texts(page)


def looks(*uses: MachineUse) -> Callable[[], MachineUse]:
    left = list(uses)
    return lambda: left.pop(0) if len(left) > 1 else left[0]


def test_the_machine_is_looked_at_while_it_is_seen(qtbot: QtBot) -> None:
    card = MachineCard(
        looks(MachineUse(1.5, 4, 1400, 16000, Gpu(0, "Card", 8_000_000_000, 7_600_000_000, 0.37)))
    )
    qtbot.addWidget(card)
    card.show()
    qtbot.waitUntil(lambda: "1.5 of 4 cores" in texts(card))
    assert {"1.4 of 16 GB", "7.6 of 8 GB", "37 %"} <= set(texts(card))
    bars = {bar.accessibleName(): bar.value() for bar in card.findChildren(QProgressBar)}
    assert bars["Processor"] == 375
    assert bars["Graphics memory"] == 950
    card.hide()


def test_without_a_gpu_nothing_is_said_of_one(qtbot: QtBot) -> None:
    card = MachineCard(looks(MachineUse(0.5, 2, 500, 8000, None)))
    qtbot.addWidget(card)
    card.show()
    qtbot.waitUntil(lambda: "0.5 of 2 cores" in texts(card))
    assert not any("Graphics" in text for text in texts(card))
    card.hide()


# -- to keep ---------------------------------------------------------------------------------------


def save(qtbot: QtBot, page: LatencyPage, button: str, file: Path) -> None:
    """As a person does: the button, the name, Enter."""
    qtbot.mouseClick(named(page, button), Qt.MouseButton.LeftButton)
    dialog = page.findChild(QFileDialog)
    with qtbot.waitExposed(dialog):
        pass
    name = dialog.findChild(QLineEdit)
    name.setText(str(file))
    QTest.keyClick(name, Qt.Key.Key_Return)


def test_all_turns_can_be_saved_as_a_table(qtbot: QtBot, page: LatencyPage, tmp_path: Path) -> None:
    shown(qtbot, page)
    for number in (1, 2):
        page.take(closed(number))
    save(qtbot, page, "Save as CSV", tmp_path / "mine")
    qtbot.waitUntil(lambda: f"Saved as {tmp_path / 'mine.csv'}" in texts(page))
    with (tmp_path / "mine.csv").open(newline="") as file:
        assert [line["turn"] for line in csv.DictReader(file)] == ["1", "2"]


def test_the_page_can_be_saved_as_a_picture(
    qtbot: QtBot, page: LatencyPage, tmp_path: Path
) -> None:
    page.resize(1280, 400)  # most of it is scrolled away
    with_graphs(qtbot, page)
    page.take(closed())
    save(qtbot, page, "Save picture", tmp_path / "mine.png")
    qtbot.waitUntil(lambda: any(text.startswith("Saved as") for text in texts(page)))
    picture = QImage(str(tmp_path / "mine.png"))
    assert picture.height() > 800
    assert picture.pixelColor(QPoint(0, 0)) == theme().colour("window")


@pytest.mark.parametrize("kind", ["Save as CSV", "Save picture"])
def test_where_nothing_can_be_saved_it_says_so(
    qtbot: QtBot, page: LatencyPage, kind: str, tmp_path: Path
) -> None:
    shown(qtbot, page)
    page.take(closed())
    save(qtbot, page, kind, tmp_path / "gone" / "mine.x")
    said = (
        f"mine.x could not be saved in {tmp_path / 'gone'}: no such file or directory. "
        "Choose another folder."
    )
    qtbot.waitUntil(lambda: said in texts(page))


# -- how it looks ----------------------------------------------------------------------------------


def test_pictures(qtbot: QtBot, page: LatencyPage, shoot: Shoot) -> None:
    with_graphs(qtbot, page)
    shoot(page, "latency-empty")
    for number in range(1, 40):
        page.take(closed(number, warmup=number < 4, first_audio=560.0 + 40 * (number % 7)))
    for path in shoot(page, "latency"):
        assert path.stat().st_size > 20_000
