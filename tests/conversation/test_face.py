"""The face of whole conversations on virtual time: it follows the sound, and never leads it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from goassist_desktop.pipeline.blendshapes import Pose
from goassist_desktop.pipeline.conversation import State
from goassist_desktop.pipeline.errors import ModelMissing
from goassist_desktop.pipeline.events import Notice
from goassist_desktop.pipeline.face import STALL_S
from goassist_desktop.pipeline.protocols import FaceEngine
from tests.fakes import virtual_time
from tests.fakes.faces import (
    JAW,
    BrokenFace,
    LoudnessFace,
    dies,
    is_not_a_number,
    is_of_the_future,
    is_out_of_range,
    is_too_short,
)
from tests.fakes.stage import RATE_HZ, Conversation
from tests.fakes.tones import cough

BLOCK = RATE_HZ // 100


def answer(text: str) -> str:
    return "one two three. four five six. seven eight nine ten"


def converse(
    folder: Path, face: Sequence[FaceEngine], said: Sequence[str] = ("who are you",)
) -> tuple[Conversation, list[Pose]]:
    """A conversation, and the pose at every 10 ms of it, asked for when they were heard."""
    folder.mkdir(exist_ok=True)
    talk = Conversation(folder, answer, face=face)
    poses: list[Pose] = []
    watch(talk, poses)

    async def main() -> None:
        async with talk.held():
            for words in said:
                await talk.say(words)
                await talk.until_quiet()

    virtual_time.run(main())
    return talk, poses


def watch(talk: Conversation, poses: list[Pose]) -> None:
    step = talk.endpoint.step

    def stepped() -> None:
        step()
        poses.append(talk.session.face.pose())

    talk.endpoint.step = stepped  # type: ignore[method-assign]


def jaws(poses: Sequence[Pose]) -> np.ndarray:
    return np.array([pose.weights[JAW] for pose in poses])


def loudness(talk: Conversation) -> np.ndarray:
    """Of the loudspeaker, every 10 ms; as the engine sees it."""
    samples, _ = talk.played()
    blocks = samples[: len(samples) // BLOCK * BLOCK].reshape(-1, BLOCK)
    return np.minimum(1.0, np.abs(blocks).max(axis=1) / 0.5)


def notices(talk: Conversation) -> list[str]:
    return [event.what for event in talk.events if isinstance(event, Notice)]


def test_the_mouth_moves_with_the_sound_that_is_heard(tmp_path: Path) -> None:
    talk, poses = converse(tmp_path, [LoudnessFace()])
    jaw, loud = jaws(poses), loudness(talk)
    count = min(len(jaw), len(loud))
    lags = range(-12, 13)
    fits = [np.corrcoef(np.roll(jaw[:count], -lag), loud[:count])[0, 1] for lag in lags]
    assert abs(lags[int(np.argmax(fits))]) <= 2, "within 20 ms"
    assert max(fits) > 0.8
    assert any(pose.speaking for pose in poses)
    assert jaw[:50].max() == 0 and jaw[-20:].max() == 0


@pytest.mark.parametrize(
    "harm", [dies, is_not_a_number, is_too_short, is_of_the_future, is_out_of_range]
)
@pytest.mark.parametrize("after_ms", [0.0, 400.0])
def test_a_broken_face_costs_no_sample_of_sound(
    tmp_path: Path, harm: Callable, after_ms: float
) -> None:
    without, _ = converse(tmp_path / "without", [])
    broken = BrokenFace(harm, after_ms)
    talk, poses = converse(tmp_path / "with", [broken, LoudnessFace()], ["who are you"])
    assert np.array_equal(talk.played()[0], without.played()[0])
    told = notices(talk)
    if harm is is_out_of_range:
        assert told == []
        assert jaws(poses).max() <= 1.0
    else:
        (only,) = told
        assert only.startswith("face: broken: ") and only.endswith("; loudness takes over")
    assert jaws(poses).max() > 0.5, "the next one moves the mouth"
    assert broken.opened == broken.closed


def test_the_next_engine_joins_without_a_jump(tmp_path: Path) -> None:
    _, smooth = converse(tmp_path / "alone", [LoudnessFace()])
    _, poses = converse(tmp_path / "both", [BrokenFace(dies, 400.0), LoudnessFace()])
    steps, usual = np.abs(np.diff(jaws(poses))).max(), np.abs(np.diff(jaws(smooth))).max()
    assert steps <= usual + 0.02
    assert np.abs(jaws(poses) - jaws(smooth)[: len(poses)]).mean() < 0.1


def test_an_engine_that_can_not_be_loaded_is_replaced_at_the_start(tmp_path: Path) -> None:
    class Absent(LoudnessFace):
        def load(self) -> None:
            raise ModelMissing("its file is not there")

    talk, poses = converse(tmp_path, [Absent("absent"), LoudnessFace()])
    assert notices(talk) == ["face: absent: its file is not there; loudness takes over"]
    assert jaws(poses).max() > 0.5


def test_without_any_engine_left_the_mouth_rests_and_speech_goes_on(tmp_path: Path) -> None:
    talk, poses = converse(tmp_path, [BrokenFace(dies)], ["who are you", "say it again"])
    assert notices(talk) == ["face: broken: it was killed; the mouth rests, speech goes on"]
    assert jaws(poses).max() == 0
    assert [turn.outcome for turn in talk.turns] == ["completed", "completed"]


def test_a_hanging_engine_is_given_up(tmp_path: Path) -> None:
    without, _ = converse(tmp_path / "without", [])
    hanging = LoudnessFace("hanging")
    hanging.seconds = {"push": 60.0}
    talk, _ = converse(tmp_path / "with", [hanging, LoudnessFace()], ["who are you"])
    assert np.array_equal(talk.played()[0], without.played()[0])
    assert f"face: hanging: no frame for {STALL_S:g} s; loudness takes over" in notices(talk)


def test_a_slow_face_yields_once_a_reply_and_eases_to_rest(tmp_path: Path) -> None:
    slow = LoudnessFace("slow")
    slow.seconds = {"push": 0.06}  # three times slower than the sound
    talk, poses = converse(tmp_path, [slow], ["who are you", "and again"])
    told = [what for what in notices(talk) if "lags" in what]
    assert told == ["face: slow lags; the face rests, speech goes on"] * 2
    assert talk.session.face.yields == 2
    assert np.abs(np.diff(jaws(poses))).max() < 0.2, "no snap to rest, nor back"


def test_the_mouth_closes_when_somebody_speaks_over_it_and_nothing_follows(tmp_path: Path) -> None:
    talk = Conversation(tmp_path, lambda text: " ".join(["away"] * 40), face=[LoudnessFace()])
    poses: list[Pose] = []
    watch(talk, poses)
    after: list[Pose] = []

    async def main() -> None:
        async with talk.held():
            await talk.say("who are you")
            await talk.until_state(State.SPEAKING)
            await talk.pass_time(1.0)
            await talk.say("stop")
            await talk.until_state(State.LISTENING)
            await talk.pass_time(0.3)
            mark = len(poses)
            await talk.pass_time(1.0)
            after.extend(poses[mark:])

    virtual_time.run(main())
    assert jaws(poses).max() > 0.5
    assert jaws(after).max() == 0.0
    assert not any(pose.speaking for pose in after)


def test_after_a_cough_the_mouth_goes_on_with_the_words(tmp_path: Path) -> None:
    talk = Conversation(tmp_path, lambda text: " ".join(["away"] * 20), face=[LoudnessFace()])
    poses: list[Pose] = []
    watch(talk, poses)

    async def main() -> None:
        async with talk.held():
            await talk.say("who are you")
            await talk.until_state(State.SPEAKING)
            await talk.pass_time(0.6)
            await talk.sound(cough(0.3, RATE_HZ))
            await talk.until_quiet()

    virtual_time.run(main())
    assert "held" in talk.states and talk.turns[0].outcome == "completed"
    jaw, loud = jaws(poses), loudness(talk)
    count = min(len(jaw), len(loud))
    assert np.corrcoef(jaw[:count], loud[:count])[0, 1] > 0.7


def test_a_bug_of_the_engine_is_logged_and_costs_no_sound(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    without, _ = converse(tmp_path / "without", [])

    class Wrong(LoudnessFace):
        def open(self) -> object:  # type: ignore[override]
            raise KeyError("a bug")

    talk, _ = converse(tmp_path / "with", [Wrong("wrong"), LoudnessFace()])
    assert np.array_equal(talk.played()[0], without.played()[0])
    assert notices(talk) == ["face: wrong: it has a bug: KeyError('a bug'); loudness takes over"]
    assert "the face engine wrong broke" in caplog.text
    caplog.clear()
