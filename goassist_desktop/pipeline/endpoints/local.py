"""The microphone and the loudspeaker of this machine, on one timeline.

One thread pairs what was heard with what was played, cleans and delivers it. Another sees to it
that the devices are open.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress

import numpy as np

from goassist_desktop.pipeline.endpoints.capture import (
    DEVICE_BLOCK_SAMPLES,
    DEVICE_RATE_HZ,
    CaptureChain,
)
from goassist_desktop.pipeline.endpoints.devices import Devices, Names
from goassist_desktop.pipeline.endpoints.sound_card import Hangs, Streams
from goassist_desktop.pipeline.endpoints.timeline import (
    LONGEST_WAIT_S,
    CaptureClock,
    RenderReference,
)
from goassist_desktop.pipeline.events import Notice
from goassist_desktop.pipeline.frames import ANALYSIS_RATE_HZ, BLOCK_MS, Samples
from goassist_desktop.pipeline.protocols import Source

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
        patient: bool = False,
    ) -> None:
        """`echo` False leaves the microphone as it is, for headphones with their own processing.

        `patient`: begin with the devices there are, perhaps none, and go on looking for the others;
        for a chosen one that is not there the system's choice stands in.
        """
        self._wanted: Names = {"input": input_device, "output": output_device}
        self._patient = patient
        self._chain = CaptureChain(echo=echo)
        self.capture_delay_ms = self._chain.delay_samples * 1000 / ANALYSIS_RATE_HZ
        self.render_delay_ms = 0.0
        self.muted = False
        self._devices: Devices | None = None
        self._threads: list[threading.Thread] = []
        self._stopping = threading.Event()
        self._arrived = threading.Event()
        self._pulled = 0
        self._counting = threading.Lock()  # one stream's thread, and the next one's
        self._reference: RenderReference | None = None  # of the loudspeaker that is measured
        self._measured = 0
        self._dead_blocks = 0

    def start(
        self,
        source: Source,
        deliver: Callable[[Samples], None],
        notify: Callable[[Notice], None],
    ) -> None:
        """Open the devices and begin. Raises DeviceFailed, or ConfigError for a wrong name, where
        it is not patient."""
        self._source, self._deliver, self._notify = source, deliver, notify
        sys.setswitchinterval(SWITCH_S)
        self._devices = devices = Devices(
            self._wanted,
            lambda: Streams(self._pull, self._arrived.set),
            notify,
            patient=self._patient,
        )
        devices.open()
        tasks = {"listen": lambda: self._listen(devices), "watch": devices.watch}
        self._threads = [
            threading.Thread(target=self._run, args=[task], name=f"local-endpoint-{name}")
            for name, task in tasks.items()
        ]
        for thread in self._threads:
            thread.start()

    def use(self, input_device: str | None, output_device: str | None) -> None:
        """Go on with these devices: from any thread, and returns at once.

        A device that can not be had leaves the one before, and `notify` is told.
        """
        self._wanted = {"input": input_device, "output": output_device}
        if self._devices is not None:
            self._devices.use(self._wanted)

    def stop(self) -> None:
        """Close both devices. Harmless when they are closed."""
        self._stopping.set()
        self._arrived.set()
        if self._devices is None:
            return
        self._devices.stop()
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join()
        with suppress(Hangs):  # which was told, or is nobody's concern any more
            self._devices.streams.close()

    def _run(self, task: Callable[[], None]) -> None:
        try:
            task()
        except BaseException as error:
            self._notify(Notice("error", f"the sound card is no longer served: {error!r}"))
            raise

    # -- what was heard ----------------------------------------------------------------------------

    def _listen(self, devices: Devices) -> None:
        clock = CaptureClock(time.monotonic())
        while not self._stopping.is_set():
            streams = devices.streams
            mic = streams.mic.read(DEVICE_BLOCK_SAMPLES)
            now = time.monotonic()
            missing = clock.absent(now) if mic is None else clock.arrived(now)
            if missing is None:
                continue  # silence took its place
            for _ in range(missing):
                self._process(_SILENCE, streams)
            if mic is not None:
                self._process(mic, streams)
                self._note_dead_microphone(mic)
            if mic is not None or missing:
                self._measure_render_delay(clock.blocks, streams)
            if mic is None:
                self._arrived.wait(LONGEST_WAIT_S)
                self._arrived.clear()

    def _process(self, mic: Samples, streams: Streams) -> None:
        if streams.device("output") is None:
            self._pull(DEVICE_BLOCK_SAMPLES)
        rendered = streams.reference.take()
        for block in self._chain.process(mic, _SILENCE if rendered is None else rendered):
            self._deliver(np.zeros_like(block) if self.muted else block)

    def _pull(self, count: int) -> Samples:
        with self._counting:
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
        """The mean since the loudspeaker was opened; later that of late."""
        if streams.reference is not self._reference:
            self._reference, self._measured = streams.reference, 0
        self._measured += 1
        pulled_ms = self._pulled * 1000 / DEVICE_RATE_HZ
        delay_ms = blocks * BLOCK_MS - pulled_ms + streams.latency_ms
        self.render_delay_ms += max(STEADY, 1 / self._measured) * (delay_ms - self.render_delay_ms)
