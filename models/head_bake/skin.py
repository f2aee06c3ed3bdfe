"""The skin: zones of colour, spots, brows, roots, stubble; and its fine structure."""

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage
from scipy.interpolate import LinearNDInterpolator
from scipy.spatial import cKDTree

from head_bake.anatomy import Anatomy, skin_map
from head_bake.noise import Noise, smoothstep
from head_bake.people import Person
from head_bake.raster import Raster
from head_bake.scalp import above_hairline
from head_bake.source import Floats, Ints
from head_bake.strokes import SCALE, shrunk, stroke

PIXELS = 1024
DETAIL = 0.8
"""The change of the normal that one whole step of the picture stands for; the shader has it too."""
STRETCH = 0.006
"""Where a pixel covers more decimetres than this its detail fades."""
CROPPED_HAIRS = 26_000


def skin(
    body: Anatomy, noise: Noise, raster: Raster, points: Floats, triangles: Ints, lids: Floats
) -> tuple[Floats, Floats]:
    """Albedo in linear light, and what is added to the normal, around 0.5: both (n, n, 3).

    `points` and `triangles` are the fine skin; `lids` (n, 3) lie on the rims of the lids.
    """
    person = body.person
    places = skin_map(points)
    away = np.hypot(points[:, 0], points[:, 2] + 0.8)
    at = raster.spread(places, np.clip(away / 4, 0.01, 0.99), list(points.T), triangles, PIXELS)
    covered = np.abs(at).sum(axis=2) > 0
    nearest = ndimage.distance_transform_edt(~covered, return_distances=False, return_indices=True)
    at = at[nearest[0], nearest[1]]
    front = at[..., 2] > -0.75

    def spot(x: float, y: float, wide: float, high: float) -> Floats:
        """A soft spot on both sides of the face."""
        across = (np.abs(at[..., 0]) - x) / wide
        up = (at[..., 1] - y) / high
        return np.exp(-(across**2) - up**2) * front

    mouth_y = float(body.skin.points[body.skin.marks > 0.5, 1].mean())
    nose = body.skin.points[np.abs(body.skin.points[:, 0]) < 0.2]
    tip = nose[nose[:, 2].argmax()]

    colour = np.ones((*at.shape[:2], 3)) * person.skin
    blush = 0.85 * spot(0.46, tip[1] - 0.03, 0.24, 0.20)
    blush += 0.9 * spot(0.0, tip[1], 0.15, 0.14) + 0.35 * spot(0.0, mouth_y - 0.33, 0.2, 0.12)
    blush += 0.5 * smoothstep(0.72, 0.85, np.abs(at[..., 0])) * (np.abs(at[..., 1] + 0.15) < 0.4)
    blush *= 1 + 1.1 * noise.octaves(at, 6.0, 3)
    colour *= 1 + np.clip(blush, 0, 2)[..., None] * person.flush * np.array([0.10, -0.26, -0.24])
    sallow = spot(0.0, 0.6, 0.6, 0.25)
    colour *= 1 + sallow[..., None] * np.array([0.03, 0.03, -0.02])
    tired = spot(0.27, -0.115, 0.13, 0.05) + 0.5 * spot(0.13, -0.03, 0.05, 0.06)
    colour *= 1 - np.clip(tired, 0, 1)[..., None] * np.array([0.10, 0.16, 0.10])
    lid = spot(0.285, 0.075, 0.15, 0.05)
    colour *= 1 - lid[..., None] * person.lid_shade * np.array([0.14, 0.24, 0.22])

    mottled = noise.octaves(at, 9.0, 4)
    red = noise.octaves(at + 31.0, 5.0, 3)
    colour *= 1 + 0.14 * mottled[..., None] + red[..., None] * np.array([0.02, -0.13, -0.13])
    fine = ndimage.gaussian_filter(noise.random.standard_normal(at.shape[:2]), 0.8)
    colour *= 1 + 0.035 * fine[..., None]
    colour *= 1 - _freckles(at, noise, tip)[..., None] * person.freckles * np.array([0.3, 0.5, 0.6])

    if person.beard:
        beard = _beard(at, mouth_y, tip[1]) * person.beard
        stubble = noise.random.random(at.shape[:2])
        dots = ndimage.gaussian_filter((stubble > 0.86) * 1.0, 0.6)
        shade = beard * (0.16 + 0.75 * dots)
        colour = colour * (1 - shade[..., None]) + shade[..., None] * np.array([0.10, 0.075, 0.065])
    rim = _near(at, lids, 0.05)
    colour *= 1 - person.lid_line * smoothstep(0.03, 0.006, rim)[..., None] * np.array(
        [0.5, 0.6, 0.6]
    )

    brows = _brows(body, noise, at)
    colour = _over(colour, brows * 0.92, np.array(person.hair) * 0.9 + 0.006)
    above = above_hairline(at, person.hairline)
    roots = smoothstep(-0.05, 0.05, above + 0.07 * noise.octaves(at * [2.2, 0.5, 2.2], 16.0, 3))
    strokes = _cropped(at, noise)
    roots *= np.where(at[..., 1] < 0.55, 0.55 + 0.45 * strokes, 1.0)
    colour = _over(colour, np.clip(roots, 0, 1) * 0.95, np.array(person.hair) * 1.1)

    lips = _near_lips(body, at)
    height = _relief(at, noise, lips, brows, tip, person)
    return np.clip(colour, 0, 1), _normal_detail(at, height)


