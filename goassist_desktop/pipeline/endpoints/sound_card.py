"""The sound devices of this machine, and one opening of a microphone and a loudspeaker.

The only module that knows PortAudio, which is loaded when first asked for: its library may be
missing, and looking for devices takes a moment.
"""

from __future__ import annotations

import atexit
import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
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
_Callback = Callable[[npt.NDArray[np.float32], int, Any, Any], None]
NOUN: dict[Direction, str] = {"input": "microphone", "output": "loudspeaker"}

LATENCY_S: dict[Direction, float] = {"input": 0.02, "output": 0.06}
"""Asked of the devices. Less is heard as gaps while inference runs on the same cores; more makes
the microphone's samples come in bigger pieces."""
STALE_S = 0.5
"""A callback this old means that the device is gone."""
CLOSE_S = 0.3
"""Closing takes a few ms, or for ever."""
LIST_POLL_S = 0.05
LIST_S = 5.0
"""To look for devices takes some tenths of a second, or, with a server that hangs, for ever."""


class NoDevice(DeviceFailed):
    """There is no microphone at all, or no loudspeaker."""


class Hangs(DeviceFailed):
    """PortAudio does not let go of a stream, and of nothing else any more.

    When a sound server dies, its ALSA thread may fall into an endless loop (a jump back to its own
    error check, pa_linux_alsa.c), and whatever waits for that thread waits for ever; so nothing
    may, not even the end of the program.
    """

    def __init__(self) -> None:
        super().__init__("the sound system hangs: start the program again")


