"""A kiosk as a whole program: a window, a conversation that answers nobody, and a supervisor.

    python -m tests.fakes.kiosk_program FOLDER

Every life of the window adds its process number to FOLDER/lives once it is on the screen. What it
shows has another colour in each.
"""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

from PySide6.QtCore import QRectF, Qt, QTimer
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QApplication, QWidget

from goassist_desktop import heartbeat
from goassist_desktop.config import Config, Kiosk
from goassist_desktop.heartbeat import EVERY_S, Heartbeat
from goassist_desktop.supervisor import Limits, supervise
from goassist_desktop.ui.ending import Ending
from goassist_desktop.ui.kiosk import KioskWindow
from goassist_desktop.ui.ports import AssistantEvent, Ready
from goassist_desktop.ui.theme import theme
from tests.fakes.assistant import ScriptedAssistant

PIN = "2580"
GROUNDS = ("#14574f", "#6b2d5c", "#5c4a1c")
"""Behind the hint, one for each life: a picture tells which it was."""


class Ground(QWidget):
    """A stage of one colour, with the hint."""

    def __init__(self, colour: str) -> None:
        super().__init__()
        self._colour, self._hint = colour, ""

    def take(self, event: AssistantEvent) -> None:
        pass

    def set_hint(self, text: str) -> None:
        self._hint = text

    def set_attract(self, attract: bool) -> None:
        pass

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), self._colour)
        painter.setPen(theme().colour("text"))
        painter.setFont(theme().font("display"))
        painter.drawText(QRectF(self.rect()), Qt.AlignmentFlag.AlignCenter, self._hint)
        painter.end()


class Session(threading.Thread):
    """Stands for the loop of the conversation, and beats as it does."""

    def __init__(self, heart: Heartbeat | None) -> None:
        super().__init__(daemon=True)
        self._heart = heart
        self._over = threading.Event()

    def run(self) -> None:
        while not self._over.wait(EVERY_S):
            if self._heart is not None:
                self._heart.beat("session")

    def close(self) -> None:
        self._over.set()
        self.join()


def show(folder: Path) -> int:
    lives = folder / "lives"
    life = len(lives.read_text().splitlines()) if lives.exists() else 0
    heart = heartbeat.inherited()
    application = QApplication(["goassist"])
    theme().use("dark")
    ending = Ending()
    session = Session(heart)
    session.start()
    kiosk = KioskWindow(
        ScriptedAssistant(), Config(kiosk=Kiosk(pin=PIN)), Ground(GROUNDS[life % len(GROUNDS)])
    )

    def end() -> None:
        kiosk.let_go()
        application.exit(0)

    def seen() -> None:
        with lives.open("a") as file:
            file.write(f"{os.getpid()}\n")

    kiosk.ended.connect(end)
    ending.asked.connect(end)
    if heart is not None:
        kiosk.beat(heart)
    kiosk.show_kiosk()
    kiosk.take(Ready((), 0.0))
    QTimer.singleShot(300, seen)
    status = application.exec()
    session.close()
    ending.close()
    return status


def main() -> int:
    folder = Path(sys.argv[1])
    if heartbeat.watched():
        return show(folder)
    command = [sys.executable, "-m", "tests.fakes.kiosk_program", str(folder)]
    return supervise(command, Limits(first_wait_s=0.1))


if __name__ == "__main__":
    sys.exit(main())
