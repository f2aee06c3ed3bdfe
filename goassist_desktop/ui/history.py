"""Past conversations: looked for, read, copied, saved and deleted.

Everything is asked of the store in threads. The page itself only shows what came of it.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from PySide6.QtCore import QModelIndex, Qt, QTimer, Signal
from PySide6.QtGui import (
    QGuiApplication,
    QKeyEvent,
    QKeySequence,
    QResizeEvent,
    QShortcut,
    QShowEvent,
)
from PySide6.QtWidgets import (
    QFileDialog,
    QFrame,
    QLabel,
    QSizePolicy,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from goassist_desktop.history_store import Conversation, HistoryStore
from goassist_desktop.history_store import Page as Found
from goassist_desktop.pipeline.errors import GoAssistError
from goassist_desktop.stored import size_in_words
from goassist_desktop.ui import kit
from goassist_desktop.ui.confirm import Confirm
from goassist_desktop.ui.history_list import (
    SUMMARY,
    ConversationList,
    Conversations,
    day_of,
    how_many,
    time_of,
)
from goassist_desktop.ui.history_text import INSET, ConversationText
from goassist_desktop.ui.jobs import Jobs
from goassist_desktop.ui.pictograms import pixmap
from goassist_desktop.ui.theme import GAP, theme

TYPING_MS: Final = 120
"""Letters that follow each other sooner are looked for together."""
SIDE: Final = 360
"""Of the list beside what is read, in px; the page shows one of them where two do not fit."""
TWO_PANES: Final = 800
TOLD_MS: Final = 2500

_KEEPS_NOTHING: Final = (
    "Switch on to keep the words of conversations on this machine. They stay here, and you can "
    "delete them at any time."
)
_NOTHING_KEPT: Final = ("Nothing is kept", _KEEPS_NOTHING)
_NONE_YET: Final = (
    "No conversations yet",
    "What is said from now on can be found here, and read again.",
)


@dataclass(frozen=True, slots=True)
class _Looked:
    """What a look into the store found."""

    page: Found
    words: str
    count: int
    bytes: int


class HistoryPage(kit.Page):
    """The page of past conversations. It reads anew whenever it is shown."""

    keep = Signal(bool)
    """The user wants conversations kept from now on, or not any more."""

    def __init__(self, store: HistoryStore, keeping: bool) -> None:
        super().__init__("History", scrolls=False)
        self._store = store
        self._keeping = keeping
        self._asked: int | None = None
        self._conversation: Conversation | None = None
        self._jobs = Jobs(self)
        self._typing = QTimer(self)
        self._typing.setSingleShot(True)
        self._typing.setInterval(TYPING_MS)
        self._typing.timeout.connect(self.reload)

        self._model = Conversations(self)
        self._model.wanted.connect(self._on_wanted)
        self._stack = QStackedWidget()
        self._stack.addWidget(self._shelves())
        self._stack.addWidget(self._nothing())
        self.body.addWidget(self._stack)
        self.body.setContentsMargins(0, 0, 0, 3 * GAP)
        self._switch = kit.Switch(keeping, "Keep conversations")
        self._switch.setAccessibleDescription("Their words, on this machine only")
        self._switch.clicked.connect(self._on_switch)
        self._switch_label = kit.label("Keep conversations", "quiet")
        self.head.addWidget(self._switch_label)
        self.head.addWidget(self._switch)
        self.head.setSpacing(GAP + GAP // 2)
        find = QShortcut(QKeySequence(QKeySequence.StandardKey.Find), self)
        find.activated.connect(self._to_search)
        find.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        theme().changed.connect(self._restyle)
        self._restyle()

    # -- from outside ----------------------------------------------------------------------------

    def set_keeping(self, on: bool) -> None:
        """The setting is another now."""
        self._keeping = on
        self._switch.setChecked(on)
        self._big_switch.setChecked(on)
        self._show_what_there_is(self._count)

    def reload(self) -> None:
        """Look again: something may have been added."""
        words = self._search.text()

        def look() -> _Looked:
            page = self._store.page(words)
            return _Looked(page, words, self._store.count(), self._store.size_bytes())

        self._jobs.forget("more")
        self._jobs.run(look, self._on_looked, self._on_failed, kind="look")

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.reload()

    # -- how it is made --------------------------------------------------------------------------

    def _shelves(self) -> QWidget:
        """The list, and beside it what is read."""
        self._search = kit.SearchField("Search what was said")
        self._search.textChanged.connect(self._typing.start)
        self._search.returnPressed.connect(self._to_list)
        self._list = ConversationList()
        self._list.setModel(self._model)
        self._list.read.connect(self._read)
        self._list.delete.connect(self._ask_to_delete)
        self._list.selectionModel().currentChanged.connect(self._on_current)
        self._none_found = kit.label("", "quiet", wrap=True)
        self._none_found.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._none_found.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        self._none_found.hide()
        self._trouble = kit.label("", "error", wrap=True)
        self._again = kit.button("Try again", clicked=self.reload)
        self._trouble.hide()
        self._again.hide()
        self._size = kit.label("", "caption")
        self._all = kit.button("Delete all …", "link", self._ask_to_delete_all)
        foot = kit.row(self._size, 1, self._all)
        self._side = QWidget()
        self._side.setLayout(
            kit.column(
                self._search,
                self._trouble,
                self._again,
                self._none_found,
                self._list,
                foot,
                gap=GAP + GAP // 2,
            )
        )
        self._text_card = self._reader()
        both = QWidget()
        self._panes = kit.row(self._side, self._text_card, gap=3 * GAP)
        both.setLayout(self._panes)
        return both

    def _reader(self) -> QFrame:
        self._back = kit.IconButton("back", "Back to the list", self._close_text, flat=True)
        self._when = kit.label("", "large")
        self._with = kit.label("", "caption")
        self._told = kit.label("", "caption")
        self._copy = kit.IconButton("copy", "Copy this conversation", self._copy_text, flat=True)
        self._save = kit.IconButton("save", "Save as a text file", self._ask_where, flat=True)
        self._trash = kit.IconButton(
            "trash", "Delete this conversation", self._delete_this, flat=True
        )
        self._text = ConversationText()
        self._hint = kit.label("Choose a conversation to read it.", "quiet")
        self._hint.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._hint.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        titles = kit.column(self._when, self._with, gap=2)
        self._bar = QWidget()
        bar = kit.row(self._back, titles, 1, self._told, self._copy, self._save, self._trash)
        bar.setContentsMargins(INSET, 0, INSET, 0)
        self._bar.setLayout(bar)
        reader = QFrame()
        reader.setProperty("kind", "card")
        inside = kit.column(self._bar, self._text, self._hint, gap=GAP)
        inside.setContentsMargins(3 * GAP - INSET, 3 * GAP, 3 * GAP - INSET, 2 * GAP)
        reader.setLayout(inside)
        return reader

    def _nothing(self) -> QWidget:
        """What is shown in place of a list with nothing in it."""
        self._empty_icon = QLabel()
        self._empty_icon.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._empty_title = kit.label("", "large")
        self._empty_title.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._empty_text = kit.label("", "quiet", wrap=True)
        self._empty_text.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._big_switch = kit.Switch(self._keeping, "Keep conversations")
        self._big_switch.clicked.connect(self._on_switch)
        self._big_line = QWidget()
        self._big_line.setLayout(
            kit.row(1, kit.label("Keep conversations"), self._big_switch, 1, gap=2 * GAP)
        )
        middle = QWidget()
        middle.setLayout(
            kit.column(
                self._empty_icon,
                self._empty_title,
                self._empty_text,
                self._big_line,
                gap=2 * GAP,
            )
        )
        self._middle = middle
        page = QWidget()
        outer = QVBoxLayout(page)
        outer.addStretch(2)
        outer.addLayout(kit.row(1, middle, 1))
        outer.addStretch(3)
        return page

    def _restyle(self) -> None:
        style = theme()
        self.setMinimumWidth(style.px(360))
        ratio = self.devicePixelRatioF()
        self._empty_icon.setPixmap(pixmap("history", style.colours.quiet, style.px(56), ratio))
        self._middle.setFixedWidth(style.px(460))
        self._arrange()

    # -- what is shown ---------------------------------------------------------------------------

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._arrange()

    @property
    def _wide(self) -> bool:
        return self.width() >= theme().px(TWO_PANES)

    def _arrange(self) -> None:
        """Two panes where they fit; else the list, or what is read."""
        wide, reads = self._wide, self._conversation is not None
        self._side.setVisible(wide or not reads)
        self._text_card.setVisible(wide or reads)
        self._back.setVisible(not wide)
        self._side.setMinimumWidth(theme().px(SIDE) if wide else 0)
        self._side.setMaximumWidth(theme().px(SIDE) if wide else 16777215)
        for widget in (self._bar, self._text):
            widget.setVisible(reads)
        self._hint.setVisible(not reads)

    _count = 0

    def _show_what_there_is(self, count: int) -> None:
        self._count = count
        empty = count == 0 and self._trouble.isHidden()
        self._stack.setCurrentIndex(1 if empty else 0)
        title, text = _NONE_YET if self._keeping else _NOTHING_KEPT
        self._empty_title.setText(title)
        self._empty_text.setText(text)
        self._big_line.setVisible(not self._keeping)
        in_head = not empty or self._keeping
        self._switch.setVisible(in_head)
        self._switch_label.setVisible(in_head)

    def _on_looked(self, looked: _Looked) -> None:
        chosen = self._list.current()
        self._trouble.hide()
        self._again.hide()
        self._model.show_page(looked.page)
        self._size.setText(_size_words(looked.count, looked.bytes))
        searched = looked.words.strip()
        self._none_found.setText(f"Nothing found for “{searched}”.")
        none = bool(searched) and not looked.page.found
        self._none_found.setVisible(none)
        self._list.setVisible(not none)
        if self._conversation is not None:
            self._text.mark(looked.words)
        self._show_what_there_is(looked.count)
        row = None if chosen is None else self._model.row_of(chosen)
        if row is not None:
            self._list.setCurrentIndex(self._model.index(row))
        elif self._wide and self._conversation is None:
            first = self._model.next_to(0)
            if first.isValid():
                self._list.setCurrentIndex(first)

    def _on_wanted(self, before: int) -> None:
        words = self._search.text()
        self._jobs.run(
            lambda: self._store.page(words, before=before),
            self._model.add_page,
            self._on_failed,
            kind="more",
        )

    def _on_failed(self, what: str) -> None:
        self._trouble.setText(what)
        self._trouble.show()
        self._again.show()
        self._stack.setCurrentIndex(0)

    # -- reading one -----------------------------------------------------------------------------

    def _on_current(self, index: QModelIndex) -> None:
        """Beside the list, what is chosen is read at once."""
        summary = index.data(SUMMARY)
        if summary is not None and self._wide:
            self._read(summary.id)

    def _read(self, number: int) -> None:
        self._asked = number
        self._jobs.run(
            lambda: self._store.conversation(number), self._on_read, self._on_failed, kind="read"
        )

    def _on_read(self, conversation: Conversation | None) -> None:
        if conversation is None:  # deleted elsewhere
            if self._asked is not None:
                self._model.remove(self._asked)
            return
        self._conversation = conversation
        day = day_of(conversation.began_s, datetime.date.today())
        self._when.setText(f"{day}, {time_of(conversation.began_s)}")
        parts = (conversation.persona, how_many(len(conversation.turns)))
        self._with.setText("  ·  ".join(part for part in parts if part))
        self._text.setAccessibleName(f"Conversation, {self._when.text()}, {self._with.text()}")
        self._told.setText("")
        self._text.show_conversation(conversation, self._search.text())
        self._arrange()
        if not self._wide:
            self._text.setFocus()

    def _close_text(self) -> None:
        self._conversation = None
        self._text.show_conversation(None)
        self._arrange()
        self._list.setFocus()

    # -- keys ------------------------------------------------------------------------------------

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape and self._search.text():
            self._search.clear()
        elif event.key() == Qt.Key.Key_Escape and not self._wide and self._conversation:
            self._close_text()
        elif event.key() == Qt.Key.Key_Down and self._search.hasFocus():
            self._to_list()
        else:
            super().keyPressEvent(event)

    def _to_search(self) -> None:
        if not self._side.isVisible():
            self._close_text()
        self._search.setFocus()
        self._search.selectAll()

    def _to_list(self) -> None:
        first = self._model.next_to(0)
        if first.isValid():
            self._list.setFocus()
            if self._list.current() is None:
                self._list.setCurrentIndex(first)

    # -- copying and saving ----------------------------------------------------------------------

    def _copy_text(self) -> None:
        if self._conversation is not None:
            QGuiApplication.clipboard().setText(self._conversation.as_text())
            self._tell("Copied")

    def _ask_where(self) -> None:
        if self._conversation is None:
            return
        began = datetime.datetime.fromtimestamp(self._conversation.began_s)
        dialog = QFileDialog(self, "Save the conversation")
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setNameFilter("Text (*.txt)")
        dialog.setDefaultSuffix("txt")
        dialog.selectFile(f"Conversation {began:%Y-%m-%d %H.%M}.txt")
        dialog.fileSelected.connect(self._save_to)
        dialog.open()

    def _save_to(self, name: str) -> None:
        conversation = self._conversation
        if conversation is None:
            return

        def write() -> str:
            try:
                Path(name).write_text(conversation.as_text(), encoding="utf-8")
            except OSError as error:
                raise GoAssistError(f"{name} can not be written: {error.strerror}.") from error
            return Path(name).name

        self._jobs.run(write, self._on_saved, self._on_failed, finish=True)

    def _on_saved(self, name: str) -> None:
        self._tell(f"Saved as {name}")

    def _tell(self, what: str) -> None:
        self._told.setText(what)
        QTimer.singleShot(TOLD_MS, self._told, self._told.clear)

    # -- deleting --------------------------------------------------------------------------------

    def _delete_this(self) -> None:
        if self._conversation is not None:
            self._ask_to_delete(self._conversation.id)

    def _ask_to_delete(self, number: int) -> None:
        Confirm(
            self,
            "Delete this conversation?",
            "Delete",
            lambda: self._delete(number),
            note="Its words are removed from this machine. They can not be brought back.",
        ).open()

    def _delete(self, number: int) -> None:
        def delete() -> int:
            self._store.delete(number)
            return number

        self._jobs.run(delete, self._on_changed, self._on_failed, finish=True)

    def _ask_to_delete_all(self) -> None:
        Confirm(
            self,
            "Delete all conversations?",
            "Delete all",
            self._delete_all,
            note=f"{self._size.text()} will be removed. They can not be brought back.",
        ).open()

    def _delete_all(self) -> None:
        self._jobs.run(self._store.delete_all, self._on_changed, self._on_failed, finish=True)

    def _on_changed(self, deleted: int | None) -> None:
        row = None if deleted is None else self._model.row_of(deleted)
        gone = self._conversation is not None and deleted in (None, self._conversation.id)
        if gone:
            self._conversation = None
            self._text.show_conversation(None)
            self._arrange()
        if row is not None and deleted is not None:
            self._model.remove(deleted)
            nearest = self._model.next_to(row)
            if nearest.isValid():
                self._list.setCurrentIndex(nearest)
                if self._wide:
                    self._read(nearest.data(SUMMARY).id)
        self.reload()

    # -- keeping ---------------------------------------------------------------------------------

    def _on_switch(self, on: bool) -> None:
        self.set_keeping(on)
        self.keep.emit(on)


def _size_words(count: int, size: int) -> str:
    number = "1 conversation" if count == 1 else f"{count:,} conversations"
    return f"{number}, {size_in_words(size)}"
