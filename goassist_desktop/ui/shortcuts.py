"""What the keyboard does, as a list."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QDialog, QGridLayout, QWidget

from goassist_desktop.ui.kit import button, column, label, row
from goassist_desktop.ui.theme import GAP


class ShortcutsDialog(QDialog):
    """All of them, one a line."""

    def __init__(self, shortcuts: Sequence[tuple[str, QKeySequence]], parent: QWidget) -> None:
        """What is done, and by which keys."""
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Keyboard shortcuts")
        lines = QGridLayout()
        lines.setHorizontalSpacing(6 * GAP)
        lines.setVerticalSpacing(GAP)
        for number, (what, keys) in enumerate(shortcuts):
            written = keys.toString(QKeySequence.SequenceFormat.NativeText)
            lines.addWidget(label(what), number, 0)
            lines.addWidget(label(written, "quiet"), number, 1, Qt.AlignmentFlag.AlignRight)
        done = button("Close", "primary", self.accept)
        title = label("Keyboard shortcuts", "title")
        self.setLayout(column(title, lines, row(1, done), gap=3 * GAP, margin=4 * GAP))
