"""The painted face: what a pose changes in the picture, found again in its colours."""

from __future__ import annotations

import time
from itertools import pairwise

import numpy as np
import pytest

from goassist_desktop.avatar import Picture
from goassist_desktop.avatar.painted import PaintedRenderer
from goassist_desktop.pipeline.blendshapes import NAMES, Pose, weights
from goassist_desktop.pipeline.errors import BadInput

PEOPLE = ("mira", "jonas")
SIZE = 400
MOUTH = (slice(225, 305), slice(165, 235))
LIPS = (slice(230, 262), slice(143, 257))
EYE = (slice(145, 200), slice(205, 260))
"""The one at the right of the picture: the person's left."""


@pytest.fixture(scope="module", params=PEOPLE)
def painter(request: pytest.FixtureRequest) -> PaintedRenderer:
    return PaintedRenderer(request.param, SIZE, SIZE)


def drawn(
    painter: PaintedRenderer, head: tuple[float, float, float] = (0, 0, 0), **named: float
) -> Picture:
    return painter.draw(Pose(0.0, weights(**named), head, False))


def dark_of(picture: Picture) -> np.ndarray:
    """Where the dark between the lips is: (n, 2) of row and column."""
    red, green, blue = np.moveaxis(picture.astype(int), -1, 0)
    return np.argwhere((abs(red - 74) < 8) & (abs(green - 20) < 8) & (abs(blue - 26) < 8))


def cavity(picture: Picture) -> int:
    return len(dark_of(picture[MOUTH]))


def width_of_mouth(picture: Picture, shut: Picture) -> int:
    columns = np.flatnonzero(difference(picture[LIPS], shut[LIPS]).max(axis=0) > 40)
    return int(np.ptp(columns)) if len(columns) else 0


def whites(picture: Picture) -> int:
    """Pixels of an eye's white."""
    return int((picture[EYE].min(axis=-1) > 205).sum())


def difference(one: Picture, other: Picture) -> np.ndarray:
    return np.abs(one.astype(int) - other).max(axis=-1)


def middle_of_change(one: Picture, other: Picture) -> np.ndarray:
    """Row and column."""
    return np.argwhere(difference(one, other) > 30).mean(axis=0)


def test_a_picture_has_the_size_asked_for() -> None:
    painter = PaintedRenderer("mira", 300, 200)
    assert drawn(painter).shape == (200, 300, 3)
    assert drawn(painter).dtype == np.uint8
    for width, height in ((1, 1), (3, 500), (640, 9), (720, 720)):
        painter.resize(width, height)
        assert drawn(painter).shape == (height, width, 3)


@pytest.mark.parametrize("size", [(0, 10), (10, -1)])
def test_an_empty_picture_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="a picture of"):
        PaintedRenderer("mira", *size)


def test_nobody_unknown_is_painted() -> None:
    with pytest.raises(BadInput, match="must be one of mira, jonas"):
        PaintedRenderer("Mira", 100, 100)


def test_the_two_are_different_people() -> None:
    mira, jonas = (drawn(PaintedRenderer(person, SIZE, SIZE)) for person in PEOPLE)
    assert (difference(mira, jonas) > 40).mean() > 0.25


def test_the_mouth_opens_with_the_jaw_and_shuts_with_mouth_close(painter: PaintedRenderer) -> None:
    opened = [cavity(drawn(painter, jawOpen=jaw)) for jaw in (0.0, 0.3, 0.6, 1.0)]
    assert opened[0] < 20
    assert all(more > less + 100 for less, more in pairwise(opened)), opened
    assert cavity(drawn(painter, jawOpen=0.6, mouthClose=0.6)) < 20


def test_the_chin_drops_though_the_lips_are_shut(painter: PaintedRenderer) -> None:
    shut, dropped = drawn(painter), drawn(painter, jawOpen=0.6, mouthClose=0.6)
    assert difference(shut, dropped)[300:340, 150:250].max() > 20


def test_rounded_lips_are_narrow_and_smiling_ones_wide(painter: PaintedRenderer) -> None:
    none = drawn(painter, mouthPucker=1.0, mouthRollUpper=1.0, mouthRollLower=1.0)
    rounded, plain, wide = (
        width_of_mouth(drawn(painter, jawOpen=0.2, **lips), none)
        for lips in ({"mouthPucker": 0.8}, {}, {"mouthSmile": 0.6, "mouthStretch": 0.4})
    )
    assert rounded < 0.85 * plain < plain < 0.95 * wide


