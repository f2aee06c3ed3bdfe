"""What the set-up shows: pictures and findings, painted."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractButton, QLabel, QSizePolicy, QWidget

from goassist_desktop.sound_check import Echo
from goassist_desktop.ui.kit import label, row
from goassist_desktop.ui.pictograms import pixmap
from goassist_desktop.ui.theme import CONTRAST, DARK, LIGHT, Choice, Colours, theme

WIDTH_PX: Final = 600
"""Of what is read: longer lines are hard to follow."""
SIDE_PX: Final = 184


def centred(made: QLabel) -> QLabel:
    made.setAlignment(Qt.AlignmentFlag.AlignHCenter)
    return made


class Finding(QWidget):
    """A sentence with a tick or a warning sign before it; keeps its place while empty."""

    def __init__(self) -> None:
        super().__init__()
        self._icon = ""
        self._picture = QLabel()
        self._words = label("", "body", wrap=True)
        self._words.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Preferred)
        line = row(1, self._picture, self._words, 1)
        line.setStretch(2, 0)
        for one in (self._picture, self._words):
            line.setAlignment(one, Qt.AlignmentFlag.AlignTop)
        self.setLayout(line)
        self.setMinimumHeight(theme().px(48))
        theme().changed.connect(self._restyle)

    @property
    def text(self) -> str:
        return self._words.text()

    def show_found(self, icon: str, words: str) -> None:
        if (icon, words) != (self._icon, self._words.text()):
            self._icon = icon
            self._words.setText(words)
            self._restyle()

    def _restyle(self) -> None:
        self._picture.setVisible(bool(self._icon))
        if self._icon:
            colours = theme().colours
            colour = colours.accent if self._icon == "check" else colours.warning
            side = theme().px(20)
            self._picture.setPixmap(pixmap(self._icon, colour, side, self.devicePixelRatioF()))
        fits = self.fontMetrics().horizontalAdvance(self._words.text()) + 8
        self._words.setMinimumWidth(min(fits, theme().px(WIDTH_PX - 60)))


class Emblem(QWidget):
    """The picture of a step: an icon in a circle that shows loudness around it, how far something
    is, and in its corner what came of it."""

    def __init__(self, icon: str) -> None:
        super().__init__()
        self._icon, self._badge = icon, ""
        self._level = 0.0
        self._progress: float | None = None
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        theme().changed.connect(self._restyle)

    def sizeHint(self) -> QSize:
        side = min(theme().px(SIDE_PX), SIDE_PX)  # where text is large there is no room to spare
        return QSize(side, side)

    def show_level(self, level: float) -> None:
        """0 to 1; falls slowly, as the eye expects of loudness."""
        level = max(0.0, min(1.0, level), self._level - 0.03)
        if level != self._level:
            self._level = level
            self.update()

    def show_progress(self, progress: float | None) -> None:
        """0 to 1; None: nothing goes on."""
        if progress != self._progress:
            self._progress = progress
            self.update()

    def show_badge(self, icon: str) -> None:
        """ "check", "warning" or none."""
        if icon != self._badge:
            self._badge = icon
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        style = theme()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        middle = QPointF(self.width() / 2, self.height() / 2)
        core = self.width() * 0.32
        painter.setPen(Qt.PenStyle.NoPen)
        if self._level > 0:
            reach = core + (self.width() / 2 - core) * self._level
            painter.setBrush(style.colour("accent", 0.18))
            painter.drawEllipse(middle, reach, reach)
        painter.setBrush(style.colour("accent_soft"))
        painter.drawEllipse(middle, core, core)
        if self._progress is not None:
            width = self.width() * 0.025
            around = core + 2.5 * width
            ring = QRectF(middle.x() - around, middle.y() - around, 2 * around, 2 * around)
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(style.colour("hover"), width))
            painter.drawEllipse(ring)
            pen = QPen(style.colour("accent"), width)
            pen.setCapStyle(Qt.PenCapStyle.RoundCap)
            painter.setPen(pen)
            painter.drawArc(ring, 90 * 16, -round(360 * 16 * self._progress))
        self._draw_icon(painter, self._icon, middle, core * 0.95, style.colours.accent)
        if self._badge:
            corner = middle + QPointF(core, core) * 0.72
            small = core * 0.3
            good = self._badge == "check"
            painter.setPen(QPen(style.colour("window"), small * 0.22))
            painter.setBrush(style.colour("accent_fill" if good else "warning"))
            painter.drawEllipse(corner, small, small)
            ink = style.colours.on_accent if good else style.colours.window
            self._draw_icon(painter, self._badge, corner, small * 1.2, ink)
        painter.end()

    def _draw_icon(
        self, painter: QPainter, icon: str, middle: QPointF, side: float, ink: str
    ) -> None:
        picture = pixmap(icon, ink, round(side), self.devicePixelRatioF())
        painter.drawPixmap(middle - QPointF(round(side) / 2, round(side) / 2), picture)

    def _restyle(self) -> None:
        self.updateGeometry()
        self.update()


class EchoFigure(QWidget):
    """Two bars: how loud the loudspeaker is at the microphone, and what is left of it."""

    _FLOOR_DB: Final = -80.0

    def __init__(self) -> None:
        super().__init__()
        self._echo: Echo | None = None
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        theme().changed.connect(self._restyle)
        self.hide()

    def sizeHint(self) -> QSize:
        return QSize(theme().px(320), theme().px(76))

    def show_echo(self, echo: Echo | None) -> None:
        """None, and one in which nothing was heard, is not drawn."""
        if echo == self._echo:
            return
        self._echo = echo
        drawn = echo is not None and echo.outcome in ("removed", "loud")
        self.setVisible(drawn)
        if echo is not None and drawn:
            self.setAccessibleName(
                f"At the microphone {echo.heard_db:.0f} dB, left of it {echo.left_db:.0f} dB"
            )
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        if self._echo is None:
            return
        style, echo = theme(), self._echo
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(style.font("caption"))
        left, right, height = style.px(160), style.px(64), style.px(10)
        whole = self.width() - left - right
        for place, (words, db, ink) in enumerate(
            (
                ("At the microphone", max(echo.heard_db, self._FLOOR_DB), "quiet"),
                ("After cancellation", max(echo.left_db, self._FLOOR_DB), "accent"),
            )
        ):
            line = self.height() / 2
            top = place * line
            painter.setPen(style.colour("text"))
            flags = Qt.AlignmentFlag.AlignVCenter
            painter.drawText(QRectF(0, top, left, line), flags | Qt.AlignmentFlag.AlignLeft, words)
            numbers = QRectF(self.width() - right, top, right, line)
            painter.drawText(numbers, flags | Qt.AlignmentFlag.AlignRight, _decibel(db))
            bar = QRectF(left, top + (line - height) / 2, whole, height)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(style.colour("raised"))
            painter.drawRoundedRect(bar, height / 2, height / 2)
            share = max(0.0, min(1.0, 1 - db / self._FLOOR_DB))
            bar.setWidth(max(height, whole * share))
            painter.setBrush(style.colour(ink))
            painter.drawRoundedRect(bar, height / 2, height / 2)
        painter.end()

    def _restyle(self) -> None:
        self.updateGeometry()
        self.update()


def _decibel(db: float) -> str:
    return f"{db:.0f} dB".replace("-", "\N{MINUS SIGN}")


class Look(QAbstractButton):
    """An appearance to choose, as a small picture of it."""

    def __init__(self, name: str, choice: Choice) -> None:
        super().__init__()
        self.choice: Choice = choice
        self.setText(name)
        self.setAccessibleName(name)
        self.setCheckable(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        theme().changed.connect(self._restyle)

    def sizeHint(self) -> QSize:
        return QSize(theme().px(126), theme().px(116))

    def paintEvent(self, event: QPaintEvent) -> None:
        style = theme()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        edge = QRectF(self.rect()).adjusted(2, 2, -2, -style.px(30))
        palettes = {"light": (LIGHT,), "dark": (DARK,), "contrast": (CONTRAST,)}
        for place, colours in enumerate(palettes.get(self.choice, (LIGHT, DARK))):
            painter.save()
            if place == 1:
                painter.setClipRect(edge.adjusted(edge.width() / 2, -2, 2, 2))
            self._draw_window(painter, edge, colours)
            painter.restore()
        painter.setBrush(Qt.BrushStyle.NoBrush)
        chosen = self.isChecked()
        line = "accent" if chosen else "text" if self.hasFocus() else "outline"
        painter.setPen(QPen(style.colour(line), 3 if chosen else 2 if self.hasFocus() else 1))
        painter.drawRoundedRect(edge, style.px(10), style.px(10))
        if chosen and self.hasFocus():
            painter.setPen(QPen(style.colour("text"), 1, Qt.PenStyle.DotLine))
            painter.drawRoundedRect(edge.adjusted(4, 4, -4, -4), style.px(7), style.px(7))
        painter.setPen(style.colour("text" if chosen else "quiet"))
        painter.setFont(style.font("caption"))
        below = QRectF(0, edge.bottom() + 2, self.width(), style.px(28))
        painter.drawText(below, Qt.AlignmentFlag.AlignCenter, self.text())
        painter.end()

    @staticmethod
    def _draw_window(painter: QPainter, edge: QRectF, colours: Colours) -> None:
        unit = edge.width() / 12
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(colours.window))
        painter.drawRoundedRect(edge, unit, unit)
        painter.setBrush(QColor(colours.accent))
        painter.drawEllipse(edge.center() - QPointF(0, unit), 1.7 * unit, 1.7 * unit)
        painter.setBrush(QColor(colours.quiet))
        for nth, width in enumerate((7.0, 4.5)):
            left = edge.center().x() - width * unit / 2
            top = edge.center().y() + (1.5 + 1.0 * nth) * unit
            painter.drawRoundedRect(QRectF(left, top, width * unit, unit * 0.45), 2, 2)

    def _restyle(self) -> None:
        self.updateGeometry()
        self.update()


class Dots(QWidget):
    """Which of the steps it is."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self._count, self._at = count, 0
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        theme().changed.connect(self._restyle)

    def sizeHint(self) -> QSize:
        return QSize(theme().px(18 * self._count + 14), theme().px(12))

    def show_place(self, at: int) -> None:
        self._at = at
        self.setAccessibleName(f"Step {at + 1} of {self._count}")
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        style = theme()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        side, left = style.px(8), 0.0
        top = (self.height() - side) / 2
        for nth in range(self._count):
            width = style.px(22) if nth == self._at else side
            painter.setBrush(style.colour("accent" if nth <= self._at else "outline"))
            painter.drawRoundedRect(QRectF(left, top, width, side), side / 2, side / 2)
            left += width + style.px(10)
        painter.end()

    def _restyle(self) -> None:
        self.updateGeometry()
        self.update()
