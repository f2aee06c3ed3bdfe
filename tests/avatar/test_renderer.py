"""Real pictures, drawn by EGL in software, and what must be seen on them."""

from __future__ import annotations

import ctypes
import ctypes.util
from collections.abc import Iterator
from typing import Any

import glcontext
import moderngl
import numpy as np
import numpy.typing as npt
import pytest

from goassist_desktop.avatar import offscreen, renderer
from goassist_desktop.avatar.head import PEOPLE, load_head
from goassist_desktop.avatar.offscreen import OffscreenRenderer
from goassist_desktop.avatar.renderer import (
    CAMERA_DISTANCE,
    FRAME_HEIGHT,
    FRAME_MIDDLE_Y,
    HeadRenderer,
    head_rotation,
)
from goassist_desktop.pipeline.blendshapes import NAMES, Pose, weights
from goassist_desktop.pipeline.errors import EngineFailed, ModelMissing

Picture = npt.NDArray[np.uint8]
SIZE = 320
MOUTH = (0.0, -0.62)
"""Where the mouth is, in decimetres from the middle between the eyes."""
EYES = ((0.285, 0.0), (-0.285, 0.0))


@pytest.fixture(scope="module")
def mira() -> Iterator[OffscreenRenderer]:
    with OffscreenRenderer("mira", SIZE, SIZE) as drawn:
        yield drawn


def pose(head: tuple[float, float, float] = (0.0, 0.0, 0.0), **named: float) -> Pose:
    return Pose(0.0, weights(**named), head, True)


def around(place: tuple[float, float], reach_x: float, reach_y: float) -> tuple[slice, slice]:
    """The rows and columns that show a place of the face, and so much on each side of it."""
    scale = SIZE / FRAME_HEIGHT * CAMERA_DISTANCE / (CAMERA_DISTANCE - 0.25)
    column = SIZE / 2 + place[0] * scale
    row = SIZE / 2 + (FRAME_MIDDLE_Y - place[1]) * scale
    return (
        slice(round(row - reach_y * scale), round(row + reach_y * scale)),
        slice(round(column - reach_x * scale), round(column + reach_x * scale)),
    )


def changed(one: Picture, other: Picture) -> npt.NDArray[np.bool_]:
    return np.abs(one.astype(int) - other).max(axis=2) > 12


def brightness(picture: Picture, part: tuple[slice, slice]) -> float:
    return float(picture[part].mean())


def test_a_face_is_drawn_upright_and_with_colours(mira: OffscreenRenderer) -> None:
    picture = mira.draw(pose())
    assert picture.shape == (SIZE, SIZE, 3)
    assert picture.dtype == np.uint8
    cheek = picture[around((0.4, -0.4), 0.05, 0.05)].mean(axis=(0, 1))
    assert cheek[0] > cheek[1] > cheek[2] > 60  # skin
    assert picture[:10].max() < 110 < picture[around((0.0, 0.5), 0.1, 0.1)].min()  # the wall above
    assert mira.name


def test_an_open_jaw_darkens_the_mouth_and_leaves_the_rest(mira: OffscreenRenderer) -> None:
    shut, wide = mira.draw(pose()), mira.draw(pose(jawOpen=0.7))
    mouth = around((0.0, -0.70), 0.08, 0.05)
    assert brightness(wide, mouth) < 0.6 * brightness(shut, mouth)
    lower_face = around((0.0, -1.0), 0.75, 0.75)
    outside = changed(shut, wide)
    outside[lower_face] = False
    assert outside.sum() < 10


def test_lips_close_over_an_open_jaw_and_no_further(mira: OffscreenRenderer) -> None:
    mouth = around((0.0, -0.68), 0.04, 0.02)
    rest = brightness(mira.draw(pose()), mouth)
    wide, closed = mira.draw(pose(jawOpen=0.7)), mira.draw(pose(jawOpen=0.7, mouthClose=0.7))
    assert brightness(wide, mouth) < 0.7 * rest
    assert brightness(closed, mouth) > 0.85 * rest
    assert np.array_equal(mira.draw(pose(mouthClose=0.5)), mira.draw(pose()))


