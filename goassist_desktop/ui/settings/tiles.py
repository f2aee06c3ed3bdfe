"""A choice by picture or by a few words: tiles side by side, one of which is taken."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QEnterEvent,
    QFontMetrics,
    QPainter,
    QPainterPath,
    QPaintEvent,
    QPen,
    QPixmap,
    QResizeEvent,
)
from PySide6.QtWidgets import QAbstractButton, QButtonGroup, QGridLayout, QSizePolicy, QWidget

from goassist_desktop.ui.pictograms import pixmap
from goassist_desktop.ui.theme import GAP, RADIUS, theme

NARROW_PX: Final = 130
"""A tile, with its longest name."""


class Tile(QAbstractButton):
    """A picture above a name, or a name above a few words."""

    def __init__(self, value: str, name: str, what: str = "", *, picture_px: int = 0) -> None:
        """`picture_px`: the height that is kept for a picture."""
        super().__init__()
        self.value = value
        self._what, self._picture_px = what, picture_px
        self._picture: QPixmap | None = None
        self._hovered = False
        self.setText(name)
        self.setAccessibleName(name)
        self.setAccessibleDescription(what)
        self.setCheckable(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Minimum)
        theme().changed.connect(self._restyle)

    def show_picture(self, picture: QPixmap) -> None:
        self._picture = picture
        self.update()

    def sizeHint(self) -> QSize:
        px = theme().px
        words = px(34) + (px(20) * self._what_lines() if self._what else 0)
        return QSize(px(140), px(self._picture_px) + words + px(14))

    def _what_lines(self) -> int:
        width = max(self.width(), theme().px(140)) - theme().px(28)
        box = QFontMetrics(theme().font("caption")).boundingRect(
            0, 0, width, 1000, Qt.TextFlag.TextWordWrap, self._what
        )
        return max(1, round(box.height() / theme().px(17)))

    def resizeEvent(self, event: object) -> None:
        self.updateGeometry()

    def enterEvent(self, event: QEnterEvent) -> None:
        self._hovered = True
        self.update()
        super().enterEvent(event)

    def leaveEvent(self, event: object) -> None:
        self._hovered = False
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        style, px, on = theme(), theme().px, self.isChecked()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        edge = QRectF(self.rect()).adjusted(1.5, 1.5, -1.5, -1.5)
        corner = px(RADIUS - 2)
        fill = "accent_soft" if on else "hover" if self._hovered and self.isEnabled() else "raised"
        painter.setBrush(style.colour(fill))
        line = "text" if self.hasFocus() else "accent" if on else "outline"
        painter.setPen(QPen(style.colour(line), 2 if on or self.hasFocus() else 1))
        painter.drawRoundedRect(edge, corner, corner)
        top = float(px(10))
        if self._picture_px:
            top = self._paint_picture(painter, edge, corner)
        ink = "text" if self.isEnabled() else "quiet"
        painter.setPen(style.colour(ink))
        painter.setFont(style.font("body"))
        left = px(14)
        words = QRectF(left, top, self.width() - 2 * left, px(26))
        if on:
            side = px(18)
            tick = pixmap("check", style.colours.accent, side, self.devicePixelRatioF())
            painter.drawPixmap(round(words.right() - side), round(top + (px(26) - side) / 2), tick)
            words.setRight(words.right() - side - px(4))
        middle = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft
        name = QFontMetrics(painter.font()).elidedText(
            self.text(), Qt.TextElideMode.ElideRight, int(words.width())
        )
        painter.drawText(words, middle, name)
        if self._what:
            painter.setPen(style.colour("text" if on else "quiet"))
            painter.setFont(style.font("caption"))
            below = QRectF(left, words.bottom(), self.width() - 2 * left, self.height())
            painter.drawText(below, Qt.TextFlag.TextWordWrap, self._what)
        painter.end()

    def _paint_picture(self, painter: QPainter, edge: QRectF, corner: float) -> float:
        """Into the upper part, cut to fit; its lower end."""
        style = theme()
        frame = edge.adjusted(1, 1, -1, 0)
        frame.setHeight(style.px(self._picture_px))
        shape = QPainterPath()
        shape.addRoundedRect(frame.adjusted(0, 0, 0, corner), corner, corner)
        painter.save()
        painter.setClipPath(shape)
        painter.setClipRect(frame, Qt.ClipOperation.IntersectClip)
        if self._picture is None:
            painter.fillRect(frame, style.colour("hover"))
        else:
            size = self._picture.deviceIndependentSize()
            share = max(frame.width() / size.width(), frame.height() / size.height())
            size *= share
            at = QRectF(
                frame.center().x() - size.width() / 2,
                frame.center().y() - size.height() / 2,
                size.width(),
                size.height(),
            )
            painter.drawPixmap(at, self._picture, QRectF(self._picture.rect()))
        painter.restore()
        return frame.bottom() + style.px(5)

    def _restyle(self) -> None:
        self.updateGeometry()
        self.update()


class Tiles(QWidget):
    """Tiles of which one is taken; arrow keys go from one to the next."""

    picked = Signal(str)
    """The value, when a person takes one."""

    def __init__(self, name: str, *tiles: Tile) -> None:
        super().__init__()
        self.setAccessibleName(name)
        self.tiles = tiles
        self._group = QButtonGroup(self)
        for tile in tiles:
            self._group.addButton(tile)
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(GAP + 4)
        self._columns = 0
        self._arrange()
        self._group.buttonToggled.connect(self._toggled)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._arrange()

    def _arrange(self) -> None:
        """In one row; in two where that leaves no room for the names."""
        count = len(self.tiles)
        narrow = self.width() < count * theme().px(NARROW_PX)
        columns = 2 if narrow and count % 2 == 0 else count
        if columns != self._columns:
            self._columns = columns
            for n, tile in enumerate(self.tiles):
                self._grid.addWidget(tile, n // columns, n % columns)

    def show_value(self, value: str) -> None:
        """Take the tile of this value; none where there is none."""
        self._group.blockSignals(True)
        self._group.setExclusive(False)
        for tile in self.tiles:
            tile.setChecked(tile.value == value)
        self._group.setExclusive(True)
        self._group.blockSignals(False)

    def _toggled(self, tile: Tile, on: bool) -> None:
        if on:
            self.picked.emit(tile.value)
