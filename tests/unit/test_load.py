from __future__ import annotations

import pytest

from goassist_desktop.host.load import (
    CALM_S,
    EFFECTS,
    Load,
    Measured,
    level_of,
    level_of_sessions,
)


def level(load: Load, now: float, **known: float) -> int:
    load.note(Measured(**known), now)
    return load.level(0, 100)


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
        ({"face_lag_ms": 120.0, "ttfa": 0.96}, 3),
    ],
)
def test_what_is_measured_makes_a_level(known: dict[str, float], level: int) -> None:
    assert level_of(Measured(**known)) == level


@pytest.mark.parametrize(
    ("sessions", "most", "expected"),
    [
        (97, 100, 0), (98, 100, 2), (99, 100, 3), (100, 100, 4), (101, 100, 4),
        (1, 1, 0), (0, 1, 0), (1, 3, 0), (3, 3, 0), (2, 4, 2), (1, 4, 0),
    ],
)  # fmt: skip
def test_how_many_there_are_makes_a_level(sessions: int, most: int, expected: int) -> None:
    assert level_of_sessions(sessions, most) == expected


def test_who_leaves_makes_room_at_once() -> None:
    load = Load()
    load.note(Measured(), 0.0)
    assert [load.level(sessions, 4) for sessions in (4, 3, 4, 1)] == [4, 3, 4, 0]


def test_up_at_once_and_down_one_by_one_when_it_was_calm() -> None:
    load = Load()
    assert level(load, 0.0, ttfa=0.96) == 3
    assert [level(load, second) for second in range(1, 5)] == [3] * 4
    assert level(load, CALM_S) == 2
    assert level(load, 2 * CALM_S - 1) == 2
    assert level(load, 2 * CALM_S) == 1
    assert level(load, 3 * CALM_S) == 0
    assert level(load, 9 * CALM_S) == 0


def test_a_measure_about_a_step_does_not_come_and_go() -> None:
    load = Load()
    levels = [level(load, float(n), ttfa=0.80 - 0.02 * (n % 2)) for n in range(60)]
    assert levels == [1] * 60


def test_effects_add_up() -> None:
    assert [effect.max_tokens for effect in EFFECTS] == [None, None, 384, 256, 256, 256]
    assert [effect.face_fps for effect in EFFECTS] == [30, 15, 15, 15, 15, 15]
    assert [bool(effect.text) for effect in EFFECTS] == [False] + [True] * 5
