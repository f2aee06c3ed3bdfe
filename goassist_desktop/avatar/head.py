"""A baked head, read from its file and made ready to draw.

The file holds a cage of quads with 52 sparse blendshapes, ribbons (lashes, hair) that are drawn as
they are, and painted pictures. The small head is the cage itself; the large one has it subdivided
once, and every ribbon. `models/bake_heads.py` makes the files.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
from PIL import Image

from goassist_desktop import shipped
from goassist_desktop.avatar.subdivision import Quads, sparse, subdivide
from goassist_desktop.pipeline import blendshapes
from goassist_desktop.pipeline.errors import EngineFailed, ModelMissing

FORMAT: Final = 1
PEOPLE: Final = ("mira", "jonas")
CAGE_PARTS: Final = ("skin", "mouth", "cloth")
RIBBON_PARTS: Final = ("lashes", "hair")
PICTURES: Final = ("skin", "detail", "iris", "strands")
COLOURS: Final = ("lips", "hair", "hair_tip", "cloth")
EYE_RINGS: Final = {"small": (10, 24), "large": (20, 48)}

Size = Literal["small", "large"]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """What a renderer needs. Points (n, 3) are in decimetres from the middle between the eyes."""

    person: str
    size: Size
    points: Floats
    normals: Floats
    """(n, 3); of ribbons the direction in which the hair grows."""
    places: Floats
    """(n, 3): u and v of the part's picture, and how far the point follows the head, in [0, 1]."""
    tones: npt.NDArray[np.uint8]
    """(n, 4): openness to the surroundings, openness to the key light, and two of the part."""
    triangles: npt.NDArray[np.uint32]
    """(t, 3)"""
    parts: Mapping[str, slice]
    """Which triangles are skin, mouth, cloth, eye (a unit hemisphere), lashes and hair."""
    shapes: Floats
    """(52, m, 3): what a whole unit of each blendshape adds to the first m points …"""
    shape_normals: Floats
    """… and to their normals."""
    eye_centres: Floats
    """(2, 3), the person's left one first."""
    eye_radius: float
    eye_turns: Floats
    """(2, 4): the degrees a whole unit of eyeLook Down, In, Out, Up turns each eye by."""
    colours: Mapping[str, Floats]
    """(3,) in linear light."""
    pictures: Mapping[str, npt.NDArray[np.uint8]]
    """(height, width, channels)"""


def load_head(person: str, size: Size = "small", folder: Path | None = None) -> Head:
    """Read a head; `folder` is where the files are, those that come with the program if None.

    Raises ModelMissing when there is no such file or it is damaged, EngineFailed when it is a head
    of another format or its arrays do not fit each other.
    """
    path = (folder or shipped.folder() / "heads") / f"{person}.npz"
    if not path.is_file():
        raise ModelMissing(f"face: no head {person}: {path} is missing; install the program again")
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            stored = {name: archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, NotImplementedError) as error:
        raise ModelMissing(
            f"face: {path} is damaged ({error}); install the program again"
        ) from error
    try:
        return _build(person, size, stored)
    except (KeyError, IndexError, ValueError, OSError) as error:
        raise EngineFailed(f"face: {path} is no head of format {FORMAT}: {error}") from error


