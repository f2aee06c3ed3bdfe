"""Smooth shapes from a few points."""

from __future__ import annotations

import math
from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt

Flat = npt.NDArray[np.float64]
"""(n, 2) of x, y."""
Points = npt.NDArray[np.float64]
"""(n, 3) of x, y, z."""

SMOOTH: Final = 8
"""Points on a curve for each that is given."""


def points(*xy: tuple[float, float], z: float = 0.0) -> Points:
    return np.array([(x, y, z) for x, y in xy])


def both_sides(*right: tuple[float, float], z: float = 0.0) -> Points:
    """A symmetric closed shape from its right half, given from the top to the bottom."""
    left = [(-x, y) for x, y in reversed(right) if x > 0]
    return points(*right, *left, z=z)


def mirrored(shape: Points) -> Points:
    return shape[::-1] * (-1.0, 1.0, 1.0)


@cache
def _weights_of_curve(count: int, closed: bool) -> npt.NDArray[np.float64]:
    """(points on the curve, count) for a Catmull-Rom spline (Catmull and Rom, 1974)."""
    rows = []
    for n in range(count if closed else count - 1):
        index = [n - 1, n, n + 1, n + 2]
        index = [i % count if closed else min(max(i, 0), count - 1) for i in index]
        for t in np.arange(SMOOTH) / SMOOTH:
            row = np.zeros(count)
            share = (
                (-t + 2 * t**2 - t**3) / 2,
                (2 - 5 * t**2 + 3 * t**3) / 2,
                (t + 4 * t**2 - 3 * t**3) / 2,
                (-(t**2) + t**3) / 2,
            )
            for i, weight in zip(index, share, strict=True):
                row[i] += weight
            rows.append(row)
    return np.array(rows)


def curve(shape: Points) -> Points:
    """A closed smooth curve through the points."""
    return _weights_of_curve(len(shape), True) @ shape


def open_curve(shape: Points) -> Points:
    return _weights_of_curve(len(shape), False) @ shape


def oval(x: float, y: float, half_width: float, half_height: float, z: float) -> Points:
    turn = np.linspace(0, 2 * math.pi, 24, endpoint=False)
    return np.column_stack(
        [x + half_width * np.cos(turn), y + half_height * np.sin(turn), np.full(24, z)]
    )
