"""The files of an Audio2Face-3D v2.3 regression model, read and checked.

    network.onnx            audio and emotion -> coefficients; opened by the engine
    network_info.json       params: how many coefficients there are of what, and of emotions
    model_config.json       config: strengths, smoothing, offsets, and the shot that is neutral
    model_data.npz          neutral_skin, shapes_matrix_skin, eye_close_pose_delta,
                            lip_open_pose_delta, neutral_tongue, shapes_matrix_tongue
    implicit_emo_db.npz     for each shot the emotion (frames, implicit) the network gave it
    bs_skin.npz             poseNames, each pose's mesh under its name, neutral, frontalMask
    bs_skin_config.json     blendshape_params: how the weights of these poses are sought
    bs_tongue.npz, bs_tongue_config.json     the same of the tongue; no mask: all vertices

A mesh of v vertices may be stored as (v, 3) or (3v,). Lengths are in the unit of the meshes (cm).
"""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from goassist_desktop.pipeline.engines.blendshape_solve import Array, Settings
from goassist_desktop.pipeline.errors import ModelMissing

REPOSITORIES = (
    "nvidia/Audio2Face-3D-v2.3-Mark",
    "nvidia/Audio2Face-3D-v2.3.1-Claire",
    "nvidia/Audio2Face-3D-v2.3.1-James",
)
"""On the Hugging Face hub."""
LICENCE = "NVIDIA Open Model License"
NETWORK = "network.onnx"
NEUTRAL = "neutral"
LARGEST = 1e9
"""No number of the configuration is near it; JSON would allow for infinite ones."""
_NO_ZIP = (zipfile.BadZipFile, zlib.error)
FILES = (
    NETWORK,
    "network_info.json",
    "model_config.json",
    "model_data.npz",
    "implicit_emo_db.npz",
    "bs_skin.npz",
    "bs_skin_config.json",
    "bs_tongue.npz",
    "bs_tongue_config.json",
)


@dataclass(frozen=True, slots=True)
class Sizes:
    """Of the coefficients of one frame, in their order, and of the emotion."""

    skin: int
    tongue: int
    jaw: int
    eyes: int
    implicit: int
    explicit: int

    @property
    def result(self) -> int:
        return self.skin + self.tongue + self.jaw + self.eyes

    @property
    def emotion(self) -> int:
        return self.implicit + self.explicit


@dataclass(frozen=True, slots=True)
class Motion:
    """What is done to the network's coefficients and the meshes they make."""

    input_strength: float
    skin_strength: float
    lower_face_strength: float
    upper_face_strength: float
    lower_face_smoothing: float
    upper_face_smoothing: float
    """In seconds: half of a change has passed one stage after so long; 0: none."""
    face_mask_level: float
    face_mask_softness: float
    """Where the lower face ends, and how gradually: as parts of the head's height, from below."""
    eyelid_open_offset: float
    lip_open_offset: float
    tongue_strength: float
    tongue_height_offset: float
    tongue_depth_offset: float


@dataclass(frozen=True, slots=True, eq=False)
class Poses:
    """The p poses of a mesh, over the m vertices that the solve looks at."""

    names: tuple[str, ...]
    rows: npt.NDArray[np.int64]
    """(3m,): their coordinates among the mesh's 3v."""
    neutral: Array
    """(3m,)"""
    deltas: Array
    """(p, 3m): each pose less the neutral one."""
    size: float
    """The diagonal of the whole neutral mesh's bounding box."""
    settings: Settings


@dataclass(frozen=True, slots=True, eq=False)
class Mesh:
    """A neutral mesh (3v,), what n coefficients add to it, and the poses that are to make it up."""

    neutral: Array
    shapes: Array
    """(n, 3m): displacements of the vertices that the solve looks at."""
    poses: Poses


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    sizes: Sizes
    motion: Motion
    emotion: npt.NDArray[np.float32]
    """Neutral: (implicit + explicit,), the explicit ones 0."""
    skin: Mesh
    eyelids_closed: Array
    lips_open: Array
    """Displacements (3v,) of the skin."""
    tongue: Mesh


