"""Where hair grows on a head."""

import numpy as np

from head_bake.anatomy import AXIS_Z
from head_bake.source import Floats

AZIMUTHS = np.radians([0, 22, 36, 46, 56, 63, 70, 78, 112, 122, 150, 180])
"""From the front, about the vertical axis of the head, to both sides."""
HAIRLINES = {
    "round": np.array([0.74, 0.73, 0.66, 0.53, 0.32, 0.02, -0.14, 0.16, 0.10, -0.35, -0.78, -0.85]),
    "receding": np.array(
        [0.75, 0.77, 0.79, 0.62, 0.38, 0.00, -0.24, 0.16, 0.10, -0.35, -0.78, -0.82]
    ),
}
"""Heights above the eyes at these azimuths, in decimetres."""


def above_hairline(points: Floats, hairline: str) -> Floats:
    """How far points (..., 3) lie above the hairline; negative below."""
    azimuth = np.abs(np.arctan2(points[..., 0], points[..., 2] - AXIS_Z))
    return points[..., 1] - np.interp(azimuth, AZIMUTHS, HAIRLINES[hairline])
