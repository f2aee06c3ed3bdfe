"""The models: what is here, what else there is, and getting, removing and using it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Literal

from PySide6.QtCore import QObject, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFontMetrics, QPainter, QPaintEvent, QShowEvent
from PySide6.QtWidgets import QProgressBar, QPushButton, QSizePolicy, QWidget

from goassist_desktop import weights
from goassist_desktop.config import Config
from goassist_desktop.supply import offers
from goassist_desktop.supply.offers import (
    Offer,
    failure_in_words,
    licence_in_words,
    size_in_words,
    time_in_words,
)
from goassist_desktop.supply.queue import Item, PullQueue
from goassist_desktop.ui.kit import ButtonKind, Page, button, card, column, label, row
from goassist_desktop.ui.theme import GAP, theme

Change = Callable[[Mapping[str, str]], None]
"""Keeps settings: {'models.recognition': 'faster-whisper-base', …}."""
Tone = Literal["accent", "plain", "warning", "error"]


class Downloads(QObject):
    """The queue of models for all views: `changed` comes on Qt's thread."""

    changed = Signal()
    removed = Signal()
    """A model was deleted, or could not be."""

    def __init__(self) -> None:
        super().__init__()
        self.queue = PullQueue(self.changed.emit)

    def remove(self, name: str) -> None:
        """Delete a model. Takes a moment for a large one, and nobody waits for it."""
        self.queue.drop(name)
        threading.Thread(target=self._remove, args=[name], name="model-removal").start()

    def _remove(self, name: str) -> None:
        try:
            offers.remove(name)
        except OSError as error:
            self.queue.failed(name, f"{offers.REMOVAL_FAILED}: {error.strerror or error}")
        self.removed.emit()

    def close(self) -> None:
        """End a download, within half a second; what was fetched is kept."""
        self.queue.close()


def progress_in_words(item: Item) -> str:
    """'43 % of 1.1 GB · 12 MB a second · about 2 min left', as far as it is known."""
    share = f"{100 * item.done // max(item.total, 1)} % of {size_in_words(item.total)}"
    if item.phase == "waiting":
        return f"{share} · waiting for the one before"
    if item.phase == "checking":
        return "Looking for what is here already"
    if item.phase == "paused":
        return f"{share} · paused"
    parts = [share]
    if item.remaining_s is not None:
        parts += [f"{size_in_words(item.rate)} a second", time_in_words(item.remaining_s)]
    return " · ".join(parts)


class Chip(QWidget):
    """A word on a tinted ground."""

    def __init__(self) -> None:
        super().__init__()
        self._text, self._tone = "", "plain"
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        theme().changed.connect(self._restyle)

    def show_text(self, text: str, tone: Tone) -> None:
        self._text, self._tone = text, tone
        self.setAccessibleName(text)
        self._restyle()

    def sizeHint(self) -> QSize:
        width = self._metrics_width() + theme().px(20)
        return QSize(width, theme().px(26))

    def _metrics_width(self) -> int:
        return QFontMetrics(theme().font("caption")).horizontalAdvance(self._text)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(
            theme().colour("raised" if self._tone == "plain" else f"{self._tone}_soft")
        )
        ground = QRectF(self.rect())
        painter.drawRoundedRect(ground, ground.height() / 2, ground.height() / 2)
        painter.setPen(theme().colour("quiet" if self._tone == "plain" else "text"))
        painter.setFont(theme().font("caption"))
        painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, self._text)
        painter.end()

    def _restyle(self) -> None:
        self.updateGeometry()
        self.update()


