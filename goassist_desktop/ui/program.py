"""The program with a window: what is made at its start, and who tells whom what."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import psutil
from PySide6.QtCore import QObject, Qt, QTimer, QUrl, Signal
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QApplication, QWidget

from goassist_desktop import config as configuration
from goassist_desktop import history_store
from goassist_desktop.config import Config
from goassist_desktop.history_store import HistoryStore
from goassist_desktop.pipeline.errors import ConfigError
from goassist_desktop.pipeline.events import TurnClosed
from goassist_desktop.sound_check import Card
from goassist_desktop.supply import offers
from goassist_desktop.ui import jobs, placement, setup
from goassist_desktop.ui.app_icon import app_icon
from goassist_desktop.ui.bridge import Bridge
from goassist_desktop.ui.ending import Ending, meanwhile
from goassist_desktop.ui.felt_wrong import FeltWrong
from goassist_desktop.ui.history import HistoryPage
from goassist_desktop.ui.latency import LatencyPage, import_graphs
from goassist_desktop.ui.models import Downloads, ModelsPage
from goassist_desktop.ui.ports import Assistant, AssistantEvent, Loading, Publish, Ready, Unable
from goassist_desktop.ui.settings import BrokenConfigDialog, SettingsPage, SettingsServices
from goassist_desktop.ui.setup import Setup
from goassist_desktop.ui.single_instance import SingleInstance
from goassist_desktop.ui.theme import theme
from goassist_desktop.ui.tray import Tray, tray_available
from goassist_desktop.ui.window import MainWindow

logger = logging.getLogger(__name__)

SETUP_DONE: Final = "setup.json"
"""The file that says so, in the folder of the state."""
SECTIONS: Final = {
    "sound-settings": "Sound",
    "engine-settings": "Engines",
    "face-settings": "Face",
    "browser-settings": "Browser access",
    "diagnostics": "Data and privacy",
}
"""What the button of a banner asks for -> the section of the settings."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What the program is given by who knows the pipeline."""

    assistant: Callable[[Config, Publish], Assistant]
    settings: SettingsServices
    card: Card
    """For the first start: the devices, before the conversation has them."""
    state: Path
    """The folder of what is remembered from start to start."""
    runtime: Path | None = None
    """The folder by which a second start finds the first; None: this user's."""


def load_config(load: Callable[[], Config], path: Path) -> Config | None:
    """The settings; where they can not be read, somebody is asked. None: they want to quit.

    Raises ConfigError for what was given on the command line.
    """
    while True:
        try:
            return load()
        except ConfigError as error:
            if str(error).startswith("--set"):
                raise  # it was typed, and is answered where it was
            application()
            theme().use("system")
            if not BrokenConfigDialog(str(error), path).exec():
                return None


