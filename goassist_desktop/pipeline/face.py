"""The face of a session: from speech to what is seen at any moment of the audio timeline.

An engine gives the frames of a reply, keyed to the reply's own samples. The loudspeaker knows which
sample of it is heard at a moment, and so which frame is seen then. Whoever draws or sends the face
asks for a pose; nothing here is ever waited for by the sound.
"""

from __future__ import annotations

import asyncio
import bisect
import logging
import math
import threading
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import Final

import numpy as np

from goassist_desktop.pipeline import blendshapes
from goassist_desktop.pipeline.blendshapes import INDEX, Pose
from goassist_desktop.pipeline.clock import SampleClock
from goassist_desktop.pipeline.conversation import State
from goassist_desktop.pipeline.errors import EngineFailed, ModelMissing
from goassist_desktop.pipeline.events import Notice
from goassist_desktop.pipeline.frames import FaceFrame, Speech, Weights
from goassist_desktop.pipeline.life import Living
from goassist_desktop.pipeline.protocols import FaceEngine, FaceStream
from goassist_desktop.pipeline.speaker import Speaker
from goassist_desktop.pipeline.workers import Hosted

logger = logging.getLogger(__name__)

HOLD_MS: Final = 100.0
"""A face without a frame keeps its last one for so long …"""
EASE_MS: Final = 150.0
"""… and then goes to rest in so much, as 1 - (1 - t)²."""
COME_MS: Final = 60.0
"""From rest to the first frame, or into the middle of a word that is resumed."""
YIELD_MS: Final = 120.0
"""A face that lags by more yields: it rests, the sound goes on."""
GAP_MS: Final = 100.0
"""Frames further apart than this are not joined: those between them are missing."""
JOIN_MS: Final = 100.0
"""From the last frame of an engine that failed to those of the next."""
LATE_MS: Final = 40.0
"""A frame that comes this much after its sound is not shown any more."""
LOAD_S: Final = 10.0
"""An engine that is not loaded after so long has failed."""
STALL_S: Final = 2.0
"""An engine that makes no frame for so long has failed, if it did not say so before."""
BEATS_APART_MS: Final = 2200.0
"""Phrases inside a sentence have a nod of their own when they are this far from the one before."""
AHEAD_MS: Final = 1000.0
"""A frame this much after the last sample of speech is of no reply of ours."""
EYE_YAW_DEGREES: Final = 15.0
EYE_PITCH_DEGREES: Final = 11.0
"""What a whole unit of eyeLook… turns the eyes of the built-in heads by."""
KEPT_OFFSETS: Final = 20_000
KEPT_PRESENCES: Final = 100
"""Blocks of which it is remembered how present the mouth was: a second."""


