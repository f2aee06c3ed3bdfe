"""Puts the parts of a head together: what goes into its file."""

from dataclasses import dataclass, replace

import numpy as np

from goassist_desktop.avatar.subdivision import subdivide
from goassist_desktop.pipeline.blendshapes import INDEX
from head_bake import anatomy, clothes, light, pictures, teeth
from head_bake.anatomy import Anatomy, Cage, joined
from head_bake.clothes import point_normals
from head_bake.hair import Locks, Surface, grow
from head_bake.people import Person
from head_bake.raster import Raster
from head_bake.ribbons import Ribbons, lashes, with_hair
from head_bake.source import Floats, Ints

FOLLOW_BOTTOM, FOLLOW_TOP = -1.95, -1.10
"""Over this part of the neck the skin takes up the turn of the head."""
JAW_OPEN = INDEX["jawOpen"]
HAIR_SHADE = 0.6
"""How much of the light behind a lock of hair it keeps out."""
EVEN_BELOW, EVEN_LEAST = -1.35, (0.35, 0.0)
EVENINGS = 6
"""Around the collar the light on the points hidden beneath it must not show on those beside it."""
NECK_Y, NAPE_Y = -1.9, -1.0
"""Hair lies on the skin above the one and grows above the other."""
TONGUE_WIDTH, TONGUE_BACK = 0.80, np.array([0.0, -0.022, -0.022])
INNER_LEAST = 0.07
"""Light that flesh scatters into the mouth, which occlusion does not know of."""
OPEN = 0.6
"""Of the jaw, when the light inside the mouth is taken."""


@dataclass
class Baked:
    person: Person
    points: Floats
    places: Floats
    marks: Floats
    quads: Ints
    quad_counts: list[int]
    shapes: Floats
    light: dict[str, Floats]
    ribbons: Ribbons
    eye_centres: Floats
    eye_radius: float
    eye_turns: Floats
    pictures: dict[str, tuple[np.ndarray, str]]

    def summary(self) -> str:
        return (
            f"{len(self.points)} points, {len(self.quads)} quads,"
            f" {len(self.ribbons.points)} points of ribbons"
        )


def follow(points: Floats) -> Floats:
    """How far points follow the head: 0 at the shoulders, 1 above the chin."""
    share = np.clip((points[:, 1] - FOLLOW_BOTTOM) / (FOLLOW_TOP - FOLLOW_BOTTOM), 0, 1)
    return share * share * (3 - 2 * share)


def bake(body: Anatomy) -> Baked:
    raster = Raster()
    mouth = joined(
        [teeth.row(body.upper_teeth, "upper"), teeth.row(body.lower_teeth, "lower"), tongue(body)]
    )
    skin, cloth = clothes.dress(body.skin, body.person.neckline)
    parts = [skin, mouth, cloth]
    whole = joined(parts)
    places = np.c_[anatomy.skin_map(whole.points), follow(whole.points)]
    matrix, fine_quads = subdivide(whole.quads, len(whole.points))
    fine = matrix @ whole.points
    triangles = fine_quads[:, [0, 1, 2, 0, 2, 3]].reshape(-1, 3)
    skin_triangles = triangles[: 8 * len(skin.quads)]
    ribbons = lashes(body)
    rims = ribbons.points[ribbons.places[:, 1] == ribbons.places[:, 1].min()]
    lit, hair = _lit_with_hair(raster, body, fine, triangles, len(skin_triangles))
    ribbons = with_hair(ribbons, *hair)
    opened = fine + OPEN * (matrix @ whole.shapes[JAW_OPEN])
    inner = (matrix @ np.maximum(whole.inside, _is_part(parts, 1))) > 0.02
    lit = np.where(inner[:, None], np.maximum(lit, _lit(raster, opened, triangles)), lit)
    lit = np.where(inner[:, None], INNER_LEAST + (1 - INNER_LEAST) * lit**0.75, lit)
    lit = _evened(lit, fine_quads, fine[:, 1] < EVEN_BELOW)
    return Baked(
        body.person,
        whole.points,
        places,
        np.c_[whole.marks, whole.inside],
        whole.quads,
        [len(part.quads) for part in parts],
        np.concatenate([whole.shapes, ribbons.shapes], axis=1),
        {"small": lit[: len(whole.points)], "large": lit},
        ribbons,
        body.eye_centres,
        body.eye_radius,
        body.eye_turns,
        pictures.paint(body, raster, fine, skin_triangles, rims),
    )


def tongue(body: Anatomy) -> Cage:
    """Between the teeth, which are thicker than the bands of the base mesh were."""
    points = body.tongue.points * [TONGUE_WIDTH, 1.0, 1.0] + TONGUE_BACK
    return replace(body.tongue, points=points, marks=np.ones(len(points)))


def _lit(raster: Raster, points: Floats, triangles: Ints) -> Floats:
    normals = point_normals(points, triangles)
    return light.openness(raster, points, normals, points, triangles)


def _lit_with_hair(
    raster: Raster, body: Anatomy, points: Floats, triangles: Ints, skin_triangles: int
) -> tuple[Floats, list[tuple[Locks, Floats]]]:
    """The openness of the points, and the hair of the small and of the large head with its own."""
    normals = point_normals(points, triangles)
    bare = light.openness(raster, points, normals, points, triangles)
    used = np.unique(triangles[:skin_triangles])
    used = used[points[used, 1] > NECK_Y]
    surface = Surface(points[used], normals[used])
    scalp = used[points[used, 1] > NAPE_Y]
    grown = []
    for fine in (False, True):
        locks = grow(body.person, surface, points[scalp], normals[scalp], fine)
        grown.append(
            (locks, light.openness(raster, locks.points, locks.outward, points, triangles))
        )
    locks = grown[1][0]
    scene = np.concatenate([points, locks.points])
    hair_triangles = locks.quads[:, [0, 1, 2, 0, 2, 3]].reshape(-1, 3) + len(points)
    shaded = light.openness(
        raster, points, normals, scene, np.concatenate([triangles, hair_triangles])
    )
    return bare + HAIR_SHADE * (shaded - bare), grown


def _evened(values: Floats, quads: Ints, where: Floats) -> Floats:
    """Values of points smoothed along the edges of quads, where asked."""
    pairs = np.concatenate([quads[:, [0, 1]], quads[:, [1, 2]], quads[:, [2, 3]], quads[:, [3, 0]]])
    degree = np.bincount(pairs.ravel(), minlength=len(values))[:, None]
    values = np.where(where[:, None], np.maximum(values, EVEN_LEAST), values)
    for _ in range(EVENINGS):
        total = np.zeros_like(values)
        np.add.at(total, pairs[:, 0], values[pairs[:, 1]])
        np.add.at(total, pairs[:, 1], values[pairs[:, 0]])
        values = np.where(where[:, None], 0.5 * values + 0.5 * total / degree, values)
    return values


def _is_part(parts: list[Cage], index: int) -> Floats:
    return np.concatenate(
        [np.full(len(part.points), float(at == index)) for at, part in enumerate(parts)]
    )