def test_a_blink_covers_the_iris(mira: OffscreenRenderer) -> None:
    seeing, blinking = mira.draw(pose()), mira.draw(pose(eyeBlinkLeft=1.0))
    left, right = (around(eye, 0.05, 0.03) for eye in EYES)
    assert brightness(blinking, left) > 1.5 * brightness(seeing, left)
    assert not changed(seeing, blinking)[right].any()


def test_a_glance_moves_the_iris(mira: OffscreenRenderer) -> None:
    def iris_column(picture: Picture) -> float:
        eye = picture[around(EYES[0], 0.13, 0.03)].astype(float).sum(axis=2)
        dark = np.maximum(300 - eye, 0)
        return float((dark * np.arange(dark.shape[1])).sum() / dark.sum())

    ahead = iris_column(mira.draw(pose()))
    left = iris_column(mira.draw(pose(eyeLookOutLeft=1.0, eyeLookInRight=1.0)))
    right = iris_column(mira.draw(pose(eyeLookInLeft=1.0, eyeLookOutRight=1.0)))
    assert left > ahead + 0.5
    assert right < ahead - 0.5


def test_the_highlight_of_the_eye_stays_with_the_light() -> None:
    with OffscreenRenderer("mira", 1000, 1000, "small") as large:

        def highlight(picture: Picture) -> npt.NDArray[np.float64]:
            scale = 1000 / FRAME_HEIGHT
            row, column = 500 + FRAME_MIDDLE_Y * scale, 500 + EYES[0][0] * scale
            eye = picture[
                round(row - 20) : round(row + 20), round(column - 30) : round(column + 20)
            ]
            return np.argwhere(eye.min(axis=2) > 215).mean(axis=0)

        ahead = highlight(large.draw(pose()))
        aside = highlight(large.draw(pose(eyeLookOutLeft=0.7)))
    assert np.abs(ahead - aside).max() < 4.0  # the iris itself moves by eight


@pytest.mark.parametrize(
    ("head", "goes"),
    [((20.0, 0.0, 0.0), (0, 1)), ((-20.0, 0.0, 0.0), (0, -1)), ((0.0, 12.0, 0.0), (-1, 0))],
)
def test_turning_the_head_moves_the_nose(
    mira: OffscreenRenderer, head: tuple[float, float, float], goes: tuple[int, int]
) -> None:
    """To the person's left is to the right of the picture; the shoulders stay where they are."""
    ahead, turned = mira.draw(pose()), mira.draw(pose(head))
    tip = 0.45, -0.35, -0.75
    moved = head_rotation(*head) @ np.array([0.0, tip[1] + 1.15, tip[0] - tip[2]], np.float32)
    assert np.sign(round(float(moved[0]), 3)) == goes[1]
    assert changed(ahead, turned)[around((0.0, -0.4), 0.3, 0.3)].mean() > 0.2
    assert not changed(ahead, turned)[-12:].any()


def test_rolling_tilts_to_their_left_shoulder() -> None:
    top = head_rotation(0.0, 0.0, 10.0) @ np.array([0, 1, 0], np.float32)
    assert top[0] > 0.1
    np.testing.assert_allclose(
        head_rotation(10, 5, 3) @ head_rotation(10, 5, 3).T, np.eye(3), atol=1e-6
    )


def test_teeth_meet_the_lip_for_f(mira: OffscreenRenderer) -> None:
    """Bright, hardly coloured pixels between the lips, where at rest there are none."""

    def teeth(picture: Picture) -> int:
        mouth = picture[around(MOUTH, 0.15, 0.07)].astype(int)
        pale = (mouth[..., 0] - mouth[..., 2] < 50) & (mouth.min(axis=2) > 90)
        return int(pale.sum())

    at_rest = teeth(mira.draw(pose()))
    saying_f = teeth(mira.draw(pose(mouthRollLower=0.6, mouthUpperUp=0.6, jawOpen=0.08)))
    assert saying_f > at_rest + 10


