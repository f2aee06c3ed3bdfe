"""The composition root: from settings to engines, and from engines to a session."""

from __future__ import annotations

import dataclasses
import os
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import wait
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from goassist_desktop import live_link, shipped, weights
from goassist_desktop.config import Config
from goassist_desktop.pipeline import private_folder
from goassist_desktop.pipeline.endpointing import EndOfTurn
from goassist_desktop.pipeline.engines import create
from goassist_desktop.pipeline.events import SessionEvent
from goassist_desktop.pipeline.frames import Speech
from goassist_desktop.pipeline.protocols import Endpoint, Engine, EngineInfo
from goassist_desktop.pipeline.session import Session, SessionSettings
from goassist_desktop.pipeline.turn import Phrase, TurnSettings
from goassist_desktop.pipeline.workers import Engines, Hosted, ThreadLane
from goassist_desktop.supply.offers import model_names

STAGES = ("voice_activity", "turn_detection", "recognition", "language_model", "synthesis")
LEAVE_S = 0.6
"""How long the engines may take to finish their steps when the program ends."""
GIVE_UP_S = 0.05
"""How often it is asked while the engines are loaded."""
_FACE_MODEL = {"audio2face": "audio2face-3d-v2.3-mark", "lam": "lam-audio2expression"}
"""Face engines whose files are not part of this program."""


class GivenUp(Exception):
    """The engines are not wanted any more."""


def _threads(stage: str) -> int:
    """Cores for a stage. The two heavy ones may take all: they seldom work at once."""
    cores = psutil.cpu_count(logical=False) or os.cpu_count() or 1
    return {"recognition": min(cores, 4), "language_model": min(cores, 8)}.get(stage, 1)


def chosen_engine(config: Config, stage: str, *, threads: int) -> Any:
    """The engine of a stage, not loaded. Raises ModelMissing."""
    name = getattr(config.engines, stage)
    how = config.recognition
    told = {"language": how.language, "hot_words": how.hot_words}
    options = {
        "whisper": told | {"device": how.device},
        "deepgram": told | {"key": how.deepgram_key},
    }.get(name, {})
    model = model_names(config).get(stage)
    source = weights.path(model) if model else how.deepgram_url
    return create(stage, name, source, threads=threads, **options)


def face_engines(config: Config) -> dict[str, Any]:
    """The chosen engine of the face, and the one that takes over; not loaded: see `Face`."""
    if config.face.engine == "none":
        return {}
    names = dict.fromkeys((config.face.engine, "lipsync"))
    sources: dict[str, Path | str] = {
        "lipsync": shipped.folder(),
        "audio2face-service": config.face.service,
        **{name: weights.models_dir() / model for name, model in _FACE_MODEL.items()},
    }
    return {name: create("face", name, sources[name], threads=1) for name in names}


@contextmanager
def loaded_engines(
    config: Config,
    given_up: Callable[[], bool] = lambda: False,
    ending: Callable[[], bool] = lambda: False,
    seats: int = 1,
) -> Iterator[Engines]:
    """Every stage's engine, loaded and warm, but for the face's; closed at the end.

    `seats`: conversations that the language model is to hold at once.
    Loading is not waited for any longer once `given_up` says so: then GivenUp is raised.

    No library can be stopped while it loads a model or computes. An engine that does not finish
    its step in LEAVE_S stays as it is, and `end` then ends the process without it.
    Where the program is `ending` they are not closed: to end llama.cpp's server keeps all of Python
    waiting, for up to 0.7 s. Raises ModelMissing and EngineFailed.
    """
    engines: dict[str, Any] = {
        stage: chosen_engine(config, stage, threads=_threads(stage)) for stage in STAGES
    }
    if hasattr(engines["language_model"], "seats"):  # a SeatedModel
        engines["language_model"].seats = seats
    faces = face_engines(config)
    lanes = {name: ThreadLane(name) for name in (*STAGES, *faces)}
    try:
        loading = [lanes[stage].submit(engine.load) for stage, engine in engines.items()]
        while wait(loading, GIVE_UP_S).not_done:
            if given_up():
                raise GivenUp
        for loaded in loading:
            loaded.result()
        yield Engines(
            activity=engines["voice_activity"],
            detector=Hosted(engines["turn_detection"], lanes["turn_detection"]),
            recogniser=Hosted(engines["recognition"], lanes["recognition"]),
            model=Hosted(engines["language_model"], lanes["language_model"]),
            voice=Hosted(engines["synthesis"], lanes["synthesis"]),
            face=tuple(Hosted(engine, lanes[name]) for name, engine in faces.items()),
        )
    finally:
        for lane in lanes.values():
            lane.close()
        deadline = time.monotonic() + LEAVE_S
        for name, lane in lanes.items():
            if ending():
                _not_closed.append((engines | faces)[name])
            elif lane.ended(within_s=max(0.0, deadline - time.monotonic())):
                (engines | faces)[name].close()
            else:
                _at_work.append(lane)


_at_work: list[ThreadLane] = []
"""Lanes that were still at work when their engines should have been closed."""


_not_closed: list[Any] = []
"""Engines that end with the process."""
_MAY_BE_AT_WORK = ("conversation", "face", "host")
"""The window's own threads, which it leaves behind when they do not end in time."""


def end(status: int) -> int:
    """The exit status; but while a library is at work, or was left to end with the process, that
    is here and now.

    Python would take down what the library uses below it: Mesa crashes when the process ends in an
    orderly way while it prepares to draw.
    """
    drawing = any(thread.name in _MAY_BE_AT_WORK for thread in threading.enumerate())
    if not (drawing or _not_closed) and all(lane.ended(within_s=0.0) for lane in _at_work):
        return status
    sys.stdout.flush()
    sys.stderr.flush()
    private_folder.remove_all()
    os._exit(status)


def engine_infos(engines: Engines) -> list[EngineInfo]:
    """What is in use, one entry per stage, in the order of the pipeline."""
    hosted = (engines.detector, engines.recogniser, engines.model, engines.voice)
    in_use: list[Engine] = [engines.activity, *(h.engine for h in hosted)]
    in_use += [one.engine for one in engines.face[:1]]
    return [engine.info for engine in in_use]


def unseen(config: Config) -> Config:
    """The same without a face, where nobody looks: it is neither computed nor told of."""
    if config.face.live_link:
        return config
    return dataclasses.replace(config, face=dataclasses.replace(config.face, engine="none"))


def companions(
    config: Config, session: Session, publish: Callable[[SessionEvent], None]
) -> list[Coroutine[Any, Any, None]]:
    """What runs beside a session for as long as it does."""
    address = config.face.live_link
    if not address:
        return []
    return [live_link.follow(address, session.face, session.clock, publish)]


def system_prompt(config: Config) -> str:
    """Who answers, and how: what the language model always has before it."""
    who = config.persona
    introduction = f"You are {who.name}, {who.role}." if who.name or who.role else ""
    parts = (introduction, who.tone, who.boundaries)
    return " ".join(part.strip() for part in (*parts, config.reply.system_prompt) if part.strip())


def make_session(
    config: Config,
    engines: Engines,
    endpoint: Endpoint,
    publish: Callable[[SessionEvent], None],
    phrases: dict[Phrase, Speech] | None = None,
) -> Session:
    """A session of this configuration at an endpoint; `phrases` as in Session."""
    reply, taking = config.reply, config.turn_taking
    settings = SessionSettings(
        system_prompt=system_prompt(config),
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
    return Session(endpoint, engines, settings, publish, phrases)