def _build(person: str, size: Size, stored: Mapping[str, Any]) -> Head:
    if int(stored["format"]) != FORMAT:
        raise ValueError(f"it says format {int(stored['format'])}")
    unit = float(stored["unit"])
    points = stored["points"] * unit
    count = len(points)
    places = stored["places"] / 65535.0
    marks = stored["marks"] / 255.0
    ribbons = len(stored["ribbon_points"])
    shapes = _dense_shapes(stored, unit)
    if not count <= shapes.shape[1] <= count + ribbons:
        raise ValueError("blendshapes of points that are not there")
    cage_shapes, ribbon_shapes = shapes[:, :count], shapes[:, count:]

    by_part = np.split(stored["quads"].astype(np.int64), np.cumsum(stored["quad_counts"])[:-1])
    if len(by_part) != len(CAGE_PARTS):
        raise ValueError(f"{len(by_part)} parts")
    quads = np.concatenate(by_part)
    lengths = [len(part) for part in by_part]
    if quads.max() >= count:
        raise ValueError("a quad of points that are not there")
    if size == "large":
        matrix, quads = subdivide(quads, count)
        lengths = [4 * length for length in lengths]
        points, places, marks = matrix @ points, matrix @ places, matrix @ marks
        flat = cage_shapes.transpose(1, 0, 2).reshape(count, -1)
        cage_shapes = (matrix @ flat).reshape(len(points), -1, 3).transpose(1, 0, 2)
    light = stored[f"light_{size}"]
    if len(light) != len(points):
        raise ValueError(f"light for {len(light)} of {len(points)} points")
    tones = np.concatenate([light, np.round(marks * 255).clip(0, 255).astype(np.uint8)], axis=1)
    triangles = _triangles(quads)
    normals, shape_normals = _normals(points, cage_shapes, triangles)

    eye_points, eye_quads = _hemisphere(*EYE_RINGS[size])
    first_ribbon, first_eye = len(points), len(points) + ribbons
    ribbon_quads = np.split(
        stored[f"ribbon_quads_{size}"].astype(np.int64),
        np.cumsum(stored[f"ribbon_counts_{size}"])[:-1],
    )
    if max(part.max(initial=0) for part in ribbon_quads) >= ribbons:
        raise ValueError("a ribbon of points that are not there")
    pieces = [
        *zip(
            CAGE_PARTS, np.split(triangles, np.cumsum([2 * n for n in lengths])[:-1]), strict=True
        ),
        ("eye", _triangles(eye_quads) + first_eye),
        *(
            (name, _triangles(part) + first_ribbon)
            for name, part in zip(RIBBON_PARTS, ribbon_quads, strict=True)
        ),
    ]
    ends = np.cumsum([len(piece) for _, piece in pieces])
    eyes = len(eye_points)
    return Head(
        person=person,
        size=size,
        points=_f32(np.concatenate([points, stored["ribbon_points"] * unit, eye_points])),
        normals=_f32(np.concatenate([normals, stored["ribbon_tangents"] / 127.0, eye_points])),
        places=_f32(
            np.concatenate([places, stored["ribbon_places"] / 65535.0, np.ones((eyes, 3))])
        ),
        tones=np.concatenate([tones, stored["ribbon_tones"], np.full((eyes, 4), 255, np.uint8)]),
        triangles=np.concatenate([piece for _, piece in pieces]).astype(np.uint32),
        parts={
            name: slice(int(end) - len(piece), int(end))
            for (name, piece), end in zip(pieces, ends, strict=True)
        },
        shapes=_f32(np.concatenate([cage_shapes, ribbon_shapes], axis=1)),
        shape_normals=_f32(np.concatenate([shape_normals, np.zeros_like(ribbon_shapes)], axis=1)),
        eye_centres=_f32(stored["eye_centres"].reshape(2, 3)),
        eye_radius=float(stored["eye_radius"]),
        eye_turns=_f32(stored["eye_turns"].reshape(2, 4)),
        colours={name: _f32(stored[f"colour_{name}"].reshape(3)) for name in COLOURS},
        pictures={
            name: np.asarray(Image.open(io.BytesIO(stored[f"picture_{name}"].tobytes())))
            for name in PICTURES
        },
    )


def _dense_shapes(stored: Mapping[str, Any], unit: float) -> npt.NDArray[np.float64]:
    """(52, m, 3), up to the last point that moves: of the ribbons only the lashes do."""
    counts = stored["shape_counts"].astype(np.int64)
    if len(counts) != blendshapes.COUNT:
        raise ValueError(f"{len(counts)} blendshapes instead of {blendshapes.COUNT}")
    shapes = np.zeros((len(counts), int(stored["shape_vertices"].max()) + 1, 3))
    which = np.repeat(np.arange(len(counts)), counts)
    shapes[which, stored["shape_vertices"]] = stored["shape_deltas"] * unit
    return shapes


def _normals(
    points: npt.NDArray[np.float64],
    shapes: npt.NDArray[np.float64],
    triangles: npt.NDArray[np.int64],
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Normals (n, 3) weighted by area, and what each blendshape adds to them (52, n, 3)."""
    count = len(triangles)
    gather = sparse.csr_array(
        (np.ones(3 * count), (triangles.ravel(), np.repeat(np.arange(count), 3))),
        shape=(len(points), count),
    )

    def of(posed: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        a, b, c = (posed[triangles[:, corner]] for corner in range(3))
        summed = gather @ np.cross(b - a, c - a)
        length = np.linalg.norm(summed, axis=1, keepdims=True)
        unit: npt.NDArray[np.float64] = summed / np.maximum(length, 1e-12)
        return unit

    rest = of(points)
    return rest, np.stack([of(points + shape) - rest for shape in shapes])


def _hemisphere(rings: int, around: int) -> tuple[npt.NDArray[np.float64], Quads]:
    """The front half of a unit sphere, finest at its pole, a little more than half."""
    polar = np.linspace(0.02, 1.75, rings + 1)
    turn = 2 * np.pi * np.arange(around) / around
    points = np.stack(
        [
            np.outer(np.sin(polar), np.cos(turn)),
            np.outer(np.sin(polar), np.sin(turn)),
            np.outer(np.cos(polar), np.ones(around)),
        ],
        axis=2,
    )
    at = np.arange((rings + 1) * around).reshape(rings + 1, around)
    beside = np.roll(at, -1, axis=1)
    quads = np.stack([at[:-1], at[1:], beside[1:], beside[:-1]], axis=2).reshape(-1, 4)
    cap = np.array([[0, i, i + 1, i + 2] for i in range(1, around - 2, 2)])
    return points.reshape(-1, 3), np.concatenate([quads, cap])


def _triangles(quads: Quads) -> npt.NDArray[np.int64]:
    return quads[:, [0, 1, 2, 0, 2, 3]].reshape(-1, 3)


def _f32(values: npt.ArrayLike) -> Floats:
    return np.ascontiguousarray(values, np.float32)
