"""Live graphs of the latencies, with the lines of the contract.

Importing this imports pyqtgraph: see `latency.import_graphs`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QEvent, QPointF, Qt, Signal
from PySide6.QtGui import QMouseEvent, QPaintEvent, QPen, QWheelEvent
from PySide6.QtWidgets import QFrame, QLabel, QSizePolicy

from goassist_desktop.latency_log import CONTRACT, Figures, Limits, Recent, Value, figures
from goassist_desktop.ui.kit import column, label, row
from goassist_desktop.ui.theme import GAP, theme
from goassist_desktop.ui.tinted import Tinted

FEWEST_PLACES: Final = 20
"""So that a few turns do not fill the whole width."""
MINUS: Final = "\N{MINUS SIGN}"
LEGEND: Final = "Hollow: warm-up. Red: over the limit; an arrow: far over. Click to see the turn."
HIGH_PX: Final = 128
STEPS_MS: Final = tuple(m * 10**n for n in range(1, 6) for m in (1, 2, 5))
MOST_TICKS: Final = 4
MARGIN: Final = 0.07
"""Of what is reached, above and below it."""
LABEL: Final = 0.22
"""And so much above a limit, for its name."""
FAR_OUT: Final = 2.0
"""Limits; what is beyond is drawn as an arrow at the top."""
CROWDED: Final = 60
"""So many points are drawn smaller."""


class Plot(pg.GraphicsView):  # type: ignore[misc]  # it has no types
    """An axis and a box of curves. pyqtgraph's own PlotWidget brings fifty hidden widgets for its
    menus, all of which each change of the theme would style."""

    pointed = Signal(object)
    """The place under the pointer, as x; None when it leaves."""
    clicked = Signal(float)

    def __init__(self) -> None:
        super().__init__()
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.axis = pg.AxisItem("left")
        self.box = pg.ViewBox(enableMenu=False, enableMouse=False)
        self.box.disableAutoRange()
        self.axis.linkToView(self.box)
        inside = pg.GraphicsLayout()
        inside.setContentsMargins(0, 2, 0, 2)
        inside.setSpacing(0)
        inside.addItem(self.axis, 0, 0)
        inside.addItem(self.box, 0, 1)
        self.setCentralItem(inside)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self.pointed.emit(self._x(event.position()))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() is Qt.MouseButton.LeftButton:
            self.clicked.emit(self._x(event.position()))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        event.accept()

    def leaveEvent(self, event: QEvent) -> None:
        self.pointed.emit(None)

    def wheelEvent(self, event: QWheelEvent) -> None:
        event.ignore()

    def _x(self, at: QPointF) -> float:
        return float(self.box.mapSceneToView(self.mapToScene(at.toPoint())).x())


class Graph(QFrame):
    """A card: what is measured, its figures, and the plot with the lines of its limits."""

    def __init__(self, name: str, title: str, what: str, span: str) -> None:
        """`name`: of CONTRACT; `what` it measures, and what `span` is shown of it."""
        super().__init__()
        self.setProperty("kind", "card")
        self.setAccessibleName(title)
        self.limits: Limits = CONTRACT[name]
        self._title = title
        self._figures = Tinted()
        self._figures.setAlignment(Qt.AlignmentFlag.AlignRight)
        self._empty = label(f"{what}\n\n{_promised(self.limits)}", "caption", wrap=True)
        self._empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.plot = Plot()
        self.plot.hide()
        self._lines = [self._line(ms, words) for ms, words in _promises(self.limits)]
        self._reached = (0.0, 0.0)
        self._span = _Span(span)
        top = row(label(title, "section"), self._span, self._figures)
        top.setStretch(1, 1)
        box = column(top, self.plot, self._empty, gap=GAP // 2, margin=2 * GAP)
        self.setLayout(box)
        theme().changed.connect(self.restyle)
        self.restyle()

    def restyle(self) -> None:
        style = theme()
        for widget in (self.plot, self._empty):
            widget.setFixedHeight(style.px(HIGH_PX))
        self.plot.setBackground(style.colour("surface"))
        axis = self.plot.axis
        axis.setPen(pg.mkPen(None))
        axis.setTextPen(style.colour("quiet"))
        axis.setStyle(
            tickFont=style.font("caption"), tickLength=0, tickAlpha=0, tickTextOffset=style.px(8)
        )
        axis.setWidth(style.px(44))
        dashes = self.pen("quiet", style=Qt.PenStyle.DashLine)
        for line in self._lines:
            line.setPen(dashes)
            line.label.setColor(style.colour("quiet"))
            line.label.setFont(style.font("caption"))

    def pen(self, colour: str, alpha: float = 1.0, width: float = 1.0, **more: Any) -> QPen:
        """Of a width in px: pyqtgraph's pens are measured in device pixels."""
        wide = width * self.devicePixelRatioF()
        made: QPen = pg.mkPen(theme().colour(colour, alpha), width=wide, **more)
        return made

    def tell(self, found: Figures) -> None:
        """Show p50 and p95."""
        if found.p50 is None or found.p95 is None:
            self.say("")
            return
        kept = found.keep(self.limits)
        self.say(
            f"p50 {_signed(found.p50)}   p95 {_signed(found.p95)} ms", "quiet" if kept else "error"
        )
        told = "within the limits" if kept else "over the limits"
        self.setAccessibleDescription(
            f"{self._title}: median {found.p50:.0f} ms, 95th percentile {found.p95:.0f} ms, {told}"
        )

    def say(self, words: str, colour: str = "quiet") -> None:
        self._figures.tell(words, colour)

    def reach(self, least: float, most: float) -> None:
        """Make room for these values and all limits, in steps, so that it seldom moves."""
        ends = [ms for ms, _ in _promises(self.limits)]
        span = max(most, *ends) - min(least, *ends, 0.0)
        step = next(step for step in STEPS_MS if span / step <= MOST_TICKS)
        reached = (
            math.floor(min(least, *ends, 0.0) / step * 2) / 2 * step,
            math.ceil(max(most, *ends) / step * 2) / 2 * step,
        )
        if reached != self._reached:
            self._reached = reached
            bottom, top = reached
            margin = (top - bottom) * MARGIN
            words = max(max(ends) + (top - bottom) * LABEL - top, 0.0)
            self.plot.box.setYRange(bottom - margin, top + max(margin, words), padding=0)
            ticks = np.arange(math.ceil(bottom / step) * step, top + 1, step)
            self.plot.axis.setTicks([[(ms, _signed(ms)) for ms in ticks]])

    def fill(self, filled: bool) -> None:
        """Show the plot, or what will be there."""
        if filled is self.plot.isHidden():
            self.plot.setVisible(filled)
            self._empty.setVisible(not filled)

    def _line(self, ms: float, words: str) -> pg.InfiniteLine:
        line = pg.InfiniteLine(
            ms, angle=0, label=words, labelOpts={"position": 0.01, "anchors": [(0, 1.1)] * 2}
        )
        line.setZValue(-1)
        self.plot.box.addItem(line, ignoreBounds=True)
        return line


