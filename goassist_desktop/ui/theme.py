"""How everything looks: colours, type and measures, and the style sheet made of them.

Three palettes: dark, light, and one of high contrast. One accent colour; red and amber are for
failures and warnings alone. All text is at least 4.5 : 1 against what it stands on, as WCAG 2.2
(1.4.3) asks, and 7 : 1 in the one of high contrast; a test computes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QColor, QFont, QFontDatabase, QPalette
from PySide6.QtWidgets import QApplication

Choice = Literal["system", "dark", "light", "contrast"]

FAMILIES: Final = ("Inter", "Cantarell", "Ubuntu", "Noto Sans", "DejaVu Sans", "Sans Serif")
"""The first that is installed is used."""
BODY_PX: Final = 15
SIZES: Final = {"caption": 13, "body": BODY_PX, "large": 18, "title": 24, "display": 34}
"""Of type, in px before text scaling."""
GAP: Final = 8
"""All distances are multiples of it."""
RADIUS: Final = 14
BUTTON_PX: Final = 40
"""As high as a button with text, and as what stands beside the title of a view."""


@dataclass(frozen=True, slots=True)
class Colours:
    """One palette. Every text colour may stand on `window`, `surface` and `raised`."""

    dark: bool
    window: str
    surface: str
    """Cards and panels."""
    raised: str
    """Fields, and what lies on a card."""
    hover: str
    line: str
    """Hairlines between areas."""
    outline: str
    """The edge of a field or button: 3 : 1 where contrast is high."""
    text: str
    quiet: str
    """What is secondary."""
    accent: str
    """Marks, levels and links."""
    accent_fill: str
    """Below `on_accent`."""
    on_accent: str
    accent_soft: str
    """A tint of the accent that text may stand on."""
    warning: str
    warning_soft: str
    error: str
    error_soft: str


DARK: Final = Colours(
    dark=True,
    window="#0e1115",
    surface="#161a20",
    raised="#1e242c",
    hover="#272e38",
    line="#232932",
    outline="#39424e",
    text="#eef1f4",
    quiet="#9aa5b1",
    accent="#56cbb9",
    accent_fill="#56cbb9",
    on_accent="#06211d",
    accent_soft="#17312f",
    warning="#efbd62",
    warning_soft="#33290f",
    error="#ff8b83",
    error_soft="#3a1d1d",
)
LIGHT: Final = Colours(
    dark=False,
    window="#f4f3f0",
    surface="#fcfcfa",
    raised="#eeedE9".lower(),
    hover="#e4e3de",
    line="#e2e0da",
    outline="#c6c3bb",
    text="#1a1e23",
    quiet="#59626c",
    accent="#0b6e63",
    accent_fill="#0b6e63",
    on_accent="#ffffff",
    accent_soft="#d9ece8",
    warning="#7d5200",
    warning_soft="#f8e9c8",
    error="#b3261e",
    error_soft="#fae0dd",
)
CONTRAST: Final = Colours(
    dark=True,
    window="#000000",
    surface="#000000",
    raised="#0c0c0c",
    hover="#262626",
    line="#ffffff",
    outline="#ffffff",
    text="#ffffff",
    quiet="#e2e2e2",
    accent="#5ff2dc",
    accent_fill="#5ff2dc",
    on_accent="#000000",
    accent_soft="#003a33",
    warning="#ffd75e",
    warning_soft="#3a2c00",
    error="#ffa9a3",
    error_soft="#480d09",
)


class Theme(QObject):
    """The palette and scale in use. `changed` is told to whatever paints itself."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.colours = DARK
        self.scale = 1.0
        """Of text, and of what holds it."""
        self._choice = "system"
        hints = QApplication.styleHints()
        hints.colorSchemeChanged.connect(lambda _: self.use(self._choice, self.scale))

    def use(self, choice: str, scale: float = 1.0) -> None:
        """Restyle the whole program. "system" is light or dark as the desktop has it."""
        self._choice = choice
        colours = {"dark": DARK, "light": LIGHT, "contrast": CONTRAST}.get(
            choice, LIGHT if self._system_is_light() else DARK
        )
        application = QApplication.instance()
        assert isinstance(application, QApplication)
        if (colours, scale) == (self.colours, self.scale) and application.styleSheet():
            return  # it would take a tenth of a second and more
        self.colours, self.scale = colours, scale
        application.setStyleSheet("")  # else each of the next lines restyles every widget: 0.5 s
        if application.style().name() != "fusion":
            application.setStyle("Fusion")
        application.setPalette(_palette(self.colours))
        application.setFont(self.font("body"))
        application.setStyleSheet(_style_sheet(self.colours, scale))
        self.changed.emit()

    def px(self, length: float) -> int:
        """A length that grows with the text."""
        return round(length * self.scale)

    def font(self, size: str, weight: QFont.Weight = QFont.Weight.Normal) -> QFont:
        """The family in use, at one of SIZES."""
        font = QFont(_family())
        font.setPixelSize(self.px(SIZES[size]))
        font.setWeight(weight)
        return font

    def colour(self, name: str, alpha: float = 1.0) -> QColor:
        """A colour of the palette by its name, for painting."""
        colour = QColor(getattr(self.colours, name))
        colour.setAlphaF(alpha)
        return colour

    @staticmethod
    def _system_is_light() -> bool:
        return QApplication.styleHints().colorScheme() == Qt.ColorScheme.Light


