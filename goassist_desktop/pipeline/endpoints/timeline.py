"""The two timelines of a sound card, counted in blocks of 10 ms.

Two streams of one card, or of two cards, start apart, stall, lose samples and run on crystals of
their own. Here is decided, from counts and the time alone, where silence belongs.
"""

from __future__ import annotations

import math

from goassist_desktop.pipeline.endpoints.capture import DEVICE_BLOCK_SAMPLES, DEVICE_RATE_HZ
from goassist_desktop.pipeline.endpoints.ring import Ring
from goassist_desktop.pipeline.frames import BLOCK_MS, Samples

BLOCK_S = BLOCK_MS / 1000

WINDOW_S = 0.5
"""Blocks come in bursts: the least lag within this time says how late the device really is."""
LOST_BLOCKS = 3
"""A lag that stays above this is a loss, not lateness."""
FOLLOW = 0.05
"""Part of the lag taken for a difference of clocks, each window: follows some 200 ppm."""
PATIENCE_S = 0.15
"""With nothing for so long, silence is delivered instead."""
LONGEST_WAIT_S = 0.05
"""A longer pause between two calls means that we were asleep, not that the device was silent."""
ASLEEP_S = 2.0
"""A pause longer than this is no silence either: the machine slept, and its time is left out. So
much fits between the device and us."""
WAKENING_S = 5.0
"""A busy machine is not that late, and a wall clock is seldom set by more."""
LEVELS = 100
"""The least level of the reference over so many blocks says how far it really is ahead."""
CUSHION_BLOCKS = 3
"""Rendered ahead of captured: enough for bursts, and less than any way through two devices."""


class CaptureClock:
    """Keeps delivered blocks in step with real time. Times are seconds of one monotonic clock."""

    def __init__(self, now: float) -> None:
        self.origin = now
        """The time at which block 0 began."""
        self.blocks = 0
        """Delivered so far, silence included."""
        self._filled = 0  # silent blocks whose samples may still come
        self._least_lag = math.inf
        self._window_start = now
        self._asked = now
        self._waited = 0.0

    def arrived(self, now: float) -> int | None:
        """A block arrived: how many silent ones to deliver before it.

        None means to drop it: it comes late, and silence was delivered in its place.
        """
        self._pass_over_sleep(now)
        self._asked, self._waited = now, 0.0
        if self.blocks == 0:
            self.origin = now - BLOCK_S
            self._new_window(now)
        lag = (now - self.origin) / BLOCK_S - (self.blocks + 1)
        if self._filled and lag < -1:
            self._filled -= 1
            return None
        if lag < 0:
            self.origin += lag * BLOCK_S  # the quickest block there was sets the clock
        self._least_lag = min(self._least_lag, max(0.0, lag))
        missing = 0
        if now - self._window_start >= WINDOW_S:
            if self._least_lag >= LOST_BLOCKS:
                missing = int(self._least_lag)
            else:
                self.origin += self._least_lag * FOLLOW * BLOCK_S
            self._filled = 0
            self._new_window(now)
        self.blocks += missing + 1
        return missing

    def absent(self, now: float) -> int:
        """Nothing arrived: how many silent blocks to deliver now."""
        self._pass_over_sleep(now)
        self._waited += min(now - self._asked, LONGEST_WAIT_S)
        self._asked = now
        if self._waited < PATIENCE_S:
            return 0
        missing = max(0, int((now - self.origin) / BLOCK_S) - self.blocks)
        self.blocks += missing
        self._filled += missing
        self._new_window(now)
        return missing

    def _pass_over_sleep(self, now: float) -> None:
        if now - self._asked > ASLEEP_S:
            self.origin += now - self._asked
            self._new_window(now)

    def _new_window(self, now: float) -> None:
        self._least_lag, self._window_start = math.inf, now


class Wakening:
    """Notices that the machine slept: one of two clocks stood still, or both jumped."""

    def __init__(self, running: float, wall: float) -> None:
        """Seconds of a clock that may stand still meanwhile, and of one that goes on."""
        self._running, self._wall = running, wall

    def noticed(self, running: float, wall: float) -> bool:
        """Whether it slept since this was last asked. Ask more often than every WAKENING_S."""
        ran, passed = running - self._running, wall - self._wall
        self._running, self._wall = running, wall
        return max(ran, passed - ran) > WAKENING_S


class RenderReference:
    """What the loudspeaker plays, paired block by block with what the microphone hears.

    An echo canceller follows any delay that stays put, and needs seconds for one that jumps. So
    what was rendered stays CUSHION_BLOCKS ahead of what is captured, and where the loudspeaker
    ran dry, silence takes its place.
    """

    def __init__(self) -> None:
        self._ring = Ring(2 * DEVICE_RATE_HZ)
        self._flowing = False
        self._levels: list[int] = []

    def render(self, samples: Samples) -> None:
        """Append what was given to the device (n,) at 48 kHz. Called from the audio thread."""
        self._ring.write(samples)

    def take(self) -> Samples | None:
        """The block (480,) that belongs to the next captured one; None: silence."""
        level = self._ring.available // DEVICE_BLOCK_SAMPLES
        if not self._flowing and level >= CUSHION_BLOCKS:
            self._flowing = True
            self._drop(level - CUSHION_BLOCKS)
        if not self._flowing:
            return None
        self._levels.append(level)
        if len(self._levels) == LEVELS:
            self._drop(min(self._levels) - CUSHION_BLOCKS)
            self._levels.clear()
        block = self._ring.read(DEVICE_BLOCK_SAMPLES)
        self._flowing = block is not None
        return block

    def _drop(self, blocks: int) -> None:
        self._ring.skip(max(0, blocks) * DEVICE_BLOCK_SAMPLES)
