"""Real engines on virtual time: whatever becomes of the face, the same samples are heard."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from goassist_desktop import shipped, virtual_time
from goassist_desktop.app import loaded_engines
from goassist_desktop.config import load
from goassist_desktop.conversing import Until, rehearse
from goassist_desktop.pipeline.endpoints.capture import CaptureChain
from goassist_desktop.pipeline.endpoints.recording import RecordingEndpoint
from goassist_desktop.pipeline.engines import REGISTRY, create
from goassist_desktop.pipeline.events import Notice, SessionEvent, TurnClosed
from goassist_desktop.pipeline.protocols import FaceEngine
from goassist_desktop.pipeline.workers import Engines, Hosted, ThreadLane
from goassist_desktop.talk import read_recording
from tests.fakes import audio2face_files, lam_files
from tests.fakes.audio2face_server import Audio2FaceServer, after, drops
from tests.fakes.faces import Killed
from tests.talk.conftest import DATA

pytestmark = pytest.mark.models
KILLED_AFTER = 20
"""Frames: a third of a second of the built-in engine, two thirds of the others."""
BLOCK = 480
QUESTIONS = ("voices/joe_week.flac", "voices/joe_plants.flac")


def held(
    folder: Path, ladder: Callable[[Engines], tuple], push_s: float = 0.001
) -> tuple[np.ndarray, list[SessionEvent]]:
    """A conversation with these engines of the face: what was played, and what happened."""
    config = load({"profile": "ci", "reply.max_tokens": "40"}, environment={})
    sounds = [read_recording(DATA / name) for name in QUESTIONS]
    events: list[SessionEvent] = []
    reply = folder / "reply.wav"
    endpoint = RecordingEndpoint(CaptureChain(echo=False), reply=reply, realtime=False)

    async def script(until: Until) -> None:
        await until.quiet()
        for sound in sounds:
            endpoint.say(sound)
            await until.quiet(endpoint.said[-1])

    charge = virtual_time.fixed(virtual_time.TYPICAL_S["ci"] | {"push": push_s})
    with loaded_engines(config) as engines:
        engines = dataclasses.replace(engines, face=ladder(engines))
        rehearse(config, engines, endpoint, script, events.append, charge)
    return soundfile.read(reply, dtype="int16")[0], events


def same(played: np.ndarray, without: np.ndarray) -> bool:
    """To the sample; but how long the silence at the end was recorded may differ by a block."""
    count = min(len(played), len(without))
    rests = played[count:], without[count:]
    return np.array_equal(played[:count], without[:count]) and all(
        len(rest) <= BLOCK and not rest.any() for rest in rests
    )


@pytest.fixture(scope="module")
def without(tmp_path_factory: pytest.TempPathFactory) -> np.ndarray:
    played, events = held(tmp_path_factory.mktemp("without"), lambda engines: ())
    assert sum(isinstance(event, TurnClosed) for event in events) == 2
    return played


def test_with_the_face(without: np.ndarray, tmp_path: Path) -> None:
    played, events = held(tmp_path, lambda engines: engines.face)
    assert same(played, without)
    assert not [event for event in events if isinstance(event, Notice)]


def test_with_a_face_slower_than_speech(without: np.ndarray, tmp_path: Path) -> None:
    played, events = held(tmp_path, lambda engines: engines.face, push_s=0.1)
    assert same(played, without)
    told = [event.what for event in events if isinstance(event, Notice)]
    assert told and all("the face rests, speech goes on" in what for what in told)


@pytest.fixture
def made(name: str, tmp_path: Path) -> Iterator[FaceEngine]:
    """Each engine of the registry, real but for its weights, and dead after a third of a second."""
    if name == "audio2face-service":
        with Audio2FaceServer(after(KILLED_AFTER, drops), faulty_from=1) as server:
            engine: FaceEngine = create("face", name, server.address, threads=1)
            yield engine
            engine.close()
        return
    if name == "audio2face":
        audio2face_files.write(tmp_path)
    elif name == "lam":
        lam_files.write(tmp_path)
    folder = shipped.folder() if name == "lipsync" else tmp_path
    yield Killed(create("face", name, folder, threads=1), KILLED_AFTER)


@pytest.mark.parametrize("name", sorted(REGISTRY["face"]))
def test_with_an_engine_that_is_killed_in_mid_sentence(
    name: str, made: FaceEngine, without: np.ndarray, tmp_path: Path
) -> None:
    lane = ThreadLane("killed")
    try:
        played, events = held(tmp_path, lambda engines: (Hosted(made, lane), *engines.face))
    finally:
        lane.close()
        made.close()
    assert same(played, without)
    (told,) = [event.what for event in events if isinstance(event, Notice)]
    assert told.startswith(f"face: {name}: ") and told.endswith("; lipsync takes over")