_theme: Theme | None = None


def theme() -> Theme:
    """The one theme of the running QApplication."""
    global _theme
    if _theme is None:
        _theme = Theme()
    return _theme


def _family() -> str:
    installed = set(QFontDatabase.families())
    return next((family for family in FAMILIES if family in installed), FAMILIES[-1])


def _palette(c: Colours) -> QPalette:
    """For what no style sheet reaches: selections, placeholders, the edges of pop-ups."""
    palette = QPalette()
    roles = QPalette.ColorRole
    for role, colour in {
        roles.Window: c.window,
        roles.WindowText: c.text,
        roles.Base: c.surface,
        roles.AlternateBase: c.raised,
        roles.Text: c.text,
        roles.Button: c.raised,
        roles.ButtonText: c.text,
        roles.ToolTipBase: c.raised,
        roles.ToolTipText: c.text,
        roles.PlaceholderText: c.quiet,
        roles.Highlight: c.accent_fill,
        roles.HighlightedText: c.on_accent,
        roles.Link: c.accent,
        roles.Accent: c.accent_fill,
    }.items():
        palette.setColor(role, QColor(colour))
    for role in (roles.WindowText, roles.Text, roles.ButtonText):
        palette.setColor(QPalette.ColorGroup.Disabled, role, QColor(c.quiet))
    return palette


