"""The icon in the system's tray: show or hide the window, mute, quit."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenu, QSystemTrayIcon

from goassist_desktop.ui.app_icon import app_icon


def tray_available() -> bool:
    """Whether this desktop has one. Without, a closed window could never be found again."""
    return QSystemTrayIcon.isSystemTrayAvailable()


class Tray(QObject):
    """Says what is wanted; whoever listens does it, and tells how things stand."""

    show_asked = Signal(bool)
    """Show the window, or hide it."""
    mute_asked = Signal(bool)
    quit_asked = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._shown = False
        self.menu = QMenu()
        self._show = QAction(self.menu)
        self._show.triggered.connect(self._toggle)
        self._mute = QAction("Mute microphone", self.menu)
        self._mute.setCheckable(True)
        self._mute.triggered.connect(self.mute_asked)
        quit_action = QAction("Quit", self.menu)
        quit_action.triggered.connect(self.quit_asked)
        self.menu.addActions([self._show, self._mute])
        self.menu.addSeparator()
        self.menu.addAction(quit_action)
        self._icon = QSystemTrayIcon(self)
        self._icon.setContextMenu(self.menu)
        self._icon.activated.connect(self._activated)
        self.set_shown(False)
        self.set_muted(False)
        self._icon.show()

    def set_shown(self, shown: bool) -> None:
        """The window is on the screen, or not."""
        self._shown = shown
        self._show.setText("Hide window" if shown else "Show window")

    def set_muted(self, muted: bool) -> None:
        self._mute.setChecked(muted)
        self._icon.setIcon(app_icon(muted=muted))
        self._icon.setToolTip("GoAssist: microphone muted" if muted else "GoAssist")

    def close(self) -> None:
        """Take it away now: some trays keep the icon of a process that ended."""
        self._icon.hide()

    def _toggle(self) -> None:
        self.show_asked.emit(not self._shown)

    def _activated(self, reason: QSystemTrayIcon.ActivationReason) -> None:
        if reason == QSystemTrayIcon.ActivationReason.Trigger:
            self._toggle()
