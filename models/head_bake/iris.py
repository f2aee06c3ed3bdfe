"""The iris: fibres around a pupil, a lighter ring within, a dark one at the rim."""

import numpy as np

from head_bake.noise import Noise, smoothstep
from head_bake.people import Person
from head_bake.source import Floats

PIXELS = 256
PUPIL = 0.34
"""Its radius, of that of the iris."""


def iris(person: Person, noise: Noise) -> Floats:
    """Albedo in linear light (n, n, 3)."""
    grid = (np.arange(PIXELS) + 0.5) / PIXELS * 2 - 1
    x, y = np.meshgrid(grid, grid)
    r, angle = np.hypot(x, y), np.arctan2(y, x)

    def fibres(count: float, stretch: float) -> Floats:
        """Noise that changes around the iris much faster than across."""
        return noise.at(
            np.stack([np.cos(angle) * count, np.sin(angle) * count, r * stretch], -1), 1.0
        )

    threads = fibres(9, 2.5) + 0.7 * fibres(19, 3.5) + 0.4 * fibres(34, 5.0)
    ring = 0.52 + 0.05 * fibres(6, 1.0)
    inner = smoothstep(ring + 0.14, ring - 0.10, r)
    colour = (
        np.array(person.iris) * (1 - inner[..., None])
        + np.array(person.iris_inner) * inner[..., None]
    )
    colour = colour * (1 + 1.1 * threads[..., None])
    colour *= 1 + 0.5 * np.exp(-(((r - ring) / 0.05) ** 2))[..., None]
    colour *= 1 - 0.85 * smoothstep(0.76, 0.99, r)[..., None]
    colour *= smoothstep(PUPIL - 0.02, PUPIL + 0.06, r)[..., None] * 0.995 + 0.005
    return np.clip(colour, 0, 1)
