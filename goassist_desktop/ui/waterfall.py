"""One turn as a waterfall: what was done when, from the user's last sample to the reply's first.

The time that is waited for is drawn to scale. What was said before it and the reply after it are
much longer, and squeezed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import (
    QColor,
    QFocusEvent,
    QFontMetricsF,
    QHelpEvent,
    QLinearGradient,
    QPainter,
    QPainterPath,
    QPaintEvent,
    QPen,
    QPolygonF,
)
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from goassist_desktop.latency_log import CONTRACT, NAMES, Bar, bars, overruns, zero_ms
from goassist_desktop.pipeline import clock as mark
from goassist_desktop.pipeline.events import TurnClosed
from goassist_desktop.ui.theme import GAP, theme

STAGES: Final = ("speech", "recognition", "llm_ttft", "first_clause", "clause_to_audio", "reply")
SPANS: Final = ("head_start", "ttfa", "response_gap")
ROWS: Final = STAGES + SPANS
WORDS: Final = NAMES | {"speech": "you", "reply": "reply", "barge_in": "barge-in"}
ROW_PX: Final = 27
BAR_PX: Final = 15
HEAD_PX: Final = 24
AXIS_PX: Final = 26
SPEECH_SHARE: Final = 0.1
REPLY_SHARE: Final = 0.2
"""Of the width, for what is not to scale."""
STEPS_MS: Final = (10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000)
BY_KEY: Final = (
    Qt.FocusReason.TabFocusReason,
    Qt.FocusReason.BacktabFocusReason,
    Qt.FocusReason.ShortcutFocusReason,
)
"""A frame shows where the focus is to those who move it by keyboard."""
WHAT: Final = {
    "speech": "you speak",
    "recognition": "your words become text",
    "llm_ttft": "the model reads them",
    "first_clause": "it writes as much as can be said",
    "clause_to_audio": "the voice begins to say it",
    "reply": "you hear it",
}
"""What each row means, for whoever has not seen one yet."""


def title(name: str) -> str:
    """A name of the metrics as a heading."""
    return WORDS[name][0].upper() + WORDS[name][1:]


def long(ms: float) -> str:
    """A duration to read."""
    return f"{ms:.0f} ms" if abs(ms) < 1000 else f"{ms / 1000:.2f} s"


@dataclass(frozen=True, slots=True)
class Scale:
    """From ms after the turn's zero to px, in stretches of different scales."""

    points: tuple[tuple[float, float], ...]
    """(ms, px) where the stretches begin and end, rising."""

    def x(self, ms: float) -> float:
        for (start, left), (end, right) in zip(self.points, self.points[1:], strict=False):
            if ms <= end:
                return left + (max(ms, start) - start) / max(end - start, 1e-9) * (right - left)
        return self.points[-1][1]


@dataclass(frozen=True, slots=True)
class Moments:
    """What of a turn is drawn, in ms after its zero."""

    bars: Sequence[Bar]
    onset: float | None
    endpoint: float | None
    decision: float | None
    first_audio: float | None
    audio_end: float | None

    @classmethod
    def of(cls, turn: TurnClosed) -> Moments:
        zero = zero_ms(turn) or 0.0
        at = {name: None if ms is None else ms - zero for name, ms in turn.marks_ms.items()}
        spoken = turn.marks_ms[mark.OFFSET] is not None
        return cls(
            bars(turn),
            at[mark.ONSET] if spoken else None,
            at[mark.ENDPOINT],
            at[mark.DECISION],
            at[mark.FIRST_AUDIO],
            at[mark.AUDIO_END],
        )

    @property
    def waited_ms(self) -> float:
        """Where what is to scale ends."""
        if self.first_audio is not None:
            return max(self.first_audio, 1.0)
        known = [bar.end_ms for bar in self.bars]
        return max([*known, self.endpoint or 0.0, self.decision or 0.0, 1.0])

    def scale(self, left: float, right: float) -> Scale:
        width = right - left
        points = [(0.0, left)]
        if self.onset is not None:
            points = [(min(self.onset, -1.0), left), (0.0, left + SPEECH_SHARE * width)]
        if self.first_audio is None:
            points.append((self.waited_ms, right - 0.06 * width))
        else:
            points.append((self.waited_ms, right - REPLY_SHARE * width))
            points.append((max(self.audio_end or 0.0, self.waited_ms + 1.0), right))
        return Scale(tuple(points))


