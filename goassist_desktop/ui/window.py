"""The main window: the conversation, and the views beside it. It composes, and decides nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtGui import QAction, QCloseEvent, QKeyEvent, QKeySequence, QResizeEvent
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QApplication,
    QComboBox,
    QLineEdit,
    QMainWindow,
    QPlainTextEdit,
    QStackedWidget,
    QWidget,
)

from goassist_desktop.config import Config
from goassist_desktop.ui.banner import Banner
from goassist_desktop.ui.controls import Controls
from goassist_desktop.ui.kit import IconButton, column, label, row
from goassist_desktop.ui.ports import Assistant, AssistantEvent
from goassist_desktop.ui.rail import Rail
from goassist_desktop.ui.shortcuts import ShortcutsDialog
from goassist_desktop.ui.stage import Stage
from goassist_desktop.ui.theme import GAP, theme
from goassist_desktop.ui.transcript import Transcript

TALK: Final = "Talk"
LEAST: Final = (880, 560)
"""Width and height below which the window does not go, in px: a small laptop at 150 %."""
TRANSCRIPT: Final = (320, 620)
"""Least and most width of the words beside the face, in px before text scaling."""

SPACE_MEANS_SOMETHING: Final = (
    QLineEdit,
    QPlainTextEdit,
    QAbstractButton,
    QComboBox,
    QAbstractItemView,
)
"""To whoever of these has the keyboard."""


BROADEST: Final = 1.1
"""Width of the face, against the height of the window."""


class MainWindow(QMainWindow):
    """Talk first, and `views` beside it: each is made when it is first looked at."""

    closing = Signal()
    """Somebody wants the window gone; it is for `program` to say what that means."""
    quit_asked = Signal()
    wanted = Signal(str)
    """What the button of a banner asks for: see `failures`."""
    turn_chosen = Signal(int)
    felt_wrong = Signal(int)
    """A turn's id."""
    captions_wanted = Signal(bool)

    def __init__(
        self,
        assistant: Assistant,
        config: Config,
        views: Mapping[str, tuple[str, Callable[[], QWidget]]],
    ) -> None:
        """`views`: name -> icon, and what makes the view."""
        super().__init__()
        self._assistant = assistant
        self._watching = False
        self._makers = {name: make for name, (_, make) in views.items()}
        self._views: dict[str, QWidget] = {}
        self.stage = Stage(assistant, config.persona.head, config.window.captions)
        self.transcript = Transcript()
        self.controls = Controls()
        self.banner = Banner()
        self._who = label(config.persona.name, "heading")
        self._stack = QStackedWidget()
        self._add_view(TALK, self._talk())
        icons = {name: icon for name, (icon, _) in views.items()}
        last = dict(list(icons.items())[-2:])
        first = {TALK: "talk"} | {name: icon for name, icon in icons.items() if name not in last}
        self._rail = Rail(first, last)
        content = QWidget()
        sides = row(self._rail, gap=0)
        above = row(self.banner)
        above.setContentsMargins(GAP, 0, 2 * GAP, 0)
        sides.addLayout(column(above, self._stack, gap=0), 1)
        content.setLayout(sides)
        self._layers = QStackedWidget()
        self._layers.addWidget(content)
        self.setCentralWidget(self._layers)
        self.setMinimumSize(*LEAST)
        self.setWindowTitle("GoAssist")
        self._quit = self._action("Quit", "Ctrl+Q", self.quit_asked.emit)
        self._actions = self._make_actions()
        self._connect()
        self.show_view(TALK)
        self.use(config)

    # -- what `program` does with it -------------------------------------------------------------

    def take(self, event: AssistantEvent) -> None:
        """Something happened in the conversation."""
        for part in (self.stage, self.transcript, self.controls, self.banner):
            part.take(event)

    def use(self, config: Config) -> None:
        """Look as the settings say."""
        theme().use(config.window.theme, config.window.text_scale)
        self.stage.set_person(config.persona.head)
        self.stage.show_captions(config.window.captions)
        self.controls.show_captions(config.window.captions)
        self.controls.show_push_to_talk(config.audio.push_to_talk)
        self._watch_keys(config.audio.push_to_talk)
        self._who.setText(config.persona.name)
        self.transcript.use_name(config.persona.name)
        self.transcript.use_push_to_talk(config.audio.push_to_talk)

    def make_view(self, name: str) -> None:
        """Have a view ready, before it is looked at."""
        if name not in self._views:
            self._add_view(name, self._makers[name]())

    def show_view(self, name: str) -> QWidget:
        """Bring a view to the front, and make it first if need be."""
        self.make_view(name)
        self._rail.show_chosen(name)
        view = self._views[name]
        self._stack.setCurrentWidget(view)
        view.setFocus(Qt.FocusReason.OtherFocusReason)
        return view

    def cover(self, with_what: QWidget) -> None:
        """Show nothing but this, until `uncover`."""
        self._layers.addWidget(with_what)
        self._layers.setCurrentWidget(with_what)
        for action in self._actions:
            action.setEnabled(False)
        with_what.setFocus()

    def uncover(self) -> None:
        covering = self._layers.currentWidget()
        self._layers.setCurrentIndex(0)
        if covering is not None and covering is not self._layers.currentWidget():
            self._layers.removeWidget(covering)
            covering.deleteLater()
        for action in self._actions:
            action.setEnabled(True)
        self.show_view(TALK)

    def begin_anew(self) -> None:
        """Forget the conversation, and show an empty page."""
        self.transcript.clear()
        self._assistant.restart()

    # -- composition -----------------------------------------------------------------------------

    def _talk(self) -> QWidget:
        talk = QWidget()
        talk.setProperty("kind", "page")
        talk.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        anew = IconButton("plus", "New conversation", self.begin_anew, size=36, flat=True)
        words = QWidget()
        words.setMinimumWidth(theme().px(TRANSCRIPT[0]))
        words.setMaximumWidth(theme().px(TRANSCRIPT[1]))
        head = row(self._who, 1, anew)
        head.setContentsMargins(2 * GAP, 0, 0, 0)  # as far in as the words below
        words.setLayout(column(head, self.transcript))
        self._seen = QWidget()
        seen = column(self.stage, gap=2 * GAP)
        below = row(self.controls)
        seen.addLayout(below)
        seen.setStretch(0, 1)
        self._seen.setLayout(seen)
        self.stage.stood_in.connect(lambda px: below.setContentsMargins(px, 0, px, 0))
        sides = row(1, self._seen, words, 1, gap=0)
        for place, share in enumerate((1, 5000, 4000, 1)):
            sides.setStretch(place, share)
        sides.insertSpacing(2, 4 * GAP)
        sides.setContentsMargins(2 * GAP, 3 * GAP, 4 * GAP, 3 * GAP)
        talk.setLayout(sides)
        return talk

    def resizeEvent(self, event: QResizeEvent) -> None:
        """On a broad screen the words stay beside the face, and both in the middle."""
        super().resizeEvent(event)
        self._seen.setMaximumWidth(round(BROADEST * self.height()))

    def _add_view(self, name: str, view: QWidget) -> None:
        self._views[name] = view
        self._stack.addWidget(view)

    def _connect(self) -> None:
        ask, controls = self._assistant, self.controls
        self._rail.chosen.connect(self.show_view)
        controls.muted.connect(self._mute)
        controls.stop.connect(ask.stop_talking)
        controls.held.connect(self._hold)
        controls.captions.connect(self.captions_wanted)
        controls.said.connect(ask.say)
        self.transcript.suggested.connect(ask.say)
        self.transcript.turn_chosen.connect(self.turn_chosen)
        self.transcript.felt_wrong.connect(self.felt_wrong)
        self.banner.wanted.connect(self.wanted)

    def _mute(self, muted: bool) -> None:
        self._assistant.mute(muted)
        self.stage.set_muted(muted)

    def _hold(self, held: bool) -> None:
        self._assistant.push_to_talk(held)
        self.stage.set_push_to_talk(held)

    # -- by keyboard -----------------------------------------------------------------------------

    def _make_actions(self) -> list[QAction]:
        """All but to quit: while something covers the window they do nothing."""
        views = [
            self._action(name, f"Ctrl+{number}", partial(self.show_view, name))
            for number, name in enumerate(self._rail.names, start=1)
        ]
        return [
            self._action("Mute or unmute the microphone", "Ctrl+M", self._toggle_mute),
            self._action("Type a message", "Ctrl+L", self._type),
            self._action("New conversation", "Ctrl+N", self.begin_anew),
            self._action("Captions on or off", "Ctrl+T", self._toggle_captions),
            *views,
            self._action("Full screen", "F11", self._toggle_full_screen),
            self._action("These shortcuts", "F1", self._show_shortcuts),
        ]

    def _action(self, what: str, keys: str, do: Callable[[], object]) -> QAction:
        action = QAction(what, self)
        action.setShortcut(QKeySequence(keys))
        action.triggered.connect(lambda: do())
        self.addAction(action)
        return action

    def _toggle_mute(self) -> None:
        self.controls.mute_button.click()

    def _toggle_captions(self) -> None:
        self.controls.captions_button.click()

    def _type(self) -> None:
        self.show_view(TALK)
        self.controls.input.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def _toggle_full_screen(self) -> None:
        self.setWindowState(self.windowState() ^ Qt.WindowState.WindowFullScreen)

    def _show_shortcuts(self) -> None:
        lines = [(action.text(), action.shortcut()) for action in (*self._actions, self._quit)]
        lines.insert(0, ("Stop the reply", QKeySequence(Qt.Key.Key_Escape)))
        if self._watching:
            lines.insert(0, ("Held down: push to talk", QKeySequence("Ctrl+Space")))
        ShortcutsDialog(lines, self).open()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Escape comes here where it meant nothing to whoever had the keyboard."""
        if event.key() == Qt.Key.Key_Escape:
            self._assistant.stop_talking()
        else:
            super().keyPressEvent(event)

    def _watch_keys(self, wanted: bool) -> None:
        """A shortcut does not tell when its keys are let go: only looking at all events does."""
        if wanted == self._watching:
            return
        self._watching = wanted
        application = QApplication.instance()
        assert application is not None
        if wanted:
            application.installEventFilter(self)
        else:
            application.removeEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Ctrl+Space, or Space where it means nothing else, is held down to talk."""
        if not isinstance(event, QKeyEvent) or event.key() != Qt.Key.Key_Space:
            return False
        held = self.controls.hold_button
        if event.type() == QEvent.Type.KeyRelease and held.isChecked():
            if not event.isAutoRepeat():
                held.key_up()
            return True
        if event.type() != QEvent.Type.KeyPress or not self.isActiveWindow():
            return False
        if not held.isEnabled():
            return False
        means_something = isinstance(QApplication.focusWidget(), SPACE_MEANS_SOMETHING)
        if means_something and not event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            return held.isChecked()
        held.key_down()
        return True

    def closeEvent(self, event: QCloseEvent) -> None:
        event.ignore()
        self.closing.emit()
