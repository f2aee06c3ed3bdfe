"""A face that was seen against the sounds that were heard: the figures of `bench face`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from goassist_desktop.bench import articulation, face_life
from goassist_desktop.bench.articulation import GRID_MS, Score
from goassist_desktop.bench.face_life import Trace
from goassist_desktop.bench.figures import Figure
from goassist_desktop.bench.scenes import Answer
from goassist_desktop.bench.words_played import Loudspeaker, place
from goassist_desktop.pipeline.blendshapes import INDEX, Pose
from goassist_desktop.pipeline.endpoints.capture import DEVICE_RATE_HZ
from goassist_desktop.pipeline.frames import FaceFrame, Speech
from goassist_desktop.pipeline.resampling import joined

Values = npt.NDArray[np.float64]

PER_MS: Final = DEVICE_RATE_HZ / 1000
TOGETHER_MS: Final = 5.0
"""Pieces of speech no further apart than this are played as one."""
AROUND_MS: Final = 150.0
"""The mouth opens before a sentence and shuts after it."""
LAGS: Final = np.arange(-300.0, 301.0, GRID_MS)
"""Later by so many ms is looked for."""
HALF_SYLLABLE_MS: Final = 100.0
ENVELOPE_MS: Final = 50.0
MISSES_IN_10_S: Final = 2.0
"""As many p, b and m, as many f and v, and as many o and u may be seen to be missed."""
JITTER: Final = 1500.0
"""Degrees a second, per second; a nod has 250."""
DRIFT_DEGREES: Final = 5.0
OFFSET_LIMITS = {"p95": 40.0}
CLOSURE_LIMITS = {"min": 95.0}
YES = {"min": 1.0}

_MOUTH = np.array([not name.startswith(("eye", "brow")) for name in INDEX], np.float32)
"""What articulates: a blink is no word."""


@dataclass(frozen=True, slots=True, eq=False)
class Sentence:
    """A stretch of the assistant's speech at 48 kHz, and where the loudspeaker began to play it."""

    start_ms: float
    speech: Speech

    @property
    def end_ms(self) -> float:
        return self.start_ms + len(self.speech.samples) / PER_MS

    @property
    def text(self) -> str:
        return " ".join(word.text for word in self.speech.words)

    @property
    def sounds(self) -> list[tuple[str, float, float]]:
        """Symbol, start and end of each, in ms of the timeline."""
        return [
            (p.symbol, self.start_ms + p.start / PER_MS, self.start_ms + p.end / PER_MS)
            for p in self.speech.phonemes
        ]


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """The poses of a conversation, and the answers that were heard, as their sentences."""

    poses: Sequence[Pose]
    turns: Sequence[Sequence[Sentence]]

    @property
    def sentences(self) -> list[Sentence]:
        return [sentence for turn in self.turns for sentence in turn]

    @property
    def speech_s(self) -> float:
        return sum(len(s.speech.samples) for s in self.sentences) / DEVICE_RATE_HZ

    def between(self, start_ms: float, end_ms: float) -> list[Pose]:
        return [pose for pose in self.poses if start_ms <= pose.at_ms <= end_ms]


def heard(answers: Sequence[Answer], loudspeaker: Loudspeaker) -> list[list[Sentence]]:
    """The answers of which anything was played; each ends before the next was begun."""
    ends = [*(answer.begun for answer in answers[1:]), len(loudspeaker.samples)]
    found = []
    for answer, end in zip(answers, ends, strict=True):
        pieces: list[tuple[int, Speech]] = []
        at = answer.begun
        for speech in answer.speech:
            start = place(speech, loudspeaker, at, end)
            if start is not None:
                pieces.append((start, speech))
                at = start + len(speech.samples)
        if pieces:
            found.append(sentences(pieces))
    return found


