"""Videos, read again: every picture and sample at its time."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from goassist_desktop.avatar.video import VideoWriter
from goassist_desktop.pipeline.errors import BadInput, GoAssistError

RATE_HZ = 48_000
FPS = 30
FLASHES = (0, 17, 45, 89)
"""Pictures that are white, and in whose time a tone is heard."""
COUNT = 90


def written(path: Path) -> None:
    """3 s: dark and silent but for the flashes; pictures and sound in uneven portions."""
    sound = np.zeros(COUNT * RATE_HZ // FPS, np.float32)
    for flash in FLASHES:
        at = flash * RATE_HZ // FPS
        sound[at : at + 1600] = 0.5 * np.sin(np.arange(1600) * 0.13)
    with VideoWriter(path, 64, 48, FPS, RATE_HZ) as video:
        for start in range(0, len(sound), 1000):
            video.audio(sound[start : start + 1000])
            while (video._frames + 1) * RATE_HZ / FPS <= start + 1000:
                light = 255 if video._frames in FLASHES else 10
                video.frame(np.full((48, 64, 3), light, np.uint8))


def test_pictures_and_sound_are_in_step(tmp_path: Path) -> None:
    path = tmp_path / "face.mp4"
    written(path)
    with av.open(str(path)) as file:
        assert file.streams.video[0].codec_context.name == "h264"
        assert file.streams.video[0].codec_context.pix_fmt == "yuv420p"
        pictures = [(f.time, f.to_ndarray(format="gray").mean()) for f in file.decode(video=0)]
    assert [time for time, _ in pictures] == pytest.approx([n / FPS for n in range(COUNT)])
    assert [n for n, (_, light) in enumerate(pictures) if light > 200] == list(FLASHES)

    with av.open(str(path)) as file:
        assert file.streams.audio[0].codec_context.name == "aac"
        heard = np.zeros(4 * RATE_HZ, np.float32)
        for frame in file.decode(audio=0):
            at = round(frame.time * RATE_HZ)
            part = frame.to_ndarray()[0]
            part = part[max(0, -at) :]
            at = max(0, at)
            heard[at : at + len(part)] = part
    loud = np.flatnonzero(np.abs(heard) > 0.2)
    starts = [loud[0], *loud[1:][np.diff(loud) > 2000]]
    assert np.array(starts) / RATE_HZ == pytest.approx([f / FPS for f in FLASHES], abs=0.004)


@pytest.mark.parametrize("name", ["no/such/folder.mp4", "."])
def test_a_path_that_can_not_be_written_is_bad_input(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadInput, match=r"can not be written: [A-Z]") as raised:
        VideoWriter(tmp_path / name, 64, 48, FPS, RATE_HZ)
    assert str(tmp_path) in str(raised.value)


def test_a_full_disk_is_said_in_one_line() -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("no /dev/full here")
    random = np.random.default_rng(0)
    with pytest.raises(GoAssistError, match="/dev/full: can not be written") as raised:
        with VideoWriter(full, 640, 480, FPS, RATE_HZ) as video:
            for _ in range(60):
                video.frame(random.integers(0, 255, (480, 640, 3), np.uint8))
    assert "\n" not in str(raised.value)


def test_what_is_no_picture_of_this_video_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="63 by 48"):
        VideoWriter(tmp_path / "odd.mp4", 63, 48, FPS, RATE_HZ)
    with VideoWriter(tmp_path / "x.mp4", 64, 48, FPS, RATE_HZ) as video:
        with pytest.raises(ValueError, match=r"not \(48, 64, 3\)"):
            video.frame(np.zeros((64, 48, 3), np.uint8))
        video.frame(np.zeros((48, 64, 3), np.uint8))
        video.audio(np.zeros(1600, np.float32))


def test_closing_again_does_nothing(tmp_path: Path) -> None:
    video = VideoWriter(tmp_path / "x.mp4", 64, 48, FPS, RATE_HZ)
    video.frame(np.zeros((48, 64, 3), np.uint8))
    video.close()
    video.close()
