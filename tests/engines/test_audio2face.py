"""The engine of Audio2Face-3D, on files made up to have a known answer."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from onnx import numpy_helper
from scipy.optimize import lsq_linear

from goassist_desktop.pipeline import blendshapes
from goassist_desktop.pipeline.blendshapes import INDEX
from goassist_desktop.pipeline.engines import create
from goassist_desktop.pipeline.engines.audio2face import Audio2Face, lower_face, pace
from goassist_desktop.pipeline.engines.audio2face_model import FILES, read
from goassist_desktop.pipeline.errors import EngineFailed, ModelMissing
from goassist_desktop.pipeline.frames import ANALYSIS_RATE_HZ, FaceFrame, Samples, Speech
from goassist_desktop.pipeline.protocols import FaceEngine
from tests.engines.face_contract import FaceContract
from tests.engines.known_faces import FRAME_MS, babble, click, frames_of, in_pieces, number_of
from tests.fakes import audio2face_files
from tests.fakes.audio2face_files import Head, edit_arrays, edit_values

TOLERANCE = 1e-4
"""Of a weight: float32 files and network, and no regularisation."""

UNEVEN = {
    "input_strength": 1.3,
    "skin_strength": 1.1,
    "lower_face_strength": 1.25,
    "upper_face_strength": 0.8,
    "lower_face_smoothing": 0.02,
    "upper_face_smoothing": 0.07,
    "face_mask_level": 0.55,
    "face_mask_softness": 0.05,
    "eyelid_open_offset": 0.06,
    "lip_open_offset": -0.04,
    "tongue_strength": 1.3,
    "tongue_height_offset": 0.1,
    "tongue_depth_offset": -0.2,
}
"""Everything that is done between the network and the solve, at once."""


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> Head:
    return audio2face_files.write(tmp_path_factory.mktemp("plain"))


@pytest.fixture(scope="module")
def engine(head: Head) -> Iterator[FaceEngine]:
    engine = opened(head.folder)
    yield engine
    engine.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return audio2face_files.write(tmp_path / "model").folder


def opened(folder: Path) -> FaceEngine:
    engine: FaceEngine = create("face", "audio2face", folder, threads=1)
    engine.load()
    return engine


def known(samples: Samples, frames: int) -> npt.NDArray[np.float64]:
    """(frames, 52) that the made-up network means, as ARKit has it."""
    faces = np.array(
        [
            audio2face_files.weights_at(*audio2face_files.loudness(samples, index))
            for index in range(frames)
        ]
    )
    faces[:, INDEX["jawOpen"]] += faces[:, INDEX["mouthClose"]]
    return np.clip(faces, 0.0, 1.0)


@pytest.mark.models
class TestContract(FaceContract):
    """On the real voice; but what the made-up network makes of it is no articulation."""

    articulates = False

    @pytest.fixture(scope="class")
    @classmethod
    def engine(cls, engine: FaceEngine) -> FaceEngine:
        return engine


# -- what comes out ------------------------------------------------------------------------------


def test_the_known_weights_are_found(engine: FaceEngine) -> None:
    samples = babble(2.0)
    found = frames_of(engine, samples)
    assert len(found) == 60
    np.testing.assert_allclose(found, known(samples, 60), atol=TOLERANCE)
    assert np.ptp(found[:, INDEX["jawOpen"]]) > 0.5  # the face did move


def test_an_open_jaw_with_closed_lips(engine: FaceEngine) -> None:
    """Audio2Face's mouthClose is of lips closed on a jaw that it says to be shut."""
    loud = np.full(16_000, 0.2, np.float32)
    face = frames_of(engine, loud)[10]
    assert face[INDEX["jawOpen"]] == pytest.approx(0.6 + 0.2, abs=TOLERANCE)
    assert face[INDEX["mouthClose"]] == pytest.approx(0.2, abs=TOLERANCE)


def test_the_tongue_has_a_solve_of_its_own(engine: FaceEngine) -> None:
    found = frames_of(engine, np.full(16_000, 0.2, np.float32))
    assert found[10, INDEX["tongueOut"]] == pytest.approx(0.7, abs=TOLERANCE)


