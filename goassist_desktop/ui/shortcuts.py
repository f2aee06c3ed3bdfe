"""What the keyboard does, and the list of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QDialog, QGridLayout, QWidget

from goassist_desktop.ui.kit import button, column, label, row
from goassist_desktop.ui.theme import GAP


@dataclass(frozen=True, slots=True)
class Shortcut:
    """Keys as Qt writes them, and what they do."""

    keys: str
    what: str
    do: Callable[[], object]


class ShortcutsDialog(QDialog):
    """All of them, one a line."""

    def __init__(self, shortcuts: Sequence[Shortcut], parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Keyboard shortcuts")
        lines = QGridLayout()
        lines.setHorizontalSpacing(6 * GAP)
        lines.setVerticalSpacing(GAP)
        for number, shortcut in enumerate(shortcuts):
            keys = QKeySequence(shortcut.keys).toString(QKeySequence.SequenceFormat.NativeText)
            lines.addWidget(label(shortcut.what), number, 0)
            lines.addWidget(label(keys, "quiet"), number, 1, Qt.AlignmentFlag.AlignRight)
        done = button("Close", "primary", self.accept)
        title = label("Keyboard shortcuts", "title")
        self.setLayout(column(title, lines, row(1, done), gap=3 * GAP, margin=4 * GAP))