def _freckles(at: Floats, noise: Noise, tip: Floats) -> Floats:
    zone = np.exp(
        -((np.abs(at[..., 0]) - 0.30) ** 2) / 0.06 - (at[..., 1] - tip[1] - 0.1) ** 2 / 0.03
    )
    zone += 0.3 * np.exp(-(at[..., 0] ** 2) / 0.2 - (at[..., 1] - 0.5) ** 2 / 0.1)
    zone *= at[..., 2] > -0.4
    spots = ndimage.gaussian_filter((noise.random.random(at.shape[:2]) > 0.9965) * 1.0, 1.5)
    small = ndimage.gaussian_filter((noise.random.random(at.shape[:2]) > 0.995) * 1.0, 0.9)
    return np.clip(zone * (spots * 9 + small * 4), 0, 1)


def _beard(at: Floats, mouth_y: float, tip_y: float) -> Floats:
    """Where a beard would grow: the jaw, the chin, the upper lip."""
    x, y, z = np.abs(at[..., 0]), at[..., 1], at[..., 2]
    jaw = smoothstep(0.10, -0.14, y - (mouth_y + 0.02 + 0.55 * smoothstep(0.35, 0.75, x)))
    jaw *= smoothstep(-1.75, -1.25, y) * smoothstep(-0.75, -0.55, z)
    lip = np.exp(-((x / 0.30) ** 4)) * smoothstep(0.02, -0.06, y - (tip_y - 0.10))
    lip *= y > mouth_y - 0.05
    under = 1 - 0.75 * np.exp(-(((x - 0.26) / 0.10) ** 2)) * (np.abs(y - mouth_y) < 0.12)
    return np.clip(
        np.maximum(jaw * smoothstep(0.12, 0.30, x + 1.4 * (mouth_y + 0.02 - y)), lip) * under, 0, 1
    )


def _near(at: Floats, points: Floats, reach: float) -> Floats:
    """The distance to the nearest of some points, up to `reach`."""
    distance, _ = cKDTree(points).query(at.reshape(-1, 3), distance_upper_bound=reach)
    return np.minimum(distance, reach).reshape(at.shape[:2])


def _near_lips(body: Anatomy, at: Floats) -> Floats:
    lips = body.skin.points[body.skin.marks > 0.5]
    return smoothstep(0.06, 0.015, _near(at, lips, 0.07))


