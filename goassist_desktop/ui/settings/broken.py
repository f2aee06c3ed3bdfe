"""The settings can not be read at the start: what is wrong, and how to go on."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from PySide6.QtCore import QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QDialog, QWidget

from goassist_desktop import settings_file
from goassist_desktop.pipeline.errors import ConfigError
from goassist_desktop.settings_file import Repair
from goassist_desktop.ui.kit import button, column, label, row
from goassist_desktop.ui.theme import GAP, theme

WIDTH_PX: Final = 560


class BrokenConfigDialog(QDialog):
    """Accepted: the file can be read now, load it again. Rejected: quit.

    `error` is what `config.load` raised. A wrong variable or flag is not in the file, and can only
    be mended where it was given.
    """

    def __init__(self, error: str, path: Path, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._path = path
        self._repair = Repair(path, ())
        self.setWindowTitle("GoAssist")
        self.setAccessibleName("The settings can not be used")
        self.what = label("", wrap=True)
        self.where = label(str(path), "caption", wrap=True)
        self.fault = label("", "error", wrap=True)
        self.fault.hide()
        self.kept = label("What you had is kept in a file beside it.", "caption", wrap=True)
        self.use = button("", "primary", self._use)
        self.open_file = button("Open the file", clicked=self._open)
        self.again = button("Try again", clicked=self._again)
        self.quit = button("Quit", clicked=self.reject)
        self.use.setDefault(True)
        self.setLayout(
            column(
                label("The settings can not be used", "title"),
                self.what,
                self.where,
                self.fault,
                self.use,
                self.kept,
                row(self.open_file, self.again, 1, self.quit),
                gap=2 * GAP,
                margin=4 * GAP,
            )
        )
        self.setFixedWidth(theme().px(WIDTH_PX))
        self.again.hide()
        self._look()
        if not self._repair.faults:
            self.what.setText(f"{error}.")
            self.where.hide()

    def _look(self) -> None:
        """Find out what is wrong with the file, and offer what helps."""
        self._repair = settings_file.repair(self._path)
        faults = self._repair.faults
        self.what.setText("\n".join(fault.what for fault in faults))
        self.use.setVisible(bool(faults))
        self.kept.setVisible(bool(faults))
        self.open_file.setVisible(bool(faults) and self._path.is_file())
        self.use.setText(_offer(self._repair))

    def _use(self) -> None:
        try:
            self._repair.use_defaults()
        except ConfigError as error:
            self._complain(str(error))
        else:
            self.accept()

    def _open(self) -> None:
        if not QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._path))):
            self._complain("No program to open it was found.")
            return
        self.again.show()

    def _again(self) -> None:
        self._look()
        if not self._repair.faults:
            self.accept()

    def _complain(self, fault: str) -> None:
        self.fault.setText(fault)
        self.fault.setVisible(bool(fault))


def _offer(repair: Repair) -> str:
    keys = [fault.key for fault in repair.faults]
    if len(keys) != 1:
        return f"Use the defaults for these {len(keys)} settings"
    if not keys[0]:
        return "Start with the defaults"
    known = repair.faults[0].default is not None
    return f"Use the default for {keys[0]}" if known else f"Remove {keys[0]}"
