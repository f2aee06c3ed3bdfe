"""The face in the window: the newest picture of it, with round corners, as large as there is room.

The drawing is done elsewhere (`face_thread`); Qt's thread only shows what is finished.
"""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import (
    Property,
    QEasingCurve,
    QEvent,
    QObject,
    QPointF,
    QPropertyAnimation,
    QRect,
    QRectF,
    Qt,
    Signal,
)
from PySide6.QtGui import (
    QBrush,
    QColor,
    QHideEvent,
    QImage,
    QPainter,
    QPainterPath,
    QPaintEvent,
    QPen,
    QRadialGradient,
    QRegion,
    QResizeEvent,
    QShowEvent,
    QTransform,
)
from PySide6.QtWidgets import QWidget

from goassist_desktop.avatar import open_face
from goassist_desktop.pipeline.blendshapes import INDEX, Pose
from goassist_desktop.ui import motion
from goassist_desktop.ui.face_thread import FaceThread, Open
from goassist_desktop.ui.ports import Assistant
from goassist_desktop.ui.theme import theme

CORNER_PX: Final = 20
WALL: Final = ("#353b41", "#0f1216")
"""The middle and the corners of the wall behind every head, until there is a head."""
FADE_MS: Final = 350
"""From one person to another, and to a dimmed face and back."""
_JAW: Final = INDEX["jawOpen"]


class _Post(QObject):
    """Signals that come from the drawing thread; it outlives the view, should the thread hang."""

    ready = Signal()
    notice = Signal(object)