_closing: list[threading.Thread] = []
"""Those that did not come to an end in time."""


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

    Raises DeviceFailed, and Hangs while a stream is not let go of: it would wait for that.
    """
    sounddevice = _portaudio()
    if any(thread.is_alive() for thread in _closing):
        raise Hangs
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


def _devices(defaults: Sequence[int], found: Sequence[Mapping[str, Any]]) -> list[SoundDevice]:
    """From the indices of the default microphone and loudspeaker, and what PortAudio lists."""
    default_input, default_output = defaults
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
        for index, device in enumerate(found)
    ]


def list_devices() -> list[SoundDevice]:
    """All devices PortAudio found when it last looked. Raises DeviceFailed without PortAudio."""
    sounddevice = _portaudio()
    try:
        return _devices(tuple(sounddevice.default.device), sounddevice.query_devices())
    except sounddevice.PortAudioError as error:
        raise DeviceFailed(f"the sound system does not answer: {_reason(error)}") from error


_LISTING = """
import json, os
getattr(os, "nice", lambda by: None)(10)
import sounddevice
print(json.dumps([list(sounddevice.default.device), list(sounddevice.query_devices())]))
"""


def list_devices_now(unwanted: threading.Event | None = None) -> list[SoundDevice]:
    """All devices there are at this moment, whatever streams are open.

    PortAudio looks only when it begins, so one that just begins is asked, in a process of its own;
    its indices mean nothing in this one. Takes some tenths of a second. Raises DeviceFailed, also
    when the answer is `unwanted` before it comes.
    """
    _portaudio()  # its absence has a message of its own
    found = b""
    try:
        with subprocess.Popen(
            [sys.executable, "-c", _LISTING],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # ALSA has much to say of devices nobody asked for
        ) as child:
            deadline = time.monotonic() + LIST_S
            while child.returncode is None:
                try:
                    found, _ = child.communicate(timeout=LIST_POLL_S)
                except subprocess.TimeoutExpired:
                    if time.monotonic() > deadline or (unwanted is not None and unwanted.is_set()):
                        child.kill()
        return _devices(*json.loads(found))
    except (OSError, ValueError, TypeError, LookupError) as error:
        raise DeviceFailed("the sound system does not answer") from error


def find_device(
    direction: Direction, name: str | None, devices: Sequence[SoundDevice] | None = None
) -> SoundDevice:
    """The device called `name`, or the one with it in its name, whatever the case.

    None is the default device; `devices` are those of `list_devices` if not given. Raises
    ConfigError for an unknown or ambiguous name, and NoDevice when there is no such device at all.
    """
    noun = NOUN[direction]
    devices = [d for d in (list_devices() if devices is None else devices) if d.channels(direction)]
    if not devices:
        raise NoDevice(f"no {noun} found: connect one, or start the sound server")
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


@dataclass(slots=True)
class _Opened:
    device: SoundDevice
    stream: Any = None
    called: float = 0.0
    """When it last asked for samples, or gave some."""
    latency_ms: float = 0.0
    reference: RenderReference = field(default_factory=RenderReference)
    """What a loudspeaker plays."""


class Streams:
    """What is open of a microphone and a loudspeaker; each runs from `open` until `close`.

    Callbacks only copy. A device that refuses 48 kHz or one channel is taken as it is, and
    converted to. One thread opens and closes.
    """

    mic: Ring
    """What was heard, at 48 kHz."""
    reference: RenderReference
    """What was played."""

    def __init__(self, pull: Callable[[int], Samples], arrived: Callable[[], None]) -> None:
        """`pull` gives what to play, `arrived` is told of every block in `mic`; both are called
        from audio threads.
        """
        self.mic = Ring(2 * DEVICE_RATE_HZ)
        self.reference = RenderReference()
        self._pull, self._arrived = pull, arrived
        self._opened: dict[Direction, _Opened] = {}

    def device(self, direction: Direction) -> SoundDevice | None:
        """What is open; None: nothing."""
        opened = self._opened.get(direction)
        return None if opened is None else opened.device

    @property
    def latency_ms(self) -> float:
        """How much later than pulled a sample is heard, as far as PortAudio knows."""
        opened = self._opened.get("output")
        return 0.0 if opened is None else opened.latency_ms

    def fault(self, now: float) -> tuple[Direction, str] | None:
        """What stopped by `now`, seconds of the monotonic clock; None while all is well."""
        for direction, opened in tuple(self._opened.items()):
            if not opened.stream.active or now - opened.called > STALE_S:
                return direction, f"the {NOUN[direction]} {opened.device.name!r} stopped"
        return None

    def close(self, *directions: Direction) -> None:
        """Stop these at once, or all, dropping what the devices still hold. Harmless when closed.

        Raises Hangs. They count as closed then, too.
        """
        opened = [self._opened.pop(d, None) for d in directions or tuple(self._opened)]
        _close([one for one in opened if one is not None])

    # -- opening -----------------------------------------------------------------------------------

    def open(self, direction: Direction, device: SoundDevice) -> None:
        """Go on with this device; the one that is open is closed once this one is to be had.

        Raises DeviceFailed where it is not, and all goes on as before. Raises Hangs.
        """
        sounddevice = _portaudio()
        Stream, check, begin = {
            "input": (sounddevice.InputStream, sounddevice.check_input_settings, self._hearing),
            "output": (sounddevice.OutputStream, sounddevice.check_output_settings, self._playing),
        }[direction]
        opened, before = _Opened(device), self._opened.get(direction)
        try:
            channels, rate_hz = self._format(check, device, direction)
            opened.stream = Stream(
                device=device.index,
                channels=channels,
                samplerate=rate_hz,
                blocksize=0,  # whatever comes: blocks of our own would come in uneven bursts
                latency=LATENCY_S[direction],
                dtype="float32",
                callback=begin(opened, rate_hz),
            )
            opened.latency_ms = float(opened.stream.latency) * 1000
            self._opened[direction] = opened
            opened.called = time.monotonic()
            if direction == "output":
                self.reference = opened.reference
            if before is not None:
                _close([before])
            opened.stream.start()
        except Hangs:
            del self._opened[direction]
            raise
        except sounddevice.PortAudioError as error:
            if self._opened.get(direction) is opened:
                self.close(direction)
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

    def _hearing(self, opened: _Opened, rate_hz: int) -> _Callback:
        """What is called from the microphone's thread."""
        from_device = _converter(rate_hz, DEVICE_RATE_HZ)

        def hear(heard: npt.NDArray[np.float32], frames: int, times: Any, status: Any) -> None:
            opened.called = time.monotonic()
            self.mic.write(from_device(heard.mean(axis=1)))
            self._arrived()

        return hear

    def _playing(self, opened: _Opened, rate_hz: int) -> _Callback:
        """What is called from the loudspeaker's thread."""
        to_device = _converter(DEVICE_RATE_HZ, rate_hz)
        pending: Samples = np.zeros(0, np.float32)

        def play(played: npt.NDArray[np.float32], frames: int, times: Any, status: Any) -> None:
            nonlocal pending
            opened.called = time.monotonic()
            while len(pending) < frames:
                block = self._pull(DEVICE_BLOCK_SAMPLES)
                opened.reference.render(block)
                pending = np.concatenate([pending, to_device(block)])
            played[:] = pending[:frames, np.newaxis]
            pending = pending[frames:]

        return play


def _close(opened: Sequence[_Opened]) -> None:
    """In a thread, because of Hangs."""

    def close() -> None:
        for one in opened:
            one.stream.abort(ignore_errors=True)
            one.stream.close(ignore_errors=True)
            one.stream = None  # which knows us: there is half a megabyte in this circle

    if not opened:
        return
    closing = threading.Thread(target=close, name="sound-card-close", daemon=True)
    closing.start()
    closing.join(CLOSE_S)
    if closing.is_alive():
        _closing.append(closing)
        atexit.unregister(_portaudio()._exit_handler)
        raise Hangs


def _converter(from_hz: int, to_hz: int) -> Callable[[Samples], Samples]:
    if from_hz == to_hz:
        return lambda samples: samples
    stream = soxr.ResampleStream(from_hz, to_hz, 1, dtype="float32", quality="MQ")
    return stream.resample_chunk


_REASONS = {
    "Device unavailable": "another program may be using it",
    "Illegal combination of I/O devices": "it does not answer",
}
"""What PortAudio says, and what that mostly means."""


def _reason(error: Exception) -> str:
    """Of "Error opening InputStream: Device unavailable [PaErrorCode -9985]" what helps a user."""
    said = re.sub(r"^Error \w+ \w+: | \[PaErrorCode.*", "", str(error.args[0]))
    return _REASONS.get(said, said)