def test_the_upper_teeth_show_on_f(painter: PaintedRenderer) -> None:
    def teeth(picture: Picture) -> int:
        return int((picture[MOUTH].min(axis=-1) > 210).sum())

    f = drawn(painter, mouthRollLower=0.6, mouthUpperUp=0.4, jawOpen=0.06)
    assert teeth(f) > teeth(drawn(painter)) + 30
    assert cavity(f) < 40, "the lip meets the teeth"


def test_the_tongue_comes_out(painter: PaintedRenderer) -> None:
    inside = drawn(painter, jawOpen=0.4)
    assert cavity(drawn(painter, jawOpen=0.4, tongueOut=0.7)) < 0.7 * cavity(inside)


def test_lids_close_over_the_eye_and_only_over_that_one(painter: PaintedRenderer) -> None:
    opened = whites(drawn(painter))
    half, closed = (whites(drawn(painter, eyeBlinkLeft=b)) for b in (0.5, 1.0))
    assert opened > 80
    assert closed < 5 < half < 0.8 * opened
    assert whites(drawn(painter, eyeBlinkRight=1.0)) == opened


@pytest.mark.parametrize(
    ("look", "axis", "sign"),
    [
        ({"eyeLookOutLeft": 1.0, "eyeLookInRight": 1.0}, 1, 1),
        ({"eyeLookInLeft": 1.0, "eyeLookOutRight": 1.0}, 1, -1),
        ({"eyeLookUp": 1.0}, 0, -1),
        ({"eyeLookDown": 1.0}, 0, 1),
    ],
)
def test_the_eyes_go_where_they_look(
    painter: PaintedRenderer, look: dict[str, float], axis: int, sign: int
) -> None:
    def pupil(picture: Picture) -> np.ndarray:
        eye = picture[EYE].astype(int)
        dark = (eye.max(axis=-1) < 50)[8:, :]
        return np.argwhere(dark).mean(axis=0)

    moved = pupil(drawn(painter, **look)) - pupil(drawn(painter))
    assert sign * moved[axis] > 0.9, moved


def test_brows_go_up_and_down(painter: PaintedRenderer) -> None:
    plain = drawn(painter)
    for named in ({"browInnerUp": 1.0}, {"browDown": 1.0}, {"browOuterUp": 1.0}):
        row, _ = middle_of_change(plain, drawn(painter, **named))
        assert 0.25 * SIZE < row < 0.42 * SIZE


def test_the_head_turns_as_its_angles_say(painter: PaintedRenderer) -> None:
    """The dark between open lips, which is far in front, goes with it."""

    def mouth(head: tuple[float, float, float]) -> np.ndarray:
        return dark_of(drawn(painter, head, jawOpen=0.7)).mean(axis=0)

    straight = mouth((0, 0, 0))
    assert (mouth((8, 0, 0)) - straight)[1] > 8, "to the person's left, the picture's right"
    assert (mouth((0, 8, 0)) - straight)[0] < -5, "up"


def test_the_head_leans_to_the_persons_left(painter: PaintedRenderer) -> None:
    lean = (0.0, 0.0, 8.0)
    left, right = (
        middle_of_change(drawn(painter, lean), drawn(painter, lean, **{f"eyeBlink{side}": 1.0}))
        for side in ("Left", "Right")
    )
    assert left[1] > right[1], "their left eye is at the picture's right"
    assert left[0] > right[0] + 5, "and the lower one"


def test_every_pose_can_be_painted(painter: PaintedRenderer) -> None:
    random = np.random.default_rng(3)
    for extreme in (np.zeros(52), np.ones(52), *random.uniform(0, 1, (20, 52)).round()):
        pose = Pose(0.0, extreme.astype(np.float32), tuple(random.uniform(-40, 40, 3)), True)
        assert painter.draw(pose).std() > 10
    assert len(NAMES) == 52


def test_a_pose_looks_the_same_each_time(painter: PaintedRenderer) -> None:
    one = drawn(painter, (3, 1, -2), jawOpen=0.4, eyeBlink=0.3)
    drawn(painter, jawOpen=1.0)
    assert (drawn(painter, (3, 1, -2), jawOpen=0.4, eyeBlink=0.3) == one).all()


def test_thirty_frames_a_second_are_no_effort() -> None:
    painter = PaintedRenderer("mira", 512, 512)
    took = []
    for n in range(20):
        began = time.thread_time()
        drawn(painter, (n / 4, 0, 0), jawOpen=n / 20, eyeBlink=n / 20)
        took.append(time.thread_time() - began)
    assert np.median(took) < 1 / 30
