"""Microphone and loudspeaker, examined before the first conversation.

Is somebody heard, does the loudspeaker reach the microphone, and how much of that does echo
cancellation take away? `Check` measures, block by block and without a device. `Probe` lets it
listen to the sound card, in a thread of its own, while no conversation holds the devices.
"""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final, Literal, Protocol

import numpy as np
import numpy.typing as npt

from goassist_desktop.pipeline.endpoints import sound_card
from goassist_desktop.pipeline.endpoints.capture import (
    DEVICE_BLOCK_SAMPLES,
    DEVICE_RATE_HZ,
    CaptureChain,
    Decimator,
)
from goassist_desktop.pipeline.endpoints.local import SWITCH_S
from goassist_desktop.pipeline.endpoints.ring import Ring
from goassist_desktop.pipeline.endpoints.sound_card import Direction, SoundDevice
from goassist_desktop.pipeline.endpoints.timeline import CaptureClock, RenderReference
from goassist_desktop.pipeline.errors import DeviceFailed, GoAssistError
from goassist_desktop.pipeline.frames import ANALYSIS_RATE_HZ, BLOCK_MS, Samples

SILENT_DB: Final = -100.0
"""Quieter than the noise of any microphone: it is muted."""

VOICE_MS: Final = 300
VOICE_RISE_DB: Final = 12.0
"""Above the floor, which is the level of the quietest fifth of the last seconds."""
VOICE_LEAST_DB: Final = -55.0
FLOOR_BLOCKS: Final = 500
_FLOOR_NEEDS_BLOCKS: Final = 30
_FLOOR_PERCENTILE: Final = 20
_GAP_BLOCKS: Final = 8
"""Words have stops this long in them."""

HUSH_S: Final = 0.8
"""The room is listened to for so long before the test sound."""
SOUND_S: Final = 4.8
SETTLE_S: Final = 2.0
"""Of the test sound, until echo cancellation knows the room: it took less than 1.5 s in rooms with
an echo from 20 to 300 ms late, and as long for speech."""
TAIL_S: Final = 0.6
"""An echo may come so much later than its sound."""
WHOLE_S: Final = HUSH_S + SOUND_S + TAIL_S
_NOTES_HZ: Final = (196.0, 293.66, 392.0, 440.0, 587.33, 493.88, 392.0, 293.66)
_NOTE_EVERY_S: Final = 0.4
_PEAK: Final = 0.25
_LOUD_PERCENTILE: Final = 80
"""Of the notes, the loudest one or two do not count: a gap in the sound, as a busy machine makes
it, spoils one."""

_SPEECH_HZ: Final = (200.0, 5200.0)
HEARD: Final = 15.0
"""What was played is heard if the best lag stands out by so much. In simulated rooms an echo 8 dB
above the noise gave 430, one 8 dB below the noise 26, no echo 7 to 9, whoever spoke meanwhile."""
REMOVED_DB: Final = 15.0
FAINT_DB: Final = -55.0
"""An echo that is left, but quieter than this, is no trouble."""

Outcome = Literal["removed", "unheard", "loud", "disturbed", "silent"]


@dataclass(frozen=True, slots=True)
class Echo:
    """What became of the test sound. Levels are root mean squares in dB of full scale, without
    the noise of the room."""

    outcome: Outcome
    """removed: heard, and taken away well enough. unheard: as with headphones. loud: heard, and
    not taken away. disturbed: heard, but something else was louder, so nothing can be said of the
    rest. silent: the microphone gives nothing at all."""
    heard_db: float
    """At the microphone, while it was played."""
    left_db: float
    """The same after echo cancellation."""
    delay_ms: float
    """How much later than played it was heard; 0 where it was not."""

    @property
    def removed_db(self) -> float:
        return max(0.0, self.heard_db - self.left_db)