def test_two_people_differ() -> None:
    pictures = []
    for person in PEOPLE:
        with OffscreenRenderer(person, SIZE, SIZE) as drawn:
            pictures.append(drawn.draw(pose()))
    assert changed(*pictures).mean() > 0.25


def test_the_same_pose_gives_the_same_picture(mira: OffscreenRenderer) -> None:
    one = mira.draw(pose(jawOpen=0.3))
    mira.draw(pose(mouthSmile=1.0, eyeBlink=1.0, head=(10.0, 3.0, 1.0)))
    assert np.array_equal(one, mira.draw(pose(jawOpen=0.3)))


def test_weights_that_are_no_numbers_or_out_of_range_do_no_harm(mira: OffscreenRenderer) -> None:
    bad = weights(jawOpen=7.0, mouthPucker=-3.0)
    bad[NAMES.index("browInnerUp")] = np.nan
    bad[NAMES.index("cheekPuff")] = -np.inf
    drawn = mira.draw(Pose(0.0, bad, (float("nan"), 0.0, 0.0), True))
    assert np.array_equal(drawn, mira.draw(pose(jawOpen=1.0)))
    around_the_back = mira.draw(pose((1e9, float("inf"), 0.0)))
    assert np.array_equal(around_the_back, mira.draw(pose((60.0, 60.0, 0.0))))


def test_every_shape_alone_and_all_together_can_be_drawn(mira: OffscreenRenderer) -> None:
    rest = mira.draw(pose())
    unseen = {name for name in NAMES if not (mira.draw(pose(**{name: 1.0})) != rest).any()}
    assert unseen <= {"tongueOut", "mouthClose"}  # behind closed lips; nothing without the jaw
    assert changed(rest, mira.draw(Pose(0.0, np.ones(52, np.float32), (0, 0, 0), True))).any()


