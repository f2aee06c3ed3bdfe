"""The settings while they are being changed: in force at once, and written soon after."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from queue import SimpleQueue
from typing import Any

from PySide6.QtCore import QObject, Signal

from goassist_desktop import config as settings
from goassist_desktop.config import Config
from goassist_desktop.pipeline.errors import ConfigError
from goassist_desktop.ui.jobs import Jobs
from goassist_desktop.ui.settings.services import SettingsServices


class Editing(QObject):
    """One configuration, and every section's way to change it."""

    applied = Signal()
    """Something changed, here or elsewhere: show it."""
    saved = Signal()
    not_saved = Signal(str)
    """Why. The change is in force until the program ends."""

    def __init__(
        self,
        config: Config,
        changed: Callable[[Mapping[str, object]], None],
        services: SettingsServices,
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self.config = config
        self.services = services
        self.jobs = Jobs(self)
        self._changed = changed
        self._waiting: SimpleQueue[Mapping[str, object]] = SimpleQueue()
        self._writing = threading.Lock()
        self._unsaved: dict[str, object] = {}

    def value(self, key: str) -> Any:
        return settings.values(self.config)[key]

    def outside(self, *keys: str) -> str:
        """The variable or flag that decides one of them; empty where none does."""
        found = self.services.outside
        return next((found[key] for key in keys if key in found), "")

    def put(self, changes: Mapping[str, object]) -> str:
        """Change settings. Empty, or why that is not possible and nothing was changed."""
        known = settings.values(self.config)
        new = {key: value for key, value in changes.items() if value != known[key]}
        if not new:
            return ""
        try:
            self.config = settings.changed(self.config, new)
        except ConfigError as error:
            return _plainly(str(error), new)
        self._changed(new)
        self.applied.emit()
        self._save(new)
        return ""

    def show(self, config: Config) -> None:
        """The configuration was changed elsewhere."""
        if config != self.config:
            self.config = config
            self.applied.emit()

    def save_again(self) -> None:
        """Write what could not be written before."""
        self._save({})

    def _save(self, changes: Mapping[str, object]) -> None:
        self._waiting.put(changes)
        self.jobs.run(self._write, self._was_saved, self._was_not_saved, finish=True)

    def _write(self) -> None:
        """All that waits, in its order: whoever comes second finds nothing to do."""
        with self._writing:
            changes = dict(self._unsaved)
            while not self._waiting.empty():
                changes |= self._waiting.get()
            if not changes:
                return
            try:
                self.services.save(changes)
            except BaseException:
                self._unsaved = changes
                raise
            self._unsaved = {}

    def _was_saved(self, _: None) -> None:
        if not self._unsaved:
            self.saved.emit()

    def _was_not_saved(self, why: str) -> None:
        self.not_saved.emit(why)


def _plainly(message: str, changes: Mapping[str, object]) -> str:
    """Without the key, which stands beside it."""
    for key, value in changes.items():
        message = message.removeprefix(f"{key} = {value!r}: ")
    return f"{message[:1].upper()}{message[1:]}."
