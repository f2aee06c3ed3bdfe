"""Blendshape weights that bring a mesh near a target, by least squares, as Audio2Face-3D does.

With A (3m, k) the displacements of the k active poses, and d (3m,) that of the target, the weights
w in [0, 1] are those at which

    |A w - d|² + s (L1²/4 (Σw)² + 10 L2 |w|² + 100 T |w - w_before|² + 10 Sym |S w|²)

is least. s = (diagonal of the mesh's bounding box / template size)² makes the strengths independent
of the head's size, and a row of S is the difference of a pose and its mirror image. Of two poses
that cancel each other the weaker one is given up, and the rest solved again.

The constants are those of Audio2Face-3D's own solver, with two differences. There the normal
equations M w = b themselves are solved in the bounds, by least squares; here it is their Cholesky
factor R, |R w - R⁻ᵀ b|, which has the same minimum as the sum above, also where a bound is met. And
w_before counts as much on the right side as on the left, so that a face that does not move is not
drawn towards zero.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.linalg import solve_triangular
from scipy.optimize import lsq_linear

from goassist_desktop.pipeline.errors import EngineFailed

Array = npt.NDArray[np.float64]

L1_SCALE = 0.25
L2_SCALE = 10.0
TEMPORAL_SCALE = 100.0
SYMMETRY_SCALE = 10.0
ROUNDS_PER_POSE = 10
"""Of the solver, before what it has is taken; a pose enters or leaves its bounds in each."""


@dataclass(frozen=True, slots=True, eq=False)
class Settings:
    """How the weights of p poses are sought. Arrays are (p,)."""

    active: npt.NDArray[np.bool_]
    """Which poses take part; the weight of the others is 0."""
    cancel: npt.NDArray[np.int64]
    """Poses of the same number >= 0 exclude each other."""
    symmetry: npt.NDArray[np.int64]
    """Poses of the same number >= 0 are mirror images."""
    multipliers: Array
    offsets: Array
    """Weights found are multiplied by these and raised by those, and are then held in [0, 1]."""
    l1: float
    l2: float
    temporal: float
    mirrored: float
    """The strengths L1, L2, T and Sym."""
    template_size: float


class BlendshapeSolve:
    """The part of the work that is the same for every target is done once, here."""

    def __init__(self, deltas: Array, size: float, settings: Settings) -> None:
        """`deltas` (p, 3m): each pose less the neutral one. `size`: the diagonal of the neutral
        mesh's bounding box, in the unit of the settings' template size.

        Raises EngineFailed where poses can not be told apart.
        """
        self._settings = settings
        self._poses = np.flatnonzero(settings.active)
        self._columns = deltas[self._poses].T
        count = len(self._poses)
        scale = (size / settings.template_size) ** 2
        self._inertia = TEMPORAL_SCALE * settings.temporal * scale
        mirror = _differences(settings.symmetry[self._poses])
        normal = (
            self._columns.T @ self._columns
            + L1_SCALE * settings.l1**2 * scale * np.ones((count, count))
            + (L2_SCALE * settings.l2 * scale + self._inertia) * np.eye(count)
            + SYMMETRY_SCALE * settings.mirrored * scale * mirror.T @ mirror
        )
        try:
            self._factor = np.linalg.cholesky(normal).T
        except np.linalg.LinAlgError as error:
            raise EngineFailed("two poses are the same but for their names") from error
        self._pairs = _pairs(settings.cancel[self._poses])

    @property
    def count(self) -> int:
        """Of active poses: k."""
        return len(self._poses)

    def project(self, displacements: Array) -> Array:
        """Aᵀ d for each of displacements (..., 3m), as (..., k): all `solve` wants to know of d."""
        return displacements @ self._columns

    def solve(self, projected: Array, before: Array) -> Array:
        """Weights (k,) in [0, 1] of the active poses, for a target `projected` (k,).

        `before` (k,): the weights of the frame before.
        """
        wanted = projected + self._inertia * before
        aim = solve_triangular(self._factor, wanted, trans="T", check_finite=False)
        found = self._bounded(aim, np.arange(self.count))
        weaker = [a if found[a] < found[b] else b for a, b in self._pairs]
        if any(found[index] > 0 for index in weaker):
            found = self._bounded(aim, np.setdiff1d(np.arange(self.count), weaker))
        return found

    def weights(self, solved: Array) -> Array:
        """What `solve` found, as the weights (p,) of all poses."""
        spread = np.zeros(len(self._settings.active))
        spread[self._poses] = solved
        return np.clip(spread * self._settings.multipliers + self._settings.offsets, 0.0, 1.0)

    def _bounded(self, aim: Array, columns: npt.NDArray[np.int64]) -> Array:
        best = lsq_linear(  # type: ignore[operator]
            self._factor[:, columns],
            aim,
            (0.0, 1.0),
            method="bvls",
            max_iter=ROUNDS_PER_POSE * self.count,
        )
        found = np.zeros(self.count)
        found[columns] = np.clip(best.x, 0.0, 1.0)
        return found


def _pairs(ids: npt.NDArray[np.int64]) -> list[tuple[int, int]]:
    """Places of the same id >= 0, two and two; an id that stands alone has lost its other."""
    places: dict[int, list[int]] = {}
    for place, number in enumerate(ids.tolist()):
        if number >= 0:
            places.setdefault(number, []).append(place)
    return [(two[0], two[1]) for two in places.values() if len(two) == 2]


def _differences(ids: npt.NDArray[np.int64]) -> Array:
    """(pairs, k): a row for each pair, 1 for the one and -1 for the other."""
    pairs = _pairs(ids)
    rows = np.zeros((len(pairs), len(ids)))
    for row, (a, b) in zip(rows, pairs, strict=True):
        row[a], row[b] = 1.0, -1.0
    return rows
