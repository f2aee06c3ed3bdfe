"""A face painted in two dimensions: what is shown where nothing else can draw.

Shapes are smooth closed curves on a head that turns in depth, filled with paint that was mixed
beforehand, at twice the size and then halved. It needs nothing but Pillow, and 10 to 15 ms of one
core for a picture of 512 by 512.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from goassist_desktop.avatar import Picture
from goassist_desktop.avatar.curves import Flat, Points, curve, mirrored, open_curve, oval, points
from goassist_desktop.avatar.paints import EYE_X, EYE_Y, Studio, between
from goassist_desktop.avatar.portraits import PORTRAITS, Colour, Portrait
from goassist_desktop.pipeline.blendshapes import INDEX, Pose
from goassist_desktop.pipeline.errors import BadInput
from goassist_desktop.pipeline.frames import Weights

OVER: Final = 2
"""Painted so many times larger than shown: the edges of polygons are not smooth by themselves."""
NECK: Final = np.array([0.0, 1.05, -0.35])
"""What the head turns about."""
TURN: Final = 1.25
"""A painted head has no shading to show a turn by, so it turns a little further."""

MOUTH_Y: Final = 0.7
JAW_DROP: Final = 0.27
"""By which a whole jawOpen lowers the chin."""
LIPS_APART: Final = 0.55
GAZE: Final = (0.085, 0.062)
"""How far a whole eyeLook… moves the iris, across and up or down."""
_ARC: Final = np.linspace(0.0, math.pi, 25)
_COS, _SIN = -np.cos(_ARC), np.sin(_ARC)


Matrix = npt.NDArray[np.float64]


class PaintedRenderer:
    """One person's face, painted. From one thread at a time."""

    name = "painted"

    def __init__(self, person: str, width: int, height: int) -> None:
        """Raises BadInput for somebody unknown."""
        if person not in PORTRAITS:
            raise BadInput(f"persona.head = {person!r}: must be one of {', '.join(PORTRAITS)}")
        self._look = PORTRAITS[person]
        self.resize(width, height)

    def resize(self, width: int, height: int) -> None:
        """Raises ValueError for a picture without a pixel."""
        if width < 1 or height < 1:
            raise ValueError(f"a picture of {width} by {height}")
        self._studio = Studio(self._look, width * OVER, height * OVER)

    def draw(self, pose: Pose) -> Picture:
        """The face (height, width, 3), RGB, the top row first."""
        sitting = _Sitting(self._look, self._studio, pose)
        sitting.paint()
        return np.asarray(sitting.canvas.reduce(OVER))

    def close(self) -> None:
        """There is nothing to free."""


