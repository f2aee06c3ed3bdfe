"""The weights of blendshapes from a mesh: what was known must be found, and be the least."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goassist_desktop.pipeline.engines.blendshape_solve import BlendshapeSolve, Settings
from goassist_desktop.pipeline.errors import EngineFailed

POSES = 43
VERTICES = 80
SIZE = 50.0


def settings_of(count: int = POSES, **changes: Any) -> Settings:
    plain: dict[str, Any] = {
        "active": np.ones(count, np.bool_),
        "cancel": np.full(count, -1),
        "symmetry": np.full(count, -1),
        "multipliers": np.ones(count),
        "offsets": np.zeros(count),
        "l1": 0.0,
        "l2": 0.0,
        "temporal": 0.0,
        "mirrored": 0.0,
        "template_size": SIZE,
    }
    return Settings(**(plain | changes))


def poses(seed: int = 0, count: int = POSES) -> npt.NDArray[np.float64]:
    return np.random.default_rng(seed).normal(0, 1, (count, 3 * VERTICES))


def solved(
    deltas: npt.NDArray[np.float64],
    target: npt.NDArray[np.float64],
    how: Settings,
    before: npt.NDArray[np.float64] | None = None,
    size: float = SIZE,
) -> npt.NDArray[np.float64]:
    solve = BlendshapeSolve(deltas, size, how)
    still = np.zeros(solve.count) if before is None else before
    return solve.solve(solve.project(target), still)


def pairs(*places: tuple[int, int], count: int = POSES) -> npt.NDArray[np.int64]:
    ids = np.full(count, -1)
    for number, pair in enumerate(places):
        ids[list(pair)] = number
    return ids


@given(seed=st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_known_weights_are_found(seed: int) -> None:
    deltas = poses(seed)
    rng = np.random.default_rng(seed)
    known = rng.uniform(0, 1, POSES) * (rng.uniform(0, 1, POSES) < 0.5)
    np.testing.assert_allclose(solved(deltas, known @ deltas, settings_of()), known, atol=1e-9)


@given(seed=st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_what_is_found_is_least(seed: int) -> None:
    """Of the sum that the module states: at each weight, the way down leads out of the bounds."""
    rng = np.random.default_rng(seed)
    deltas = poses(seed)
    l1, l2, temporal, mirrored = rng.uniform(0, 3, 4)
    mirror = pairs((0, 1), (2, 3), (7, 30))
    how = settings_of(
        l1=l1, l2=l2, temporal=temporal, mirrored=mirrored, symmetry=mirror, template_size=40.0
    )
    before = rng.uniform(0, 1, POSES)
    target = rng.uniform(-2, 3, POSES) @ deltas + rng.normal(0, 2, 3 * VERTICES)
    found = solved(deltas, target, how, before)

    scale = (SIZE / 40.0) ** 2
    slope = 2 * deltas @ (found @ deltas - target)
    slope += scale * (l1**2 / 2 * found.sum() + 20 * l2 * found)
    slope += scale * 200 * temporal * (found - before)
    for a, b in ((0, 1), (2, 3), (7, 30)):
        slope[a] += scale * 20 * mirrored * (found[a] - found[b])
        slope[b] -= scale * 20 * mirrored * (found[a] - found[b])
    tiny = 1e-6 * np.abs(target @ deltas.T).max()
    assert np.all((0 <= found) & (found <= 1))
    assert np.any(found == 0) and np.any(found == 1)
    assert np.all(slope[found > 0] < tiny)
    assert np.all(slope[found < 1] > -tiny)


def test_of_two_poses_that_cancel_the_weaker_is_given_up() -> None:
    deltas = poses()
    known = np.zeros(POSES)
    known[[4, 5, 8, 9]] = 0.7, 0.2, 0.1, 0.3
    found = solved(deltas, known @ deltas, settings_of(cancel=pairs((4, 5), (8, 9))))
    assert found[5] == 0.0 and found[8] == 0.0
    rest = np.setdiff1d(np.arange(POSES), (5, 8))
    alone = solved(deltas[rest], known @ deltas, settings_of(POSES - 2))
    np.testing.assert_allclose(found[rest], alone, atol=1e-9)
    assert abs(found[4] - 0.7) > 1e-3  # the rest was solved again, without them


def test_of_a_cancelling_pair_one_may_be_inactive() -> None:
    deltas = poses()
    active = np.ones(POSES, np.bool_)
    active[5] = False
    known = np.zeros(POSES)
    known[4] = 0.7
    found = solved(deltas, known @ deltas, settings_of(active=active, cancel=pairs((4, 5))))
    np.testing.assert_allclose(found, known[active], atol=1e-9)


def test_symmetry_brings_a_pair_together() -> None:
    deltas = poses()
    known = np.zeros(POSES)
    known[[4, 5]] = 0.6, 0.2
    gaps = []
    for strength in (0.0, 10.0, 10_000.0):
        how = settings_of(symmetry=pairs((4, 5)), mirrored=strength)
        left, right = solved(deltas, known @ deltas, how)[4:6]
        gaps.append(abs(left - right))
    assert gaps[0] == pytest.approx(0.4)
    assert gaps[0] > gaps[1] > gaps[2]
    assert gaps[2] < 0.001


def test_the_temporal_term_slows_a_change_and_nothing_else() -> None:
    deltas = poses()
    known = np.full(POSES, 0.4)
    calm = settings_of(temporal=5.0)
    first = solved(deltas, known @ deltas, calm)
    second = solved(deltas, known @ deltas, calm, first)
    assert np.all(first < second) and np.all(second < 0.4)
    np.testing.assert_allclose(solved(deltas, known @ deltas, calm, known), known, atol=1e-9)


@pytest.mark.parametrize("strength", ["l1", "l2"])
def test_regularisation_makes_weights_smaller(strength: str) -> None:
    deltas = poses()
    target = np.full(POSES, 0.4) @ deltas
    sums = [solved(deltas, target, settings_of(**{strength: s})).sum() for s in (0.0, 2.0, 10.0)]
    assert sums[0] > sums[1] > sums[2]


def test_the_unit_of_length_does_not_matter() -> None:
    deltas = poses()
    target = np.random.default_rng(1).uniform(-1, 2, POSES) @ deltas
    strong = settings_of(l1=2.0, l2=3.0, temporal=0.5, mirrored=1.0, symmetry=pairs((0, 1)))
    np.testing.assert_allclose(
        solved(deltas, target, strong),
        solved(10 * deltas, 10 * target, strong, size=10 * SIZE),
        atol=1e-9,
    )


def test_inactive_poses_multipliers_and_offsets() -> None:
    deltas = poses(count=4)
    how = settings_of(
        4,
        active=np.array([True, False, True, True]),
        multipliers=np.array([2.0, 5.0, 0.5, 1.0]),
        offsets=np.array([0.0, 0.1, 0.0, -0.5]),
    )
    solve = BlendshapeSolve(deltas, SIZE, how)
    assert solve.count == 3
    target = np.array([0.9, 0.0, 0.6, 0.2]) @ deltas
    weights = solve.weights(solve.solve(solve.project(target), np.zeros(3)))
    np.testing.assert_allclose(weights, [1.0, 0.1, 0.3, 0.0], atol=1e-9)


def test_poses_that_can_not_be_told_apart() -> None:
    deltas = poses()
    deltas[7] = deltas[20]
    with pytest.raises(EngineFailed, match="two poses are the same"):
        BlendshapeSolve(deltas, SIZE, settings_of())
    BlendshapeSolve(deltas, SIZE, settings_of(l2=1.0))
