"""What is kept of a face: every frame of the timeline, as data and as a video with its sound."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from goassist_desktop import face_record
from goassist_desktop.avatar.painted import PaintedRenderer
from goassist_desktop.face_record import FaceLog, film, watch
from goassist_desktop.pipeline.blendshapes import NAMES, Pose, weights
from goassist_desktop.pipeline.clock import SampleClock
from goassist_desktop.pipeline.errors import BadInput, GoAssistError
from tests.fakes.virtual_time import run


class Asked:
    """A face that notes when it was asked, and for what."""

    def __init__(self, clock: SampleClock) -> None:
        self.clock = clock
        self.late_ms: list[float] = []

    def pose(self, at_ms: float | None = None) -> Pose:
        assert at_ms is not None
        self.late_ms.append(self.clock.now_ms - at_ms)
        return Pose(at_ms, weights(jawOpen=0.25), (1.0, 2.0, 3.0), True)


def watched(*block_ms: float, fps: int = 30) -> tuple[list[Pose], Asked]:
    """What was taken while the clock advanced by these, a block every 10 ms."""
    poses: list[Pose] = []
    clock = SampleClock()
    face = Asked(clock)

    async def main() -> None:
        watching = asyncio.create_task(watch(face, clock, fps, poses.append))  # type: ignore[arg-type]
        for ms in block_ms:
            await asyncio.sleep(0.01)
            clock.advance(round(ms * 16))
        await asyncio.sleep(0.02)
        watching.cancel()

    run(main())
    return poses, face


def test_every_frame_of_the_timeline_is_taken_once_and_in_time() -> None:
    poses, face = watched(*[10.0] * 100)
    assert [pose.at_ms for pose in poses] == pytest.approx([n * 1000 / 30 for n in range(31)])
    assert max(face.late_ms) <= 20, "a block and the time until the next look"
    assert min(face.late_ms) >= 0, "nothing is known of the future"


def test_none_is_lost_when_the_loop_was_busy() -> None:
    poses, _ = watched(10, 10, 500, 10, fps=60)
    assert [pose.at_ms for pose in poses] == pytest.approx([n * 1000 / 60 for n in range(32)])


def test_a_line_is_a_pose(tmp_path: Path) -> None:
    pose = Pose(33.333, weights(jawOpen=0.5, mouthSmileLeft=0.12345), (1.0, -2.5, 0.25), True)
    with FaceLog(tmp_path / "face.jsonl") as log:
        log.take(pose)
        log.take(Pose(66.667, weights(), (0, 0, 0), False))
    first, second = map(json.loads, (tmp_path / "face.jsonl").read_text().splitlines())
    assert tuple(first["weights"]) == NAMES
    assert first["weights"]["jawOpen"] == 0.5
    assert first["weights"]["mouthSmileLeft"] == 0.1235
    assert sum(map(bool, first["weights"].values())) == 2
    assert (first["t_audio_ms"], first["head"], first["speaking"]) == (33.33, [1, -2.5, 0.25], True)
    assert (second["t_audio_ms"], second["speaking"]) == (66.67, False)


def test_a_log_that_can_not_be_written_is_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"no/face\.jsonl: can not be written: No such file"):
        FaceLog(tmp_path / "no" / "face.jsonl")
    with pytest.raises(GoAssistError, match="/dev/full: can not be written: No space left"):
        with FaceLog(Path("/dev/full")) as log:
            for _ in range(20):
                log.take(Pose(0.0, weights(), (0, 0, 0), False))


@pytest.fixture
def tone(tmp_path: Path) -> Path:
    """A WAV of 2 s, silent for its first 1.5 s."""
    sound = (0.5 * np.sin(np.arange(96_000) * 0.1)).astype(np.float32)
    sound[:72_000] = 0
    soundfile.write(tmp_path / "reply.wav", sound, 48_000)
    return tmp_path / "reply.wav"


@pytest.mark.parametrize("start_ms", [0.0, 1000.0])
def test_a_video_has_its_poses_and_their_part_of_the_sound(
    tmp_path: Path, tone: Path, start_ms: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(face_record, "VIDEO_SIZE", 96)
    poses = [
        Pose(start_ms + n * 1000 / 30, weights(jawOpen=n / 60), (0, 0, 0), True) for n in range(60)
    ]
    film(PaintedRenderer("jonas", 96, 96), poses, tone, tmp_path / "face.mp4")
    with av.open(str(tmp_path / "face.mp4")) as file:
        pictures = [frame.to_ndarray(format="gray") for frame in file.decode(video=0)]
    assert len(pictures) == 60
    assert pictures[0].shape == (96, 96)
    assert np.abs(pictures[0].astype(int) - pictures[-1]).max() > 40, "the mouth has opened"
    with av.open(str(tmp_path / "face.mp4")) as file:
        heard = [(f.time, np.abs(f.to_ndarray()).max()) for f in file.decode(audio=0)]
    begins = next(time for time, peak in heard if peak > 0.3)
    assert begins == pytest.approx(1.5 - start_ms / 1000, abs=0.03)
    assert heard[-1][0] == pytest.approx(2.0 - start_ms / 1000, abs=0.03)
