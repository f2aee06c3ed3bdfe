"""What all sections are made of: cards of lines."""

from __future__ import annotations

from typing import ClassVar, Final

from PySide6.QtWidgets import QFrame, QLayout, QWidget

from goassist_desktop.ui.kit import WIDEST_PX, Page, card, label
from goassist_desktop.ui.ports import Loading, Ready, Unable
from goassist_desktop.ui.settings.editing import Editing
from goassist_desktop.ui.settings.fold import Fold
from goassist_desktop.ui.settings.lines import Line
from goassist_desktop.ui.theme import GAP, theme

LIST_PX: Final = 212
"""The list of the sections, beside each of them."""


class Section(Page):
    """One page of the settings."""

    CENTRED = False
    TITLE: ClassVar[str]
    ICON: ClassVar[str]
    WHAT: ClassVar[str] = ""

    def __init__(self, editing: Editing) -> None:
        super().__init__(self.TITLE, self.WHAT)
        self.editing = editing
        self.cards: list[QFrame] = []

    def widest_px(self) -> int:
        """Together with the list as wide as any page."""
        return theme().px(WIDEST_PX - LIST_PX) - 4 * GAP

    def happened(self, event: Loading | Ready | Unable) -> None:
        """Engines came or went."""

    def add(self, title: str, *items: QWidget | QLayout | int) -> QFrame:
        """A card below the others; without a title if it is empty."""
        heading = (label(title, "large"),) if title else ()
        made = card(*heading, *items)
        if title:
            made.setAccessibleName(title)
        self.cards.append(made)
        self.body.addWidget(made)
        return made

    def seek(self, text: str) -> list[Line]:
        """Show only the lines that a search finds, all for an empty one; those that are shown."""
        words = text.casefold().split()
        everything = all(word in self.TITLE.casefold() for word in words)
        found = []
        for one in self.cards:
            lines = one.findChildren(Line)
            for line in lines:
                line.setVisible(line.wanted and (everything or line.has(words)))
            shown = [line for line in lines if not line.isHidden()]
            one.setVisible(bool(shown) or everything)
            found += shown
            for fold in one.findChildren(Fold):
                mine = [line for line in fold.findChildren(Line) if not line.isHidden()]
                fold.setVisible(bool(mine))
                fold.open(bool(mine and words and not everything))
        return found
