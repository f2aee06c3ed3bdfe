"""The microphone and the loudspeaker of this machine, on one timeline.

One thread pairs what was heard with what was played, cleans and delivers it. Another watches the
streams, because nothing is raised when a device goes away, and opens them anew.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable

import numpy as np

from goassist_desktop.pipeline.endpoints.capture import (
    DEVICE_BLOCK_SAMPLES,
    DEVICE_RATE_HZ,
    CaptureChain,
)
from goassist_desktop.pipeline.endpoints.sound_card import Streams, find_device, rescan
from goassist_desktop.pipeline.endpoints.timeline import LONGEST_WAIT_S, CaptureClock
from goassist_desktop.pipeline.errors import GoAssistError
from goassist_desktop.pipeline.events import Notice
from goassist_desktop.pipeline.frames import ANALYSIS_RATE_HZ, BLOCK_MS, Samples
from goassist_desktop.pipeline.protocols import Source

WATCH_S = 0.1
FIRST_RETRY_S = 0.25
LONGEST_RETRY_S = 4.0
SWITCH_S = 0.0005
"""An audio callback waits this long at most for each busy Python thread, not 5 ms as by default:
with two of them that was six underruns in ten seconds, and is none."""
DEAD_MICROPHONE_S = 5.0
"""Nothing but zeros for so long: no room is that quiet."""
STEADY = 0.02
"""Weight of the newest block in the measured render delay; callbacks come in bursts."""

_SILENCE: Samples = np.zeros(DEVICE_BLOCK_SAMPLES, np.float32)


class LocalEndpoint:
    """An Endpoint on the sound card; devices are chosen as `sound_card.find_device` says.

    `notify` is called from the endpoint's threads. While a device is away silence is delivered,
    and the source is pulled unheard, so that both timelines go on in real time.
    """

    rate_hz = DEVICE_RATE_HZ

    def __init__(
        self,
        input_device: str | None = None,
        output_device: str | None = None,
        *,
        echo: bool = True,
    ) -> None:
        """`echo` False leaves the microphone as it is, for headphones with their own processing."""
        self._input_device, self._output_device = input_device, output_device
        self._chain = CaptureChain(echo=echo)
        self.capture_delay_ms = self._chain.delay_samples * 1000 / ANALYSIS_RATE_HZ
        self.render_delay_ms = 0.0
        self.muted = False
        self._streams: Streams | None = None
        self._threads: list[threading.Thread] = []
        self._stopping = threading.Event()
        self._arrived = threading.Event()
        self._pulled = 0
        self._dead_blocks = 0

    def start(
        self,
        source: Source,
        deliver: Callable[[Samples], None],
        notify: Callable[[Notice], None],
    ) -> None:
        """Open both devices and begin. Raises DeviceFailed, or ConfigError for a wrong name."""
        self._source, self._deliver, self._notify = source, deliver, notify
        sys.setswitchinterval(SWITCH_S)
        self._streams = self._open()
        self._threads = [
            threading.Thread(target=self._run, args=[task], name=f"local-endpoint{task.__name__}")
            for task in (self._listen, self._watch)
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Close both devices. Harmless when they are closed."""
        self._stopping.set()
        self._arrived.set()
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join()
        if self._streams is not None:
            self._streams.close()

    def _run(self, task: Callable[[], None]) -> None:
        try:
            task()
        except BaseException as error:
            self._notify(Notice("error", f"the sound card is no longer served: {error!r}"))
            raise

    # -- what was heard ----------------------------------------------------------------------------

    def _listen(self) -> None:
        clock = CaptureClock(time.monotonic())
        while not self._stopping.is_set():
            streams = self._streams
            if streams is None or (mic := streams.mic.read(DEVICE_BLOCK_SAMPLES)) is None:
                for _ in range(clock.absent(time.monotonic())):
                    self._process(_SILENCE, streams)
                self._arrived.wait(LONGEST_WAIT_S)
                self._arrived.clear()
                continue
            missing = clock.arrived(time.monotonic())
            if missing is None:
                continue
            for _ in range(missing):
                self._process(_SILENCE, streams)
            self._process(mic, streams)
            self._note_dead_microphone(mic)
            self._measure_render_delay(clock.blocks, streams)

    def _process(self, mic: Samples, streams: Streams | None) -> None:
        if streams is None:
            self._pull(DEVICE_BLOCK_SAMPLES)
        rendered = None if streams is None else streams.reference.take()
        for block in self._chain.process(mic, _SILENCE if rendered is None else rendered):
            self._deliver(np.zeros_like(block) if self.muted else block)

    def _pull(self, count: int) -> Samples:
        self._pulled += count
        return self._source.pull(count)

    def _note_dead_microphone(self, mic: Samples) -> None:
        dead_after = DEAD_MICROPHONE_S * 1000 / BLOCK_MS
        if not mic.any():
            self._dead_blocks += 1
            if self._dead_blocks == dead_after:
                self._notify(Notice("warning", "your microphone is silent: is it muted?"))
            return
        if self._dead_blocks >= dead_after:
            self._notify(Notice("info", "your microphone is heard again"))
        self._dead_blocks = 0

    def _measure_render_delay(self, blocks: int, streams: Streams) -> None:
        pulled_ms = self._pulled * 1000 / DEVICE_RATE_HZ
        delay_ms = blocks * BLOCK_MS - pulled_ms + streams.latency_ms
        self.render_delay_ms += max(STEADY, 1 / blocks) * (delay_ms - self.render_delay_ms)

    # -- the devices -------------------------------------------------------------------------------

    def _open(self) -> Streams:
        rescan()
        return Streams(
            find_device("input", self._input_device),
            find_device("output", self._output_device),
            self._pull,
            self._arrived.set,
        )

    def _watch(self) -> None:
        streams = self._streams
        assert streams is not None
        asked = time.monotonic()
        while not self._stopping.wait(WATCH_S):
            now = time.monotonic()
            # Called late, the callbacks were too: that is a busy machine, not a lost device.
            on_time, asked = now - asked < 2 * WATCH_S, now
            fault = streams.fault(now) if on_time else None
            if fault is None:
                continue
            self._notify(Notice("warning", f"{fault}: waiting for it to come back"))
            self._streams = None
            if not streams.close():
                self._notify(Notice("error", "the sound system hangs: start the program again"))
                return
            reopened = self._reopen()
            if reopened is None:
                return
            streams = self._streams = reopened
            self._notify(Notice("info", "microphone and loudspeaker are back"))
            asked = time.monotonic()

    def _reopen(self) -> Streams | None:
        """Try until it works, ever more seldom; None when it is time to stop."""
        pause_s = FIRST_RETRY_S
        while not self._stopping.wait(pause_s):
            pause_s = min(2 * pause_s, LONGEST_RETRY_S)
            try:
                return self._open()
            except GoAssistError:
                continue  # it was said that the device is away, and will be when it is back
        return None
