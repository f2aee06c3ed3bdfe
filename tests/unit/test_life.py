"""A face that does nothing but live: rates, angles and that it never jumps."""

import numpy as np
import pytest

from goassist_desktop.pipeline.conversation import State
from goassist_desktop.pipeline.life import (
    AWAY_DEGREES,
    BEAT_DEGREES,
    Living,
)

STEP_MS = 10.0
MINUTES = 10


@pytest.fixture(scope="module", params=range(5))
def minutes(request: pytest.FixtureRequest) -> list:
    living = Living(seed=request.param)
    return [living.at(n * STEP_MS) for n in range(int(MINUTES * 60_000 / STEP_MS))]


def closings(blinks: list[float]) -> list[int]:
    closed = np.asarray(blinks) > 0.9
    return list(np.flatnonzero(closed[1:] & ~closed[:-1]))


def test_it_blinks_12_to_18_times_a_minute_and_in_every_6_s(minutes: list) -> None:
    times = closings([life.blink for life in minutes])
    assert 12 <= len(times) / MINUTES <= 18
    gaps_ms = np.diff([0, *times]) * STEP_MS
    assert gaps_ms.max() < 6000
    assert gaps_ms.std() > 500, "a metronome is no life"


def test_it_looks_at_the_listener_most_of_the_time_and_never_stares(minutes: list) -> None:
    # Where the eyes look in the room: in the head, and the head with them.
    gaze = np.array([life.gaze for life in minutes])
    away = np.hypot(*gaze.T) > 2.2  # between the furthest of the listener and the nearest beside
    assert 0.7 <= 1 - away.mean() <= 0.9
    moving = np.hypot(*np.diff(gaze, axis=0).T) > 0.1
    starts = np.flatnonzero(moving[1:] & ~moving[:-1])
    assert np.diff(starts).max() * STEP_MS < 2000 + 2 * STEP_MS


def test_nothing_jumps(minutes: list) -> None:
    head = np.array([life.head for life in minutes])
    assert np.abs(np.diff(head, axis=0)).max() < 0.2, "degrees in 10 ms"
    assert np.abs(head).max() < 6
    assert np.abs(np.diff([life.blink for life in minutes])).max() < 0.25


def test_any_moment_may_be_asked_for_in_any_order() -> None:
    once, again = Living(3), Living(3)
    times = [5000.0, 100.0, 61_000.0, 5000.0, 30_000.0]
    forward = {ms: once.at(ms) for ms in sorted(times)}
    assert [again.at(ms) for ms in times] == [forward[ms] for ms in times]


def test_two_faces_are_two_people() -> None:
    assert Living(1).at(20_000.0) != Living(2).at(20_000.0)


def test_it_nods_once_for_a_beat() -> None:
    nodding, still = Living(), Living()
    nodding.note_beat(4000.0)
    nods = [nodding.at(ms).head[1] - still.at(ms).head[1] for ms in np.arange(3950.0, 4600.0)]
    assert min(nods) == pytest.approx(-BEAT_DEGREES, abs=0.01)
    assert nods[0] == nods[-1] == 0.0


def test_what_was_long_ago_is_forgotten_and_nothing_else() -> None:
    kept, whole = Living(2), Living(2)
    for hour in range(1, 9):
        now = hour * 3_600_000.0
        for ms in np.arange(now - 3_600_000.0, now, 30_000.0):
            kept.pass_time(ms)
        assert kept.at(now - 59_000.0) == whole.at(now - 59_000.0)
        assert kept.at(now) == whole.at(now)
    assert len(kept._blinks) + len(kept._fixations) < 200


def test_thinking_looks_up_and_aside_and_comes_back_smoothly() -> None:
    living = Living()
    living.note_state(State.LISTENING, 1000.0)
    living.note_state(State.THINKING, 2000.0)
    before = living.at(1999.0)
    thinking = living.at(3000.0)
    assert thinking.gaze[1] > 3 and thinking.gaze[0] > 3
    living.note_state(State.SPEAKING, 3000.0)
    after = living.at(4500.0)
    assert abs(after.gaze[1]) < AWAY_DEGREES[1] and after.head[1] < thinking.head[1] + 1
    heads = np.array([living.at(ms).head for ms in np.arange(900.0, 5000.0, 10.0)])
    assert np.abs(np.diff(heads, axis=0)).max() < 0.25
    assert before.head[2] > 0.5, "who listens inclines the head"


def test_states_noted_late_or_twice_change_nothing_before() -> None:
    living = Living()
    living.note_state(State.LISTENING, 100.0)
    seen = living.at(500.0)
    living.note_state(State.SPEAKING, 600.0)
    living.note_state(State.HELD, 550.0)
    assert living.at(500.0) == seen


def test_saccades_come_2_to_5_times_in_10_s(minutes: list) -> None:
    """A saccade is more than 2 degrees; from eye to eye of the listener is less."""
    gaze = np.array([life.gaze for life in minutes])
    moving = np.hypot(*np.diff(gaze, axis=0).T) > 0.1
    ends = np.flatnonzero(moving[:-1] & ~moving[1:])
    rests = gaze[ends[ends < len(gaze) - 30] + 30]  # 300 ms later the head has followed
    saccades = np.hypot(*np.diff(rests, axis=0).T) > 2.0
    assert 2 <= saccades.sum() / (MINUTES * 6) <= 5