def read(folder: Path) -> Model:
    """Raises ModelMissing naming file and key, what was expected, and where the files are had."""
    for name in FILES:
        if not (folder / name).is_file():
            raise ModelMissing(
                f"{folder / name} is missing; put the files of {', '.join(REPOSITORIES[:-1])}"
                f" or {REPOSITORIES[-1]} of the Hugging Face hub ({LICENCE}) into {folder}"
            )
    info = _Values(folder / "network_info.json", "params")
    sizes = Sizes(
        skin=info.count("num_shapes_skin"),
        tongue=info.count("num_shapes_tongue"),
        jaw=info.count("result_jaw_size"),
        eyes=info.count("result_eyes_size"),
        implicit=info.count("implicit_emotion_len"),
        explicit=len(info.texts("explicit_emotions")),
    )
    config = _Values(folder / "model_config.json", "config")
    motion = Motion(**{name: config.number(name) for name in Motion.__dataclass_fields__})
    if motion.face_mask_softness <= 0:
        raise config.wrong("face_mask_softness", "a number above 0")
    for name in ("lower_face_smoothing", "upper_face_smoothing"):
        if getattr(motion, name) < 0:
            raise config.wrong(name, "a number of seconds, not below 0")
    data = _Arrays(folder / "model_data.npz")
    skin = _mesh(data, "skin", sizes.skin, masked=True)
    width = len(skin.neutral)
    return Model(
        sizes=sizes,
        motion=motion,
        emotion=_neutral_emotion(_Arrays(folder / "implicit_emo_db.npz"), config, sizes),
        skin=skin,
        eyelids_closed=data.mesh("eye_close_pose_delta", width),
        lips_open=data.mesh("lip_open_pose_delta", width),
        tongue=_mesh(data, "tongue", sizes.tongue, masked=False),
    )


def _mesh(data: _Arrays, part: str, coefficients: int, *, masked: bool) -> Mesh:
    neutral = data.mesh(f"neutral_{part}")
    key = f"shapes_matrix_{part}"
    shapes = data.numbers(key, coefficients * len(neutral))
    if len(shapes) != coefficients:
        raise data.wrong(key, f"{coefficients} rows of {len(neutral)} numbers", shapes)
    poses = _poses(data.file.parent, f"bs_{part}", len(neutral), masked=masked)
    seen = shapes.reshape(coefficients, -1)[:, poses.rows].astype(np.float64)
    return Mesh(neutral, seen, poses)


def _neutral_emotion(shots: _Arrays, config: _Values, sizes: Sizes) -> npt.NDArray[np.float32]:
    shot = config.text("source_shot")
    frame = config.count("source_frame")
    frames = shots.numbers(shot)
    if frames.ndim != 2 or frames.shape[1] != sizes.implicit:
        raise shots.wrong(shot, f"numbers of shape (frames, {sizes.implicit})", frames)
    if frame >= len(frames):
        raise config.wrong("source_frame", f"a frame of the {len(frames)} of {shot}")
    emotion = np.zeros(sizes.emotion, np.float32)
    emotion[: sizes.implicit] = frames[frame]
    return emotion


def _poses(folder: Path, name: str, width: int, *, masked: bool) -> Poses:
    data = _Arrays(folder / f"{name}.npz")
    names = tuple(pose for pose in data.texts("poseNames") if pose != NEUTRAL)
    neutral = data.mesh(NEUTRAL, width)
    vertices = width // 3
    mask = np.arange(vertices)
    if masked:
        mask = data.whole("frontalMask")
        if len(mask) == 0 or mask.min() < 0 or mask.max() >= vertices:
            raise data.wrong("frontalMask", f"vertices, from 0 to {vertices - 1}", mask)
    rows = (3 * mask[:, np.newaxis] + np.arange(3)).reshape(-1)
    deltas = np.empty((len(names), len(rows)))
    for row, pose in zip(deltas, names, strict=True):
        mesh = data.mesh(pose, width)
        if np.linalg.norm(mesh) < np.linalg.norm(mesh - neutral):
            expected = f"a mesh like {NEUTRAL}, not how it differs from it"
            raise data.wrong(pose, expected, mesh)
        row[:] = (mesh - neutral)[rows]
    settings = _settings(_Values(folder / f"{name}_config.json", "blendshape_params"), len(names))
    box = neutral.reshape(-1, 3)
    size = float(np.linalg.norm(box.max(axis=0) - box.min(axis=0)))
    return Poses(names, rows, neutral[rows], deltas, size, settings)


