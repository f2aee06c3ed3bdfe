"""The loudspeaker's buffer: pushed by a turn, pulled by the audio thread.

It holds the reply of one turn. Pulling advances two counts: `rendered`, every sample that left the
loudspeaker, silence included, and the position inside the reply, which says exactly what was heard.
"""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections import deque
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import numpy as np

from goassist_desktop.pipeline.frames import Samples, Word

FADE_MS = 10
"""Out and in, raised cosine: short enough for barge-in, long enough not to click."""
AUDIBLE = 10 ** (-50 / 20)
"""A voice begins and ends with some silence of its own, which nobody calls sound."""
HEARD_SPANS = 16
"""Stretches of reply that are remembered for `heard`: a sound card holds less than a second."""
SHORT_S = 1.5
"""The next clause is made in less, on a processor that does nothing else."""
REWIND_MS = 15
"""A word resumed starts this much before its timing says, which is not exact to the sample."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the reply of the current turn has come. Positions are `rendered` counts."""

    turn_id: int
    heard_words: int
    """Words whose last sample was played."""
    first_sample: int | None
    """The first audible sample of the reply, or None."""
    last_sample: int | None
    """One past the last audible sample of the reply so far, or None."""
    silent_from: int | None
    """Where the fade of a hold ended, while held."""
    ahead_s: float
    """Speech waiting to be played."""
    ended: bool
    """All of it was played and the turn said there is no more."""
    starved: int
    """Samples of silence inside the reply, because the next of it came too late."""


@dataclass(frozen=True, slots=True)
class Heard:
    """Which place of which reply a rendered sample came from."""

    turn_id: int
    position: int
    """Inside the reply; where it stopped, while it is silent."""
    silent: int
    """Samples since it stopped; 0 while it is played."""


@dataclass(slots=True)
class _Span:
    """A stretch of reply, played without a gap."""

    rendered: int
    count: int
    turn_id: int
    position: int


