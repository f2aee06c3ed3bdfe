"""What the ears meet in a recorded turn: every pause, when it is heard, and what is known of it.

The real ears and engines on virtual time, with a policy that never ends a turn and only notes what
it is asked. So any policy can be judged afterwards, from one hearing.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import psutil

from goassist_desktop import virtual_time
from goassist_desktop.app import chosen_engine
from goassist_desktop.bench.turns_corpus import RecordedTurn
from goassist_desktop.config import Config
from goassist_desktop.pipeline.clock import SampleClock
from goassist_desktop.pipeline.ears import Ears
from goassist_desktop.pipeline.endpointing import EndOfTurn
from goassist_desktop.pipeline.events import EarsEvent, SpeechPaused, SpeechStarted, WorkFailed
from goassist_desktop.pipeline.frames import ANALYSIS_RATE_HZ
from goassist_desktop.pipeline.ladder import Ladder
from goassist_desktop.pipeline.protocols import Recogniser, TurnDetector, VoiceActivity
from goassist_desktop.pipeline.workers import Hosted

MS = ANALYSIS_RATE_HZ // 1000
BLOCK_MS = 10
LEAD_S = 1.0
"""Of the room alone before each turn and after it: the ears have to know it, and to be sure."""
ROOM_MS = 500
"""So much at the end of each recording is the room alone."""
EARLY_MS = 100
"""A pause is found although a sound before the next word is taken for its beginning."""


@dataclass(frozen=True, slots=True)
class Hearing:
    """The loaded engines of the ears."""

    activity: VoiceActivity
    detector: TurnDetector
    recogniser: Recogniser
    charge: virtual_time.Charge


@dataclass(frozen=True, slots=True)
class Moment:
    """One silence in a turn. Times are in ms from the start of the recording."""

    turn: RecordedTurn
    label: str
    """"done": the turn is over. "open", "end": see RecordedTurn.pauses. "breath": not marked,
    a gap between two words that the ears noticed."""
    onset_ms: float
    """Beginning of the whole utterance, as the ears found it."""
    offset_ms: float
    """Last sample of the speech before."""
    resume_ms: float
    """First sample of the speech after it; endless when the turn is over."""
    heard_offset_ms: float
    """The user's last sound, as the ears found it: silence counts from here."""
    heard_resume_ms: float
    """When the ears had noticed the speech after it."""
    known_ms: float
    """When words and, where it matters, melody had been judged; computing takes what
    virtual_time charges."""
    probability: float
    """The turn detector's."""
    text: str
    """The words so far."""

    def decided_ms(self, wait_ms: float) -> float:
        """When a policy that waits so long ends the turn, if nothing is said before."""
        return max(self.heard_offset_ms + wait_ms, self.known_ms)

    def delay_ms(self, wait_ms: float) -> float:
        """The decision, after the last sample of speech."""
        return self.decided_ms(wait_ms) - self.offset_ms

    def cut_off(self, wait_ms: float, pause_ms: float | None = None) -> bool:
        """Whether the turn is ended before the ears notice that it goes on.

        With `pause_ms` as if the silence were so long.
        """
        if self.label == "done":
            return False
        longer_ms = 0.0 if pause_ms is None else pause_ms - (self.resume_ms - self.offset_ms)
        return self.decided_ms(wait_ms) < self.heard_resume_ms + longer_ms


@contextmanager
def hearing(config: Config) -> Iterator[Hearing]:
    """The engines of the ears, loaded. Raises ModelMissing and EngineFailed."""
    loaded: dict[str, Any] = {}
    with ExitStack() as stack:
        for stage in ("voice_activity", "turn_detection", "recognition"):
            cores = psutil.cpu_count(logical=False) or 1
            threads = min(cores, 4) if stage == "recognition" else 1
            engine = chosen_engine(config, stage, threads=threads)
            engine.load()
            stack.callback(engine.close)
            loaded[stage] = engine
        yield Hearing(
            loaded["voice_activity"],
            loaded["turn_detection"],
            loaded["recognition"],
            virtual_time.fixed(virtual_time.typical_s(config.profile)),
        )


