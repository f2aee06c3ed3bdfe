"""Noise that is the same every time: random values on a lattice, read in between."""

import numpy as np
from scipy import ndimage

from head_bake.source import Floats

LATTICE = 64


class Noise:
    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self._lattice = self.random.random((LATTICE, LATTICE, LATTICE), np.float32)

    def at(self, points: Floats, frequency: float | Floats) -> Floats:
        """Values around 0 within ±0.5 for points (..., 3); `frequency` in changes per unit."""
        places = np.moveaxis(np.asarray(points) * frequency, -1, 0) % LATTICE
        return ndimage.map_coordinates(self._lattice, places, order=1, mode="grid-wrap") - 0.5

    def octaves(self, points: Floats, frequency: float, count: int) -> Floats:
        """Ever finer noise, each octave with half the height of the one before."""
        return sum(
            self.at(points + 7.3 * octave, frequency * 2**octave) / 2**octave
            for octave in range(count)
        )


def smoothstep(low: float, high: float, values: Floats) -> Floats:
    share = np.clip((values - low) / (high - low), 0, 1)
    return share * share * (3 - 2 * share)
