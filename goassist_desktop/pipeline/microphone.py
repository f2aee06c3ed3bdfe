"""Whether the microphone is heard: mute, and the key to talk."""

from __future__ import annotations

RELEASE_MS = 100
"""It is heard for so long after the key to talk was let go: fingers are faster than last words."""


class Switch:
    """Who holds the key to talk is heard, muted or not. Times are ms of the audio timeline."""

    def __init__(self) -> None:
        self.muted = False
        self.only_pressed = False
        """The microphone is heard only while the key is held down."""
        self.pressed = False
        self._released_ms: float | None = None  # and it is still heard

    @property
    def heard(self) -> bool:
        held = self.pressed or self._released_ms is not None
        return held or not (self.muted or self.only_pressed)

    def press(self) -> None:
        self.pressed = True
        self._released_ms = None

    def release(self, now_ms: float) -> None:
        self.pressed = False
        self._released_ms = now_ms

    def let_go(self, now_ms: float) -> bool:
        """Whether the key, and the time after it, is over just now: true once."""
        over = self._released_ms is not None and now_ms - self._released_ms >= RELEASE_MS
        if over:
            self._released_ms = None
        return over