class _Span(QLabel):
    """What part of it is shown, in a few words: all of them or, where there is no room, none."""

    def __init__(self, words: str) -> None:
        super().__init__(words)
        self.setProperty("kind", "caption")
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)

    def paintEvent(self, event: QPaintEvent) -> None:
        if self.width() >= self.sizeHint().width():
            super().paintEvent(event)


class TurnGraph(Graph):
    """One latency of the latest turns. Hollow points are the warm-up; red ones are over."""

    chosen = Signal(int)
    """The place of a turn, as in Value, that was clicked."""

    def __init__(self, name: str, title: str, what: str) -> None:
        super().__init__(name, title, what, "")
        self.plot.setToolTip(LEGEND)
        self._values: Sequence[Value] = ()
        self._place: int | None = None
        self._most = FAR_OUT * self.limits.p95
        self._curve = pg.PlotCurveItem(connect="all", skipFiniteCheck=True)
        self._points = pg.ScatterPlotItem(pxMode=True)
        self._ring = pg.ScatterPlotItem(pxMode=True)
        for item in (self._curve, self._points, self._ring):
            self.plot.box.addItem(item)
        self.plot.pointed.connect(self._point)
        self.plot.clicked.connect(self._click)

    def show_values(self, values: Sequence[Value], place: int | None) -> None:
        """`place`: of the chosen turn."""
        self._values, self._place = values, place
        self.fill(bool(values))
        self.tell(figures(values))
        if values:
            self._span.setText(f"last {len(values)}")
            self.plot.box.setXRange(0, max(FEWEST_PLACES, len(values)) - 1, padding=0.03)
            self.reach(0.0, max(self._heights()))
        self._draw()

    def restyle(self) -> None:
        super().restyle()
        if hasattr(self, "_points"):
            self._draw()

    def _draw(self) -> None:
        style, values = theme(), self._values
        ms = np.array(self._heights())
        x = self._first_x() + np.arange(len(ms), dtype=float)
        self._curve.setData(x, ms)
        self._curve.setPen(self.pen("accent", 0.35))
        pens = {over: self.pen("error" if over else "accent", width=1.5) for over in (False, True)}
        full = {over: pg.mkBrush(pen.color()) for over, pen in pens.items()}
        hollow = pg.mkBrush(style.colour("surface"))
        over = [value.ms > self.limits.p95 for value in values]
        self._points.setData(
            x,
            ms,
            symbol=["o" if value.ms <= self._most else "t1" for value in values],
            size=style.px(7 if len(ms) < CROWDED else 5),
            pen=[pens[late] for late in over],
            brush=[
                hollow if value.warmup else full[late]
                for late, value in zip(over, values, strict=True)
            ],
        )
        self._mark()

    def _heights(self) -> list[float]:
        """Where the points are: one far out must not flatten all others."""
        return [min(value.ms, self._most) for value in self._values]

    def _mark(self, *pointed: int) -> None:
        """A ring around what belongs to the chosen turn, and around what is pointed at."""
        style = theme()
        chosen = [n for n, value in enumerate(self._values) if value.place == self._place]
        which = sorted({*chosen, *pointed})
        self._ring.setData(
            self._first_x() + np.array(which, dtype=float),
            np.array([self._heights()[n] for n in which]),
            size=style.px(14),
            pen=self.pen("text", width=1.5),
            brush=pg.mkBrush(None),
        )

    def _near(self, x: float) -> int:
        return min(max(round(x) - self._first_x(), 0), len(self._values) - 1)

    def _first_x(self) -> int:
        """Few points stand at the right, where new ones come."""
        return max(0, FEWEST_PLACES - len(self._values))

    def _point(self, x: float | None) -> None:
        if x is None or not self._values:
            self._mark()
            self.tell(figures(self._values))
            return
        near = self._near(x)
        self._mark(near)
        value = self._values[near]
        self.say(f"turn {value.place + 1}: {value.ms:.0f} ms{', warm-up' * value.warmup}")

    def _click(self, x: float) -> None:
        if self._values:
            self.chosen.emit(self._values[self._near(x)].place)


