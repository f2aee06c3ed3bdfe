"""How well a mouth says what is heard: measures on the 52 weights, and their score over a reply.

The measures are millimetres on the face units the built-in heads are made of (MakeHuman's, CC0): a
blendshape moves every point of the lips in proportion to its weight, so a distance between two
points is a sum over the weights. They were read off the shapes at the middle of the inner lips (for
the width at the corners), and so mean the same whichever engine made the weights.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from goassist_desktop.pipeline import blendshapes
from goassist_desktop.pipeline.frames import FaceFrame, Speech

Values = npt.NDArray[np.float64]


def _per_unit(**named: float) -> Values:
    """Millimetres per unit of each weight, (52,); a name without a side stands for both."""
    found = np.zeros(blendshapes.COUNT)
    for name, mm in named.items():
        for each in (name, f"{name}Left", f"{name}Right"):
            if each in blendshapes.INDEX:
                found[blendshapes.INDEX[each]] = mm
    return found


APERTURE: Final = _per_unit(
    jawOpen=34.65, mouthClose=-34.65, mouthFunnel=13.55, mouthShrugLower=-4.95, mouthShrugUpper=3.8,
    mouthRollLower=-3.5, mouthUpperUp=2.45, mouthRollUpper=-2.0, mouthLowerDown=1.9,
    mouthPucker=-1.65, mouthSmile=-1.45, jawForward=1.4, mouthPress=-1.3, mouthRight=-1.25,
    mouthLeft=-1.25, cheekPuff=-1.15, mouthStretch=0.25,
)  # fmt: skip
TEETH: Final = _per_unit(
    jawOpen=34.15, mouthClose=-27.45, mouthFunnel=8.9, mouthShrugLower=-4.95, mouthRollLower=-3.5,
    mouthSmile=-3.0, mouthLowerDown=1.9, mouthPress=-1.65, jawForward=1.6, mouthRight=-0.6,
    mouthLeft=-0.6, mouthStretch=0.4,
)  # fmt: skip
ROUNDING: Final = _per_unit(
    mouthPucker=12.5, mouthFunnel=11.9, mouthRollUpper=-9.6, cheekPuff=5.4, mouthSmile=-3.6,
    mouthPress=-2.8, mouthStretch=-2.5, mouthDimple=-2.5, mouthShrugUpper=1.0, mouthFrown=-0.6,
)  # fmt: skip

CLOSED_MM: Final = 1.0
"""Lips less apart than this are seen as closed: their edges are round."""
TOUCHING_MM: Final = 2.5
"""The lower lip this close to the edge of the upper teeth is seen to touch them."""
ROUNDED_MM: Final = 3.0
OPENED_MM: Final = 4.0
"""Least opening that shows an open vowel; speakers reach 5 to 15 mm."""
WITHIN_MS: Final = 50.0
"""A posture counts when it is reached this close to the middle of its sound."""
RELEASED_MS: Final = 200.0
EXPECTED_MS: Final = 150.0
"""A mouth may still close after the last sound of a phrase, and opens before the first of one."""
GRID_MS: Final = 5.0
LAGS_MS: Final = 200.0
"""Looked for within so much: further away the next syllable looks like this one."""
ENVELOPE_MS: Final = 50.0
JERK_RATE_HZ: Final = 60.0

BILABIAL: Final = frozenset("pbm")
LABIODENTAL: Final = frozenset("fv")
ROUND: Final = frozenset(("u", "ʊ", "o", "oʊ", "w"))
OPEN: Final = frozenset(("ɑ", "æ", "a", "aɪ", "aʊ"))
SPREAD: Final = frozenset(("i", "ɪ", "e", "eɪ", "ɛ", "æ"))


def aperture_mm(weights: npt.ArrayLike) -> Values:
    """Distance of the lips in the middle of the mouth, for (..., 52) weights; never negative."""
    return np.maximum(np.asarray(weights, np.float64) @ APERTURE, 0.0)


def teeth_mm(weights: npt.ArrayLike) -> Values:
    """How far the lower lip lies under the edge of the upper teeth; negative where over it."""
    return np.asarray(np.asarray(weights, np.float64) @ TEETH)


def rounding_mm(weights: npt.ArrayLike) -> Values:
    """How far the lips are pushed forward and the corners inward; negative for spread lips."""
    return np.asarray(np.asarray(weights, np.float64) @ ROUNDING)


@dataclass(frozen=True, slots=True)
class Score:
    """How a mouth did. Shares are in percent, and None where there was nothing to judge."""

    events: Mapping[str, int]
    """How many sounds each share is of, by its name."""
    closure: float | None
    """p, b and m with the lips closed within WITHIN_MS of their middle."""
    labiodental: float | None
    """f and v with the lower lip at the upper teeth and the lips apart."""
    rounding: float | None
    """o, u and w with rounded lips."""
    opening: float | None
    """Open vowels with an open mouth: what a mouth that is always shut fails."""
    false_rounding: float | None
    """Spread vowels with rounded lips: what lips that are always rounded fail."""
    silence_mm: float | None
    """95th percentile of the aperture in silence."""
    lag_ms: float | None
    """How much later than loudness the aperture moves, where both agree best; None without sound.

    A mouth has to be open before it can be loud, so that good ones are a little early.
    """
    correlation: float | None
    """Of aperture and loudness at that lag."""
    jerk: float
    """99th percentile of the fastest weight's third derivative, per second cubed."""


