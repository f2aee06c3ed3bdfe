"""Work in threads: who is told what of it, and when."""

from __future__ import annotations

import threading

import shiboken6
from PySide6.QtCore import QCoreApplication, QObject
from pytestqt.qtbot import QtBot

from goassist_desktop.pipeline.errors import GoAssistError
from goassist_desktop.ui.jobs import Jobs


def fail(error: BaseException) -> None:
    raise error


def test_it_is_done_elsewhere_and_told_here(qtbot: QtBot) -> None:
    owner, came = QObject(), list[threading.Thread]()
    Jobs(owner).run(
        threading.current_thread,
        lambda worker: came.extend([worker, threading.current_thread()]),
        finish=True,
    )
    qtbot.waitUntil(lambda: len(came) == 2)
    assert came[0] is not threading.main_thread()
    assert came[1] is threading.main_thread()


def test_of_one_kind_only_the_latest_is_told(qtbot: QtBot) -> None:
    owner, came, go_on = QObject(), list[object](), threading.Event()
    jobs = Jobs(owner)
    jobs.run(lambda: go_on.wait(10) and "first", came.append, kind="look")
    jobs.run(lambda: "second", came.append, kind="look")
    qtbot.waitUntil(lambda: came == ["second"])
    go_on.set()
    jobs.run(lambda: "forgotten", came.append, kind="look")
    jobs.forget("look")
    jobs.run(lambda: "of no kind", came.append)
    qtbot.waitUntil(lambda: jobs.idle)
    assert came == ["second", "of no kind"]


def test_what_went_wrong_is_told_in_a_line(qtbot: QtBot) -> None:
    owner, came = QObject(), list[str]()
    jobs = Jobs(owner)
    for error in (GoAssistError("no such voice"), FileNotFoundError(2, "No such file", "/a.txt")):
        jobs.run(lambda error=error: fail(error), came.append, came.append)
        qtbot.waitUntil(lambda: jobs.idle)
    assert came == ["no such voice", "/a.txt: No such file"]


def test_a_bug_is_raised_on_qts_thread(qtbot: QtBot) -> None:
    owner, came = QObject(), list[object]()
    jobs = Jobs(owner)
    with qtbot.captureExceptions() as raised:
        jobs.run(lambda: fail(KeyError("oops")), came.append, came.append)
        jobs.run(lambda: fail(GoAssistError("not foreseen")), came.append)
        qtbot.waitUntil(lambda: jobs.idle)
    assert {kind for kind, *_ in raised} == {KeyError, GoAssistError}
    assert came == []


def test_nothing_is_told_nor_kept_once_the_owner_is_gone(qtbot: QtBot) -> None:
    owner, came, go_on = QObject(), list[object](), threading.Event()
    jobs = Jobs(owner)
    jobs.run(lambda: go_on.wait(10), came.append)
    shiboken6.delete(owner)
    go_on.set()
    qtbot.waitUntil(lambda: not shiboken6.isValid(jobs))
    assert came == []
    idle = QObject()
    left = Jobs(idle)
    assert left in QCoreApplication.instance().children()
    shiboken6.delete(idle)
    qtbot.waitUntil(lambda: not shiboken6.isValid(left))
