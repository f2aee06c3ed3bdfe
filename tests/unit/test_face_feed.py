"""What is sent of a face, on virtual time."""

import json
from collections.abc import Callable

import numpy as np
import pytest

from goassist_desktop.pipeline import blendshapes
from goassist_desktop.pipeline.blendshapes import NAMES, Pose
from goassist_desktop.pipeline.face_feed import FaceFeed, FaceMessage

JAW = blendshapes.INDEX["jawOpen"]


class Scripted:
    """A face by functions of time: how far its jaw is open, how it is turned, and if it speaks."""

    def __init__(
        self,
        jaw: Callable[[float], float] = lambda ms: 0.0,
        yaw: Callable[[float], float] = lambda ms: 0.0,
        speaks: Callable[[float], bool] = lambda ms: False,
    ) -> None:
        self._jaw, self._yaw, self._speaks = jaw, yaw, speaks

    def pose(self, at_ms: float) -> Pose:
        weights = blendshapes.weights(jawOpen=self._jaw(at_ms))
        return Pose(at_ms, weights, (self._yaw(at_ms), 0.0, 0.0), self._speaks(at_ms))


def sent(
    face: Scripted, to_ms: float, *, every_ms: float = 1.0, from_ms: float = 0.0, fps: int = 30
) -> list[FaceMessage]:
    feed = FaceFeed(face, fps)
    asked = [feed.due(float(ms)) for ms in np.arange(from_ms, to_ms, every_ms)]
    return [message for message in asked if message is not None]


def times(messages: list[FaceMessage]) -> list[float]:
    return [message.t_audio_ms for message in messages]


def test_the_first_message_says_how_the_face_is() -> None:
    feed = FaceFeed(Scripted(jaw=lambda ms: 0.5, yaw=lambda ms: 3.0))
    message = feed.due(1234.0)
    assert message is not None
    assert (message.seq, message.t_audio_ms, message.fps) == (0, 1234.0, 30)
    assert not message.heartbeat
    assert message.weights[JAW] == 0.5
    assert message.head == (3.0, 0.0, 0.0)


def test_a_still_and_silent_face_only_beats_every_100_ms() -> None:
    messages = sent(Scripted(), 1000)
    assert times(messages) == [100.0 * n for n in range(10)]
    assert [message.heartbeat for message in messages] == [False, *[True] * 9]


@pytest.mark.parametrize("every_ms", [1.0, 7.0, 16.6])
def test_a_beat_is_never_later_than_the_next_time_somebody_asks(every_ms: float) -> None:
    gaps = np.diff(times(sent(Scripted(), 3000, every_ms=every_ms, from_ms=3.3)))
    assert gaps.min() >= 100
    assert gaps.max() < 100 + every_ms


@pytest.mark.parametrize("fps", [30, 60])
def test_every_frame_while_it_speaks_even_if_nothing_moves(fps: int) -> None:
    messages = sent(Scripted(speaks=lambda ms: True), 1000, fps=fps)
    assert len(messages) == fps
    assert not any(message.heartbeat for message in messages)
    assert np.diff(times(messages)) == pytest.approx(1000 / fps, abs=1.01)


@pytest.mark.parametrize(
    "face",
    [Scripted(jaw=lambda ms: ms / 300 % 1), Scripted(yaw=lambda ms: ms / 100)],
    ids=["a weight", "the head"],
)
def test_every_frame_while_something_moves(face: Scripted) -> None:
    messages = sent(face, 1000)
    assert len(messages) == 30
    assert not any(message.heartbeat for message in messages)


def test_what_creeps_is_sent_when_it_can_be_seen() -> None:
    """0.02 a second: a frame whenever 0.01 have come together, heartbeats between them."""
    messages = sent(Scripted(jaw=lambda ms: 0.02 * ms / 1000), 3000)
    seen = [m for m in messages if not m.heartbeat]
    # A heartbeat carries the newest pose too, so nothing is ever left to catch up with.
    assert len(seen) == 1
    assert max(np.abs(np.diff([m.weights[JAW] for m in messages]))) <= 0.01
    moving = sent(Scripted(yaw=lambda ms: 2.0 * ms / 1000), 3000)
    assert np.diff([m.head[0] for m in moving]) == pytest.approx(0.134, abs=0.07)
    assert not any(message.heartbeat for message in moving[1:])


def test_it_comes_to_rest_exactly() -> None:
    """The last frames after speech: what is too little to see comes with the next heartbeat."""
    messages = sent(
        Scripted(jaw=lambda ms: 0.5 * 0.9 ** (ms / 10) * (ms < 900), speaks=lambda ms: ms < 200),
        1000,
    )
    assert messages[-1].weights[JAW] == 0.0
    assert messages[-1].heartbeat
    by_time = {message.t_audio_ms: message.heartbeat for message in messages}
    assert not any(beat for ms, beat in by_time.items() if ms < 200)
    assert all(beat for ms, beat in by_time.items() if ms > 500)


def test_frames_are_numbered_and_keyed_to_the_sound_however_one_asks() -> None:
    face = Scripted(speaks=lambda ms: True)
    rng = np.random.default_rng(5)
    feed, messages = FaceFeed(face), []
    for ms in np.cumsum(rng.uniform(0, 12, 2000)):
        if (message := feed.due(float(ms))) is not None:
            assert message.t_audio_ms == ms
            messages.append(message)
    assert [message.seq for message in messages] == list(range(len(messages)))
    assert len(messages) / times(messages)[-1] * 1000 == pytest.approx(30, rel=0.01)


def test_what_nobody_asked_for_in_time_is_not_sent_late() -> None:
    feed = FaceFeed(Scripted(speaks=lambda ms: True))
    assert feed.due(0.0) is not None
    late = feed.due(5000.0)
    assert late is not None
    assert (late.seq, late.t_audio_ms) == (1, 5000.0)
    assert feed.due(5001.0) is None
    assert feed.due(4000.0) is None, "time that has gone does not come again"


def test_the_json_of_the_blendshape_channels() -> None:
    feed = FaceFeed(Scripted(jaw=lambda ms: 1 / 3))
    message = feed.due(100 / 3)
    assert message is not None
    as_dict = message.as_dict("abc")
    shapes = as_dict.pop("blendshapes")
    assert as_dict == {
        "session_id": "abc",
        "seq": 0,
        "t_audio_ms": 33.3,
        "fps": 30,
        "heartbeat": False,
    }
    assert tuple(shapes) == NAMES
    assert shapes["jawOpen"] == 0.3333
    assert len(json.dumps(message.as_dict("abc"))) < 1500
