"""What a face does besides speaking: blinks, gaze, breath, small movements of the head.

Everything is a function of the time on the audio timeline, from a seed: whoever draws or sends the
face may ask for any moment, as often as they like, and all see the same. It stays neutral: nothing
here expresses an emotion.
"""

from __future__ import annotations

import bisect
import math
import random
from dataclasses import dataclass
from typing import Final

from goassist_desktop.pipeline.conversation import State

BLINK_GAP_MS: Final = (2600.0, 5400.0)
"""From one blink to the next: 15 a minute on average, and never 6 s without one."""
LID_CLOSES_MS: Final = 75.0
LID_CLOSED_MS: Final = 35.0
LID_OPENS_MS: Final = 150.0
"""Lids close in half the time they take to open (Sforza et al., 2008)."""

FIXATION_MS: Final = (900.0, 1900.0)
"""How long the eyes rest on one point: no stare lasts two seconds."""
AWAY_EVERY: Final = 5
"""Every so many fixations, on average, is beside the listener …"""
AWAY_DEGREES: Final = (4.0, 9.0)
"""… by so much."""
LISTENER: Final = ((-0.9, 0.4), (0.9, 0.4), (0.0, -1.1))
"""Yaw and pitch of the listener's eyes and mouth, at arm's length: one after the other is looked
at, never the same twice (the triangle of A. Yarbus, Eye Movements and Vision, 1967)."""
SACCADE_MS: Final = 45.0
"""A saccade of 5 degrees takes about 35 ms, one of 10 degrees 45 (Bahill et al., 1975)."""
HEAD_FOLLOWS: Final = 0.15
"""The share of a glance that the head takes over …"""
HEAD_FOLLOWS_MS: Final = 600.0
"""… and how long it takes for it: slowly, or every glance would be a movement of the head."""

BREATH_MS: Final = 4200.0
BREATH_DEGREES: Final = 0.35
SWAY: Final = (
    # degrees and period in ms, for yaw, pitch and roll: periods without a common multiple
    ((0.9, 7100.0), (0.5, 4700.0)),
    ((0.5, 6100.0), (0.3, 3900.0)),
    ((0.6, 8300.0), (0.3, 5300.0)),
)

MOOD_MS: Final = 180.0
"""Time constant with which the poses of listening and thinking come and go."""
THINKING_GAZE: Final = (7.0, 5.0)
"""Whoever thinks looks up and aside."""
THINKING_HEAD: Final = (2.0, 1.5, 0.0)
LISTENING_HEAD: Final = (0.0, -0.5, 2.0)

BEAT_MS: Final = 420.0
BEAT_DEGREES: Final = 2.2
"""The nod at the beginning of a phrase, and how long it lasts."""
BEAT_BROW: Final = 0.14
"""The brows go up with it by this weight."""
KEPT_MS: Final = 60_000.0
"""So long ago may be asked for."""


@dataclass(frozen=True, slots=True)
class Life:
    """A face's idle motion at one moment. Angles are degrees."""

    blink: float
    """0 open, 1 closed."""
    gaze: tuple[float, float]
    """Of the eyes in the head: yaw to the person's left, and pitch up."""
    head: tuple[float, float, float]
    """Yaw, pitch and roll."""
    brow: float
    """Weight of the raised inner brows."""


@dataclass(frozen=True, slots=True)
class _Fixation:
    start_ms: float
    yaw: float
    pitch: float


