"""A knitted top with a round neck, cut from the body."""

import numpy as np
from scipy.interpolate import LinearNDInterpolator

from goassist_desktop.pipeline.blendshapes import COUNT
from head_bake.anatomy import Cage, joined
from head_bake.people import Neckline
from head_bake.source import Floats, Ints

LIFT = 0.055
"""How far the cloth lies above the skin."""
OVERLAP = 0.10
"""How far the skin goes on beneath the cloth."""
SMOOTH_WAVES = 7
"""Waves around the neck that the neckline may have, less one."""
SMOOTHINGS = 12
"""What lies below the skin, collarbones above all, does not show through cloth."""
AROUND = 72
PROFILE = np.array(
    [
        [0.105, -0.02],
        [0.100, 0.035],
        [0.082, 0.085],
        [0.050, 0.115],
        [0.022, 0.100],
        [0.008, 0.03],
        [0.0, -0.08],
    ]
)
"""The collar cut across, from the outside up and in again: outward and up from its curve."""


def dress(skin: Cage, neckline: Neckline) -> tuple[Cage, Cage]:
    """The skin that is still seen, and the top."""
    below = _below(skin.points, neckline)
    hidden = (below > OVERLAP)[skin.quads].all(axis=1)
    kept = (below > 0)[skin.quads].any(axis=1)
    curve, angles = _curve(skin.points, neckline)
    top = _top(skin.points, skin.quads[kept], curve, angles, neckline)
    return skin.only(skin.quads[~hidden]), joined([top, _collar(curve, angles, neckline)])


def _around(points: Floats, neckline: Neckline) -> Floats:
    """The angle about the neck, 0 in front, rising to the person's left."""
    return np.arctan2(points[:, 0], points[:, 2] - neckline.middle_z)


def _height(angle: Floats, neckline: Neckline) -> Floats:
    end = np.where(np.cos(angle) > 0, neckline.front_y, neckline.back_y)
    return neckline.side_y + (end - neckline.side_y) * np.cos(angle) ** 2


def _below(points: Floats, neckline: Neckline) -> Floats:
    """How far below the neckline points lie."""
    return _height(_around(points, neckline), neckline) - points[:, 1]


def _curve(points: Floats, neckline: Neckline) -> tuple[Floats, Floats]:
    """The neckline on the body (AROUND, 3), and its angles about the neck."""
    near = points[np.abs(_below(points, neckline)) < 0.4]
    angle = _around(near, neckline)
    radius = np.hypot(near[:, 0], near[:, 2] - neckline.middle_z)
    places = np.concatenate(
        [np.c_[angle + turn, near[:, 1]] for turn in (-2 * np.pi, 0.0, 2 * np.pi)]
    )
    angles = 2 * np.pi * np.arange(AROUND) / AROUND
    height = _height(angles, neckline)
    found = LinearNDInterpolator(places, np.tile(radius, 3))(angles, height)
    smooth = np.fft.rfft(found)
    smooth[SMOOTH_WAVES:] = 0
    radii = np.fft.irfft(smooth, AROUND) + 0.015
    x, z = radii * np.sin(angles), radii * np.cos(angles) + neckline.middle_z
    return np.c_[x, height, z], angles


def _collar(curve: Floats, angle: Floats, neckline: Neckline) -> Cage:
    outward = np.c_[np.sin(angle), np.zeros(AROUND), np.cos(angle)]
    along = np.roll(curve, -1, axis=0) - np.roll(curve, 1, axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    up = np.cross(along, outward)
    up *= np.sign(up[:, 1:2])
    up = up / np.linalg.norm(up, axis=1, keepdims=True) * 0.5 + np.array([0, 0.5, 0])
    outward, up = outward * neckline.thickness, up * neckline.thickness
    rings = [curve + out * outward + rise * up for out, rise in PROFILE]
    points = np.concatenate(rings)
    at = np.arange(len(points)).reshape(len(PROFILE), AROUND)
    beside = np.roll(at, -1, axis=1)
    quads = np.stack([at[:-1], beside[:-1], beside[1:], at[1:]], axis=2).reshape(-1, 4)
    return _cloth(points, quads, marks=1.0)


def _top(points: Floats, quads: Ints, curve: Floats, angles: Floats, neckline: Neckline) -> Cage:
    used, at = np.unique(quads, return_inverse=True)
    quads = at.reshape(quads.shape)
    points = points[used].copy()
    pairs = np.unique(
        np.sort(np.concatenate([quads[:, [i, (i + 1) % 4]] for i in range(4)])), axis=0
    )
    inner = _below(points, neckline) < 0.02
    angle = _around(points[inner], neckline)
    points[inner] = np.stack(
        [np.interp(angle, angles, values, period=2 * np.pi) for values in curve.T], axis=1
    )
    normals = point_normals(points, quads[:, [0, 1, 2, 0, 2, 3]].reshape(-1, 3))
    points += LIFT * normals * np.where(inner, 0.5, 1.0)[:, None]
    for _ in range(SMOOTHINGS):
        total = np.zeros_like(points)
        count = np.zeros(len(points))
        for a, b in (pairs.T, pairs.T[::-1]):
            np.add.at(total, a, points[b])
            np.add.at(count, a, 1)
        mean = total / count[:, None]
        points = np.where(inner[:, None], points, 0.5 * points + 0.5 * mean)
    return _cloth(points, quads, marks=0.0)


def point_normals(points: Floats, triangles: Ints) -> Floats:
    """Unit normals (n, 3), weighted by the areas of the triangles around."""
    a, b, c = (points[triangles[:, corner]] for corner in range(3))
    flat = np.cross(b - a, c - a)
    normals = np.zeros_like(points)
    for corner in range(3):
        np.add.at(normals, triangles[:, corner], flat)
    return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)


def _cloth(points: Floats, quads: Ints, marks: float) -> Cage:
    count = len(points)
    return Cage(
        points,
        quads,
        np.zeros((COUNT, count, 3)),
        np.full(count, marks),
        np.zeros(count),
    )
