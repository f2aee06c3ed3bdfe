"""The people of the painted face: their shapes and colours.

Lengths are in half-widths of a head. x points to the right of the picture, y down and z towards
whoever looks, from the middle of the head. Shapes are the points of a closed smooth curve.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from goassist_desktop.avatar.curves import Points, both_sides, points

Colour = tuple[int, int, int]


@dataclass(frozen=True, slots=True, eq=False)
class Portrait:
    """One person. Brows and locks are given for the right of the picture, and mirrored."""

    background: tuple[Colour, Colour]
    """In the middle and at the edges."""
    skin: tuple[Colour, Colour, Colour]
    """Lit, in the middle and in shadow."""
    blush: float
    """How rosy the cheeks are, from 0 to 1."""
    lips: tuple[Colour, Colour, Colour]
    """The upper one, the lower one, and the light on it."""
    full: float
    """Thickness of the lips."""
    iris: tuple[Colour, Colour]
    """Inside, and at the rim."""
    hair: tuple[Colour, Colour]
    """Dark and shining."""
    brow: Colour
    clothes: tuple[Colour, Colour]
    face: Points
    neck: float
    shoulders: Points
    neckline: Points
    hair_back: Points | None
    hair_front: tuple[Points, ...]
    beard: Points | None
    ears: bool
    brow_line: Points
    brow_thick: float
    eye: tuple[float, float, float]
    """Half its width, and its height above and below the line of its corners."""
    lash: float
    """Thickness of the upper lashes."""


def _lock(outer: Points, inner: Points) -> Points:
    """A shape whose outer edge lies behind its inner one, so that it wraps around the head."""
    shape = np.concatenate([outer, inner])
    shape[: len(outer), 2] = -0.25
    shape[len(outer) :, 2] = 0.45
    return shape


_MIRA = Portrait(
    background=((62, 74, 92), (28, 34, 45)),
    skin=((255, 226, 204), (243, 196, 168), (205, 142, 118)),
    blush=0.5,
    lips=((190, 82, 86), (212, 104, 104), (240, 158, 152)),
    full=1.0,
    iris=((126, 178, 150), (44, 92, 84)),
    hair=((74, 36, 26), (164, 90, 54)),
    brow=(92, 50, 36),
    clothes=((32, 118, 122), (18, 78, 86)),
    face=both_sides(
        (0, -1.22), (0.45, -1.17), (0.79, -0.86), (0.93, -0.4), (0.935, 0.02), (0.875, 0.42),
        (0.71, 0.82), (0.44, 1.11), (0.19, 1.25), (0, 1.27),
    ),
    neck=0.37,
    shoulders=both_sides(
        (0, 1.75), (0.35, 1.74), (0.62, 1.8), (1.15, 1.94), (1.62, 2.12), (1.86, 2.5), (1.95, 3.4),
        (0, 3.6),
    ),
    neckline=both_sides((0, 1.55), (0.5, 1.72), (0.66, 1.84), (0.5, 2.02), (0.22, 2.2), (0, 2.24)),
    hair_back=both_sides(
        (0, -1.5), (0.55, -1.44), (0.96, -1.14), (1.15, -0.6), (1.2, 0), (1.22, 0.6), (1.24, 1.15),
        (1.12, 1.62), (0.72, 1.8), (0.3, 1.7), (0, 1.6),
        z=-0.4,
    ),
    hair_front=(
        _lock(
            points(
                (-0.36, -1.5), (0.02, -1.625), (0.55, -1.56), (1.0, -1.2), (1.18, -0.62),
                (1.23, 0), (1.26, 0.6), (1.3, 1.15), (1.22, 1.56), (1.04, 1.74),
            ),
            points(
                (0.9, 1.58), (0.86, 1.3), (0.9, 0.95), (0.925, 0.5), (0.92, 0.1), (0.87, -0.3),
                (0.7, -0.72), (0.36, -1.02), (-0.02, -1.17), (-0.3, -1.24),
            ),
        ),
        _lock(
            points(
                (-1.04, 1.74), (-1.22, 1.56), (-1.3, 1.15), (-1.26, 0.6), (-1.23, 0),
                (-1.18, -0.62), (-1.0, -1.2), (-0.7, -1.44), (-0.36, -1.53),
            ),
            points(
                (-0.3, -1.24), (-0.52, -1.06), (-0.74, -0.72), (-0.87, -0.3), (-0.92, 0.1),
                (-0.925, 0.5), (-0.9, 0.95), (-0.86, 1.3), (-0.9, 1.58),
            ),
        ),
    ),
    beard=None,
    ears=False,
    brow_line=points((0.17, -0.37), (0.34, -0.455), (0.51, -0.455), (0.67, -0.36)),
    brow_thick=0.055,
    eye=(0.215, 0.125, 0.085),
    lash=0.042,
)  # fmt: skip

_JONAS = Portrait(
    background=((70, 72, 84), (30, 32, 42)),
    skin=((244, 206, 176), (222, 172, 138), (174, 120, 92)),
    blush=0.22,
    lips=((160, 86, 76), (184, 110, 98), (212, 150, 136)),
    full=0.74,
    iris=((128, 152, 186), (52, 76, 116)),
    hair=((34, 26, 24), (92, 72, 60)),
    brow=(40, 30, 27),
    clothes=((52, 66, 104), (30, 40, 70)),
    face=both_sides(
        (0, -1.22), (0.48, -1.16), (0.82, -0.86), (0.95, -0.38), (0.955, 0.08), (0.915, 0.52),
        (0.8, 0.92), (0.54, 1.21), (0.25, 1.33), (0, 1.345),
    ),
    neck=0.52,
    shoulders=both_sides(
        (0, 1.62), (0.5, 1.62), (0.86, 1.76), (1.5, 1.92), (2.02, 2.14), (2.22, 2.6), (2.3, 3.4),
        (0, 3.6),
    ),
    neckline=both_sides((0, 1.4), (0.52, 1.5), (0.6, 1.64), (0.46, 1.8), (0.22, 1.87), (0, 1.89)),
    hair_back=None,
    hair_front=(
        _lock(
            points(
                (-0.955, 0.06), (-1.0, -0.4), (-1.03, -0.88), (-0.9, -1.3), (-0.5, -1.56),
                (0.0, -1.67), (0.5, -1.63), (0.88, -1.36), (1.03, -0.9), (1.0, -0.4), (0.955, 0.06),
            ),
            points(
                (0.9, 0.06), (0.885, -0.35), (0.84, -0.68), (0.68, -0.86), (0.4, -0.93),
                (0.12, -1.02), (-0.2, -1.0), (-0.5, -0.88), (-0.72, -0.82), (-0.84, -0.66),
                (-0.885, -0.35), (-0.9, 0.06),
            ),
        ),
    ),
    beard=points(
        (0.9, 0.0), (0.86, 0.3), (0.76, 0.55), (0.58, 0.62), (0.42, 0.56), (0.22, 0.5),
        (0.06, 0.52), (-0.06, 0.52), (-0.22, 0.5), (-0.42, 0.56), (-0.58, 0.62), (-0.76, 0.55),
        (-0.86, 0.3), (-0.9, 0.0),
        z=0.5,
    ),
    ears=True,
    brow_line=points((0.15, -0.345), (0.33, -0.4), (0.52, -0.41), (0.7, -0.33)),
    brow_thick=0.088,
    eye=(0.2, 0.1, 0.075),
    lash=0.026,
)  # fmt: skip

PORTRAITS = {"mira": _MIRA, "jonas": _JONAS}
