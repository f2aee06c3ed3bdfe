"""The sheet of the transcript: one document that holds all turns, and the turns in it.

Any words of them can be selected, and only the turn that changes is laid out again.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from typing import Final, Literal

from PySide6.QtCore import QEvent, QMimeData, QPoint, QRectF, Qt, QTimer, Signal
from PySide6.QtGui import (
    QContextMenuEvent,
    QFocusEvent,
    QFont,
    QGuiApplication,
    QKeyEvent,
    QKeySequence,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QResizeEvent,
    QTextBlock,
    QTextBlockFormat,
    QTextCharFormat,
    QTextCursor,
)
from PySide6.QtWidgets import QApplication, QFrame, QMenu, QTextEdit

from goassist_desktop.ui.announcing import announce
from goassist_desktop.ui.said import Exchange, duration
from goassist_desktop.ui.theme import CONTRAST, GAP, theme

AT_ONCE: Final = 20
"""So many are restyled at a time."""
MEASURE_PX: Final = 640
"""The longest line: about 70 letters."""

Kind = Literal["anew", "you", "it", "words"]
Run = tuple[str, str]
"""Text, and the name of how it is written: see `_Looks`."""
_CHOOSE: Final = (Qt.Key.Key_Return, Qt.Key.Key_Enter)
_MOVES: Final = {Qt.Key.Key_Up: -1, Qt.Key.Key_Down: 1}


@dataclass(slots=True, eq=False)
class _Passage:
    """Where an exchange stands in the document."""

    exchange: Exchange
    start: QTextCursor
    kinds: list[Kind] = field(default_factory=list)
    """Of its blocks."""


class Sheet(QTextEdit):
    """Turns, one below the other; the latest stays in view until somebody scrolls."""

    turn_chosen = Signal(int)
    felt_wrong = Signal(int)
    follows = Signal()
    """`following` may have changed."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.following = True
        """Whether the end is kept in view."""
        self._name = name
        self._passages: list[_Passage] = []
        self._passage_of: dict[Exchange, _Passage] = {}
        self._hovered: _Passage | None = None
        self._current: _Passage | None = None  # of the keyboard
        self._pressed: QPoint | None = None
        self._looks = _looks()
        self.setReadOnly(True)
        self.setUndoRedoEnabled(False)
        self.setAcceptRichText(False)
        self.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse
            | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        self.setCursorWidth(0)  # turns are walked by, not letters
        self.setTabChangesFocus(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setStyleSheet("QTextEdit { background: transparent; border: none; }")
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName("What was said")
        self.setAccessibleDescription(
            "Up and Down go from turn to turn, Enter shows how long an answer took."
        )
        self.viewport().setMouseTracking(True)
        self._choosing = QTimer(self, singleShot=True)
        self._choosing.timeout.connect(self._choose)
        self._to_choose: _Passage | None = None
        self._stale: list[_Passage] = []  # not yet in the colours and sizes of the theme
        self._restyling = QTimer(self, singleShot=True)
        self._restyling.timeout.connect(self._restyle_some)
        bar = self.verticalScrollBar()
        bar.rangeChanged.connect(self._range_changed)
        bar.valueChanged.connect(self._scrolled)
        theme().changed.connect(self._restyle)
        self._restyle()

    # -- what is shown -----------------------------------------------------------------------------

    @property
    def empty(self) -> bool:
        return not self._passages

    def use_name(self, name: str) -> None:
        self._name = name

    def forget(self) -> None:
        self.clear()
        self._passages.clear()
        self._passage_of.clear()
        self._hovered = self._current = self._to_choose = None
        self._choosing.stop()
        self.following = True

    def follow(self) -> None:
        """Go to the end, and stay there."""
        self.following = True
        self.verticalScrollBar().setValue(self.verticalScrollBar().maximum())
        self.follows.emit()

    def show_exchanges(self, changed: list[Exchange]) -> None:
        editing = QTextCursor(self.document())
        editing.beginEditBlock()
        for exchange in changed:
            passage = self._passage_of.get(exchange)
            blocks = _blocks(exchange, self._name) if exchange.shown else []
            if passage is None and blocks:
                passage = self._append(exchange)
            if passage is None:
                continue
            if blocks:
                self._write(passage, blocks)
            else:
                self._take_out(passage)
        editing.endEditBlock()

    def keep(self, most: int) -> None:
        """Take out all but the latest, and leave the others where they are seen."""
        if len(self._passages) <= most:
            return
        gone, first = self._passages[:-most], self._passages[-most]
        bar, before = self.verticalScrollBar(), self._top(first)
        following, seen = self.following, bar.value()
        cursor = QTextCursor(self.document())
        cursor.setPosition(first.start.position(), QTextCursor.MoveMode.KeepAnchor)
        cursor.removeSelectedText()
        del self._passages[: len(gone)]
        self._drop(gone)
        if not following:  # and not scrolled to the end either, where the sheet became shorter
            bar.setValue(seen - round(before - self._top(first)))

    def _append(self, exchange: Exchange) -> _Passage:
        cursor = QTextCursor(self.document())
        cursor.movePosition(QTextCursor.MoveOperation.End)
        if self._passages:
            cursor.insertBlock()
        passage = _Passage(exchange, cursor)
        cursor.setKeepPositionOnInsert(True)
        self._passages.append(passage)
        self._passage_of[exchange] = passage
        return passage

    def _write(self, passage: _Passage, blocks: list[tuple[Kind, list[Run]]]) -> None:
        for number, (kind, runs) in enumerate(blocks):
            if number == len(passage.kinds):
                passage.kinds.append(kind)
                if number:
                    cursor = QTextCursor(self._nth(passage, number - 1))
                    cursor.movePosition(QTextCursor.MoveOperation.EndOfBlock)
                    cursor.insertBlock()
            block = self._nth(passage, number)
            passage.kinds[number] = kind
            if block.blockFormat() != self._looks.blocks[kind]:
                QTextCursor(block).setBlockFormat(self._looks.blocks[kind])
            self._write_block(block, runs)
        if surplus := len(passage.kinds) - len(blocks):
            cursor = QTextCursor(self._nth(passage, len(blocks) - 1))
            cursor.movePosition(QTextCursor.MoveOperation.EndOfBlock)
            last = self._nth(passage, len(blocks) - 1 + surplus)
            cursor.setPosition(last.position() + last.length() - 1, QTextCursor.MoveMode.KeepAnchor)
            cursor.removeSelectedText()
            del passage.kinds[len(blocks) :]

    def _write_block(self, block: QTextBlock, runs: list[Run]) -> None:
        """Change what is different, so that a selection in the rest of it stays."""
        before, after = block.text(), "".join(text for text, _ in runs)
        same = next(
            (n for n, (a, b) in enumerate(zip(before, after, strict=False)) if a != b),
            min(len(before), len(after)),
        )
        cursor = QTextCursor(block)
        if len(before) > same:
            cursor.setPosition(block.position() + same)
            cursor.setPosition(block.position() + len(before), QTextCursor.MoveMode.KeepAnchor)
            cursor.removeSelectedText()
        cursor.setPosition(block.position() + same)
        cursor.insertText(after[same:])
        at = block.position()
        for text, look in runs:
            cursor.setPosition(at)
            at += len(text)
            cursor.setPosition(at, QTextCursor.MoveMode.KeepAnchor)
            cursor.setCharFormat(self._looks.letters[look])

    def _take_out(self, passage: _Passage) -> None:
        at = self._passages.index(passage)
        cursor = QTextCursor(self.document())
        cursor.setPosition(passage.start.position())  # its own anchor moves with what is inserted
        if at + 1 < len(self._passages):
            end = self._passages[at + 1].start.position()
        else:
            cursor.movePosition(QTextCursor.MoveOperation.PreviousCharacter)
            last = self.document().lastBlock()
            end = last.position() + last.length() - 1
        cursor.setPosition(end, QTextCursor.MoveMode.KeepAnchor)
        cursor.removeSelectedText()
        self._passages.remove(passage)
        self._drop([passage])
        if at < len(self._passages):
            following = self._passages[at]
            QTextCursor(following.start.block()).setBlockFormat(
                self._looks.blocks[following.kinds[0]]
            )

    def _drop(self, gone: list[_Passage]) -> None:
        """Nothing may point to them any more."""
        for passage in gone:
            del self._passage_of[passage.exchange]
        if self._hovered in gone:
            self._hovered = None
        if self._current in gone:
            self._current = None
        if self._to_choose in gone:
            self._to_choose = None

    def _nth(self, passage: _Passage, number: int) -> QTextBlock:
        block = passage.start.block()
        for _ in range(number):
            block = block.next()
        return block

    def _restyle(self) -> None:
        self._looks = _looks()
        self.document().setDocumentMargin(theme().px(2 * GAP))
        self._set_margins()
        self._stale = list(self._passages)
        self._restyle_some()

    def _restyle_some(self) -> None:
        """The latest first; the others while there is nothing else to do."""
        self._stale, some = self._stale[:-AT_ONCE], self._stale[-AT_ONCE:]
        self.show_exchanges([one.exchange for one in some if one.exchange in self._passage_of])
        if self._stale:
            self._restyling.start()

    # -- where it is -------------------------------------------------------------------------------

    def _top(self, passage: _Passage) -> float:
        layout = self.document().documentLayout()
        return layout.blockBoundingRect(passage.start.block()).top()

    def _area(self, passage: _Passage) -> QRectF:
        """On the viewport."""
        layout = self.document().documentLayout()
        first = layout.blockBoundingRect(passage.start.block())
        last = layout.blockBoundingRect(self._nth(passage, len(passage.kinds) - 1))
        pad = theme().px(1.5 * GAP)
        area = QRectF(first.left(), first.top(), first.width(), last.bottom() - first.top())
        area.translate(0, -self.verticalScrollBar().value())
        return area.adjusted(-pad, -pad + theme().px(2), pad, pad)

    def turn_at(self, point: QPoint) -> _Passage | None:
        """Which one is there, on the viewport."""
        position = self.cursorForPosition(point).position()
        at = bisect_right(self._passages, position, key=lambda one: one.start.position()) - 1
        if at < 0 or not self._area(self._passages[at]).contains(point.toPointF()):
            return None
        return self._passages[at]

    def _set_margins(self) -> None:
        """Margins of the viewport, not of the document: a wider window lays nothing out again."""
        inner = theme().px(MEASURE_PX) + 2 * theme().px(2 * GAP)
        side = max(0, (self.width() - inner) // 2)
        self.setViewportMargins(side, 0, side, 0)

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Resize:
            self._set_margins()
        return super().event(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if self.following:
            self.follow()

    def _range_changed(self) -> None:
        if self.following:
            self.verticalScrollBar().setValue(self.verticalScrollBar().maximum())

    def _scrolled(self, value: int) -> None:
        near = theme().px(3 * GAP)
        following = value >= self.verticalScrollBar().maximum() - near
        if following != self.following:
            self.following = following
            self.follows.emit()

    # -- what is done with it ----------------------------------------------------------------------

    def _choose(self) -> None:
        passage, self._to_choose = self._to_choose, None
        if passage is not None and passage.exchange.turn_id is not None:
            self.turn_chosen.emit(passage.exchange.turn_id)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        selected = self.textCursor().hasSelection()
        left = event.button() == Qt.MouseButton.LeftButton
        self._pressed = event.position().toPoint() if left and not selected else None
        super().mousePressEvent(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        super().mouseReleaseEvent(event)
        point, pressed = event.position().toPoint(), self._pressed
        self._pressed = None
        if pressed is None or self.textCursor().hasSelection():
            return
        if (point - pressed).manhattanLength() > QApplication.startDragDistance():
            return
        self._to_choose = self.turn_at(point)
        self._choosing.start(QApplication.doubleClickInterval())

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self._choosing.stop()  # a word is being selected
        super().mouseDoubleClickEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        super().mouseMoveEvent(event)
        self._hover(None if event.buttons() else self.turn_at(event.position().toPoint()))

    def leaveEvent(self, event: QEvent) -> None:
        self._hover(None)
        super().leaveEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        by_keyboard = event.reason() in (
            Qt.FocusReason.TabFocusReason,
            Qt.FocusReason.BacktabFocusReason,
            Qt.FocusReason.ShortcutFocusReason,
        )
        if by_keyboard and self._current is None and self._passages:
            self._go_to(self._passages[-1])
        self.viewport().update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        if event.reason() != Qt.FocusReason.PopupFocusReason:
            self._current = None
        self.viewport().update()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        plain = not event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
        key = Qt.Key(event.key())
        if plain and key in _MOVES and self._passages:
            self._step(_MOVES[key])
        elif plain and key in _CHOOSE and self._passages:
            self._to_choose = self._current or self._passages[-1]
            self._choose()
        elif plain and key == Qt.Key.Key_End:
            self.follow()
        elif event.matches(QKeySequence.StandardKey.Copy):
            self._copy(self._current)
        else:
            super().keyPressEvent(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        by_key = event.reason() == QContextMenuEvent.Reason.Keyboard
        passage = self._current if by_key else self.turn_at(event.pos())
        where = event.globalPos()
        if by_key and passage is not None:
            where = self.viewport().mapToGlobal(self._area(passage).topLeft().toPoint())
        self.menu(passage).popup(where)

    def menu(self, passage: _Passage | None) -> QMenu:
        """What can be done with a turn, and with what is selected."""
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        copying = menu.addAction("Copy")
        copying.setShortcut(QKeySequence.StandardKey.Copy)
        copying.setEnabled(passage is not None or self.textCursor().hasSelection())
        copying.triggered.connect(lambda: self._copy(passage))
        turn_id = None if passage is None else passage.exchange.turn_id
        wrong = menu.addAction("This turn felt wrong")
        wrong.setEnabled(turn_id is not None)
        wrong.triggered.connect(lambda: self.felt_wrong.emit(turn_id))
        return menu

    def createMimeDataFromSelection(self) -> QMimeData:
        copied = QMimeData()  # as plain text: colours belong to this window
        copied.setText(self.textCursor().selection().toPlainText())
        return copied

    def _copy(self, passage: _Passage | None) -> None:
        if self.textCursor().hasSelection():
            self.copy()
        elif passage is not None:
            QGuiApplication.clipboard().setText(passage.exchange.as_text(self._name))

    def _step(self, by: int) -> None:
        if self._current is None:
            at = len(self._passages) - 1
        else:
            at = self._passages.index(self._current) + by
        self._go_to(self._passages[min(max(at, 0), len(self._passages) - 1)])

    def _go_to(self, passage: _Passage) -> None:
        self._current = passage
        cursor = self.textCursor()
        cursor.setPosition(passage.start.position())
        self.setTextCursor(cursor)
        area, bar = self._area(passage), self.verticalScrollBar()
        if area.bottom() > self.viewport().height():
            bar.setValue(bar.value() + round(area.bottom()) - self.viewport().height())
            area = self._area(passage)
        if area.top() < 0:
            bar.setValue(bar.value() + round(area.top()))
        announce(self, passage.exchange.as_text(self._name))
        self.viewport().update()

    def _hover(self, passage: _Passage | None) -> None:
        if passage is self._hovered:
            return
        self._hovered = passage
        tip = ""
        if passage is not None and passage.exchange.turn_id is not None:
            gap_ms = passage.exchange.gap_ms
            tip = "Click to see what the time was spent on."
            if gap_ms is not None:
                tip = f"Answered in {duration(gap_ms)}. {tip}"
        self.viewport().setToolTip(tip)
        self.viewport().update()

    def paintEvent(self, event: QPaintEvent) -> None:
        style = theme()
        painter = QPainter(self.viewport())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        if self._hovered is not None and self._hovered.exchange.turn_id is not None:
            painter.setBrush(style.colour("raised", 0.6))
            self._draw_area(painter, self._hovered)
        if self._current is not None and self.hasFocus():
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(style.colour("accent"), 2))
            self._draw_area(painter, self._current)
        painter.end()
        super().paintEvent(event)

    def _draw_area(self, painter: QPainter, passage: _Passage) -> None:
        radius = theme().px(10)
        painter.drawRoundedRect(self._area(passage).adjusted(1, 1, -1, -1), radius, radius)


# -- how it is written -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Looks:
    blocks: dict[Kind, QTextBlockFormat]
    letters: dict[str, QTextCharFormat]


def _looks() -> _Looks:
    """In the theme's colours and sizes."""
    weight = QFont.Weight

    def letters(size: str, colour: str, weight: QFont.Weight) -> QTextCharFormat:
        made = QTextCharFormat()
        made.setFont(theme().font(size, weight))
        made.setForeground(theme().colour(colour))
        return made

    def block(above: float, line_height: float) -> QTextBlockFormat:
        made = QTextBlockFormat()
        made.setTopMargin(theme().px(above))
        proportional = QTextBlockFormat.LineHeightTypes.ProportionalHeight
        made.setLineHeight(line_height, proportional.value)
        return made

    unspoken = letters("large", "quiet", weight.Normal)
    unspoken.setFontStrikeOut(True)
    unheard = letters("large", "quiet", weight.Normal)
    partial = letters("large", "quiet", weight.Medium)
    if theme().colours is CONTRAST:  # where quiet is all but loud
        for quiet in (unheard, partial):
            quiet.setUnderlineStyle(QTextCharFormat.UnderlineStyle.DotLine)
    return _Looks(
        blocks={
            "anew": block(6 * GAP, 100),
            "you": block(4 * GAP, 100),
            "it": block(2 * GAP, 100),
            "words": block(4, 135),
        },
        letters={
            "name": letters("caption", "quiet", weight.DemiBold),
            "live": letters("caption", "accent", weight.DemiBold),
            "figures": letters("caption", "quiet", weight.Normal),
            "said": letters("large", "text", weight.Medium),
            "partial": partial,
            "heard": letters("large", "text", weight.Normal),
            "unheard": unheard,
            "unspoken": unspoken,
        },
    )


def _blocks(exchange: Exchange, name: str) -> list[tuple[Kind, list[Run]]]:
    """Who says what, one block each; the figures stand beside who answered."""
    blocks: list[tuple[Kind, list[Run]]] = []
    user, reply = exchange.user_spans, exchange.reply_spans
    if exchange.first and (user or reply):
        blocks.append(("anew", [("New conversation", "figures")]))
    if user:
        who: list[Run] = [("You", "live" if exchange.partial else "name")]
        if not reply and exchange.outcome is not None and exchange.figures:
            who.append((f"   {exchange.figures}", "figures"))
        blocks += [("you", who), ("words", [*user])]
    if reply:
        who = [(name, "live" if exchange.outcome is None else "name")]
        if exchange.figures:
            who.append((f"   {exchange.figures}", "figures"))
        blocks += [("it" if user else "you", who), ("words", [*reply])]
    return blocks
