"""The sound devices of this machine, and one opening of a microphone and a loudspeaker.

The only module that knows PortAudio, which is loaded when first asked for: its library may be
missing, and looking for devices takes a moment.
"""

from __future__ import annotations

import atexit
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import soxr

from goassist_desktop.pipeline.endpoints.capture import DEVICE_BLOCK_SAMPLES, DEVICE_RATE_HZ
from goassist_desktop.pipeline.endpoints.ring import Ring
from goassist_desktop.pipeline.endpoints.timeline import RenderReference
from goassist_desktop.pipeline.errors import ConfigError, DeviceFailed
from goassist_desktop.pipeline.frames import Samples

Direction = Literal["input", "output"]
NOUN: dict[Direction, str] = {"input": "microphone", "output": "loudspeaker"}

LATENCY_S: dict[Direction, float] = {"input": 0.02, "output": 0.06}
"""Asked of the devices. Less is heard as gaps while inference runs on the same cores; more makes
the microphone's samples come in bigger pieces."""
STALE_S = 0.5
"""A callback this old means that the device is gone."""
CLOSE_S = 0.3
"""Closing takes a few ms, or for ever."""


def _portaudio() -> ModuleType:
    try:
        import sounddevice
    except OSError as error:
        raise DeviceFailed(
            "the PortAudio library is missing: install it (Debian and Ubuntu: libportaudio2, "
            "Fedora and macOS: portaudio)"
        ) from error
    return sounddevice


def rescan() -> None:
    """Let PortAudio look for devices again; it does so only when it begins. No stream may be open.

    Raises DeviceFailed.
    """
    sounddevice = _portaudio()
    try:
        sounddevice._terminate()
        sounddevice._initialize()
    except sounddevice.PortAudioError as error:
        raise DeviceFailed(f"the sound system does not answer: {_reason(error)}") from error


@dataclass(frozen=True, slots=True)
class SoundDevice:
    """A device as PortAudio lists it; one may be both microphone and loudspeaker."""

    index: int
    name: str
    input_channels: int
    output_channels: int
    rate_hz: int
    """What it prefers."""
    default_input: bool
    default_output: bool

    def channels(self, direction: Direction) -> int:
        return self.input_channels if direction == "input" else self.output_channels

    def is_default(self, direction: Direction) -> bool:
        return self.default_input if direction == "input" else self.default_output


def list_devices() -> list[SoundDevice]:
    """All devices PortAudio found when it last looked. Raises DeviceFailed without PortAudio."""
    sounddevice = _portaudio()
    default_input, default_output = sounddevice.default.device
    return [
        SoundDevice(
            index=index,
            name=device["name"],
            input_channels=device["max_input_channels"],
            output_channels=device["max_output_channels"],
            rate_hz=round(device["default_samplerate"]),
            default_input=index == default_input,
            default_output=index == default_output,
        )
        for index, device in enumerate(sounddevice.query_devices())
    ]


def find_device(direction: Direction, name: str | None) -> SoundDevice:
    """The device called `name`, or the one with it in its name, whatever the case.

    None is the default device. Raises ConfigError for an unknown or ambiguous name, and
    DeviceFailed when there is no such device at all.
    """
    noun = NOUN[direction]
    devices = [device for device in list_devices() if device.channels(direction)]
    if not devices:
        raise DeviceFailed(f"no {noun} found: connect one, or start the sound server")
    if name is None:
        return next((d for d in devices if d.is_default(direction)), devices[0])
    wanted = name.casefold()
    found = [d for d in devices if d.name.casefold() == wanted]
    found = found or [d for d in devices if wanted in d.name.casefold()]
    if len(found) == 1:
        return found[0]
    what = f"{len(found)} {noun}s have" if found else f"no {noun} has"
    choice = ", ".join(repr(d.name) for d in found or devices)
    raise ConfigError(f"{direction}_device = {name!r}: {what} that in the name; choose of {choice}")


