"""One step of Catmull-Clark, as a matrix: whatever is linear in the points subdivides exactly.

E. Catmull, J. Clark, "Recursively generated B-spline surfaces on arbitrary topological meshes"
(1978); the rule at borders is that of the cubic B-spline.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse

Quads = npt.NDArray[np.int64]
sparse: Any = scipy.sparse
"""scipy has no types."""


def subdivide(quads: Quads, count: int) -> tuple[Any, Quads]:
    """The matrix (m, count) from old points to new ones, and the new quads (4f, 4).

    `quads` (f, 4) index `count` points. The new points are, in this order: one for each old point,
    one for each edge, one for each quad.
    """
    faces = len(quads)
    sides = np.stack([quads, np.roll(quads, -1, axis=1)], axis=2)  # (f, 4, 2)
    edges, edge_of, uses = np.unique(
        np.sort(sides.reshape(-1, 2), axis=1), axis=0, return_inverse=True, return_counts=True
    )
    edge_of = edge_of.reshape(faces, 4)
    inner = uses == 2

    centres = _matrix(np.repeat(np.arange(faces), 4), quads.ravel(), 0.25, (faces, count))
    middles = _matrix(np.repeat(np.arange(len(edges)), 2), edges.ravel(), 0.5, (len(edges), count))
    beside = _matrix(edge_of.ravel(), np.repeat(np.arange(faces), 4), 0.25, (len(edges), faces))
    edge_points = (
        _scaled(np.where(inner, 0.5, 1.0), middles) + _scaled(inner * 1.0, beside) @ centres
    )

    valence = np.bincount(quads.ravel(), minlength=count).astype(float)
    at_border = np.zeros(count, bool)
    at_border[edges[~inner].ravel()] = True
    inside = ~at_border & (valence > 0)
    per_valence = np.divide(1.0, valence, out=np.zeros(count), where=valence > 0)
    around = _matrix(quads.ravel(), np.repeat(np.arange(faces), 4), 1.0, (count, faces))
    along = _matrix(edges.ravel(), np.repeat(np.arange(len(edges)), 2), 1.0, (count, len(edges)))
    border_along = _matrix(
        edges[~inner].ravel(), np.repeat(np.flatnonzero(~inner), 2), 0.25, (count, len(edges))
    )
    keep = np.where(inside, 1 - 3 * per_valence, np.where(at_border, 0.5, 1.0))
    vertex_points = (
        sparse.diags_array(keep)
        + _scaled(inside * per_valence**2, around) @ centres
        + _scaled(inside * 2 * per_valence**2, along) @ middles
        + border_along @ middles
    )

    corner, edge, face = quads, count + edge_of, count + len(edges) + np.arange(faces)[:, None]
    new_quads = np.stack(
        [corner, edge, np.broadcast_to(face, (faces, 4)), np.roll(edge, 1, axis=1)], axis=2
    )
    matrix = sparse.vstack([vertex_points, edge_points, centres]).tocsr()
    return sparse.csr_array(matrix), new_quads.reshape(-1, 4)


def _matrix(
    rows: npt.NDArray[np.int64],
    columns: npt.NDArray[np.int64],
    value: float,
    shape: tuple[int, int],
) -> Any:
    return sparse.csr_array((np.full(len(rows), value), (rows, columns)), shape=shape)


def _scaled(by: npt.NDArray[np.float64], matrix: Any) -> Any:
    return sparse.diags_array(by) @ matrix
