"""The program among others: one at a time, in the tray, where it was, told to end."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QRect, QSize
from PySide6.QtGui import QAction, QImage
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from goassist_desktop.ui import placement, single_instance
from goassist_desktop.ui.app_icon import SIDES, app_icon
from goassist_desktop.ui.ending import Ending
from goassist_desktop.ui.single_instance import SingleInstance
from goassist_desktop.ui.tray import Tray
from tests.ui.conftest import SCREENS

PATIENT_S = 20.0
HD = QRect(0, 0, 1920, 1080)
SMALL = QRect(1920, 0, 1024, 600)

# -- one at a time ---------------------------------------------------------------------------------

CLAIM = """
import sys
from pathlib import Path
from PySide6.QtCore import QCoreApplication
from goassist_desktop.ui.single_instance import SingleInstance
app = QCoreApplication([])
one = SingleInstance(Path(sys.argv[1]))
print("one" if one.claim() else "second", flush=True)
sys.stdin.read()
"""


def another(folder: Path) -> subprocess.Popen[str]:
    """Another process that claims, says what came of it, and waits to be let go."""
    return subprocess.Popen(
        [sys.executable, "-c", CLAIM, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def one(tmp_path: Path, qapp: QApplication) -> Iterator[SingleInstance]:
    made = SingleInstance(tmp_path / "run")
    yield made
    made.release()


def test_the_second_asks_the_first_to_show_itself(
    qtbot: QtBot, one: SingleInstance, tmp_path: Path
) -> None:
    assert one.claim()
    with qtbot.waitSignal(one.show_asked, timeout=round(PATIENT_S * 1000)):
        second = another(tmp_path / "run")
    assert second.communicate(timeout=PATIENT_S)[0] == "second\n"


def test_nobody_else_may_come_near(one: SingleInstance, tmp_path: Path) -> None:
    assert one.claim()
    run = tmp_path / "run"
    assert {path.name for path in run.iterdir()} == {"lock", "socket"}
    for path in (run, *run.iterdir()):
        assert not stat.S_IMODE(path.stat().st_mode) & 0o077


def test_one_that_crashed_is_in_nobodys_way(
    qtbot: QtBot, one: SingleInstance, tmp_path: Path
) -> None:
    crashed = another(tmp_path / "run")
    assert crashed.stdout is not None
    assert crashed.stdout.readline() == "one\n"
    crashed.kill()
    crashed.communicate()
    assert (tmp_path / "run/socket").exists()
    assert one.claim()
    with qtbot.waitSignal(one.show_asked):  # and is heard at the place of the other
        assert not SingleInstance(tmp_path / "run").claim()


def test_of_many_at_once_one_begins(tmp_path: Path) -> None:
    started = [another(tmp_path / "run") for _ in range(4)]
    said = []
    for process in started:
        assert process.stdout is not None
        said.append(process.stdout.readline())
    for process in started:
        process.communicate(timeout=PATIENT_S)
    assert sorted(said) == ["one\n", "second\n", "second\n", "second\n"]


def test_a_first_that_hangs_is_not_waited_for_for_long(
    one: SingleInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert one.claim()
    (tmp_path / "run/socket").unlink()
    monkeypatch.setattr(single_instance, "PATIENCE_S", 0.1)
    assert not SingleInstance(tmp_path / "run").claim()


def test_after_the_first_the_next(one: SingleInstance, tmp_path: Path) -> None:
    assert one.claim()
    one.release()
    one.release()
    next_one = SingleInstance(tmp_path / "run")
    assert next_one.claim()
    next_one.release()


def test_the_folder_is_that_of_the_login(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert single_instance.default_folder() == tmp_path / "goassist"
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "nowhere"))
    assert single_instance.default_folder() == tmp_path / "state/goassist"


# -- the tray --------------------------------------------------------------------------------------


def action(tray: Tray, text: str) -> QAction:
    """An entry of its menu, by what it says."""
    (found,) = (entry for entry in tray.menu.actions() if entry.text() == text)
    return found


@pytest.mark.qt_log_ignore("systemTrayWindowChanged", extend=True)  # there is no tray here
def test_the_tray_shows_hides_mutes_and_quits(qtbot: QtBot) -> None:
    tray = Tray()
    with qtbot.waitSignal(tray.show_asked) as asked:
        action(tray, "Show window").trigger()
    assert asked.args == [True]
    tray.set_shown(True)
    with qtbot.waitSignal(tray.show_asked) as asked:
        action(tray, "Hide window").trigger()
    assert asked.args == [False]
    mute = action(tray, "Mute microphone")
    with qtbot.waitSignal(tray.mute_asked) as asked:
        mute.trigger()
    assert asked.args == [True]
    tray.set_muted(False)  # by a key, say
    assert not mute.isChecked()
    tray.set_muted(True)
    assert mute.isChecked()
    with qtbot.waitSignal(tray.quit_asked):
        action(tray, "Quit").trigger()
    tray.close()


def test_the_mark_can_be_told_from_the_muted_one(qapp: QApplication) -> None:
    SCREENS.mkdir(parents=True, exist_ok=True)
    for side in SIDES:
        pictures: list[QImage] = []
        for muted in (False, True):
            picture = app_icon(muted=muted).pixmap(QSize(side, side)).toImage()
            assert picture.size() == QSize(side, side)
            assert picture.pixelColor(side // 2, side // 2).alpha() > 200
            assert picture.pixelColor(0, 0).alpha() < 100
            picture.save(str(SCREENS / f"icon-{side}{'-muted' * muted}.png"))
            pictures.append(picture)
        middle = [picture.pixelColor(side // 2, side // 2) for picture in pictures]
        assert abs(middle[0].red() - middle[1].red()) > 60


# -- where the window was --------------------------------------------------------------------------


def test_a_first_window_is_of_a_good_size() -> None:
    assert placement.first_area(HD).size() == QSize(1280, 800)
    assert placement.first_area(HD).center() == HD.center()
    assert placement.first_area(SMALL).size() == QSize(819, 480)
    assert placement.first_area(QRect(0, 0, 1280, 800)).size() == QSize(1024, 640)
    assert SMALL.contains(placement.first_area(SMALL))


@pytest.mark.parametrize(
    ("was", "screens", "is_now"),
    [
        (QRect(100, 50, 900, 700), [HD], QRect(100, 50, 900, 700)),
        # the screen on the right has gone
        (QRect(2000, 50, 900, 500), [HD], QRect(1020, 50, 900, 500)),
        # it is there
        (QRect(2000, 50, 900, 500), [HD, SMALL], QRect(2000, 50, 900, 500)),
        # partly outside, and too large
        (QRect(-300, -40, 900, 700), [HD], QRect(0, 0, 900, 700)),
        (QRect(0, 0, 3840, 2160), [SMALL], SMALL),
        (QRect(1700, 900, 900, 700), [HD], QRect(1020, 380, 900, 700)),
    ],
)
def test_a_window_is_always_on_a_screen(was: QRect, screens: list[QRect], is_now: QRect) -> None:
    assert placement.fitted(was, screens) == is_now


def test_the_window_comes_back_where_it_was(qtbot: QtBot, tmp_path: Path) -> None:
    path = tmp_path / "state/window.json"
    window = QWidget()
    qtbot.addWidget(window)
    window.setGeometry(40, 30, 500, 400)
    window.show()
    placement.keep(window, path)
    next_window = QWidget()
    qtbot.addWidget(next_window)
    placement.restore(next_window, path)
    next_window.show()
    assert next_window.pos() == window.pos()
    assert next_window.size() == QSize(500, 400)
    next_window.showMaximized()
    placement.keep(next_window, path)
    third = QWidget()
    qtbot.addWidget(third)
    placement.restore(third, path)
    qtbot.waitUntil(third.isMaximized)
    assert third.normalGeometry().size() == QSize(500, 400)
    window.showFullScreen()
    qtbot.waitUntil(window.isFullScreen)
    placement.keep(window, path)
    fourth = QWidget()
    qtbot.addWidget(fourth)
    placement.restore(fourth, path)
    assert fourth.size() == QSize(500, 400)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        '{"x": 1}',
        '{"x": "a", "y": 0, "width": 10, "height": 10}',
        '{"x": 0, "y": 0, "width": 0, "height": 10}',
        '{"x": 0, "y": 0, "width": 1e999, "height": 10}',
        '{"x": 99999999999, "y": 0, "width": 500, "height": 400}',
        "\xff",
    ],
)
def test_a_file_of_no_use_is_as_none(qtbot: QtBot, tmp_path: Path, content: str) -> None:
    path = tmp_path / "window.json"
    path.write_text(content, encoding="latin-1")
    window = QWidget()
    qtbot.addWidget(window)
    placement.restore(window, path)
    screen = QApplication.screens()[0].availableGeometry()
    assert window.size() == placement.first_area(screen).size()


# -- told to end -----------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_comes_to_the_loop_at_once(qtbot: QtBot, number: signal.Signals) -> None:
    before = [signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)]
    ending = Ending()
    heard: list[tuple[int, threading.Thread]] = []
    ending.asked.connect(lambda n: heard.append((n, threading.current_thread())))
    os.kill(os.getpid(), number)
    qtbot.waitUntil(lambda: bool(heard))
    assert heard == [(number, threading.main_thread())]
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL  # a second time is once too often
    ending.close()
    ending.close()
    after = [signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)]
    assert after == before