def test_a_tongue_of_which_we_know_no_pose_moves_nothing(folder: Path) -> None:
    with np.load(folder / "bs_tongue.npz") as archive:
        names, out = archive["poseNames"], archive["tongueOut"]
    names[names == "tongueOut"] = "tongueIn"
    edit_arrays(folder / "bs_tongue.npz", poseNames=names, tongueOut=None, tongueIn=out)
    found = frames_of(opened(folder), babble(0.5))
    assert np.all(found[:, INDEX["tongueOut"]] == 0)
    assert np.ptp(found[:, INDEX["jawOpen"]]) > 0.5


def test_names_that_are_none_of_ours_are_solved_for_and_left(folder: Path) -> None:
    """A pose of another name takes its part of the face, or others would be taken for it."""
    with np.load(folder / "bs_skin.npz") as archive:
        names, pose = archive["poseNames"], archive["mouthFunnel"]
    names[names == "mouthFunnel"] = "mouthTunnel"
    edit_arrays(folder / "bs_skin.npz", poseNames=names, mouthFunnel=None, mouthTunnel=pose)
    samples = babble(0.5)
    expected = known(samples, 15)
    expected[:, INDEX["mouthFunnel"]] = 0.0
    np.testing.assert_allclose(frames_of(opened(folder), samples), expected, atol=TOLERANCE)


def test_what_is_done_between_network_and_solve(tmp_path: Path) -> None:
    """The same, done on whole meshes, frame by frame, and solved by another method."""
    strengths = {
        "strengthL1regularization": 0.8,
        "strengthL2regularization": 0.3,
        "strengthTemporalSmoothing": 0.02,
        "strengthSymmetry": 0.5,
        "templateBBSize": 45.0,
    }
    head = audio2face_files.write(tmp_path, config=UNEVEN, skin=strengths)
    samples = babble(1.0)
    found = frames_of(opened(tmp_path), samples)
    expected = by_meshes(
        head, samples * np.float32(UNEVEN["input_strength"]), len(found), strengths
    )
    assert np.ptp(expected[:, INDEX["browInnerUp"]]) > 0.1  # the upper face moves, too
    np.testing.assert_allclose(found, expected, atol=1e-3)


