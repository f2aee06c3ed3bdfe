"""A PortAudio of nothing: devices that are plugged in and out, and streams that call back in time.

It stands where the `sounddevice` module stands. As the real one it looks for devices only when it
begins, and never says that one went away.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np

RATE_HZ = 48_000
FRAMES = 480


class PortAudioError(Exception):
    pass


@dataclass(eq=False)
class Device:
    name: str
    inputs: int = 0
    outputs: int = 0
    level: float = 0.1
    """Of all samples a microphone gives."""
    busy: bool = False
    """It can not be opened."""
    plugged: bool = True
    opened: int = 0
    """How often, so far."""
    played: list[np.ndarray] = field(default_factory=list)


class PortAudio:
    """`devices` is what there is; what is listed is what there was at the last beginning."""

    PortAudioError = PortAudioError

    def __init__(self, *devices: Device) -> None:
        self.devices = list(devices)
        self.streams: list[Stream] = []
        """All there ever were."""
        self.hangs = threading.Event()
        """Closing a stream waits while this is set."""
        self.begun = 0
        self._listed: list[Device] = []

    # -- the world's side ------------------------------------------------------------------------

    def plug(self, *devices: Device) -> None:
        for device in devices:
            device.plugged = True
            if device not in self.devices:
                self.devices.append(device)

    def unplug(self, *devices: Device) -> None:
        """What is open stays open, and falls silent."""
        for device in devices:
            device.plugged = False
            self.devices.remove(device)

    @property
    def open_streams(self) -> list[Stream]:
        return [stream for stream in self.streams if not stream.closed]

    # -- as `sounddevice` ------------------------------------------------------------------------

    def _initialize(self) -> None:
        self.begun += 1
        self._listed = list(self.devices)

    def _terminate(self) -> None:
        assert not self.open_streams, "PortAudio ends, and streams are open"

    def _exit_handler(self) -> None:
        pass

    @property
    def default(self) -> SimpleNamespace:
        def first(channels: Callable[[Device], int]) -> int:
            return next((n for n, d in enumerate(self._listed) if channels(d)), -1)

        return SimpleNamespace(device=(first(lambda d: d.inputs), first(lambda d: d.outputs)))

    def query_devices(self) -> list[dict[str, Any]]:
        return [
            {
                "name": device.name,
                "max_input_channels": device.inputs,
                "max_output_channels": device.outputs,
                "default_samplerate": float(RATE_HZ),
            }
            for device in self._listed
        ]

    def check_input_settings(self, **settings: Any) -> None:
        pass

    check_output_settings = check_input_settings

    def InputStream(self, **settings: Any) -> Stream:
        return self._opened("input", **settings)

    def OutputStream(self, **settings: Any) -> Stream:
        return self._opened("output", **settings)

    def _opened(self, direction: str, device: int, callback: Any, **settings: Any) -> Stream:
        found = self._listed[device]
        if found.busy or not found.plugged:
            raise PortAudioError(
                f"Error opening {direction}: Device unavailable [PaErrorCode -9985]"
            )
        found.opened += 1
        self.streams.append(Stream(self, direction, found, callback))
        return self.streams[-1]


class Stream:
    latency = 0.02

    def __init__(self, portaudio: PortAudio, direction: str, device: Device, callback: Any) -> None:
        self._portaudio = portaudio
        self.direction = direction
        self.device = device
        self._callback = callback
        self.active = False
        self.closed = False
        self._thread = threading.Thread(target=self._run, name="fake stream")

    def start(self) -> None:
        self.active = True
        self._thread.start()

    def abort(self, ignore_errors: bool) -> None:
        while self._portaudio.hangs.is_set():
            time.sleep(0.005)
        self.active = False
        if self._thread.ident is not None:
            self._thread.join()

    def close(self, ignore_errors: bool) -> None:
        self.closed = True

    def _run(self) -> None:
        due = time.monotonic()
        while self.active:
            due += FRAMES / RATE_HZ
            time.sleep(max(0.0, due - time.monotonic()))
            if not self.device.plugged:
                continue
            samples = np.zeros((FRAMES, 1), np.float32)
            if self.direction == "input":
                samples[:] = self.device.level
            self._callback(samples, FRAMES, None, None)
            if self.direction == "output":
                self.device.played.append(samples[:, 0])
