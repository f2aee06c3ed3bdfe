"""What of a face is sent, and when: the same for every transport.

Whoever sends asks as often as they like what is due. Time is the audio timeline's: a feed that is
asked faster or slower than real time sends the same frames.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np

from goassist_desktop.pipeline.blendshapes import NAMES, Pose
from goassist_desktop.pipeline.frames import Weights

HEARTBEAT_MS: Final = 100.0
"""How often a silent and still face says that it is there."""
SEEN_WEIGHT: Final = 0.01
SEEN_DEGREES: Final = 0.1
"""Whoever moves less since the last frame sent looks still."""
DIGITS: Final = 4
"""Of a weight as text: a hundredth of what is seen, and half the bytes."""


class Posing(Protocol):
    """A face, as `face.Face` is one."""

    def pose(self, at_ms: float) -> Pose: ...


@dataclass(frozen=True, slots=True, eq=False)
class FaceMessage:
    """One frame of the feed."""

    seq: int
    """Counts all messages of the feed, from 0."""
    t_audio_ms: float
    """Of the audio timeline: the sound heard then is the one this face belongs to."""
    fps: int
    """Frames a second while something moves."""
    heartbeat: bool
    """Nothing has moved that could be seen, and nothing is heard."""
    weights: Weights
    """(52,) in the order of `blendshapes.NAMES`."""
    head: tuple[float, float, float]
    """Yaw, pitch and roll as in Pose, in degrees."""

    def as_dict(self, session_id: str) -> dict[str, Any]:
        """As JSON has it on the blendshape channels."""
        values = np.round(self.weights.astype(float), DIGITS).tolist()
        return {
            "session_id": session_id,
            "seq": self.seq,
            "t_audio_ms": round(self.t_audio_ms, 1),
            "fps": self.fps,
            "heartbeat": self.heartbeat,
            "blendshapes": dict(zip(NAMES, values, strict=True)),
        }


class FaceFeed:
    """The messages of one face to one listener."""

    def __init__(self, face: Posing, fps: int = 30) -> None:
        self._face = face
        self._fps = fps
        self._slot = -1
        self._sent: FaceMessage | None = None

    def pace(self, fps: int) -> None:
        """From now on so many frames a second."""
        if fps != self._fps:
            self._fps, self._slot = fps, -1

    def due(self, now_ms: float) -> FaceMessage | None:
        """What is to be sent at this moment, if anything.

        The timeline is divided into frames of 1000 / fps ms; each is sent once, however often and
        however irregularly it is asked for, and those nobody asked for in time are not sent late.
        """
        last = self._sent
        quiet_ms = 0.0 if last is None else now_ms - last.t_audio_ms
        slot = int(now_ms * self._fps // 1000)
        if slot <= self._slot and quiet_ms < HEARTBEAT_MS:
            return None
        self._slot = slot
        pose = self._face.pose(now_ms)
        heartbeat = last is not None and not pose.speaking and not _moved(last, pose)
        if heartbeat and quiet_ms < HEARTBEAT_MS:
            return None
        seq = 0 if last is None else last.seq + 1
        self._sent = FaceMessage(seq, now_ms, self._fps, heartbeat, pose.weights, pose.head)
        return self._sent


def _moved(last: FaceMessage, pose: Pose) -> bool:
    turned = max(abs(a - b) for a, b in zip(last.head, pose.head, strict=True))
    return turned > SEEN_DEGREES or bool(np.abs(last.weights - pose.weights).max() > SEEN_WEIGHT)