def score(
    frames: Sequence[FaceFrame],
    phonemes_ms: Sequence[tuple[str, float, float]],
    *,
    speech: Speech | None = None,
) -> Score:
    """Judge the frames of one reply by its sounds: (symbol of the IPA, start, end) in ms.

    Frames at any rate; where several are of one time, the last counts. Sounds without any length
    are not judged: they can not be heard.
    `speech`: the whole reply as sound, for lag and correlation.
    Raises ValueError without frames.
    """
    if not frames:
        raise ValueError("no frames to judge")
    latest = {frame.at_ms: frame.weights for frame in frames}
    times = np.array(sorted(latest))
    weights = np.array([latest[at] for at in times], np.float64)
    mouth = _Mouth(times, weights)
    sounds = [(_plain(symbol), start, end) for symbol, start, end in phonemes_ms if end > start]

    def share(kind: frozenset[str], shown: npt.NDArray[np.bool_]) -> float | None:
        seen = [mouth.around(shown, s, e).any() for name, s, e in sounds if name in kind]
        return 100.0 * float(np.mean(seen)) if seen else None

    def share_at_middle(kind: frozenset[str], shown: npt.NDArray[np.bool_]) -> float | None:
        seen = [shown[mouth.at((s + e) / 2)] for name, s, e in sounds if name in kind]
        return 100.0 * float(np.mean(seen)) if seen else None

    closed = mouth.aperture <= CLOSED_MM
    rounded = mouth.rounding >= ROUNDED_MM
    quiet = mouth.aperture[mouth.silent(sounds)]
    lag_ms, correlation = _lag(mouth, speech) if speech is not None else (None, None)
    kinds = {
        "closure": BILABIAL, "labiodental": LABIODENTAL, "rounding": ROUND, "opening": OPEN,
        "false_rounding": SPREAD,
    }  # fmt: skip
    return Score(
        events={k: sum(name in kind for name, *_ in sounds) for k, kind in kinds.items()},
        closure=share(BILABIAL, closed),
        labiodental=share(LABIODENTAL, (mouth.teeth <= TOUCHING_MM) & ~closed),
        rounding=share(ROUND, rounded),
        opening=share(OPEN, mouth.aperture >= OPENED_MM),
        false_rounding=share_at_middle(SPREAD, rounded),
        silence_mm=float(np.percentile(quiet, 95)) if quiet.size else None,
        lag_ms=lag_ms,
        correlation=correlation,
        jerk=_jerk(times, weights),
    )


class _Mouth:
    """The measures of a reply on a grid of GRID_MS, the frames joined by straight lines."""

    def __init__(self, times: Values, weights: Values) -> None:
        self.ms = np.arange(times[0], times[-1] + GRID_MS, GRID_MS)
        # The measures are linear in the weights, but for the floor: that comes last.
        self.aperture = np.maximum(np.interp(self.ms, times, weights @ APERTURE), 0.0)
        self.teeth = np.interp(self.ms, times, weights @ TEETH)
        self.rounding = np.interp(self.ms, times, weights @ ROUNDING)

    def at(self, ms: float) -> int:
        return int(np.clip(round((ms - self.ms[0]) / GRID_MS), 0, self.ms.size - 1))

    def around(
        self, shown: npt.NDArray[np.bool_], start_ms: float, end_ms: float
    ) -> npt.NDArray[np.bool_]:
        middle_ms = (start_ms + end_ms) / 2
        return shown[self.at(middle_ms - WITHIN_MS) : self.at(middle_ms + WITHIN_MS) + 1]

    def silent(self, sounds: Sequence[tuple[str, float, float]]) -> npt.NDArray[np.bool_]:
        """Where the reply has no sound, and the mouth has had the time to shut."""
        edges = [(-np.inf, -np.inf), *((s, e) for _, s, e in sounds), (np.inf, np.inf)]
        found = np.zeros(self.ms.size, bool)
        for (_, ended_ms), (next_ms, _) in itertools.pairwise(edges):
            found |= (self.ms > ended_ms + RELEASED_MS) & (self.ms < next_ms - EXPECTED_MS)
        return found


def _plain(symbol: str) -> str:
    return symbol.replace("ː", "").replace("ˑ", "")


def _lag(mouth: _Mouth, speech: Speech) -> tuple[float | None, float | None]:
    """Lag of the aperture behind the loudness in ms, and their correlation there."""
    count = round(speech.rate_hz * ENVELOPE_MS / 1000)
    power = np.convolve(speech.samples.astype(np.float64) ** 2, np.hanning(count), "same")
    at = (mouth.ms * speech.rate_hz / 1000).round().astype(int)
    inside = (at >= 0) & (at < power.size)
    loud = np.where(inside, np.sqrt(power[np.clip(at, 0, power.size - 1)]), 0.0)
    best: tuple[float, float] | None = None
    reach = round(LAGS_MS / GRID_MS)
    for lag in range(-reach, reach + 1):
        early, late = (loud, mouth.aperture) if lag >= 0 else (mouth.aperture, loud)
        one, other = early[: early.size - abs(lag)], late[abs(lag) :]
        if one.size < 3 or np.ptp(one) == 0 or np.ptp(other) == 0:
            continue
        found = float(np.corrcoef(one, other)[0, 1])
        if best is None or found > best[0]:
            best = found, lag * GRID_MS
    return (best[1], best[0]) if best is not None else (None, None)


def _jerk(times: Values, weights: Values) -> float:
    grid = np.arange(times[0], times[-1], 1000 / JERK_RATE_HZ)
    if grid.size < 4:
        return 0.0
    even = np.stack([np.interp(grid, times, column) for column in weights.T])
    third = np.abs(np.diff(even, 3, axis=1)) * JERK_RATE_HZ**3
    return float(np.percentile(third.max(axis=0), 99))
