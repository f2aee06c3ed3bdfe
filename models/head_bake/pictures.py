"""The painted pictures of a head, as they are stored."""

import numpy as np

from head_bake.anatomy import Anatomy
from head_bake.iris import iris
from head_bake.noise import Noise
from head_bake.raster import Raster
from head_bake.skin import skin
from head_bake.source import Floats, Ints
from head_bake.strands import strands

Pixels = np.ndarray


def paint(
    body: Anatomy, raster: Raster, points: Floats, triangles: Ints, lids: Floats
) -> dict[str, tuple[Pixels, str]]:
    """By name the pixels and the format; colours are square roots of linear light."""
    noise = Noise(body.person.seed)
    albedo, detail = skin(body, noise, raster, points, triangles, lids)
    return {
        "skin": (_bytes(np.sqrt(albedo)), "JPEG"),
        "detail": (_bytes(detail), "JPEG"),
        "iris": (_bytes(np.sqrt(iris(body.person, noise))), "JPEG"),
        "strands": (_bytes(strands(noise)), "PNG"),
    }


def _bytes(values: Floats) -> Pixels:
    return np.round(np.clip(values, 0, 1) * 255).astype(np.uint8)
