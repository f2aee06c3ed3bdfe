"""Files as an Audio2Face-3D v2.3 model has them, with a network whose face is known.

The network hears how loud it is in the middle of its window and 0.2 s later, and answers with the
coefficients of a face that `weights_at` says. Sizes are those of Mark, but for the vertices.
The shapes are a random basis of all that the poses can make, so that no coefficient is a pose.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from goassist_desktop.pipeline import blendshapes
from goassist_desktop.pipeline.frames import Samples

SKIN, TONGUE, JAW, EYES = 272, 10, 15, 4
RESULT = SKIN + TONGUE + JAW + EYES
EMOTIONS = (
    "amazement", "anger", "cheekiness", "disgust", "fear",
    "grief", "joy", "outofbreath", "pain", "sadness",
)  # fmt: skip
IMPLICIT = 16
WINDOW = 8_320
SOON = 3_200
"""Samples after the middle of the window, of the second loudness."""
NEAR = 267
"""Samples to each side that count for a loudness: half a frame."""
FULL = 0.2
"""The mean of the absolute samples that is as loud as can be."""

VERTICES = 160
TONGUE_VERTICES = 60
IN_FRONT = 120
TONGUE_POSES = ("tongueTipUp", "tongueRollLeft", "tongueOut", "tongueWide")
SHOT, FRAME = "a_neutral_shot", 3

QUIET: dict[str, float] = {"mouthSmileLeft": 0.3, "mouthSmileRight": 0.3, "mouthFunnel": 0.4}
NOW: dict[str, float] = {
    "jawOpen": 0.6,
    "mouthClose": 0.2,
    "mouthFunnel": -0.4,
    "mouthLowerDownLeft": 0.5,
    "mouthLowerDownRight": 0.4,
    "browInnerUp": 0.5,
    "tongueOut": 0.7,
}
SOONER: dict[str, float] = {"mouthPucker": 0.8, "mouthSmileLeft": -0.2}
"""The weights of a face: QUIET + now · NOW + soon · SOONER."""

_PAIRS = [
    (name, name.replace("Left", "Right")) for name in blendshapes.NAMES if name.endswith("Left")
]
POSES = tuple(sorted(blendshapes.NAMES, key=lambda name: name[::-1]))
"""In an order that is not ours."""


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """What the files say, for those who compute it another way. Meshes are (3v,)."""

    folder: Path
    neutral: npt.NDArray[np.float64]
    poses: npt.NDArray[np.float64]
    """(52, 3v): displacements of the poses, in the order of POSES."""
    mask: npt.NDArray[np.int64]
    eyelids: npt.NDArray[np.float64]
    lips: npt.NDArray[np.float64]
    tongue_poses: npt.NDArray[np.float64]
    """Displacements, in the order of TONGUE_POSES."""


def weights_at(now: float, soon: float) -> npt.NDArray[np.float64]:
    """(52,) in the order of `blendshapes.NAMES`, as Audio2Face means it."""
    face = np.zeros(blendshapes.COUNT)
    for part, share in ((QUIET, 1.0), (NOW, now), (SOONER, soon)):
        for name, weight in part.items():
            face[blendshapes.INDEX[name]] += share * weight
    return face


def loudness(samples: Samples, frame: int) -> tuple[float, float]:
    """Of (n,) samples at 16 kHz in the middle of a frame, and SOON after it."""
    padded = np.pad(np.abs(samples.astype(np.float64)), WINDOW)
    middle = WINDOW + round(frame * 16_000 / 30)
    near = [padded[at - NEAR : at + NEAR].mean() for at in (middle, middle + SOON)]
    return min(1.0, near[0] / FULL), min(1.0, near[1] / FULL)


def write(
    folder: Path,
    *,
    config: dict[str, Any] | None = None,
    skin: dict[str, Any] | None = None,
    batch: int | str = "batch",
) -> Head:
    """Fill the folder; `config` and `skin` replace values of the two configurations."""
    rng = np.random.default_rng(4)
    neutral = rng.uniform((-8, -14, -9), (8, 14, 9), (VERTICES, 3))
    poses = np.stack([_displacement(rng, neutral, name) for name in POSES])
    shapes = _basis(rng, poses, SKIN)
    tongue = rng.uniform(-2, 2, (TONGUE_VERTICES, 3))
    tongue_poses = rng.normal(0, 0.3, (len(TONGUE_POSES), tongue.size))
    tongue_shapes = _basis(rng, tongue_poses, TONGUE)
    mask = np.sort(rng.permutation(VERTICES)[:IN_FRONT]).astype(np.int32)
    eyelids, lips = (rng.normal(0, 0.3, neutral.size) for _ in range(2))
    shots = {name: rng.normal(0, 1, (5, IMPLICIT)) for name in ("another_shot", SHOT)}

    folder.mkdir(parents=True, exist_ok=True)
    _write_poses(folder / "bs_skin.npz", POSES, neutral, poses, frontalMask=mask)
    _write_poses(folder / "bs_tongue.npz", TONGUE_POSES, tongue, tongue_poses)
    np.savez(
        folder / "model_data.npz",
        neutral_skin=neutral.astype(np.float32),
        shapes_matrix_skin=shapes.reshape(SKIN, -1, 3).astype(np.float32),
        eye_close_pose_delta=eyelids.reshape(-1, 3).astype(np.float32),
        lip_open_pose_delta=lips.reshape(-1, 3).astype(np.float32),
        neutral_tongue=tongue.astype(np.float32),
        shapes_matrix_tongue=tongue_shapes.reshape(TONGUE, -1, 3).astype(np.float32),
        of_no_use=np.array([{"an": "object"}]),
    )
    np.savez(folder / "implicit_emo_db.npz", **shots)

    info = {
        "implicit_emotion_len": IMPLICIT,
        "explicit_emotions": list(EMOTIONS),
        "num_shapes_skin": SKIN,
        "num_shapes_tongue": TONGUE,
        "result_jaw_size": JAW,
        "result_eyes_size": EYES,
    }
    plain: dict[str, Any] = {
        "input_strength": 1.0,
        "skin_strength": 1.0,
        "lower_face_strength": 1.0,
        "upper_face_strength": 1.0,
        "lower_face_smoothing": 0.0,
        "upper_face_smoothing": 0.0,
        "face_mask_level": 0.6,
        "face_mask_softness": 0.0085,
        "eyelid_open_offset": 0.0,
        "lip_open_offset": 0.0,
        "tongue_strength": 1.0,
        "tongue_height_offset": 0.0,
        "tongue_depth_offset": 0.0,
        "source_shot": SHOT,
        "source_frame": FRAME,
    }
    _write_json(folder / "network_info.json", {"params": info})
    _write_json(folder / "model_config.json", {"config": plain | (config or {})})
    _write_json(
        folder / "bs_skin_config.json",
        {"blendshape_params": solve_settings(POSES, neutral) | (skin or {})},
    )
    _write_json(
        folder / "bs_tongue_config.json",
        {"blendshape_params": solve_settings(TONGUE_POSES, tongue)},
    )
    at = np.array([POSES.index(name) for name in blendshapes.NAMES])
    tongue_out = tongue_poses[TONGUE_POSES.index("tongueOut")]

    def coefficients(part: dict[str, float]) -> npt.NDArray[np.float64]:
        face = np.zeros(blendshapes.COUNT)
        for name, weight in part.items():
            face[blendshapes.INDEX[name]] = weight
        of_tongue = face[blendshapes.INDEX["tongueOut"]] * (tongue_shapes @ tongue_out)
        face[blendshapes.INDEX["tongueOut"]] = 0.0  # the skin's pose of this name moves nothing
        of_skin = shapes @ (face @ poses[at])
        return np.concatenate([of_skin, of_tongue, np.ones(JAW + EYES)])

    model = _network(
        bias=coefficients(QUIET),
        gains=np.stack([coefficients(NOW), coefficients(SOONER)]),
        emotion=np.concatenate([shots[SHOT][FRAME], np.zeros(len(EMOTIONS))]),
        confusion=rng.normal(0, 5, (IMPLICIT + len(EMOTIONS), RESULT)),
        batch=batch,
    )
    onnx.save(model, folder / "network.onnx")
    front = mask.astype(np.int64)
    return Head(folder, neutral.reshape(-1), poses, front, eyelids, lips, tongue_poses)


def solve_settings(names: tuple[str, ...], neutral: npt.NDArray[np.float64]) -> dict[str, Any]:
    """Every pose but the gaze and the skin's tongue, without any regularisation."""
    idle = [name.startswith("eyeLook") or (len(names) == 52 and "tongue" in name) for name in names]
    box = np.ptp(neutral.reshape(-1, 3), axis=0)
    return {
        "bsSolveActivePoses": [int(not one) for one in idle],
        "bsSolveCancelPoses": pair_ids(
            names, [("jawLeft", "jawRight"), ("mouthLeft", "mouthRight")]
        ),
        "bsSolveSymmetryPoses": pair_ids(names, _PAIRS),
        "bsWeightMultipliers": [1.0] * len(names),
        "bsWeightOffsets": [0.0] * len(names),
        "strengthL1regularization": 0.0,
        "strengthL2regularization": 0.0,
        "strengthTemporalSmoothing": 0.0,
        "strengthSymmetry": 0.0,
        "templateBBSize": float(np.linalg.norm(box)),
    }


