"""The mouth between the sounds: every sound pulls at it, before and after its own time.

After Cohen and Massaro, "Modeling coarticulation in synthetic visual speech" (1993): each sound has
a target and a dominance that falls off around it, and the mouth is the mean of the targets, each
weighted by its dominance. Unlike theirs, dominance is flat inside a sound and falls as a Gaussian,
so that nothing has an edge; and lips or teeth that have to meet do so by a seal of their own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from goassist_desktop.pipeline.engines.speech_features import FRAME_MS
from goassist_desktop.pipeline.engines.visemes import CHANNELS, ORGANS, SEALS, Values, visemes

BEFORE_MS: Final = np.array([46.0, 62.0, 40.0])
AFTER_MS: Final = np.array([42.0, 48.0, 34.0])
"""How far jaw, lips and tongue reach ahead of a sound and linger after it (1/e of the dominance).
Speakers begin to round or open 80 to 120 ms early."""
FAR_MS: Final = 500.0
"""What is so far away does not count."""
EDGE_MS, EDGE = 22.0, 0.3
"""A sound begins to give way so long, or this share of it, before its end, and as early after its
start."""

SILENCE_HOLD = 1.2
REST_MS = 100.0
"""A shorter gap between two sounds is no silence: voices go on between their words."""
RELEASE_MS, EXPECT_MS = 50.0, 90.0
"""The mouth is still held open by what was said, and opens for what will be."""
WHOLE_SILENCE_MS = 180.0
"""A shorter one is held less firmly: the mouth need not shut at every comma."""
SILENCE_BEFORE_MS, SILENCE_AFTER_MS = 36.0, 48.0

SHUT_MS, PART_MS = 60.0, 64.0
"""What a seal takes to close and to part."""
LEAST_SHUT_MS = {"lips": 44.0, "lip and teeth": 36.0}
"""Held for two frames at 60 a second, so that it is seen."""
BURST_MS = 10.0
"""Lips part before the end of their sound: what follows is heard open."""
SMOOTHING: Final = np.array([0.09, 0.24, 0.34, 0.24, 0.09])
"""Over the frames of the channels: the jaw has a mass."""


Times = npt.NDArray[np.floating]


class Sound(NamedTuple):
    """A sound of the reply; times count from its start."""

    symbol: str
    start_ms: float
    end_ms: float


def coarticulated(sounds: Sequence[Sound], frames: npt.NDArray[np.int64]) -> Values:
    """The mouth (n, 10): CHANNELS, then how far SEALS are shut, for frames (n,) one after another.

    Before the first sound, after the last one and between distant ones it rests. The sounds must
    be in order.
    """
    from_ms, to_ms = frames[0] * FRAME_MS - FAR_MS, frames[-1] * FRAME_MS + FAR_MS
    sounds = [s for s in sounds if s.end_ms > from_ms and s.start_ms < to_ms]
    side = SMOOTHING.size // 2
    channels = _channels(sounds, np.arange(frames[0] - side, frames[-1] + side + 1) * FRAME_MS)
    smooth = np.lib.stride_tricks.sliding_window_view(channels, SMOOTHING.size, axis=0) @ SMOOTHING
    return np.concatenate([smooth.astype(np.float32), _seals(sounds, frames * FRAME_MS)], axis=1)


def _channels(sounds: Sequence[Sound], at_ms: Times) -> npt.NDArray[np.float64]:
    weighted = np.zeros((at_ms.size, len(CHANNELS)))
    total = np.zeros((at_ms.size, len(CHANNELS)))
    for pull in _pulls(sounds):
        distance = np.maximum(pull.from_ms - at_ms, at_ms - pull.to_ms)
        early = (at_ms < pull.from_ms)[:, np.newaxis]
        reach = np.where(early, pull.before_ms[ORGANS], pull.after_ms[ORGANS])
        falls = np.exp(-((np.maximum(distance, 0.0)[:, np.newaxis] / reach) ** 2))
        dominance = pull.hold[ORGANS] * falls
        weighted += dominance * pull.target
        total += dominance
    return weighted / np.maximum(total, 1e-9)


class _Pull(NamedTuple):
    """A target (8,), and for each organ (3,) how strongly and widely it is held around its time."""

    target: Values
    hold: npt.NDArray[np.float64]
    from_ms: float
    to_ms: float
    before_ms: npt.NDArray[np.float64]
    after_ms: npt.NDArray[np.float64]


def _pulls(sounds: Sequence[Sound]) -> Iterator[_Pull]:
    ended_ms = -np.inf
    for sound in sounds:
        yield from _silence(ended_ms, sound.start_ms)
        start_ms = sound.start_ms
        for viseme, share in visemes(sound.symbol):
            length_ms = share * (sound.end_ms - sound.start_ms)
            edge_ms = min(EDGE * length_ms, EDGE_MS)
            yield _Pull(
                viseme.target,
                np.array(viseme.hold),
                start_ms + edge_ms,
                start_ms + length_ms - edge_ms,
                BEFORE_MS,
                AFTER_MS,
            )
            start_ms += length_ms
        ended_ms = sound.end_ms
    yield from _silence(ended_ms, np.inf)


def _silence(from_ms: float, to_ms: float) -> Iterator[_Pull]:
    gap_ms = to_ms - from_ms
    if gap_ms < REST_MS:
        return
    begins_ms = from_ms + min(RELEASE_MS, gap_ms / 2)
    hold = SILENCE_HOLD * min(1.0, (gap_ms - REST_MS) / (WHOLE_SILENCE_MS - REST_MS))
    yield _Pull(
        np.zeros(len(CHANNELS), np.float32),
        np.full(3, hold),
        begins_ms,
        max(begins_ms, to_ms - EXPECT_MS),
        np.full(3, SILENCE_BEFORE_MS),
        np.full(3, SILENCE_AFTER_MS),
    )


def _seals(sounds: Sequence[Sound], at_ms: Times) -> Values:
    """How far each seal is shut: the most that any sound asks for."""
    found = np.zeros((at_ms.size, len(SEALS)), np.float32)
    for sound in sounds:
        for viseme, _ in visemes(sound.symbol):
            if viseme.seal:
                least_ms = LEAST_SHUT_MS[viseme.seal] / 2
                middle_ms = (sound.start_ms + sound.end_ms) / 2
                shut_ms = min(sound.start_ms, middle_ms - least_ms)
                part_ms = max(sound.end_ms - BURST_MS, middle_ms + least_ms)
                closing = _smooth((at_ms - shut_ms) / SHUT_MS + 1)
                parting = _smooth((part_ms - at_ms) / PART_MS + 1)
                column = found[:, SEALS.index(viseme.seal)]
                np.maximum(column, np.minimum(closing, parting), out=column)
    return found


def _smooth(share: Times) -> Values:
    """Smoothstep of shares, clipped to [0, 1]."""
    share = np.clip(share, 0.0, 1.0)
    return (share * share * (3 - 2 * share)).astype(np.float32)