class _Sitting:
    """One pose on one canvas."""

    def __init__(self, look: Portrait, studio: Studio, pose: Pose) -> None:
        self._look, self._studio = look, studio
        self._weights: Weights = pose.weights
        self._turn = _rotation(*pose.head)
        self.canvas = studio.background.copy()
        self._draw = ImageDraw.Draw(self.canvas)
        # Paints lie on the front of the head, and go with it.
        moved = self._project(points((0, 0.15), z=0.75)) - studio.pixels(points((0, 0.15)))
        self._shift = np.rint(moved[0]).astype(int)

    def paint(self) -> None:
        look, studio = self._look, self._studio
        if look.hair_back is not None:
            self._fill(look.hair_back, studio.hair, dim=0.55)
        self.canvas.paste(studio.torso, studio.torso_at, studio.torso)
        if look.ears:
            self._ears()
        face = self._jawed(look.face)
        self._fill(face, studio.skin)
        if look.beard is not None:
            low = face[(face[:, 1] > 0.0) & (face[:, 0] > 0)]
            rim = np.concatenate([mirrored(low)[::-1], low[::-1]])[::-1]
            self._fill(np.concatenate([rim, look.beard[::-1]]), studio.hair, strength=140)
        self._nose()
        for side in (-1, 1):
            self._eye(side)
        self._mouth()
        for lock in look.hair_front:
            self._fill(lock, studio.hair)
        for side in (-1, 1):
            self._brow(side)

    # -- parts -----------------------------------------------------------------------------------

    def _ears(self) -> None:
        skin = self._look.skin
        ear = points((0.92, -0.2), (1.05, -0.24), (1.1, -0.08), (1.05, 0.16), (0.97, 0.32),
                     (0.9, 0.24), z=-0.15)  # fmt: skip
        for side in (-1, 1):
            shape = ear if side > 0 else mirrored(ear)
            self._flat(curve(shape), between(skin[1], skin[2], 0.25 + 0.2 * side))
            inner = (shape - shape.mean(axis=0)) * (0.5, 0.62, 1) + shape.mean(axis=0)
            self._flat(curve(inner), between(skin[1], skin[2], 0.75))

    def _nose(self) -> None:
        sprite, middle = self._studio.nose, self._studio.nose_at
        x, y = self._project(middle)[0]
        corner = (round(x - sprite.width / 2), round(y - sprite.height / 2))
        self.canvas.paste(sprite, corner, sprite)
        sneer = self._both("noseSneer")
        colour = between(self._look.skin[2], (60, 24, 20), 0.5)
        for side in (-1, 1):
            nostril = np.array([[0.055, 0.455], [0.1, 0.425], [0.135, 0.445], [0.1, 0.468]])
            shape = points(*nostril, z=0.93) * (side, 1, 1) - (0, 0.02 * sneer, 0)
            self._flat(curve(shape), colour)

    def _brow(self, side: int) -> None:
        up = self._of("browOuterUp", side)
        down = self._of("browDown", side)
        line = self._look.brow_line.copy()
        line[:, 1] += 0.09 * down - np.array([1, 0.6, 0.2, 0]) * 0.12 * self._get("browInnerUp")
        line[:, 1] -= np.array([0, 0.3, 0.9, 1]) * 0.1 * up
        line[0, 0] -= 0.03 * down
        line[:, 2] = 0.8, 0.78, 0.7, 0.55
        line = open_curve(line)
        thick = self._look.brow_thick * np.array([0.75, 1.0, 0.9, 0.15])
        width = np.interp(np.linspace(0, 3, len(line)), range(4), thick)[:, None] * (0, 0.5, 0)
        shape = np.concatenate([line - width, (line + width)[::-1]]) * (side, 1, 1)
        self._flat(shape, self._look.brow)

    def _eye(self, side: int) -> None:
        look, studio = self._look, self._studio
        half, above, below = look.eye
        blink, squint = self._of("eyeBlink", side), self._of("eyeSquint", side)
        look_up, look_down = self._of("eyeLookUp", side), self._of("eyeLookDown", side)
        wide = self._of("eyeWide", side)
        above *= 1 + 0.35 * wide - 0.2 * squint + 0.12 * look_up - 0.25 * look_down
        below *= 1 - 0.55 * squint
        x = half * _COS
        tilt = -0.03 * _COS  # the outer corner is the higher one
        low = tilt + below * _SIN**1.15
        high = tilt - above * _SIN**0.85 * (1 - 0.12 * _COS)
        closed = tilt + 0.72 * below * _SIN
        high += min(blink, 1.0) * (closed - high)
        low += min(blink, 1.0) * (np.minimum(low, closed + 0.004) - low)
        top, bottom = (self._on_eye(side, x, y) for y in (high, low))
        opening = np.concatenate([top, bottom[::-1]])

        if blink < 0.95:
            gaze = self._gaze(side)
            self._eyeball(opening, self._on_eye(side, gaze[:1], gaze[1:])[0])
        dark = (46, 28, 26)
        crease = self._on_eye(side, x * 1.02, tilt - 1.34 * look.eye[1] * _SIN**0.8 + 0.02)
        rim = np.concatenate([crease, crease[::-1] + np.array((0, 0.018 * studio.unit))])
        self._polygon(rim, between(look.skin[1], look.skin[2], 0.8))
        # Lashes grow thicker outwards, and end in a wing.
        out = np.clip((_COS + 1.1) / 2.1, 0, 1)
        thick = look.lash * (0.35 + 0.65 * out) * np.clip(8 * _SIN, 0.25, 1)
        wing = np.where(_COS > 0.93, look.lash * 0.9, 0.0)
        lash = np.concatenate(
            [
                self._on_eye(side, x * 1.03 + wing, high - thick - 0.6 * wing),
                self._on_eye(side, x, high + 0.2 * thick)[::-1],
            ]
        )
        self._polygon(lash, dark)
        under = np.concatenate([bottom, bottom[::-1] + np.array((0, 0.014 * studio.unit))])
        self._polygon(under, between(look.skin[2], dark, 0.35))

    def _eyeball(self, opening: Flat, iris_at: Flat) -> None:
        left, top = np.floor(opening.min(axis=0)).astype(int)
        right, bottom = np.ceil(opening.max(axis=0)).astype(int) + 1
        size = (int(right - left), int(bottom - top))
        ball = Image.new("RGB", size, (246, 243, 240))
        iris, unit = self._studio.iris, self._studio.unit
        x, y = iris_at - (left, top)
        ball.paste(iris, (round(x - iris.width / 2), round(y - iris.height / 2)), iris)
        shadow = self._studio.lid_shadow
        ball.paste((52, 34, 40), (0, 0), shadow.resize((size[0], shadow.height)))
        draw = ImageDraw.Draw(ball)
        for across, up, radius in ((-0.042, 0.045, 0.03), (0.045, -0.035, 0.014)):
            _disc(draw, x + across * unit, y - up * unit, radius * unit, (255, 255, 255))
        mask = Image.new("L", size)
        ImageDraw.Draw(mask).polygon((opening - (left, top)).ravel().tolist(), fill=255)
        self.canvas.paste(ball, (int(left), int(top)), mask)

    def _mouth(self) -> None:
        """Two lips around an opening, both as wide as the corners are apart."""
        get, both = self._get, self._both
        smile, frown, stretch = both("mouthSmile"), both("mouthFrown"), both("mouthStretch")
        pucker, funnel, jaw = get("mouthPucker"), get("mouthFunnel"), get("jawOpen")
        press, roll_low, roll_up = both("mouthPress"), get("mouthRollLower"), get("mouthRollUpper")
        apart = LIPS_APART * max(0.0, jaw - get("mouthClose"))
        rounded = min(1.0, pucker + 0.8 * funnel)
        half = 0.335 * (1 + 0.18 * stretch + 0.2 * smile + 0.05 * both("mouthDimple"))
        half *= (1 - 0.42 * min(1.0, pucker) - 0.26 * funnel) * (1 - 0.3 * apart)
        half = max(half, 0.11)
        lower = 0.84 * apart + 0.13 * both("mouthLowerDown") + 0.09 * funnel
        upper = 0.12 * apart + 0.09 * both("mouthUpperUp") + 0.06 * funnel
        lower -= 0.05 * roll_low + 0.06 * get("mouthShrugLower")
        upper += 0.03 * get("mouthShrugUpper")
        lower = max(lower, -upper)
        corner = -0.018 - 0.1 * smile + 0.09 * frown + 0.3 * apart
        thick = self._look.full * (1 - 0.35 * press) * (1 + 0.12 * rounded)
        thick_up = 0.092 * thick * (1 - 0.75 * roll_up)
        thick_low = 0.128 * thick * (1 - 0.7 * roll_low)

        x = half * _COS + 0.12 * (get("mouthLeft") - get("mouthRight"))
        middle = MOUTH_Y + corner * _COS**2 + 0.012 * self._look.full * _SIN**4 * (1 - rounded)
        leaf = _SIN ** (1.35 - 0.45 * rounded)
        taper = 1.15 - 0.4 * min(1.0, rounded + 1.6 * (upper + lower))  # open lips are round
        bow = _SIN**taper * (1.06 - 0.22 * np.exp(-((_COS / 0.17) ** 2)))
        inner_up, inner_low = middle - upper * leaf, middle + lower * leaf
        outer_up = inner_up - thick_up * bow
        outer_low = inner_low + thick_low * _SIN**taper
        z = 0.92 - 0.35 * (x / 0.35) ** 2

        def line(y: Flat) -> Flat:
            return self._project(np.column_stack([x, y, z]))

        lips = self._look.lips
        shadow = np.concatenate([line(outer_low), line(outer_low + 0.035 * _SIN)[::-1]])
        self._polygon(shadow, between(self._look.skin[1], self._look.skin[2], 0.6))
        self._polygon(np.concatenate([line(outer_up), line(inner_up + 0.01)[::-1]]), lips[0])
        self._polygon(np.concatenate([line(inner_low - 0.01), line(outer_low)[::-1]]), lips[1])
        band = slice(7, 18)
        light = inner_low + thick_low * np.array([0.34, 0.56])[:, None] * _SIN**0.75
        gleam = np.concatenate([line(light[0])[band], line(light[1])[band][::-1]])
        self._polygon(gleam, between(lips[1], lips[2], 0.75 * (1 - roll_low)))
        if upper + lower > 0.014:
            opening = np.concatenate([line(inner_up), line(inner_low)[::-1]])
            self._inside(opening, jaw, MOUTH_Y + lower, half)
        seam = 0.011 if upper + lower < 0.03 else 0.006
        dark = between(lips[0], (50, 12, 16), 0.65)
        upper_seam = np.concatenate([line(inner_up - seam), line(inner_up + seam)[::-1]])
        self._polygon(upper_seam, dark)

    def _inside(self, opening: Flat, jaw: float, floor: float, half: float) -> None:
        """What is seen between the lips: the dark, the tongue, the teeth."""
        left, top = np.floor(opening.min(axis=0)).astype(int)
        right, bottom = np.ceil(opening.max(axis=0)).astype(int) + 1
        size = (int(right - left), int(bottom - top))
        cave = Image.new("RGB", size, (74, 20, 26))
        draw = ImageDraw.Draw(cave)

        def put(shape: Points, colour: Colour) -> None:
            draw.polygon((self._project(shape) - (left, top)).ravel().tolist(), fill=colour)

        out = self._get("tongueOut")
        wide = max(half, 0.2)
        low = MOUTH_Y + LIPS_APART * 0.84 * jaw
        put(_teeth(0.23, low + 0.012, low + 0.2, -0.02), (206, 196, 190))
        tongue_y = floor - 0.04 - 0.1 * out
        put(oval(0, tongue_y + 0.09, 0.74 * wide, 0.13 + 0.05 * out, 0.8), (192, 88, 92))
        put(oval(0, tongue_y + 0.075, 0.5 * wide, 0.075 + 0.03 * out, 0.8), (208, 108, 108))
        put(_teeth(0.27, MOUTH_Y - 0.2, MOUTH_Y + 0.055, 0.03), (244, 240, 234))
        put(_teeth(0.27, MOUTH_Y - 0.2, MOUTH_Y - 0.045 + 0.02, 0.03), (222, 212, 206))
        mask = Image.new("L", size)
        ImageDraw.Draw(mask).polygon((opening - (left, top)).ravel().tolist(), fill=255)
        self.canvas.paste(cave, (int(left), int(top)), mask)

    # -- the head in space -----------------------------------------------------------------------

    def _project(self, shape: Points) -> Flat:
        """(n, 3) of the head at rest as (n, 2) pixels of the turned one."""
        return self._studio.pixels((shape - NECK) @ self._turn.T + NECK)

    def _on_eye(self, side: int, x: Flat, y: Flat) -> Flat:
        """Pixels of places relative to an eye; x points outwards. The eyeball is round."""
        z = 0.72 - 0.35 * np.clip(x, 0, 1) - 0.4 * x**2
        return self._project(np.column_stack([side * (EYE_X + x), EYE_Y + y, z]))

    def _gaze(self, side: int) -> Flat:
        """Where the iris is, outwards and down."""
        across = self._of("eyeLookOut", side) - self._of("eyeLookIn", side)
        down = self._of("eyeLookDown", side) - self._of("eyeLookUp", side)
        return np.array([GAZE[0] * across - 0.008, GAZE[1] * down - 0.012])

    def _jawed(self, shape: Points) -> Points:
        share = np.clip((shape[:, 1] - 0.35) / 0.85, 0, 1)
        moved = shape.copy()
        moved[:, 1] += JAW_DROP * self._get("jawOpen") * share * share * (3 - 2 * share)
        cheeks = np.clip(1 - np.abs(shape[:, 1] - 0.55) / 0.5, 0, 1)
        moved[:, 0] *= 1 + 0.07 * self._get("cheekPuff") * cheeks
        aside = self._get("jawLeft") - self._get("jawRight")
        moved[:, 0] += 0.12 * aside * share
        return moved

    # -- weights ---------------------------------------------------------------------------------

    def _get(self, name: str) -> float:
        return float(self._weights[INDEX[name]])

    def _both(self, name: str) -> float:
        return (self._get(f"{name}Left") + self._get(f"{name}Right")) / 2

    def _of(self, name: str, side: int) -> float:
        """Of the eye or brow at the right of the picture, which is the person's left, or not."""
        return self._get(f"{name}Left" if side > 0 else f"{name}Right")

    # -- paint -----------------------------------------------------------------------------------

    def _fill(
        self, shape: Points, paint: Image.Image, *, strength: int = 255, dim: float = 1.0
    ) -> None:
        """A closed curve through the points, in a paint that goes with the head."""
        outline = self._project(curve(shape))
        width, height = self._studio.size
        left, top = np.maximum(np.floor(outline.min(axis=0)).astype(int), 0)
        right, bottom = np.minimum(np.ceil(outline.max(axis=0)).astype(int) + 1, (width, height))
        if right <= left or bottom <= top:
            return
        mask = Image.new("L", (int(right - left), int(bottom - top)))
        ImageDraw.Draw(mask).polygon((outline - (left, top)).ravel().tolist(), fill=strength)
        dx, dy = self._shift
        part = paint.crop((left - dx, top - dy, right - dx, bottom - dy))
        if dim != 1.0:
            part = part.point(lambda value: int(value * dim))
        self.canvas.paste(part, (int(left), int(top)), mask)

    def _flat(self, shape: Points, colour: Colour) -> None:
        self._polygon(self._project(shape), colour)

    def _polygon(self, outline: Flat, colour: Colour) -> None:
        self._draw.polygon(outline.ravel().tolist(), fill=colour)


