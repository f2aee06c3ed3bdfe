"""The house of the host: ready with every stage and with real engines, and never else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from goassist_desktop.config import Config
from goassist_desktop.host.ports import Wish
from goassist_desktop.hosting import STAGES, AssistantHouse
from goassist_desktop.pipeline.errors import EngineFailed
from goassist_desktop.pipeline.events import Notice
from goassist_desktop.pipeline.workers import Engines, Hosted, ThreadLane
from tests.fakes.tones import (
    LoudnessActivity,
    ScriptedModel,
    ToneRecogniser,
    ToneVoice,
    WordDetector,
)


@pytest.fixture
def lane() -> Iterator[ThreadLane]:
    lane = ThreadLane("engines")
    yield lane
    lane.close()


def engines(lane: ThreadLane, *stand_ins: str) -> Engines:
    """Small engines that say of themselves what real ones say, but for these stages."""
    made: list[Any] = [LoudnessActivity(), WordDetector(), ToneRecogniser()]
    made += [ScriptedModel(lambda asked: "hello"), ToneVoice()]
    for engine in made:
        engine.info = replace(engine.info, stand_in=engine.info.stage in stand_ins)
    activity, *others = made
    return Engines(activity, *(Hosted(engine, lane) for engine in others))


def test_while_nothing_is_loaded_every_stage_is_missing() -> None:
    house = AssistantHouse(Config())
    assert dict(house.missing()) == dict.fromkeys(STAGES, "being loaded")
    assert house.engines() == []
    with pytest.raises(EngineFailed):
        house.open("mine", Wish())


@pytest.mark.parametrize("stage", STAGES)
def test_a_stand_in_is_named(lane: ThreadLane, stage: str) -> None:
    house = AssistantHouse(Config())
    house.use(engines(lane, stage))
    assert dict(house.missing()) == {stage: "a stand-in is used"}


def test_with_real_engines_nothing_is_missing_until_they_go(lane: ThreadLane) -> None:
    house = AssistantHouse(Config())
    house.use(engines(lane))
    assert dict(house.missing()) == {}
    assert [engine["stage"] for engine in house.engines()] == list(STAGES)
    house.lose("gone")
    assert set(house.missing().values()) == {"gone"}


def test_an_engine_in_place_of_another_is_named_until_that_is_back(lane: ThreadLane) -> None:
    house = AssistantHouse(Config())
    made = engines(lane)
    house.use(replace(made, voice=replace(made.voice, trouble="no such voice")))
    assert dict(house.missing()) == {}
    assert dict(house.replaced()) == {"synthesis": "no such voice"}
    house._note(Notice("warning", "vllm: the connection was lost; tones", "language_model"))
    assert set(house.replaced()) == {"synthesis", "language_model"}
    house._note(Notice("info", "vllm is back", "language_model"))
    assert set(house.replaced()) == {"synthesis"}
    assert (
        b'goassist_errors_total{component="language_model",type="replaced"} 1.0' in house.metrics()
    )
