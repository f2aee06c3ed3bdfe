"""Teeth, each with its own shape, and gums, along the arches of the base mesh.

Widths and heights are the usual ones of adults (in mm, from the middle outward; M. Nelson,
Wheeler's Dental Anatomy), scaled so that they fill the arch.
"""

import numpy as np

from goassist_desktop.pipeline.blendshapes import COUNT
from head_bake.anatomy import Cage
from head_bake.source import Floats, Ints

WIDTHS = {"upper": [8.5, 6.5, 7.5, 7.0, 7.0, 9.5], "lower": [5.3, 5.8, 6.8, 7.0, 7.2, 10.0]}
HEIGHTS = {"upper": [10.3, 9.0, 10.0, 8.6, 8.0, 7.2], "lower": [8.6, 8.8, 9.6, 8.6, 8.0, 7.2]}
EDGES = {"upper": [0.0, 0.7, -0.1, 0.7, 0.9, 1.1], "lower": [0.0, 0.0, -0.2, 0.4, 0.6, 0.8]}
"""How much shorter than the first one each ends, in mm."""
MM = 0.01
AROUND = 8
BEND = 2.3
GUM_COLUMNS = 49
RINGS = [  # share of the height from the gum, of the width, of the thickness, and outward, in mm
    (-0.15, 0.74, 0.95, -0.5),
    (0.06, 0.84, 1.00, 0.0),
    (0.40, 0.98, 0.92, 0.25),
    (0.75, 1.00, 0.66, 0.05),
    (0.95, 0.96, 0.42, -0.35),
    (1.00, 0.84, 0.26, -0.5),
]


def row(helper: Cage, jaw: str) -> Cage:
    """The teeth and gums of a jaw, where the base mesh has its bands."""
    up = 1.0 if jaw == "lower" else -1.0  # from the gum to the edge
    low, high = helper.points.min(axis=0), helper.points.max(axis=0)
    front, half, deep = high[2] - 0.012, high[0] - 0.035, high[2] - low[2] - 0.03
    edge_y = high[1] - 0.030 if jaw == "lower" else low[1] - 0.024
    if jaw == "lower":
        front -= 0.022
    x = np.linspace(0, half, 400)
    arch = np.c_[x, front - deep * (x / half) ** BEND]
    length = np.r_[0, np.cumsum(np.linalg.norm(np.diff(arch, axis=0), axis=1))]
    widths = np.array(WIDTHS[jaw]) * MM
    widths *= length[-1] / widths.sum()
    middles = np.cumsum(widths) - widths / 2

    points: list[Floats] = []
    quads: list[Ints] = []
    for side in (1.0, -1.0):
        for index, (s, width) in enumerate(zip(middles, widths, strict=True)):
            place = np.array([np.interp(s, length, arch[:, axis]) for axis in (0, 1)])
            ahead = (
                np.array([np.interp(s + 0.01, length, arch[:, axis]) for axis in (0, 1)]) - place
            )
            ahead /= np.linalg.norm(ahead)
            outward = np.array([-ahead[1], ahead[0]])
            edge = edge_y - up * EDGES[jaw][index] * MM
            tooth = _tooth(width, HEIGHTS[jaw][index] * MM, index)
            flat = place + tooth[:, :1] * ahead + tooth[:, 1:2] * outward
            shaped = np.c_[side * flat[:, 0], edge + up * tooth[:, 2], flat[:, 1]]
            faces = _tooth_quads() + sum(len(piece) for piece in points)
            clockwise = (side > 0) == (up > 0)
            quads.append(faces[:, ::-1] if clockwise else faces)
            points.append(shaped)
    teeth = sum(len(piece) for piece in points)
    gum_points, gum_quads = _gum(arch, length, edge_y, up, jaw, middles)
    quads.append((gum_quads[:, ::-1] if up < 0 else gum_quads) + teeth)
    points.append(gum_points)
    joined = np.concatenate(points)
    marks = (np.arange(len(joined)) >= teeth) * 1.0
    return Cage(
        joined,
        np.concatenate(quads),
        _carried(helper, joined),
        marks,
        np.zeros(len(joined)),
    )


