"""Lashes and hair: ribbons of quads with a picture of strands on them."""

from collections import deque
from dataclasses import dataclass

import numpy as np

from goassist_desktop.pipeline.blendshapes import COUNT
from head_bake.anatomy import Anatomy, Cage
from head_bake.hair import Locks
from head_bake.source import Floats, Ints
from head_bake.strands import LASH_TOP

LASH_STEPS = 4
CURL = 0.55
"""How far the tips of the upper lashes are lifted, against their length."""


@dataclass
class Ribbons:
    points: Floats
    tangents: Floats
    """(n, 3) unit vectors along the hair."""
    places: Floats
    tones: Floats
    """(n, 4): openness to the surroundings and to the key, shade, and how far along the hair."""
    shapes: Floats
    """(52, n, 3)"""
    quads: dict[str, list[Ints]]
    """Of each size, the quads of lashes and of hair, from the inside out."""


def lashes(body: Anatomy) -> Ribbons:
    """From the rims of the lids along the strips of the base mesh, but finer and shorter."""
    points, places, shapes, quads = [], [], [], []
    start = 0
    for index, strip in enumerate(body.lashes):
        upper = index % 2 == 0
        grid = _grid(strip)
        root, tip = grid[:, 1], grid[:, -1]
        reach = body.person.lash_length if upper else 0.62 * body.person.lash_length
        t = np.linspace(0, 1, LASH_STEPS)[None, :, None]
        away = strip.points[tip] - strip.points[root]
        lift = np.linalg.norm(away, axis=1)[:, None] * np.array(
            [0, CURL if upper else -CURL * 0.4, 0]
        )
        rows = (
            strip.points[root][:, None] + reach * t * away[:, None] + reach * t**2 * lift[:, None]
        )
        moved = (
            strip.shapes[:, root][:, :, None]
            + reach * t * (strip.shapes[:, tip] - strip.shapes[:, root])[:, :, None]
        )
        columns = len(grid)
        along = np.r_[0, np.cumsum(np.linalg.norm(np.diff(strip.points[root], axis=0), axis=1))]
        u = (0.01 + 0.48 * along / along[-1]) + (0.0 if upper else 0.5)
        v = LASH_TOP + (0.985 - LASH_TOP) * t[0, :, 0]
        points.append(rows.reshape(-1, 3))
        shapes.append(moved.reshape(COUNT, -1, 3))
        grid_u, grid_v = np.meshgrid(u, v, indexing="ij")
        places.append(np.stack([grid_u.ravel(), grid_v.ravel(), np.ones(grid_u.size)], axis=1))
        at = start + np.arange(columns * LASH_STEPS).reshape(columns, LASH_STEPS)
        quads.append(
            np.stack([at[:-1, :-1], at[1:, :-1], at[1:, 1:], at[:-1, 1:]], 2).reshape(-1, 4)
        )
        start += columns * LASH_STEPS
    joined = np.concatenate(points)
    strips = np.concatenate(quads)
    no_hair = np.zeros((0, 4), int)
    return Ribbons(
        joined,
        np.tile([0.0, 0.0, 1.0], (len(joined), 1)),
        np.concatenate(places),
        np.c_[
            np.ones((len(joined), 3)),
            np.tile(np.linspace(0, 1, LASH_STEPS), len(joined) // LASH_STEPS),
        ],
        np.concatenate(shapes, axis=1),
        {"small": [strips, no_hair], "large": [strips, no_hair]},
    )


def with_hair(lashes: Ribbons, small: tuple[Locks, Floats], large: tuple[Locks, Floats]) -> Ribbons:
    """Lashes, and behind them the hair of both sizes with how open it is."""
    points, tangents, places, tones = (
        [lashes.points],
        [lashes.tangents],
        [lashes.places],
        [lashes.tones],
    )
    quads = {}
    start = len(lashes.points)
    for size, (locks, lit) in (("small", small), ("large", large)):
        buried = 0.45 + 0.55 * locks.depth
        low = 1 - 0.35 * (locks.points[:, 1] < -0.9)
        points.append(locks.points)
        tangents.append(locks.tangents)
        places.append(locks.places)
        tones.append(
            np.stack(
                [
                    (0.15 + 0.85 * lit[:, 0]) * buried * low,
                    (0.15 + 0.85 * lit[:, 1]) * buried,
                    locks.shade,
                    locks.along,
                ],
                1,
            )
        )
        quads[size] = [lashes.quads[size][0], locks.quads + start]
        start += len(locks.points)
    count = start - len(lashes.points)
    return Ribbons(
        np.concatenate(points),
        np.concatenate(tangents),
        np.concatenate(places),
        np.concatenate(tones),
        np.concatenate([lashes.shapes, np.zeros((COUNT, count, 3))], axis=1),
        quads,
    )


def _grid(strip: Cage) -> Ints:
    """The points of a strip as columns (from the nose outward) of rows (from root to tip)."""
    corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]])
    first = strip.quads[0]
    place = {int(point): corner for point, corner in zip(first, corners, strict=True)}
    waiting = deque(strip.quads[1:])
    while waiting:
        quad = waiting.popleft()
        known = [k for k in range(4) if int(quad[k]) in place and int(quad[(k + 1) % 4]) in place]
        if not known:
            waiting.append(quad)
            continue
        k = known[0]
        a, b = place[int(quad[k])], place[int(quad[(k + 1) % 4])]
        across = np.array([-(b - a)[1], (b - a)[0]])
        place.setdefault(int(quad[(k + 2) % 4]), b + across)
        place.setdefault(int(quad[(k + 3) % 4]), a + across)
    where = np.array([place[point] for point in range(len(strip.points))])
    where -= where.min(axis=0)
    grid = np.zeros(where.max(axis=0) + 1, int)
    grid[where[:, 0], where[:, 1]] = np.arange(len(where))
    if grid.shape[0] < grid.shape[1]:
        grid = grid.T
    x = np.abs(strip.points[:, 0])
    if x[grid[0]].mean() > x[grid[-1]].mean():
        grid = grid[::-1]
    z = strip.points[:, 2]
    if z[grid[:, 0]].mean() > z[grid[:, -1]].mean():
        grid = grid[:, ::-1]
    return grid