def chime() -> Samples:
    """The test sound (n,) at 48 kHz, SOUND_S long: plucked strings with a soft brush.

    Each begins with noise and so has all frequencies of speech at once, which pure tones have not
    (K. Karplus and A. Strong, Digital synthesis of plucked-string and drum timbres, 1983): echo
    cancellation learns the room from it as quickly as from speech.
    """
    count = int(SOUND_S * DEVICE_RATE_HZ)
    sound = np.zeros(count)
    starts_s = np.arange(0.0, SOUND_S - 2 * _NOTE_EVERY_S, _NOTE_EVERY_S)
    for nth, start_s in enumerate(starts_s):
        start = int(start_s * DEVICE_RATE_HZ)
        at_s = np.arange(count - start) / DEVICE_RATE_HZ
        string = _plucked(_NOTES_HZ[nth % len(_NOTES_HZ)], len(at_s), seed=nth)
        brush = np.random.default_rng(100 + nth).uniform(-0.3, 0.3, len(at_s))
        sound[start:] += string * np.exp(-at_s / 0.25)
        sound[start:] += brush * np.exp(-at_s / 0.12) * np.minimum(1.0, at_s / 0.02)
    sound *= np.minimum(1.0, np.arange(count)[::-1] / (0.3 * DEVICE_RATE_HZ))
    loudest = float(np.abs(sound).max())
    return np.asarray(_PEAK / loudest * sound, np.float32)