def _teeth(half: float, top: float, bottom: float, bent: float) -> Points:
    """A row of them; its lower edge rises, or falls, by `bent` towards both sides."""
    x = np.linspace(-half, half, 13)
    edge = bottom - bent * (x / half) ** 2
    row = np.column_stack([x, edge, np.full(13, 0.82)])
    return np.concatenate([points((half, top), (-half, top), z=0.82), row])


def _rotation(yaw: float, pitch: float, roll: float) -> Matrix:
    """(3, 3) in the picture's axes: yaw to its right, pitch up, roll to its right, in degrees."""
    y, p, r = (math.radians(TURN * angle) for angle in (yaw, pitch, roll))
    about_y = [[math.cos(y), 0, math.sin(y)], [0, 1, 0], [-math.sin(y), 0, math.cos(y)]]
    about_x = [[1, 0, 0], [0, math.cos(p), -math.sin(p)], [0, math.sin(p), math.cos(p)]]
    about_z = [[math.cos(r), -math.sin(r), 0], [math.sin(r), math.cos(r), 0], [0, 0, 1]]
    turn: Matrix = np.array(about_z) @ np.array(about_x) @ np.array(about_y)
    return turn


def _disc(draw: ImageDraw.ImageDraw, x: float, y: float, radius: float, colour: Colour) -> None:
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)