class Program(QObject):
    """One window and one assistant, from start to end. `run` returns the exit status."""

    asked = Signal(object)
    """Something to do on Qt's thread, from any other."""

    _keeping = Signal(bool)

    def __init__(self, config: Config, parts: Parts) -> None:
        self._application = application()
        super().__init__()
        self.config = config
        self._parts = parts
        bridge = self._bridge = Bridge()
        bridge.happened.connect(self._take)
        self.asked.connect(lambda do: do())
        self.assistant = parts.assistant(config, bridge.post)
        self.downloads = Downloads()
        self.downloads.changed.connect(self._begin_with_models)
        self._lacks_models = False
        self.history = HistoryStore(history_store.default_path(), bridge.post)
        self.turns: dict[int, TurnClosed] = {}
        theme().use(config.window.theme, config.window.text_scale)
        self.latency = LatencyPage(self.assistant.face_offsets_ms, self._frame_times_ms)
        self._settings: SettingsPage | None = None
        self._models: ModelsPage | None = None
        window = self.window = MainWindow(
            self.assistant,
            config,
            {
                "Latency": ("latency", lambda: self.latency),
                "History": ("history", self._make_history),
                "Models": ("download", self._models_page),
                "Settings": ("settings", self._settings_page),
            },
        )
        window.closing.connect(self._closed)
        window.quit_asked.connect(self.leave)
        self._single = SingleInstance(parts.runtime)
        self._single.show_asked.connect(lambda: self._show(True))
        self._tray: Tray | None = None
        self._offer_tray()
        window.wanted.connect(self._help)
        window.turn_chosen.connect(self._show_turn)
        window.felt_wrong.connect(self._felt_wrong)
        window.captions_wanted.connect(lambda on: self.change({"window.captions": on}))

    def run(self) -> int:
        """Until it is left. Not at all where another one runs: then that one shows itself."""
        if not self._only_one():
            return 0
        ending = Ending(self)
        ending.asked.connect(self.leave)
        placement.restore(self.window, self._parts.state / "window.json")
        if not self._is_first_start():
            self.assistant.start()  # the models are on their way while the window is shown
        self.window.show()
        QTimer.singleShot(0, self._begin)
        status = self._application.exec()
        with meanwhile(self.assistant.close, self.downloads.close):
            self.window.stage.close_face()
        self._bridge.deliver()  # how the last turn ended
        self.history.close()
        self._single.release()
        ending.close()
        jobs.finish()
        return status

    def change(self, changes: Mapping[str, object]) -> None:
        """Change settings, and keep them."""
        self._settings_page().editing.put(changes)

    def leave(self) -> None:
        """The window goes at once; the conversation ends behind it."""
        try:
            placement.keep(self.window, self._parts.state / "window.json")
        except OSError as error:
            logger.warning("where the window was is not remembered: %s", error)
        self.window.hide()
        if self._tray is not None:
            self._tray.close()
        self._application.quit()

    def _closed(self) -> None:
        """Somebody closed the window: with a tray it may come back."""
        if self._tray is not None and tray_available():
            self._show(False)
        else:
            self.leave()

    def _show(self, shown: bool) -> None:
        self.window.setVisible(shown)
        if shown:
            self.window.setWindowState(self.window.windowState() & ~Qt.WindowState.WindowMinimized)
            self.window.raise_()
            self.window.activateWindow()
        if self._tray is not None:
            self._tray.set_shown(shown)

    def _tray_clicked(self, shown: bool) -> None:
        self._show(shown or self.window.isMinimized())

    # -- the start -------------------------------------------------------------------------------

    def _only_one(self) -> bool:
        try:
            return self._single.claim()
        except OSError as error:  # a folder that can not be written: no reason not to start
            logger.warning("a second start will not be noticed: %s", error)
            return True

    def _is_first_start(self) -> bool:
        return setup.needed(self._parts.state / SETUP_DONE)

    def _begin(self) -> None:
        """The window is on the screen."""
        logger.info("window shown %.2f s after the start", age_s())
        if self._is_first_start():
            state = self._parts.state / SETUP_DONE
            services = setup.Services(
                self.config, self.change, self.downloads, self._parts.card, state
            )
            first = Setup(self.assistant, services)
            first.finished.connect(self.window.uncover)
            self.window.cover(first)
        # While nobody talks, one after the other: each takes some 50 ms.
        for name in ("Settings", "Models", "History"):
            QTimer.singleShot(0, partial(self.window.make_view, name))
        QTimer.singleShot(0, import_graphs)

    # -- what happens ----------------------------------------------------------------------------

    def _take(self, event: AssistantEvent) -> None:
        if isinstance(event, Ready):
            logger.info("ready to talk %.2f s after the start", age_s())
            self.turns.clear()  # they are counted anew
            self.history.begin(self.config.persona.name)
        if isinstance(event, Loading | Ready | Unable):
            self._lacks_models = isinstance(event, Unable) and event.cause == "models"
        if isinstance(event, TurnClosed):
            self.turns[event.turn_id] = event
            if self.config.privacy.keep_history:
                self.history.take(event)
        self.window.take(event)
        self.latency.take(event)
        if self._settings is not None:
            self._settings.happened(event)

    def _begin_with_models(self) -> None:
        """Something came of the downloads: perhaps it was all that a conversation waited for."""
        if not self._lacks_models or any(one.busy for one in self.downloads.queue.items().values()):
            return
        if not offers.missing(self.config):
            self._lacks_models = False
            self.assistant.restart()

    def _apply(self, changes: Mapping[str, object]) -> None:
        """Settings were changed in the window: they are in force from here on."""
        self.config = configuration.changed(self.config, changes)
        self.assistant.use(self.config)
        self.window.use(self.config)
        self._offer_tray()
        self._keeping.emit(self.config.privacy.keep_history)
        if self._models is not None:
            self._models.use_config(self.config)

    def _offer_tray(self) -> None:
        wanted = self.config.window.tray and tray_available()
        if wanted and self._tray is None:
            self._tray = tray = Tray(self)
            tray.set_shown(True)
            tray.set_muted(self.window.controls.mute_button.isChecked())
            tray.show_asked.connect(self._tray_clicked)
            tray.mute_asked.connect(self.window.controls.mute_button.setChecked)
            tray.quit_asked.connect(self.leave)
            self.window.controls.muted.connect(tray.set_muted)
        elif not wanted and self._tray is not None:
            self._tray.close()
            self._tray.deleteLater()
            self._tray = None

    def _help(self, wanted: str) -> None:
        """The button of a banner was pressed."""
        if wanted in SECTIONS:
            self.window.show_view("Settings")
            self._settings_page().open(SECTIONS[wanted])
        elif wanted == "models":
            self.window.show_view("Models")
            for model in offers.to_fetch(self.config):
                self.downloads.queue.add(model.name)
        elif wanted == "retry":
            self.assistant.restart()
        elif wanted == "open-config":
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._parts.settings.config_file)))

    def _show_turn(self, turn_id: int) -> None:
        self.window.show_view("Latency")
        self.latency.choose(turn_id)

    def _felt_wrong(self, turn_id: int) -> None:
        turn = self.turns.get(turn_id)
        if turn is None:
            return
        keeping = self.config.privacy.keep_session
        dialog = FeltWrong(self.window, turn, keeping, self.assistant.keep_session)
        dialog.keep_next_time.connect(lambda on: self.change({"privacy.keep_session": on}))
        dialog.open()

    # -- views -----------------------------------------------------------------------------------

    def _settings_page(self) -> SettingsPage:
        if self._settings is None:
            self._settings = SettingsPage(
                self.assistant, self.config, self._apply, self._parts.settings
            )
        return self._settings

    def _make_history(self) -> HistoryPage:
        page = HistoryPage(self.history, self.config.privacy.keep_history)
        page.keep.connect(lambda on: self.change({"privacy.keep_history": on}))
        self._keeping.connect(page.set_keeping)
        return page

    def _models_page(self) -> QWidget:
        if self._models is None:
            self._models = ModelsPage(self.config, self.downloads, self.change)
        return self._models

    def _frame_times_ms(self) -> list[float]:
        return self.window.stage.faces.frame_times_ms()


def application() -> QApplication:
    """The one there is, or a new one."""
    made = QApplication.instance() or QApplication(sys.argv[:1])
    assert isinstance(made, QApplication)
    made.setApplicationName("GoAssist")
    made.setDesktopFileName("goassist")
    made.setWindowIcon(app_icon())
    made.setQuitOnLastWindowClosed(False)
    return made


def age_s() -> float:
    """Since the process began."""
    return time.time() - psutil.Process().create_time()