def _tooth(width: float, height: float, index: int) -> Floats:
    """(n, 3): along the arch, outward, and up from the edge; rings of AROUND points and a cap."""
    molar = index >= 3
    thick = (3.4 + 0.9 * molar) * MM
    angle = 2 * np.pi * (np.arange(AROUND) + 0.5) / AROUND
    square = np.sign(np.cos(angle)) * np.abs(np.cos(angle)) ** 0.55
    deep = np.sign(np.sin(angle)) * np.abs(np.sin(angle)) ** 0.75
    rings = []
    for share, wide, thin, out in RINGS:
        thin = max(thin, 0.8) if molar else thin
        pointed = 1 - 0.30 * max(share - 0.6, 0) / 0.4 if index == 2 else 1.0
        rings.append(
            np.c_[
                0.49 * width * wide * pointed * square,
                thick * thin * deep * 0.9 + out * MM - thick,
                np.full(AROUND, -height * (1 - share)),
            ]
        )
    return np.concatenate(rings)


def _tooth_quads() -> Ints:
    at = np.arange(len(RINGS) * AROUND).reshape(len(RINGS), AROUND)
    beside = np.roll(at, -1, axis=1)
    sides = np.stack([at[:-1], beside[:-1], beside[1:], at[1:]], axis=2).reshape(-1, 4)
    r = at[-1]
    cap = np.array([[r[0], r[1], r[2], r[7]], [r[7], r[2], r[3], r[6]], [r[6], r[3], r[4], r[5]]])
    return np.concatenate([sides, cap])


def _gum(
    arch: Floats, length: Floats, edge_y: float, up: float, jaw: str, middles: Floats
) -> tuple[Floats, Ints]:
    """A ridge over the necks of the teeth, higher between them."""
    s = np.linspace(-length[-1], length[-1], GUM_COLUMNS)
    x = np.sign(s) * np.interp(np.abs(s), length, arch[:, 0])
    z = np.interp(np.abs(s), length, arch[:, 1])
    along = np.c_[np.gradient(x), np.gradient(z)]
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    outward = np.c_[-along[:, 1], along[:, 0]]
    heights = np.interp(np.abs(s), middles, np.array(HEIGHTS[jaw]) * MM)
    gap = np.abs(np.abs(s)[:, None] - middles[None]).min(axis=1) / 0.035
    neck = heights * (1.0 - 0.16 * np.clip(gap, 0, 1) ** 2)
    rows = []
    for out, rise in ((-2.6, -0.4), (0.15, 0.1), (0.75, 1.6), (0.7, 5.0), (-1.5, 9.0)):
        y = edge_y - up * (neck + rise * MM)
        rows.append(np.c_[x + out * MM * outward[:, 0], y, z + out * MM * outward[:, 1]])
    at = np.arange(len(rows) * GUM_COLUMNS).reshape(len(rows), GUM_COLUMNS)
    quads = np.stack([at[:-1, :-1], at[:-1, 1:], at[1:, 1:], at[1:, :-1]], axis=2).reshape(-1, 4)
    return np.concatenate(rows), quads[:, ::-1]


def _carried(helper: Cage, points: Floats) -> Floats:
    """The blendshapes of the bands as affine maps, which carry the teeth without bending them."""
    before = np.c_[helper.points, np.ones(len(helper.points))]
    at = np.c_[points, np.ones(len(points))]
    shapes = np.zeros((COUNT, len(points), 3))
    for index, shape in enumerate(helper.shapes):
        if (np.abs(shape).max(axis=1) > 0).mean() > 0.5:  # not what moves single points of a band
            shapes[index] = at @ np.linalg.lstsq(before, shape, rcond=None)[0]
    return shapes