def pair_ids(names: tuple[str, ...], pairs: list[tuple[str, str]]) -> list[int]:
    """A number for each name: that of its pair, or -1."""
    of = {name: number for number, pair in enumerate(pairs) for name in pair}
    return [of.get(name, -1) for name in names]


def edit_arrays(file: Path, **changes: Any) -> None:
    """Replace arrays of an NPZ file; None takes one away."""
    with np.load(file, allow_pickle=True) as archive:
        arrays = {key: archive[key] for key in archive.files} | changes
    np.savez(file, **{key: array for key, array in arrays.items() if array is not None})


def edit_values(file: Path, **changes: Any) -> None:
    """Replace values in the one object of a JSON file; None takes one away."""
    ((section, values),) = json.loads(file.read_text()).items()
    changed = {key: value for key, value in (values | changes).items() if value is not None}
    _write_json(file, {section: changed})


def _network(
    bias: npt.NDArray[np.float64],
    gains: npt.NDArray[np.float64],
    emotion: npt.NDArray[np.float64],
    confusion: npt.NDArray[np.float64],
    batch: int | str,
) -> onnx.ModelProto:
    """bias + loudness · gains, and confusion for any emotion but the neutral one."""
    ears = np.zeros((WINDOW, 2))
    for column, middle in zip(ears.T, (WINDOW // 2, WINDOW // 2 + SOON), strict=True):
        column[middle - NEAR : middle + NEAR] = 1 / (2 * NEAR * FULL)
    constants = {
        "ears": ears,
        "most": np.array(1.0),
        "gains": gains,
        "bias": bias,
        "neutral": emotion,
        "confusion": confusion,
    }
    nodes = [
        helper.make_node("Abs", ["input"], ["loud"]),
        helper.make_node("MatMul", ["loud", "ears"], ["near"]),
        helper.make_node("Min", ["near", "most"], ["loudness"]),
        helper.make_node("MatMul", ["loudness", "gains"], ["moved"]),
        helper.make_node("Add", ["moved", "bias"], ["face"]),
        helper.make_node("Sub", ["emotion", "neutral"], ["feeling"]),
        helper.make_node("MatMul", ["feeling", "confusion"], ["confused"]),
        helper.make_node("Add", ["face", "confused"], ["result"]),
    ]
    return model(
        nodes,
        {"input": [batch, 1, WINDOW], "emotion": [batch, 1, len(emotion)]},
        {"result": [batch, 1, len(bias)]},
        constants,
    )


def model(
    nodes: list[onnx.NodeProto],
    inputs: dict[str, list[int | str]],
    outputs: dict[str, list[int | str]],
    constants: dict[str, npt.NDArray[np.float64]],
    sizes: dict[str, list[int]] | None = None,
) -> onnx.ModelProto:
    """A network of float32; `sizes` are more constants, of whole numbers."""

    def values(shapes: dict[str, list[int | str]]) -> list[onnx.ValueInfoProto]:
        return [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
            for name, shape in shapes.items()
        ]

    graph = helper.make_graph(
        nodes,
        "made_up",
        values(inputs),
        values(outputs),
        [numpy_helper.from_array(a.astype(np.float32), name) for name, a in constants.items()]
        + [numpy_helper.from_array(np.array(s), name) for name, s in (sizes or {}).items()],
    )
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8, producer_name="tests"
    )


def _displacement(
    rng: np.random.Generator, neutral: npt.NDArray[np.float64], name: str
) -> npt.NDArray[np.float64]:
    """(3v,): about 1 cm near a place of the pose's own, high up for brows and eyes."""
    high = name.startswith(("brow", "eye"))
    place = np.array([rng.uniform(-6, 6), rng.uniform(6, 12) if high else rng.uniform(-12, 2), 6.0])
    near = np.exp(-np.sum((neutral - place) ** 2, axis=1) / (2 * 6.0**2))
    return (near[:, np.newaxis] * rng.normal(0, 1, neutral.shape)).reshape(-1)


def _basis(
    rng: np.random.Generator, poses: npt.NDArray[np.float64], count: int
) -> npt.NDArray[np.float64]:
    """(count, 3v): a random orthonormal basis of a space with all the poses in it."""
    filling = rng.normal(0, 1, (count - len(poses), poses.shape[1]))
    axes = np.linalg.qr(np.concatenate([poses, filling]).T)[0].T
    turn = np.linalg.qr(rng.normal(0, 1, (count, count)))[0]
    return np.asarray(turn @ axes)


def _write_poses(
    file: Path,
    names: tuple[str, ...],
    neutral: npt.NDArray[np.float64],
    poses: npt.NDArray[np.float64],
    **more: Any,
) -> None:
    meshes = {
        name: (neutral + pose.reshape(-1, 3)).astype(np.float32)
        for name, pose in zip(names, poses, strict=True)
    }
    np.savez(
        file,
        poseNames=np.array(["neutral", *names]),
        neutral=neutral.astype(np.float32),
        **meshes,
        **more,
    )


def _write_json(file: Path, values: dict[str, Any]) -> None:
    file.write_text(json.dumps(values, indent=1))
