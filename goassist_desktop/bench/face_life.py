"""How alive a face is: blinks, gaze and the head, measured on the poses that were seen.

The measures know nothing of how the poses were made. Times are ms of the audio timeline, angles
degrees; yaw is to the person's left, pitch up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from goassist_desktop.pipeline.blendshapes import INDEX, Pose
from goassist_desktop.pipeline.face import EYE_PITCH_DEGREES, EYE_YAW_DEGREES

Values = npt.NDArray[np.float64]
Spans = Sequence[tuple[float, float]]
"""Start and end of each sentence."""

SHUT: Final = 0.5
"""Half closed, the lid covers the pupil: that is seen as a blink."""
LISTENER_DEGREES: Final = 4.5
"""Half the width of a face at a distance of one metre: whoever looks there looks at it."""
SACCADE_DEGREES_PER_S: Final = 30.0
"""Faster than this the eye is in a saccade (velocity threshold: Salvucci and Goldberg, 2000)."""
SEEN_DEGREES: Final = 2.0
"""Smaller shifts of gaze go unnoticed; they only keep it from being a stare."""
MOVING_DEGREES_PER_S: Final = 4.0
"""Slower than this a head sways; faster, it moves."""
SETTLED_MS: Final = 150.0
"""So long at rest ends a movement."""
DRIFT_MS: Final = 10_000.0
"""Over so long, sway and nods cancel each other."""


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """Poses at even times: times (n,), weights (n, 52), head (n, 3)."""

    times: Values
    weights: Values
    head: Values

    @classmethod
    def of(cls, poses: Sequence[Pose]) -> Trace:
        """Raises ValueError for fewer than three: nothing moves in them."""
        if len(poses) < 3:
            raise ValueError(f"{len(poses)} poses are no trace")
        return cls(
            np.array([pose.at_ms for pose in poses]),
            np.array([pose.weights for pose in poses], np.float64),
            np.array([pose.head for pose in poses], np.float64),
        )

    @property
    def minutes(self) -> float:
        return float(self.times[-1] - self.times[0]) / 60_000

    def weight(self, name: str) -> Values:
        """(n,) of a weight; of both sides together for a name without one."""
        if name in INDEX:
            return self.weights[:, INDEX[name]]
        return (self.weight(f"{name}Left") + self.weight(f"{name}Right")) / 2

    def speed(self, angles: Values) -> Values:
        """(n - 1,) degrees a second of (n, any) angles."""
        step_s = np.diff(self.times) / 1000
        return np.asarray(np.linalg.norm(np.diff(angles, axis=0), axis=1) / step_s)


def eyes(trace: Trace) -> Values:
    """(n, 2) yaw and pitch of the eyes in the head."""
    yaw = [
        trace.weight(f"eyeLook{out}Left") + trace.weight(f"eyeLook{inwards}Right")
        for out, inwards in (("Out", "In"), ("In", "Out"))
    ]
    pitch = trace.weight("eyeLookUp") - trace.weight("eyeLookDown")
    return np.column_stack([EYE_YAW_DEGREES * (yaw[0] - yaw[1]) / 2, EYE_PITCH_DEGREES * pitch])


def blinks_ms(trace: Trace) -> list[float]:
    """When the lids fell."""
    shut = trace.weight("eyeBlink") > SHUT
    return [float(trace.times[n]) for n in np.flatnonzero(shut[1:] & ~shut[:-1]) + 1]


def first_blinks_ms(trace: Trace, turns: Spans) -> list[float]:
    """How long after the beginning of each turn it blinked; its length when it never did."""
    blinks = blinks_ms(trace)
    return [
        min([end, *(blink for blink in blinks if start <= blink <= end)]) - start
        for start, end in turns
    ]


def on_listener(trace: Trace) -> float:
    """Percent of the time that head and eyes together look at who is in front."""
    gaze = eyes(trace) + trace.head[:, :2]
    return 100 * float((np.hypot(*gaze.T) <= LISTENER_DEGREES).mean())


def saccades(trace: Trace) -> list[tuple[float, float]]:
    """When the eyes jumped, and how far."""
    angles = eyes(trace)
    fast = trace.speed(angles) > SACCADE_DEGREES_PER_S
    found = []
    for start, end in _runs(fast):
        size = float(np.linalg.norm(angles[end] - angles[start]))
        found.append((float(trace.times[start]), size))
    return found


def seen_saccades(trace: Trace) -> int:
    return sum(size >= SEEN_DEGREES for _, size in saccades(trace))


def longest_stare_ms(trace: Trace) -> float:
    """The longest time without a saccade, however small, or a blink."""
    events = [ms for ms, _ in saccades(trace)] + blinks_ms(trace)
    edges = sorted([float(trace.times[0]), *events, float(trace.times[-1])])
    return max(after - before for before, after in pairwise(edges))


def head_movements(trace: Trace, sentences: Spans) -> list[int]:
    """How often the head moved in each sentence."""
    moving = trace.speed(trace.head) > MOVING_DEGREES_PER_S
    starts: list[float] = []
    ended = -np.inf
    for start, end in _runs(moving):
        if trace.times[start] - ended > SETTLED_MS:
            starts.append(float(trace.times[start]))
        ended = float(trace.times[end])
    return [sum(first <= start < last for start in starts) for first, last in sentences]


def jitter(trace: Trace) -> float:
    """99th percentile of the head's acceleration, in degrees a second, per second.

    A nod of 2 degrees in 0.4 s has 250; one degree to and fro from frame to frame 7000.
    """
    step_s = float(np.median(np.diff(trace.times))) / 1000
    return float(
        np.percentile(np.linalg.norm(np.diff(trace.head, 2, axis=0), axis=1), 99) / step_s**2
    )


def drift(trace: Trace) -> float:
    """The furthest that the head, averaged over DRIFT_MS, is from looking straight ahead."""
    count = max(1, int((trace.times <= trace.times[0] + DRIFT_MS).sum()))
    count = min(count, len(trace.head))
    kernel = np.ones(count) / count
    mean = np.column_stack([np.convolve(axis, kernel, "valid") for axis in trace.head.T])
    return float(np.linalg.norm(mean, axis=1).max())


def _runs(true: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Start and one past the end of every stretch of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], true, [False]]).astype(int)))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]