def _brows(body: Anatomy, noise: Noise, at: Floats) -> Floats:
    """Single hairs, from upright near the nose to lying at the temple."""
    person, random = body.person, noise.random
    points = body.skin.points
    near = (
        (np.abs(points[:, 0]) < 0.8)
        & (points[:, 1] > 0.05)
        & (points[:, 1] < 0.6)
        & (points[:, 2] > -0.4)
    )
    depth = LinearNDInterpolator(points[near, :2], points[near, 2])
    pixels = PIXELS * SCALE
    canvas = Image.new("L", (pixels, pixels))
    draw = ImageDraw.Draw(canvas)
    brow = person.brow
    for side in (1.0, -1.0):
        along = random.beta(1.25, 1.1, brow.hairs)
        for t in along:
            across = random.uniform(-1, 1)
            x = np.interp(t, [0, 0.55, 1], brow.x)
            y = np.interp(t, [0, 0.3, 0.62, 1], brow.y)
            thick = np.interp(
                t, [0, 0.15, 0.5, 1], np.array([0.62, 1.0, 0.85, 0.12]) * brow.thickness
            )
            y += across * thick * 0.5
            lean = np.interp(t, [0, 0.12, 0.4, 1], [1.35, 0.85, 0.35, -0.45])
            lean += -0.35 * across + random.normal(0, 0.12)
            length = (
                brow.length
                * np.interp(t, [0, 0.2, 1], [0.75, 1.0, 0.8])
                * random.uniform(0.6, 1.15)
            )
            bend = -0.5 * across
            steps = np.linspace(0, 1, 5)
            hx = x + length * np.cumsum(np.r_[0, np.cos(lean + bend * steps[1:])]) / 4
            hy = y + length * np.cumsum(np.r_[0, np.sin(lean + bend * steps[1:])]) / 4
            z = depth(side * hx, hy)
            if np.isnan(z).any():
                continue
            place = skin_map(np.c_[side * hx, hy, z]) * pixels
            stroke(draw, place, brow.width, int(random.uniform(170, 255)))
    hairs = shrunk(canvas)
    return np.clip(hairs + 0.25 * ndimage.gaussian_filter(hairs, 5.0), 0, 1)


def _cropped(at: Floats, noise: Noise) -> Floats:
    """Very short hair, all over the map, growing down and back."""
    pixels = PIXELS * SCALE
    canvas = Image.new("L", (pixels, pixels))
    draw = ImageDraw.Draw(canvas)
    for u, v, lean, length in noise.random.random((CROPPED_HAIRS, 4)):
        back = np.sign(u - 0.5) * (0.35 + 0.5 * lean)
        place = np.array([[u, v], [u + 0.006 * back, v + 0.008], [u + 0.014 * back, v + 0.014]])
        place[1:] = place[:1] + (place[1:] - place[:1]) * (0.5 + length)
        stroke(draw, place * pixels, 4.0, 255)
    return shrunk(canvas)


def _over(colour: Floats, cover: Floats, with_colour: Floats) -> Floats:
    return colour * (1 - cover[..., None]) + cover[..., None] * with_colour


def _relief(
    at: Floats, noise: Noise, lips: Floats, brows: Floats, tip: Floats, person: Person
) -> Floats:
    """The height of the skin's fine structure, in decimetres."""
    white = noise.random.standard_normal(at.shape[:2])
    pores = ndimage.gaussian_filter(white, 0.9) - ndimage.gaussian_filter(white, 2.2)
    oily = 0.5 + 0.7 * np.exp(-((at[..., 0] / 0.4) ** 2) - ((at[..., 1] - tip[1]) / 0.3) ** 2)
    soft = noise.octaves(at, 22.0, 3)
    lines = noise.at(at * [1.0, 0.16, 0.3], 75.0) + 0.6 * noise.at(at * [1.0, 0.16, 0.3], 130.0)
    forehead = np.exp(-((at[..., 1] - 0.55) ** 2) / 0.03) * (at[..., 2] > -0.2)
    furrows = noise.at(at * [0.15, 1.0, 0.15], 26.0) * forehead
    skin = person.grain * (0.0016 * pores * oily + 0.0009 * soft + 0.0015 * furrows)
    return skin * (1 - lips) + 0.0035 * lines * lips + 0.002 * brows


def _normal_detail(at: Floats, height: Floats) -> Floats:
    """The change of the normal that a height makes, in the space of the head, around 0.5."""
    down, right = np.gradient(height)
    change = np.zeros_like(at)
    for axis, slope in ((0, down), (1, right)):
        step = ndimage.gaussian_filter(np.gradient(at, axis=axis), (1.0, 1.0, 0))
        squared = np.maximum((step**2).sum(axis=2), 1e-6)
        stretched = np.minimum(1.0, (STRETCH / np.sqrt(squared)) ** 2)
        change -= (slope * stretched / squared)[..., None] * step
    return 0.5 + np.clip(change / DETAIL, -0.5, 0.5)
