"""Events on their way to Qt's thread."""

from __future__ import annotations

import threading

from pytestqt.qtbot import QtBot

from goassist_desktop.pipeline.events import PartialText
from goassist_desktop.ui.bridge import LONGEST, Bridge


def test_events_of_other_threads_come_in_order_and_on_ours(qtbot: QtBot) -> None:
    bridge = Bridge()
    came: list[tuple[str, threading.Thread]] = []
    bridge.happened.connect(lambda event: came.append((event.text, threading.current_thread())))

    def post() -> None:
        for number in range(500):
            bridge.post(PartialText(str(number)))

    thread = threading.Thread(target=post)
    thread.start()
    thread.join()
    qtbot.waitUntil(lambda: len(came) == 500)
    assert came == [(str(number), threading.current_thread()) for number in range(500)]


def test_a_window_that_does_not_read_loses_the_oldest(qtbot: QtBot) -> None:
    bridge = Bridge()
    came: list[str] = []
    bridge.happened.connect(lambda event: came.append(event.text))
    for number in range(LONGEST + 10):
        bridge.post(PartialText(str(number)))
    qtbot.waitUntil(lambda: len(came) == LONGEST)
    assert came[0] == "10"