EXAMPLE: Final = Moments(
    (
        Bar("recognition", 0, 280, 280),
        Bar("llm_ttft", 280, 400, 120),
        Bar("first_clause", 400, 520, 60),
        Bar("clause_to_audio", 520, 640, 0),
    ),
    -1500, None, 460, 640, 3000,
)  # fmt: skip


class Waterfall(QWidget):
    """Shows a turn, or before the first one what there will be to see."""

    def __init__(self) -> None:
        super().__init__()
        self._turn: TurnClosed | None = None
        self._moments = EXAMPLE
        self._blamed: frozenset[str] = frozenset()
        self._by_key = False
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Waterfall")
        theme().changed.connect(self._restyle)

    def show_turn(self, turn: TurnClosed) -> None:
        self._turn = turn
        self._moments = Moments.of(turn)
        self._blamed = frozenset(found.stage for found in overruns(turn))
        self._restyle()

    def tip(self, name: str) -> str:
        """What a row says when it is pointed at."""
        turn = self._turn
        if turn is None:
            return ""
        said = _exactly(name, self._moments, turn)
        return f"{title(name)}: {said}" if said else ""

    def sizeHint(self) -> QSize:
        rows = len(ROWS) * ROW_PX + GAP if self._turn else len(STAGES) * ROW_PX
        return QSize(theme().px(480), theme().px(HEAD_PX + rows + AXIS_PX))

    def minimumSizeHint(self) -> QSize:
        return QSize(theme().px(320), self.sizeHint().height())

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent):
            names = ROWS if self._turn else STAGES
            here = [n for n in names if self._row(n).contains(QPointF(event.pos()))]
            QToolTip.showText(event.globalPos(), self.tip(here[0]) if here else "", self)
            return True
        return super().event(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self._by_key = event.reason() in BY_KEY

    def _restyle(self) -> None:
        self.updateGeometry()
        self.update()

    def _row(self, name: str) -> QRectF:
        index = ROWS.index(name)
        gap = GAP if name in SPANS else 0
        top = theme().px(HEAD_PX + index * ROW_PX + gap)
        return QRectF(0, top, self.width(), theme().px(ROW_PX))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(theme().font("caption"))
        names = ROWS if self._turn else STAGES
        widest = max(painter.fontMetrics().horizontalAdvance(title(name)) for name in names)
        left, right = float(widest + theme().px(3 * GAP)), float(self.width() - theme().px(GAP))
        bottom = self._row(names[-1]).bottom()
        scale = self._moments.scale(left, right)
        drawing = _Drawing(painter, self._moments, scale, self._turn, self._blamed)
        drawing.ground(left, right, float(theme().px(HEAD_PX)), bottom)
        for name in names:
            row = self._row(name)
            words = QRectF(theme().px(GAP), row.top(), left, row.height())
            drawing.text(words, title(name), "quiet")
        for bar in self._moments.bars:
            drawing.stage(self._row(bar.name), bar)
        drawing.speech(self._row("speech"))
        drawing.reply(self._row("reply"))
        if self._turn is not None:
            for name in SPANS:
                drawing.span(self._row(name), name)
        if self._by_key and self.hasFocus():
            painter.setPen(QPen(theme().colour("accent"), 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(1, 1, -1, -1), GAP, GAP)
        painter.end()


class _Drawing:
    """One picture of a waterfall, while it is being painted."""

    def __init__(
        self,
        painter: QPainter,
        moments: Moments,
        scale: Scale,
        turn: TurnClosed | None,
        blamed: frozenset[str],
    ) -> None:
        self._painter = painter
        self._moments = moments
        self._x = scale.x
        self._right = scale.points[-1][1]
        self._turn = turn
        self._blamed = blamed
        self._strength = 1.0 if turn else 0.45
        self._metrics = QFontMetricsF(painter.font())

    def ground(self, left: float, right: float, top: float, bottom: float) -> None:
        """What the rows stand on: stretches, scale and the lines of the moments."""
        painter, moments, style = self._painter, self._moments, theme()
        zero, end = self._x(0), self._x(moments.waited_ms)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(style.colour("raised", 0.55))
        if moments.onset is not None:
            painter.drawRect(QRectF(left, top, zero - left, bottom - top))
        if moments.first_audio is not None:
            painter.drawRect(QRectF(end, top, right - end, bottom - top))
        if self._turn is not None:
            self._axis(top, bottom)
        for at in [0.0] if moments.first_audio is None else [0.0, moments.waited_ms]:
            self._line(at, top, bottom, QPen(style.colour("outline"), 1))
        self._decision(top, bottom)

    def _axis(self, top: float, bottom: float) -> None:
        style, waited = theme(), self._moments.waited_ms
        per_ms = (self._x(waited) - self._x(0)) / waited
        room = self._metrics.horizontalAdvance("1000 ms") + style.px(2 * GAP)
        step = next((s for s in STEPS_MS if s * per_ms >= room), STEPS_MS[-1])
        ticks = [n * step for n in range(int(waited // step) + 1)]
        for ms in ticks:
            if ms:
                self._line(ms, top, bottom, QPen(style.colour("outline", 0.4), 1))
            label = f"{ms} ms" if ms else "0"
            middle = self._x(ms)
            where = QRectF(middle - room, bottom + 4, 2 * room, style.px(AXIS_PX) - 4)
            self.text(where, label, "quiet", Qt.AlignmentFlag.AlignCenter)

    def _decision(self, top: float, bottom: float) -> None:
        """The lines of endpoint and decision; one when they came together."""
        moments, style, near = self._moments, theme(), theme().px(GAP)
        head = QRectF(0, 0, self._right, style.px(HEAD_PX) - 4)
        decided = None if moments.decision is None else self._x(moments.decision)
        ended = None if moments.endpoint is None else self._x(moments.endpoint)
        together = decided is not None and ended is not None and abs(decided - ended) < 3
        if ended is not None and not together and moments.endpoint is not None:
            pen = QPen(style.colour("quiet"), 1, Qt.PenStyle.DashLine)
            self._line(moments.endpoint, top - 4, bottom, pen)
            where = QRectF(0, 0, ended + near, head.height())
            align = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
            self.text(where, "Endpoint", "quiet", align)
        if decided is not None and moments.decision is not None:
            ink = "warning" if "decision_delay" in self._blamed else "text"
            pen = QPen(style.colour(ink, self._strength), 1.5)
            self._line(moments.decision, top - 4, bottom, pen)
            words = "Endpoint and decision" if together else "Decision"
            wide = self._metrics.horizontalAdvance(words)
            left = min(
                decided + (near if ended and not together else -wide / 2), self._right - wide
            )
            self.text(QRectF(left, 0, wide + 2, head.height()), words, ink)

    def stage(self, row: QRectF, bar: Bar) -> None:
        """The work before the decision hatched, the rest full."""
        blamed = bar.name in self._blamed
        ink = theme().colour("warning" if blamed else "accent", self._strength)
        whole = self._bar(row, bar.start_ms, bar.end_ms)
        split = self._x(bar.start_ms + bar.ahead_ms) if bar.ahead_ms else whole.left()
        clip = QPainterPath()
        clip.addRoundedRect(whole, 4, 4)
        self._painter.save()
        self._painter.setClipPath(clip)
        self._hatch(QRectF(whole.topLeft(), QPointF(split, whole.bottom())), ink)
        self._painter.fillRect(QRectF(QPointF(split, whole.top()), whole.bottomRight()), ink)
        self._painter.restore()
        if self._turn is None:
            self._beside(row, whole, WHAT[bar.name])
        else:
            took = self._turn.intervals_ms[bar.name]
            self._beside(row, whole, long(took or 0.0), "warning" if blamed else "text")

    def speech(self, row: QRectF) -> None:
        if self._moments.onset is None:
            return
        bar = self._bar(row, self._moments.onset, 0)
        fade = QLinearGradient(bar.topLeft(), bar.topRight())
        ink = theme().colour("quiet", self._strength)
        faint = QColor(ink)
        faint.setAlphaF(0.1 * self._strength)
        fade.setColorAt(0, faint)
        fade.setColorAt(1, ink)
        self._painter.setPen(Qt.PenStyle.NoPen)
        self._painter.setBrush(fade)
        self._painter.drawRoundedRect(bar, 4, 4)
        self._beside(row, bar, long(-self._moments.onset) if self._turn else WHAT["speech"])

    def reply(self, row: QRectF) -> None:
        moments, style = self._moments, theme()
        if moments.first_audio is None:
            return
        end = moments.audio_end if moments.audio_end is not None else moments.first_audio
        bar = self._bar(row, moments.first_audio, end)
        self._painter.setPen(QPen(style.colour("accent", self._strength), 1))
        self._painter.setBrush(style.colour("accent_soft", self._strength))
        self._painter.drawRoundedRect(bar.adjusted(0.5, 0.5, -0.5, -0.5), 4, 4)
        if self._turn is None:
            self._beside(row, bar, WHAT["reply"], right=False)
            return
        self._starved(bar, self._turn.starved_ms)
        for barge_in in self._turn.barge_ins:
            zero = zero_ms(self._turn) or 0.0
            self._notch(row, self._x(barge_in.onset_ms - zero), barge_in.outcome == "stopped")
        self._beside(row, bar, long(end - moments.first_audio), right=False)

    def _starved(self, bar: QRectF, ms: float) -> None:
        """The silence inside the reply, at its end: only its sum is known."""
        if not ms or bar.width() <= 0:
            return
        moments = self._moments
        whole = max((moments.audio_end or 0.0) - (moments.first_audio or 0.0), ms)
        wide = max(bar.width() * ms / whole, float(theme().px(4)))
        clip = QPainterPath()
        clip.addRoundedRect(bar, 4, 4)
        self._painter.save()
        self._painter.setClipPath(clip)
        part = QRectF(bar.right() - wide, bar.top(), wide, bar.height())
        self._painter.fillRect(part, theme().colour("error"))
        self._painter.restore()

    def _notch(self, row: QRectF, x: float, stopped: bool) -> None:
        """A barge-in: where the user began to speak. Filled when it ended the reply."""
        style, half = theme(), theme().px(5)
        ink = style.colour("text")
        self._painter.setPen(QPen(ink, 1.5))
        self._painter.drawLine(QPointF(x, row.top() + half), QPointF(x, row.bottom()))
        self._painter.setBrush(ink if stopped else style.colour("surface"))
        top = row.top() - 1
        self._painter.drawPolygon(
            QPolygonF(
                [QPointF(x - half, top), QPointF(x + half, top), QPointF(x, top + 1.6 * half)]
            )
        )

    def span(self, row: QRectF, name: str) -> None:
        """A latency as a measure; red from its limit on."""
        turn, moments, style = self._turn, self._moments, theme()
        ms = None if turn is None else turn.intervals_ms[name]
        if ms is None or ms <= 0:
            return
        end = moments.decision if name == "head_start" else moments.first_audio
        assert end is not None
        start, middle, tick = end - ms, row.center().y(), float(style.px(4))
        limit = CONTRACT[name].p95 if name in CONTRACT else None
        over = limit is not None and ms > limit
        ink = style.colour("quiet" if name == "head_start" else "text")
        self._painter.setPen(QPen(ink, 2))
        x, until = self._x(start), self._x(end)
        self._painter.drawLine(QPointF(x, middle), QPointF(until, middle))
        for at in (x, until):
            self._painter.drawLine(QPointF(at, middle - tick), QPointF(at, middle + tick))
        if limit is not None and over:
            self._painter.setPen(QPen(style.colour("error"), 3))
            self._painter.drawLine(QPointF(self._x(start + limit), middle), QPointF(until, middle))
        words = long(ms)
        if limit is not None and over:
            told = f"{words}, limit {limit:.0f} ms"
            if self._metrics.horizontalAdvance(told) + theme().px(GAP) < self._right - until:
                words = told
        measure = QRectF(QPointF(x, middle - tick), QPointF(until, middle + tick))
        self._beside(row, measure, words, "error" if over else "text")

    # -- the pen -----------------------------------------------------------------------------------

    def text(
        self,
        where: QRectF,
        words: str,
        colour: str,
        align: Qt.AlignmentFlag = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter,
    ) -> None:
        self._painter.setPen(theme().colour(colour))
        self._painter.drawText(where, align | Qt.TextFlag.TextDontClip, words)

    def _beside(
        self, row: QRectF, bar: QRectF, words: str, colour: str = "text", right: bool = True
    ) -> None:
        """Words next to a bar, on the side where there is room."""
        gap, wide = theme().px(GAP), self._metrics.horizontalAdvance(words)
        if right and bar.right() + gap + wide > self._right:
            right = False
        left = bar.right() + gap if right else bar.left() - gap - wide
        where = QRectF(left - 3, row.center().y() - self._metrics.height() / 2, wide + 6, 0)
        where.setHeight(self._metrics.height())
        lines = (self._moments.decision, self._moments.endpoint)
        if any(ms is not None and where.left() < self._x(ms) < where.right() for ms in lines):
            self._painter.fillRect(where, theme().colour("surface"))
        self.text(where.adjusted(3, 0, 0, 0), words, colour if self._turn else "quiet")

    def _bar(self, row: QRectF, start_ms: float, end_ms: float) -> QRectF:
        high = theme().px(BAR_PX)
        left, right = self._x(start_ms), self._x(end_ms)
        return QRectF(left, row.center().y() - high / 2, max(right - left, 2.0), high)

    def _line(self, ms: float, top: float, bottom: float, pen: QPen) -> None:
        x = round(self._x(ms)) + 0.5
        self._painter.setPen(pen)
        self._painter.drawLine(QPointF(x, top), QPointF(x, bottom))

    def _hatch(self, where: QRectF, ink: QColor) -> None:
        """Strokes over a tint."""
        if where.width() <= 0:
            return
        tint = QColor(ink)
        tint.setAlphaF(ink.alphaF() * 0.28)
        self._painter.fillRect(where, tint)
        self._painter.save()
        self._painter.setClipRect(where, Qt.ClipOperation.IntersectClip)
        self._painter.setPen(QPen(ink, 1.5))
        x = where.left() - where.height()
        while x < where.right():
            self._painter.drawLine(
                QPointF(x, where.bottom()), QPointF(x + where.height(), where.top())
            )
            x += 6
        self._painter.restore()


def _exactly(name: str, moments: Moments, turn: TurnClosed) -> str:
    """A row in numbers."""
    if name == "speech":
        return "" if moments.onset is None else f"{long(-moments.onset)}, until 0"
    if name == "reply":
        if moments.first_audio is None:
            return "not heard"
        silent = f", {long(turn.starved_ms)} of it silent" if turn.starved_ms else ""
        begun = f"from {long(moments.first_audio)} on"
        cuts = "".join(
            f"\nBarge-in: silent after {long(b.latency_ms)}, {b.outcome}" for b in turn.barge_ins
        )
        return begun + silent + cuts
    took = turn.intervals_ms[name]
    if took is None:
        return ""
    bar = next((bar for bar in moments.bars if bar.name == name), None)
    if bar is None:
        return long(took)
    ahead = f", {long(bar.ahead_ms)} of it before the decision" if bar.ahead_ms else ""
    return f"{long(took)}, from {long(bar.start_ms)} to {long(bar.end_ms)}{ahead}"