class Track:
    """The frames of one reply, in order of time."""

    def __init__(self, turn_id: int) -> None:
        self.turn_id = turn_id
        self.spoken_ms = 0.0
        """The length of the speech that was pushed."""
        self.beats: list[float] = []
        """Where its sentences begin, and phrases far enough from the beat before, in ms."""
        self._before = "."  # the end of the last word
        self._times: list[float] = []
        self._weights: list[Weights] = []
        self._join: tuple[float, Weights] | None = None

    def add_speech(self, speech: Speech) -> None:
        per_ms = speech.rate_hz / 1000
        for word in speech.words:
            at_ms = self.spoken_ms + word.start / per_ms
            far = not self.beats or at_ms - self.beats[-1] >= BEATS_APART_MS
            if self._before in ".!?…" or (self._before in ",;:" and far):
                self.beats.append(at_ms)
            self._before = word.text[-1:]
        self.spoken_ms += len(speech.samples) / per_ms

    def add(self, frame: FaceFrame, reached_ms: float = 0.0) -> None:
        """`reached_ms`: where the sound is. Where a frame comes after there was none, the face
        goes there smoothly from the last one. Raises EngineFailed for what can not be a frame.
        """
        values = np.asarray(frame.weights, np.float32)
        if values.shape != (blendshapes.COUNT,):
            raise EngineFailed(f"a frame of {values.shape} weights, not ({blendshapes.COUNT},)")
        if not (np.all(np.isfinite(values)) and np.isfinite(frame.at_ms)):
            raise EngineFailed("a frame that is not a number")
        if not -AHEAD_MS <= frame.at_ms <= self.spoken_ms + AHEAD_MS:
            raise EngineFailed(
                f"a frame for {frame.at_ms:.0f} ms of a reply of {self.spoken_ms:.0f} ms"
            )
        values = np.clip(values, 0.0, 1.0)
        if self._times and frame.at_ms > (last_ms := self._times[-1]):
            if frame.at_ms - last_ms > GAP_MS:
                self._join = (frame.at_ms, self._weights[-1])
            elif reached_ms - last_ms > LATE_MS:
                self._join = (reached_ms, self._weights[-1])
        if self._join is not None:
            at_ms, before = self._join
            share = min(max((frame.at_ms - at_ms) / JOIN_MS, 0.0), 1.0)
            values = before + np.float32(share) * (values - before)
        index = bisect.bisect_left(self._times, frame.at_ms - 0.5)
        if index < len(self._times) and self._times[index] <= frame.at_ms + 0.5:
            self._weights[index] = values
        else:
            self._times.insert(index, frame.at_ms)
            self._weights.insert(index, values)

    def cut(self, from_ms: float) -> None:
        """Forget the frames from here on: another engine makes them anew, and joins smoothly."""
        self._join = (from_ms, self.sample(from_ms)[0])
        index = bisect.bisect_left(self._times, from_ms)
        del self._times[index:], self._weights[index:]

    @property
    def begun(self) -> bool:
        """Whether there is any frame."""
        return bool(self._times)

    def sample(self, ms: float) -> tuple[Weights, float]:
        """The weights at a place of the reply, and how long no frame has come for it, in ms."""
        after = bisect.bisect_right(self._times, ms)
        if after == 0:  # the sound begins before its first frame
            soon = bool(self._times) and self._times[0] - ms <= GAP_MS
            return (self._weights[0] if soon else blendshapes.rest()), 0.0 if soon else max(0.0, ms)
        at, before = self._times[after - 1], self._weights[after - 1]
        if after == len(self._times) or self._times[after] - at > GAP_MS:
            return before, ms - at
        share = np.float32((ms - at) / (self._times[after] - at))
        return before + share * (self._weights[after] - before), 0.0