class FrameGraph(Graph):
    """What the frames of the last minute measured, as it goes on."""

    def __init__(self, name: str, title: str, what: str) -> None:
        super().__init__(name, title, what, "last minute")
        self._recent = Recent()
        self._shown: tuple[list[float], list[float], list[float]] = ([], [], [])
        self._found = Figures(None, None, None)
        self._pointed = False
        self._curve = pg.PlotCurveItem(connect="finite")
        self.plot.box.addItem(self._curve)
        self.plot.box.setXRange(-self._recent.window_s, 0, padding=0)
        self.plot.pointed.connect(self._point)
        self.restyle()

    def tick(self, values: Sequence[float], now_s: float) -> None:
        """Look at the source, and draw when it has something new."""
        changed = self._recent.take(values, now_s)
        if not changed or self.visibleRegion().isEmpty():
            return
        ago, least, most = self._shown = self._recent.curve(now_s)
        self.fill(bool(ago))
        if not ago:
            return
        # Each step is a stroke from its least to its most.
        x, y = np.repeat(ago, 2), np.empty(2 * len(ago))
        y[0::2], y[1::2] = least, most
        self._curve.setData(x, y)
        bottom = self.limits.least_p5 or 0.0
        self.reach(
            max(float(np.nanmin(least)), FAR_OUT * bottom),
            min(float(np.nanmax(most)), FAR_OUT * self.limits.p95),
        )

    def figure(self, values: Sequence[float]) -> None:
        """Percentiles of these; for a human's eye, not at every tick."""
        self._found = Figures.of(values)
        if not self._pointed:
            self.tell(self._found)

    def restyle(self) -> None:
        super().restyle()
        if hasattr(self, "_curve"):
            self._curve.setPen(self.pen("accent"))

    def _point(self, x: float | None) -> None:
        ago, least, most = self._shown
        self._pointed = x is not None and bool(ago)
        if x is None or not ago:
            self.tell(self._found)
            return
        n = int(np.argmin(np.abs(np.array(ago) - x)))
        if least[n] == least[n]:  # not nan
            self.say(f"{-ago[n]:.1f} s ago: {_signed(least[n])} to {_signed(most[n])} ms")


def _signed(ms: float) -> str:
    """With a minus that is as wide as a digit."""
    return f"{ms:.0f}".replace("-", MINUS)


def _promised(limits: Limits) -> str:
    if limits.least_p5 is not None:
        return f"Promised: between {_signed(limits.least_p5)} and {limits.p95:.0f} ms"
    p50 = "" if limits.p50 is None else f"p50 {limits.p50:.0f}, "
    return f"Promised: {p50}p95 {limits.p95:.0f} ms"


def _promises(limits: Limits) -> list[tuple[float, str]]:
    """Where there are lines, and what they say."""
    found = [(limits.p95, f"p95 limit {limits.p95:.0f}")]
    if limits.p50 is not None:
        found.append((limits.p50, f"p50 limit {limits.p50:.0f}"))
    if limits.least_p5 is not None:
        found.append((limits.least_p5, f"limit {_signed(limits.least_p5)}"))
    return found
