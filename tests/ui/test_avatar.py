"""The face in the window: its own thread draws, Qt's only shows."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import shiboken6
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from goassist_desktop.avatar import open_face
from goassist_desktop.pipeline.blendshapes import Pose, rest, weights
from goassist_desktop.pipeline.events import Notice
from goassist_desktop.ui import face_thread
from goassist_desktop.ui.avatar import FaceView
from goassist_desktop.ui.face_thread import HURRIED_FPS, FaceThread, Wish, _Easel, differs, fitted
from tests.fakes.assistant import ScriptedAssistant
from tests.fakes.renderer import COLOURS, FlatFace

Make = Callable[..., FaceView]


@pytest.fixture
def face() -> FlatFace:
    return FlatFace()


@pytest.fixture
def make(qtbot: QtBot, assistant: ScriptedAssistant, face: FlatFace) -> Iterator[Make]:
    made: list[FaceView] = []

    def view(size: tuple[int, int] = (300, 200), **kwargs: object) -> FaceView:
        view = FaceView(assistant, "mira", **{"open_face": face, **kwargs})  # type: ignore[arg-type]
        view.resize(*size)
        made.append(view)
        return view

    yield view
    face.go_on.set()
    for each in made:
        if shiboken6.isValid(each):  # or its parent ended it
            each.close()
            each.deleteLater()


def colour_at(view: QWidget, x: int, y: int) -> tuple[int, int, int]:
    picture = view.grab().toImage()
    colour = QColor(picture.pixel(x, y))
    return colour.red(), colour.green(), colour.blue()


def test_what_is_drawn_is_seen_and_told(
    qtbot: QtBot, make: Make, face: FlatFace, assistant: ScriptedAssistant
) -> None:
    view = make()
    view.show()
    qtbot.waitUntil(lambda: colour_at(view, 150, 100) == COLOURS["mira"])
    qtbot.waitUntil(lambda: len(assistant.shown_poses) > 3)
    times = [pose.at_ms for pose in assistant.shown_poses]
    assert times == sorted(set(times))  # each pose once, in order
    assert view.renderer_name == "flat (llvmpipe)"


def test_qts_thread_draws_nothing(qtbot: QtBot, make: Make, face: FlatFace) -> None:
    view = make()
    view.show()
    qtbot.waitUntil(lambda: len(face.sizes) > 2)
    assert threading.main_thread() not in face.threads
    assert len(face.threads) == 1


def test_nothing_runs_before_it_is_seen_and_after_it_is_hidden(
    qtbot: QtBot, make: Make, face: FlatFace, assistant: ScriptedAssistant
) -> None:
    asked: list[Pose] = []
    of_it = assistant.pose

    def pose() -> Pose:
        asked.append(of_it())
        return asked[-1]

    def quiet() -> bool:
        before = len(asked)
        qtbot.wait(80)
        return len(asked) == before

    assistant.pose = pose  # type: ignore[method-assign]
    view = make()
    assert "face" not in {thread.name for thread in threading.enumerate()}
    view.show()
    qtbot.waitUntil(lambda: len(asked) > 2)
    view.hide()
    qtbot.waitUntil(quiet)
    view.show()
    qtbot.waitUntil(lambda: not quiet())


def test_the_picture_fills_the_shape_of_the_widget(
    qtbot: QtBot, make: Make, face: FlatFace
) -> None:
    view = make((1200, 400))
    view.show()
    qtbot.waitUntil(lambda: bool(face.sizes))
    width, height = face.sizes[-1]
    assert width / height == pytest.approx(3.0, rel=0.01)
    assert width * height <= 1.01 * 512**2
    view.resize(300, 600)
    qtbot.waitUntil(lambda: face.sizes[-1] == (300, 600))


def test_corners_are_round_and_edges_are_their_own(
    qtbot: QtBot, make: Make, assistant: ScriptedAssistant
) -> None:
    ground = QWidget()
    qtbot.addWidget(ground)
    ground.setStyleSheet("background: #123456")
    layout = QVBoxLayout(ground)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.addWidget(make())
    ground.resize(700, 650)  # larger than what is drawn: it is scaled
    ground.show()
    qtbot.waitUntil(lambda: colour_at(ground, 350, 300) == COLOURS["mira"])
    for corner in ((0, 0), (699, 0), (0, 649), (699, 649)):
        assert colour_at(ground, *corner) == (0x12, 0x34, 0x56)
    red, green, _ = colour_at(ground, 350, 1)
    assert red > green  # the first row of the picture, and not its last one
    red, green, _ = colour_at(ground, 350, 648)
    assert green > red


def test_somebody_else_takes_the_place_softly(qtbot: QtBot, make: Make, face: FlatFace) -> None:
    view = make()
    view.show()
    qtbot.waitUntil(lambda: colour_at(view, 150, 100) == COLOURS["mira"])
    view.set_person("jonas")
    between: list[tuple[int, int, int]] = []

    def there() -> bool:
        between.append(colour_at(view, 150, 100))
        return between[-1] == COLOURS["jonas"]

    qtbot.waitUntil(there)
    assert set(between) - set(COLOURS.values())  # both could be seen
    assert face.people == ["mira", "jonas"]
    assert face.open_now == 1


def test_a_still_face_costs_no_picture(
    qtbot: QtBot, make: Make, face: FlatFace, assistant: ScriptedAssistant
) -> None:
    asked: list[Pose] = []

    def pose() -> Pose:
        asked.append(Pose(len(asked), rest(), (0.0, 0.0, 0.0), False))
        return asked[-1]

    assistant.pose = pose  # type: ignore[method-assign]
    view = make()
    view.show()
    qtbot.waitUntil(lambda: len(asked) > 10)
    assert len(face.sizes) == 1


def test_what_can_be_seen() -> None:
    pose = Pose(0.0, rest(), (0.0, 0.0, 0.0), False)
    assert not differs(pose, Pose(9.0, weights(jawOpen=0.001), (0.01, 0.0, 0.0), False))
    assert differs(pose, Pose(9.0, weights(jawOpen=0.05), (0.0, 0.0, 0.0), False))
    assert differs(pose, Pose(9.0, rest(), (0.0, 0.0, -0.2), False))


def test_a_size_is_kept_or_made_smaller_in_its_shape() -> None:
    assert fitted((300, 200), 512) == (300, 200)
    assert fitted((2048, 512), 512) == (1024, 256)
    assert fitted((1, 4000), 512)[0] == 1


def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is fast enough, and that is soon known."""
    monkeypatch.setattr(face_thread, "JUDGED", 3)
    monkeypatch.setattr(face_thread, "LEAST_FPS", 1e9)
    monkeypatch.setattr(face_thread, "PAINTED_BELOW_FPS", 1e9)
    monkeypatch.setattr(face_thread, "SEEN_DEGREES", -1.0)  # every pose is drawn


