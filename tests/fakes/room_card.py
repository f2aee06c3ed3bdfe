"""A sound card in a simulated room, for what opens the devices itself. Time passes when allowed."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np

from goassist_desktop.pipeline.endpoints.capture import DEVICE_BLOCK_SAMPLES, DEVICE_RATE_HZ
from goassist_desktop.pipeline.endpoints.ring import Ring
from goassist_desktop.pipeline.endpoints.room import Convolver, Room
from goassist_desktop.pipeline.endpoints.sound_card import Direction, SoundDevice
from goassist_desktop.pipeline.endpoints.timeline import RenderReference
from goassist_desktop.pipeline.errors import DeviceFailed
from goassist_desktop.pipeline.frames import Samples

DEVICES = [
    SoundDevice(0, "Built-in Audio", 2, 2, 48_000, True, True),
    SoundDevice(1, "USB Headset", 1, 2, 48_000, False, False),
]


class RoomCard:
    """A `sound_check.Card`. What happened to it is noted."""

    def __init__(self, room: Room, noise_db: float = -66.0) -> None:
        self.room, self.noise_db = room, noise_db
        self.opened: list[tuple[str, str]] = []
        self.open_now = 0
        self.broken = ""
        """What opening a device says; empty: it works."""
        self._streams: _Streams | None = None
        self.passed_s = 0.0

    def devices(self) -> list[SoundDevice]:
        assert not self.open_now, "devices are looked for while some are open"
        return DEVICES

    def open(
        self,
        devices: tuple[str, str],
        pull: Callable[[int], Samples],
        arrived: Callable[[], None],
    ) -> _Streams:
        if self.broken:
            raise DeviceFailed(self.broken)
        self.opened.append(devices)
        streams = self._streams = _Streams(self, pull, arrived)
        self.open_now += 1
        return streams

    def now(self) -> float:
        return self.passed_s

    def pass_time(self, seconds: float, said: Samples | None = None) -> None:
        """Let so much be heard, with somebody saying `said` (n,) at 48 kHz from its start on."""
        assert self._streams is not None
        self._streams.mic.allow(round(seconds * 100), said)

    @property
    def idle(self) -> bool:
        """Whether all time that was allowed has passed."""
        return self._streams is not None and self._streams.mic.idle

    def unplug(self) -> None:
        assert self._streams is not None
        self._streams.gone = True


class _Streams:
    def __init__(
        self, card: RoomCard, pull: Callable[[int], Samples], arrived: Callable[[], None]
    ) -> None:
        self._card = card
        self.gone = False
        self.reference = RenderReference()
        self.mic = _Microphone(card, self.reference, pull, arrived)

    def fault(self, now: float) -> tuple[Direction, str] | None:
        return ("input", "the microphone 'USB Headset' stopped") if self.gone else None

    def close(self) -> None:
        self._card.open_now -= 1


class _Microphone(Ring):
    """Makes every block when it is read, while time is allowed to pass."""

    def __init__(
        self,
        card: RoomCard,
        reference: RenderReference,
        pull: Callable[[int], Samples],
        arrived: Callable[[], None],
    ) -> None:
        super().__init__(DEVICE_RATE_HZ)
        self._card, self._reference = card, reference
        self._pull, self._arrived = pull, arrived
        response = card.room.echo_response(DEVICE_RATE_HZ)
        self._echo = None if response is None else Convolver(response, DEVICE_BLOCK_SAMPLES)
        self._noise = 10 ** (card.noise_db / 20)
        self._random = np.random.default_rng(3)
        self._allowed = threading.Semaphore(0)
        self._said: list[Samples] = []

    def allow(self, blocks: int, said: Samples | None) -> None:
        if said is not None:
            whole = said[: len(said) // DEVICE_BLOCK_SAMPLES * DEVICE_BLOCK_SAMPLES]
            self._said += list(whole.reshape(-1, DEVICE_BLOCK_SAMPLES))
        self._allowed.release(blocks)
        self._arrived()

    @property
    def idle(self) -> bool:
        free = self._allowed.acquire(blocking=False)
        if free:
            self._allowed.release()
        return not free

    def read(self, count: int) -> Samples | None:
        if not self._allowed.acquire(blocking=False):
            return None
        self._card.passed_s += 0.01
        played = self._pull(count)
        self._reference.render(played)
        heard = self._random.standard_normal(count) * self._noise
        if self._echo is not None:
            heard += self._echo.process(played)
        if self._said:
            heard += self._said.pop(0)
        return heard.astype(np.float32)