def _plucked(hz: float, count: int, seed: int) -> npt.NDArray[np.float64]:
    """A string (count,): a period of noise that goes round, smoothed a little each time."""
    period = round(DEVICE_RATE_HZ / hz)
    string = np.random.default_rng(seed).uniform(-1, 1, period)
    turns = np.empty((-(-count // period), period))
    for turn in turns:
        turn[:] = string
        string = 0.498 * (string + np.roll(string, 1))
    return turns.ravel()[:count]


class Check:
    """What a microphone and a loudspeaker are found to do, 10 ms after 10 ms.

    `pull` is called by whatever plays, `process` by one other thread; the rest may be read from
    any.
    """

    def __init__(self) -> None:
        self.level_db = SILENT_DB
        """Of the microphone's newest block."""
        self.voice_heard = False
        """Whether the level once stood above the floor for VOICE_MS."""
        self.echo: Echo | None = None
        """What the last test sound showed; None before it has."""
        self._chain = CaptureChain()
        self._levels: deque[float] = deque(maxlen=FLOOR_BLOCKS)
        self._above = self._below = 0
        self._sound = chime()
        self._to_play: int | None = None
        self._trial: _Trial | None = None

    @property
    def progress(self) -> float | None:
        """How much of the test is over, 0 to 1; None while there is none."""
        trial = self._trial
        return None if trial is None else trial.seconds / WHOLE_S

    def play(self) -> None:
        """Begin the test, or begin it again: a hush, then the sound."""
        self.echo = None
        self._to_play = None
        self._trial = _Trial()

    def pull(self, count: int) -> Samples:
        """The next (count,) samples for the loudspeaker."""
        out = np.zeros(count, np.float32)
        start = self._to_play
        if start is not None:
            piece = self._sound[start : start + count]
            out[: len(piece)] = piece
            self._to_play = start + count if start + count < len(self._sound) else None
        return out

    def process(self, mic: Samples, rendered: Samples) -> None:
        """The next 10 ms (480,) of what was heard, and of what was played."""
        cleaned = np.concatenate(self._chain.process(mic, rendered))
        self.level_db = _level_db(mic)
        trial = self._trial
        if trial is None:
            self._look_for_a_voice()
            return
        hushed = trial.seconds < HUSH_S
        trial.add(mic, rendered, cleaned)
        if hushed and trial.seconds >= HUSH_S:
            self._to_play = 0
        if trial.seconds >= WHOLE_S:
            self.echo = trial.judged()
            self._trial = None

    def _look_for_a_voice(self) -> None:
        self._levels.append(self.level_db)
        if len(self._levels) < _FLOOR_NEEDS_BLOCKS:
            return
        floor_db = float(np.percentile(self._levels, _FLOOR_PERCENTILE))
        if self.level_db > max(floor_db + VOICE_RISE_DB, VOICE_LEAST_DB):
            self._above, self._below = self._above + 1, 0
        else:
            self._below += 1
            if self._below > _GAP_BLOCKS:
                self._above = 0
        if self._above * BLOCK_MS > VOICE_MS:
            self.voice_heard = True


class _Trial:
    """The microphone, before and after cleaning, and the loudspeaker during one test."""

    def __init__(self) -> None:
        self._mic: list[Samples] = []
        self._rendered: list[Samples] = []
        self._slowed: list[Samples] = []  # what was rendered, at the rate of what is cleaned
        self._decimator = Decimator()
        self._cleaned: list[Samples] = []

    @property
    def seconds(self) -> float:
        return len(self._mic) * BLOCK_MS / 1000

    def add(self, mic: Samples, rendered: Samples, cleaned: Samples) -> None:
        self._mic.append(mic)
        self._rendered.append(rendered)
        self._slowed.append(self._decimator.process(rendered))
        self._cleaned.append(cleaned)

    def judged(self) -> Echo:
        mic = np.concatenate(self._mic)
        if _level_db(mic) <= SILENT_DB:
            return Echo("silent", SILENT_DB, SILENT_DB, 0.0)
        heard, delay_ms = _outstanding(mic, np.concatenate(self._rendered), DEVICE_RATE_HZ)
        heard_db, noise_db = self._added_db(self._mic)
        left_db, _ = self._added_db(self._cleaned)
        if heard < HEARD:
            return Echo("unheard", heard_db, left_db, 0.0)
        if heard_db - left_db >= REMOVED_DB or left_db <= max(FAINT_DB, noise_db):
            return Echo("removed", heard_db, left_db, delay_ms)
        cleaned, slowed = np.concatenate(self._cleaned), np.concatenate(self._slowed)
        still_heard, _ = _outstanding(cleaned, slowed, ANALYSIS_RATE_HZ)
        outcome: Outcome = "loud" if still_heard >= HEARD else "disturbed"
        return Echo(outcome, heard_db, left_db, delay_ms)

    @staticmethod
    def _added_db(blocks: list[Samples]) -> tuple[float, float]:
        """What the sound added to the noise of the room, and that noise. Less than the noise can
        not be told from it, and is never claimed."""
        per_s = 1000 // BLOCK_MS
        noise = _power(blocks[per_s // 5 : int(HUSH_S * per_s)])
        begin, end = (int(s * per_s) for s in (HUSH_S + SETTLE_S, HUSH_S + SOUND_S))
        note = int(_NOTE_EVERY_S * per_s)
        notes = [_power(blocks[at : at + note]) for at in range(begin, end - note + 1, note)]
        during = float(np.percentile(notes, _LOUD_PERCENTILE))
        return _db(max(during - noise, noise)), _db(noise)


def _outstanding(mic: Samples, rendered: Samples, rate_hz: int) -> tuple[float, float]:
    """How far the best lag between two signals (n,) stands out of all, and that lag in ms.

    Generalised cross-correlation, every frequency of speech counting the same: it finds an echo
    also below a louder voice (C. Knapp and G. Carter, The generalized correlation method for
    estimation of time delay, 1976).
    """
    length = 1 << (2 * len(mic) - 1).bit_length()
    heard, played = np.fft.rfft(mic, length), np.fft.rfft(rendered, length)
    hz = np.fft.rfftfreq(length, 1 / rate_hz)
    speech = (hz > _SPEECH_HZ[0]) & (hz < _SPEECH_HZ[1])
    both = heard * played.conj()
    whitened = np.where(speech, both / np.maximum(np.abs(both), 1e-12), 0)
    product = np.abs(np.fft.irfft(whitened))
    lag = int(np.argmax(product[: rate_hz // 2]))
    scale = float(np.sqrt(np.mean(np.square(product))))
    return float(product[lag]) / max(scale, 1e-12), lag * 1000 / rate_hz


def _level_db(block: Samples) -> float:
    return _db(float(np.var(block, dtype=np.float64)))


def _power(blocks: list[Samples]) -> float:
    return float(np.mean([np.var(block, dtype=np.float64) for block in blocks]))


def _db(power: float) -> float:
    return max(SILENT_DB, 10 * float(np.log10(max(power, 1e-12))))


# -- on the sound card -----------------------------------------------------------------------------

WAIT_S: Final = 0.05
WATCH_S: Final = 0.2
RETRY_S: Final = 1.5


class Opened(Protocol):
    """What `sound_card.Streams` is."""

    @property
    def mic(self) -> Ring: ...
    @property
    def reference(self) -> RenderReference: ...
    def fault(self, now: float) -> tuple[Direction, str] | None: ...
    def close(self) -> None: ...


class Card(Protocol):
    """Where devices come from. The first two raise DeviceFailed or ConfigError."""

    def devices(self) -> list[SoundDevice]:
        """All there are now. No stream may be open."""

    def open(
        self,
        devices: tuple[str, str],
        pull: Callable[[int], Samples],
        arrived: Callable[[], None],
    ) -> Opened:
        """A microphone and a loudspeaker by their names; "" is the system's choice."""

    def now(self) -> float:
        """The time its streams run by, seconds of a monotonic clock."""


class SoundCard:
    """The machine's own."""

    def devices(self) -> list[SoundDevice]:
        sound_card.rescan()
        return sound_card.list_devices()

    def open(
        self,
        devices: tuple[str, str],
        pull: Callable[[int], Samples],
        arrived: Callable[[], None],
    ) -> Opened:
        microphone, loudspeaker = devices
        streams = sound_card.Streams(pull, arrived)
        with ExitStack() as cleanup:
            cleanup.callback(streams.close)
            streams.open("output", sound_card.find_device("output", loudspeaker or None))
            streams.open("input", sound_card.find_device("input", microphone or None))
            cleanup.pop_all()
        return streams

    def now(self) -> float:
        return time.monotonic()


class Probe:
    """A `Check` that listens to real devices. No method waits; what is found is read."""

    def __init__(self, card: Card, after: Probe | None = None) -> None:
        """`after`: one that was stopped, and may still have to let go of its devices."""
        self.devices: list[SoundDevice] = []
        """Found when they were last looked for."""
        self.fault = ""
        """Why nothing is heard: it is tried again and again. Empty while all is well."""
        self.check: Check | None = None
        """Of the devices that are open; None while none are."""
        self._card, self._after = card, after
        self._names = ("", "")
        self._stopping = threading.Event()
        self._change = threading.Event()
        self._arrived = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sound-check")

    def start(self, input_device: str, output_device: str) -> None:
        """Open the devices and listen."""
        self._names = (input_device, output_device)
        self._thread.start()

    def use(self, input_device: str, output_device: str) -> None:
        """Go on with other devices."""
        self._names = (input_device, output_device)
        self._change.set()
        self._arrived.set()

    def stop(self) -> None:
        """Let go of the devices, soon: see `ended`."""
        self._stopping.set()
        self._change.set()
        self._arrived.set()

    @property
    def ended(self) -> bool:
        """Whether the devices are free, and nothing more is done."""
        return not self._thread.is_alive()

    def _run(self) -> None:
        sys.setswitchinterval(SWITCH_S)
        if self._after is not None:
            self._after._thread.join()
            self._after = None
        while not self._stopping.is_set():
            self._change.clear()
            check = Check()
            try:
                self.devices = self._card.devices()
                streams = self._card.open(self._names, check.pull, self._arrived.set)
            except GoAssistError as error:
                self.fault = str(error)
                self._change.wait(RETRY_S)
                continue
            self.fault, self.check = "", check
            try:
                self._listen(streams, check)
            finally:
                self.check = None
                self._close(streams)
            if self.fault:
                self._change.wait(RETRY_S)

    def _close(self, streams: Opened) -> None:
        try:
            streams.close()
        except DeviceFailed as error:  # the sound system hangs: it is tried again, as all is
            self.fault = str(error)

    def _listen(self, streams: Opened, check: Check) -> None:
        """Until other devices are wanted, or these fail."""
        silence: Samples = np.zeros(DEVICE_BLOCK_SAMPLES, np.float32)
        clock = CaptureClock(self._card.now())
        watched = time.monotonic()

        def process(heard: Samples) -> None:
            rendered = streams.reference.take()
            check.process(heard, silence if rendered is None else rendered)

        while not self._change.is_set():
            heard = streams.mic.read(DEVICE_BLOCK_SAMPLES)
            if heard is not None:
                missing = clock.arrived(self._card.now())
                if missing is not None:
                    for block in (*[silence] * missing, heard):
                        process(block)
                continue
            for _ in range(clock.absent(self._card.now())):
                process(silence)
            self._arrived.wait(WAIT_S)
            self._arrived.clear()
            now = time.monotonic()
            if now - watched >= WATCH_S:
                watched = now
                if fault := streams.fault(now):
                    self.fault = fault[1]
                    return
