"""The program with a window: what is made at its start, and who tells whom what."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil
from PySide6.QtCore import QObject, QTimer
from PySide6.QtWidgets import QApplication

from goassist_desktop.config import Config
from goassist_desktop.ui.bridge import Bridge
from goassist_desktop.ui.ports import Assistant, AssistantEvent, Publish, Ready
from goassist_desktop.ui.pulse import Pulse
from goassist_desktop.ui.window import MainWindow

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Parts:
    """What the program is given by who knows the pipeline."""

    assistant: Callable[[Config, Publish], Assistant]
    save: Callable[[Mapping[str, object]], Config]
    """Settings to keep. What is in force afterwards; raises ConfigError."""


class Program(QObject):
    """One window and one assistant, from start to end. `run` returns the exit status."""

    def __init__(self, config: Config, parts: Parts) -> None:
        self.application = _application()
        super().__init__()
        self.config = config
        self._parts = parts
        self._bridge = Bridge()
        self._bridge.happened.connect(self._take)
        self.assistant = parts.assistant(config, self._bridge.post)
        self.pulse = Pulse(self)
        self.window = MainWindow(self.assistant, config, {})
        self.window.closing.connect(self.leave)

    def run(self) -> int:
        self.window.show()
        QTimer.singleShot(0, self._begin)
        status = self.application.exec()
        self.assistant.close()
        return status

    def leave(self) -> None:
        """The window goes at once; the conversation ends behind it."""
        self.window.hide()
        self.window.stage.close_face()
        self.application.quit()

    def _begin(self) -> None:
        """The window is on the screen: now the heavy things."""
        logger.info("window shown %.2f s after the start", _age_s())
        self.assistant.start()

    def _take(self, event: AssistantEvent) -> None:
        if isinstance(event, Ready):
            logger.info("ready to talk %.2f s after the start", _age_s())
        self.window.take(event)


def _application() -> QApplication:
    application = QApplication.instance() or QApplication(sys.argv[:1])
    assert isinstance(application, QApplication)
    application.setApplicationName("GoAssist")
    application.setDesktopFileName("goassist")
    application.setQuitOnLastWindowClosed(False)
    return application


def _age_s() -> float:
    """Since the process began."""
    return time.time() - psutil.Process().create_time()
