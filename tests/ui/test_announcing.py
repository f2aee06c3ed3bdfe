"""What a screen reader is told."""

from __future__ import annotations

import pytest
from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from goassist_desktop.ui import announcing

POLITENESS = QAccessible.AnnouncementPoliteness


class _Accessibility:
    """Stands where Qt hands events to the system."""

    AnnouncementPoliteness = POLITENESS

    def __init__(self) -> None:
        self.active = True
        self.told: list[tuple[str, POLITENESS]] = []

    def isActive(self) -> bool:
        return self.active

    def updateAccessibility(self, event: QAccessibleAnnouncementEvent) -> None:
        self.told.append((event.message(), event.politeness()))


def test_it_is_told_politely_or_at_once(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    system = _Accessibility()
    monkeypatch.setattr(announcing, "QAccessible", system)
    widget = QWidget()
    qtbot.addWidget(widget)
    announcing.announce(widget, "Hello.")
    announcing.announce(widget, "It broke.", urgent=True)
    system.active = False
    announcing.announce(widget, "Nobody listens.")
    assert system.told == [("Hello.", POLITENESS.Polite), ("It broke.", POLITENESS.Assertive)]
