"""The latency page: where the time of an answer goes, turn by turn and live."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QBuffer, QByteArray, QIODevice, QStandardPaths, Qt, QTimer
from PySide6.QtGui import (
    QHideEvent,
    QImage,
    QImageWriter,
    QKeySequence,
    QPainter,
    QResizeEvent,
    QShortcut,
    QShowEvent,
)
from PySide6.QtWidgets import QFileDialog, QFrame, QGridLayout, QWidget

from goassist_desktop.latency_log import Kept, LatencyLog, write_csv
from goassist_desktop.pipeline.errors import GoAssistError
from goassist_desktop.pipeline.events import TurnClosed
from goassist_desktop.ui.announcing import announce
from goassist_desktop.ui.jobs import Jobs
from goassist_desktop.ui.kit import IconButton, Page, button, label
from goassist_desktop.ui.ports import AssistantEvent, Ready
from goassist_desktop.ui.strip import EnginesCard, MachineCard
from goassist_desktop.ui.theme import GAP, theme
from goassist_desktop.ui.turn_card import TurnCard

if TYPE_CHECKING:
    from goassist_desktop.ui.graphs import FrameGraph, TurnGraph

SHOWN_TURNS: Final = 120
EVERY_MS: Final = 33
FIGURES_EVERY: Final = 15
"""Ticks between two looks at percentiles: twice a second can be read."""
LATEST_FRAMES: Final = 3600
CELL_PX: Final = 300
"""A graph is never narrower."""
TURN_GRAPHS: Final = {
    "response_gap": ("Response gap", "From your last sound to the first of the answer."),
    "ttfa": ("TTFA", "From the decision that you have finished to the first sound."),
    "barge_in": ("Barge-in", "How soon it is silent when you speak over it."),
}
FRAME_GRAPHS: Final = {
    "face_offset": ("Face behind sound", "How much later than its sound a face is seen."),
    "frame_time": ("Time a frame takes", "Measured while the face moves."),
}

Milliseconds = Callable[[], Sequence[float]]


class LatencyPage(Page):
    """Shows the latest turn until another is chosen. Left and Right step through them."""

    def __init__(self, offsets_ms: Milliseconds, frame_times_ms: Milliseconds) -> None:
        """What is asked 30 times a second while the page is seen: how much later than its sound
        each frame was shown, and how long each took, the latest last."""
        super().__init__("Latency")
        self._sources = {"face_offset": offsets_ms, "frame_time": frame_times_ms}
        self._log = LatencyLog()
        self._chosen: Kept | None = None  # None: the latest, whichever that is
        self._turn_graphs: dict[str, TurnGraph] = {}
        self._frame_graphs: dict[str, FrameGraph] = {}
        self._dirty = False
        self._ticks = 0

        self._earlier = IconButton("back", "Earlier turn", self._step_back, size=34, flat=True)
        self._later = IconButton("next", "Later turn", self._step_on, size=34, flat=True)
        self._position = label("", "quiet")
        self._csv = button("Save as CSV", clicked=self._ask_csv)
        self._picture = button("Save picture", clicked=self._ask_picture)
        for item in (self._earlier, self._position, self._later):
            self.head.addWidget(item)
        self.head.addSpacing(2 * GAP)
        self.head.addWidget(self._csv)
        self.head.addWidget(self._picture)

        self._note = label("", "quiet", wrap=True)
        self._note.hide()
        self._turn = TurnCard()
        self._machine = MachineCard()
        self._engines = EnginesCard()
        self._cells: list[QWidget] = [_Waiting() for _ in (*TURN_GRAPHS, *FRAME_GRAPHS)]
        self._cells.append(self._machine)
        for cell in self._cells:
            _keep_room(cell)
        self._grid = QGridLayout()
        self._grid.setSpacing(2 * GAP)
        self._columns = 0
        for part in (self._note, self._turn):
            self.body.addWidget(part)
        self.body.addLayout(self._grid)
        self.body.addWidget(self._engines)
        self.setFocusProxy(self._turn.waterfall)

        self._jobs = Jobs(self)
        self._timer = QTimer(self)
        self._timer.setInterval(EVERY_MS)
        self._timer.timeout.connect(self._tick)
        self._unbuilt: list[tuple[int, str]] = []
        self._build_soon = QTimer(self)
        self._build_soon.setInterval(0)
        self._build_soon.timeout.connect(self._build_one)
        self._show_soon = QTimer(self)
        self._show_soon.setInterval(0)
        self._show_soon.timeout.connect(self._show_one)
        for key, step in (
            (Qt.Key.Key_Left, self._step_back),
            (Qt.Key.Key_Right, self._step_on),
            (Qt.Key.Key_Home, self._step_first),
            (Qt.Key.Key_End, self._follow),
        ):
            shortcut = QShortcut(QKeySequence(key), self)
            shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            shortcut.activated.connect(step)
        theme().changed.connect(self._arrange)
        self._refresh()

    # -- what it is told -------------------------------------------------------------------------

    def take(self, event: AssistantEvent) -> None:
        """Whatever the conversation says; turns and engines matter here."""
        match event:
            case TurnClosed():
                self._log.add(event)
                if self._chosen is not None and self._chosen not in self._log.turns:
                    self._chosen = None  # forgotten
                self._refresh()
            case Ready(engines=engines):
                self._log.begin()
                self._engines.show_engines(engines)

    def choose(self, turn_id: int) -> None:
        """Show this turn of the conversation; nothing happens when it is not known."""
        place = self._log.place(turn_id)
        if place is not None:
            self._choose_place(place)

    # -- which turn ------------------------------------------------------------------------------

    @property
    def _place(self) -> int:
        """Of the turn shown; -1 without any."""
        if self._chosen is None:
            return len(self._log.turns) - 1
        return self._log.turns.index(self._chosen)

    def _choose_place(self, place: int) -> None:
        last = len(self._log.turns) - 1
        if 0 <= place <= last:
            self._chosen = None if place == last else self._log.turns[place]
            self._refresh()

    def _step_back(self) -> None:
        self._choose_place(self._place - 1)

    def _step_on(self) -> None:
        self._choose_place(self._place + 1)

    def _step_first(self) -> None:
        self._choose_place(0)

    def _follow(self) -> None:
        self._choose_place(len(self._log.turns) - 1)

    def _refresh(self) -> None:
        """Show what changed; later, while nobody sees it."""
        if not self.isVisible():
            self._dirty = True
            return
        self._dirty = False
        place, count = self._place, len(self._log.turns)
        self._position.setText(f"Turn {place + 1} of {count}" if count else "")
        for item in (self._earlier, self._later, self._position):
            item.setVisible(count > 0)
        self._earlier.setEnabled(place > 0)
        self._later.setEnabled(place < count - 1)
        self._csv.setEnabled(count > 0)
        self._picture.setEnabled(count > 0)
        if count:
            self._turn.show_turn(self._log.turns[place].turn, place + 1)
        for name, graph in self._turn_graphs.items():
            graph.show_values(self._log.values(name, SHOWN_TURNS)[-SHOWN_TURNS:], place)

    # -- only while it is seen -------------------------------------------------------------------

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if self._dirty:
            self._refresh()
        self._arrange()
        if not self._turn_graphs and not self._unbuilt:
            import_graphs()
            self._unbuilt = list(enumerate((*TURN_GRAPHS, *FRAME_GRAPHS)))
            self._build_soon.start()
        self._timer.start()
        self._show_soon.start()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._timer.stop()
        self._show_soon.stop()
        for cell in self._cells:
            cell.hide()
        self._note.hide()

    def _show_one(self) -> None:
        """One at a time: painting all of them at once would hold up the thread."""
        cell = next((cell for cell in self._cells if cell.isHidden()), None)
        if cell is None:
            self._show_soon.stop()
        else:
            cell.show()

    def _tick(self) -> None:
        if self.window().isMinimized():
            return
        self._ticks += 1
        now_s = time.monotonic()
        for name, graph in self._frame_graphs.items():
            values = self._sources[name]()
            graph.tick(values, now_s)
            if self._ticks % FIGURES_EVERY == 0:
                graph.figure(values[-LATEST_FRAMES:])

    def _build_one(self) -> None:
        """One at a time: each takes some ms."""
        from goassist_desktop.ui.graphs import FrameGraph, TurnGraph

        place, name = self._unbuilt.pop(0)
        graph: TurnGraph | FrameGraph
        if name in TURN_GRAPHS:
            graph = self._turn_graphs[name] = TurnGraph(name, *TURN_GRAPHS[name])
            graph.chosen.connect(self._choose_place)
            graph.show_values(self._log.values(name, SHOWN_TURNS)[-SHOWN_TURNS:], self._place)
        else:
            graph = self._frame_graphs[name] = FrameGraph(name, *FRAME_GRAPHS[name])
        waiting, self._cells[place] = self._cells[place], graph
        _keep_room(graph)
        self._grid.replaceWidget(waiting, graph)
        waiting.hide()
        waiting.deleteLater()
        if not self._unbuilt:
            self._build_soon.stop()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._arrange()

    def _arrange(self) -> None:
        room = min(self.width() - 8 * GAP, self.widest_px())
        wanted = min(max(room // theme().px(CELL_PX), 1), 3)
        if wanted == self._columns:
            return
        self._columns = wanted
        for n, cell in enumerate(self._cells):
            self._grid.addWidget(cell, n // wanted, n % wanted)
        for n in range(self._grid.columnCount()):
            self._grid.setColumnStretch(n, 1 if n < wanted else 0)

    # -- to keep ---------------------------------------------------------------------------------

    def _ask_csv(self) -> None:
        self._ask("Save as CSV", "latency.csv", "Table (*.csv)", self._save_csv)

    def _ask_picture(self) -> None:
        self._ask("Save picture", "latency.png", "Picture (*.png)", self._save_picture)

    def _ask(self, title: str, name: str, kinds: str, save: Callable[[str], None]) -> None:
        folder = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.DocumentsLocation)
        dialog = QFileDialog(self, title, str(Path(folder) / name), kinds)
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setDefaultSuffix(Path(name).suffix[1:])
        dialog.selectFile(name)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.fileSelected.connect(save)
        dialog.open()

    def _save_csv(self, file: str) -> None:
        turns = list(self._log.turns)
        self._save(file, lambda path: write_csv(path, turns))

    def _save_picture(self, file: str) -> None:
        inside = self.body.parentWidget()
        assert inside is not None
        seen = inside.grab().toImage()
        picture = QImage(seen.size(), QImage.Format.Format_RGB32)
        picture.setDevicePixelRatio(seen.devicePixelRatio())
        picture.fill(theme().colour("window"))
        painter = QPainter(picture)
        painter.drawImage(0, 0, seen)
        painter.end()
        self._save(file, lambda path: _write_png(path, picture))

    def _save(self, file: str, write: Callable[[Path], None]) -> None:
        path = Path(file)

        def save() -> None:
            try:
                write(path)
            except OSError as error:
                why = (error.strerror or str(error)).lower()
                raise GoAssistError(
                    f"{path.name} could not be saved in {path.parent}: {why}. "
                    "Choose another folder."
                ) from error

        self._jobs.run(
            save,
            lambda _: self._tell(f"Saved as {path}", "quiet"),
            lambda why: self._tell(why, "error"),
            finish=True,
        )

    def _tell(self, words: str, kind: str) -> None:
        self._note.setText(words)
        self._note.setProperty("kind", kind)
        self._note.style().polish(self._note)
        self._note.show()
        announce(self._note, words)


def _keep_room(cell: QWidget) -> None:
    """Also while it is hidden: nothing moves when it is shown."""
    policy = cell.sizePolicy()
    policy.setRetainSizeWhenHidden(True)
    cell.setSizePolicy(policy)


def import_graphs() -> None:
    """Takes a third of a second the first time. In Qt's thread only: pyqtgraph asks for every class
    of Qt, and two threads that make PySide's classes at once crash the process."""
    importlib.import_module("goassist_desktop.ui.graphs")


def _write_png(path: Path, picture: QImage) -> None:
    """Raises OSError."""
    coded = QByteArray()
    buffer = QBuffer(coded)
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    QImageWriter(buffer, QByteArray(b"png")).write(picture)
    path.write_bytes(coded.data())


class _Waiting(QFrame):
    """Where a graph will be."""

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("kind", "card")
        self.setMinimumHeight(theme().px(180))
