from __future__ import annotations

import pytest

from goassist_desktop.host.load import CALM_S, EFFECTS, Load, Measured, level_of


def measured(**known: float) -> Measured:
    return Measured(**({"sessions": 0, "max_sessions": 100} | known))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("known", "level"),
    [
        ({}, 0),
        ({"ttfa": 199 / 250}, 0),
        ({"ttfa": 200 / 250}, 1),
        ({"ttfa": 225 / 250}, 2),
        ({"ttfa": 240 / 250}, 3),
        ({"ttfa": 250 / 250}, 4),
        ({"gpu_memory": 0.84}, 0),
        ({"gpu_memory": 0.85}, 1),
        ({"gpu_memory": 0.90}, 2),
        ({"gpu_memory": 0.93}, 3),
        ({"gpu_memory": 0.95}, 4),
        ({"gpu_memory": 0.98}, 5),
        ({"face_lag_ms": 119.0}, 0),
        ({"face_lag_ms": 120.0}, 1),
        ({"error_rate": 0.049}, 0),
        ({"error_rate": 0.05}, 4),
        ({"sessions": 97}, 0),
        ({"sessions": 98}, 2),
        ({"sessions": 99}, 3),
        ({"sessions": 100}, 4),
        ({"sessions": 1, "max_sessions": 1}, 4),
        ({"sessions": 1, "max_sessions": 3}, 0),
        ({"sessions": 2, "max_sessions": 4}, 2),
        ({"face_lag_ms": 120.0, "ttfa": 0.96, "sessions": 98}, 3),
    ],
)
def test_what_is_measured_makes_a_level(known: dict[str, float], level: int) -> None:
    assert level_of(measured(**known)) == level


def test_up_at_once_and_down_one_by_one_when_it_was_calm() -> None:
    load = Load()
    assert load.note(measured(ttfa=0.96), 0.0) == 3
    assert [load.note(measured(), second) for second in range(1, 5)] == [3] * 4
    assert load.note(measured(), CALM_S) == 2
    assert load.note(measured(), 2 * CALM_S - 1) == 2
    assert load.note(measured(), 2 * CALM_S) == 1
    assert load.note(measured(), 3 * CALM_S) == 0
    assert load.note(measured(), 9 * CALM_S) == 0


def test_a_measure_about_a_step_does_not_come_and_go() -> None:
    load = Load()
    levels = [load.note(measured(ttfa=0.80 - 0.02 * (n % 2)), float(n)) for n in range(60)]
    assert levels == [1] * 60


def test_effects_add_up() -> None:
    assert [effect.max_tokens for effect in EFFECTS] == [None, None, 384, 256, 256, 256]
    assert [effect.face_fps for effect in EFFECTS] == [30, 15, 15, 15, 15, 15]
    assert [bool(effect.text) for effect in EFFECTS] == [False] + [True] * 5
