"""Who draws the face where the best can not, or can no more."""

from __future__ import annotations

import moderngl
import numpy as np
import pytest

from goassist_desktop import avatar
from goassist_desktop.avatar import Picture, open_face
from goassist_desktop.pipeline.blendshapes import Pose, rest
from goassist_desktop.pipeline.errors import BadInput, EngineFailed
from goassist_desktop.pipeline.events import Notice

POSE = Pose(0.0, rest(), (0.0, 0.0, 0.0), False)


class Grey:
    """Draws grey until `good_for` pictures were made, then breaks."""

    name = "grey"

    def __init__(self, good_for: int = 1000) -> None:
        self.good_for = good_for
        self.closed = 0
        self.size = (0, 0)

    def __call__(self, person: str, width: int, height: int) -> Grey:
        self.resize(width, height)
        return self

    def draw(self, pose: Pose) -> Picture:
        if self.good_for == 0:
            raise EngineFailed("the context was lost")
        self.good_for -= 1
        return np.full((self.size[1], self.size[0], 3), 128, np.uint8)

    def resize(self, width: int, height: int) -> None:
        if self.good_for == 0:
            raise EngineFailed("the context was lost")
        self.size = (width, height)

    def close(self) -> None:
        self.closed += 1


def absent(person: str, width: int, height: int) -> Grey:
    raise EngineFailed("face: no EGL here")


def first(monkeypatch: pytest.MonkeyPatch, make: object) -> list[Notice]:
    """Put this on the top of the ladder."""
    painted = avatar.RENDERERS["painted"]
    monkeypatch.setattr(avatar, "RENDERERS", {"gl": make, "painted": painted})
    return []


def test_the_best_there_is_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    said = first(monkeypatch, Grey())
    face = open_face("mira", 60, 40, said.append)
    assert face.name == "grey"
    picture = face.draw(POSE)
    assert picture.shape == (40, 60, 3)
    assert (picture == 128).all()
    assert said == [Notice("info", "face: drawn by grey", "face")]
    face.close()


def test_without_opengl_it_is_painted_and_said_why(monkeypatch: pytest.MonkeyPatch) -> None:
    said = first(monkeypatch, absent)
    face = open_face("mira", 60, 40, said.append)
    assert face.name == "painted"
    assert face.draw(POSE).std() > 10
    assert [notice.level for notice in said] == ["warning", "info"]
    assert said[0].what == "face: no EGL here; it is drawn more simply"
    assert "painted" in said[1].what


def test_what_breaks_in_the_middle_is_replaced_in_the_same_picture(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    breaking = Grey(good_for=3)
    said = first(monkeypatch, breaking)
    face = open_face("jonas", 60, 40, said.append)
    pictures = [face.draw(POSE) for _ in range(5)]
    assert [bool((picture == 128).all()) for picture in pictures] == [True] * 3 + [False] * 2
    assert {picture.shape for picture in pictures} == {(40, 60, 3)}
    assert breaking.closed == 1
    assert len(said) == 2
    assert said[1].level == "warning"
    for words in ("grey", "the context was lost", "painted takes over"):
        assert words in said[1].what


def test_what_breaks_while_it_is_resized_is_replaced_in_the_new_size(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    breaking = Grey()
    said = first(monkeypatch, breaking)
    face = open_face("mira", 60, 40, said.append)
    breaking.good_for = 0
    face.resize(30, 50)
    assert face.draw(POSE).shape == (50, 30, 3)
    assert face.name == "painted"


def test_a_driver_that_breaks_for_good_costs_no_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    """The real renderer: its context is made anew once, and then somebody else draws."""
    try:
        avatar.RENDERERS["gl"]("mira", 60, 40).close()
    except EngineFailed as error:
        pytest.skip(str(error))
    from goassist_desktop.avatar.renderer import HeadRenderer

    said: list[Notice] = []
    face = open_face("mira", 60, 40, said.append)
    assert face.draw(POSE).std() > 10
    assert face.name != "painted"
    broken: list[str] = []

    def breaks(self: HeadRenderer, pose: Pose, width: int, height: int) -> None:
        broken.append("once more")
        raise moderngl.Error("the device was removed\nand more of the like")

    monkeypatch.setattr(HeadRenderer, "draw", breaks)
    assert face.draw(POSE).shape == (40, 60, 3)
    assert face.name == "painted"
    assert len(broken) == 2
    assert said[-1].what.count("\n") == 0
    assert "the device was removed; painted takes over" in said[-1].what
    face.close()


def test_an_unknown_person_is_no_reason_to_draw_another(monkeypatch: pytest.MonkeyPatch) -> None:
    said = first(monkeypatch, absent)
    with pytest.raises(BadInput, match=r"persona\.head = 'nobody': must be one of mira, jonas"):
        open_face("nobody", 60, 40, said.append)
