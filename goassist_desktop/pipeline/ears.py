"""From microphone blocks to what the user said, and when they have finished.

Ears only listen: they know nothing of turns or of the loudspeaker, and are never cancelled. The
words of an utterance are kept, over any number of pauses, until `forget` says they were answered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from goassist_desktop.pipeline.endpointing import EndOfTurn
from goassist_desktop.pipeline.errors import EngineFailed
from goassist_desktop.pipeline.events import (
    EarsEvent,
    PartialText,
    SpeechPaused,
    SpeechStarted,
    SpeechSuspected,
    SuspicionEnded,
    TurnEnded,
    WorkFailed,
)
from goassist_desktop.pipeline.frames import ANALYSIS_RATE_HZ, Samples
from goassist_desktop.pipeline.ladder import Ladder
from goassist_desktop.pipeline.onset import Heard, Onset
from goassist_desktop.pipeline.protocols import Recogniser, TurnDetector, VoiceActivity
from goassist_desktop.pipeline.workers import Hosted

MS = ANALYSIS_RATE_HZ // 1000
FRAME = 5 * MS
"""In which the edges of a sound are looked for."""
SPEECH_LASTS = 0.35
"""Voice activity below this is no speech any more."""
ACTIVITY_LAG_MS = 200
"""Voice activity outlasts the sound by less than this: till then it must sound to be speech."""
SOUNDING_MS = 30
SUSPICION_MS = 250
"""What is not known as speech so long after its last sound was none: the silence inside "be quiet"
lasts 200 ms …"""
LONGEST_SUSPICION_MS = 500
"""… and what is not known as speech so long after its first was none either."""
READ_MS = 80
"""Silence after which the words are read. Stops inside words are shorter, nearly always."""
JUDGE_MS = 200
"""Silence with which the turn detector is asked: with less it was not trained. It is asked when
the words are known: they may tell enough, and recognition needs the processor more."""
ONSET_MS = 400
"""A sound that is noticed now began at most this long ago."""
BREATH_MS = 150
"""What ends so long before speech begins does not belong to it. A stop in a word is shorter."""
PREROLL_MS = 200
"""Recognition starts this much before the onset: soft first syllables."""
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
    loud = _loud_frames(audio)
    return (int(loud[0]) * FRAME, int(loud[-1] + 1) * FRAME) if len(loud) else None


def last_start(audio: Samples) -> int | None:
    """As the first of `edges`, but after the last silence of BREATH_MS: a breath is no speech."""
    loud = _loud_frames(audio)
    if not len(loud):
        return None
    silences = np.flatnonzero(np.diff(loud) * FRAME > BREATH_MS * MS)
    return int(loud[silences[-1] + 1 if len(silences) else 0]) * FRAME


def _loud_frames(audio: Samples) -> npt.NDArray[np.intp]:
    frames = audio[: len(audio) // FRAME * FRAME].reshape(-1, FRAME)
    if not len(frames):
        return np.zeros(0, np.intp)
    level = 10 * np.log10(np.mean(np.square(frames, dtype=np.float64), axis=1) + 1e-10)
    floor = max(float(np.percentile(level, 10)) + 12, float(level.max()) - 43)
    return np.flatnonzero(level >= floor)


@dataclass(slots=True)
class _Utterance:
    start: int
    """Position of the first sample to recognise."""
    onset: int
    settled: list[str] = field(default_factory=list)
    """Words of earlier parts, which are not read again."""
    settled_end: int = 0
    """Where the part that is still read begins."""
    confidence: float = 1.0
    """The least of what is settled."""

    def joined(self, text: str) -> str:
        return " ".join(part for part in (*self.settled, text) if part)


@dataclass(slots=True, eq=False)
class _Pause:
    """A silence after speech, and what is known of the words before it."""

    offset: int
    """One past the last sample of speech."""
    text: str | None = None
    probability: float | None = None
    """That the user has finished, by the turn detector or by the words alone."""
    judged: bool = False
    over: bool = False
    """The user said themselves that they have finished."""


class Ears:
    """Feed `hear`; what was understood comes out of `tell`, always from the event loop."""

    def __init__(
        self,
        activity: VoiceActivity,
        detector: Hosted[TurnDetector],
        recogniser: Ladder[Recogniser],
        policy: EndOfTurn,
        tell: Callable[[EarsEvent], None],
        capture_delay_ms: float = 0.0,
    ) -> None:
        self._onset = Onset(activity)
        self._detector = detector
        self._recogniser = recogniser
        self._policy = policy
        self._tell = tell
        self._delay_ms = capture_delay_ms
        self._memory = Memory(MEMORY_MS * MS)
        self._speaking = False
        self._began = 0  # when that was known
        self._last_speech = 0  # where voice activity was last high
        self._suspected: int | None = None  # since when
        self._suspicious = 0  # the end of what last gave reason
        self._last_offset = 0  # of the last speech that was read
        self._utterance: _Utterance | None = None
        self._pause: _Pause | None = None
        self._partial_at = 0
        self._reading_partial = False
        self._held_open = False
        self._deaf_until = 0  # what voice activity says is of the speech that was finished
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def busy(self) -> bool:
        """Whether the user is speaking, or what they said is still being judged."""
        return self._speaking or bool(self._tasks) or self._pause is not None

    @property
    def reading(self) -> bool:
        """Whether words are being read, or judged."""
        return bool(self._tasks)

    @property
    def hearing(self) -> bool:
        """Whether the user speaks now, or may have begun to."""
        return self._speaking or self._suspected is not None

    @property
    def level_db(self) -> float:
        """Of the newest block, in dB of full scale. From any thread."""
        return self._onset.level_db

    def forget_background(self) -> None:
        """The microphone was off, and is turned on: its noise is no sound that begins."""
        self._onset.forget_background()

    def hold_open(self) -> None:
        """However long the silence: the turn is not over before `finish`."""
        self._held_open = True

    def finish(self) -> None:
        """The turn is over: nothing is waited for but the words. Harmless without any."""
        self._held_open = False
        self._deaf_until = self._memory.end + ACTIVITY_LAG_MS * MS
        if self._speaking:
            self._speech_paused()
        if self._pause is not None:
            self._pause.over = True

    def forget(self) -> None:
        """The utterance was answered, or is not wanted: the next speech is a new one."""
        self._utterance = None
        self._pause = None
        if self._speaking:  # still going on: what comes from here is new
            self._begin(max(0, self._memory.end - PREROLL_MS * MS), self._memory.end)

    def dismiss(self) -> None:
        """What was heard was not the user: for some seconds it takes more to suspect speech."""
        self._onset.dismiss()

    def hear(self, block: Samples) -> None:
        """Take the next samples of the microphone (n,) at 16 kHz."""
        self._memory.write(block)
        heard = self._onset.hear(block)
        if heard.probability >= SPEECH_LASTS:
            self._last_speech = self._memory.end
        if self._speaking:
            self._listen_on(heard)
        else:
            self._listen_for_speech(heard)
        if self._pause is not None:
            self._weigh_silence(self._pause)

    async def close(self) -> None:
        """Wait until nothing is being read any more, but not for an engine that hangs."""
        self._pause = self._utterance = None
        self._speaking = False
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=CLOSE_S)

    # -- voice activity --------------------------------------------------------------------------

    def _listen_for_speech(self, heard: Heard) -> None:
        end = self._memory.end
        if end < self._deaf_until:
            return
        sounding = end - heard.sound_end <= SOUNDING_MS * MS
        lagging = self._pause is not None and end - self._pause.offset < ACTIVITY_LAG_MS * MS
        if heard.strong and (sounding or not lagging):
            self._speech_began()
        elif self._suspected is not None:
            if heard.weak:
                self._suspicious = end
            if (
                end - self._suspicious >= SUSPICION_MS * MS
                or end - self._suspected >= LONGEST_SUSPICION_MS * MS
            ):
                self._suspected = None
                self.dismiss()
                self._tell(SuspicionEnded())
        elif heard.weak and not self.busy:
            self._suspected = self._suspicious = end
            self._tell(SpeechSuspected(self._ms(self._sound_began())))

    def _listen_on(self, heard: Heard) -> None:
        last = self._last_speech
        if heard.sound_end > self._began:  # else it is too soft for the rule on levels
            last = min(last, heard.sound_end)
        if self._memory.end - last >= READ_MS * MS:
            self._speech_paused()
        else:
            self._read_partial()

    def _speech_began(self) -> None:
        onset = self._sound_began()
        self._speaking = True
        self._suspected = None
        self._began = self._last_speech = self._partial_at = self._memory.end
        self._pause = None
        if self._utterance is not None:  # they go on, perhaps after we thought they had finished
            self._policy.note_pause((onset - self._last_offset) / MS)
        else:
            self._begin(max(self._last_offset, onset - PREROLL_MS * MS), onset)
        self._tell(SpeechStarted(self._ms(onset)))

    def _sound_began(self) -> int:
        """Where the sound began that is now taken for speech."""
        start = max(self._last_offset, self._memory.end - ONSET_MS * MS)
        found = last_start(self._memory.read(start, self._memory.end))
        return self._memory.end if found is None else start + found

    def _begin(self, start: int, onset: int) -> None:
        self._utterance = _Utterance(start, onset, settled_end=start)
        self._partial_at = self._memory.end

    def _speech_paused(self) -> None:
        self._speaking = False
        utterance, end = self._utterance, self._memory.end
        assert utterance is not None
        self._last_offset = self._sound_ended()
        self._pause = _Pause(self._last_offset)
        self._start(self._read_pause(utterance, self._pause, end))

    def _sound_ended(self) -> int:
        """One past the last sample of speech; a soft last consonant may follow a silence."""
        assert self._utterance is not None
        near = max(self._utterance.onset, self._last_speech - 1000 * MS)
        found = edges(self._memory.read(near, self._memory.end))
        return self._last_speech if found is None else near + found[1]

    def _weigh_silence(self, pause: _Pause) -> None:
        """Have it judged when it is time, and say when the turn is over."""
        if pause.text is None or self._held_open:
            return
        if pause.over:
            self._end_turn(pause)
            return
        if self._silence_ms(pause) < JUDGE_MS:
            return
        if not pause.judged:
            pause.judged = True
            assert self._utterance is not None
            self._last_offset = pause.offset = max(pause.offset, self._sound_ended())
            if self._policy.plainly_over(pause.text):
                pause.probability = 1.0  # the detector's time is better spent on the reply
            else:
                self._start(self._judge(self._utterance, pause))
        if pause.probability is not None:
            if self._silence_ms(pause) >= self._policy.wait_ms(pause.probability, pause.text):
                self._end_turn(pause)

    def _end_turn(self, pause: _Pause) -> None:
        self._pause = None
        self._tell(TurnEnded(self._ms(pause.offset)))

    def _silence_ms(self, pause: _Pause) -> float:
        return (self._memory.end - pause.offset) / MS

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

    async def _read(self, start: int, end: int) -> tuple[str, float]:
        """The words of [start, end), read in parts where it is longer than a recogniser takes, and
        the least confidence of any part."""
        texts, confidence = [], 1.0
        while start < end:
            cut = end
            if end - start > LONGEST_MS * MS:
                cut = start + LONGEST_MS * MS
                cut = self._quietest(cut - 4000 * MS, cut)
            audio = self._memory.read(start, cut)
            heard = await self._recogniser.run(lambda engine: engine.transcribe, audio)
            texts.append(heard.text)
            confidence = min(confidence, heard.confidence)
            start = cut
        return " ".join(text for text in texts if text), confidence

    def _read_partial(self) -> None:
        """While the user speaks: read now and then, never two partial readings at once."""
        utterance = self._utterance
        assert utterance is not None
        now = self._memory.end
        if now - utterance.settled_end >= LONGEST_MS * MS:
            start = utterance.settled_end
            utterance.settled_end = self._quietest(now - 4000 * MS, now)
            utterance.settled.append("")
            self._start(self._settle(utterance, start))
        elif now - self._partial_at >= PARTIAL_MS * MS and not self._reading_partial:
            self._partial_at = now
            self._reading_partial = True
            self._start(self._tell_partial(utterance))

    async def _tell_partial(self, utterance: _Utterance) -> None:
        try:
            text, _ = await self._read(utterance.settled_end, self._memory.end)
        finally:
            self._reading_partial = False
        if utterance is self._utterance and self._speaking:
            self._tell(PartialText(utterance.joined(text)))

    async def _settle(self, utterance: _Utterance, start: int) -> None:
        """Read what is settled from `start` on for good, because the utterance grows too long."""
        place = len(utterance.settled) - 1
        words, confidence = await self._read(start, utterance.settled_end)
        utterance.settled[place] = words
        utterance.confidence = min(utterance.confidence, confidence)

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
            words, confidence = await self._read(utterance.settled_end, end)
        except EngineFailed as error:
            self._tell(WorkFailed(error))
            words, confidence = "", 1.0
        if pause is not self._pause:
            return  # they spoke on
        text = utterance.joined(words)
        confidence = min(utterance.confidence, confidence)
        if words and end - utterance.settled_end >= SETTLE_MS * MS:
            utterance.settled.append(words)
            utterance.settled_end = end
            utterance.confidence = confidence
        if text:
            pause.text = text
        else:
            self._pause = None
        onset_ms, offset_ms = self._ms(utterance.onset), self._ms(pause.offset)
        self._tell(SpeechPaused(text, onset_ms, offset_ms, confidence))

    async def _judge(self, utterance: _Utterance, pause: _Pause) -> None:
        """Ask how finished it sounds."""
        whole = self._memory.read(utterance.start, self._memory.end)
        try:
            pause.probability = await self._detector.lane.run(self._detector.engine.finished, whole)
        except EngineFailed as error:
            self._tell(WorkFailed(error))
            pause.probability = 0.0  # silence decides
