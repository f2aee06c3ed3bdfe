"""What a portrait is painted with: mixed once for a size, and used for every picture."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageChops, ImageDraw

from goassist_desktop.avatar.curves import Flat, Points, curve, points
from goassist_desktop.avatar.portraits import Colour, Portrait

HEAD: Final = 0.218
"""Half-width of the head, in heights of the picture …"""
MIDDLE: Final = 0.46
"""… and how far down its middle is."""
NARROWEST: Final = 0.8
"""A picture narrower than this, in heights, has a smaller head in it."""
EYE_X: Final = 0.415
EYE_Y: Final = -0.09
IRIS: Final = 0.118
ROSE: Final = (236, 120, 108)

Shares = npt.NDArray[np.floating]
"""(height, width) of numbers from 0 to 1."""


class Studio:
    """What does not move, and the paints: made once for a size."""

    def __init__(self, look: Portrait, width: int, height: int) -> None:
        self.size = (width, height)
        self.unit = HEAD * min(height, width / NARROWEST)
        self.centre = np.array([width / 2, MIDDLE * height])
        x = (np.arange(width) - self.centre[0]) / self.unit
        y = (np.arange(height) - self.centre[1]) / self.unit
        self._x, self._y = np.meshgrid(x.astype(np.float32), y.astype(np.float32))
        self.background = mixed(*look.background, np.hypot(self._x * 0.7, self._y) / 2.6)
        self.skin = self._skin(look)
        self.hair = self._hair(look)
        self.torso, self.torso_at = self._torso(look)
        self.iris = self._iris(look)
        self.nose, self.nose_at = self._nose(look)
        self.lid_shadow = self._lid_shadow()

    def pixels(self, shape: Points) -> Flat:
        """(n, 2) from (n, 2 or 3) in half-widths of the head."""
        found: Flat = shape[:, :2] * self.unit + self.centre
        return found

    def _skin(self, look: Portrait) -> Image.Image:
        """A lit sphere, darker at its edge, with what is rosy and what lies in shadow."""
        x, y = self._x, self._y
        lit, middle, dark = (np.array(colour, np.float32) for colour in look.skin)
        light = np.exp(-((x + 0.3) ** 2 + (y + 0.35) ** 2) / 0.9)
        edge = np.clip(np.hypot(x / 0.98, (y - 0.02) / 1.36), 0, 1.15)
        shade = np.clip((edge - 0.62) / 0.5, 0, 1) ** 1.6 * (0.55 + 0.3 * np.clip(x, -1, 1))
        sockets = sum(_soft(x - s * EYE_X, 0.3, y - EYE_Y + 0.1, 0.17) for s in (-1, 1))
        shade += 0.22 * sockets + 0.3 * _soft(x, 0.26, y - 1.0, 0.07)
        shade += 0.5 * np.clip((-0.72 - y) / 0.4, 0, 1)  # under the hair
        paint = middle + light[..., None] * (lit - middle)
        paint += np.clip(shade, 0, 1)[..., None] * (dark - paint)
        for s in (-1, 1):
            rosy = look.blush * 0.5 * _soft(x - s * 0.56, 0.26, y - 0.33, 0.2)
            paint += rosy[..., None] * (np.array(ROSE, np.float32) - paint)
        gleam = 0.35 * _soft(x + 0.02, 0.07, y - 0.1, 0.3) + 0.25 * _soft(x, 0.4, y + 0.6, 0.16)
        return _image(paint + gleam[..., None] * (lit - paint))

    def _hair(self, look: Portrait) -> Image.Image:
        """Strands that fall from the crown, and a band of light around it."""
        random = np.random.default_rng(7)
        angle = np.arctan2(self._x, np.maximum(self._y + 1.75, 0.05))
        strands = np.zeros_like(angle)
        for count, strength in ((9, 0.3), (23, 0.32), (57, 0.25), (120, 0.13)):
            phase, bend = random.uniform(0, 2 * math.pi), random.uniform(0.5, 1.5)
            strands += strength * np.sin(count * angle + bend * self._y + phase)
        shine = _soft(0 * self._x, 1, np.hypot(self._x, self._y + 0.1) - 1.17, 0.16)
        shine = 0.34 + 0.2 * strands + (0.42 + 0.2 * strands) * shine * (1 - 0.4 * self._x)
        shine *= 1 - 0.35 * np.clip(self._y - 0.3, 0, 1)
        return mixed(*look.hair, shine)

    def _torso(self, look: Portrait) -> tuple[Image.Image, tuple[int, int]]:
        """Neck and clothes with the head's shadow on them, and where they go."""
        x, y = self._x, self._y
        n = look.neck
        neck = points((-n, 0.7), (n, 0.7), (n + 0.01, 1.3), (n + 0.12, 1.74), (n + 0.4, 2.05),
                      (0, 2.5), (-n - 0.4, 2.05), (-n - 0.12, 1.74), (-n - 0.01, 1.3))  # fmt: skip
        clothed = self._mask(look.shoulders)
        opening = ImageChops.darker(self._mask(look.neckline), clothed)
        hem = self._mask(look.neckline * (1.07, 1.0, 1.0) + (0, 0.05, 0))
        bare = ImageChops.lighter(opening, ImageChops.subtract(self._mask(neck), clothed))
        shadow = np.clip(1.5 - (y - 1.1) / 0.45, 0, 1) * 0.85 + 0.3 * np.abs(x)
        folds = 0.2 + 0.35 * np.hypot(x * 0.6 + 0.3, y - 2.0)
        knit = 0.03 * np.sin(x * 70 + 4 * np.abs(y - 1.7))
        layer = Image.new("RGBA", self.size)
        layer.paste(mixed(*look.clothes, folds + knit), mask=clothed)
        layer.paste(mixed(*look.clothes, folds + 0.28), mask=ImageChops.darker(hem, clothed))
        layer.paste(mixed(look.skin[1], look.skin[2], shadow), mask=bare)
        box = layer.getbbox() or (0, 0, 1, 1)
        return layer.crop(box), box[:2]

    def _mask(self, shape: Points) -> Image.Image:
        mask = Image.new("L", self.size)
        ImageDraw.Draw(mask).polygon(self.pixels(curve(shape)).ravel().tolist(), fill=255)
        return mask

    def _iris(self, look: Portrait) -> Image.Image:
        """With its pupil, on nothing."""
        size = max(4, round(2 * IRIS * self.unit))
        across = (np.arange(size) + 0.5) / size * 2 - 1
        x, y = np.meshgrid(across, across)
        far = np.hypot(x, y)
        rays = 0.12 * np.sin(21 * np.arctan2(y, x)) * (far > 0.45)
        colour = np.asarray(mixed(*look.iris, far**2.2 - 0.35 * np.clip(y, 0, 1) + rays))
        colour = colour * np.clip(1 - 0.6 * (far - 0.86) / 0.14, 0.4, 1)[..., None]
        colour[far < 0.42] = (16, 14, 18)
        alpha = 255 * np.clip((1 - far) * size / 4, 0, 1)
        return Image.fromarray(np.dstack([colour, alpha]).astype(np.uint8))

    def _nose(self, look: Portrait) -> tuple[Image.Image, Points]:
        """Its shadow and its light, and the place of the middle of the picture of them."""
        middle = points((0, 0.2), z=1.02)
        half = round(0.62 * self.unit) or 1
        x, y = np.meshgrid(*(np.arange(-half, half) / self.unit for _ in range(2)))
        side = 0.4 * _soft(x - 0.1, 0.045, y + 0.02, 0.24) * (y < 0.22)
        under = 0.62 * _soft(x - 0.01, 0.15, y - 0.235, 0.05)
        wings = sum(0.4 * _soft(x - s * 0.165, 0.03, y - 0.155, 0.065) for s in (-1, 1))
        light = 0.75 * _soft(x + 0.025, 0.04, y - 0.1, 0.075)
        dark = np.clip(side + under + wings, 0, 1)
        colour = np.where((dark > light)[..., None], look.skin[2], look.skin[0])
        alpha = 255 * np.clip(np.abs(dark - light), 0, 0.9)
        sprite = Image.fromarray(np.dstack([colour, alpha]).astype(np.uint8))
        return sprite, middle

    def _lid_shadow(self) -> Image.Image:
        """What the upper lid throws on the eye: a mask, the darkest at its top."""
        rows = max(2, round(0.11 * self.unit))
        column = 105 * (1 - np.linspace(0, 1, rows)) ** 1.3
        return Image.fromarray(np.repeat(column[:, None], 4, axis=1).astype(np.uint8))


def between(one: Colour, other: Colour, share: float) -> Colour:
    r, g, b = (round(a + share * (c - a)) for a, c in zip(one, other, strict=True))
    return r, g, b


def mixed(one: Colour, other: Colour, share: Shares) -> Image.Image:
    """From one colour to the other, (height, width) of shares."""
    share = np.clip(share, 0, 1)[..., None]
    first = np.array(one, np.float32)
    return _image(first + share * (np.array(other, np.float32) - first))


def _image(paint: npt.NDArray[np.floating]) -> Image.Image:
    return Image.fromarray(np.clip(paint + 0.5, 0, 255).astype(np.uint8))


def _soft(x: Shares, width: float, y: Shares, height: float) -> Shares:
    """A spot that fades outwards."""
    return np.exp(-((x / width) ** 2) - (y / height) ** 2)
