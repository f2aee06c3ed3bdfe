"""Hair: locks that grow from the scalp, lie on what is below them, fall, and end in a cut."""

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from head_bake.anatomy import AXIS_Z
from head_bake.noise import smoothstep
from head_bake.people import Person
from head_bake.scalp import above_hairline
from head_bake.source import Floats, Ints
from head_bake.strands import HAIR_BOTTOM, TILES

NEIGHBOURS = 6
FACE_HEIGHTS = [-1.4, -0.8, -0.2, 0.35, 0.65, 0.80]
FACE_AZIMUTHS = np.radians([46, 54, 58, 56, 44, 8])
"""How far from its middle the face is free of hair, at these heights."""
COMB = 12.0
CLING, CLING_FROM = 60.0, 0.04
"""How strongly hair is held back from the face, and to the head where it stands off."""
ROOTWARD = 1.4
"""A path has more of its points near the root, where it bends."""
UNBENT = 3
"""Times a path is smoothed."""
ROOT_TAPER = 0.12
"""Over this share of its length a lock becomes as wide as it is."""


@dataclass
class Locks:
    """Ribbons of hair, each `steps` cross-sections of two points."""

    points: Floats
    tangents: Floats
    outward: Floats
    """(n, 3): away from the head."""
    places: Floats
    shade: Floats
    depth: Floats
    """(n,) in [0, 1]: 0 beneath all other hair, 1 on top."""
    along: Floats
    quads: Ints


class Surface:
    """The skin as something hair lies on."""

    def __init__(self, points: Floats, normals: Floats) -> None:
        self._points, self._normals = points, normals
        self._tree = cKDTree(points)

    def above(self, points: Floats) -> tuple[Floats, Floats]:
        """How high points (n, 3) are above it, and in which direction that is."""
        _, near = self._tree.query(points, k=NEIGHBOURS)
        normal = self._normals[near].mean(axis=1)
        normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
        height = ((points - self._points[near].mean(axis=1)) * normal).sum(axis=1)
        return height, normal


def grow(person: Person, skin: Surface, scalp: Floats, normals: Floats, fine: bool) -> Locks:
    """The hair of a person; `scalp` (n, 3) are points of the skin, with their normals."""
    random = np.random.default_rng(person.seed + 100)
    style = _long if person.long_hair else _short
    return style(person, skin, scalp, normals, random, fine)


def _long(
    person: Person,
    skin: Surface,
    scalp: Floats,
    normals: Floats,
    random: np.random.Generator,
    fine: bool,
) -> Locks:
    """To the chin, parted on the person's left."""
    count, steps = (620, 20) if fine else (185, 10)
    width = 0.14 if fine else 0.25
    above = above_hairline(scalp, person.hairline)
    grows = smoothstep(-0.03, 0.04, above)
    edge = np.abs(scalp[:, 0] - _parting(scalp[:, 2])) < 0.07
    edge = (edge & (scalp[:, 1] > 0.5)) | ((above > 0.02) & (above < 0.12) & (scalp[:, 2] > -0.4))
    at_edge = count // 4
    sown = [
        _sown(scalp, normals, grows, count - at_edge, random),
        _sown(scalp, normals, grows * edge, at_edge, random),
    ]
    roots = np.concatenate([places for places, _ in sown])
    parting = _parting(roots[:, 2])
    side = np.where(roots[:, 0] > parting, 1.0, -1.0)
    behind = smoothstep(-0.95, -1.5, roots[:, 2])
    back = 0.45 + 0.5 * behind + 0.5 * smoothstep(-0.5, 0.1, roots[:, 2])
    direction = np.stack([side * (1 - 0.6 * behind), np.zeros(count), -back], axis=1)
    direction[:, 1] = np.where(roots[:, 1] < 0.4, -1.0, direction[:, 1])
    high = smoothstep(-0.3, 1.05, roots[:, 1])
    depth = np.clip(0.75 * high + 0.25 * random.random(count), 0, 1)
    lift = 0.025 + 0.11 * depth
    end_y = -1.30 + 0.05 * random.standard_normal(count) + 0.10 * (1 - depth)
    paths = _grown(skin, roots, direction, lift, 2.9, 46, gravity=6.0, inward=0.9, rise=9)
    paths = _cut(paths, end_y, steps)
    return _ribbons(skin, paths, width * random.uniform(0.75, 1.25, count), depth, random)