def sentences(pieces: Sequence[tuple[int, Speech]]) -> list[Sentence]:
    """Pieces of speech, each with the sample where it began, put together as they were said."""
    found: list[list[tuple[int, Speech]]] = []
    whole = True
    for start, speech in pieces:
        if found:
            before_at, before = found[-1][-1]
            whole |= start - before_at - len(before.samples) > TOGETHER_MS * PER_MS
        if whole:
            found.append([])
        found[-1].append((start, speech))
        whole = not speech.words or speech.words[-1].text.rstrip('"”)')[-1:] in (".", "!", "?", "…")
    return [
        Sentence(group[0][0] / PER_MS, joined([speech for _, speech in group])) for group in found
    ]


# -- the figures -----------------------------------------------------------------------------------


def figures(seen: Seen, offsets_ms: Sequence[float]) -> list[Figure]:
    """What was seen of mouth, eyes and head. `offsets_ms`: of the frames on a screen, if any."""
    score = articulation.score(
        mouths(seen.poses), [sound for sentence in seen.sentences for sound in sentence.sounds]
    )
    trace = Trace.of(seen.poses)
    spans = [(sentence.start_ms, sentence.end_ms) for sentence in seen.sentences]
    turns = [(turn[0].start_ms, turn[-1].end_ms) for turn in seen.turns]
    lags = lags_ms(seen)
    first = face_life.first_blinks_ms(trace, turns)
    movements = face_life.head_movements(trace, spans)
    saccades = face_life.seen_saccades(trace) / trace.minutes / 6
    late_ms = tuple(round(ms, 1) for ms in offsets_ms)
    on_screen = [
        Figure("frame behind sound", "ms", late_ms),
        Figure("frame to sound, either way", "ms", tuple(map(abs, late_ms)), OFFSET_LIMITS),
    ]
    found = [
        Figure("own speech", "min", (round(seen.speech_s / 60, 2),)),
        Figure("sentences", "", (float(len(spans)),)),
        Figure("mouth behind sound", "ms", tuple(lags)),
        Figure("mouth to sound, either way", "ms", tuple(map(abs, lags)), OFFSET_LIMITS),
        *(on_screen if offsets_ms else ()),
        Figure("lips closed on p b m", "%", _known(score.closure), CLOSURE_LIMITS),
        Figure("lip at teeth on f v", "%", _known(score.labiodental)),
        Figure("lips round on o u w", "%", _known(score.rounding)),
        Figure("mouth open on a", "%", _known(score.opening)),
        Figure("lips round on e i", "%", _known(score.false_rounding)),
        Figure("lips apart in silence", "mm", _known(score.silence_mm)),
        Figure("jerk", "1/s³", _known(score.jerk)),
        Figure("blinks", "1/min", (round(len(face_life.blinks_ms(trace)) / trace.minutes, 1),)),
        Figure("first blink of a turn", "ms", tuple(float(round(ms)) for ms in first)),
        Figure("gaze on the listener", "%", (round(face_life.on_listener(trace), 1),)),
        Figure("saccades", "1/10 s", (round(saccades, 2),)),
        Figure("longest stare", "ms", (face_life.longest_stare_ms(trace),)),
        Figure("head movements a sentence", "", tuple(map(float, movements))),
        Figure("head jitter", "°/s²", (round(face_life.jitter(trace)),)),
        Figure("head drift", "°", (round(face_life.drift(trace), 2),)),
    ]
    listed = points(score, seen.speech_s, trace, first, movements)
    return [
        *found,
        *(
            Figure(f"{n}. {what}", "", (float(yes),), YES)
            for n, (what, yes) in enumerate(listed.items(), 1)
        ),
        Figure("points of 12", "", (float(sum(listed.values())),)),
    ]