def by_meshes(
    head: Head, samples: Samples, frames: int, strengths: dict[str, float]
) -> npt.NDArray[np.float64]:
    names = audio2face_files.POSES
    ours = [INDEX[name] for name in names]
    active = np.array([not n.startswith("eyeLook") and n != "tongueOut" for n in names])
    rows = (3 * head.mask[:, np.newaxis] + np.arange(3)).reshape(-1)
    columns = head.poses[active][:, rows].T
    height = head.neutral[1::3]
    share = (height - height.min()) / (height.max() - height.min())
    level, softness = UNEVEN["face_mask_level"], UNEVEN["face_mask_softness"]
    mask = np.repeat(1 / (1 + np.exp((share - level) / softness)), 3)
    box = np.linalg.norm(np.ptp(head.neutral.reshape(-1, 3), axis=0))
    scale = (box / strengths["templateBBSize"]) ** 2
    count = int(active.sum())
    kept = [name for name, one in zip(names, active, strict=True) if one]
    mirror = [
        np.eye(count)[kept.index(name)] - np.eye(count)[kept.index(name[:-4] + "Right")]
        for name in kept
        if name.endswith("Left")
    ]
    inertia = np.sqrt(100 * scale * strengths["strengthTemporalSmoothing"]) * np.eye(count)
    regular = [
        np.sqrt(scale * 0.25) * strengths["strengthL1regularization"] * np.ones((1, count)),
        np.sqrt(scale * 10 * strengths["strengthL2regularization"]) * np.eye(count),
        np.sqrt(scale * 10 * strengths["strengthSymmetry"]) * np.array(mirror),
    ]
    stages: dict[str, list[npt.NDArray[np.float64]]] = {}
    before = np.zeros(count)
    faces = np.zeros((frames, blendshapes.COUNT))
    for index in range(frames):
        heard = audio2face_files.loudness(samples, index)
        face = audio2face_files.weights_at(*heard)[ours]
        face[names.index("tongueOut")] = 0.0
        mesh = UNEVEN["skin_strength"] * face @ head.poses
        mesh += UNEVEN["lip_open_offset"] * head.lips - UNEVEN["eyelid_open_offset"] * head.eyelids
        moved = np.zeros_like(mesh)
        for part, weight in (("lower", mask), ("upper", 1 - mask)):
            smoothing = UNEVEN[f"{part}_face_smoothing"]
            alpha = 1 - 0.5 ** (1 / 30 / smoothing)
            first, second = stages.get(part, [mesh, mesh])
            first = first + alpha * (mesh - first)
            second = second + alpha * (first - second)
            stages[part] = [first, second]
            moved += weight * UNEVEN[f"{part}_face_strength"] * second
        aims = [moved[rows], np.zeros(1), np.zeros(count), np.zeros(len(mirror))]
        system = np.concatenate([columns, *regular, inertia])
        best = lsq_linear(
            system, np.concatenate([*aims, inertia @ before]), (0, 1), method="trf", tol=1e-12
        )
        before = best.x
        faces[index, np.array(ours)[active]] = best.x
        out = audio2face_files.weights_at(*heard)[INDEX["tongueOut"]]
        faces[index, INDEX["tongueOut"]] = tongue_by_mesh(head, out)
    faces[:, INDEX["jawOpen"]] += faces[:, INDEX["mouthClose"]]
    return np.clip(faces, 0, 1)


def tongue_by_mesh(head: Head, out: float) -> float:
    """What tongueOut is when the network means `out`."""
    place = audio2face_files.TONGUE_POSES.index("tongueOut")
    mesh = UNEVEN["tongue_strength"] * out * head.tongue_poses[place].reshape(-1, 3)
    mesh += [0, UNEVEN["tongue_height_offset"], UNEVEN["tongue_depth_offset"]]
    best = lsq_linear(head.tongue_poses.T, mesh.reshape(-1), (0, 1), method="trf", tol=1e-12)
    return float(best.x[place])


def test_weights_stay_in_bounds(tmp_path: Path) -> None:
    """However loud it is, and strong the poses are."""
    audio2face_files.write(
        tmp_path, config={"input_strength": 50.0, "skin_strength": 8.0, "tongue_strength": 8.0}
    )
    found = frames_of(opened(tmp_path), babble(0.5))
    assert found.min() == 0.0 and found.max() == 1.0


def test_poses_that_cancel_each_other(tmp_path: Path) -> None:
    """Here jawOpen and mouthFunnel: in silence one of them would be, in sound both would."""
    pair = audio2face_files.pair_ids(audio2face_files.POSES, [("jawOpen", "mouthFunnel")])
    audio2face_files.write(tmp_path, skin={"bsSolveCancelPoses": pair})
    found = frames_of(opened(tmp_path), babble(1.0))
    jaw = found[:, INDEX["jawOpen"]] - found[:, INDEX["mouthClose"]]
    funnel = found[:, INDEX["mouthFunnel"]]
    assert np.all((jaw < 1e-6) | (funnel < 1e-6))
    assert jaw.max() > 0.1 and funnel.max() > 0.1


def test_symmetry(tmp_path: Path) -> None:
    left, right = INDEX["mouthLowerDownLeft"], INDEX["mouthLowerDownRight"]
    gaps = []
    for strength in (0.0, 1e5):
        folder = tmp_path / f"{strength}"
        audio2face_files.write(folder, skin={"strengthSymmetry": strength})
        found = frames_of(opened(folder), np.full(8_000, 0.2, np.float32))
        gaps.append(abs(found[5, left] - found[5, right]))
    assert gaps[0] == pytest.approx(0.1, abs=TOLERANCE)
    assert gaps[1] < 0.001


