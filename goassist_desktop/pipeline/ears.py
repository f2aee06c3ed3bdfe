"""From microphone blocks to what the user said, and when they have finished.

Ears only listen: they know nothing of turns or of the loudspeaker, and are never cancelled. The
words of an utterance are kept, over any number of pauses, until `forget` says they were answered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field

import numpy as np

from goassist_desktop.pipeline.endpointing import EndOfTurn
from goassist_desktop.pipeline.errors import EngineFailed
from goassist_desktop.pipeline.events import (
    EarsEvent,
    PartialText,
    SpeechPaused,
    SpeechStarted,
    TurnEnded,
    WorkFailed,
)
from goassist_desktop.pipeline.frames import ANALYSIS_RATE_HZ, Samples
from goassist_desktop.pipeline.protocols import Recogniser, TurnDetector, VoiceActivity
from goassist_desktop.pipeline.workers import Hosted

MS = ANALYSIS_RATE_HZ // 1000
SPEECH_BEGINS = 0.5
SPEECH_LASTS = 0.35
"""Voice activity has to reach the first to begin, and to fall below the second to end."""
ONSET_FRAMES = 2
READ_MS = 100
"""Silence after which the words are read. Stops inside words are shorter, nearly always."""
JUDGE_MS = 200
"""Silence with which the turn detector is asked: with less it was not trained."""
PREROLL_MS = 300
"""Recognition starts this much before the first frame called speech: soft first syllables."""
PARTIAL_MS = 500
"""Between two readings of an utterance that goes on."""
SETTLE_MS = 10_000
"""Words before a pause are settled once the utterance is longer than this …"""
LONGEST_MS = 26_000
"""… and without any pause at this length: a recogniser takes 30 s at most."""
MEMORY_MS = 60_000
CLOSE_S = 0.5


class Memory:
    """The last minute of the microphone, addressed by absolute sample position."""

    def __init__(self, samples: int) -> None:
        self._ring = np.zeros(samples, np.float32)
        self.end = 0
        """Samples written so far."""

    def write(self, block: Samples) -> None:
        size = len(self._ring)
        start = self.end % size
        head = min(len(block), size - start)
        self._ring[start : start + head] = block[:head]
        self._ring[: len(block) - head] = block[head:]
        self.end += len(block)

    def read(self, start: int, end: int) -> Samples:
        """A copy of [start, end), clipped to what is remembered."""
        size = len(self._ring)
        end = min(end, self.end)
        start = max(start, self.end - size, 0)
        if start >= end:
            return np.zeros(0, np.float32)
        first, last = start % size, end % size
        if first < last:
            return self._ring[first:last].copy()
        return np.concatenate((self._ring[first:], self._ring[:last]))


def edges(audio: Samples) -> tuple[int, int] | None:
    """First and one past the last sample that stand out of the background of (n,) at 16 kHz.

    By the energy of 5 ms frames: 12 dB above the quietest tenth, and within 43 dB of the loudest.
    So it agrees within 15 ms with where samples pass 1 % of the peak, in 15 of 16 recordings.
    None when nothing stands out.
    """
    size = 5 * MS
    frames = audio[: len(audio) // size * size].reshape(-1, size)
    if not len(frames):
        return None
    level = 10 * np.log10(np.mean(np.square(frames, dtype=np.float64), axis=1) + 1e-10)
    floor = max(float(np.percentile(level, 10)) + 12, float(level.max()) - 43)
    loud = np.flatnonzero(level >= floor)
    if not len(loud):
        return None
    return int(loud[0]) * size, int(loud[-1] + 1) * size


@dataclass(slots=True)
class _Utterance:
    start: int
    """Position of the first sample to recognise."""
    onset: int
    settled: list[str] = field(default_factory=list)
    """Words of earlier parts, which are not read again."""
    settled_end: int = 0
    """Where the part that is still read begins."""

    def joined(self, text: str) -> str:
        return " ".join(part for part in (*self.settled, text) if part)


@dataclass(slots=True, eq=False)
class _Pause:
    """A silence after speech, and what is known of the words before it."""

    offset: int
    """One past the last sample of speech."""
    text: str | None = None
    probability: float | None = None
    """Of the turn detector, that the user has finished."""
    judged: bool = False


class Ears:
    """Feed `hear`; what was understood comes out of `tell`, always from the event loop."""

    def __init__(
        self,
        activity: VoiceActivity,
        detector: Hosted[TurnDetector],
        recogniser: Hosted[Recogniser],
        policy: EndOfTurn,
        tell: Callable[[EarsEvent], None],
        capture_delay_ms: float = 0.0,
    ) -> None:
        self._stream = activity.open()
        self._detector = detector
        self._recogniser = recogniser
        self._policy = policy
        self._tell = tell
        self._delay_ms = capture_delay_ms
        self._memory = Memory(MEMORY_MS * MS)
        self._frame_end = 0
        self._streak = 0
        self._speaking = False
        self._last_speech = 0  # one past the last sample of the last frame called speech
        self._utterance: _Utterance | None = None
        self._pause: _Pause | None = None
        self._partial_at = 0
        self._reading_partial = False
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def busy(self) -> bool:
        """Whether the user is speaking, or what they said is still being judged."""
        return self._speaking or bool(self._tasks) or self._pause is not None

    def forget(self) -> None:
        """The utterance was answered, or is not wanted: the next speech is a new one."""
        self._utterance = None
        self._pause = None
        if self._speaking:  # still going on: what comes from here is new
            self._begin(self._memory.end - PREROLL_MS * MS, self._memory.end)

    def hear(self, block: Samples) -> None:
        """Take the next samples of the microphone (n,) at 16 kHz."""
        self._memory.write(block)
        size = self._stream.frame_samples
        while self._memory.end - self._frame_end >= size:
            frame = self._memory.read(self._frame_end, self._frame_end + size)
            self._frame_end += size
            self._judge_frame(self._stream.probability(frame))
        if self._pause is not None:
            self._weigh_silence(self._pause)

    async def close(self) -> None:
        """Wait until nothing is being read any more, but not for an engine that hangs."""
        self._pause = self._utterance = None
        self._speaking = False
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=CLOSE_S)

    # -- voice activity --------------------------------------------------------------------------

    def _judge_frame(self, probability: float) -> None:
        if not self._speaking:
            self._streak = self._streak + 1 if probability >= SPEECH_BEGINS else 0
            if self._streak >= ONSET_FRAMES:
                self._speech_began()
        elif probability >= SPEECH_LASTS:
            self._last_speech = self._frame_end
            self._read_partial()
        elif self._memory.end - self._last_speech >= READ_MS * MS:
            self._speech_paused()

    def _speech_began(self) -> None:
        self._speaking = True
        self._streak = 0
        first = self._frame_end - ONSET_FRAMES * self._stream.frame_samples
        self._last_speech = self._frame_end
        self._partial_at = self._frame_end
        found = edges(self._memory.read(first - PREROLL_MS * MS, self._frame_end))
        onset = first if found is None else max(0, first - PREROLL_MS * MS) + found[0]
        if self._pause is not None:
            self._policy.note_pause((onset - self._pause.offset) / MS)
            self._pause = None
        if self._utterance is None:
            self._begin(first - PREROLL_MS * MS, onset)
        self._tell(SpeechStarted(self._ms(onset)))

    def _begin(self, start: int, onset: int) -> None:
        start = max(0, start)
        self._utterance = _Utterance(start, onset, settled_end=start)
        self._partial_at = self._memory.end

    def _speech_paused(self) -> None:
        self._speaking = False
        utterance, end = self._utterance, self._memory.end
        assert utterance is not None
        near = max(utterance.onset, self._last_speech - 1000 * MS)
        found = edges(self._memory.read(near, end))
        self._pause = _Pause(self._last_speech if found is None else near + found[1])
        self._start(self._read_pause(utterance, self._pause, end))

    def _weigh_silence(self, pause: _Pause) -> None:
        """Ask the turn detector when it is time, and say when the turn is over."""
        silence_ms = (self._memory.end - pause.offset) / MS
        if not pause.judged and silence_ms >= JUDGE_MS:
            pause.judged = True
            assert self._utterance is not None
            self._start(self._judge(self._utterance, pause))
        if pause.text is not None and pause.probability is not None:
            if silence_ms >= self._policy.wait_ms(pause.probability, pause.text):
                self._pause = None
                self._tell(TurnEnded())

    def _ms(self, position: int) -> float:
        return position / MS - self._delay_ms

    # -- words -----------------------------------------------------------------------------------

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._tell(WorkFailed(error))

    async def _read(self, start: int, end: int) -> str:
        """The words of [start, end), read in parts where it is longer than a recogniser takes."""
        texts = []
        while start < end:
            cut = end
            if end - start > LONGEST_MS * MS:
                cut = start + LONGEST_MS * MS
                cut = self._quietest(cut - 4000 * MS, cut)
            audio = self._memory.read(start, cut)
            heard = await self._recogniser.lane.run(self._recogniser.engine.transcribe, audio)
            texts.append(heard.text)
            start = cut
        return " ".join(text for text in texts if text)

    def _read_partial(self) -> None:
        """While the user speaks: read now and then, never two partial readings at once."""
        utterance = self._utterance
        assert utterance is not None
        now = self._memory.end
        if now - utterance.settled_end >= LONGEST_MS * MS:
            self._start(self._settle(utterance, self._quietest(now - 4000 * MS, now)))
        elif now - self._partial_at >= PARTIAL_MS * MS and not self._reading_partial:
            self._partial_at = now
            self._reading_partial = True
            self._start(self._tell_partial(utterance))

    async def _tell_partial(self, utterance: _Utterance) -> None:
        try:
            text = await self._read(utterance.settled_end, self._memory.end)
        finally:
            self._reading_partial = False
        if utterance is self._utterance and self._speaking:
            self._tell(PartialText(utterance.joined(text)))

    async def _settle(self, utterance: _Utterance, cut: int) -> None:
        """Read the part before `cut` for good, because the utterance grows too long."""
        start, utterance.settled_end = utterance.settled_end, cut
        place = len(utterance.settled)
        utterance.settled.append("")
        utterance.settled[place] = await self._read(start, cut)

    def _quietest(self, start: int, end: int) -> int:
        """Where in [start, end) the quietest tenth of a second has its middle."""
        size = 100 * MS
        audio = self._memory.read(start, end)
        power = np.convolve(np.square(audio), np.ones(size, np.float32), "valid")
        return start + int(np.argmin(power)) + size // 2

    async def _read_pause(self, utterance: _Utterance, pause: _Pause, end: int) -> None:
        """Find the words while the silence goes on."""
        self._partial_at = end  # as good as one
        try:
            words = await self._read(utterance.settled_end, end)
        except EngineFailed as error:
            self._tell(WorkFailed(error))
            words = ""
        if pause is not self._pause:
            return  # they spoke on
        text = utterance.joined(words)
        if words and end - utterance.settled_end >= SETTLE_MS * MS:
            utterance.settled.append(words)
            utterance.settled_end = end
        if text:
            pause.text = text
        else:
            self._pause = None
        self._tell(SpeechPaused(text, self._ms(utterance.onset), self._ms(pause.offset)))

    async def _judge(self, utterance: _Utterance, pause: _Pause) -> None:
        """Ask how finished it sounds."""
        whole = self._memory.read(utterance.start, self._memory.end)
        try:
            pause.probability = await self._detector.lane.run(self._detector.engine.finished, whole)
        except EngineFailed as error:
            self._tell(WorkFailed(error))
            pause.probability = 0.0  # silence decides
