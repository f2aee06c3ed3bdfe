"""How the window looks: palette, size of the text, captions, tray."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPixmap, QShowEvent

from goassist_desktop import autostart
from goassist_desktop import config as settings
from goassist_desktop.ui.kit import Switch, label
from goassist_desktop.ui.settings.editing import Editing
from goassist_desktop.ui.settings.lines import Line, Slider, SliderLine, SwitchLine
from goassist_desktop.ui.settings.section import Section
from goassist_desktop.ui.settings.tiles import Tile, Tiles
from goassist_desktop.ui.theme import BODY_PX, CONTRAST, DARK, LIGHT, Colours

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


class TextSizeLine(SliderLine):
    """With a sample of it."""

    def __init__(self, editing: Editing) -> None:
        self.sample = label(SAMPLE, wrap=True)
        self.sample.setAccessibleName("Sample of the text size")
        super().__init__(
            editing,
            "window.text_scale",
            "Text size",
            "Of everything in this window.",
            Slider(*settings.bounds("window.text_scale"), 0.05),
            "{:.0%}".format,
            46,
            words="zoom scale bigger font",
        )
        self.inside.insertSpacing(1, 4)
        self.inside.insertWidget(2, self.sample)
        self.refresh()

    def show_number(self) -> None:
        super().show_number()
        size_px = round(BODY_PX * self.slider.number())
        self.sample.setStyleSheet(f"font-size: {size_px}px;")


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
