"""A word in a small coloured field: a state, not a control."""

from __future__ import annotations

from PySide6.QtWidgets import QLabel, QSizePolicy

from goassist_desktop.ui.theme import SIZES, theme


class Mark(QLabel):
    """Hidden while it says nothing."""

    def __init__(self, text: str = "") -> None:
        super().__init__()
        self.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Maximum)
        theme().changed.connect(self._restyle)
        self._restyle()
        self.say(text)

    def say(self, text: str) -> None:
        self.setText(text)
        self.setVisible(bool(text))

    def _restyle(self) -> None:
        colours, px = theme().colours, theme().px
        self.setStyleSheet(
            f"background: {colours.accent_soft}; color: {colours.text};"
            f"border-radius: {px(8)}px; padding: {px(2)}px {px(8)}px;"
            f"font-size: {px(SIZES['caption'])}px;"
        )
