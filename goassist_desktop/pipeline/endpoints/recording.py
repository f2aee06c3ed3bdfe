"""A virtual sound card in a virtual room: recordings are spoken to it, and it records both sides.

It stands where the local sound card stands and runs on the same clock, so a conversation held
through it is a real one. The card is a 16-bit one: what the files hold is exactly, bit for bit,
what was played and what was heard.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from goassist_desktop.pipeline.audio_files import WavWriter, as_16_bit
from goassist_desktop.pipeline.endpoints.capture import (
    DEVICE_BLOCK_SAMPLES,
    DEVICE_RATE_HZ,
    CaptureChain,
)
from goassist_desktop.pipeline.endpoints.room import Convolver, Room, speech_span
from goassist_desktop.pipeline.errors import BadInput, GoAssistError
from goassist_desktop.pipeline.events import Notice
from goassist_desktop.pipeline.frames import ANALYSIS_RATE_HZ, BLOCK_MS, Samples
from goassist_desktop.pipeline.protocols import Source

QUIET_PEAK = 10 ** (-50 / 20)
SOUND_GAP_S = 0.2
"""Within speech there are stops this long; a longer quiet ends a sound."""
ROOM_TONE_DBFS = -70
"""No microphone is digitally dead, and what cleans its signal was not made for one that is."""

HEADPHONES = Room()
DRIFT_S = 1.0
"""How far two clocks can come apart: at 100 ppm after almost three hours."""


@dataclass(frozen=True, slots=True)
class Said:
    """A recording spoken to the microphone. All are positions, in samples at 48 kHz."""

    start: int
    end: int
    """One past the last sample of the recording."""
    onset: int
    """The first sample of speech in it."""
    offset: int
    """The last sample of speech in it."""


@dataclass(frozen=True, slots=True)
class Sound:
    """A stretch of audible sound at the loudspeaker, from `start` up to, not including, `end`."""

    start: int
    end: int


@dataclass(slots=True)
class _Spoken:
    start: int
    recording: Samples
    span: tuple[int, int] | None
    """First and last sample of speech in the recording; None until it is measured."""

    def measured(self) -> Said:
        if self.span is None:
            self.span = speech_span(self.recording, DEVICE_RATE_HZ)
        onset, offset = self.span
        start = self.start
        return Said(start, start + len(self.recording), start + onset, start + offset)


class RecordingEndpoint:
    """An Endpoint without a device. `say` speaks to it; times are samples at 48 kHz since `start`.

    A thread of its own calls `step` every 10 ms by the monotonic clock. One that comes late is
    followed by the next at once, so the timeline never drifts from the clock. With
    `realtime=False` there is no thread: the caller steps.
    """

    rate_hz = DEVICE_RATE_HZ
    render_delay_ms = 0.0

    def __init__(
        self,
        chain: CaptureChain,
        *,
        room: Room = HEADPHONES,
        reply: Path | None = None,
        mic: Path | None = None,
        realtime: bool = True,
        drift_ppm: float = 0.0,
    ) -> None:
        """`reply` and `mic` are the files to record to, 16-bit mono at 48 kHz.

        `drift_ppm`: the microphone's clock is this much slower than the loudspeaker's, so that the
        echo comes ever later. Both files begin with the first sample and are equally long. They
        are created here, so that a path that can not be written is known before a conversation
        begins, and closed by `stop`. Raises BadInput or GoAssistError for such a path, and BadInput
        when both are the same.
        """
        if reply is not None and mic is not None and reply.resolve() == mic.resolve():
            raise BadInput(f"{reply}: can not hold both the reply and the microphone")
        with ExitStack() as files:
            self._reply = files.enter_context(WavWriter(reply, DEVICE_RATE_HZ)) if reply else None
            self._mic = files.enter_context(WavWriter(mic, DEVICE_RATE_HZ)) if mic else None
            self._files = files.pop_all()
        self.failure: BaseException | None = None
        """What ended the thread before `stop`; it was also given to `notify`."""
        self.worst_lateness_s = 0.0
        """How late the latest step came: above some 20 ms, measured latencies suffer from it."""
        self._chain = chain
        self.capture_delay_ms = chain.delay_samples * 1000 / ANALYSIS_RATE_HZ
        self.muted = False
        self._realtime = realtime
        self._drift = _Drift(drift_ppm) if drift_ppm else None
        self.move(room)
        tone = np.random.default_rng(70).standard_normal(2 * DEVICE_RATE_HZ)
        self._room_tone = (tone * 10 ** (ROOM_TONE_DBFS / 20)).astype(np.float32)

        self._lock = threading.Lock()  # over what `say` shares with `step`
        self._position = 0
        self._pending: list[tuple[int, Samples]] = []
        self._said: list[_Spoken] = []
        self._sounds: list[Sound] = []

        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    # -- Endpoint --------------------------------------------------------------------------------

    def start(
        self,
        source: Source,
        deliver: Callable[[Samples], None],
        notify: Callable[[Notice], None],
    ) -> None:
        """Begin the timeline: pull from `source`, give cleaned blocks (160,) to `deliver`."""
        self._source, self._deliver, self._notify = source, deliver, notify
        if self._realtime:
            self._thread = threading.Thread(target=self._run, name="recording-endpoint")
            self._thread.start()

    def stop(self) -> None:
        """End after the step in hand and close the files. Harmless when stopped."""
        self._stopping.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()
        self._files.close()

    # -- the user's side -------------------------------------------------------------------------

    def say(
        self,
        recording: Samples,
        at: int | None = None,
        *,
        span: tuple[int, int] | None = None,
    ) -> int:
        """Speak (n,) samples at 48 kHz to the microphone, and return the position they start at.

        That is `at`, or the next sample to be heard. What was said before goes on underneath.
        `span` is what `speech_span` makes of the recording, for who has measured it already.
        Raises ValueError for a position that is over, and for a recording without sound.
        """
        if not np.any(recording):
            raise ValueError("a recording without sound can not be said")
        with self._lock:
            start = self._position if at is None else at
            if start < self._position:
                raise ValueError(f"position {start} is over, it is {self._position} now")
            self._pending.append((start, recording))
            self._said.append(_Spoken(start, recording, span))
        return start

    def move(self, room: Room) -> None:
        """From the next sample on the microphone stands in another room, or at another delay.

        What was still on its way from the loudspeaker is lost.
        """
        response = room.echo_response(DEVICE_RATE_HZ)
        echo = None if response is None else Convolver(response, DEVICE_BLOCK_SAMPLES)
        self._echo, self._noise = echo, room.noise

    @property
    def position(self) -> int:
        """Samples played, and heard, so far."""
        return self._position

    @property
    def saying(self) -> bool:
        """Whether a recording is being spoken, or is yet to be."""
        with self._lock:
            return bool(self._pending)

    @property
    def said(self) -> tuple[Said, ...]:
        """Every recording, in the order of `say`.

        One said without its span is measured here, once: that takes 10 ms for a second of it.
        """
        with self._lock:
            said = tuple(self._said)
        return tuple(spoken.measured() for spoken in said)

    # -- the loudspeaker, as an ear beside it would judge ----------------------------------------

    @property
    def sounds(self) -> tuple[Sound, ...]:
        """When the loudspeaker sounded, above -50 dBFS; gaps below 0.2 s do not part a sound."""
        return tuple(self._sounds)

    def quiet_for(self) -> float:
        """Seconds since the last audible sample, or since the start when there was none."""
        last = self._sounds[-1].end if self._sounds else 0
        return max(0, self._position - last) / DEVICE_RATE_HZ

    # -- the clockwork ---------------------------------------------------------------------------

    def step(self) -> None:
        """Play and hear the next 10 ms. Raises GoAssistError when they can not be recorded."""
        start = self._position
        rendered = _through_converter(self._source.pull(DEVICE_BLOCK_SAMPLES))
        heard = _looped(self._room_tone, start)
        echo, noise = self._echo, self._noise
        if echo is not None:
            heard += echo.process(
                rendered if self._drift is None else self._drift.process(rendered)
            )
        if noise is not None:
            heard += _looped(noise, start)
        with self._lock:
            self._position = end = start + DEVICE_BLOCK_SAMPLES
            for said_at, recording in self._pending:
                part = recording[max(0, start - said_at) : max(0, end - said_at)]
                first = max(0, said_at - start)
                heard[first : first + len(part)] += part
            self._pending = [said for said in self._pending if said[0] + len(said[1]) > end]
        heard = _through_converter(heard)

        self._note_sound(start, rendered)
        if self._reply is not None:
            self._reply.append(rendered)
        if self._mic is not None:
            self._mic.append(heard)
        for block in self._chain.process(heard, rendered):
            self._deliver(np.zeros_like(block) if self.muted else block)

    def _note_sound(self, start: int, rendered: Samples) -> None:
        (audible,) = np.nonzero(np.abs(rendered) > QUIET_PEAK)
        if not len(audible):
            return
        sound = Sound(start + int(audible[0]), start + int(audible[-1]) + 1)
        before = self._sounds[-1] if self._sounds else None
        if before is not None and sound.start - before.end < SOUND_GAP_S * DEVICE_RATE_HZ:
            self._sounds[-1] = Sound(before.start, sound.end)
        else:
            self._sounds.append(sound)

    def _run(self) -> None:
        due = time.monotonic()
        try:
            while True:
                due += BLOCK_MS / 1000  # a block is complete when its time is over
                if self._stopping.wait(max(0.0, due - time.monotonic())):
                    return
                self.worst_lateness_s = max(self.worst_lateness_s, time.monotonic() - due)
                self.step()
        except GoAssistError as error:
            self._fail(error)
        except BaseException as error:
            self._fail(error)
            raise

    def _fail(self, error: BaseException) -> None:
        self.failure = error
        self._notify(Notice("error", str(error) or repr(error)))


class _Drift:
    """A stream on a clock that is slower by some ppm: what is in it comes ever later.

    Cubic Lagrange interpolation (T. I. Laakso et al., Splitting the unit delay, 1996): at 4 kHz,
    the highest that matters in speech at 48 kHz, its error is 60 dB down.
    """

    def __init__(self, ppm: float) -> None:
        self._slower = ppm * 1e-6
        self._position = 0
        self._past = np.zeros(round(DRIFT_S * DEVICE_RATE_HZ) + DEVICE_BLOCK_SAMPLES, np.float32)

    def process(self, block: Samples) -> Samples:
        """The next (480,) samples, 2 samples and the drift so far late."""
        self._past = np.concatenate([self._past[len(block) :], block])
        count = self._position + np.arange(len(block))
        self._position += len(block)
        lag = np.minimum(2 + count * self._slower, len(self._past) - len(block) - 2)
        at = np.arange(len(self._past) - len(block), len(self._past)) - lag
        index = np.floor(at).astype(int)
        d = at - index
        before, here, after, last = (self._past[index + n] for n in (-1, 0, 1, 2))
        return np.asarray(
            -d * (d - 1) * (d - 2) / 6 * before
            + (d + 1) * (d - 1) * (d - 2) / 2 * here
            - (d + 1) * d * (d - 2) / 2 * after
            + (d + 1) * d * (d - 1) / 6 * last,
            np.float32,
        )


def _looped(signal: Samples, start: int) -> Samples:
    """The block at position `start` of a signal that repeats for ever."""
    return signal.take(range(start, start + DEVICE_BLOCK_SAMPLES), mode="wrap")


def _through_converter(samples: Samples) -> Samples:
    return as_16_bit(samples).astype(np.float32) / np.float32(32768)
