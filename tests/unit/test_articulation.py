"""The measures of a mouth, on mouths whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from goassist_desktop.bench.articulation import aperture_mm, rounding_mm, score, teeth_mm
from goassist_desktop.pipeline import blendshapes
from goassist_desktop.pipeline.frames import FaceFrame, Speech, Weights

SOUNDS = [("p", 300.0, 360.0), ("ɑː", 360.0, 500.0), ("f", 500.0, 580.0), ("uː", 580.0, 700.0)]
SHUT = blendshapes.rest()
OPEN = blendshapes.weights(jawOpen=0.4)
TUCKED = blendshapes.weights(jawOpen=0.06, mouthRollLower=0.4, mouthUpperUp=0.3)
ROUND = blendshapes.weights(jawOpen=0.1, mouthPucker=0.5)
MOUTH = [(0.0, SHUT), (330.0, SHUT), (430.0, OPEN), (540.0, TUCKED), (640.0, ROUND), (800.0, SHUT)]


def frames(mouth: list[tuple[float, Weights]], end_ms: float = 1500.0) -> list[FaceFrame]:
    """60 a second, joined by straight lines; the last one stays."""
    times = [at for at, _ in mouth]
    grid = np.arange(0, end_ms, 1000 / 60)
    columns = [np.interp(grid, times, column) for column in np.stack([w for _, w in mouth]).T]
    rows = np.stack(columns, axis=1).astype(np.float32)
    return [FaceFrame(float(at), row) for at, row in zip(grid, rows, strict=True)]


def test_a_mouth_that_does_all_of_it() -> None:
    found = score(frames(MOUTH), SOUNDS)
    assert found.events == {
        "closure": 1, "labiodental": 1, "rounding": 1, "opening": 1, "false_rounding": 0,
    }  # fmt: skip
    assert (found.closure, found.labiodental, found.rounding, found.opening) == (100,) * 4
    assert found.false_rounding is None
    assert found.silence_mm == 0
    assert found.lag_ms is None


@pytest.mark.parametrize(
    ("always", "passed"),
    [
        (SHUT, {"closure"}),
        (OPEN, {"opening"}),
        (TUCKED, {"labiodental"}),
        (ROUND, {"rounding"}),
        (blendshapes.weights(jawOpen=0.4, mouthClose=0.4), {"closure"}),
    ],
)
def test_a_mouth_that_always_does_the_same(always: Weights, passed: set[str]) -> None:
    found = score(frames([(0.0, always)]), SOUNDS)
    shares = ("closure", "labiodental", "rounding", "opening")
    assert {name for name in shares if getattr(found, name) == 100} == passed
    assert {name for name in shares if getattr(found, name) == 0} == set(shares) - passed


def test_spread_vowels_with_round_lips() -> None:
    sounds = [("i", 100.0, 200.0), ("ɛ", 300.0, 400.0)]
    assert score(frames([(0.0, ROUND)]), sounds).false_rounding == 100
    assert score(frames([(0.0, OPEN)]), sounds).false_rounding == 0


def test_a_closure_is_of_its_moment() -> None:
    """100 ms too early or too late is missed."""
    for moved_ms in (-120.0, 120.0):
        mouth = [(0.0, OPEN), (310.0 + moved_ms, OPEN), (330.0 + moved_ms, SHUT)]
        mouth += [(350.0 + moved_ms, OPEN), (1500.0, OPEN)]
        assert score(frames(mouth), SOUNDS).closure == 0


def test_a_mouth_that_stays_open_in_silence() -> None:
    found = score(frames([(0.0, SHUT), (700.0, SHUT), (900.0, OPEN)]), SOUNDS)
    assert found.silence_mm == pytest.approx(0.4 * 34.65, rel=0.01)


@pytest.mark.parametrize("lag_ms", [-60.0, 0.0, 100.0])
def test_lag_behind_the_loudness(lag_ms: float) -> None:
    rate_hz = 16_000
    ms = np.arange(3 * rate_hz) * 1000 / rate_hz
    loud = np.maximum(0, np.sin(2 * np.pi * ms / 437) * np.sin(2 * np.pi * ms / 3000))
    samples = (0.3 * loud * np.sin(2 * np.pi * 150 * ms / 1000)).astype(np.float32)
    mouth = []
    for at in np.arange(0, 3000, 1000 / 60):
        jaw = float(np.interp(at - lag_ms, ms, loud))
        mouth.append(FaceFrame(float(at), blendshapes.weights(jawOpen=0.3 * jaw)))
    found = score(mouth, [("ɑ", 0.0, 3000.0)], speech=Speech(samples, rate_hz))
    assert found.lag_ms == pytest.approx(lag_ms, abs=10)
    assert found.correlation is not None
    assert found.correlation > 0.95


def test_later_frames_replace_earlier_ones() -> None:
    early = [FaceFrame(f.at_ms, OPEN) for f in frames(MOUTH)]
    assert score([*early, *frames(MOUTH)], SOUNDS) == score(frames(MOUTH), SOUNDS)


def test_jerk_of_a_known_movement() -> None:
    """Of a sine its largest is a·(2πf)³."""
    mouth = [
        FaceFrame(at, blendshapes.weights(jawOpen=0.2 + 0.2 * np.sin(2 * np.pi * 2 * at / 1000)))
        for at in np.arange(0, 3000, 1000 / 60)
    ]
    assert score(mouth, []).jerk == pytest.approx(0.2 * (4 * np.pi) ** 3, rel=0.05)
    assert score(mouth[:2], []).jerk == 0


def test_measures_add_up_as_the_shapes_do() -> None:
    assert aperture_mm(np.stack([SHUT, OPEN])).tolist() == pytest.approx([0, 0.4 * 34.65], rel=1e-6)
    assert teeth_mm(SHUT) == 0
    assert teeth_mm(blendshapes.weights(mouthLowerDown=0.5)) == pytest.approx(1.9)
    assert rounding_mm(blendshapes.weights(mouthSmile=0.5)) < 0


def test_nothing_to_judge() -> None:
    with pytest.raises(ValueError, match="no frames"):
        score([], SOUNDS)