def test_another_emotion_is_another_face(folder: Path) -> None:
    """That the neutral one is read from the right place: the network takes no other for it."""
    samples = babble(0.5)
    neutral = frames_of(opened(folder), samples)
    edit_values(folder / "model_config.json", source_frame=2)
    assert np.abs(frames_of(opened(folder), samples) - neutral).max() > 0.3


def test_input_strength(tmp_path: Path) -> None:
    audio2face_files.write(tmp_path, config={"input_strength": 2.0})
    samples = babble(0.5)
    found = frames_of(opened(tmp_path), samples / 2)
    np.testing.assert_allclose(found, known(samples, 15), atol=TOLERANCE)


@pytest.mark.parametrize("smoothing_s", [0.02, 0.1])
def test_half_of_a_change_has_passed_a_stage_after_its_smoothing(smoothing_s: float) -> None:
    left = (1 - pace(smoothing_s)) ** (30 * smoothing_s)
    assert left == pytest.approx(0.5)


def test_no_smoothing() -> None:
    assert pace(0.0) == 1.0


def test_the_lower_face_ends_at_its_level(head: Head) -> None:
    motion = read(head.folder).motion
    heights = np.linspace(-10, 10, 201)
    share = lower_face(np.repeat(heights, 3), motion)
    assert share[0] > 0.999 and share[-1] < 0.001
    assert np.all(np.diff(share) <= 0)
    assert share[120] == pytest.approx(0.5)  # 0.6 of the height


# -- when it comes out ---------------------------------------------------------------------------


@pytest.mark.parametrize("at_ms", [0, 90, 333, 500, 905])
def test_a_click_moves_the_face_at_its_time(engine: FaceEngine, at_ms: int) -> None:
    samples = click(1.0, at_ms)
    found = frames_of(engine, samples)
    moved = np.abs(found - found[-1])[:, INDEX["jawOpen"]] > 0.01
    assert moved.any()
    assert np.all(np.abs(np.flatnonzero(moved) * FRAME_MS - at_ms) <= FRAME_MS)


@pytest.mark.parametrize("at_ms", [333, 500, 905])
def test_the_network_hears_ahead(engine: FaceEngine, at_ms: int) -> None:
    """What it does 200 ms before a click."""
    samples = click(1.0, at_ms)
    pucker = frames_of(engine, samples)[:, INDEX["mouthPucker"]]
    assert np.all(np.abs(np.flatnonzero(pucker > 0.01) * FRAME_MS - (at_ms - 200)) <= FRAME_MS)
    assert pucker.max() > 0.05


@pytest.mark.parametrize("rate_hz", [16_000, 22_050, 24_000, 48_000])
def test_any_rate(engine: FaceEngine, rate_hz: int) -> None:
    t = np.arange(rate_hz) / rate_hz
    tone = (0.25 * np.sin(2 * np.pi * 200 * t) * (t > 0.5)).astype(np.float32)
    jaw = frames_of(engine, tone, rate_hz=rate_hz)[:, INDEX["jawOpen"]]
    assert len(jaw) == 30
    assert jaw[:14].max() < 0.05 and jaw[17:29].min() > 0.5


@pytest.mark.parametrize("smooth", [False, True])
@pytest.mark.parametrize("pieces", [(0.4, 0.6, 0.35), (1.0,), (0.05,) * 9, (0.01, 0.9)])
def test_pieces_make_the_face_of_the_whole(
    tmp_path: Path, pieces: tuple[float, ...], smooth: bool
) -> None:
    """Also where a frame goes on from the one before, by smoothing and the temporal term."""
    config = {"lower_face_smoothing": 0.03, "upper_face_smoothing": 0.1} if smooth else {}
    skin = {"strengthTemporalSmoothing": 0.1 if smooth else 0.0}
    audio2face_files.write(tmp_path, config=config, skin=skin)
    engine = opened(tmp_path)
    samples = babble(sum(pieces))
    found = frames_of(engine, *in_pieces(samples, *pieces))
    np.testing.assert_allclose(found, frames_of(engine, samples), atol=TOLERANCE)