class Face:
    """One session's face, whoever looks at it. `pose` may be asked for from any thread."""

    def __init__(
        self,
        ladder: Sequence[Hosted[FaceEngine]],
        speaker: Speaker,
        clock: SampleClock,
        render_delay_ms: Callable[[], float],
        publish: Callable[[Notice], None],
        seed: int = 0,
    ) -> None:
        """`ladder`: the chosen engine, and those that take over when it fails, in this order."""
        self.offsets_ms: deque[float] = deque(maxlen=KEPT_OFFSETS)
        """How much later than its sound each frame was shown, as told to `shown`."""
        self.yields = 0
        self._ladder = tuple(ladder)
        self._speaker = speaker
        self._clock = clock
        self._render_delay_ms = render_delay_ms
        self._publish = publish
        self._living = Living(seed)
        self._lock = threading.Lock()
        self._tracks: deque[Track] = deque(maxlen=2)  # the last one may still be heard
        self._rung = 0
        self._yielded = 0  # the turn in which it last did
        self._told = ""
        self._presences: deque[tuple[float, float]] = deque([(0.0, 0.0)], maxlen=KEPT_PRESENCES)
        self._beats_done = (0, 0)  # of which turn, how many

    # -- the session's side ----------------------------------------------------------------------

    def note_state(self, state: State) -> None:
        with self._lock:
            self._living.note_state(state, self._clock.now_ms)

    def watch(self) -> None:
        """Move on with the sound, and look whether the engine does; called for every block."""
        if not self._ladder:
            return
        now_ms = self._clock.now_ms
        track, at_ms, silent_ms = self._heard(now_ms)
        with self._lock:
            lag_ms = 0.0 if track is None else track.sample(at_ms)[1]
            seen = track is not None and track.begun and lag_ms <= HOLD_MS
            self._note_presence(now_ms, seen and not silent_ms)
            self._living.pass_time(now_ms)
            if track is not None and not silent_ms:
                self._note_beats(track, at_ms, now_ms)
        if track is None or silent_ms or lag_ms <= YIELD_MS or self._yielded == track.turn_id:
            return
        if self._rung < len(self._ladder):
            self._yielded = track.turn_id
            self.yields += 1
            name = self._ladder[self._rung].engine.info.name
            self._tell(f"face: {name} lags; the face rests, speech goes on")

    def _note_presence(self, now_ms: float, present: bool) -> None:
        """How much of the mouth's frames is seen: it comes and goes smoothly, whatever happens."""
        before_ms, presence = self._presences[-1]
        passed_ms = now_ms - before_ms
        if present:
            presence = min(1.0, presence + passed_ms / COME_MS)
        else:  # 1 - (1 - t)² to rest, from wherever it is
            presence = max(0.0, math.sqrt(presence) - passed_ms / EASE_MS) ** 2
        self._presences.append((now_ms, presence))

    def _presence(self, ms: float) -> float:
        """At a moment of the last second, or a little after now."""
        presences = self._presences
        if ms >= presences[-1][0] and len(presences) > 1:
            (early_ms, early), (late_ms, late) = presences[-2], presences[-1]
            slope = (late - early) / max(late_ms - early_ms, 1.0)
            return min(max(late + slope * (ms - late_ms), 0.0), 1.0)
        times, values = zip(*presences, strict=True)
        return float(np.interp(ms, times, values))

    def _note_beats(self, track: Track, at_ms: float, now_ms: float) -> None:
        """Nod when the beginning of a phrase is heard, the first time that it is."""
        turn_id, done = self._beats_done
        done = done if turn_id == track.turn_id else 0
        heard = bisect.bisect_right(track.beats, at_ms)
        if heard > done:
            self._living.note_beat(now_ms)
        self._beats_done = (track.turn_id, max(heard, done))

    async def follow(self, turn_id: int, speech: asyncio.Queue[Speech | None]) -> None:
        """Animate the reply whose pieces come from the queue; None ends it."""
        track = Track(turn_id)
        with self._lock:
            self._tracks.append(track)
        taken: list[Speech] = []
        while not await self._tried(lambda hosted: self._animate(hosted, track, taken, speech)):
            reached_ms = self._reached_ms(track)
            with self._lock:
                track.cut(reached_ms)

    async def prepare(self) -> None:
        """Load the engine, and others until one can be loaded."""
        while not await self._tried(_load):
            pass

    # -- whoever looks ---------------------------------------------------------------------------

    def pose(self, at_ms: float | None = None) -> Pose:
        """The face that belongs to the sound heard at this moment of the timeline; now if None."""
        now_ms = self._clock.now_ms if at_ms is None else at_ms
        track, place_ms, silent_ms = self._heard(now_ms)
        with self._lock:
            weights, lag_ms = blendshapes.rest(), 0.0
            if track is not None:
                found, lag_ms = track.sample(place_ms)
                weights = found * np.float32(self._presence(now_ms))
            life = self._living.at(now_ms)
        _add_life(weights, life.blink, life.gaze, life.brow)
        speaking = track is not None and silent_ms == 0
        return Pose(now_ms, weights, life.head, speaking, lag_ms if speaking else 0.0)

    def shown(self, pose: Pose) -> None:
        """A pose is being seen from now on. What it lags behind its sound is kept."""
        if pose.speaking:
            self.offsets_ms.append(self._clock.now_ms - pose.at_ms + pose.lag_ms)

    # -- inside ----------------------------------------------------------------------------------

    def _heard(self, now_ms: float) -> tuple[Track | None, float, float]:
        """The track of what is heard, the place in it, and for how long it is silent there."""
        per_ms = self._speaker.rate_hz / 1000
        heard = self._speaker.heard(round((now_ms - self._render_delay_ms()) * per_ms))
        if heard is None:
            return None, 0.0, 0.0
        with self._lock:
            track = next((t for t in self._tracks if t.turn_id == heard.turn_id), None)
        return track, heard.position / per_ms, heard.silent / per_ms

    async def _animate(
        self,
        hosted: Hosted[FaceEngine],
        track: Track,
        taken: list[Speech],
        speech: asyncio.Queue[Speech | None],
    ) -> None:
        """With one engine: what the one before was given comes again first."""
        await _load(hosted)
        stream = hosted.engine.open()
        try:
            for piece in taken:
                await self._push(hosted, stream, track, piece)
            while (following := await speech.get()) is not None:
                taken.append(following)
                with self._lock:
                    track.add_speech(following)
                await self._push(hosted, stream, track, following)
            await self._take(hosted.lane.stream(stream.finish), track)
        finally:
            stream.close()

    async def _push(
        self, hosted: Hosted[FaceEngine], stream: FaceStream, track: Track, piece: Speech
    ) -> None:
        await self._take(hosted.lane.stream(stream.push, piece), track)

    async def _take(self, frames: AsyncGenerator[FaceFrame, None], track: Track) -> None:
        async with aclosing(frames):
            while True:
                async with asyncio.timeout(STALL_S):
                    frame = await anext(frames, None)
                if frame is None:
                    return
                reached_ms = self._reached_ms(track)
                if frame.at_ms < reached_ms - LATE_MS:
                    continue  # its sound is over: it would only snap
                with self._lock:
                    track.add(frame, reached_ms)

    def _reached_ms(self, track: Track) -> float:
        heard, at_ms, _ = self._heard(self._clock.now_ms)
        return at_ms if heard is track else 0.0

    async def _tried(self, work: Callable[[Hosted[FaceEngine]], Awaitable[None]]) -> bool:
        """Whether it was done, by the engine in use; or there is none left to do it."""
        if self._rung >= len(self._ladder):
            return True
        hosted = self._ladder[self._rung]
        try:
            await work(hosted)
        except TimeoutError:
            return self._given_up(hosted, f"no frame for {STALL_S:g} s")
        except (EngineFailed, ModelMissing) as error:
            return self._given_up(hosted, str(error))
        except Exception as error:  # a bug, told and logged: the sound goes on
            logger.exception("the face engine %s broke", hosted.engine.info.name)
            return self._given_up(hosted, f"it has a bug: {error!r}")
        return True

    def _given_up(self, hosted: Hosted[FaceEngine], why: str) -> bool:
        """Whether there is none below. The last one may try again with the next reply."""
        if self._ladder[self._rung] != hosted:
            return False  # another reply was faster
        last = self._rung + 1 == len(self._ladder)
        after = "the mouth rests, speech goes on"
        if last:
            self._yielded = self._tracks[-1].turn_id if self._tracks else 0  # told herewith
        else:
            self._rung += 1
            after = f"{self._ladder[self._rung].engine.info.name} takes over"
        what = f"face: {hosted.engine.info.name}: {why}; {after}"
        if what != self._told:
            self._told = what
            self._tell(what)
        return last

    def _tell(self, what: str) -> None:
        self._publish(Notice("warning", what, "face"))


async def _load(hosted: Hosted[FaceEngine]) -> None:
    try:
        async with asyncio.timeout(LOAD_S):
            await hosted.lane.run(hosted.engine.load)
    except TimeoutError:
        raise EngineFailed(f"not loaded after {LOAD_S:g} s") from None


def _add_life(weights: Weights, blink: float, gaze: tuple[float, float], brow: float) -> None:
    yaw, pitch = gaze
    left, right = ("Out", "In") if yaw >= 0 else ("In", "Out")
    vertical = "Up" if pitch >= 0 else "Down"
    for side, across in (("Left", left), ("Right", right)):
        weights[INDEX[f"eyeLook{across}{side}"]] += abs(yaw) / EYE_YAW_DEGREES
        weights[INDEX[f"eyeLook{vertical}{side}"]] += abs(pitch) / EYE_PITCH_DEGREES
        lid = INDEX[f"eyeBlink{side}"]
        weights[lid] = max(float(weights[lid]), blink)
    weights[INDEX["browInnerUp"]] += brow
    np.clip(weights, 0.0, 1.0, out=weights)
