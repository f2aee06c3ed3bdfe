"""The program as a kiosk: one full screen, one assistant, and whoever watches over both."""

from __future__ import annotations

import logging

from PySide6.QtCore import QObject

from goassist_desktop.config import Config
from goassist_desktop.heartbeat import Heartbeat
from goassist_desktop.ui.awake import keep_awake
from goassist_desktop.ui.bridge import Bridge
from goassist_desktop.ui.ending import Ending, meanwhile
from goassist_desktop.ui.kiosk import KioskWindow
from goassist_desktop.ui.ports import AssistantEvent, Ready
from goassist_desktop.ui.program import Parts, age_s, application
from goassist_desktop.ui.stage import Stage
from goassist_desktop.ui.theme import theme

logger = logging.getLogger(__name__)


class KioskProgram(QObject):
    """From start to end. `run` returns the exit status: 0 for who knew the PIN."""

    def __init__(self, config: Config, parts: Parts, heartbeat: Heartbeat | None) -> None:
        """`heartbeat`: of the supervisor, if there is one."""
        self._application = application()
        super().__init__()
        theme().use(config.window.theme, config.window.text_scale)
        bridge = self._bridge = Bridge()
        self.assistant = parts.assistant(config, bridge.post)
        self._stage = Stage(self.assistant, config.persona.head, config.window.captions)
        self.window = KioskWindow(self.assistant, config, self._stage)
        bridge.happened.connect(self._take)
        if heartbeat is not None:
            self.window.beat(heartbeat)
        self.window.ended.connect(self.leave)
        self._ending = Ending(self)
        self._ending.asked.connect(self.leave)

    def run(self) -> int:
        keep_awake()
        self.window.show_kiosk()
        self.assistant.start()
        status = self._application.exec()
        with meanwhile(self.assistant.close):
            self._stage.close_face()
        self._ending.close()
        return status

    def _take(self, event: AssistantEvent) -> None:
        if isinstance(event, Ready):
            logger.info("ready to talk %.2f s after the start", age_s())
        self.window.take(event)

    def leave(self) -> None:
        self.window.let_go()
        self._application.exit(0)  # `quit` would ask the window, which refuses
