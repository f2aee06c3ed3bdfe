"""A microphone and a loudspeaker at the other end of a network, on one timeline.

Both run in the event loop. What arrives is delivered as it comes, and what leaves is pulled when
its time has come, by the monotonic clock; while nobody is on the line there is silence, and time
goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import numpy as np

from goassist_desktop.pipeline.endpoints.timeline import ASLEEP_S, CaptureClock
from goassist_desktop.pipeline.events import Notice
from goassist_desktop.pipeline.frames import BLOCK_SAMPLES, Samples
from goassist_desktop.pipeline.protocols import Source

RATE_HZ: Final = 48_000
FRAME_SAMPLES: Final = 960
"""Pulled and sent at once: 20 ms, as WebRTC sends Opus."""
CAPTURE_DELAY_MS: Final = 30.0
"""Of a sound on its way here, on a local network: a packet of 20 ms, and the browser's buffers."""
LONGEST_DELAY_MS: Final = 500.0

Send = Callable[[Samples, int], None]
"""Given a frame (n,) at 48 kHz and the count of samples that were pulled before it."""

_SILENCE: Samples = np.zeros(BLOCK_SAMPLES, np.float32)


class RemoteEndpoint:
    """An Endpoint for whoever is attached, one after the other. From the event loop only."""

    rate_hz = RATE_HZ
    capture_delay_ms = CAPTURE_DELAY_MS

    def __init__(self) -> None:
        self.muted = False
        self.render_delay_ms = 0.0
        self._send: Send | None = None
        self._frame = FRAME_SAMPLES
        self._pulled = 0
        self._began = 0.0
        self._rest: Samples = np.zeros(0, np.float32)
        self._clock: CaptureClock | None = None
        self._pacing: asyncio.Task[None] | None = None

    # -- Endpoint --------------------------------------------------------------------------------

    def start(
        self,
        source: Source,
        deliver: Callable[[Samples], None],
        notify: Callable[[Notice], None],
    ) -> None:
        """Begin the timeline."""
        self._source, self._deliver, self._notify = source, deliver, notify
        loop = asyncio.get_running_loop()
        self._now = loop.time
        self._began = loop.time()
        self._clock = CaptureClock(self._began)
        self._pacing = loop.create_task(self._pace(), name="remote endpoint")

    def stop(self) -> None:
        """End. Harmless when it has ended."""
        if self._pacing is not None:
            self._pacing.cancel()
        self._send = self._clock = None

    # -- the line --------------------------------------------------------------------------------

    def attach(self, send: Send, frame_samples: int = FRAME_SAMPLES) -> None:
        """From now on every frame goes there. Whoever was attached is not, any more."""
        self._send, self._frame = send, frame_samples

    def detach(self, send: Send) -> None:
        """Nobody is on the line, if it was this one."""
        if self._send == send:
            self._send, self._frame = None, FRAME_SAMPLES

    def hear(self, samples: Samples) -> None:
        """What the microphone heard: (n,) at 16 kHz, of any length, when it arrives."""
        if self._clock is None:
            return
        heard = np.concatenate([self._rest, samples]) if len(self._rest) else samples
        whole = len(heard) // BLOCK_SAMPLES * BLOCK_SAMPLES
        self._rest = heard[whole:]
        now = self._now()
        for start in range(0, whole, BLOCK_SAMPLES):
            missing = self._clock.arrived(now)
            if missing is None:
                continue  # silence took its place
            self._deliver_silence(missing)
            block = heard[start : start + BLOCK_SAMPLES]
            self._deliver(_SILENCE if self.muted else block)

    def delayed(self, render_ms: float) -> None:
        """The other end says how much later a sample is heard there than it left here."""
        self.render_delay_ms = min(max(render_ms, 0.0), LONGEST_DELAY_MS)

    @property
    def leaving_ms(self) -> float:
        """When what leaves now is heard, on the session's timeline."""
        if self._pacing is None:
            return self.render_delay_ms
        since_ms = (self._now() - self._began) * 1000 - self._pulled * 1000 / RATE_HZ
        ahead_ms = min(max(since_ms, 0.0), self._frame * 1000 / RATE_HZ)
        return self._pulled * 1000 / RATE_HZ + ahead_ms + self.render_delay_ms

    def heard_at_ms(self, position: int) -> float:
        """When the sample at this count of pulled ones is heard, on the session's timeline."""
        return position * 1000 / RATE_HZ + self.render_delay_ms

    # -- the clockwork ---------------------------------------------------------------------------

    async def _pace(self) -> None:
        while True:
            due = self._began + self._pulled / RATE_HZ
            late = self._now() - due
            if late < 0:
                await asyncio.sleep(-late)
                continue
            if late > ASLEEP_S:  # the machine slept: that time is no silence
                self._began += late
            self._play()
            if late > self._frame / RATE_HZ:
                await asyncio.sleep(0)  # others may be late too
            assert self._clock is not None
            self._deliver_silence(self._clock.absent(self._now()))

    def _play(self) -> None:
        position, self._pulled = self._pulled, self._pulled + self._frame
        frame = self._source.pull(self._frame)
        if self._send is not None:
            self._send(frame, position)

    def _deliver_silence(self, blocks: int) -> None:
        for _ in range(blocks):
            self._deliver(_SILENCE)
