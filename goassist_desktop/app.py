"""The composition root: from settings to engines, and from engines to a session."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import psutil

from goassist_desktop import weights
from goassist_desktop.config import Config
from goassist_desktop.pipeline.endpointing import EndOfTurn
from goassist_desktop.pipeline.engines import create
from goassist_desktop.pipeline.events import SessionEvent
from goassist_desktop.pipeline.protocols import Endpoint, Engine, EngineInfo
from goassist_desktop.pipeline.session import Session, SessionSettings
from goassist_desktop.pipeline.turn import TurnSettings
from goassist_desktop.pipeline.workers import Engines, Hosted, ThreadLane

STAGES = ("voice_activity", "turn_detection", "recognition", "language_model", "synthesis")
INTERRUPTED = 130
"""Exit status after Ctrl-C."""
LEAVE_S = 0.6
_OWN_MODEL = {"moonshine": "moonshine-tiny-en"}
"""Engines whose model is not the one the profile has for their stage."""


def _threads(stage: str) -> int:
    """Cores for a stage. The two heavy ones may take all: they seldom work at once."""
    cores = psutil.cpu_count(logical=False) or os.cpu_count() or 1
    return {"recognition": min(cores, 4), "language_model": min(cores, 8)}.get(stage, 1)


def model_names(config: Config) -> dict[str, str]:
    """Stage -> model: the one the profile has for it, or the chosen engine's own."""
    models = {model.stage: model.name for model in weights.profile(config.profile)}
    own = {stage: _OWN_MODEL.get(getattr(config.engines, stage)) for stage in STAGES}
    return {stage: own[stage] or models[stage] for stage in STAGES}


@contextmanager
def loaded_engines(config: Config) -> Iterator[Engines]:
    """Every stage's engine, loaded and warm; closed at the end.

    Raises ModelMissing and EngineFailed.
    """
    engines: dict[str, Any] = {
        stage: create(
            stage,
            getattr(config.engines, stage),
            weights.path(model),
            threads=_threads(stage),
        )
        for stage, model in model_names(config).items()
    }
    lanes = {stage: ThreadLane(stage) for stage in STAGES if stage != "voice_activity"}
    try:
        _load(engines)
        yield Engines(
            activity=engines["voice_activity"],
            detector=Hosted(engines["turn_detection"], lanes["turn_detection"]),
            recogniser=Hosted(engines["recognition"], lanes["recognition"]),
            model=Hosted(engines["language_model"], lanes["language_model"]),
            voice=Hosted(engines["synthesis"], lanes["synthesis"]),
        )
    finally:
        for lane in lanes.values():
            lane.close()
        for engine in engines.values():
            engine.close()


def _load(engines: dict[str, Any]) -> None:
    """All at once. Raises the first error, once none is loading any more.

    The threads are daemons, and Ctrl-C waits for them only so long: no library that reads a model
    can be stopped while it does, and nobody waits for that after Ctrl-C.
    """
    errors: list[BaseException] = []

    def load(engine: Engine) -> None:
        try:
            engine.load()
        except BaseException as error:  # noqa: BLE001 - raised below, in the thread that asked
            errors.append(error)

    loading = [
        threading.Thread(target=load, args=(engine,), name=f"load {stage}", daemon=True)
        for stage, engine in engines.items()
    ]
    for thread in loading:
        thread.start()
    try:
        for thread in loading:
            thread.join()
    except KeyboardInterrupt:
        deadline = time.monotonic() + LEAVE_S
        for thread in loading:
            thread.join(max(0.0, deadline - time.monotonic()))
        if any(thread.is_alive() for thread in loading):
            leave(INTERRUPTED)
        raise
    if errors:
        raise errors[0]


def leave(status: int) -> NoReturn:
    """End the process now, whatever its threads are doing."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def engine_infos(engines: Engines) -> list[EngineInfo]:
    """What is in use, one entry per stage, in the order of the pipeline."""
    hosted = (engines.detector, engines.recogniser, engines.model, engines.voice)
    in_use: list[Engine] = [engines.activity, *(h.engine for h in hosted)]
    return [engine.info for engine in in_use]


def make_session(
    config: Config,
    engines: Engines,
    endpoint: Endpoint,
    publish: Callable[[SessionEvent], None],
) -> Session:
    """A session of this configuration at an endpoint."""
    reply, taking = config.reply, config.turn_taking
    settings = SessionSettings(
        system_prompt=reply.system_prompt,
        turn=TurnSettings(
            max_tokens=reply.max_tokens,
            temperature=reply.temperature,
            seed=reply.seed,
            context_tokens=reply.context_tokens,
            stall_s=reply.stall_s,
        ),
        end_of_turn=EndOfTurn(
            pause_ms=taking.pause_ms, unsure_ms=taking.unsure_ms, open_ms=taking.open_ms
        ),
    )
    return Session(endpoint, engines, settings, publish)
