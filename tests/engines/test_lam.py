"""The engine of LAM-Audio2Expression, on an export made up to have a known answer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from goassist_desktop.pipeline import blendshapes
from goassist_desktop.pipeline.blendshapes import INDEX
from goassist_desktop.pipeline.engines import create
from goassist_desktop.pipeline.engines.lam import Lam
from goassist_desktop.pipeline.errors import EngineFailed, ModelMissing
from goassist_desktop.pipeline.frames import ANALYSIS_RATE_HZ, Speech
from goassist_desktop.pipeline.protocols import FaceEngine
from tests.engines.face_contract import FaceContract
from tests.engines.known_faces import FRAME_MS, babble, click, frames_of, in_pieces, number_of
from tests.fakes import lam_files

TOLERANCE = 1e-5
"""Of a weight: the network computes in float32."""


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaceEngine]:
    folder = tmp_path_factory.mktemp("lam")
    lam_files.write(folder)
    engine = opened(folder)
    yield engine
    engine.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    lam_files.write(tmp_path)
    return tmp_path


def opened(folder: Path) -> FaceEngine:
    engine: FaceEngine = create("face", "lam", folder, threads=1)
    engine.load()
    return engine


@pytest.mark.models
class TestContract(FaceContract):
    """On the real voice; but what the made-up network makes of it is no articulation."""

    articulates = False

    @pytest.fixture(scope="class")
    @classmethod
    def engine(cls, engine: FaceEngine) -> FaceEngine:
        return engine


@pytest.mark.parametrize("seconds", [0.02, 0.5, 2.1, 2.11, 7.3])
def test_the_known_weights_are_found(engine: FaceEngine, seconds: float) -> None:
    """In windows that do not show, however many there are."""
    samples = babble(seconds)
    found = frames_of(engine, samples)
    assert len(found) == np.ceil(samples.size * 30 / 16_000)
    np.testing.assert_allclose(found, lam_files.weights_at(samples, len(found)), atol=TOLERANCE)


@pytest.mark.parametrize(
    "pieces", [(0.4, 0.6, 0.35), (1.5,) * 4, (0.05,) * 30, (0.01, 4.0), (3.0, 0.2, 3.0)]
)
def test_pieces_make_the_face_of_the_whole(engine: FaceEngine, pieces: tuple[float, ...]) -> None:
    samples = babble(sum(pieces))
    found = frames_of(engine, *in_pieces(samples, *pieces))
    np.testing.assert_allclose(found, lam_files.weights_at(samples, len(found)), atol=TOLERANCE)


def test_the_end_of_a_piece_is_provisional(engine: FaceEngine) -> None:
    samples = babble(2.0)
    stream = engine.open()
    first = list(stream.push(Speech(samples[:16_000], ANALYSIS_RATE_HZ)))
    second = list(stream.push(Speech(samples[16_000:], ANALYSIS_RATE_HZ)))
    assert [number_of(frame) for frame in first] == list(range(30))
    assert [number_of(frame) for frame in second] == list(range(25, 60))
    changes = [
        np.abs(late.weights - soon.weights).max()
        for soon, late in zip(first[25:], second, strict=False)
    ]
    assert max(changes) > 0.1


@pytest.mark.parametrize("at_ms", [0, 90, 333, 1905, 2500])
def test_a_click_moves_the_face_at_its_time(engine: FaceEngine, at_ms: int) -> None:
    samples = click(3.0, at_ms)
    moved = np.flatnonzero(frames_of(engine, samples)[:, INDEX["jawOpen"]] > 0.01)
    assert moved.size and np.all(np.abs(moved * FRAME_MS - at_ms) <= FRAME_MS)


@pytest.mark.parametrize("rate_hz", [22_050, 24_000, 48_000])
def test_any_rate(engine: FaceEngine, rate_hz: int) -> None:
    t = np.arange(rate_hz) / rate_hz
    tone = (0.25 * np.sin(2 * np.pi * 200 * t) * (t > 0.5)).astype(np.float32)
    jaw = frames_of(engine, tone, rate_hz=rate_hz)[:, INDEX["jawOpen"]]
    assert len(jaw) == 30
    assert jaw[:14].max() < 0.05 and jaw[17:29].min() > 0.5


def test_weights_stay_in_bounds(engine: FaceEngine) -> None:
    found = frames_of(engine, 50 * babble(1.0))
    assert found.min() == 0.0 and found.max() == 1.0


def test_a_piece_without_samples(engine: FaceEngine) -> None:
    assert frames_of(engine, np.zeros(0, np.float32)).size == 0


def test_a_closed_reply_makes_no_more_frames(engine: FaceEngine) -> None:
    stream = engine.open()
    frames = stream.push(Speech(babble(5.0), ANALYSIS_RATE_HZ))
    next(frames)
    stream.close()
    assert list(frames) == []


def test_it_breaks_in_the_middle_of_a_reply(engine: FaceEngine) -> None:
    stream = engine.open()
    list(stream.push(Speech(babble(0.5), ANALYSIS_RATE_HZ)))
    with pytest.raises(EngineFailed, match="not a number"):
        list(stream.push(Speech(np.full(100, np.nan, np.float32), ANALYSIS_RATE_HZ)))


# -- what goes wrong -----------------------------------------------------------------------------


def test_its_licence_is_told(engine: FaceEngine) -> None:
    assert (engine.info.stage, engine.info.licence) == ("face", "Apache-2.0")


def test_open_before_load(folder: Path) -> None:
    with pytest.raises(EngineFailed, match="before load"):
        Lam(folder).open()


def complaint(folder: Path) -> str:
    with pytest.raises(ModelMissing) as caught:
        opened(folder)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize("name", ["lam_audio2expression.onnx", "names.json"])
def test_a_missing_file(folder: Path, name: str) -> None:
    (folder / name).unlink()
    message = complaint(folder)
    assert f"{folder / name} is missing" in message
    assert "aigc3d/LAM_Audio2Expression" in message


@pytest.mark.parametrize("content", [b"", b"not what it should be", b"{}", b'["jawOpen", 3]'])
@pytest.mark.parametrize("name", ["lam_audio2expression.onnx", "names.json"])
def test_a_damaged_file(folder: Path, name: str, content: bytes) -> None:
    (folder / name).write_bytes(content)
    assert str(folder / name) in complaint(folder)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["jawAjar", *blendshapes.NAMES[1:]], "'jawAjar' is none of ARKit's"),
        (blendshapes.NAMES[1:], "each of ARKit's 52 names once"),
        (["jawOpen", *blendshapes.NAMES[1:]], "each of ARKit's 52 names once"),
        ([], "each of ARKit's 52 names once"),
    ],
)
def test_names_that_can_not_be(folder: Path, names: list[str], expected: str) -> None:
    (folder / "names.json").write_text(json.dumps(names))
    message = complaint(folder)
    assert f"{folder / 'names.json'}: " in message and expected in message


@pytest.mark.parametrize(
    ("frames", "window", "expected"),
    [
        (60, 33_600, "an output 'weights' of shape (1, 63, 52), found tensor(float) (1, 60, 52)"),
        (30, 16_000, "an input 'audio' of shape (1, 33600), found tensor(float) (1, 16000)"),
    ],
)
def test_an_export_of_another_kind(folder: Path, frames: int, window: int, expected: str) -> None:
    lam_files.write(folder, frames=frames, window=window)
    message = complaint(folder)
    assert "lam_audio2expression.onnx: expected" in message and expected in message
