"""What few people need, folded away."""

from __future__ import annotations

from PySide6.QtWidgets import QVBoxLayout, QWidget

from goassist_desktop.ui.kit import button, column, row
from goassist_desktop.ui.theme import GAP


class Fold(QWidget):
    """A button that shows and hides what belongs to it."""

    def __init__(self, *items: QWidget) -> None:
        super().__init__()
        self._inside = QWidget()
        self._inside.setLayout(column(*items, gap=2 * GAP))
        self.button = button("", "link", self._turn)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(2 * GAP)
        outer.addLayout(row(self.button, 1))
        outer.addWidget(self._inside)
        self.open(False)

    def open(self, opened: bool = True) -> None:
        self._inside.setVisible(opened)
        self.button.setText("Hide advanced" if opened else "Advanced…")
        self.button.setAccessibleName("Hide advanced settings" if opened else "Advanced settings")

    def _turn(self) -> None:
        self.open(self._inside.isHidden())
