"""How the window looks: palette, size of the text, captions, tray."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QRectF, QSize, Qt, QTimer
from PySide6.QtGui import QColor, QPainter, QPixmap, QShowEvent
from PySide6.QtWidgets import QWidget

from goassist_desktop import autostart
from goassist_desktop import config as settings
from goassist_desktop.ui.kit import Switch, label, row
from goassist_desktop.ui.settings.editing import Editing
from goassist_desktop.ui.settings.lines import SETTLE_MS, Line, Slider, SwitchLine
from goassist_desktop.ui.settings.section import Section
from goassist_desktop.ui.settings.tiles import Tile, Tiles
from goassist_desktop.ui.theme import BODY_PX, CONTRAST, DARK, LIGHT, Colours, theme

THEMES: Final = {
    "system": ("System", (LIGHT, DARK)),
    "dark": ("Dark", (DARK,)),
    "light": ("Light", (LIGHT,)),
    "contrast": ("High contrast", (CONTRAST,)),
}
PICTURE_PX: Final = 96
SAMPLE: Final = "What is the weather like on Mars?"


class ThemeLine(Line):
    """The palettes, each as a small picture of itself."""

    def __init__(self, editing: Editing) -> None:
        tiles = []
        for value, (name, palettes) in THEMES.items():
            tile = Tile(value, name, picture_px=PICTURE_PX)
            tile.show_picture(_picture(palettes))
            tiles.append(tile)
        self.tiles = Tiles("Theme", *tiles)
        super().__init__(
            editing,
            "Theme",
            "",
            self.tiles,
            "window.theme",
            below=True,
            words="dark light high contrast colour color palette",
        )
        self.refresh()
        self.tiles.picked.connect(self._picked)

    def refresh(self) -> None:
        self.tiles.show_value(self.editing.value("window.theme"))

    def _picked(self, value: str) -> None:
        self.complain(self.editing.put({"window.theme": value}))


def _picture(palettes: tuple[Colours, ...]) -> QPixmap:
    """A window in one palette, or in two halves."""
    size = QSize(320, 192)
    picture = QPixmap(size)
    painter = QPainter(picture)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    for number, colours in enumerate(palettes):
        left = size.width() * number / len(palettes)
        painter.setClipRect(QRectF(left, 0, size.width(), size.height()))
        painter.fillRect(picture.rect(), QColor(colours.window))
        painter.setPen(QColor(colours.line))
        painter.setBrush(QColor(colours.surface))
        painter.drawRoundedRect(QRectF(96, 28, 240, 190), 14, 14)
        painter.setPen(Qt.PenStyle.NoPen)
        for colour, bar in (
            (colours.accent_fill, QRectF(24, 36, 48, 10)),
            (colours.outline, QRectF(24, 62, 40, 10)),
            (colours.outline, QRectF(24, 88, 48, 10)),
            (colours.text, QRectF(122, 54, 120, 12)),
            (colours.quiet, QRectF(122, 82, 156, 10)),
            (colours.quiet, QRectF(122, 106, 132, 10)),
            (colours.accent_fill, QRectF(122, 136, 66, 26)),
        ):
            painter.setBrush(QColor(colour))
            painter.drawRoundedRect(bar, bar.height() / 2, bar.height() / 2)
    painter.end()
    return picture


class TextSizeLine(Line):
    """A slider that is taken once it rests: the page grows, and must not do so under the mouse."""

    def __init__(self, editing: Editing) -> None:
        self.slider = Slider(*settings.bounds("window.text_scale"), 0.05)
        self.slider.setAccessibleName("Text size")
        self.percent = label("")
        control = QWidget()
        control.setLayout(row(self.slider, self.percent, gap=12))
        super().__init__(
            editing,
            "Text size",
            "Of everything in this window.",
            control,
            "window.text_scale",
            wide=True,
            words="zoom scale bigger font",
        )
        self.sample = label(SAMPLE, wrap=True)
        self.sample.setAccessibleName("Sample of the text size")
        self.inside.insertSpacing(1, 4)
        self.inside.insertWidget(2, self.sample)
        self._settled = QTimer(self, interval=SETTLE_MS, singleShot=True)
        self._settled.timeout.connect(self._take)
        self.slider.valueChanged.connect(self._moved)
        self.slider.sliderReleased.connect(self._take)
        theme().changed.connect(self._show)
        self.refresh()

    def refresh(self) -> None:
        if not self._settled.isActive() and not self.slider.isSliderDown():
            self.slider.show_number(self.editing.value("window.text_scale"))
        self._show()

    def _moved(self) -> None:
        self._show()
        self._settled.start()

    def _take(self) -> None:
        if self.slider.isSliderDown():
            return
        self._settled.stop()
        self.complain(self.editing.put({"window.text_scale": self.slider.number()}))

    def _show(self) -> None:
        scale = self.slider.number()
        self.percent.setText(f"{scale:.0%}")
        self.percent.setMinimumWidth(theme().px(46))
        self.sample.setStyleSheet(f"font-size: {round(BODY_PX * scale)}px;")


class AutostartLine(Line):
    """Not a setting of ours: it is kept by the desktop."""

    def __init__(self, editing: Editing) -> None:
        self.switch = Switch(False, "Start at login")
        super().__init__(
            editing,
            "Start at login",
            "It is there, and listens, whenever you are.",
            self.switch,
            words="autostart boot begin",
        )
        self._look()
        self.switch.clicked.connect(self._clicked)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._look()  # the desktop's own settings may have changed it

    def _look(self) -> None:
        self.switch.setChecked(autostart.is_on())

    def _clicked(self, on: bool) -> None:
        try:
            autostart.switch(on)
        except OSError as error:
            self.switch.setChecked(not on)
            self.complain(f"{error.filename}: {error.strerror}.")
        else:
            self.complain("")


class Appearance(Section):
    TITLE = "Appearance"
    ICON = "appearance"

    def __init__(self, editing: Editing) -> None:
        super().__init__(editing)
        self.theme_line = ThemeLine(editing)
        self.text_size = TextSizeLine(editing)
        self.captions = SwitchLine(
            editing,
            "window.captions",
            "Captions",
            "What is said, in large words below the face.",
            words="subtitles",
        )
        self.tray = SwitchLine(
            editing,
            "window.tray",
            "Stay in the tray",
            "Closing the window leaves the assistant listening. An icon shows that it does.",
            words="background close",
        )
        self.add("", self.theme_line)
        self.add("Text", self.text_size, self.captions)
        self.add("Window", self.tray, AutostartLine(editing))
