"""The models the first conversation needs, on their way."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QProgressBar, QWidget

from goassist_desktop.config import Config
from goassist_desktop.sound_check import Card
from goassist_desktop.supply import offers
from goassist_desktop.supply.offers import failure_in_words, size_in_words, time_in_words
from goassist_desktop.supply.queue import Item
from goassist_desktop.ui.kit import button, column, label, row
from goassist_desktop.ui.models import Change, Downloads
from goassist_desktop.ui.setup_parts import Emblem, centred
from goassist_desktop.ui.theme import GAP


@dataclass(frozen=True, slots=True)
class Services:
    """What the set-up needs of the program."""

    config: Config
    change: Change
    """Keeps settings and tells the assistant of them."""
    downloads: Downloads
    card: Card
    state: Path
    """The file in which it is noted that the set-up is over."""


class Coming(QWidget):
    """The models of the configuration that are not here yet, on their way."""

    changed = Signal()

    def __init__(self, services: Services, emblem: Emblem) -> None:
        super().__init__()
        self._config = services.config
        self._downloads = services.downloads
        self._emblem = emblem
        self._missing = offers.missing(services.config)
        self._wanted = [model.name for model in self._missing]
        self._total = sum(model.size for model in self._missing)
        self._phases: dict[str, str] = {}
        self._bar = QProgressBar()
        self._bar.setRange(0, 1000)
        self._bar.setTextVisible(False)
        self._bar.setAccessibleName("Progress of the models")
        self._words = centred(label("", "quiet", wrap=True))
        self._fault = centred(label("", "error", wrap=True))
        self._details = centred(label("", "caption", wrap=True))
        self._details.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._pause = button("Pause", "link", self._do_pause)
        self._cancel = button("Cancel", "link", self._do_cancel)
        self._more = button("Details", "link", self._show_details)
        self.setLayout(
            column(
                self._bar,
                self._words,
                self._fault,
                row(1, self._pause, self._cancel, self._more, 1),
                self._details,
                gap=GAP,
            )
        )
        self._details.hide()
        self._downloads.changed.connect(self._changed)
        self.refresh()

    @property
    def complete(self) -> bool:
        """Whether all models are here."""
        return not self._missing

    def action(self) -> str:
        """What is to be done to get them; empty while they come, or are here."""
        if self.complete or any(item.busy for item in self._items()):
            return ""
        if any(item.phase == "failed" for item in self._items()):
            return "Try again"
        begun = any(item.phase == "paused" for item in self._items())
        begun = begun or any(offers.state(model)[1] for model in self._missing)
        return "Resume" if begun else f"Get the models ({size_in_words(self._total)})"

    def fetch(self) -> None:
        for model in self._missing:
            self._downloads.queue.add(model.name)

    def refresh(self) -> None:
        """Look at the disk again."""
        self._missing = offers.missing(self._config)
        self._phases = {item.name: item.phase for item in self._items()}
        self._show()
        self.changed.emit()

    def _items(self) -> list[Item]:
        known = self._downloads.queue.items()
        return [known[name] for name in self._wanted if name in known]

    def _changed(self) -> None:
        if {item.name: item.phase for item in self._items()} != self._phases:
            self.refresh()
        else:
            self._show()

    def _show(self) -> None:
        items = {item.name: item for item in self._items()}
        busy = [item for item in items.values() if item.busy]
        failed = [item for item in items.values() if item.phase == "failed"]
        left = 0
        for model in self._missing:
            item = items.get(model.name)
            there = item.done if item is not None and item.done else offers.state(model)[1]
            left += max(0, model.size - there)
        share = 1 - left / self._total if self._total else 1.0
        begun = bool(items) and not self.complete
        self._bar.setVisible(begun)
        self._bar.setValue(round(1000 * share))
        self._emblem.show_progress(share if begun else None)
        rate = sum(item.rate for item in busy)
        self._words.setText(self._in_words(left, rate, bool(busy), begun))
        self._fault.setVisible(bool(failed) and not busy)
        self._more.setVisible(bool(failed) and not busy)
        if failed:
            self._fault.setText(failure_in_words(failed[0].fault))
            self._details.setText("\n".join(item.fault for item in failed))
        if not failed or busy:
            self._details.hide()
        self._pause.setVisible(bool(busy))
        self._cancel.setVisible(begun and not failed)

    def _in_words(self, left: int, rate: float, busy: bool, begun: bool) -> str:
        if not begun:
            count = len(self._missing)
            what = "One model is" if count == 1 else f"{count} models are"
            return f"{what} still to come, {size_in_words(left)}. After that I need no network."
        share = f"{100 * (self._total - left) // self._total} % of {size_in_words(self._total)}"
        if not busy:
            return f"{share} are here."
        if not rate:
            return f"{share} · you can go on meanwhile"
        return f"{share} · {size_in_words(rate)} a second · {time_in_words(left / rate)}"

    def _do_pause(self) -> None:
        for item in reversed(self._items()):  # or the next one would begin
            self._downloads.queue.pause(item.name)

    def _do_cancel(self) -> None:
        for item in reversed(self._items()):
            self._downloads.queue.drop(item.name)

    def _show_details(self) -> None:
        self._details.setVisible(self._details.isHidden())
