"""The settings as a whole: sections, search, and word of what was saved."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from PySide6.QtCore import QSize, Qt, QTimer
from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent, QKeyEvent
from PySide6.QtWidgets import (
    QFrame,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QStackedWidget,
    QWidget,
)

from goassist_desktop.config import Config
from goassist_desktop.ui.kit import button, column, label, row
from goassist_desktop.ui.pictograms import icon
from goassist_desktop.ui.ports import Assistant, AssistantEvent
from goassist_desktop.ui.settings.about import About
from goassist_desktop.ui.settings.appearance import Appearance
from goassist_desktop.ui.settings.conversation import Conversation
from goassist_desktop.ui.settings.editing import Editing
from goassist_desktop.ui.settings.engines import Engines
from goassist_desktop.ui.settings.face import Face
from goassist_desktop.ui.settings.lines import Line
from goassist_desktop.ui.settings.persona import Persona
from goassist_desktop.ui.settings.privacy import Privacy
from goassist_desktop.ui.settings.section import Section
from goassist_desktop.ui.settings.services import SettingsServices
from goassist_desktop.ui.settings.sound import Sound
from goassist_desktop.ui.theme import GAP, theme

LIST_PX: Final = 236
SAVED_MS: Final = 1800


class SettingsPage(QWidget):
    """All settings. `happened` wants the conversation's events, `show_config` what others change.

    `changed` is told every change at once; that it is written into the file follows.
    """

    def __init__(
        self,
        assistant: Assistant,
        config: Config,
        changed: Callable[[Mapping[str, object]], None],
        services: SettingsServices,
    ) -> None:
        super().__init__()
        self.setProperty("kind", "page")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setAccessibleName("Settings")
        self.editing = Editing(config, changed, services, self)
        self.sections: tuple[Section, ...] = (
            Sound(self.editing, assistant),
            Persona(self.editing),
            Face(self.editing),
            Conversation(self.editing),
            Appearance(self.editing),
            Engines(self.editing),
            Privacy(self.editing),
            About(self.editing),
        )
        self.search = QLineEdit()
        self.search.setPlaceholderText("Search settings")
        self.search.setAccessibleName("Search settings")
        self.search.setClearButtonEnabled(True)
        self.search.setMaxLength(60)
        self.list = QListWidget()
        self.list.setAccessibleName("Sections")
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.stack = QStackedWidget()
        for section in self.sections:
            self.list.addItem(QListWidgetItem(section.TITLE))
            self.stack.addWidget(section)
        self.nothing = label("No setting is called that.", "quiet", wrap=True)
        self.saved = label("Saved", "caption")
        self.saved.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.failure = _Failure(self.editing.save_again)
        self._side = QWidget()
        side = column(label("Settings", "title"), self.search, self.nothing, self.list, self.saved)
        side.setSpacing(2 * GAP)
        side.setContentsMargins(3 * GAP, 3 * GAP, GAP, 2 * GAP)
        side.setStretch(3, 1)
        self._side.setLayout(side)
        right = column(self.failure, self.stack, gap=0)
        both = row(self._side, right, gap=0)
        both.setStretch(1, 1)
        self.setLayout(both)
        self.nothing.hide()
        self._saved_timer = QTimer(self, interval=SAVED_MS, singleShot=True)
        self._saved_timer.timeout.connect(self._forget_saved)
        self.list.currentRowChanged.connect(self.stack.setCurrentIndex)
        self.search.textChanged.connect(self._seek)
        self.search.returnPressed.connect(self._go_to_found)
        self.editing.saved.connect(self._tell_saved)
        self.editing.not_saved.connect(self._tell_failure)
        theme().changed.connect(self._restyle)
        self._restyle()
        self._forget_saved()
        self.list.setCurrentRow(0)

    def happened(self, event: AssistantEvent) -> None:
        """An event of the conversation: a section may show it."""
        for section in self.sections:
            section.happened(event)

    def show_config(self, config: Config) -> None:
        """Settings were changed elsewhere in the window."""
        self.editing.show(config)

    def open(self, title: str) -> None:
        """Show a section, such as "Sound"."""
        titles = [section.TITLE for section in self.sections]
        self.search.clear()
        self.list.setCurrentRow(titles.index(title))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Escape ends a search; without one it is for whoever shows the settings."""
        if event.key() == Qt.Key.Key_Escape and self.search.text():
            self.search.clear()
            self.search.setFocus()
        else:
            super().keyPressEvent(event)

    # -- search ------------------------------------------------------------------------------------

    def _seek(self, text: str) -> None:
        found = [section.seek(text) for section in self.sections]
        for place, lines in enumerate(found):
            self.list.item(place).setHidden(not lines)
        self.nothing.setVisible(not any(found))
        if not found[self.list.currentRow()] and any(found):
            self.list.setCurrentRow(next(place for place, lines in enumerate(found) if lines))

    def _go_to_found(self) -> None:
        """To the control of the first line that was found."""
        section = self.sections[self.list.currentRow()]
        lines: list[Line] = section.seek(self.search.text())
        if lines:
            target = lines[0].control
            if target.focusPolicy() == Qt.FocusPolicy.NoFocus:
                inner = (
                    w for w in target.findChildren(QWidget) if w.focusPolicy() and w.isEnabled()
                )
                target = next(inner, target)
            target.setFocus(Qt.FocusReason.ShortcutFocusReason)

    # -- what was saved ----------------------------------------------------------------------------

    def _tell_saved(self) -> None:
        self.failure.hide()
        self.saved.setText("Saved")
        self._announce("Saved")
        self._saved_timer.start()

    def _forget_saved(self) -> None:
        self.saved.setText("")

    def _tell_failure(self, why: str) -> None:
        self._forget_saved()
        self.failure.tell(why)
        self._announce(f"Not saved. {why}")

    def _announce(self, words: str) -> None:
        """To a screen reader, which does not see it appear."""
        QAccessible.updateAccessibility(QAccessibleAnnouncementEvent(self, words))

    def _restyle(self) -> None:
        self._side.setFixedWidth(theme().px(LIST_PX))
        side = theme().px(20)
        self.list.setIconSize(QSize(side, side))
        for place, section in enumerate(self.sections):
            self.list.item(place).setIcon(icon(section.ICON, theme().colours.text, side))


class _Failure(QFrame):
    """That a change will not last, and one button that may help."""

    def __init__(self, again: Callable[[], None]) -> None:
        super().__init__()
        self.setProperty("kind", "card")
        self._words = label("", "error", wrap=True)
        self.again = button("Try again", clicked=again)
        inside = row(self._words, self.again, margin=2 * GAP)
        inside.setStretch(0, 1)
        self.setLayout(inside)
        self.hide()

    def tell(self, why: str) -> None:
        self._words.setText(f"Your change holds until you quit, but it could not be saved: {why}")
        self.show()

    @property
    def text(self) -> str:
        return self._words.text()
