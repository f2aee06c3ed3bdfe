"""“This turn felt wrong”: say what, and keep what it takes to find out why."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Final

from PySide6.QtCore import QPoint, QRectF, QSize, Qt, QUrl, Signal
from PySide6.QtGui import QDesktopServices, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import (
    QCheckBox,
    QDialog,
    QFileDialog,
    QGridLayout,
    QPlainTextEdit,
    QWidget,
)

from goassist_desktop import turn_report
from goassist_desktop.pipeline.events import TurnClosed
from goassist_desktop.turn_report import Saved
from goassist_desktop.ui import kit
from goassist_desktop.ui.jobs import Jobs
from goassist_desktop.ui.pictograms import pixmap
from goassist_desktop.ui.theme import GAP, theme

WIDTH: Final = 560
QUOTED: Final = 140
"""Characters of what was said that are repeated."""
_RECORDED: Final = (
    "The report holds this session since it began: its sound, its words and how long everything "
    "took. It is not encrypted, and goes nowhere but the folder you choose."
)
_FIGURES_ONLY: Final = (
    "This session is not recorded, so the report holds only how long everything took: no sound, "
    "no words of the conversation."
)
_NEXT_TIME: Final = "A recording is thrown away when its conversation ends."


class Tick(QCheckBox):
    """A check box in the program's own look."""

    SIDE: Final = 22

    def __init__(self, text: str) -> None:
        super().__init__(text)
        theme().changed.connect(self.updateGeometry)

    def sizeHint(self) -> QSize:
        style = theme()
        text = self.fontMetrics().horizontalAdvance(self.text())
        return QSize(style.px(self.SIDE + 10) + text + style.px(4), style.px(32))

    minimumSizeHint = sizeHint

    def hitButton(self, pos: QPoint) -> bool:
        return self.rect().contains(pos)

    def paintEvent(self, event: QPaintEvent) -> None:
        style, on = theme(), self.isChecked()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        side = style.px(self.SIDE)
        top = (self.height() - side) / 2
        box = QRectF(1.5, top + 1.5, side - 3, side - 3)
        line = style.colour("accent" if self.hasFocus() or self.underMouse() else "outline")
        if on:
            line = style.colour("text" if self.hasFocus() else "accent_fill")
        painter.setPen(QPen(line, 2 if self.hasFocus() else 1))
        painter.setBrush(style.colour("accent_fill" if on else "raised"))
        painter.drawRoundedRect(box, style.px(6), style.px(6))
        if on:
            mark = side - style.px(6)
            ink = style.colours.on_accent
            at = box.center().toPoint() - QPoint(mark // 2, mark // 2)
            painter.drawPixmap(at, pixmap("check", ink, mark, self.devicePixelRatioF()))
        painter.setPen(style.colour("text"))
        words = self.rect().adjusted(style.px(self.SIDE + 10), 0, 0, 0)
        painter.drawText(words, Qt.AlignmentFlag.AlignVCenter, self.text())
        painter.end()


class FeltWrong(QDialog):
    """Asks what felt wrong with a turn, and saves a report of it. Open it with `open`."""

    keep_next_time = Signal(bool)
    """The user wants sessions kept from now on, or not after all."""

    def __init__(
        self,
        parent: QWidget | None,
        turn: TurnClosed,
        keeping: bool,
        keep_session: Callable[[Path], None],
    ) -> None:
        """`keeping`: the session is recorded, and `keep_session` (see `ports.Assistant`) can be
        asked for it, from a thread."""
        super().__init__(parent)
        self.setWindowTitle("This turn felt wrong")
        self.setAccessibleName("This turn felt wrong")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._turn = turn
        self._keep_session = keep_session if keeping else None
        self._saved: Path | None = None
        self._jobs = Jobs(self)
        self._ticks = {key: Tick(words) for key, words in turn_report.FELT.items()}
        self._cancel = kit.button("Cancel", clicked=self.reject)
        self._save = kit.button("Save report …", "primary", self._ask_where)
        self._show = kit.button("Open the folder", clicked=self._show_folder)
        self._done = kit.button("Done", "primary", self.accept)
        self._asks, self._thanks = self._question(), self._end()
        self._thanks.hide()
        inside = QWidget()
        self._filled = kit.column(self._asks, self._thanks)
        inside.setLayout(self._filled)
        self._buttons = QWidget()
        self._buttons.setLayout(kit.row(1, self._cancel, self._save, self._show, self._done))
        for button in (self._show, self._done):
            button.hide()
        outer = kit.column(kit.scrolling(inside), self._buttons, gap=2 * GAP, margin=4 * GAP)
        outer.setContentsMargins(4 * GAP, 4 * GAP, 4 * GAP, 3 * GAP)
        self.setLayout(outer)
        theme().changed.connect(self._restyle)
        self._restyle()

    def _question(self) -> QWidget:
        grid = QGridLayout()
        grid.setHorizontalSpacing(3 * GAP)
        grid.setVerticalSpacing(0)
        for number, tick in enumerate(self._ticks.values()):
            grid.addWidget(tick, number // 2, number % 2)
        self._remark = QPlainTextEdit()
        self._remark.setPlaceholderText("Anything else? In your own words, if you like.")
        self._remark.setAccessibleName("Anything else")
        self._remark.setTabChangesFocus(True)
        self._fault = kit.label("", "error", wrap=True)
        self._fault.hide()
        page = QWidget()
        page.setLayout(
            kit.column(
                kit.label("What felt wrong?", "title"),
                *self._quotes(),
                grid,
                self._remark,
                self._what_is_kept(),
                self._fault,
                gap=2 * GAP,
            )
        )
        return page

    def _quotes(self) -> list[QWidget]:
        """The turn, so that it is known which one is meant."""
        said = (("You", self._turn.user_text), ("Answer", self._turn.heard_text))
        lines = [
            kit.label(f"{who}: {_short(text)}", "quiet", wrap=True) for who, text in said if text
        ]
        quotes = QWidget()
        quotes.setLayout(kit.column(*lines, gap=GAP // 2))
        return [quotes] if lines else []

    def _what_is_kept(self) -> QWidget:
        if self._keep_session is not None:
            return kit.label(_RECORDED, "caption", wrap=True)
        switch = kit.Switch(False, "Record sessions from now on")
        switch.toggled.connect(self.keep_next_time)
        return kit.card(
            kit.label(_FIGURES_ONLY, "caption", wrap=True),
            kit.setting("Record sessions from now on", _NEXT_TIME, switch),
        )

    def _end(self) -> QWidget:
        self._where = kit.label("", "quiet", wrap=True)
        self._where.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._hint = kit.label("", "caption", wrap=True)
        self._hint.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        page = QWidget()
        title = kit.label("The report is saved", "title")
        page.setLayout(kit.column(title, self._where, self._hint, gap=2 * GAP))
        return page

    def _restyle(self) -> None:
        self._remark.setFixedHeight(theme().px(68))
        self._fit()

    def _fit(self) -> None:
        """As high as what is in it, or as the screen."""
        width = theme().px(WIDTH)
        self._filled.activate()
        height = self._filled.totalHeightForWidth(width - 8 * GAP)
        height += self._buttons.sizeHint().height() + 9 * GAP
        screen = self.screen().availableGeometry()
        self.setFixedSize(min(width, screen.width()), min(height, screen.height() - 6 * GAP))

    # -- saving ----------------------------------------------------------------------------------

    def _ask_where(self) -> None:
        dialog = QFileDialog(self, "Where should the report go?")
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.setOption(QFileDialog.Option.ShowDirsOnly)
        dialog.fileSelected.connect(self._save_in)
        dialog.open()

    def _save_in(self, chosen: str) -> None:
        folder = Path(chosen) / turn_report.new_name(datetime.now())
        felt = [key for key, tick in self._ticks.items() if tick.isChecked()]
        turn, remark, keep = self._turn, self._remark.toPlainText(), self._keep_session
        self._fault.hide()
        self._save.setEnabled(False)
        self._save.setText("Saving …")
        self._jobs.run(
            lambda: turn_report.save(folder, turn, felt, remark, keep),
            self._on_saved,
            self._on_failed,
            finish=True,
        )

    def _on_saved(self, saved: Saved) -> None:
        self._saved = saved.folder
        self._where.setText(str(saved.folder))
        again = f"To hold the conversation again: goassist replay {shlex.quote(str(saved.folder))}"
        missing = f"{saved.without} The report holds only how long everything took."
        self._hint.setText(missing if saved.without else again)
        for widget in (self._asks, self._cancel, self._save):
            widget.hide()
        for widget in (self._thanks, self._show, self._done):
            widget.show()
        self._fit()
        self._done.setFocus()

    def _on_failed(self, what: str) -> None:
        self._fault.setText(what)
        self._fault.show()
        self._fit()
        self._save.setEnabled(True)
        self._save.setText("Save report …")

    def _show_folder(self) -> None:
        if self._saved is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._saved)))


def _short(text: str) -> str:
    if len(text) <= QUOTED:
        return text
    return f"{text[:QUOTED].rsplit(' ', 1)[0]} …"