class FaceView(QWidget):
    """One person's face, in the pose that belongs to what is heard."""

    notice = Signal(object)
    """A Notice of who draws the face, and how."""

    def __init__(self, assistant: Assistant, person: str, open_face: Open = open_face) -> None:
        super().__init__()
        self._assistant = assistant
        self._pose: Pose | None = None
        self._picture: QImage | None = None
        self._person_shown = ""
        self._before: QImage | None = None
        self._still = False
        self._fade, self._dim = 1.0, 0.0
        self._fading = self._animation(b"fade")
        self._dimming = self._animation(b"dim")
        self._post = post = _Post()
        self._thread = thread = FaceThread(
            person,
            assistant.pose,
            assistant.hurried,
            post.ready.emit,
            post.notice.emit,
            open_face,
        )
        post.ready.connect(self.update)
        post.notice.connect(self.notice)
        self.destroyed.connect(lambda: thread.stop())
        self.setAccessibleName("The assistant’s face")
        self.setMinimumSize(120, 120)
        theme().changed.connect(self.update)

    # -- what it shows -----------------------------------------------------------------------------

    def set_person(self, person: str) -> None:
        """Show somebody else, who fades in once drawn."""
        self._thread.wish(person=person)

    def set_still(self, still: bool) -> None:
        """Stop moving, with the last picture."""
        self._still = still
        self._run()

    def set_calm(self, calm: bool) -> None:
        """Draw less often: nothing is said."""
        self._thread.wish(calm=calm)

    def set_judging(self, judging: bool) -> None:
        """Whether a slow picture means a slow machine. Not while it loads its models."""
        self._thread.wish(judging=judging)

    def set_dimmed(self, share: float) -> None:
        """From 0, as it is drawn, to 1: black."""
        if share != self._dimming.endValue():
            self._animate(self._dimming, self._dim, share)

    @property
    def mouth(self) -> float:
        """How far it is open while speaking, from 0 to 1."""
        if self._pose is None or not self._pose.speaking:
            return 0.0
        return float(self._pose.weights[_JAW])

    @property
    def renderer_name(self) -> str:
        """Who draws it, as a user may read it; empty until it is known."""
        return self._thread.renderer_name

    def frame_times_ms(self) -> list[float]:
        """From each picture to the next while the face moved, the latest last."""
        return list(self._thread.intervals_ms)

    def close(self) -> bool:
        """End the thread that draws; 0.3 s are waited for it at most."""
        self._still = True
        self._thread.stop()
        return super().close()

    # -- Qt's side ---------------------------------------------------------------------------------

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._run()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._thread.wish(running=False)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._run()

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.DevicePixelRatioChange:  # moved to another screen
            self._run()
        return super().event(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        self._take()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.setPen(Qt.PenStyle.NoPen)
        area = self.rect()
        if self._picture is None or self._fade < 1.0:
            if self._before is None:
                _fill(painter, area, _wall(area))
            else:
                _hang(painter, area, self._before)
        if self._picture is not None:
            painter.setOpacity(self._fade)
            _hang(painter, area, self._picture)
            painter.setOpacity(1.0)
        if self._dim > 0:
            shade = QColor("#05070a")
            shade.setAlphaF(self._dim)
            _fill(painter, area, QBrush(shade))
        edge = QColor("#ffffff")
        strong = theme().colours.line == "#ffffff"
        edge.setAlphaF(1.0 if strong else 0.07)
        width = 2.0 if strong else 1.0
        painter.setPen(QPen(edge, width))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        inside = QRectF(area).adjusted(width / 2, width / 2, -width / 2, -width / 2)
        painter.drawRoundedRect(inside, CORNER_PX - width / 2, CORNER_PX - width / 2)
        painter.end()

    # -- inside ------------------------------------------------------------------------------------

    def _run(self) -> None:
        ratio = self.devicePixelRatioF()
        size = (round(self.width() * ratio), round(self.height() * ratio))
        running = self.isVisible() and not self._still
        self._thread.wish(size=size, running=running)
        if running:
            self._thread.start()

    def _take(self) -> None:
        """The newest picture: it is on the screen as soon as this painting is."""
        frame = self._thread.take()
        if frame is None:
            return
        height, width, _ = frame.pixels.shape
        packed = QImage(frame.pixels.data, width, height, 3 * width, QImage.Format.Format_RGB888)
        picture = packed.convertToFormat(QImage.Format.Format_RGB32)  # a copy of its own
        if frame.person != self._person_shown:
            self._before, self._person_shown = self._picture, frame.person
            self._animate(self._fading, 0.0, 1.0)
        self._picture, self._pose = picture, frame.pose
        self._assistant.shown(frame.pose)

    def _animate(self, animation: QPropertyAnimation, start: float, end: float) -> None:
        animation.stop()
        animation.setDuration(0 if motion.still() else FADE_MS)
        animation.setStartValue(start)
        animation.setEndValue(end)
        animation.start()

    def _animation(self, name: bytes) -> QPropertyAnimation:
        made = QPropertyAnimation(self, name, self)
        made.setEasingCurve(QEasingCurve.Type.InOutQuad)
        return made

    def _get_fade(self) -> float:
        return self._fade

    def _set_fade(self, fade: float) -> None:
        self._fade = fade
        if fade >= 1.0:
            self._before = None
        self.update()

    def _get_dim(self) -> float:
        return self._dim

    def _set_dim(self, dim: float) -> None:
        self._dim = dim
        self.update()

    fade = Property(float, _get_fade, _set_fade)
    dim = Property(float, _get_dim, _set_dim)


def rounded(area: QRect) -> QRegion:
    """All pixels of a face in this area: what is beside its corners is none of its concern."""
    shape = QPainterPath()
    shape.addRoundedRect(QRectF(area), CORNER_PX - 2, CORNER_PX - 2)  # with the soft pixels
    return QRegion(shape.toFillPolygon().toPolygon())


def _fill(painter: QPainter, area: QRect, brush: QBrush) -> None:
    painter.setBrush(brush)
    painter.drawRoundedRect(area, CORNER_PX, CORNER_PX)


def _hang(painter: QPainter, area: QRect, picture: QImage) -> None:
    """The picture, as large as the area at least, its middle in the middle.

    A rounded shape with the picture as its brush would do, but takes three times as long: so only
    the corners are done like that.
    """
    width, height = picture.width() - 1, picture.height() - 1
    scale = max(area.width() / max(width, 1), area.height() / max(height, 1))
    middle = QRectF(area).center()
    target = QRectF(0, 0, picture.width() * scale, picture.height() * scale)
    target.moveCenter(middle)
    round_by = min(CORNER_PX, area.width() // 2, area.height() // 2)
    flat = area.width() - 2 * round_by
    for top, high in (
        (0, round_by),
        (round_by, area.height() - 2 * round_by),
        (area.height() - round_by, round_by),
    ):
        side = 0 if high > round_by else round_by
        painter.setClipRect(QRect(side, top, flat + 2 * (round_by - side), high))
        painter.drawImage(target, picture)
    brush = QBrush(picture)
    place = QTransform.fromTranslate(target.left(), target.top())
    place.scale(scale, scale)
    brush.setTransform(place)
    for left in (0, area.width() - round_by):
        for top in (0, area.height() - round_by):
            painter.setClipRect(QRect(left, top, round_by, round_by))
            _fill(painter, area, brush)
    painter.setClipping(False)


def _wall(area: QRect) -> QBrush:
    light = QRadialGradient(
        QPointF(area.left() + 0.56 * area.width(), area.top() + 0.45 * area.height()),
        0.75 * max(area.width(), area.height()),
    )
    light.setColorAt(0.0, QColor(WALL[0]))
    light.setColorAt(1.0, QColor(WALL[1]))
    return QBrush(light)
