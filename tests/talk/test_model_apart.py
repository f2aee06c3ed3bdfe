"""A model on a graphics card ends its process in mid-answer, as llama.cpp does where the card's
memory is full: the answer is heard to its end. Here that process computes without a card."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import soundfile

from goassist_desktop import weights
from goassist_desktop.app import loaded_engines
from goassist_desktop.config import Config
from goassist_desktop.conversing import Until, rehearse
from goassist_desktop.pipeline.endpoints.capture import CaptureChain
from goassist_desktop.pipeline.endpoints.recording import RecordingEndpoint
from goassist_desktop.pipeline.engines.llama_cpp import LlamaCpp
from goassist_desktop.pipeline.engines.model_apart import Made, ModelApart
from goassist_desktop.pipeline.engines.whisper import Whisper
from goassist_desktop.pipeline.events import Notice, SessionEvent, TurnClosed
from goassist_desktop.pipeline.workers import Hosted, ThreadLane
from goassist_desktop.talk import read_recording
from tests.engines.test_model_apart import worker
from tests.talk.conftest import DATA
from tests.talk.hearing import plain, transcribe, word_errors

pytestmark = pytest.mark.models

CONFIG = Config(profile="ci")
QUESTION = DATA / "voices" / "slt_colors.flac"
MODEL = weights.models_dir() / "qwen2.5-coder-0.5b-instruct"


class Ending(ModelApart):
    """Its process ends itself once, after so many pieces of an answer."""

    pieces = 0
    ended = False

    def reply(self, *asked: Any, **how: Any) -> Iterator[str | None]:
        said = 0
        for piece in super().reply(*asked, **how):
            if said == self.pieces and not self.ended:
                self.ended = True
                worker(os.getpid()).send_signal(signal.SIGABRT)
            yield piece
            said += bool(piece)


@pytest.mark.parametrize("pieces", [0, 12])
def test_it_costs_no_word(tmp_path: Path, ear: Whisper, pieces: int) -> None:
    events: list[SessionEvent] = []
    reply = tmp_path / "reply.wav"
    endpoint = RecordingEndpoint(CaptureChain(echo=False), reply=reply, realtime=False)

    async def ask(until: Until) -> None:
        until.endpoint.say(read_recording(QUESTION))
        await until.quiet(until.endpoint.said[-1])

    made = Made("llama-cpp", MODEL, 2, {})
    on_card = Ending(LlamaCpp(MODEL).info, made, tmp_path / "log")
    on_card.pieces = pieces
    on_card.load()
    lane = ThreadLane("on a card")
    try:
        with loaded_engines(CONFIG) as engines:
            top: Hosted[Any] = Hosted(on_card, lane, (engines.model,))
            rehearse(CONFIG, replace(engines, model=top), endpoint, ask, events.append)
    finally:
        lane.close()
        on_card.close()
    told = [event.what for event in events if isinstance(event, Notice)]
    died = "llama-cpp: language model: llama-cpp's process was killed by signal 6"
    assert told[0] == f"{died}; llama-cpp takes over"
    (turn,) = (event for event in events if isinstance(event, TurnClosed))
    assert turn.outcome == "completed"
    assert plain(turn.heard_text) == plain(turn.reply_text)
    assert "red" in plain(turn.heard_text)
    assert "violet" in plain(turn.heard_text) or "purple" in plain(turn.heard_text)
    sound, rate_hz = soundfile.read(reply, dtype="float32")
    assert word_errors(turn.heard_text, transcribe(ear, sound, rate_hz)) <= 0.15
