"""The picture of strands that lies on the ribbons: tiles of locks, and below them lashes."""

import numpy as np
from PIL import Image, ImageDraw

from head_bake.noise import Noise
from head_bake.source import Floats
from head_bake.strokes import SCALE, shrunk, stroke

PIXELS = 512
TILES = 4
SHARE = 0.75
"""Of the height of the picture that the locks have; the lashes have the rest."""
HAIR_BOTTOM, LASH_TOP = SHARE - 0.01, SHARE + 0.01


def strands(noise: Noise) -> Floats:
    """Tiles of locks, root above, and a strip of lashes: shade and opacity (n, n, 4)."""
    random = noise.random
    pixels = PIXELS * SCALE
    shade, cover = Image.new("L", (pixels, pixels), 96), Image.new("L", (pixels, pixels))
    on_shade, on_cover = ImageDraw.Draw(shade), ImageDraw.Draw(cover)
    tile, high = pixels / TILES, pixels * SHARE
    t = np.linspace(0, 1, 14)
    for index in range(TILES):
        left, strands = index * tile, (150, 110, 64, 34)[index]
        for _ in range(strands):
            middle = np.clip(random.normal(0, 0.24), -0.42, 0.42)
            end = middle * random.uniform(0.35, 1.0) + random.normal(0, 0.04)
            late = random.random() < 0.15
            start = random.uniform(0.05, 0.45) if late else random.uniform(-0.02, 0.02)
            stop = random.uniform(0.68, 0.99) - 0.35 * abs(middle)
            wave = 0.02 * np.sin(t * random.uniform(2, 5) + random.uniform(0, 6))
            across = middle * (1 - t) + end * t + wave
            place = np.c_[left + tile * (0.5 + across), high * (start + (stop - start) * t)]
            width = tile * random.uniform(0.014, 0.034)
            stroke(on_cover, place, width, 255)
            stroke(on_shade, place, width * 1.4, int(random.uniform(50, 255)))
    _lashes(on_cover, random, 0, pixels / 2, high, pixels, 84, 0.98)
    _lashes(on_cover, random, pixels / 2, pixels / 2, high, pixels, 46, 0.75)
    grey = shrunk(shade)
    return np.stack([grey, grey, grey, shrunk(cover)], axis=2)


def _lashes(
    draw: ImageDraw.ImageDraw,
    random: np.random.Generator,
    left: float,
    width: float,
    top: float,
    bottom: float,
    count: int,
    reach: float,
) -> None:
    t = np.linspace(0, 1, 9)
    top, left, width = top + 0.06 * (bottom - top), left + 0.02 * width, 0.96 * width
    for index in range(count):
        root = (index + random.uniform(0.1, 0.9)) / count
        grown = (
            reach
            * (0.55 + 0.45 * np.sin(np.pi * np.clip(root, 0.05, 0.95)) ** 0.5)
            * random.uniform(0.65, 1.0)
        )
        lean = (root - 0.5) * 0.10 + random.normal(0, 0.012)
        x = left + width * (root + lean * t**1.5)
        y = top + (bottom - top) * 0.93 * grown * t
        stroke(draw, np.c_[x, y], width * 0.0075, 255)
