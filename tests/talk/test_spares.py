"""Real engines, one of which breaks in mid-sentence: the answer is heard to its end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import soundfile

from goassist_desktop.app import loaded_engines
from goassist_desktop.config import Config
from goassist_desktop.conversing import Until, rehearse
from goassist_desktop.pipeline.endpoints.capture import DEVICE_RATE_HZ, CaptureChain
from goassist_desktop.pipeline.endpoints.recording import RecordingEndpoint
from goassist_desktop.pipeline.engines.whisper import Whisper
from goassist_desktop.pipeline.errors import EngineFailed
from goassist_desktop.pipeline.events import Notice, SessionEvent, TurnClosed
from goassist_desktop.pipeline.frames import Samples, Speech, Transcript
from goassist_desktop.pipeline.workers import Hosted
from goassist_desktop.supply import offers
from goassist_desktop.talk import read_recording
from tests.talk.conftest import DATA
from tests.talk.hearing import plain, transcribe, word_errors

pytestmark = pytest.mark.models

CONFIG = Config(profile="ci")
QUESTION = DATA / "voices" / "slt_colors.flac"


class Breaking:
    """A real engine that works some times, and then no more."""

    def __init__(self, engine: Any, works: int) -> None:
        self._engine = engine
        self._left = works
        self.info = engine.info

    def _work(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise EngineFailed("it was switched off")

    def load(self) -> None:
        raise EngineFailed("it is still switched off")

    def close(self) -> None: ...

    def transcribe(self, audio: Samples) -> Transcript:
        self._work()
        heard: Transcript = self._engine.transcribe(audio)
        return heard

    def speak(self, text: str) -> Iterator[Speech]:
        for speech in self._engine.speak(text):
            self._work()
            yield speech


@pytest.mark.parametrize(
    ("stage", "field", "works"),
    [("synthesis", "voice", 8), ("recognition", "recogniser", 0), ("recognition", "recogniser", 1)],
)
def test_another_goes_on(tmp_path: Path, ear: Whisper, stage: str, field: str, works: int) -> None:
    if offers.spare(CONFIG, stage) is None:
        pytest.skip(f"optional engine: no model for another one of {stage} was pulled")
    events: list[SessionEvent] = []
    reply = tmp_path / "reply.wav"
    endpoint = RecordingEndpoint(CaptureChain(echo=False), reply=reply, realtime=False)

    async def ask(until: Until) -> None:
        until.endpoint.say(read_recording(QUESTION))
        await until.quiet(until.endpoint.said[-1])

    with loaded_engines(CONFIG) as engines:
        top: Hosted[Any] = getattr(engines, field)
        broken = replace(top, engine=Breaking(top.engine, works))
        made = replace(engines, **{field: broken})
        rehearse(CONFIG, made, endpoint, ask, events.append)
    spare = top.below[0].engine.info.name
    told = [event.what for event in events if isinstance(event, Notice)]
    assert told == [f"{top.engine.info.name}: it was switched off; {spare} takes over"]
    (turn,) = (event for event in events if isinstance(event, TurnClosed))
    assert turn.outcome == "completed"
    assert "rainbow" in plain(turn.user_text)
    assert plain(turn.heard_text) == plain(turn.reply_text)
    assert "violet" in plain(turn.heard_text) or "purple" in plain(turn.heard_text)
    sound, rate_hz = soundfile.read(reply, dtype="float32")
    assert rate_hz == DEVICE_RATE_HZ
    assert word_errors(turn.heard_text, transcribe(ear, sound, rate_hz)) <= 0.15
