"""A face kept: its poses while a conversation goes on, and the video of them once it is over.

During the conversation nothing is drawn. A pose is a tenth of a millisecond; a picture is not.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import numpy as np
import soundfile

from goassist_desktop.avatar import Renderer
from goassist_desktop.avatar.video import VideoWriter
from goassist_desktop.pipeline.blendshapes import NAMES, Pose
from goassist_desktop.pipeline.clock import SampleClock
from goassist_desktop.pipeline.errors import BadInput, GoAssistError
from goassist_desktop.pipeline.face import Face

FPS: Final = 30
VIDEO_SIZE: Final = 512
"""Width and height of a video, in pixels."""
POLL_S: Final = 0.01


async def watch(face: Face, clock: SampleClock, fps: int, take: Callable[[Pose], None]) -> None:
    """Give `take` the pose of every frame of the audio timeline, from 0 on, until cancelled."""
    count = 0
    while True:
        while (due_ms := count * 1000 / fps) <= clock.now_ms:
            take(face.pose(due_ms))
            count += 1
        await asyncio.sleep(POLL_S)


class FaceLog:
    """A file with one line of JSON for every pose: when, the head, and the weights by name."""

    def __init__(self, path: Path) -> None:
        """Create or overwrite `path`. Raises BadInput when it can not be written."""
        self._path = path
        try:
            self._file = path.open("w", encoding="utf-8")
        except OSError as error:
            raise BadInput(f"{path}: can not be written: {error.strerror}") from error

    def take(self, pose: Pose) -> None:
        """Raises GoAssistError when the disk is full."""
        line = json.dumps(as_dict(pose))
        try:
            self._file.write(f"{line}\n")
        except OSError as error:
            raise self._failed(error) from error

    def __enter__(self) -> FaceLog:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._file.close()
        except OSError as full:
            raise self._failed(full) from full

    def _failed(self, error: OSError) -> GoAssistError:
        return GoAssistError(f"{self._path}: can not be written: {error.strerror}")


def as_dict(pose: Pose) -> dict[str, Any]:
    """A pose as data. `head` is yaw, pitch and roll in degrees."""
    return {
        "t_audio_ms": round(pose.at_ms, 2),
        "speaking": pose.speaking,
        "head": [round(angle, 2) for angle in pose.head],
        "weights": {
            name: round(weight, 4)
            for name, weight in zip(NAMES, pose.weights.tolist(), strict=True)
        },
    }


def film(
    face: Renderer, poses: Sequence[Pose], sound: Path, video: Path, *, fps: int = FPS
) -> None:
    """Draw poses, `fps` of them a second, to a video with their part of a WAV of that timeline.

    `face` draws VIDEO_SIZE by VIDEO_SIZE. Raises BadInput for a path that can not be written,
    GoAssistError when the disk is full.
    """
    with soundfile.SoundFile(sound) as played:
        rate_hz = played.samplerate
        start = round(poses[0].at_ms * rate_hz / 1000) if poses else 0
        played.seek(min(start, len(played)))
        with VideoWriter(video, VIDEO_SIZE, VIDEO_SIZE, fps, rate_hz) as writer:
            for count, pose in enumerate(poses, 1):
                writer.frame(face.draw(pose))
                left = max(0, start + count * rate_hz // fps - played.tell())
                writer.audio(np.asarray(played.read(left, dtype="float32"), np.float32))