def _parting(z: Floats) -> Floats:
    """Where it is, to the person's left of the middle."""
    return 0.17 - 0.10 * smoothstep(0.0, -1.1, z)


def _short(
    person: Person,
    skin: Surface,
    scalp: Floats,
    normals: Floats,
    random: np.random.Generator,
    fine: bool,
) -> Locks:
    """Short at the sides, longer on top, brushed back and to the person's right."""
    count, steps = (1900, 5) if fine else (620, 4)
    width = 0.066 if fine else 0.105
    above = above_hairline(scalp, person.hairline)
    roots, root_normals = _sown(
        scalp,
        normals,
        smoothstep(-0.01, 0.06, above) * smoothstep(0.2, 0.5, scalp[:, 1]),
        count,
        random,
    )
    top = smoothstep(0.45, 0.85, roots[:, 1])
    front = smoothstep(-0.5, 0.15, roots[:, 2])
    jitter = 0.13 * random.standard_normal((count, 3))
    on_top = np.array([-0.62, 0.12, -0.62]) + jitter
    at_side = (
        np.stack([0.1 * np.sign(roots[:, 0]), -0.75 * np.ones(count), -0.45 * np.ones(count)], 1)
        + jitter
    )
    direction = at_side + (on_top - at_side) * top[:, None]
    direction = direction + root_normals * (0.02 + 0.30 * top * (0.15 + 0.85 * front))[:, None]
    length = (0.09 + 0.27 * top + 0.17 * top * front) * random.uniform(0.75, 1.15, count)
    length *= np.where(above_hairline(roots, person.hairline) < 0.06, 0.6, 1.0)
    lift = 0.008 + top * (0.02 + 0.07 * random.random(count))
    paths = _grown(
        skin, roots, direction, lift, 1.0, 10, gravity=4.0, inward=0.0, rise=5, length=length
    )
    picked = np.round(np.linspace(0, paths.shape[1] - 1, steps)).astype(int)
    depth = np.clip(0.35 + 0.65 * random.random(count), 0, 1)
    width = width * (0.7 + 0.3 * top) * random.uniform(0.7, 1.3, count)
    return _ribbons(skin, paths[:, picked], width, depth, random, first_tile=2)


def _sown(
    scalp: Floats, normals: Floats, likely: Floats, count: int, random: np.random.Generator
) -> tuple[Floats, Floats]:
    """Roots, so many, spread evenly over where they are likely."""
    tree = cKDTree(scalp)
    spacing = tree.query(scalp, k=5)[0][:, -1]
    chance = likely * spacing**2
    candidates = random.choice(len(scalp), 6 * count, p=chance / chance.sum())
    places = scalp[candidates] + 0.5 * spacing[candidates, None] * random.uniform(
        -1, 1, (6 * count, 3)
    )
    taken = [0]
    nearest = np.linalg.norm(places - places[0], axis=1)
    for _ in range(count - 1):
        taken.append(int(nearest.argmax()))
        nearest = np.minimum(nearest, np.linalg.norm(places - places[taken[-1]], axis=1))
    chosen = np.array(taken)
    return places[chosen], normals[candidates[chosen]]


def _grown(
    skin: Surface,
    roots: Floats,
    direction: Floats,
    lift: Floats,
    reach: float,
    steps: int,
    gravity: float,
    inward: float,
    rise: int,
    length: Floats | float = 1.0,
) -> Floats:
    """Paths (n, steps + 1, 3) from roots, which rise to `lift` above the skin."""
    step = np.broadcast_to(np.asarray(reach * length / steps)[..., None], (len(roots), 1))
    direction = direction / np.linalg.norm(direction, axis=1, keepdims=True)
    at = roots.copy()
    paths = [at]
    for index in range(steps):
        pull = np.zeros_like(at)
        pull[:, 1] = -gravity
        low = smoothstep(-0.6, -1.2, at[:, 1])
        pull[:, 0] -= inward * low * np.sign(at[:, 0]) * 2
        pull[:, 2] -= inward * low * (at[:, 2] - AXIS_Z)
        if inward:
            pull += _combed(at)
            height, normal = skin.above(at)
            loose = np.clip(height - lift - CLING_FROM, 0, 0.3) * smoothstep(-0.5, 0.0, at[:, 1])
            pull -= CLING * loose[:, None] * normal
        direction = direction + pull * step
        direction /= np.linalg.norm(direction, axis=1, keepdims=True)
        wanted = at + direction * step
        height, normal = skin.above(wanted)
        rising = lift * min(1.0, (index + 1) / rise)
        wanted += normal * np.maximum(rising - height, 0.0)[:, None]
        moved = wanted - at
        direction = moved / np.maximum(np.linalg.norm(moved, axis=1, keepdims=True), 1e-9)
        at = at + direction * step
        paths.append(at)
    path = np.stack(paths, axis=1)
    for _ in range(UNBENT):
        path[:, 1:-1] = (path[:, :-2] + path[:, 1:-1] + path[:, 2:]) / 3
    return path


