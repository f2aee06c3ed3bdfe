"""How open each point is: to the surroundings (ambient occlusion) and to the key light."""

import numpy as np

from head_bake.raster import Raster
from head_bake.source import Floats, Ints

SKY_DIRECTIONS = 192
KEY_DIRECTIONS = 24
KEY = np.array([-0.50, 0.50, 0.80])
"""That of the renderer."""
KEY_SPREAD = 0.16
"""Radians from the middle of the lamp to its edge: it is a large one."""
MIDDLE = np.array([0.0, -0.8, -0.5])


def openness(
    raster: Raster, points: Floats, normals: Floats, scene: Floats, triangles: Ints
) -> Floats:
    """(n, 2) in [0, 1]: to the surroundings, weighted by the cosine, and to the key light."""
    sky = _sphere(SKY_DIRECTIONS)
    raised = points + 0.006 * normals
    seen = raster.seen_from(sky, raised, scene, triangles, MIDDLE)
    cosine = np.maximum(sky @ normals.T, 0.0)
    around = (seen * cosine).sum(axis=0) / np.maximum(cosine.sum(axis=0), 1e-9)
    lamp = raster.seen_from(_lamp(), raised, scene, triangles, MIDDLE)
    return np.stack([around, lamp.mean(axis=0)], axis=1)


def _sphere(count: int) -> Floats:
    """Directions evenly over the sphere, along a golden spiral."""
    y = 1 - (2 * np.arange(count) + 1) / count
    angle = np.pi * (3 - np.sqrt(5)) * np.arange(count)
    across = np.sqrt(1 - y * y)
    return np.stack([across * np.cos(angle), y, across * np.sin(angle)], axis=1)


def _lamp() -> Floats:
    key = KEY / np.linalg.norm(KEY)
    side = np.cross([0.0, 1.0, 0.0], key)
    side /= np.linalg.norm(side)
    up = np.cross(key, side)
    away = KEY_SPREAD * np.sqrt((np.arange(KEY_DIRECTIONS) + 0.5) / KEY_DIRECTIONS)
    angle = np.pi * (3 - np.sqrt(5)) * np.arange(KEY_DIRECTIONS)
    rays = key + away[:, None] * (np.cos(angle)[:, None] * side + np.sin(angle)[:, None] * up)
    return rays / np.linalg.norm(rays, axis=1, keepdims=True)
