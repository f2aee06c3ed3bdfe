"""The face of a conversation with the real engines, against the recording of what was heard."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from goassist_desktop.bench.articulation import aperture_mm
from goassist_desktop.pipeline.blendshapes import NAMES
from tests.talk.conftest import DATA, GOASSIST, Talked, environment
from tests.talk.hearing import audible

FPS = 30
SETTLED_MS = 300.0


@pytest.fixture(scope="module")
def filmed(
    talk: Callable[..., Talked], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Talked, list[dict[str, Any]], Path]:
    """What was said, its poses and its video."""
    folder = tmp_path_factory.mktemp("face")
    poses, video = folder / "face.jsonl", folder / "face.mp4"
    talked = talk(
        DATA / "voices" / "joe_week.flac",
        DATA / "espeak_spider.flac",
        *("--face", poses, "--video", video),
    )
    assert talked.status == 0, talked.printed
    return talked, [json.loads(line) for line in poses.read_text().splitlines()], video


def apertures(poses: list[dict[str, Any]]) -> np.ndarray:
    return aperture_mm([[pose["weights"][name] for name in NAMES] for pose in poses])


def test_there_is_a_pose_for_every_frame_of_the_conversation(filmed: Any) -> None:
    talked, poses, _ = filmed
    times = [pose["t_audio_ms"] for pose in poses]
    assert times == pytest.approx([n * 1000 / FPS for n in range(len(times))], abs=0.01)
    assert len(talked.reply) / talked.rate_hz == pytest.approx(len(poses) / FPS, abs=0.2)


def test_it_speaks_while_it_is_heard_and_rests_while_it_is_not(filmed: Any) -> None:
    talked, poses, _ = filmed
    played = audible(talked.reply, talked.rate_hz)
    apart = apertures(poses)
    assert len(talked.turns) == 2
    for turn in talked.turns:
        first, last = (turn["marks_ms"][mark] for mark in ("first_audio", "audio_end"))
        speaking = [p["speaking"] for p in poses if first + 20 < p["t_audio_ms"] < last - 20]
        assert all(speaking)
        assert len(speaking) > 10
        said = [a for a, p in zip(apart, poses, strict=True) if first < p["t_audio_ms"] < last]
        assert max(said) > 6
    for mm, pose in zip(apart, poses, strict=True):
        if np.abs(played - pose["t_audio_ms"]).min() > SETTLED_MS:
            assert mm < 1.0, pose["t_audio_ms"]


def test_the_mouth_moves_with_the_sound(filmed: Any) -> None:
    talked, poses, _ = filmed
    apart = apertures(poses)
    per_frame = talked.rate_hz // FPS
    frames = len(talked.reply) // per_frame
    loud = np.sqrt(np.mean(talked.reply[: frames * per_frame].reshape(-1, per_frame) ** 2, axis=1))
    count = min(len(apart), frames) - 8
    alike = {
        lag: np.corrcoef(loud[8:count], apart[8 + lag : count + lag])[0, 1] for lag in range(-8, 9)
    }
    best = max(alike, key=lambda lag: alike[lag])
    assert abs(best) <= 1, "frames of 33 ms"
    assert alike[best] > 0.5


def test_the_video_shows_each_pose_with_the_sound_of_the_reply(filmed: Any) -> None:
    talked, poses, video = filmed
    with av.open(str(video)) as file:
        pictures = sum(1 for _ in file.decode(video=0))
    with av.open(str(video)) as file:
        sound = np.zeros(len(talked.reply) + talked.rate_hz, np.float32)
        for frame in file.decode(audio=0):
            at = max(0, round(frame.time * talked.rate_hz))
            part = frame.to_ndarray()[0][: len(sound) - at]
            sound[at : at + len(part)] = part
    assert pictures == len(poses)
    first = talked.turns[0]["marks_ms"]["first_audio"]
    assert audible(sound, talked.rate_hz)[0] == pytest.approx(first, abs=25)


def test_the_bench_finds_the_sounds_on_the_face(tmp_path: Path) -> None:
    """The whole of it on virtual time: real engines, real speech, the painted face."""
    run, sheet, video = (tmp_path / name for name in ("run.json", "sheet.png", "face.mp4"))
    done = subprocess.run(
        [GOASSIST, "bench", "face", "--virtual-time", "--minutes", "0.1", "--renderer", "painted",
         "--json", run, "--sheet", sheet, "--video", video],
        capture_output=True,
        text=True,
        timeout=280,
        env=environment(),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    found = {figure["name"]: figure for figure in json.loads(run.read_text())["figures"]}
    assert found["sentences"]["p50"] >= 5
    assert found["lips closed on p b m"]["p50"] >= 95
    assert found["mouth to sound, either way"]["p95"] <= 40
    assert found["engine faults"]["p50"] == 0
    assert sum(name.split(". ")[0].isdigit() for name in found) == 12
    with Image.open(sheet) as picture:
        assert picture.width == 2200
    with av.open(str(video)) as file:
        assert sum(1 for _ in file.decode(video=0)) == pytest.approx(14 * FPS, abs=2)


def test_what_the_bench_can_not_do_is_said_at_once(tmp_path: Path) -> None:
    same = tmp_path / "same"
    for arguments, message in (
        (("--minutes", "0"), "--minutes 0: must be more than 0"),
        (("--sheet", tmp_path / "no" / "sheet.png"), "no/sheet.png"),
        (("--sheet", same, "--video", same), "is named twice"),
        (("--set", "face.engine=none"), "there is no mouth to measure"),
    ):
        done = subprocess.run(
            [GOASSIST, "bench", "face", *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            env=environment(),
        )
        assert done.returncode == 2, done.stderr
        (line,) = done.stderr.splitlines()
        assert message in line
