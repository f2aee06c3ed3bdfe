"""One turn: the two figures that count, its waterfall, and the stage to blame for an overrun."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QBoxLayout, QFrame, QWidget

from goassist_desktop.latency_log import CONTRACT, Overrun, overruns
from goassist_desktop.pipeline import clock as mark
from goassist_desktop.pipeline.events import TurnClosed
from goassist_desktop.ui.kit import column, label, row
from goassist_desktop.ui.theme import GAP, theme
from goassist_desktop.ui.tinted import Tinted
from goassist_desktop.ui.waterfall import WORDS, Waterfall, long, title

STAGES: Final = {
    "recognition": "Recognition",
    "llm_ttft": "The first token",
    "first_clause": "The first clause",
    "decision_delay": "The wait for the decision",
    "clause_to_audio": "The way from clause to audio",
}
OUTCOMES: Final = {
    "completed": "answered in full",
    "interrupted": "interrupted",
    "refused": "refused",
    "failed": "failed",
}
FIGURES_PX: Final = 168
NARROW_PX: Final = 690
FIRST_TEXT: Final = (
    "Say something. After the first answer you see here, to the millisecond, "
    "where the time between your last sound and the first of the answer went."
)
LEGEND: Final = "Hatched: done before the decision that you had finished. Full: you waited for it."


def blame(found: Overrun) -> str:
    """A sentence."""
    late = " after the decision" if found.latency == "ttfa" else ""
    took = f"{STAGES[found.stage]} took {long(found.took_ms)}{late}"
    return f"{took}, {long(found.over_ms)} over its share of the {WORDS[found.latency]}."


def summary(turn: TurnClosed, number: int) -> str:
    """The turn in words, for whoever does not see the picture."""
    parts = [f"Turn {number}, {OUTCOMES[turn.outcome]}, {'warm-up' * turn.warmup or 'warm'}."]
    for name in ("response_gap", "ttfa"):
        ms = turn.intervals_ms[name]
        if ms is None:
            parts.append(f"No {title(name)}.")
            continue
        limit = CONTRACT[name].p95
        kept = "within" if ms <= limit else "over"
        parts.append(f"{title(name)} {long(ms)}, {kept} the limit of {long(limit)}.")
    for name in ("recognition", "llm_ttft", "first_clause", "clause_to_audio", "head_start"):
        ms = turn.intervals_ms[name]
        if ms is not None:
            parts.append(f"{title(name)} {long(ms)}.")
    parts += [f"Barge-in {long(b.latency_ms)}, {b.outcome}." for b in turn.barge_ins]
    if turn.starved_ms:
        parts.append(f"{long(turn.starved_ms)} of silence inside the reply.")
    parts += [blame(found) for found in overruns(turn)]
    return " ".join(parts)


class BigFigure(QWidget):
    """A latency, large, with its limit."""

    def __init__(self, name: str, what: str) -> None:
        super().__init__()
        self._limit = CONTRACT[name].p95
        self._figure = Tinted("display", 600)
        self._unit = label("ms", "quiet")
        self._told = Tinted()
        heading = label(title(name), "section")
        heading.setToolTip(what)
        figure = row(self._figure, self._unit, 1, gap=6)
        figure.setAlignment(self._unit, Qt.AlignmentFlag.AlignBottom)
        self.setLayout(column(heading, figure, self._told, gap=0))

    def show_ms(self, ms: float | None, why_not: str) -> None:
        """`why_not`: what to say when there is none."""
        self._unit.setVisible(ms is not None)
        self._unit.setContentsMargins(0, 0, 0, theme().px(5))
        limit = f"limit {self._limit:.0f} ms"
        if ms is None:
            self._figure.tell("–")
            self._told.tell(f"{why_not}, {limit}")
        elif ms <= self._limit:
            self._figure.tell(f"{ms:.0f}", "text")
            self._told.tell(limit)
        else:
            self._figure.tell(f"{ms:.0f}", "error")
            self._told.tell(f"{limit}, {ms - self._limit:.0f} over", "error")


class TurnCard(QFrame):
    def __init__(self) -> None:
        super().__init__()
        self.setProperty("kind", "card")
        self.waterfall = Waterfall()
        self._turn: TurnClosed | None = None
        self._number = 0
        self._gap = BigFigure("response_gap", "From your last sound to the first of the answer")
        self._ttfa = BigFigure("ttfa", "From the decision that you had finished to that sound")
        self._cut = BigFigure("barge_in", "From your first sound over the reply to its silence")
        self._name = label("", "large")
        self._tags = [Tinted() for _ in range(4)]
        self._blame = [label("", wrap=True) for _ in range(2)]
        self._first = QWidget()
        self._first.setLayout(
            column(label("Nothing measured yet", "large"), label(FIRST_TEXT, "quiet", wrap=True))
        )
        self._figures = QWidget()
        self._side = column(self._gap, self._ttfa, self._cut, 1, gap=2 * GAP)
        self._figures.setLayout(self._side)
        self._figures.hide()
        self._head = QWidget()
        self._title = row(self._name, row(*self._tags, 1))
        self._title.setStretch(1, 1)
        self._head.setLayout(self._title)
        self._head.hide()
        self._middle = row(self._figures, self.waterfall, gap=2 * GAP)
        self._middle.setStretch(1, 1)
        legend = label(LEGEND, "caption", wrap=True)
        self.setLayout(
            column(
                self._first,
                self._head,
                self._middle,
                *self._blame,
                legend,
                gap=GAP + 4,
                margin=3 * GAP,
            )
        )
        for line in self._blame:
            line.hide()
        self.waterfall.setAccessibleDescription(FIRST_TEXT)
        theme().changed.connect(self._restyle)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._arrange()

    def _arrange(self) -> None:
        """The figures beside the waterfall, or above it where that leaves too little room."""
        beside, below = QBoxLayout.Direction.LeftToRight, QBoxLayout.Direction.TopToBottom
        narrow = self.width() < theme().px(NARROW_PX)
        self._title.setDirection(below if narrow else beside)
        self._middle.setDirection(below if narrow else beside)
        self._side.setDirection(beside if narrow else below)
        width = theme().px(FIGURES_PX)
        for figure in (self._gap, self._ttfa, self._cut):
            figure.setFixedWidth(width)

    def show_turn(self, turn: TurnClosed, number: int) -> None:
        """`number`: of the turn, from 1 since the start."""
        self._turn, self._number = turn, number
        self._first.hide()
        self._head.show()
        self._figures.show()
        self._name.setText(f"Turn {number}")
        heard = turn.marks_ms[mark.FIRST_AUDIO] is not None
        for figure, name in ((self._gap, "response_gap"), (self._ttfa, "ttfa")):
            figure.show_ms(turn.intervals_ms[name], "typed" if heard else "not heard")
        self._cut.setVisible(bool(turn.barge_ins))
        self._cut.show_ms(max((b.latency_ms for b in turn.barge_ins), default=None), "none")
        self._show_tags(turn)
        found = overruns(turn)
        for n, line in enumerate(self._blame):
            line.setText(blame(found[n]) if n < len(found) else "")
            line.setVisible(n < len(found))
        self.waterfall.show_turn(turn)
        said = summary(turn, number)
        self.waterfall.setAccessibleDescription(said)
        self.setAccessibleName(said)

    def _show_tags(self, turn: TurnClosed) -> None:
        badly, plain = ("error", "error_soft"), ("quiet", "raised")
        wrong = turn.outcome in ("refused", "failed")
        silent = f"{long(turn.starved_ms)} of silence" if turn.starved_ms else ""
        told = (
            ("warm-up" if turn.warmup else "warm", plain),
            (OUTCOMES[turn.outcome], badly if wrong else plain),
            (_barge_ins(turn), plain),
            (silent, badly),
        )
        self._tags[-1].setToolTip("Inside the reply, because the next words came too late")
        for tag, (words, colours) in zip(self._tags, told, strict=True):
            tag.tell(words, *colours)
            tag.setVisible(bool(words))

    def _restyle(self) -> None:
        self._arrange()
        if self._turn is not None:
            self.show_turn(self._turn, self._number)


def _barge_ins(turn: TurnClosed) -> str:
    if not turn.barge_ins:
        return ""
    count, last = len(turn.barge_ins), turn.barge_ins[-1].outcome
    return f"barge-in, {last}" if count == 1 else f"{count} barge-ins, the last {last}"
