"""The settings as a whole: sections, search, and word of what was saved."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final, TypeVar

from PySide6.QtCore import QSize, Qt, QTimer
from PySide6.QtGui import (
    QAccessible,
    QAccessibleAnnouncementEvent,
    QKeyEvent,
    QResizeEvent,
    QShowEvent,
)
from PySide6.QtWidgets import (
    QFrame,
    QListWidget,
    QListWidgetItem,
    QStackedWidget,
    QWidget,
)

from goassist_desktop.config import Config
from goassist_desktop.ui.kit import WIDEST_PX, SearchField, button, column, label, row
from goassist_desktop.ui.pictograms import icon
from goassist_desktop.ui.ports import Assistant, AssistantEvent, Loading, Ready, Unable
from goassist_desktop.ui.settings.about import About
from goassist_desktop.ui.settings.appearance import Appearance
from goassist_desktop.ui.settings.browsers import Browsers
from goassist_desktop.ui.settings.conversation import Conversation
from goassist_desktop.ui.settings.editing import Editing
from goassist_desktop.ui.settings.engines import Engines
from goassist_desktop.ui.settings.face import Face
from goassist_desktop.ui.settings.lines import Line
from goassist_desktop.ui.settings.mark import Mark
from goassist_desktop.ui.settings.persona import Persona
from goassist_desktop.ui.settings.privacy import Privacy
from goassist_desktop.ui.settings.section import LIST_PX, Section
from goassist_desktop.ui.settings.services import SettingsServices
from goassist_desktop.ui.settings.sound import Sound
from goassist_desktop.ui.theme import GAP, RADIUS, theme

SAVED_MS: Final = 1800
OTHERS: Final = (Persona, Face, Conversation, Appearance, Engines)
LAST: Final = (Privacy, About)
S = TypeVar("S", bound=Section)


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
        self._make: Mapping[type[Section], Callable[[], Section]] = {
            Sound: partial(Sound, self.editing, assistant),
            **{kind: partial(kind, self.editing) for kind in OTHERS},
            Browsers: partial(Browsers, self.editing, assistant),
            **{kind: partial(kind, self.editing) for kind in LAST},
        }
        self._kinds = list(self._make)
        self._made: dict[type[Section], Section] = {}
        self._engines: Loading | Ready | Unable | None = None
        self.search = SearchField("Search settings")
        self.search.setMaxLength(60)
        self.list = QListWidget()
        self.list.setAccessibleName("Sections")
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.stack = QStackedWidget()
        for kind in self._kinds:
            self.list.addItem(QListWidgetItem(kind.TITLE))
        self.nothing = label("No setting is called that.", "quiet", wrap=True)
        self.saved = Mark()
        self.failure = _Failure(self.editing.save_again)
        self._side = QWidget()
        side = column(
            label("Settings", "heading"), self.search, self.nothing, self.list, self.saved
        )
        side.setSpacing(2 * GAP)
        self._side_box = side
        side.setStretch(3, 1)
        self._side.setLayout(side)
        right = column(self.failure, self.stack, gap=0)
        both = row(self._side, right, gap=0)
        both.setStretch(1, 1)
        self.setLayout(both)
        self.nothing.hide()
        self._saved_timer = QTimer(self, interval=SAVED_MS, singleShot=True)
        self._saved_timer.timeout.connect(self._forget_saved)
        self._rest_timer = QTimer(self, interval=0)
        self._rest_timer.timeout.connect(self._make_next)
        self.list.currentRowChanged.connect(self._turn_to)
        self.search.textChanged.connect(self._seek)
        self.search.returnPressed.connect(self._go_to_found)
        self.editing.saved.connect(self._tell_saved)
        self.editing.not_saved.connect(self._tell_failure)
        theme().changed.connect(self._restyle)
        self._restyle()
        self._forget_saved()
        self.list.setCurrentRow(0)

    def section(self, kind: type[S]) -> S:
        """A section, made when it is first asked for: all at once would be felt."""
        if kind not in self._made:
            made = self._made[kind] = self._make[kind]()
            self.stack.addWidget(made)
            if self._engines is not None:
                made.happened(self._engines)
        found = self._made[kind]
        assert isinstance(found, kind)
        return found

    def happened(self, event: AssistantEvent) -> None:
        """An event of the conversation: a section may show it."""
        if isinstance(event, Loading | Ready | Unable):
            self._engines = event
            for section in self._made.values():
                section.happened(event)

    def show_config(self, config: Config) -> None:
        """Settings were changed elsewhere in the window."""
        self.editing.show(config)

    def open(self, title: str) -> None:
        """Show a section, such as "Sound"."""
        titles = [kind.TITLE for kind in self._kinds]
        self.search.clear()
        self.list.setCurrentRow(titles.index(title))

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._rest_timer.start()
        self.list.setFocus(Qt.FocusReason.OtherFocusReason)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._place()

    def _place(self) -> None:
        left = max(4 * GAP, (self.width() - theme().px(WIDEST_PX)) // 2)
        self._side_box.setContentsMargins(left, 3 * GAP, 0, 2 * GAP)
        self._side.setFixedWidth(left + theme().px(LIST_PX))

    def _make_next(self) -> None:
        """One of the sections nobody asked for yet, whenever there is nothing else to do."""
        kind = next((kind for kind in self._kinds if kind not in self._made), None)
        if kind is None:
            self._rest_timer.stop()
        else:
            self.section(kind)

    def _turn_to(self, place: int) -> None:
        self.stack.setCurrentWidget(self.section(self._kinds[place]))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Escape ends a search; without one it is for whoever shows the settings."""
        if event.key() == Qt.Key.Key_Escape and self.search.text():
            self.search.clear()
            self.search.setFocus()
        else:
            super().keyPressEvent(event)

    # -- search ------------------------------------------------------------------------------------

    def _seek(self, text: str) -> None:
        found = [self.section(kind).seek(text) for kind in self._kinds]
        for place, lines in enumerate(found):
            self.list.item(place).setHidden(not lines)
        self.nothing.setVisible(not any(found))
        self.stack.setVisible(any(found))
        if not found[self.list.currentRow()] and any(found):
            self.list.setCurrentRow(next(place for place, lines in enumerate(found) if lines))

    def _go_to_found(self) -> None:
        """To the control of the first line that was found."""
        section = self.section(self._kinds[self.list.currentRow()])
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
        self.saved.say("Saved")
        self._announce("Saved")
        self._saved_timer.start()

    def _forget_saved(self) -> None:
        self.saved.say("")

    def _tell_failure(self, why: str) -> None:
        self._forget_saved()
        self.failure.tell(why)
        self._announce(f"Not saved. {why}")

    def _announce(self, words: str) -> None:
        """To a screen reader, which does not see it appear."""
        QAccessible.updateAccessibility(QAccessibleAnnouncementEvent(self, words))

    def _restyle(self) -> None:
        self._place()
        side = theme().px(20)
        self.list.setIconSize(QSize(side, side))
        for place, kind in enumerate(self._kinds):
            self.list.item(place).setIcon(icon(kind.ICON, theme().colours.text, side))


class _Failure(QWidget):
    """That a change will not last, and one button that may help."""

    def __init__(self, again: Callable[[], None]) -> None:
        super().__init__()
        self._words = label("", wrap=True)
        self.again = button("Try again", clicked=again)
        inside = row(self._words, self.again, gap=2 * GAP)
        inside.setStretch(0, 1)
        inside.setContentsMargins(2 * GAP, GAP, GAP, GAP)
        self._frame = QFrame()
        self._frame.setLayout(inside)
        outer = column(self._frame)
        outer.setContentsMargins(4 * GAP, 2 * GAP, 4 * GAP, 0)
        self.setLayout(outer)
        theme().changed.connect(self._restyle)
        self._restyle()
        self.hide()

    def _restyle(self) -> None:
        colours = theme().colours
        self._frame.setStyleSheet(
            f"QFrame {{ background: {colours.error_soft}; border-radius: {theme().px(RADIUS)}px; }}"
            "QLabel { background: transparent; }"
        )

    def tell(self, why: str) -> None:
        self._words.setText(f"Your change holds until you quit, but it could not be saved: {why}")
        self.show()

    @property
    def text(self) -> str:
        return self._words.text()
