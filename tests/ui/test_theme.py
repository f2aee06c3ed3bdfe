"""Whether what is written can be read, in every palette."""

from __future__ import annotations

import itertools

import pytest
from PySide6.QtGui import QColor

from goassist_desktop.ui.theme import CONTRAST, DARK, LIGHT, Colours, theme
from goassist_desktop.ui.tinted import Tinted


def luminance(colour: str) -> float:
    """Relative luminance, WCAG 2.2."""
    red, green, blue, _ = QColor(colour).getRgbF()
    linear = [
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (red, green, blue)
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """Contrast ratio, WCAG 2.2."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize(("palette", "least"), [(DARK, 4.5), (LIGHT, 4.5), (CONTRAST, 7.0)])
def test_all_text_can_be_read(palette: Colours, least: float) -> None:
    inks = ("text", "quiet", "accent", "warning", "error")
    grounds = ("window", "surface", "raised")
    pairs = [*itertools.product(inks, grounds)]
    pairs += [("on_accent", "accent_fill"), ("text", "accent_soft"), ("text", "hover")]
    pairs += [("text", "warning_soft"), ("text", "error_soft")]
    weak = {
        pair: round(ratio, 2)
        for pair in pairs
        if (ratio := contrast(getattr(palette, pair[0]), getattr(palette, pair[1]))) < least
    }
    assert not weak


def test_text_grows_with_the_scale() -> None:
    theme().use("light", 1.5)
    assert theme().font("body").pixelSize() == 22


def test_a_figure_that_changes_moves_nothing() -> None:
    figure = Tinted("display", 600)
    figure.tell("1111", "text")
    narrow = figure.sizeHint().width()
    figure.tell("8888", "error")
    assert figure.sizeHint().width() == narrow
