"""How much the assistant has to do, in six levels, and what that changes.

Up at once, down only when it was quiet for a while and by some margin: a level that comes and goes
every second helps nobody. The sound of a conversation that goes on is never made worse.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

FACE_LAG_MS: Final = 120.0
"""SPEC: a face that lags by more yields, in its own session and in the feeds of all."""
TTFA_STEPS: Final = (0.80, 0.90, 0.96, 1.00)
"""Of the longest time to first audio that is allowed: levels 1 to 4. Of 250 ms: 200, 225, 240."""
GPU_STEPS: Final = (0.85, 0.90, 0.93, 0.95, 0.98)
"""Of the GPU's memory: levels 1 to 5."""
ERROR_RATE: Final = 0.05
"""Turns that failed: others wait, until what is wrong is over."""
MARGIN: Final = 0.03
"""A measure has to be this much of itself below a step before it counts as below."""
CALM_S: Final = 5.0
"""For so long, before the level goes down by one."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What the level is made of. None: not known, and of no weight."""

    ttfa: float | None = None
    """Mean of the last minute, as a part of the longest allowed."""
    face_lag_ms: float | None = None
    gpu_memory: float | None = None
    """Part of it that is used."""
    error_rate: float | None = None


@dataclass(frozen=True, slots=True)
class Effects:
    """What a level allows."""

    face_fps: int
    max_tokens: int | None
    """Of a reply; None: as many as the settings have."""
    text: str
    """For the user; empty where all is as usual."""


EFFECTS: Final = (
    Effects(30, None, ""),
    Effects(15, None, "The assistant is busy: the face moves less smoothly."),
    Effects(15, 384, "The assistant is busy: answers are shorter."),
    Effects(15, 256, "The assistant is busy: answers are short."),
    Effects(15, 256, "The assistant is very busy: new conversations wait."),
    Effects(15, 256, "The assistant is overloaded: new conversations are refused."),
)


class Load:
    """The level, one measurement after the other. Times are seconds of one clock."""

    def __init__(self) -> None:
        self._level = 0
        self._high_at = 0.0

    def note(self, measured: Measured, now: float) -> None:
        level = level_of(measured)
        if level > self._level:
            self._level, self._high_at = level, now
        elif level_of(measured, MARGIN) >= self._level:
            self._high_at = now
        elif now - self._high_at >= CALM_S:
            self._level, self._high_at = self._level - 1, now

    def level(self, sessions: int, most: int) -> int:
        """The level of now, with so many sessions of so many: their number is no measurement, and
        whoever leaves makes room at once."""
        return max(self._level, level_of_sessions(sessions, most))


def level_of(measured: Measured, margin: float = 0.0) -> int:
    """What the highest of the measures says, without regard to what was before.

    `margin`: by how much of each step it is enough to be near it.
    """
    near = 1 - margin
    lag = measured.face_lag_ms
    return max(
        _above(measured.ttfa, [step * near for step in TTFA_STEPS]),
        _above(measured.gpu_memory, [step * near for step in GPU_STEPS]),
        int(lag is not None and lag >= FACE_LAG_MS * near),
        4 * (measured.error_rate is not None and measured.error_rate >= ERROR_RATE * near),
    )


def level_of_sessions(sessions: int, most: int) -> int:
    """2, 3 and 4 for the last but two, the last but one and the last place. Where there are fewer
    than four places the first session would be made worse by its own coming: then they count for
    nothing, and who comes too late waits all the same."""
    return max(0, min(4, 4 - (most - sessions))) if most >= 4 and most - sessions <= 2 else 0


def _above(value: float | None, steps: Sequence[float]) -> int:
    return 0 if value is None else sum(value >= step for step in steps)
