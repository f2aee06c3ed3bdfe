"""The first moment at which the user can be heard to speak, and the last.

Two instances of voice activity, half a frame apart, see a syllable up to half a frame earlier than
one. Earlier still is the level: what the capture chain leaves of our own voice lies at its floor,
so a level that jumps over our own voice is somebody, or something. That is weak evidence: worth
falling silent for a moment, not worth stopping for.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from goassist_desktop.pipeline.frames import BLOCK_SAMPLES, Samples
from goassist_desktop.pipeline.protocols import VoiceActivity, VoiceActivityStream

SPEECH = 0.5
"""A probability from which a frame is called speech: Silero's own."""
STRONG_FRAMES = 2
"""So many frames of speech in a row, of the two instances in turn: 48 ms of sound. As sure as two
in a row of one instance, which hold 64 ms, and 25 ms earlier."""
PERHAPS = 0.35
"""A probability that is weak evidence. Syllables jump before they get here: 0.2 sees none earlier,
and twice as many echoes."""
JUMP_DB = 20.0
"""Above the background. 15 dB sees syllables 1 ms earlier, and six times as many echoes; 25 dB 3 ms
later, and half as many."""
FLOOR_DBFS = -75.0
"""What is below is silence, however much it jumps."""
BACKGROUND_RISE_DB = 0.03
"""A block: the background falls to the quietest block at once and rises by 3 dB in a second."""
DISMISSED_FALL_DB = 0.12
"""A block: a sound that was dismissed is forgotten by 12 dB in a second. Half of that saves a
tenth of the fades for echoes, and is deaf for longer to soft speech after a loud sound."""

SOUND_DB = 30.0
"""Within so much of the loudest moment of late the user still sounds …"""
ABOVE_BACKGROUND_DB = 6.0
"""… as long as it stands so far above the background …"""
LEAST_DROP_DB = 12.0
"""… which can not be told from the user in loud noise: there a drop by this is enough."""
LOUDEST_FALL_DB = 0.05


@dataclass(frozen=True, slots=True)
class Heard:
    """What is known after a block. Positions count samples at 16 kHz since the first block."""

    probability: float
    """The newest, of either instance, that a frame holds speech."""
    weak: bool
    """Something sounds that was not there before: fall silent if we speak, and listen."""
    strong: bool
    """This is speech."""
    sound_end: int
    """One past the last block in which the user sounded, 0 before any; exact where there was
    speech. Noise counts as the user until it is known as background."""


class Evidence:
    """The rule alone: from levels and probabilities to what they are worth."""

    def __init__(self) -> None:
        self._position = 0
        self._probability = 0.0
        self._streak = 0
        self._power = 0.0  # mean square of the block before
        self._background_db = 0.0
        self._off = False  # so far, and the background is yet to be learnt
        self._dismissed_db = -math.inf
        self._lately_db = FLOOR_DBFS
        self._loudest_db = FLOOR_DBFS
        self._sound_end = 0

    @property
    def level_db(self) -> float:
        """Of the newest block, in dB of full scale."""
        return _db(self._power)

    def forget_background(self) -> None:
        """The microphone was off, and is turned on: its noise is no sound that begins."""
        self._off = True

    def dismiss(self) -> None:
        """What was taken for the user was not: for some seconds only what is louder is weak
        evidence. Strong evidence stays what it is."""
        self._dismissed_db = max(self._dismissed_db, self._lately_db)

    def weigh(self, power: float, probabilities: Sequence[float]) -> Heard:
        """The next block: its mean square, and the probability of each frame that ended in it."""
        for probability in probabilities:
            self._probability = probability
            self._streak = self._streak + 1 if probability >= SPEECH else 0
        block_db = _db(power)
        level_db = _db((self._power + power) / 2)  # one block alone is a click
        self._power = power
        self._position += BLOCK_SAMPLES
        if self._off:
            self._background_db, self._off = 0.0, not power

        perhaps = (
            self._probability >= PERHAPS or level_db - self._background_db >= JUMP_DB
        ) and level_db >= self._dismissed_db
        strong = self._streak >= STRONG_FRAMES
        weak = strong or perhaps

        self._background_db = min(level_db, self._background_db + BACKGROUND_RISE_DB)
        self._dismissed_db -= DISMISSED_FALL_DB
        self._lately_db = max(level_db, self._lately_db - DISMISSED_FALL_DB)
        self._note_sound(block_db)
        return Heard(self._probability, weak, strong, self._sound_end)

    def _note_sound(self, block_db: float) -> None:
        self._loudest_db = max(block_db, self._loudest_db - LOUDEST_FALL_DB)
        least_db = min(self._background_db + ABOVE_BACKGROUND_DB, self._loudest_db - LEAST_DROP_DB)
        if block_db >= max(self._loudest_db - SOUND_DB, least_db):
            self._sound_end = self._position


class Onset:
    """Feed `hear` with every block of the microphone, from the first."""

    def __init__(self, activity: VoiceActivity) -> None:
        streams = (activity.open(), activity.open())
        half = streams[0].frame_samples // 2
        self._framings = (_Framing(streams[0], 0), _Framing(streams[1], half))
        self._evidence = Evidence()

    def hear(self, block: Samples) -> Heard:
        """Judge the next 10 ms, (160,) at 16 kHz. Raises ValueError for another length."""
        if block.shape != (BLOCK_SAMPLES,):
            raise ValueError(f"a block has {BLOCK_SAMPLES} samples, not {block.shape}")
        # In the order in which their frames end; no two frames of one block end together.
        ended = [found for framing in self._framings for found in framing.add(block)]
        probabilities = [probability for _, probability in sorted(ended)]
        return self._evidence.weigh(float(np.mean(np.square(block))), probabilities)

    @property
    def level_db(self) -> float:
        """Of the newest block, in dB of full scale. From any thread."""
        return self._evidence.level_db

    def forget_background(self) -> None:
        """The microphone was off, and is turned on: its noise is no sound that begins."""
        self._evidence.forget_background()

    def dismiss(self) -> None:
        """What was taken for the user was not: for some seconds it takes a louder sound."""
        self._evidence.dismiss()


class _Framing:
    """One instance of voice activity, and the samples waiting to be its next frame."""

    def __init__(self, stream: VoiceActivityStream, ahead: int) -> None:
        """The first frame begins with `ahead` samples of silence."""
        self._stream = stream
        self._frame = np.zeros(stream.frame_samples, np.float32)
        self._filled = ahead

    def add(self, block: Samples) -> list[tuple[int, float]]:
        """For each frame that ends in the block: where in it, and its probability."""
        found = []
        at = 0
        while at < len(block):
            part = block[at : at + len(self._frame) - self._filled]
            self._frame[self._filled : self._filled + len(part)] = part
            self._filled += len(part)
            at += len(part)
            if self._filled == len(self._frame):
                self._filled = 0
                found.append((at, self._stream.probability(self._frame)))
        return found


def _db(power: float) -> float:
    return max(FLOOR_DBFS, 10 * math.log10(power + 1e-12))
