"""The baked heads, and what happens when their files are not what they should be."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from goassist_desktop import shipped
from goassist_desktop.avatar.head import PEOPLE, Head, Size, load_head
from goassist_desktop.avatar.subdivision import subdivide
from goassist_desktop.pipeline.blendshapes import INDEX
from goassist_desktop.pipeline.errors import EngineFailed, ModelMissing

MOST_BYTES = 3_000_000


@pytest.fixture(scope="module")
def heads() -> dict[tuple[str, Size], Head]:
    sizes: tuple[Size, ...] = ("small", "large")
    return {(person, size): load_head(person, size) for person in PEOPLE for size in sizes}


@pytest.mark.parametrize("size", ["small", "large"])
@pytest.mark.parametrize("person", PEOPLE)
def test_a_head_is_whole(heads: dict[tuple[str, Size], Head], person: str, size: Size) -> None:
    head = heads[person, size]
    count = len(head.points)
    assert len(head.normals) == len(head.places) == len(head.tones) == count
    assert head.triangles.max() < count
    assert list(head.parts) == ["skin", "mouth", "cloth", "eye", "lashes", "hair"]
    assert [part.start for part in head.parts.values()][1:] == [
        part.stop for part in head.parts.values()
    ][:-1]
    assert all(part.stop > part.start for part in head.parts.values())
    for values in (head.points, head.normals, head.places, head.shapes, head.shape_normals):
        assert np.isfinite(values).all()
    skin = np.unique(head.triangles[head.parts["skin"]])
    lengths = np.linalg.norm(head.normals[skin], axis=1)
    np.testing.assert_allclose(lengths, 1.0, atol=1e-3)


@pytest.mark.parametrize("person", PEOPLE)
def test_every_shape_that_is_not_of_the_eyeball_moves_something(
    heads: dict[tuple[str, Size], Head], person: str
) -> None:
    for size in ("small", "large"):
        moved = np.abs(heads[person, size].shapes).max(axis=(1, 2))
        assert (moved > 0.005).all()


@pytest.mark.parametrize("person", PEOPLE)
def test_the_large_head_is_the_small_one_refined(
    heads: dict[tuple[str, Size], Head], person: str
) -> None:
    small, large = heads[person, "small"], heads[person, "large"]
    assert len(large.triangles) > 3 * len(small.triangles)
    for axis in range(3):
        assert np.ptp(large.points[:, axis]) == pytest.approx(np.ptp(small.points[:, axis]), 0.03)
    jaw = INDEX["jawOpen"]
    assert large.shapes[jaw].min() == pytest.approx(small.shapes[jaw].min(), abs=0.02)


def test_the_two_are_different_people(heads: dict[tuple[str, Size], Head]) -> None:
    mira, jonas = heads["mira", "small"], heads["jonas", "small"]
    assert not np.array_equal(mira.pictures["skin"], jonas.pictures["skin"])
    assert abs(mira.colours["hair"] - jonas.colours["hair"]).max() > 0.005
    widths = [
        np.ptp(head.points[np.unique(head.triangles[head.parts["skin"]]), 0])
        for head in (mira, jonas)
    ]
    assert abs(widths[0] - widths[1]) > 0.05


def test_left_is_the_persons_own(heads: dict[tuple[str, Size], Head]) -> None:
    head = heads["mira", "small"]
    assert head.eye_centres[0, 0] > 0 > head.eye_centres[1, 0]
    moved = np.abs(head.shapes[INDEX["eyeBlinkLeft"]]).max(axis=1) > 0.04
    assert (head.points[: len(moved)][moved, 0] > 0).mean() > 0.95  # not deep in the skull


def test_the_files_are_small_enough_for_the_repository() -> None:
    sizes = [path.stat().st_size for path in (shipped.folder() / "heads").glob("*.npz")]
    assert len(sizes) == len(PEOPLE)
    assert sum(sizes) <= MOST_BYTES


def test_a_missing_head_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match=r"nobody\.npz is missing"):
        load_head("nobody", folder=tmp_path)


@pytest.mark.parametrize("kept", [0, 1000, 0.5, 0.999])
def test_a_damaged_head_is_named(tmp_path: Path, kept: float) -> None:
    data = (shipped.folder() / "heads/mira.npz").read_bytes()
    path = tmp_path / "mira.npz"
    path.write_bytes(data[: int(kept if kept > 1 else kept * len(data))])
    with pytest.raises(ModelMissing, match=r"mira\.npz is damaged"):
        load_head("mira", folder=tmp_path)


def test_flipped_bits_are_noticed(tmp_path: Path) -> None:
    data = bytearray((shipped.folder() / "heads/mira.npz").read_bytes())
    data[len(data) // 2] ^= 0xFF
    (tmp_path / "mira.npz").write_bytes(bytes(data))
    with pytest.raises(ModelMissing, match=r"mira\.npz is damaged"):
        load_head("mira", folder=tmp_path)


def test_something_else_under_the_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mira.npz").write_text("not a head", "utf-8")
    with pytest.raises(ModelMissing, match=r"mira\.npz is damaged"):
        load_head("mira", folder=tmp_path)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("format", np.uint8(9)),
        ("quads", np.full((9, 4), 60_000, np.uint16)),
        ("quad_counts", np.array([1, 2], np.uint32)),
        ("shape_counts", np.zeros(51, np.uint16)),
        ("shape_deltas", np.zeros((3, 3), np.int16)),
        ("light_small", np.zeros((7, 2), np.uint8)),
        ("ribbon_quads_small", np.full((4, 4), 65_000, np.uint16)),
        ("eye_turns", np.zeros(3, np.float32)),
        ("picture_skin", np.zeros(40, np.uint8)),
        ("points", None),
    ],
)
def test_arrays_that_do_not_fit_are_refused(
    tmp_path: Path, name: str, value: np.ndarray | None
) -> None:
    shutil.copy(shipped.folder() / "heads/mira.npz", tmp_path / "mira.npz")
    with np.load(tmp_path / "mira.npz") as archive:
        stored = dict(archive)
    if value is None:
        del stored[name]
    else:
        stored[name] = value
    np.savez(tmp_path / "mira.npz", **stored)
    with pytest.raises(EngineFailed, match=r"mira\.npz is no head of format 1: ."):
        load_head("mira", folder=tmp_path)


def test_subdivision_of_a_cube_rounds_it_towards_the_known_points() -> None:
    """Corners go to 5/9 of their distance, middles of edges to 3/4, those of faces stay."""
    cube = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], float)
    quads = np.array(
        [[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]]
    )
    matrix, finer = subdivide(quads, 8)
    points = matrix @ cube
    assert points.shape == (8 + 12 + 6, 3)
    assert finer.shape == (24, 4)
    np.testing.assert_allclose(np.abs(points[:8]), 5 / 9)
    np.testing.assert_allclose(np.sort(np.abs(points[8:20]), axis=1), [[0, 0.75, 0.75]] * 12)
    np.testing.assert_allclose(np.sort(np.abs(points[20:]), axis=1), [[0, 0, 1]] * 6)


def test_subdivision_keeps_a_flat_border_straight() -> None:
    sheet = np.array([[x, y, 0] for y in range(3) for x in range(3)], float)
    quads = np.array([[0, 1, 4, 3], [1, 2, 5, 4], [3, 4, 7, 6], [4, 5, 8, 7]])
    matrix, _ = subdivide(quads, 9)
    np.testing.assert_allclose(matrix.sum(axis=1), 1.0)
    np.testing.assert_allclose((matrix @ sheet)[1], [1, 0, 0])
