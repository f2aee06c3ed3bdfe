"""The cage of a head: skin, teeth, tongue and eyeballs of one person, with their blendshapes.

Points are in decimetres from the middle between the eyes: x to the person's left, y up, z forward.
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from goassist_desktop.pipeline.blendshapes import NAMES, weights
from head_bake.people import Person
from head_bake.source import Floats, Ints, Source

CUT_Y = -3.1
CUT_X = 2.6
"""What lies further down or out is never in the picture."""
AXIS_Z = -0.80
"""Where the vertical axis of the skin's map stands."""
MAP_TOP, MAP_BOTTOM = 1.30, -2.10
MAP_BEND = 1.9
"""How much more of the map the front of the face gets than the back of the head."""


@dataclass
class Cage:
    """Quads of one part; `shapes` (52, n, 3) are what the blendshapes add to `points` (n, 3)."""

    points: Floats
    quads: Ints
    shapes: Floats
    marks: Floats
    """(n,) in [0, 1]: what the part means by it: lips of the skin, gums of the teeth."""
    inside: Floats
    """(n,) in [0, 1]: the lining of the mouth."""

    def only(self, quads: Ints) -> "Cage":
        """The part of it that has these of its quads."""
        used, at = np.unique(quads, return_inverse=True)
        return Cage(
            self.points[used],
            at.reshape(quads.shape),
            self.shapes[:, used],
            self.marks[used],
            self.inside[used],
        )


def joined(parts: list[Cage]) -> Cage:
    starts = np.cumsum([0] + [len(part.points) for part in parts[:-1]])
    return Cage(
        np.concatenate([part.points for part in parts]),
        np.concatenate([part.quads + start for part, start in zip(parts, starts, strict=True)]),
        np.concatenate([part.shapes for part in parts], axis=1),
        np.concatenate([part.marks for part in parts]),
        np.concatenate([part.inside for part in parts]),
    )


@dataclass
class Anatomy:
    person: Person
    skin: Cage
    tongue: Cage
    upper_teeth: Cage
    lower_teeth: Cage
    lashes: list[Cage]
    eye_centres: Floats
    """(2, 3), left first."""
    eye_radius: float
    eye_turns: Floats
    """(2, 4): degrees a whole unit of eyeLook Down, In, Out, Up turns the left and right eye."""


def build(source: Source, person: Person) -> Anatomy:
    base = source.base
    raw = source.morphed(person.recipe)
    shapes = np.stack([source.shape(name) for name in NAMES])
    resting = weights(**person.rest).astype(float)
    raw = raw + np.tensordot(resting, shapes, axes=1)
    shapes *= (1 - resting)[:, None, None]  # a whole unit ends where it would without
    fits = [_sphere(raw[np.unique(base.quads[f"helper-{side}-eye"])]) for side in "lr"]
    middle = (fits[0][0] + fits[1][0]) / 2
    points = raw - middle
    centres = np.stack([centre for centre, _ in fits]) - middle
    radius = float(np.mean([radius for _, radius in fits]))

    masks = {name: _mask_of_points(source, name) for name in ("lips", "inside-mouth")}
    body = base.quads["body"]
    body = body[_outside_the_eyes(points, body, centres, radius)]
    near = (points[body, 1].min(axis=1) > CUT_Y) & (np.abs(points[body, 0]).max(axis=1) < CUT_X)

    def cage(quads: Ints) -> Cage:
        used, at = np.unique(quads, return_inverse=True)
        return Cage(
            points[used],
            at.reshape(quads.shape),
            shapes[:, used],
            masks["lips"][used],
            masks["inside-mouth"][used],
        )

    turns = np.array(
        [
            [
                _turn(
                    points,
                    shapes[NAMES.index(f"eyeLook{way}{long}")],
                    base.quads[f"helper-{side}-eye"],
                )
                for way in ("Down", "In", "Out", "Up")
            ]
            for side, long in (("l", "Left"), ("r", "Right"))
        ]
    )
    return Anatomy(
        person,
        cage(body[near]),
        cage(base.quads["helper-tongue"]),
        cage(base.quads["helper-upper-teeth"]),
        cage(base.quads["helper-lower-teeth"]),
        [cage(base.quads[f"helper-{side}-eyelashes-{row}"]) for side in "lr" for row in (2, 1)],
        centres,
        radius,
        turns,
    )


def skin_map(points: Floats) -> Floats:
    """Where points lie on the skin's map: u around the head, v down, both in [0, 1]."""
    angle = np.arctan2(points[:, 0], points[:, 2] - AXIS_Z)
    bent = (1 - np.exp(-MAP_BEND * np.abs(angle) / np.pi)) / (1 - np.exp(-MAP_BEND))
    u = 0.5 + 0.5 * np.sign(angle) * bent
    v = (MAP_TOP - points[:, 1]) / (MAP_TOP - MAP_BOTTOM)
    return np.clip(np.stack([u, v], axis=1), 0.0, 1.0)


def _sphere(points: Floats) -> tuple[Floats, float]:
    """Centre and radius of the sphere through points, by least squares."""
    system = np.c_[2 * points, np.ones(len(points))]
    found = np.linalg.lstsq(system, (points**2).sum(axis=1), rcond=None)[0]
    centre = found[:3]
    return centre, float(np.sqrt(found[3] + centre @ centre))


def _turn(points: Floats, shape: Floats, quads: Ints) -> float:
    """The degrees of the rotation nearest to a displacement."""
    used = np.unique(quads)
    before = points[used] - points[used].mean(axis=0)
    after = before + shape[used]
    after = after - after.mean(axis=0)
    left, _, right = np.linalg.svd(before.T @ after)
    rotation = (left @ np.diag([1, 1, np.linalg.det(left @ right)]) @ right).T
    return float(np.degrees(np.arccos(np.clip((np.trace(rotation) - 1) / 2, -1, 1))))


def _mask_of_points(source: Source, name: str) -> Floats:
    """A mask painted on the map of the base mesh, read at its points."""
    picture = Image.open(source.folder / f"mpfb2/textures/mpfb_{name}.jpg").convert("L")
    values = np.asarray(picture, np.float64) / 255
    height, width = values.shape
    base = source.base
    corners = np.concatenate(list(base.quads.values())).ravel()
    mapped = base.map_points[np.concatenate(list(base.map_quads.values())).ravel()]
    column = np.clip((mapped[:, 0] * width).astype(int), 0, width - 1)
    row = np.clip(((1 - mapped[:, 1]) * height).astype(int), 0, height - 1)
    mask = np.zeros(len(base.points))
    np.maximum.at(mask, corners, values[row, column])
    return np.where(mask > 0.1, mask, 0.0)


def _outside_the_eyes(points: Floats, quads: Ints, centres: Floats, radius: float) -> Ints:
    """Which quads are not the back of an eye socket, which nobody sees."""
    middle = points[quads].mean(axis=1)
    keep = np.ones(len(quads), bool)
    for centre in centres:
        away = middle - centre
        keep &= ~((np.linalg.norm(away, axis=1) < radius * 1.05) & (away[:, 2] < 0))
    return np.flatnonzero(keep)
