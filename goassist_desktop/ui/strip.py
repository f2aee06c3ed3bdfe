"""What the answers are made with: the engines in use, and what they take of this machine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QHideEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QFrame, QGridLayout, QLabel, QProgressBar, QWidget

from goassist_desktop.machine_use import Machine, MachineUse
from goassist_desktop.pipeline.protocols import EngineInfo
from goassist_desktop.ui.jobs import Jobs
from goassist_desktop.ui.kit import column, label, row
from goassist_desktop.ui.theme import GAP, theme
from goassist_desktop.ui.tinted import Tinted

EVERY_MS: Final = 1000
NEARLY_FULL: Final = 0.9
"""A share of memory from which on it is said to be."""
STAGES: Final = {
    "voice_activity": "Hearing a voice",
    "turn_detection": "Knowing you have finished",
    "recognition": "Understanding words",
    "language_model": "Finding the answer",
    "synthesis": "Speaking",
    "face": "The face",
}
"""Of EngineInfo, in words."""


class Meter(QWidget):
    """A share of a whole, as a bar with its figure."""

    def __init__(self, title: str) -> None:
        super().__init__()
        self._title = title
        self._figure = Tinted()
        self._bar = QProgressBar()
        self._bar.setRange(0, 1000)
        self._bar.setTextVisible(False)
        self._bar.setAccessibleName(title)
        top = row(label(title), 1, self._figure)
        self.setLayout(column(top, self._bar, gap=GAP // 2))

    def show_share(self, share: float, words: str, *, warn: bool = False) -> None:
        self._bar.setValue(round(1000 * min(max(share, 0.0), 1.0)))
        self._bar.setAccessibleDescription(words)
        self._figure.tell(words, "warning" if warn else "quiet")


class MachineCard(QFrame):
    """Processor, memory and graphics memory; looked at once a second while it can be seen."""

    def __init__(self, use: Callable[[], MachineUse] | None = None) -> None:
        super().__init__()
        self.setProperty("kind", "card")
        self.setAccessibleName("This computer")
        self._use = use
        self._cpu, self._memory = Meter("Processor"), Meter("Memory")
        self._gpu, self._gpu_busy = Meter("Graphics memory"), Meter("Graphics processor")
        for meter in (self._gpu, self._gpu_busy):
            meter.hide()
        title = row(label("This computer", "section"), 1)
        meters = (self._cpu, self._memory, self._gpu, self._gpu_busy)
        self.setLayout(column(title, *meters, 1, gap=GAP + GAP // 2, margin=2 * GAP))
        self._jobs = Jobs(self)
        self._timer = QTimer(self)
        self._timer.setInterval(EVERY_MS)
        self._timer.timeout.connect(self._ask)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._ask()
        self._timer.start()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._timer.stop()

    def _ask(self) -> None:
        if self._jobs.idle:
            self._jobs.run(self._measure, self._tell)

    def _measure(self) -> MachineUse:
        if self._use is None:
            self._use = Machine().use
        return self._use()

    def _tell(self, use: MachineUse) -> None:
        self._cpu.show_share(
            use.busy_cores / use.cores, f"{use.busy_cores:.1f} of {use.cores} cores"
        )
        full = use.rss_mb / use.total_mb
        self._memory.show_share(full, _of(use.rss_mb, use.total_mb), warn=full > NEARLY_FULL)
        for meter in (self._gpu, self._gpu_busy):
            meter.setVisible(use.gpu is not None)
        if use.gpu is not None:
            full = use.gpu.full
            words = _of(use.gpu.used / 1e6, use.gpu.total / 1e6)
            self._gpu.show_share(full, words, warn=full > NEARLY_FULL)
            self._gpu.setToolTip(use.gpu.name)
            self._gpu_busy.show_share(use.gpu.busy, f"{100 * use.gpu.busy:.0f} %")


class EnginesCard(QFrame):
    """Who does what: one engine a stage, in the order of the pipeline."""

    NARROWEST_PX: Final = 180

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("kind", "card")
        self.setAccessibleName("Engines in use")
        self._title = label("Engines in use", "section")
        self._grid = QGridLayout()
        self._grid.setSpacing(2 * GAP)
        self._cells: list[QWidget] = []
        self._columns = 0
        self.setLayout(column(self._title, self._grid, gap=GAP + GAP // 2, margin=2 * GAP))
        self.hide()

    def show_engines(self, engines: Sequence[EngineInfo]) -> None:
        for cell in self._cells:
            self._grid.removeWidget(cell)
            cell.hide()
            cell.deleteLater()
        self._cells = [self._cell(engine) for engine in engines]
        self._columns = 0
        self.setVisible(bool(engines))
        self._arrange()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._arrange()

    def _arrange(self) -> None:
        wanted = max(1, min(len(self._cells), self.width() // theme().px(self.NARROWEST_PX)))
        if len(self._cells) == 6 and wanted in (4, 5):
            wanted = 3  # two full lines
        if wanted == self._columns or not self._cells:
            return
        self._columns = wanted
        for n, cell in enumerate(self._cells):
            self._grid.addWidget(cell, n // wanted, n % wanted)
        for n in range(self._grid.columnCount()):
            self._grid.setColumnStretch(n, 1 if n < wanted else 0)

    def _cell(self, engine: EngineInfo) -> QWidget:
        stage = STAGES.get(engine.stage, engine.stage)
        mark = "in the cloud" if engine.cloud else "a stand-in" if engine.stand_in else ""
        name = label(
            f"{engine.name}, {mark}" if mark else engine.name, "warning" if mark else "body"
        )
        cell = QWidget()
        cell.setAccessibleName(f"{stage}: {engine.name} {mark}, {engine.model}")
        cell.setLayout(column(label(stage, "caption"), name, Elided(engine.model), gap=2))
        cell.setToolTip(f"{engine.model}\nLicence: {engine.licence}")
        return cell


class Elided(QLabel):
    """Quiet text that is cut in its middle where there is no room for it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.setProperty("kind", "caption")
        self.setTextFormat(Qt.TextFormat.PlainText)
        self._text = text
        self.setMinimumWidth(theme().px(60))
        self.setAccessibleName(text)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        middle = Qt.TextElideMode.ElideMiddle
        self.setText(self.fontMetrics().elidedText(self._text, middle, self.width()))


def _of(used_mb: float, total_mb: float) -> str:
    return f"{used_mb / 1000:.1f} of {total_mb / 1000:.0f} GB"