class Speaker:
    """One turn's reply at a time. All methods are safe from any thread; `pull` never waits long."""

    def __init__(self, rate_hz: int) -> None:
        self.rate_hz = rate_hz
        self.rendered = 0
        self.lock: AbstractContextManager[Any] = threading.Lock()
        """Who must know the order of accesses may replace it before the first."""
        fade = rate_hz * FADE_MS // 1000
        self._fade_in = (0.5 - 0.5 * np.cos(np.pi * (np.arange(fade) + 0.5) / fade)).astype("f4")
        self._fade_out = self._fade_in[::-1].copy()
        self._tail: Samples = np.zeros(0, np.float32)  # what is left of a fade to silence
        self._spans: deque[_Span] = deque(maxlen=HEARD_SPANS)
        self._clear(turn_id=0)

    def _clear(self, turn_id: int) -> None:
        self._turn_id = turn_id
        self._pieces: list[Samples] = []
        self._starts: list[int] = []  # of each piece, inside the reply
        self._length = 0
        self._words: list[Word] = []  # absolute inside the reply
        self._word_ends: list[int] = []
        self._position = 0
        self._open = False
        self._held = False
        self._complete = False
        self._rising = len(self._fade_in)  # samples of a fade-in already played
        self._first_sample: int | None = None
        self._last_sample: int | None = None
        self._silent_from: int | None = None
        self._starved = 0
        self._waiting = 0  # for speech that may never come: only what follows tells

    # -- the turn's side -------------------------------------------------------------------------

    def begin(self, turn_id: int) -> None:
        """Accept pushes of this turn, and of no other. Its sound waits for `open`."""
        with self.lock:
            self._clear(turn_id)

    def push(self, turn_id: int, samples: Samples, words: Sequence[Word]) -> None:
        """Append speech (n,) at `rate_hz`; word offsets are within `samples`.

        Speech of any turn but the current one is stale and dropped.
        """
        with self.lock:
            if turn_id != self._turn_id:
                return
            base = self._length
            self._pieces.append(samples)
            self._starts.append(base)
            self._words += [Word(w.text, base + w.start, base + w.end) for w in words]
            self._word_ends += [base + w.end for w in words]
            self._length += len(samples)

    def complete(self, turn_id: int) -> None:
        """No more speech will be pushed for this turn."""
        with self.lock:
            if turn_id == self._turn_id:
                self._complete = True

    def open(self, turn_id: int) -> None:
        """Let the turn be heard."""
        with self.lock:
            if turn_id == self._turn_id:
                self._open = True

    def hold(self) -> None:
        """Fade to silence within FADE_MS and stay there, keeping the rest."""
        with self.lock:
            if not self._held:
                self._fall()
                self._held = True

    def resume(self) -> None:
        """Go on from the start of the word that was cut by `hold`."""
        with self.lock:
            if not self._held:
                return
            self._held = False
            self._silent_from = None
            cut = next((w for w in self._words if w.start < self._position < w.end), None)
            if cut is not None:
                self._position = max(0, cut.start - self.rate_hz * REWIND_MS // 1000)
            self._rising = 0

    def flush(self, turn_id: int) -> Progress:
        """Drop what was not played, fading if it sounds. Says what was heard of this turn."""
        with self.lock:
            if turn_id != self._turn_id:
                return Progress(turn_id, 0, None, None, None, 0.0, True, 0)
            if not self._held:
                self._fall()
            progress = self._progress()
            self._clear(turn_id=0)
            return progress

    def progress(self) -> Progress:
        with self.lock:
            return self._progress()

    @property
    def runs_short(self) -> bool:
        """Whether the reply falls silent soon, if no more of it comes. Asked at any time, and so
        without the lock, as in `heard`: it may be wrong for a moment."""
        ahead = self._length - self._position
        return self._open and not self._complete and ahead < SHORT_S * self.rate_hz

    def heard(self, rendered: int) -> Heard | None:
        """What the sample at this count of `rendered` is of; None before any reply.

        Of one that is yet to be rendered it is what is due, should nobody interrupt.

        The face asks at any time: it must not wait for the audio thread, nor the other way round,
        and what a recording of the session counts is the lock. A copy of a deque is atomic.
        """
        spans = reversed(tuple(self._spans))
        span = next((s for s in spans if s.rendered <= rendered), None)
        if span is None:
            return None
        since, count = rendered - span.rendered, span.count
        if rendered > self.rendered == span.rendered + count and self._going_on(span.turn_id):
            count += self._length - self._position
        position = span.position + min(since, count)
        return Heard(span.turn_id, position, max(0, since - count))

    def _going_on(self, turn_id: int) -> bool:
        return self._turn_id == turn_id and self._open and not self._held

    # -- the audio thread's side -----------------------------------------------------------------

    def pull(self, count: int) -> Samples:
        """The next `count` samples (count,) for the loudspeaker; silence where there is nothing."""
        out = np.zeros(count, np.float32)
        with self.lock:
            if self._open and not self._held:
                block = self._read(count)
                if len(block) and self._waiting:
                    self._starved, self._waiting = self._starved + self._waiting, 0
                if self._first_sample is not None or len(block):
                    self._waiting += count - len(block)
                if len(block):
                    out[: len(block)] = block = self._rise(block)
                    self._note_span(len(block))
                    self._position += len(block)
                    audible = np.flatnonzero(np.abs(block) > AUDIBLE)
                    if len(audible):
                        if self._first_sample is None:
                            self._first_sample = self.rendered + int(audible[0])
                        self._last_sample = self.rendered + int(audible[-1]) + 1
            fading = min(count, len(self._tail))
            if fading:
                out[:fading] += self._tail[:fading]
                self._tail = self._tail[fading:]
            self.rendered += count
        return out

    # -- inside the lock -------------------------------------------------------------------------

    def _read(self, count: int) -> Samples:
        """Up to `count` reply samples from the position on, without moving it."""
        found: list[Samples] = []
        position = self._position
        index = bisect_right(self._starts, position) - 1
        while count > 0 and 0 <= index < len(self._pieces):
            offset = position - self._starts[index]
            part = self._pieces[index][offset : offset + count]
            found.append(part)
            position += len(part)
            count -= len(part)
            index += 1
        return np.concatenate(found) if found else np.zeros(0, np.float32)

    def _note_span(self, count: int) -> None:
        """The next `count` samples of the reply are played now."""
        last = self._spans[-1] if self._spans else None
        if (
            last is not None
            and last.turn_id == self._turn_id
            and last.rendered + last.count == self.rendered
            and last.position + last.count == self._position
        ):
            last.count += count
        else:
            self._spans.append(_Span(self.rendered, count, self._turn_id, self._position))

    def _rise(self, block: Samples) -> Samples:
        """Apply what is left of the fade-in after a resume."""
        ramp = self._fade_in[self._rising : self._rising + len(block)]
        if not len(ramp):
            return block
        self._rising += len(ramp)
        block = block.copy()
        block[: len(ramp)] *= ramp
        return block

    def _fall(self) -> None:
        """Turn the next few reply samples into a fade to silence, and count them as played."""
        self._silent_from = self.rendered
        if not self._open or self._first_sample is None:
            return
        block = self._rise(self._read(len(self._fade_out)))
        self._tail = block * self._fade_out[: len(block)]
        self._position += len(block)
        self._silent_from = self.rendered + len(block)
        if len(block):
            self._last_sample = self._silent_from

    def _progress(self) -> Progress:
        heard = bisect_right(self._word_ends, self._position)
        played = self._position >= self._length
        return Progress(
            turn_id=self._turn_id,
            heard_words=heard if self._first_sample is not None else 0,
            first_sample=self._first_sample,
            last_sample=self._last_sample,
            silent_from=self._silent_from,
            ahead_s=(self._length - self._position) / self.rate_hz,
            ended=self._complete and played and self._open and not self._held,
            starved=self._starved,
        )
