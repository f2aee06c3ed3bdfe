"""A past conversation, to be read: who said what, as it was heard."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QTimer
from PySide6.QtGui import (
    QFont,
    QResizeEvent,
    QTextBlockFormat,
    QTextCharFormat,
    QTextCursor,
)
from PySide6.QtWidgets import QFrame, QTextBrowser

from goassist_desktop.history_store import Conversation, KeptTurn, marks
from goassist_desktop.ui.theme import GAP, theme

AT_A_TIME: Final = 12
"""Turns put in at once, so that a conversation of hours does not hold up the window."""
LINE: Final = 760
"""Longest line in px: wider ones are hard to read."""
_AFTERWARDS: Final = {
    "interrupted": "you interrupted",
    "refused": "this was too long to answer",
    "failed": "the answer failed",
}


INSET: Final = GAP + GAP // 2
"""Between the edge that tells of the keyboard and the words, in px."""


class ConversationText(QTextBrowser):
    """Words of a conversation; those that were searched for are marked."""

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName("Conversation")
        self.setOpenLinks(False)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setTabChangesFocus(True)
        self._conversation: Conversation | None = None
        self._words = ""
        self._next = 0
        self._first_mark: int | None = None
        self._scrolled = False
        self._filling = QTimer(self)
        self._filling.setInterval(0)
        self._filling.timeout.connect(self._fill)
        theme().changed.connect(self._restyle)
        self._restyle()

    def show_conversation(self, conversation: Conversation | None, words: str = "") -> None:
        self._conversation, self._words = conversation, words
        self._next, self._first_mark, self._scrolled = 0, None, False
        self._filling.stop()
        self.clear()
        self.document().setDefaultFont(theme().font("body"))
        self.document().setDocumentMargin(0)
        if conversation is not None:
            self._fill()
            self._filling.start()

    def mark(self, words: str) -> None:
        """Mark other words."""
        if words != self._words:
            self.show_conversation(self._conversation, words)

    @property
    def whole(self) -> bool:
        """All of it is there."""
        return not self._filling.isActive()

    def resizeEvent(self, event: QResizeEvent) -> None:
        spare = self.width() - theme().px(LINE) - 2 * INSET
        self.setViewportMargins(INSET, GAP, INSET + max(0, spare), 0)
        super().resizeEvent(event)

    def _restyle(self) -> None:
        colours = theme().colours
        self.setStyleSheet(
            "QTextBrowser { background: transparent; border: 1px solid transparent; "
            f"border-radius: {theme().px(10)}px; "
            f"selection-background-color: {colours.accent_fill}; "
            f"selection-color: {colours.on_accent}; }}"
            f"QTextBrowser:focus {{ border-color: {colours.accent}; }}"
        )
        self.show_conversation(self._conversation, self._words)

    def _fill(self) -> None:
        assert self._conversation is not None
        turns = self._conversation.turns[self._next : self._next + AT_A_TIME]
        cursor = QTextCursor(self.document())
        cursor.movePosition(QTextCursor.MoveOperation.End)
        cursor.beginEditBlock()
        for turn in turns:
            self._put(cursor, turn)
        cursor.endEditBlock()
        if self._next == 0:  # it went along with what was put before it
            self.moveCursor(QTextCursor.MoveOperation.Start)
        self._next += len(turns)
        if self._next >= len(self._conversation.turns):
            self._filling.stop()
        if self._first_mark is not None and not self._scrolled:
            self._scrolled = True
            found = QTextCursor(self.document())
            found.setPosition(self._first_mark)
            self.setTextCursor(found)
            self.ensureCursorVisible()

    def _put(self, cursor: QTextCursor, turn: KeptTurn) -> None:
        assert self._conversation is not None
        if turn.user:
            self._say(cursor, "You", "quiet", turn.user, "")
        if turn.heard or turn.outcome in _AFTERWARDS:
            after = _AFTERWARDS.get(turn.outcome, "")
            self._say(cursor, self._conversation.persona, "accent", turn.heard, after)

    def _say(self, cursor: QTextCursor, who: str, colour: str, what: str, after: str) -> None:
        style = theme()
        name = _look(style.font("caption", QFont.Weight.DemiBold), colour)
        words = _look(style.font("body"), "text")
        if not self.document().isEmpty():
            cursor.insertBlock()
        cursor.setBlockFormat(_spaced(above=style.px(18 if colour == "quiet" else 10)))
        cursor.insertText(who, name)
        cursor.insertBlock(_spaced(above=style.px(2)))
        start = cursor.position()
        cursor.insertText(what, words)
        if after:
            cursor.insertText(f"{' …  ' if what else ''}{after}", _look(name.font(), "quiet"))
        found = _look(style.font("body", QFont.Weight.Bold), "accent")
        found.setBackground(style.colour("accent_soft"))
        for begin, end in marks(what, self._words):
            marked = QTextCursor(self.document())
            marked.setPosition(start + begin)
            marked.setPosition(start + end, QTextCursor.MoveMode.KeepAnchor)
            marked.setCharFormat(found)
            if self._first_mark is None:
                self._first_mark = start + begin


def _look(font: QFont, colour: str) -> QTextCharFormat:
    look = QTextCharFormat()
    look.setFont(font)
    look.setForeground(theme().colour(colour))
    return look


def _spaced(above: int) -> QTextBlockFormat:
    space = QTextBlockFormat()
    space.setTopMargin(above)
    space.setLineHeight(140, QTextBlockFormat.LineHeightTypes.ProportionalHeight.value)
    return space