def _style_sheet(c: Colours, scale: float) -> str:
    """What stylesheets do well: fields, buttons, lists. `kind` is a property set by `kit`."""

    def px(length: float) -> str:
        return f"{round(length * scale)}px"

    handle = 2 * round(7 * scale) + round(4 * scale)
    return f"""
* {{ outline: none; }}
QWidget {{ color: {c.text}; font-size: {px(BODY_PX)}; }}
QMainWindow, QDialog, QWidget[kind="page"] {{ background: {c.window}; }}
QFrame[kind="card"] {{
    background: {c.surface}; border: 1px solid {c.line}; border-radius: {px(RADIUS)};
}}
QLabel {{ background: transparent; }}
QLabel[kind="display"] {{ font-size: {px(SIZES["display"])}; font-weight: 600; }}
QLabel[kind="title"] {{ font-size: {px(SIZES["title"])}; font-weight: 600; }}
QLabel[kind="heading"] {{
    font-size: {px(SIZES["title"])}; font-weight: 600; min-height: {px(BUTTON_PX)};
}}
QLabel[kind="large"] {{ font-size: {px(SIZES["large"])}; font-weight: 600; }}
QLabel[kind="quiet"] {{ color: {c.quiet}; }}
QLabel[kind="caption"] {{ color: {c.quiet}; font-size: {px(SIZES["caption"])}; }}
QLabel[kind="section"] {{
    color: {c.quiet}; font-size: {px(SIZES["caption"])}; font-weight: 600;
}}
QLabel[kind="error"] {{ color: {c.error}; }}
QLabel[kind="warning"] {{ color: {c.warning}; }}

QPushButton {{
    background: {c.raised}; border: 1px solid {c.outline}; border-radius: {px(10)};
    padding: {px(8)} {px(16)}; min-height: {px(22)}; font-weight: 500;
}}
QPushButton:hover {{ background: {c.hover}; }}
QPushButton:pressed {{ background: {c.line}; }}
QPushButton:focus {{ border: 2px solid {c.accent}; padding: {px(7)} {px(15)}; }}
QPushButton:disabled {{ color: {c.quiet}; border-color: {c.line}; background: transparent; }}
QPushButton[kind="primary"] {{
    background: {c.accent_fill}; border-color: {c.accent_fill}; color: {c.on_accent};
    font-weight: 600;
}}
QPushButton[kind="primary"]:focus {{ border-color: {c.text}; }}
QPushButton[kind="primary"]:disabled {{
    background: {c.raised}; color: {c.quiet}; border-color: {c.line};
}}
QPushButton[kind="danger"] {{ color: {c.error}; }}
QPushButton[kind="link"] {{
    background: transparent; border: 1px solid transparent; color: {c.accent};
    padding: {px(4)} {px(6)};
}}
QPushButton[kind="link"]:hover {{ background: {c.accent_soft}; }}
QPushButton[kind="link"]:focus {{ border: 1px solid {c.accent}; }}

QLineEdit, QPlainTextEdit, QComboBox, QSpinBox, QDoubleSpinBox {{
    background: {c.raised}; border: 1px solid {c.outline}; border-radius: {px(10)};
    padding: {px(7)} {px(12)}; min-height: {px(22)};
    selection-background-color: {c.accent_fill}; selection-color: {c.on_accent};
}}
QLineEdit:focus, QPlainTextEdit:focus, QComboBox:focus, QSpinBox:focus, QDoubleSpinBox:focus {{
    border: 2px solid {c.accent}; padding: {px(6)} {px(11)};
}}
QLineEdit:disabled, QPlainTextEdit:disabled, QComboBox:disabled, QSpinBox:disabled {{
    color: {c.quiet}; border-color: {c.line}; background: transparent;
}}
QAbstractSpinBox::up-button, QAbstractSpinBox::down-button {{ width: 0; border: none; }}
QAbstractSpinBox QLineEdit {{ border: none; padding: 0; min-height: 0; background: transparent; }}
QComboBox::drop-down {{ border: none; width: {px(28)}; }}
QComboBox {{ combobox-popup: 0; }}
QComboBox QAbstractItemView, QComboBox QAbstractItemView:focus {{
    background: {c.raised}; border: 1px solid {c.outline}; border-radius: 0; padding: {px(4)};
}}
QComboBox QAbstractItemView::item {{
    min-height: {px(36)}; padding: 0 {px(10)}; border-radius: {px(8)};
}}
QComboBox QAbstractItemView::item:selected {{ background: {c.accent_soft}; color: {c.text}; }}
QListView, QListWidget, QTreeView {{
    background: transparent; border: none; padding: 0;
}}
QListView::item {{
    border: 1px solid transparent; border-radius: {px(10)}; padding: {px(8)};
}}
QListView::item:hover {{ background: {c.hover}; }}
QListView::item:selected {{ background: {c.accent_soft}; color: {c.text}; }}
QListView::item:selected:focus {{ border-color: {c.accent}; }}

QScrollArea {{ background: transparent; border: none; }}
QScrollArea > QWidget > QWidget {{ background: transparent; }}
QScrollBar:vertical {{ background: transparent; width: {px(10)}; margin: 2px; }}
QScrollBar::handle:vertical {{
    background: {c.outline}; border-radius: {px(3)}; min-height: {px(36)};
}}
QScrollBar:horizontal {{ background: transparent; height: {px(10)}; margin: 2px; }}
QScrollBar::handle:horizontal {{
    background: {c.outline}; border-radius: {px(3)}; min-width: {px(36)};
}}
QScrollBar::handle:hover {{ background: {c.quiet}; }}
QScrollBar::add-line, QScrollBar::sub-line {{ width: 0; height: 0; }}
QScrollBar::add-page, QScrollBar::sub-page {{ background: transparent; }}

QProgressBar {{
    background: {c.raised}; border: none; border-radius: {px(4)}; max-height: {px(8)};
    min-height: {px(8)}; color: transparent;
}}
QProgressBar::chunk {{ background: {c.accent_fill}; border-radius: {px(4)}; }}
QSlider::groove:horizontal {{ background: {c.outline}; height: {px(4)}; border-radius: 2px; }}
QSlider::sub-page:horizontal {{ background: {c.accent_fill}; border-radius: 2px; }}
QSlider::handle:horizontal {{
    background: {c.text}; width: {handle}px; margin: -{px(7)} 0; border-radius: {handle // 2}px;
}}
QSlider::handle:horizontal:focus {{ background: {c.accent}; }}
QToolTip {{
    background: {c.raised}; color: {c.text}; border: 1px solid {c.outline}; padding: {px(6)};
}}
QMenu {{
    background: {c.raised}; border: 1px solid {c.outline}; border-radius: {px(10)};
    padding: {px(6)};
}}
QMenu::item {{ padding: {px(7)} {px(18)}; border-radius: {px(6)}; }}
QMenu::item:selected {{ background: {c.hover}; }}
"""