def moments(turn: RecordedTurn, engines: Hearing) -> list[Moment]:
    """The silences of `turn` in which the ears asked their policy. Raises EngineFailed."""
    return virtual_time.run(_listen(turn, engines))


@dataclass(slots=True)
class _Silence:
    text: str
    onset_ms: float
    offset_ms: float
    resume_ms: float = math.inf
    known_ms: float = math.inf
    probability: float | None = None


@dataclass(slots=True)
class _Noting(EndOfTurn):
    """Never ends a turn; knows since when it could have."""

    silence: _Silence | None = None
    silences: list[_Silence] = field(default_factory=list)

    def plainly_over(self, text: str) -> bool:
        if EndOfTurn.plainly_over(self, text):
            self._is_known()
        return False  # what the detector would say is wanted all the same

    def wait_ms(self, probability: float, text: str) -> float:
        self._is_known()
        if self.silence is not None and self.silence.probability is None:
            self.silence.probability = probability
            self.silences.append(self.silence)
        return math.inf

    def _is_known(self) -> None:
        if self.silence is not None and math.isinf(self.silence.known_ms):
            self.silence.known_ms = _now_ms()

    def tell(self, event: EarsEvent) -> None:
        match event:
            case SpeechPaused(text, onset_ms, offset_ms):
                self.silence = _Silence(text, onset_ms, offset_ms)
            case SpeechStarted():
                if self.silence is not None:
                    self.silence.resume_ms = _now_ms()
                self.silence = None
            case WorkFailed(error):
                raise error


def _now_ms() -> float:
    return 1000 * asyncio.get_running_loop().time()


async def _listen(turn: RecordedTurn, engines: Hearing) -> list[Moment]:
    processor = asyncio.Lock()
    detector, recogniser = (virtual_time.VirtualLane(engines.charge, processor) for _ in range(2))
    policy = _Noting()
    hosted = Hosted(engines.recogniser, recogniser)
    ears = Ears(
        engines.activity,
        Hosted(engines.detector, detector),
        Ladder("recognition", hosted, SampleClock(), lambda notice: None),
        policy,
        policy.tell,
    )
    size = BLOCK_MS * MS
    room = turn.audio[-ROOM_MS * MS :]
    quiet = np.tile(room, math.ceil(LEAD_S * 1000 / ROOM_MS))
    shift_ms = quiet.size / MS
    sound = np.concatenate((quiet, turn.audio, quiet))
    for start in range(0, sound.size - size + 1, size):
        await asyncio.sleep((start + size) / ANALYSIS_RATE_HZ - _now_ms() / 1000)
        ears.hear(sound[start : start + size])
    await ears.close()
    return [_moment(turn, silence, shift_ms) for silence in policy.silences]


def _moment(turn: RecordedTurn, heard: _Silence, shift_ms: float) -> Moment:
    assert heard.probability is not None
    offset_ms, resume_ms = heard.offset_ms - shift_ms, heard.resume_ms - shift_ms
    label, true_offset_ms, true_resume_ms = "breath", offset_ms, resume_ms
    if math.isinf(resume_ms):
        label, true_offset_ms = "done", turn.parts[-1][1] / MS
    for mark, before, after in zip(turn.pauses, turn.parts, turn.parts[1:], strict=False):
        if offset_ms < after[0] / MS <= resume_ms + EARLY_MS:
            label, true_offset_ms, true_resume_ms = mark, before[1] / MS, after[0] / MS
            break
    return Moment(
        turn,
        label,
        heard.onset_ms - shift_ms,
        true_offset_ms,
        true_resume_ms,
        offset_ms,
        resume_ms,
        heard.known_ms - shift_ms,
        heard.probability,
        heard.text,
    )