class Living:
    """One face. Times are ms of the audio timeline, and may be asked for in any order."""

    def __init__(self, seed: int = 0) -> None:
        # Each schedule has its own, or what was asked first would change the other.
        self._lids, self._eyes = random.Random(f"lids {seed}"), random.Random(f"eyes {seed}")
        self._blinks = [self._lids.uniform(*BLINK_GAP_MS)]
        self._fixations = [_Fixation(0.0, *LISTENER[0])]
        self._moods: list[tuple[float, State, float, float]] = [(0.0, State.IDLE, 0.0, 0.0)]
        self._beats: list[float] = []

    def note_state(self, state: State, at_ms: float) -> None:
        """The conversation is in this state from now on."""
        at_ms = max(at_ms, self._moods[-1][0])
        listening, thinking = self._mood(at_ms)
        self._moods = [*self._moods[-63:], (at_ms, state, listening, thinking)]

    def note_beat(self, at_ms: float) -> None:
        """A phrase begins to be heard: the head nods."""
        self._beats = [*self._beats[-15:], at_ms]

    def pass_time(self, now_ms: float) -> None:
        """Decide about the time up to now, and forget what is older than KEPT_MS."""
        self._extend(now_ms)
        while len(self._blinks) > 1 and self._blinks[1] < now_ms - KEPT_MS:
            del self._blinks[0]
        while len(self._fixations) > 2 and self._fixations[2].start_ms < now_ms - KEPT_MS:
            del self._fixations[0]

    def at(self, ms: float) -> Life:
        """What the face does at this moment."""
        self._extend(ms)
        listening, thinking = self._mood(ms)
        yaw, pitch = self._gaze(ms, SACCADE_MS)
        slow_yaw, slow_pitch = self._gaze(ms, HEAD_FOLLOWS_MS)
        yaw += thinking * (THINKING_GAZE[0] - yaw)
        pitch += thinking * (THINKING_GAZE[1] - pitch)
        nod = sum(_bump((ms - beat) / BEAT_MS) for beat in self._beats)
        follow = HEAD_FOLLOWS * (1 - thinking)
        lean = (follow * slow_yaw, follow * slow_pitch, 0.0)
        head = tuple(
            lean[axis]
            + thinking * THINKING_HEAD[axis]
            + listening * LISTENING_HEAD[axis]
            + sum(size * math.sin(2 * math.pi * ms / period) for size, period in SWAY[axis])
            for axis in range(3)
        )
        breath = BREATH_DEGREES * math.sin(2 * math.pi * ms / BREATH_MS)
        head = (head[0], head[1] + breath - BEAT_DEGREES * nod, head[2])
        return Life(
            blink=self._blink(ms),
            gaze=(yaw - lean[0], pitch - lean[1]),
            head=head,
            brow=BEAT_BROW * min(1.0, nod),
        )

    # -- schedules -------------------------------------------------------------------------------

    def _extend(self, ms: float) -> None:
        """Decide about the future, up to a little after `ms`."""
        while self._blinks[-1] <= ms:
            self._blinks.append(self._blinks[-1] + self._lids.uniform(*BLINK_GAP_MS))
        while self._fixations[-1].start_ms <= ms:
            start = self._fixations[-1].start_ms + self._eyes.uniform(*FIXATION_MS)
            self._fixations.append(self._next_fixation(start))

    def _next_fixation(self, start_ms: float) -> _Fixation:
        last = self._fixations[-1]
        near = (last.yaw, last.pitch) in LISTENER
        # Never twice in a row beside the listener, and then AWAY_EVERY on average.
        if near and self._eyes.random() < 1 / (AWAY_EVERY - 1):
            size = self._eyes.uniform(*AWAY_DEGREES)
            angle = self._eyes.choice((0.0, math.pi)) + self._eyes.uniform(-0.7, 0.5)
            return _Fixation(start_ms, size * math.cos(angle), 0.7 * size * math.sin(angle))
        others = [point for point in LISTENER if point != (last.yaw, last.pitch)]
        return _Fixation(start_ms, *self._eyes.choice(others))

    def _blink(self, ms: float) -> float:
        index = bisect.bisect_right(self._blinks, ms) - 1
        if index < 0:
            return 0.0
        since = ms - self._blinks[index]
        if since < LID_CLOSES_MS:
            return _smooth(since / LID_CLOSES_MS)
        return 1.0 - _smooth((since - LID_CLOSES_MS - LID_CLOSED_MS) / LID_OPENS_MS)

    def _gaze(self, ms: float, takes_ms: float) -> tuple[float, float]:
        index = bisect.bisect_right(self._fixations, ms, key=lambda f: f.start_ms) - 1
        here = self._fixations[max(index, 0)]
        before = self._fixations[max(index - 1, 0)]
        share = _smooth((ms - here.start_ms) / takes_ms)
        return (
            before.yaw + share * (here.yaw - before.yaw),
            before.pitch + share * (here.pitch - before.pitch),
        )

    def _mood(self, ms: float) -> tuple[float, float]:
        """How much it listens and thinks, each from 0 to 1."""
        moods = self._moods
        index = bisect.bisect_right(moods, ms, key=lambda mood: mood[0]) - 1
        since, state, listening, thinking = moods[max(index, 0)]
        left = math.exp(-max(0.0, ms - since) / MOOD_MS)
        to_listen = float(state in (State.LISTENING, State.HELD, State.INTERRUPTED))
        to_think = float(state is State.THINKING)
        return (
            to_listen + left * (listening - to_listen),
            to_think + left * (thinking - to_think),
        )


def _smooth(share: float) -> float:
    """Smoothstep of a share, clipped to [0, 1]."""
    share = min(max(share, 0.0), 1.0)
    return share * share * (3 - 2 * share)


def _bump(share: float) -> float:
    """0 outside of (0, 1), 1 in its middle, smooth everywhere."""
    return math.sin(math.pi * share) ** 2 if 0.0 < share < 1.0 else 0.0