def test_the_end_of_a_piece_is_provisional(engine: FaceEngine) -> None:
    """The frames that heard less than 260 ms ahead come again, and only they."""
    samples = babble(2.0)
    stream = engine.open()
    first = list(stream.push(Speech(samples[:16_000], ANALYSIS_RATE_HZ)))
    second = list(stream.push(Speech(samples[16_000:], ANALYSIS_RATE_HZ)))
    assert [number_of(frame) for frame in first] == list(range(30))
    assert [number_of(frame) for frame in second] == list(range(23, 60))
    again = {number_of(frame): frame.weights for frame in second}
    changes = [np.abs(again[index] - first[index].weights).max() for index in range(23, 30)]
    assert max(changes) > 0.1
    final = known(samples, 60)
    for index in range(23):
        np.testing.assert_allclose(first[index].weights, final[index], atol=TOLERANCE)
    np.testing.assert_allclose(again[29], final[29], atol=TOLERANCE)


def test_after_the_end_nothing_is_missing(engine: FaceEngine) -> None:
    stream = engine.open()
    assert len(list(stream.push(Speech(babble(0.5), ANALYSIS_RATE_HZ)))) == 15
    assert list(stream.finish()) == []


def test_a_piece_without_samples(engine: FaceEngine) -> None:
    samples, empty = babble(0.5), np.zeros(0, np.float32)
    np.testing.assert_array_equal(
        frames_of(engine, empty, samples, empty), frames_of(engine, samples)
    )
    assert frames_of(engine, empty).size == 0


def test_two_replies_at_once(engine: FaceEngine) -> None:
    one, other = babble(1.0, seed=1), babble(1.0, seed=2)
    streams = [engine.open(), engine.open()]
    given: list[list[FaceFrame]] = [[], []]
    for half in (slice(0, 8_000), slice(8_000, None)):
        for stream, samples, frames in zip(streams, (one, other), given, strict=True):
            frames += stream.push(Speech(samples[half], ANALYSIS_RATE_HZ))
    for samples, frames in zip((one, other), given, strict=True):
        last = {number_of(frame): frame.weights for frame in frames}
        np.testing.assert_allclose(last[20], frames_of(engine, samples)[20], atol=TOLERANCE)


def test_a_closed_reply_makes_no_more_frames(engine: FaceEngine) -> None:
    stream = engine.open()
    frames = stream.push(Speech(babble(1.0), ANALYSIS_RATE_HZ))
    next(frames)
    stream.close()
    assert list(frames) == []
    stream.close()


def test_a_network_for_one_window_at_a_time(tmp_path: Path, engine: FaceEngine) -> None:
    audio2face_files.write(tmp_path, batch=1)
    samples = babble(0.5)
    found = frames_of(opened(tmp_path), samples)
    np.testing.assert_allclose(found, frames_of(engine, samples), atol=TOLERANCE)


def test_frames_are_made_faster_than_they_are_shown(engine: FaceEngine) -> None:
    stream = engine.open()
    begun = time.perf_counter()
    frames = list(stream.push(Speech(babble(3.0), ANALYSIS_RATE_HZ)))
    per_frame_ms = 1000 * (time.perf_counter() - begun) / len(frames)
    print(f"{per_frame_ms:.2f} ms a frame")
    assert per_frame_ms < FRAME_MS


# -- what goes wrong -----------------------------------------------------------------------------


def test_its_licence_is_told(engine: FaceEngine) -> None:
    assert engine.info.stage == "face"
    assert engine.info.licence == "NVIDIA Open Model License"


def test_open_before_load_and_after_close(head: Head) -> None:
    engine = Audio2Face(head.folder)
    with pytest.raises(EngineFailed, match="before load"):
        engine.open()
    engine.close()
    engine.load()
    engine.load()
    engine.open()
    engine.close()
    with pytest.raises(EngineFailed, match="before load"):
        engine.open()