def test_resizing_keeps_the_face_whole(mira: OffscreenRenderer) -> None:
    square = mira.draw(pose())
    for width, height in ((640, 360), (200, 400), (SIZE, SIZE)):
        mira.resize(width, height)
        picture = mira.draw(pose())
        assert picture.shape == (height, width, 3)
        middle = picture[height // 2 - 4 : height // 2 + 4, width // 2 - 4 : width // 2 + 4]
        assert middle[..., 0].mean() > 110
        assert picture[:, 0].max() < 190 or width < height
    assert np.array_equal(picture, square)


def test_a_lost_context_is_made_anew(mira: OffscreenRenderer) -> None:
    before = mira.draw(pose())
    context = mira._context
    assert context is not None
    egl = _egl()
    with context:
        display, handle = egl.eglGetCurrentDisplay(), egl.eglGetCurrentContext()
    assert egl.eglDestroyContext(ctypes.c_void_p(display), ctypes.c_void_p(handle))
    assert np.array_equal(before, mira.draw(pose()))
    assert mira._context is not context


def test_a_context_that_reports_loss_is_made_anew(
    mira: OffscreenRenderer, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = mira.draw(pose())
    lost = mira._context

    class Lost:
        def __enter__(self) -> None:
            lost.__enter__()

        def __exit__(self, *error: object) -> None:
            lost.__exit__(*error)

        def __getattr__(self, name: str) -> Any:
            return "CONTEXT_LOST" if name == "error" else getattr(lost, name)

    monkeypatch.setattr(mira, "_context", Lost())
    assert np.array_equal(before, mira.draw(pose()))
    assert mira._context is not lost


def test_closing_twice_is_harmless_and_drawing_again_opens() -> None:
    drawn = OffscreenRenderer("jonas", 64, 64)
    one = drawn.draw(pose())
    drawn.close()
    drawn.close()
    assert np.array_equal(one, drawn.draw(pose()))
    drawn.close()


def test_a_size_that_can_not_be_drawn_is_said_in_one_line() -> None:
    with OffscreenRenderer("jonas", 64, 64) as drawn:
        drawn.resize(200_000, 64)
        with pytest.raises(EngineFailed, match="can not draw"):
            drawn.draw(pose())
        drawn.resize(64, 64)
        assert drawn.draw(pose()).std() > 20


def test_without_egl_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(**_: object) -> None:
        raise Exception("libEGL.so not loaded")

    monkeypatch.setattr(offscreen.moderngl, "create_context", nothing)
    with pytest.raises(EngineFailed, match=r"no OpenGL without a screen: libEGL\.so not loaded"):
        OffscreenRenderer("mira", 64, 64)


def test_an_unknown_person_is_said_to_be_missing() -> None:
    with pytest.raises(ModelMissing, match="no head nobody"):
        OffscreenRenderer("nobody", 64, 64)


def _egl() -> ctypes.CDLL:
    egl = ctypes.CDLL(ctypes.util.find_library("EGL") or "libEGL.so.1")
    for name in (
        "GetPlatformDisplay",
        "GetCurrentDisplay",
        "GetCurrentContext",
        "CreateContext",
        "GetProcAddress",
    ):
        getattr(egl, f"egl{name}").restype = ctypes.c_void_p
    return egl


class EmbeddedContext:
    """A real OpenGL ES 3 context, as on a small device; glcontext itself makes none."""

    def __init__(self) -> None:
        self._egl = egl = _egl()
        surfaceless, opengl_es, end = 0x31DD, 0x30A0, 0x3038
        self._display = ctypes.c_void_p(egl.eglGetPlatformDisplay(surfaceless, None, None))
        assert egl.eglInitialize(self._display, None, None)
        assert egl.eglBindAPI(opengl_es)
        config, count = ctypes.c_void_p(), ctypes.c_int()
        wanted = (ctypes.c_int * 3)(0x3040, 0x40, end)  # renderable by ES 3
        assert egl.eglChooseConfig(
            self._display, wanted, ctypes.byref(config), 1, ctypes.byref(count)
        )
        version = (ctypes.c_int * 3)(0x3098, 3, end)
        self._handle = ctypes.c_void_p(egl.eglCreateContext(self._display, config, None, version))
        self.__enter__()

    def load(self, name: str) -> int:
        return self._egl.eglGetProcAddress(name.encode()) or 0

    load_opengl_function = load

    def __enter__(self) -> None:
        assert self._egl.eglMakeCurrent(self._display, None, None, self._handle)

    def __exit__(self, *error: object) -> None:
        assert self._egl.eglMakeCurrent(self._display, None, None, None)

    def release(self) -> None:
        self.__exit__()
        self._egl.eglDestroyContext(self._display, self._handle)
        self._egl.eglBindAPI(0x30A2)


@pytest.mark.parametrize("quality", ["full", "light"])
def test_opengl_es_draws_what_opengl_draws(
    quality: renderer.Quality, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = load_head("mira", "small")
    posed = pose(jawOpen=0.4, eyeLookOutLeft=0.5)

    def drawn(context: moderngl.Context) -> Picture:
        frame = context.simple_framebuffer((SIZE, SIZE), 4)
        frame.use()
        shown = HeadRenderer(context, head, quality)
        shown.draw(posed, SIZE, SIZE)
        pixels = np.frombuffer(frame.read(components=4), np.uint8)
        shown.release()
        frame.release()
        return pixels.reshape(SIZE, SIZE, 4)[::-1, :, :3]

    desktop = moderngl.create_context(standalone=True, backend="egl", require=330)
    on_desktop = drawn(desktop)
    desktop.release()
    monkeypatch.setattr(glcontext, "get_backend_by_name", lambda _: lambda **_: EmbeddedContext())
    device = moderngl.create_context(require=300, backend="embedded")
    assert "OpenGL ES" in device.info["GL_VERSION"]
    on_device = drawn(device)
    device.release()
    assert np.abs(on_desktop.astype(int) - on_device).mean() < 1.0
    assert on_desktop.std() > 20
