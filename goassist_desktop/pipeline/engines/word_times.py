"""The times of words for a voice that tells none, guessed while its sound comes.

A word gets a share of the line's audible sound: so much as its sounds usually last, `weight`. While
a line is not over, its words are taken to be said at the speaker's usual speed; where there is a
pause in the sound, and a word with a sign for one is about due, it ended there.

How good that is, measured on three voices that do know (hibari, Piper's joe, Kokoro; 80 sentences,
ends of words): in a line that is whole they are off by 55 to 75 ms in the median, and by 175 to
190 ms at most for 95 of 100 words. The same where all but the first second is given when it is
whole. Given second by second it is 75 to 95 ms and 270 to 500 ms, as a speaker's speed varies.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from goassist_desktop.pipeline.engines.spoken import (
    BLOCK_MS,
    FADE_MS,
    LEAD_MS,
    NO_PAUSE_MS,
    PAUSE_MS,
    PUNCTUATION,
    SENTENCE_END,
    STRESS,
    Reading,
    Voice,
    levelled,
    loudness,
    pause_ms,
)
from goassist_desktop.pipeline.frames import Samples, Speech, Word

Clock = npt.NDArray[np.int64]
"""Audible blocks up to and with each block."""

SOUNDS: Final = {
    **dict.fromkeys("AIOQWY", 2.5),
    **dict.fromkeys("uɔiɑɜ", 1.9),
    **dict.fromkeys("ɛæʌʊɪ", 1.3),
    **dict.fromkeys("szʃʤʧ", 0.95),
}
"""How long a sound lasts, in units of the mean sound, for misaki's letters; measured on the three
voices, which agree. The others last OTHER."""
OTHER: Final = 0.7
STRESSED: Final = 1.3
"""A stressed vowel to one that is not."""
FINAL: Final = {True: 2.0, False: 1.0}
"""What is added to the last word of a sentence, and of another line or a phrase."""
PAUSE_BLOCKS: Final = 100 // BLOCK_MS
DUE: Final = 0.4
"""A word is about due where its time is off by less than this share of the way to it …"""
DUE_BLOCKS: Final = 80 // BLOCK_MS
"""… or this long."""


def weight(phonemes: str) -> float:
    """How long a word lasts, in units of the mean sound; 0 for one that is not said."""
    total, stressed = 0.0, False
    for letter in phonemes:
        if letter in STRESS:
            stressed = letter == STRESS[0]
        elif letter not in PUNCTUATION:
            lasts = SOUNDS.get(letter, OTHER)
            vowel = lasts > 1
            total += lasts * (STRESSED if stressed and vowel else 1.0)
            stressed = stressed and not vowel
    if total and pause_ms(phonemes) > NO_PAUSE_MS:
        total += FINAL[phonemes.rstrip('"”)')[-1] in SENTENCE_END]
    return total


def audible(samples: Samples, voice: Voice) -> Clock:
    """Of (n,) samples before the gain."""
    return np.cumsum(loudness(samples, voice.rate_hz) > voice.audible)


class Line:
    """One line while it is spoken: sound comes in, pieces that end with a word go out."""

    def __init__(self, readings: Sequence[Reading], voice: Voice, unit: float) -> None:
        """`unit`: audible blocks that the mean sound lasts in this voice."""
        self._readings = readings
        self._voice = voice
        self._unit = unit
        self._until = np.cumsum([0.0, *(weight(reading.phonemes) for reading in readings)])
        self._given = 0
        """Words."""
        self._held = np.zeros(0, np.float32)
        self._block = BLOCK_MS * voice.rate_hz // 1000
        self._begun = False

    def take(self, samples: Samples) -> None:
        self._held = np.concatenate([self._held, samples])

    def over(self) -> Speech | None:
        """The words that should be over with the sound that came; None while there is none. Never
        the line's last, which may go on."""
        clock = audible(self._held, self._voice)
        if not self._begun:
            if not clock.size or not clock[-1]:
                return None
            silent = int(np.searchsorted(clock, 1)) * self._block
            silent = max(0, silent - LEAD_MS * self._voice.rate_hz // 1000)
            self._held = self._held[silent:]
            clock = audible(self._held, self._voice)
        ends = self._ends(clock)
        ends += self._usual(clock, len(ends), ends[-1] if ends else 0.0)
        if not ends or not ends[-1]:
            return None
        return self._piece(clock, ends, int(np.searchsorted(clock, ends[-1]) + 1) * self._block)

    def rest(self) -> Speech:
        """What is left, now that no more sound comes."""
        clock = audible(self._held, self._voice)
        ends = self._ends(clock)
        begun = ends[-1] if ends else 0.0
        total = float(clock[-1]) if clock.size else 0.0
        ends += self._shared(len(ends), len(self._readings) - self._given, begun, total)
        last = int(np.searchsorted(clock, total) + 1) * self._block if total else 0
        speech = self._piece(clock, ends, last)
        silence = pause_ms(self._readings[-1].phonemes) if total or self._begun else 0
        sound = speech.samples
        sound[len(sound) - _fade(sound, self._voice) :] *= _ramp(sound, self._voice)[::-1]
        pause = np.zeros(silence * self._voice.rate_hz // 1000, np.float32)
        return Speech(np.concatenate([sound, pause]), speech.rate_hz, speech.words)

    # -- ends of the next words, on the clock of what is held ------------------------------------

    def _ends(self, clock: Clock) -> list[float]:
        """Of those up to the last pause that was understood."""
        ends: list[float] = []
        for paused in _pauses(clock):
            begun = ends[-1] if ends else 0.0
            due = self._due(len(ends), paused - begun)
            if due:
                ends += self._shared(len(ends), due, begun, paused)
        return ends

    def _due(self, after: int, passed: float) -> int:
        """How many words from the one `after` those given are over at a pause, by their signs."""
        start = self._given + after
        best, off = 0, np.inf
        for at in range(start, len(self._readings) - 1):
            mark = self._readings[at].phonemes.rstrip('"”)')[-1:]
            expected = self._unit * float(self._until[at + 1] - self._until[start])
            if mark in PAUSE_MS and abs(expected - passed) < off:
                best, off = at + 1 - start, abs(expected - passed)
                limit = max(DUE * expected, DUE_BLOCKS)
        return best if best and off <= limit else 0

    def _shared(self, after: int, count: int, begun: float, over: float) -> list[float]:
        """`count` words share the time from `begun` to `over`."""
        start = self._given + after
        way = self._until[start : start + count + 1] - self._until[start]
        if not way[-1]:
            return [begun] * count
        return [begun + float(part) * (over - begun) / float(way[-1]) for part in way[1:]]

    def _usual(self, clock: Clock, after: int, begun: float) -> list[float]:
        """Those that are over by now at the usual speed."""
        start = self._given + after
        way = [until for until in self._until[start + 1 :] if until < self._until[-1]]
        ends = [begun + self._unit * float(until - self._until[start]) for until in way]
        return [end for end in ends if end <= clock[-1]] if clock.size else []

    # -- samples ---------------------------------------------------------------------------------

    def _piece(self, clock: Clock, ends: Sequence[float], last: int) -> Speech:
        """The next words and their sound, up to sample `last`."""
        sound = levelled(self._held[:last], self._voice.gain)
        if not self._begun and len(sound):
            sound[: _fade(sound, self._voice)] *= _ramp(sound, self._voice)
            self._begun = True
        words = tuple(self._words(clock, ends, len(sound)))
        self._held = self._held[last:]
        self._given += len(ends)
        return Speech(sound, self._voice.rate_hz, words)

    def _words(self, clock: Clock, ends: Sequence[float], length: int) -> Iterator[Word]:
        before, now = 0.0, 0
        for reading, end in zip(self._readings[self._given :], ends, strict=False):
            if end > before:
                start = int(np.searchsorted(clock, before, "right")) * self._block
                over = int(np.searchsorted(clock, end) + 1) * self._block
                start = min(max(now, start), length)
                now = min(max(start, over), length)
                yield Word(reading.text, start, now)
            else:
                yield Word(reading.text, now, now)
            before = end


def _pauses(clock: Clock) -> Iterator[float]:
    """When on the clock there are pauses with sound behind them."""
    on = np.flatnonzero(np.diff(clock, prepend=0))
    for before, after in itertools.pairwise(on):
        if after - before > PAUSE_BLOCKS:
            yield float(clock[before])


def _fade(sound: Samples, voice: Voice) -> int:
    return min(FADE_MS * voice.rate_hz // 1000, len(sound) // 2)


def _ramp(sound: Samples, voice: Voice) -> Samples:
    return np.linspace(0, 1, _fade(sound, voice), dtype=np.float32)