class ModelRow(QWidget):
    """One model, and what can be done with it."""

    def __init__(self, offer: Offer, downloads: Downloads, use: Callable[[str], None]) -> None:
        super().__init__()
        self._offer = offer
        self._item: Item | None = None
        self._downloads = downloads
        self._asking = False
        model = offer.model
        self._chip = Chip()
        self._facts = label("", "caption", wrap=True)
        self._fit = label("", "warning", wrap=True)
        self._bar = QProgressBar()
        self._bar.setRange(0, 1000)
        self._bar.setTextVisible(False)
        self._bar.setAccessibleName(f"Progress of {model.title}")
        self._progress = label("", "caption")
        self._fault = label("", "error", wrap=True)
        self._details = label("", "caption", wrap=True)
        self._details.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._question = label("", "body", wrap=True)

        def action(text: str, kind: ButtonKind, do: Callable[[], object]) -> QPushButton:
            made = button(text, kind, do)
            made.setAccessibleName(f"{text} {model.title}")
            made.setVisible(False)
            return made

        queue = downloads.queue
        self._get = action("Get", "plain", lambda: queue.add(model.name))
        self._resume = action("Resume", "plain", lambda: queue.add(model.name))
        self._again = action("Try again", "plain", lambda: queue.add(model.name))
        self._pause = action("Pause", "plain", lambda: queue.pause(model.name))
        self._cancel = action("Cancel", "link", lambda: queue.drop(model.name))
        self._dismiss = action("Dismiss", "link", lambda: queue.drop(model.name))
        self._use = action("Use", "plain", lambda: use(model.name))
        self._remove = action("Remove", "link", lambda: self._ask(True))
        self._sure = action("Remove", "danger", self._do_remove)
        self._keep = action("Keep", "plain", lambda: self._ask(False))
        self._more = action("Details", "link", self._show_details)
        self._more.setStyleSheet("padding-left: 0")

        name, _, self._kind = model.title.rstrip(")").partition(" (")
        head = row(label(name, "large"), self._chip, 1, gap=GAP + 4)
        words = column(head, gap=3)
        if model.note:
            words.addWidget(label(model.note, "quiet", wrap=True))
        for line in (self._facts, self._fit):
            words.addWidget(line)
        self._coming = QWidget()
        coming = column(self._bar, self._progress, gap=4)
        coming.setContentsMargins(0, GAP, 0, 0)
        self._coming.setLayout(coming)
        words.addWidget(self._coming)
        words.addWidget(self._fault)
        words.addLayout(row(self._more, 1))
        words.addWidget(self._details)
        words.addWidget(self._question)
        buttons = row(
            self._remove,
            self._cancel,
            self._dismiss,
            self._pause,
            self._resume,
            self._again,
            self._get,
            self._use,
            self._keep,
            self._sure,
        )
        whole = row(words, column(buttons, 1), gap=3 * GAP)
        whole.setStretch(0, 1)
        self.setLayout(whole)
        self._details.hide()
        self.show_offer(offer, None)

    @property
    def model_name(self) -> str:
        return self._offer.model.name

    def show_offer(self, offer: Offer, item: Item | None) -> None:
        self._offer = offer
        model = offer.model
        facts = [size_in_words(model.size), self._kind]
        facts += ["fits this machine well"] if offer.fit == "well" else []
        facts += [f"{model.licence}: {licence_in_words(model.licence)}"]
        self._facts.setText(" · ".join(filter(None, facts)))
        self.show_item(item)

    def show_item(self, item: Item | None) -> None:
        """What the queue says of it; None when it does not know of it."""
        self._item = item
        offer = self._offer
        self._chip.show_text(*self._state())
        self._fit.setText(self._misfit())
        self._fit.setVisible(bool(self._fit.text()) and offer.state != "here")
        coming = item is not None and item.phase in ("waiting", "checking", "fetching", "paused")
        self._coming.setVisible(coming)
        if coming:
            assert item is not None
            self._bar.setValue(1000 * item.done // max(item.total, 1))
            self._progress.setText(progress_in_words(item))
        failed = item is not None and item.phase == "failed"
        self._fault.setVisible(failed)
        self._more.setVisible(failed)
        if failed:
            assert item is not None
            self._fault.setText(failure_in_words(item.fault))
            self._details.setText(item.fault)
        else:
            self._details.hide()
        self._show_buttons()

    def _state(self) -> tuple[str, Tone]:
        offer, item = self._offer, self._item
        if item is not None and item.busy:
            return ("Waiting" if item.phase == "waiting" else "Coming"), "plain"
        if offer.state == "here":
            return ("In use", "accent") if offer.in_use else ("Here", "plain")
        tone: Tone = "warning" if offer.in_use else "plain"
        if offer.state == "damaged":
            return "Damaged", "error"
        if offer.state == "partial":
            return f"{100 * offer.fetched // offer.model.size} % is here", tone
        return ("Needed, not here" if offer.in_use else "Not here"), tone

    def _misfit(self) -> str:
        offer = self._offer
        has = weights.memory_bytes()
        if offer.fit == "memory":
            return (
                f"Does not fit: it needs {size_in_words(offer.memory)} of memory, "
                f"this machine has {size_in_words(has)}."
            )
        if offer.fit == "disk":
            return (
                f"Does not fit: {size_in_words(offer.model.size - offer.fetched)} are to come, "
                f"{size_in_words(offers.disk_free_bytes())} are free on the disk."
            )
        if offer.fit == "tight":
            return (
                f"Tight: of {size_in_words(has)} of memory it needs {size_in_words(offer.memory)}."
            )
        return ""

    def _show_buttons(self) -> None:
        offer, item = self._offer, self._item
        phase = item.phase if item is not None else None
        busy = item is not None and item.busy
        idle = not busy and phase not in ("paused", "failed")
        here, asking = offer.state == "here", self._asking
        fits = offer.fit not in ("memory", "disk")
        wanted = {
            self._get: idle and offer.state in ("missing", "damaged"),
            self._resume: phase == "paused" or (idle and offer.state == "partial"),
            self._again: phase == "failed" and not here,
            self._pause: busy and phase != "waiting",
            self._cancel: busy or phase == "paused",
            self._dismiss: phase == "failed",
            self._use: idle and here and not offer.in_use,
            self._remove: idle and offer.state != "missing" and not offer.in_use,
        }
        for one, shown in wanted.items():
            one.setVisible(shown and not asking)
        for one in (self._get, self._resume, self._again):
            one.setEnabled(fits)
        self._use.setEnabled(offer.fit != "memory")
        self._question.setVisible(asking)
        for one in (self._sure, self._keep):
            one.setVisible(asking)

    def _ask(self, asking: bool) -> None:
        self._asking = asking
        size = size_in_words(self._offer.fetched)
        self._question.setText(f"Remove it from this machine? That frees {size}.")
        self._show_buttons()
        (self._keep if asking else self._remove).setFocus()

    def _do_remove(self) -> None:
        self._asking = False
        self._downloads.remove(self._offer.model.name)
        self._show_buttons()

    def _show_details(self) -> None:
        self._details.setVisible(self._details.isHidden())


class ModelsPage(Page):
    """Every model there is, by what it does."""

    def __init__(self, config: Config, downloads: Downloads, change: Change) -> None:
        super().__init__(
            "Models",
            "What the assistant is made of. All of it runs on this machine, and nothing is fetched "
            "before you ask for it.",
        )
        self._config, self._downloads, self._change = config, downloads, change
        self._machine = label("", "caption")
        self.body.addWidget(self._machine)
        self._rows: dict[str, ModelRow] = {}
        self._phases: dict[str, str] = {}
        found = offers.offers(config)
        for stage, what in offers.STAGES.items():
            rows: list[QWidget] = []
            for offer in (offer for offer in found if offer.model.stage == stage):
                rows += [_Hairline()] if rows else []
                self._rows[offer.model.name] = ModelRow(offer, downloads, self._use)
                rows.append(self._rows[offer.model.name])
            if rows:
                self.body.addLayout(column(label(what, "section"), card(*rows), gap=GAP))
        downloads.changed.connect(self._changed)
        downloads.removed.connect(self.refresh)
        self.refresh()

    def use_config(self, config: Config) -> None:
        """Show what these settings use."""
        self._config = config
        self.refresh()

    def refresh(self) -> None:
        """Look at the disk again."""
        items = self._downloads.queue.items()
        self._phases = {name: item.phase for name, item in items.items()}
        for offer in offers.offers(self._config):
            self._rows[offer.model.name].show_offer(offer, items.get(offer.model.name))
        self._machine.setText(
            f"This machine: {size_in_words(weights.memory_bytes())} of memory, "
            f"{size_in_words(offers.disk_free_bytes())} free on the disk."
        )

    def showEvent(self, event: QShowEvent) -> None:
        self.refresh()
        super().showEvent(event)

    def _use(self, name: str) -> None:
        self._change(offers.using(self._config, name))

    def _changed(self) -> None:
        items = self._downloads.queue.items()
        if {name: item.phase for name, item in items.items()} != self._phases:
            self.refresh()
            return
        for name, item in items.items():
            if item.busy:
                self._rows[name].show_item(item)


class _Hairline(QWidget):
    def __init__(self) -> None:
        super().__init__()
        self.setFixedHeight(1)
        theme().changed.connect(self.update)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), theme().colour("line"))
        painter.end()
