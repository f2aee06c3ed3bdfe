"""Hairs drawn one by one, finer than the picture they end in."""

import numpy as np
from PIL import Image, ImageDraw

from head_bake.source import Floats

SCALE = 4
"""Strokes are drawn so many times finer than the picture."""


def stroke(draw: ImageDraw.ImageDraw, place: Floats, width: float, shade: int) -> None:
    """A hair that ends in a point, along places (n, 2) in pixels."""
    ahead = np.gradient(place, axis=0)
    beside = np.c_[-ahead[:, 1], ahead[:, 0]]
    beside /= np.maximum(np.linalg.norm(beside, axis=1, keepdims=True), 1e-6)
    half = 0.5 * width * np.sqrt(1 - np.linspace(0, 1, len(place)))[:, None]
    outline = np.concatenate([place + half * beside, (place - half * beside)[::-1]])
    draw.polygon([tuple(point) for point in outline], fill=shade)


def shrunk(canvas: Image.Image) -> Floats:
    """The picture (height, width) in [0, 1]."""
    size = canvas.width // SCALE, canvas.height // SCALE
    return np.asarray(canvas.resize(size, Image.Resampling.BOX), float) / 255