def points(
    score: Score,
    speech_s: float,
    trace: Trace,
    first_blinks_ms: Sequence[float],
    movements: Sequence[int],
) -> dict[str, bool]:
    """The twelve that a good face has, in words, and whether this one does (SPEC.md, section 11).

    Of the sentences nine in ten must have their one to three movements: short ones may have none.
    """
    blinks = len(face_life.blinks_ms(trace)) / trace.minutes
    saccades = face_life.seen_saccades(trace) / trace.minutes / 6
    moved = [1 <= count <= 3 for count in movements]
    silence_mm = score.silence_mm
    return {
        "lips close on p b m": misses_in_10_s(score, "closure", speech_s) <= MISSES_IN_10_S,
        "lip meets teeth on f v": misses_in_10_s(score, "labiodental", speech_s) <= MISSES_IN_10_S,
        "lips round on o u": misses_in_10_s(score, "rounding", speech_s) <= MISSES_IN_10_S,
        "12 to 18 blinks a minute": 12 <= blinks <= 18,
        "a blink in the first 6 s of a turn": max(first_blinks_ms, default=np.inf) <= 6000,
        "70 to 90 % looks at the listener": 70 <= face_life.on_listener(trace) <= 90,
        "2 to 5 saccades in 10 s": 2 <= saccades <= 5,
        "no stare over 2 s": face_life.longest_stare_ms(trace) <= 2000,
        "1 to 3 head movements a sentence": bool(moved) and float(np.mean(moved)) >= 0.9,
        "no jitter": face_life.jitter(trace) <= JITTER,
        "no drift": face_life.drift(trace) <= DRIFT_DEGREES,
        "mouth shut in silence": silence_mm is not None and silence_mm <= articulation.CLOSED_MM,
    }


def misses_in_10_s(score: Score, kind: str, speech_s: float) -> float:
    """How many sounds of a kind were missed in 10 s of speech; none of those never said."""
    share = getattr(score, kind)
    if share is None:
        return 0.0
    return float(score.events[kind] * (1 - share / 100) / speech_s * 10)


def lags_ms(seen: Seen) -> list[float]:
    """For each sentence, how much later than loudness the lips part and close.

    The lag at which both are most alike. A syllable later they are nearly as alike again, so that
    a sentence's own is looked for within half a syllable of the one that suits them all.
    """
    alike = [one for s in seen.sentences if (one := likeness(seen, s)) is not None]
    if not alike:
        return []
    common = int(np.argmax(np.mean(alike, axis=0)))
    reach = round(HALF_SYLLABLE_MS / GRID_MS)
    first = max(0, common - reach)
    best = (first + int(np.argmax(one[first : common + reach + 1])) for one in alike)
    return [float(LAGS[index]) for index in best]


def likeness(seen: Seen, sentence: Sentence) -> Values | None:
    """Correlation of loudness with the distance of the lips at each of LAGS later; None without."""
    times = np.arange(sentence.start_ms - AROUND_MS, sentence.end_ms + AROUND_MS, GRID_MS)
    poses = seen.between(times[0] + LAGS[0] - GRID_MS, times[-1] + LAGS[-1] + GRID_MS)
    if not poses:
        return None
    samples = sentence.speech.samples.astype(np.float64)
    power = np.convolve(samples**2, np.hanning(round(ENVELOPE_MS * PER_MS)), "same")
    place = ((times - sentence.start_ms) * PER_MS).round().astype(int)
    inside = (place >= 0) & (place < len(power))
    loud = np.where(inside, np.sqrt(power[place.clip(0, len(power) - 1)]), 0.0)
    apart = articulation.aperture_mm(np.array([pose.weights for pose in poses]))
    at = np.array([pose.at_ms for pose in poses])
    seen_mm = np.array([np.interp(times + lag, at, apart) for lag in LAGS])
    if np.ptp(loud) == 0 or np.ptp(seen_mm, axis=1).min() == 0:
        return None
    loud, seen_mm = loud - loud.mean(), seen_mm - seen_mm.mean(axis=1, keepdims=True)
    scale = np.linalg.norm(loud) * np.linalg.norm(seen_mm, axis=1)
    return np.asarray(seen_mm @ loud / scale, np.float64)


def mouths(poses: Sequence[Pose]) -> list[FaceFrame]:
    return [FaceFrame(pose.at_ms, pose.weights * _MOUTH) for pose in poses]


def _known(value: float | None) -> tuple[float, ...]:
    return () if value is None else (round(value, 2),)