def _settings(values: _Values, poses: int) -> Settings:
    settings = Settings(
        active=values.array("bsSolveActivePoses", poses) != 0,
        cancel=values.array("bsSolveCancelPoses", poses).astype(np.int64),
        symmetry=values.array("bsSolveSymmetryPoses", poses).astype(np.int64),
        multipliers=values.array("bsWeightMultipliers", poses),
        offsets=values.array("bsWeightOffsets", poses),
        l1=values.number("strengthL1regularization"),
        l2=values.number("strengthL2regularization"),
        temporal=values.number("strengthTemporalSmoothing"),
        mirrored=values.number("strengthSymmetry"),
        template_size=values.number("templateBBSize"),
    )
    if not settings.active.any():
        raise values.wrong("bsSolveActivePoses", "a pose that is not 0")
    if settings.template_size <= 0:
        raise values.wrong("templateBBSize", "a number above 0")
    for key, strength in (
        ("strengthL1regularization", settings.l1),
        ("strengthL2regularization", settings.l2),
        ("strengthTemporalSmoothing", settings.temporal),
        ("strengthSymmetry", settings.mirrored),
    ):
        if strength < 0:
            raise values.wrong(key, "a number not below 0")
    for key, ids in (
        ("bsSolveCancelPoses", settings.cancel),
        ("bsSolveSymmetryPoses", settings.symmetry),
    ):
        if np.unique(ids[ids >= 0], return_counts=True)[1].max(initial=0) > 2:
            raise values.wrong(key, "each number from 0 for two poses at most")
    return settings


class _Values:
    """One object of a JSON file."""

    def __init__(self, file: Path, section: str) -> None:
        self._file, self._section = file, section
        try:
            whole = json.loads(file.read_bytes())
        except (OSError, ValueError, RecursionError) as error:
            raise ModelMissing(f"{file} is no JSON that can be read: {error}") from error
        found = whole.get(section) if isinstance(whole, dict) else None
        if not isinstance(found, dict):
            raise ModelMissing(f"{file}: {section}: expected an object")
        self._values: Mapping[str, Any] = found

    def wrong(self, key: str, expected: str) -> ModelMissing:
        found = f"{self._values[key]!r:.40}" if key in self._values else "nothing"
        return ModelMissing(
            f"{self._file}: {self._section}.{key}: expected {expected}, found {found}"
        )

    def number(self, key: str) -> float:
        value = self._values.get(key)
        if value is None or not _is_number(value):
            raise self.wrong(key, "a number")
        return float(value)

    def count(self, key: str) -> int:
        value = self._values.get(key)
        if value is None or not _is_number(value) or value != int(value) or value < 0:
            raise self.wrong(key, "a whole number not below 0")
        return int(value)

    def text(self, key: str) -> str:
        value = self._values.get(key)
        if not isinstance(value, str):
            raise self.wrong(key, "a name")
        return value

    def texts(self, key: str) -> list[str]:
        value = self._values.get(key)
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise self.wrong(key, "a list of names")
        return value

    def array(self, key: str, length: int) -> Array:
        value = self._values.get(key)
        if not isinstance(value, list) or not all(map(_is_number, value)) or len(value) != length:
            raise self.wrong(key, f"{length} numbers, one for each pose")
        return np.array(value, np.float64)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and abs(value) < LARGEST


class _Arrays:
    """The arrays of an NPZ file, read one by one: some of theirs are of no use here, and large."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def wrong(self, key: str, expected: str, found: npt.NDArray[Any] | None) -> ModelMissing:
        what = "nothing" if found is None else f"{found.dtype} of shape {found.shape}"
        return ModelMissing(f"{self.file}: {key}: expected {expected}, found {what}")

    def numbers(self, key: str, size: int | None = None) -> npt.NDArray[Any]:
        """Finite numbers as they are stored, `size` of them in whatever shape."""
        array = self._read(key)
        known = array is not None and array.dtype.kind in "fiu" and size in (None, array.size)
        if array is None or not known or not np.all(np.isfinite(array)):
            expected = "finite numbers" if size is None else f"{size} finite numbers"
            raise self.wrong(key, expected, array)
        return array

    def mesh(self, key: str, width: int | None = None) -> Array:
        """(3v,) coordinates, from (v, 3) or (3v,)."""
        array = self.numbers(key, width)
        if array.size == 0 or array.size % 3:
            raise self.wrong(key, "three coordinates for each vertex", array)
        return array.reshape(-1).astype(np.float64)

    def whole(self, key: str) -> npt.NDArray[np.int64]:
        array = self._read(key)
        if array is None or array.dtype.kind not in "iu":
            raise self.wrong(key, "whole numbers", array)
        return array.astype(np.int64).reshape(-1)

    def texts(self, key: str) -> list[str]:
        array = self._read(key)
        if array is None or array.dtype.kind not in "SU":
            raise self.wrong(key, "names", array)
        return [
            one.decode("ascii", "replace") if isinstance(one, bytes) else one
            for one in array.reshape(-1).tolist()
        ]

    def _read(self, key: str) -> npt.NDArray[Any] | None:
        """None where there is none."""
        try:
            with self.file.open("rb") as stream, np.load(stream) as archive:
                return archive[key] if key in archive.files else None
        except (OSError, ValueError, EOFError, TypeError, AttributeError, *_NO_ZIP) as error:
            raise ModelMissing(f"{self.file}: {key} can not be read: {error}") from error
