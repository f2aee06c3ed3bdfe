"""The endpoint of a session that is held again."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Any

import numpy as np

from goassist_desktop.pipeline.audio_files import as_16_bit
from goassist_desktop.pipeline.events import Notice
from goassist_desktop.pipeline.frames import Samples
from goassist_desktop.pipeline.protocols import Source
from goassist_desktop.replay.reading import Recording, Taken


class ReplayedEndpoint:
    """The endpoint again. The loudspeaker is pulled just where it was, to the look."""

    def __init__(self, recording: Recording, differs: Callable[..., None]) -> None:
        self.rate_hz: int = recording.header["rate_hz"]
        self.capture_delay_ms: float = recording.header["capture_delay_ms"]
        self.render_delay_ms: float = recording.header["render_delay_ms"]
        self.muted = False
        """Changes nothing: what was recorded is what was heard."""
        self._loudspeaker = recording.loudspeaker
        self._differs = differs
        self._pulled = 0
        self._looks = 0
        self._pulls: deque[tuple[int, int]] = deque()
        self._pulling = False
        self._source: Source | None = None

    def start(
        self,
        source: Any,
        deliver: Callable[[Samples], None],
        notify: Callable[[Notice], None],
    ) -> None:
        self.deliver, self.notify = deliver, notify
        self._source = source
        source.lock = self

    def stop(self) -> None:
        """Nothing to end."""

    def next_line(self, taken: Taken) -> None:
        self.pull_rest()
        self._pulls, self._looks = deque(taken.pulls), 0
        if taken.render_delay_ms is not None:
            self.render_delay_ms = taken.render_delay_ms

    def pull_rest(self) -> None:
        while self._pulls:
            self._pull(self._pulls.popleft()[0])

    def _pull(self, count: int) -> None:
        assert self._source is not None
        self._pulling = True
        now = as_16_bit(self._source.pull(count))
        self._pulling = False
        start, self._pulled = self._pulled, self._pulled + count
        was = self._loudspeaker[start : self._pulled]
        if not np.array_equal(now[: len(was)], was):
            at_s = start / self.rate_hz
            self._differs(f"the loudspeaker plays something else at {at_s:.2f} s", decision=True)

    # As the loudspeaker's lock.

    def __enter__(self) -> None:
        if self._pulling:
            return
        while self._pulls and self._pulls[0][1] <= self._looks:
            self._pull(self._pulls.popleft()[0])
        self._looks += 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        pass