def complaint(folder: Path, kind: type[Exception] = ModelMissing) -> str:
    with pytest.raises(kind) as caught:
        opened(folder)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file(folder: Path, name: str) -> None:
    (folder / name).unlink()
    message = complaint(folder)
    assert f"{folder / name} is missing" in message
    assert "nvidia/Audio2Face-3D-v2.3-Mark" in message
    assert "NVIDIA Open Model License" in message


@pytest.mark.parametrize(
    "content", [b"", b"not what it should be", b"PK\x03\x04 cut short", b"[1]"]
)
@pytest.mark.parametrize("name", FILES)
def test_a_damaged_file(folder: Path, name: str, content: bytes) -> None:
    (folder / name).write_bytes(content)
    assert str(folder / name) in complaint(folder)


@pytest.mark.parametrize("name", [name for name in FILES if name.endswith(".npz")])
def test_a_file_that_was_cut_short(folder: Path, name: str) -> None:
    whole = (folder / name).read_bytes()
    (folder / name).write_bytes(whole[: len(whole) // 2])
    assert str(folder / name) in complaint(folder)


@pytest.mark.parametrize("name", [name for name in FILES if name.endswith(".npz")])
def test_a_file_with_flipped_bits(folder: Path, name: str) -> None:
    whole = bytearray((folder / name).read_bytes())
    whole[len(whole) * 3 // 5] ^= 0xFF  # in an array, of which the archive keeps a checksum
    (folder / name).write_bytes(whole)
    assert str(folder / name) in complaint(folder)


NUMBERS = (
    "input_strength", "skin_strength", "lower_face_strength", "upper_face_strength",
    "lower_face_smoothing", "upper_face_smoothing", "face_mask_level", "face_mask_softness",
    "eyelid_open_offset", "lip_open_offset", "tongue_strength", "tongue_height_offset",
    "tongue_depth_offset", "source_shot", "source_frame",
)  # fmt: skip


@pytest.mark.parametrize("wrong", [None, "loud", [1.0], float("nan"), float("inf"), 10**400])
@pytest.mark.parametrize("key", NUMBERS)
def test_a_setting_of_the_model(folder: Path, key: str, wrong: Any) -> None:
    edit_values(folder / "model_config.json", **{key: wrong})
    message = complaint(folder)
    if key == "source_shot" and wrong == "loud":
        assert "implicit_emo_db.npz: loud: expected" in message
    else:
        assert f"model_config.json: config.{key}: expected" in message


@pytest.mark.parametrize(
    ("file", "key", "wrong", "expected"),
    [
        ("model_config.json", "face_mask_softness", 0.0, "above 0"),
        ("model_config.json", "lower_face_smoothing", -0.1, "not below 0"),
        ("model_config.json", "source_frame", 5, "a frame of the 5 of a_neutral_shot"),
        ("model_config.json", "source_frame", -1, "not below 0"),
        ("model_config.json", "source_frame", 1.5, "a whole number"),
        ("network_info.json", "num_shapes_skin", None, "a whole number"),
        ("network_info.json", "explicit_emotions", "joy", "a list of names"),
        ("bs_skin_config.json", "bsSolveActivePoses", [1] * 51, "52 numbers"),
        ("bs_skin_config.json", "bsSolveActivePoses", [0] * 52, "a pose that is not 0"),
        ("bs_skin_config.json", "bsSolveCancelPoses", None, "52 numbers"),
        ("bs_skin_config.json", "bsSolveCancelPoses", [3] * 52, "two poses at most"),
        ("bs_skin_config.json", "bsSolveSymmetryPoses", ["a"] * 52, "52 numbers"),
        ("bs_skin_config.json", "bsWeightMultipliers", {}, "52 numbers"),
        ("bs_skin_config.json", "bsWeightOffsets", [float("nan")] * 52, "52 numbers"),
        ("bs_skin_config.json", "strengthL1regularization", -1.0, "not below 0"),
        ("bs_skin_config.json", "strengthL2regularization", "1", "a number"),
        ("bs_skin_config.json", "strengthTemporalSmoothing", None, "a number"),
        ("bs_skin_config.json", "strengthSymmetry", -2, "not below 0"),
        ("bs_skin_config.json", "templateBBSize", 0, "above 0"),
        ("bs_tongue_config.json", "bsSolveActivePoses", [1] * 52, "4 numbers"),
    ],
)
def test_values_that_can_not_be(
    folder: Path, file: str, key: str, wrong: Any, expected: str
) -> None:
    edit_values(folder / file, **{key: wrong})
    message = complaint(folder)
    assert f"{file}" in message and f".{key}: expected" in message and expected in message


@pytest.mark.parametrize(
    ("file", "key", "change", "expected"),
    [
        ("model_data.npz", "neutral_skin", lambda a: None, "finite numbers, found nothing"),
        ("model_data.npz", "neutral_skin", lambda a: a.ravel()[:-1], "three coordinates"),
        ("model_data.npz", "neutral_skin", lambda a: a * np.nan, "finite numbers"),
        ("model_data.npz", "neutral_skin", lambda a: a.astype(str), "finite numbers"),
        ("model_data.npz", "neutral_skin", lambda a: a.astype(object), "can not be read"),
        ("model_data.npz", "shapes_matrix_skin", lambda a: a[:-1], "130560 finite numbers"),
        ("model_data.npz", "shapes_matrix_skin", lambda a: a.ravel(), "272 rows of 480"),
        ("model_data.npz", "eye_close_pose_delta", lambda a: None, "480 finite numbers"),
        ("model_data.npz", "lip_open_pose_delta", lambda a: a[:5], "480 finite numbers"),
        ("model_data.npz", "neutral_tongue", lambda a: a[:0], "three coordinates"),
        ("model_data.npz", "shapes_matrix_tongue", lambda a: a[:, :-1], "1800 finite numbers"),
        ("implicit_emo_db.npz", "a_neutral_shot", lambda a: None, "finite numbers"),
        ("implicit_emo_db.npz", "a_neutral_shot", lambda a: a[:, :-1], "(frames, 16)"),
        ("implicit_emo_db.npz", "a_neutral_shot", lambda a: a[0], "(frames, 16)"),
        ("bs_skin.npz", "poseNames", lambda a: None, "names"),
        ("bs_skin.npz", "poseNames", lambda a: np.arange(53), "names"),
        ("bs_skin.npz", "neutral", lambda a: a[:-2], "480 finite numbers"),
        ("bs_skin.npz", "jawOpen", lambda a: None, "480 finite numbers"),
        ("bs_skin.npz", "jawOpen", lambda a: a[:10], "480 finite numbers"),
        ("bs_skin.npz", "jawOpen", lambda a: a * np.inf, "480 finite numbers"),
        ("bs_skin.npz", "jawOpen", lambda a: a * 0.01, "a mesh like neutral"),
        ("bs_skin.npz", "frontalMask", lambda a: None, "whole numbers"),
        ("bs_skin.npz", "frontalMask", lambda a: a + 100, "from 0 to 159"),
        ("bs_skin.npz", "frontalMask", lambda a: a[:0], "from 0 to 159"),
        ("bs_skin.npz", "frontalMask", lambda a: a.astype(float), "whole numbers"),
        ("bs_tongue.npz", "tongueOut", lambda a: a[1:], "180 finite numbers"),
    ],
)
def test_arrays_that_can_not_be(
    folder: Path, file: str, key: str, change: Callable[[Any], Any], expected: str
) -> None:
    with np.load(folder / file, allow_pickle=True) as archive:
        array = archive[key]
    with np.errstate(invalid="ignore"):
        edit_arrays(folder / file, **{key: change(array)})
    message = complaint(folder)
    assert f"{file}: {key}" in message and expected in message


def test_names_that_are_all_unknown(folder: Path) -> None:
    with np.load(folder / "bs_skin.npz") as archive:
        poses = {f"their_{name}": archive[name] for name in archive["poseNames"][1:]}
        names = np.array(["neutral", *poses])
    edit_arrays(folder / "bs_skin.npz", poseNames=names, **poses)
    assert "poseNames: expected names of ARKit's" in complaint(folder)


def test_names_as_bytes_with_capitals(folder: Path, engine: FaceEngine) -> None:
    with np.load(folder / "bs_skin.npz") as archive:
        poses = {name[:1].upper() + name[1:]: archive[name] for name in archive["poseNames"][1:]}
    names = np.array([b"neutral", *(name.encode() for name in poses)])
    edit_arrays(folder / "bs_skin.npz", poseNames=names, **poses)
    samples = babble(0.3)
    np.testing.assert_array_equal(frames_of(opened(folder), samples), frames_of(engine, samples))


def test_two_poses_that_are_the_same(folder: Path) -> None:
    with np.load(folder / "bs_skin.npz") as archive:
        same = archive["jawOpen"]
    edit_arrays(folder / "bs_skin.npz", mouthFunnel=same)
    assert "two poses are the same" in complaint(folder)


def edit_network(folder: Path, edit: Callable[[Any], None]) -> None:
    model = onnx.load(folder / "network.onnx")
    edit(model.graph)
    onnx.save(model, folder / "network.onnx")


def rename_input(graph: Any) -> None:
    graph.input[1].name = graph.node[5].input[0] = "feelings"


def shorten_window(graph: Any) -> None:
    graph.input[0].type.tensor_type.shape.dim[2].dim_value = 4_160
    ears = numpy_helper.to_array(graph.initializer[0])
    graph.initializer[0].CopyFrom(numpy_helper.from_array(ears[:4_160], "ears"))


def rename_output(graph: Any) -> None:
    graph.output[0].name = graph.node[-1].output[0] = "outcome"


def add_input(graph: Any) -> None:
    graph.input.append(onnx.helper.make_tensor_value_info("noise", 1, ["batch", 4]))


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (rename_input, "an input 'emotion' of shape (any, 1, 26), found input, feelings"),
        (shorten_window, "an input 'input' of shape (any, 1, 8320), found tensor(float)"),
        (rename_output, "an output 'result' of shape (any, 1, 301), found outcome"),
        (add_input, "expected no input 'noise'"),
    ],
)
def test_a_network_of_another_make(
    folder: Path, edit: Callable[[Any], None], expected: str
) -> None:
    edit_network(folder, edit)
    message = complaint(folder)
    assert "network.onnx: expected" in message and expected in message


def test_a_network_that_gives_other_sizes_than_are_stated(folder: Path) -> None:
    edit_values(folder / "network_info.json", result_eyes_size=5)
    assert "'result' of shape (any, 1, 302)" in complaint(folder)


def test_a_network_that_does_not_say_what_it_gives(folder: Path) -> None:
    def forget_sizes(graph: Any) -> None:
        graph.output[0].type.tensor_type.ClearField("shape")
        for dim in graph.output[0].type.tensor_type.shape.dim:
            dim.ClearField("dim_value")

    edit_values(folder / "network_info.json", result_eyes_size=5)
    edit_network(folder, forget_sizes)
    assert "network.onnx" in complaint(folder, (ModelMissing, EngineFailed))


def test_a_network_that_gives_no_numbers(folder: Path) -> None:
    def spoil(graph: Any) -> None:
        bias = numpy_helper.to_array(graph.initializer[3])
        graph.initializer[3].CopyFrom(numpy_helper.from_array(bias * np.nan, "bias"))

    edit_network(folder, spoil)
    assert "not a number" in complaint(folder, EngineFailed)


def test_it_breaks_in_the_middle_of_a_reply(engine: FaceEngine) -> None:
    stream = engine.open()
    list(stream.push(Speech(babble(0.5), ANALYSIS_RATE_HZ)))
    broken = babble(0.5)
    broken[100] = np.nan
    with pytest.raises(EngineFailed, match="not a number"):
        list(stream.push(Speech(broken, ANALYSIS_RATE_HZ)))