def _combed(points: Floats) -> Floats:
    """What holds hair back from the face: a pull outward wherever it would hang before it."""
    azimuth = np.arctan2(points[:, 0], points[:, 2] - AXIS_Z)
    bound = np.interp(points[:, 1], FACE_HEIGHTS, FACE_AZIMUTHS)
    before = np.clip((bound + 0.10 - np.abs(azimuth)) / 0.25, 0, 1.5)
    aside = np.stack([np.cos(azimuth), np.zeros(len(points)), -np.sin(azimuth)], axis=1)
    before *= smoothstep(0.84, 0.66, points[:, 1])
    return COMB * before[:, None] * aside * np.sign(azimuth)[:, None]


def _cut(paths: Floats, end_y: Floats, steps: int) -> Floats:
    """Paths resampled to so many points, and ended where they fall below a height."""
    count, length, _ = paths.shape
    cut = np.empty((count, steps, 3))
    for index in range(count):
        below = np.flatnonzero(paths[index, :, 1] < end_y[index])
        last = below[0] if len(below) else length - 1
        at = max(last, 3) * np.linspace(0, 1, steps) ** ROOTWARD
        for axis in range(3):
            cut[index, :, axis] = np.interp(at, np.arange(length), paths[index, :, axis])
    return cut


def _ribbons(
    skin: Surface,
    paths: Floats,
    width: Floats,
    depth: Floats,
    random: np.random.Generator,
    first_tile: int = 0,
) -> Locks:
    """Later tiles of the picture have fewer, looser strands."""
    count, steps, _ = paths.shape
    tangents = np.gradient(paths, axis=1)
    tangents /= np.maximum(np.linalg.norm(tangents, axis=2, keepdims=True), 1e-9)
    _, outward = skin.above(paths.reshape(-1, 3))
    outward = outward.reshape(paths.shape)
    outward[:, 1:-1] = (outward[:, :-2] + outward[:, 1:-1] + outward[:, 2:]) / 3
    across = np.cross(tangents, outward)
    across /= np.maximum(np.linalg.norm(across, axis=2, keepdims=True), 1e-9)
    twist = random.uniform(-0.35, 0.35, count)[:, None, None]
    across = across * np.cos(twist) + outward * np.sin(twist)
    pointed = np.minimum(1.0, 0.3 + np.linspace(0, 1, steps) / ROOT_TAPER)[None, :, None]
    half = 0.5 * width[:, None, None] * pointed * across
    points = np.stack([paths - half, paths + half], axis=2).reshape(-1, 3)
    tile = random.integers(first_tile, TILES, count)
    flip = random.random(count) < 0.5
    left = np.where(flip, tile + 0.97, tile + 0.03) / TILES
    right = np.where(flip, tile + 0.03, tile + 0.97) / TILES
    t = np.linspace(0, 1, steps)
    u = np.stack([left, right], axis=1)[:, None, :] * np.ones((1, steps, 1))
    v = np.broadcast_to(0.005 + (HAIR_BOTTOM - 0.005) * t[None, :, None], u.shape)
    each = 2 * steps
    order = np.argsort(paths[:, steps // 2, 2] + 2.5 * depth, kind="stable")
    rows = np.arange(steps - 1) * 2
    one = np.stack([rows, rows + 1, rows + 3, rows + 2], axis=1)
    quads = (order[:, None, None] * each + one[None]).reshape(-1, 4)
    return Locks(
        points,
        np.repeat(tangents, 2, axis=1).reshape(-1, 3),
        np.repeat(outward, 2, axis=1).reshape(-1, 3),
        np.stack([u.ravel(), v.ravel(), np.ones(u.size)], axis=1),
        np.repeat(random.random(count), each),
        np.repeat(depth, each),
        np.tile(np.repeat(t, 2), count),
        quads,
    )
