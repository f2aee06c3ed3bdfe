"""A question before something is lost. It waits without holding anything up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QWidget

from goassist_desktop.ui.kit import button, column, label, row
from goassist_desktop.ui.theme import GAP, theme

WIDTH_PX: Final = 460
MOST: Final = 12
"""Lines that are shown of what would go."""


class Confirm(QDialog):
    """`open` shows it; `do` is called when the person says yes. Enter and Escape say no."""

    def __init__(
        self,
        parent: QWidget,
        question: str,
        yes: str,
        do: Callable[[], None],
        *,
        lines: Sequence[str] = (),
        note: str = "",
    ) -> None:
        """`lines`: what it is about, each with a dot before it."""
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("GoAssist")
        self.setAccessibleName(question)
        self.text = "\n".join(f"•  {line}" for line in lines[:MOST])
        if len(lines) > MOST:
            self.text += f"\nand {len(lines) - MOST} more"
        self.yes = button(yes, "danger", self.accept)
        self.no = button("Cancel", clicked=self.reject)
        self.no.setDefault(True)
        words = [label(question, "large", wrap=True)]
        words += [label(self.text, wrap=True)] if lines else []
        words += [label(note, "quiet", wrap=True)] if note else []
        self.setLayout(column(*words, row(1, self.yes, self.no), gap=2 * GAP, margin=4 * GAP))
        self.setFixedWidth(theme().px(WIDTH_PX))
        self.no.setFocus()
        self.accepted.connect(do)
