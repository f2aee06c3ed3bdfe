"""What is being said, as it is said: the words of both sides, one below the other.

The user's words are quiet until they are final; those of the reply until they are heard; what an
interruption left unspoken is struck out.
"""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QSize, Qt, QTimer, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QPushButton, QStackedWidget, QWidget

from goassist_desktop.pipeline.events import TurnClosed, UserText
from goassist_desktop.ui.announcing import announce
from goassist_desktop.ui.kit import button, column, label, scrolling
from goassist_desktop.ui.pictograms import icon
from goassist_desktop.ui.ports import AssistantEvent, Loading, Ready, Unable
from goassist_desktop.ui.said import Exchange, Said
from goassist_desktop.ui.theme import GAP, theme
from goassist_desktop.ui.transcript_sheet import Sheet

LONGEST: Final = 300
"""So many turns are kept in view: when they get another width, all are laid out again at once."""
TRIM: Final = 20
"""So many leave it at once, for every one that leaves moves all others."""
FORGET_MS: Final = 6000
"""Words that are neither final nor change for so long were none."""
QUESTIONS: Final = (
    "What can you help me with?",
    "Why is the sky blue?",
    "Tell me something I don't know.",
)


class Transcript(QWidget):
    """The conversation so far, and an invitation while there is none."""

    turn_chosen = Signal(int)
    """The id of a turn whose figures are wanted."""
    felt_wrong = Signal(int)
    """The id of a turn that should be reported."""
    suggested = Signal(str)
    """A question to be asked in the user's name."""

    def __init__(self, name: str = "GoAssist") -> None:
        """`name`: of who answers."""
        super().__init__()
        self.setAccessibleName("Conversation")
        self._said = Said()
        self._name = name
        self.view = Sheet(name)
        self.view.turn_chosen.connect(self.turn_chosen)
        self.view.felt_wrong.connect(self.felt_wrong)
        self.view.follows.connect(self._place_latest)
        self.invitation = _Invitation()
        self.invitation.suggested.connect(self.suggested)
        self._pages = QStackedWidget()
        self._empty = scrolling(self.invitation)
        self._pages.addWidget(self._empty)
        self._pages.addWidget(self.view)
        outer = column(self._pages)
        self.setLayout(outer)
        self.latest = button("Latest", clicked=self.view.follow)
        self.latest.setParent(self)
        self.latest.setToolTip("Go on to what is being said")
        self.latest.setCursor(Qt.CursorShape.PointingHandCursor)
        self.latest.hide()
        self._forgetting = QTimer(self, interval=FORGET_MS, singleShot=True)
        self._forgetting.timeout.connect(self._forget_partial)
        theme().changed.connect(self._restyle)
        self._restyle()

    def take(self, event: AssistantEvent) -> None:
        """Show what it says."""
        changed = self._said.take(event)
        if isinstance(event, Loading | Ready | Unable):
            self.invitation.take(event)
        if changed:
            self._show(changed)
        match event:
            case UserText(text, final=True) if text:
                announce(self, f"You: {text}")
            case TurnClosed(heard_text=heard) if heard:
                announce(self, f"{self._name}: {heard}")

    def clear(self) -> None:
        """Begin with an empty sheet."""
        self._said.clear()
        self.view.forget()
        self._pages.setCurrentWidget(self._empty)
        self._place_latest()

    def use_name(self, name: str) -> None:
        """Who answers is called that from now on."""
        self._name = name
        self.view.use_name(name)

    def use_push_to_talk(self, wanted: bool) -> None:
        """Whether one has to hold a button to be heard: the invitation says so."""
        self.invitation.use_push_to_talk(wanted)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._place_latest()

    def _show(self, changed: list[Exchange]) -> None:
        self.view.show_exchanges(changed)
        if len(self._said.exchanges) > LONGEST + TRIM:
            self._said.keep(LONGEST)
            self.view.keep(LONGEST)
        self._pages.setCurrentWidget(self._empty if self.view.empty else self.view)
        if self._said.partial:
            self._forgetting.start()
        else:
            self._forgetting.stop()

    def _forget_partial(self) -> None:
        self._show(self._said.forget_partial())

    def _place_latest(self) -> None:
        here = self._pages.currentWidget() is self.view and not self.view.following
        if here:
            self.latest.adjustSize()
            left = (self.width() - self.latest.width()) // 2
            self.latest.move(left, self.height() - self.latest.height() - theme().px(2 * GAP))
            self.latest.raise_()
        self.latest.setVisible(here)

    def _restyle(self) -> None:
        side = theme().px(16)
        self.latest.setIcon(icon("down", theme().colours.accent, side))
        self.latest.setIconSize(QSize(side, side))
        height = theme().px(20)
        self.latest.setStyleSheet(
            f"min-height: {height}px; border-radius: {theme().px(15)}px; "
            f"padding: {theme().px(6)}px {theme().px(14)}px;"
        )
        self._place_latest()


class _Invitation(QWidget):
    """What stands there before anything was said."""

    suggested = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self._line = label("", "title", wrap=True)
        self._line.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        self._more = label("For example:", "quiet")
        self._more.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        self.questions = [self._question(text) for text in QUESTIONS]
        inside = column(1, self._line, self._more, gap=GAP)
        inside.insertSpacing(2, 2 * GAP)
        for question in self.questions:
            inside.addWidget(question, alignment=Qt.AlignmentFlag.AlignHCenter)
        inside.addStretch(1)
        inside.setContentsMargins(2 * GAP, 2 * GAP, 2 * GAP, 2 * GAP)
        self.setLayout(inside)
        self._told: Loading | Ready | Unable = Ready((), 0.0)
        self._push_to_talk = False
        self._invite()

    def take(self, event: Loading | Ready | Unable) -> None:
        self._told = event
        self._invite()

    def use_push_to_talk(self, wanted: bool) -> None:
        self._push_to_talk = wanted
        self._invite()

    def _question(self, text: str) -> QPushButton:
        return button(f"“{text}”", "link", lambda: self.suggested.emit(text))

    def _invite(self) -> None:
        match self._told:
            case Loading():
                line = "One moment: getting ready to listen."
            case Unable():
                line = "Not ready to talk yet."
            case _ if self._push_to_talk:
                line = "Hold the button and talk, or type below."
            case _:
                line = "Say something, or type below."
        self._line.setText(line)
        for widget in (self._more, *self.questions):
            widget.setVisible(isinstance(self._told, Ready))