class Streams:
    """Both streams, running from construction until `close`. A new opening is a new object.

    Callbacks only copy. A device that refuses 48 kHz or one channel is taken as it is, and
    converted to.
    """

    mic: Ring
    """What was heard, at 48 kHz."""
    reference: RenderReference
    """What was played."""

    def __init__(
        self,
        input_device: SoundDevice,
        output_device: SoundDevice,
        pull: Callable[[int], Samples],
        arrived: Callable[[], None],
    ) -> None:
        """`pull` gives what to play, `arrived` is told of every block in `mic`; both are called
        from audio threads. Raises DeviceFailed.
        """
        self.mic = Ring(2 * DEVICE_RATE_HZ)
        self.reference = RenderReference()
        self._pull, self._arrived = pull, arrived
        self._pending: Samples = np.zeros(0, np.float32)
        self._devices = {"input": input_device, "output": output_device}
        self._called = dict.fromkeys(self._devices, time.monotonic())
        self._streams: dict[Direction, Any] = {}
        with ExitStack() as cleanup:
            cleanup.callback(self.close)
            # The loudspeaker first: its buffer is full before the first block is heard.
            for direction in ("output", "input"):
                self._open(direction)
            cleanup.pop_all()

    @property
    def latency_ms(self) -> float:
        """How much later than pulled a sample is heard, as far as PortAudio knows."""
        return float(self._streams["output"].latency) * 1000

    def fault(self, now: float) -> str | None:
        """What is wrong at `now`, seconds of the monotonic clock; None while all is well."""
        for direction, stream in self._streams.items():
            if not stream.active or now - self._called[direction] > STALE_S:
                return f"the {NOUN[direction]} {self._devices[direction].name!r} stopped"
        return None

    def close(self) -> bool:
        """Stop at once, dropping what the devices still hold. Harmless when closed.

        False where PortAudio does not let go. When a sound server dies, its ALSA thread may fall
        into an endless loop (a jump back to its own error check, pa_linux_alsa.c), and whatever
        waits for that thread waits for ever; so nothing may, not even the end of the program.
        """
        closing = threading.Thread(target=self._close, name="sound-card-close", daemon=True)
        closing.start()
        closing.join(CLOSE_S)
        if closing.is_alive():
            atexit.unregister(_portaudio()._exit_handler)
        return not closing.is_alive()

    def _close(self) -> None:
        for stream in self._streams.values():
            stream.abort(ignore_errors=True)
            stream.close(ignore_errors=True)

    # -- opening -----------------------------------------------------------------------------------

    def _open(self, direction: Direction) -> None:
        sounddevice = _portaudio()
        device = self._devices[direction]
        Stream, check, callback = {
            "input": (sounddevice.InputStream, sounddevice.check_input_settings, self._hear),
            "output": (sounddevice.OutputStream, sounddevice.check_output_settings, self._play),
        }[direction]
        try:
            channels, rate_hz = self._format(check, device, direction)
            if direction == "input":
                self._from_device = _converter(rate_hz, DEVICE_RATE_HZ)
            else:
                self._to_device = _converter(DEVICE_RATE_HZ, rate_hz)
            stream = Stream(
                device=device.index,
                channels=channels,
                samplerate=rate_hz,
                blocksize=0,  # whatever comes: blocks of our own would come in uneven bursts
                latency=LATENCY_S[direction],
                dtype="float32",
                callback=callback,
            )
            self._streams[direction] = stream
            stream.start()
        except sounddevice.PortAudioError as error:
            raise DeviceFailed(
                f"the {NOUN[direction]} {device.name!r} can not be opened: {_reason(error)}"
            ) from error

    @staticmethod
    def _format(
        check: Callable[..., None], device: SoundDevice, direction: Direction
    ) -> tuple[int, int]:
        """Channels and rate the device takes, ours if it can be."""
        sounddevice = _portaudio()
        refused: Exception | None = None
        for rate_hz in (DEVICE_RATE_HZ, device.rate_hz):
            for channels in (1, min(2, device.channels(direction))):
                try:
                    check(
                        device=device.index, channels=channels, dtype="float32", samplerate=rate_hz
                    )
                except sounddevice.PortAudioError as error:
                    refused = error
                else:
                    return channels, rate_hz
        assert refused is not None
        raise refused

    # -- called from the audio threads -------------------------------------------------------------

    def _hear(self, heard: npt.NDArray[np.float32], frames: int, times: Any, status: Any) -> None:
        self._called["input"] = time.monotonic()
        self.mic.write(self._from_device(heard.mean(axis=1)))
        self._arrived()

    def _play(self, played: npt.NDArray[np.float32], frames: int, times: Any, status: Any) -> None:
        self._called["output"] = time.monotonic()
        while len(self._pending) < frames:
            block = self._pull(DEVICE_BLOCK_SAMPLES)
            self.reference.render(block)
            self._pending = np.concatenate([self._pending, self._to_device(block)])
        played[:] = self._pending[:frames, np.newaxis]
        self._pending = self._pending[frames:]


def _converter(from_hz: int, to_hz: int) -> Callable[[Samples], Samples]:
    if from_hz == to_hz:
        return lambda samples: samples
    stream = soxr.ResampleStream(from_hz, to_hz, 1, dtype="float32", quality="MQ")
    return stream.resample_chunk


def _reason(error: Exception) -> str:
    return str(error.args[0]).removeprefix("Error opening ").split(" [PaErrorCode")[0]