def test_too_slow_is_drawn_smaller_and_then_painted(
    qtbot: QtBot, make: Make, face: FlatFace, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow(monkeypatch)
    notices: list[Notice] = []
    view = make((800, 800))
    view.notice.connect(notices.append)
    view.show()
    qtbot.waitUntil(lambda: view.renderer_name == "painted")
    assert list(dict.fromkeys(face.sizes)) == [(512, 512), (384, 384), (320, 320)]
    assert face.open_now == 0
    qtbot.waitUntil(lambda: any("painted" in notice.what for notice in notices))
    assert all(notice.source == "face" for notice in notices)


def test_a_small_face_is_not_drawn_in_the_same_size_again(
    qtbot: QtBot, make: Make, face: FlatFace, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow(monkeypatch)
    view = make((350, 350))
    view.show()
    qtbot.waitUntil(lambda: view.renderer_name == "painted")
    assert list(dict.fromkeys(face.sizes)) == [(350, 350), (320, 320)]


def test_somewhat_slow_is_not_painted(
    qtbot: QtBot, make: Make, face: FlatFace, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow(monkeypatch)
    monkeypatch.setattr(face_thread, "PAINTED_BELOW_FPS", 0.01)
    view = make((800, 800))
    view.show()
    qtbot.waitUntil(lambda: face.sizes.count((320, 320)) > 8)
    assert view.renderer_name == face.name


def test_slowness_counts_for_nothing_while_the_models_load(
    qtbot: QtBot, make: Make, face: FlatFace, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow(monkeypatch)
    view = make((800, 800))
    view.set_judging(False)
    view.show()
    qtbot.waitUntil(lambda: len(face.sizes) > 8)
    assert set(face.sizes) == {(512, 512)}


def test_what_was_too_slow_is_tried_again_when_it_is_looked_at_again(
    qtbot: QtBot, make: Make, face: FlatFace, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow(monkeypatch)
    view = make((800, 800))
    view.show()
    qtbot.waitUntil(lambda: view.renderer_name == "painted")
    monkeypatch.setattr(face_thread, "LEAST_FPS", 0.01)
    view.hide()
    view.show()
    qtbot.waitUntil(lambda: view.renderer_name == face.name)
    assert face.sizes[-1] == (512, 512)


def test_a_fast_renderer_is_asked_for_more(qtbot: QtBot, make: Make) -> None:
    face = FlatFace("a fast card")
    view = make((900, 800), open_face=face)
    view.show()
    qtbot.waitUntil(lambda: bool(face.sizes) and face.sizes[-1] == (900, 800))


def test_a_driver_that_hangs_holds_up_nobody(
    qtbot: QtBot, make: Make, face: FlatFace, assistant: ScriptedAssistant
) -> None:
    view = make()
    view.show()
    qtbot.waitUntil(lambda: len(assistant.shown_poses) > 0)
    face.go_on.clear()
    view.set_person("jonas")  # a picture that is drawn for sure
    qtbot.waitUntil(lambda: face.people == ["mira", "jonas"])
    assert not view._thread.stop(timeout_s=0.05)
    view.close()
    told = len(assistant.shown_poses)
    face.go_on.set()
    view._thread._thread.join()
    qtbot.wait(1)  # whatever it had sent would come now
    assert len(assistant.shown_poses) == told


def test_a_bug_is_told_and_costs_the_face_alone(
    qtbot: QtBot, make: Make, face: FlatFace, caplog: pytest.LogCaptureFixture
) -> None:
    face.error = RuntimeError("no such thing")
    view = make()
    with qtbot.waitSignal(view.notice, check_params_cb=lambda notice: notice.level == "error"):
        view.show()
    view._thread._thread.join()
    assert "no such thing" in caplog.text
    caplog.clear()
    assert face.open_now == 0


def test_no_thread_outlives_the_widget(qtbot: QtBot, face: FlatFace) -> None:
    view = FaceView(ScriptedAssistant(), "mira", face)
    view.show()
    qtbot.waitUntil(lambda: bool(face.sizes))
    thread = view._thread._thread
    view.deleteLater()
    del view
    qtbot.waitUntil(lambda: not thread.is_alive())
    assert face.open_now == 0


def test_closed_before_it_was_shown(make: Make) -> None:
    view = make()
    view.close()
    view.show()
    assert not view._thread._thread.is_alive()


def test_the_next_is_drawn_once_the_last_was_taken(face: FlatFace) -> None:
    ready = threading.Semaphore(0)
    assistant = ScriptedAssistant()
    thread = FaceThread(
        "mira", assistant.pose, assistant.hurried, ready.release, lambda notice: None, face
    )
    thread.wish(size=(64, 64), running=True)
    thread.start()
    assert ready.acquire(timeout=5)
    assert not ready.acquire(timeout=0.1)
    assert thread.take() is not None
    assert ready.acquire(timeout=5)
    assert thread.stop()


@pytest.mark.parametrize("name", ["flat (llvmpipe)", "a graphics card"])
def test_only_in_software_it_waits_for_what_is_computed(name: str) -> None:
    easel = _Easel(FlatFace(name), lambda notice: None)
    wish = Wish("mira", size=(64, 64), running=True)
    easel.prepare(wish)
    free, hurried = easel.fps(wish, False), easel.fps(wish, True)
    assert hurried == (HURRIED_FPS if "llvmpipe" in name else free)
    easel.close()


def test_what_was_drawn_before_it_was_hidden_is_not_shown_after(face: FlatFace) -> None:
    ready = threading.Semaphore(0)
    assistant = ScriptedAssistant()
    thread = FaceThread(
        "mira", assistant.pose, assistant.hurried, ready.release, lambda notice: None, face
    )
    thread.wish(size=(64, 64), running=True)
    thread.start()
    assert ready.acquire(timeout=5)
    thread.wish(running=False)
    began_ms = assistant.pose().at_ms
    thread.wish(running=True)
    assert ready.acquire(timeout=5)
    frame = thread.take()
    assert thread.stop()
    assert frame is not None
    assert frame.pose.at_ms > began_ms


def test_how_fast_it_is_can_be_asked(
    qtbot: QtBot, make: Make, assistant: ScriptedAssistant
) -> None:
    assistant.jaw = 0.5

    def talking() -> Pose:
        assistant.jaw = 0.9 - assistant.jaw
        return of_it()

    of_it, assistant.pose = assistant.pose, talking  # type: ignore[method-assign]
    view = make()
    view.show()
    qtbot.waitUntil(lambda: len(view.frame_times_ms()) > 3)
    assert all(0 < interval < 5000 for interval in view.frame_times_ms())


def test_mesas_threads_give_way_and_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, name in ((11, "llvmpipe-0"), (12, "goassist"), (13, "goassist:gl0")):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "comm").write_text(f"{name}\n")
    (tmp_path / "14").mkdir()  # ended in between
    lowered: list[tuple[int, int, int]] = []
    monkeypatch.setattr(face_thread, "TASKS", tmp_path)
    monkeypatch.setattr(os, "setpriority", lambda *args: lowered.append(args))
    face_thread.give_way()
    assert sorted(lowered) == [
        (os.PRIO_PROCESS, number, face_thread.NICENESS) for number in (11, 13)
    ]


def test_the_real_face_is_seen(
    qtbot: QtBot, make: Make, shoot: Callable[[QWidget, str], object]
) -> None:
    view = make((360, 360), open_face=open_face)
    view.show()
    qtbot.waitUntil(lambda: view.renderer_name != "", timeout=10_000)
    qtbot.waitUntil(lambda: view._picture is not None and view.fade == 1.0)
    picture = view.grab().toImage()
    colours = {picture.pixel(x, y) for x in range(20, 340, 8) for y in range(20, 340, 8)}
    assert len(colours) > 200


def test_repainting_keeps_the_count_of_none(qtbot: QtBot, make: Make) -> None:
    """Some releases of Qt for Python lose a reference to None with every call, and crash."""
    view = make()
    view.show()
    qtbot.waitUntil(lambda: view._picture is not None)
    before = sys.getrefcount(None)
    for _ in range(200):
        view.repaint()
    assert abs(sys.getrefcount(None) - before) < 60
