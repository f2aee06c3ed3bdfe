"""A contact sheet: a sentence as pictures of the face, one for each of its sounds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from goassist_desktop.avatar import Picture
from goassist_desktop.pipeline.errors import BadInput

COLUMNS: Final = 10
CELL: Final = 220
"""Width and height of a picture, in pixels."""
CAPTION: Final = 30
_PAPER, _INK, _DIM = (24, 28, 36), (236, 238, 242), (140, 150, 165)

SPELT: Final = str.maketrans(
    {
        "ʃ": "sh", "ʒ": "zh", "θ": "th", "ð": "dh", "ŋ": "ng", "ɹ": "r", "ɡ": "g", "ʧ": "ch",
        "ʤ": "j", "ɑ": "ah", "æ": "ae", "ʌ": "uh", "ɔ": "aw", "ɛ": "eh", "ɪ": "ih", "ʊ": "oo",
        "ə": "uh", "ɜ": "er", "ɚ": "er", "ɾ": "d", "ᵊ": "", "ᵻ": "ih", "ɐ": "uh", "ː": "",
    }
)  # fmt: skip
"""Symbols of the phonetic alphabet that the font at hand has not."""


DIPHTHONGS: Final = {"oʊ": "oh", "aɪ": "ai", "aʊ": "au", "eɪ": "ei", "ɔɪ": "oi"}


def write(path: Path, cells: Sequence[tuple[Picture, str, str]], title: str) -> None:
    """Write a PNG of pictures, the symbol of the sound under each, and a note behind it.

    Raises BadInput when it can not be written.
    """
    rows = -(-len(cells) // COLUMNS)
    width = COLUMNS * CELL
    sheet = Image.new("RGB", (width, 2 * CAPTION + rows * (CELL + CAPTION)), _PAPER)
    draw = ImageDraw.Draw(sheet)
    font, small = ImageFont.load_default(19), ImageFont.load_default(14)
    draw.text((10, 16), title, _INK, ImageFont.load_default(22))
    for n, (picture, symbol, note) in enumerate(cells):
        x, y = n % COLUMNS * CELL, 2 * CAPTION + n // COLUMNS * (CELL + CAPTION)
        sheet.paste(Image.fromarray(_square(picture)).resize((CELL, CELL)), (x, y))
        spelt = DIPHTHONGS.get(symbol, symbol.translate(SPELT))
        draw.text((x + 8, y + CELL + 3), spelt, _INK, font)
        draw.text((x + CELL - 8, y + CELL + 7), note, _DIM, small, anchor="ra")
    try:
        sheet.save(path, "PNG")
    except OSError as error:
        raise BadInput(f"{path}: can not be written: {error.strerror or error}") from error


def _square(picture: Picture) -> Picture:
    """Its middle, and of that the part that has the face in it."""
    height, width, _ = picture.shape
    size = round(min(height, width) * 0.8)
    top, left = round((height - size) * 0.4), (width - size) // 2
    return np.ascontiguousarray(picture[top : top + size, left : left + size])
