"""The composition root: from settings to engines, and from engines to a session."""

from __future__ import annotations

import dataclasses
import os
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from concurrent.futures import Future, wait
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from goassist_desktop import gpu_account, live_link, log_file, shipped, weights
from goassist_desktop.catalogue import pocket, studio
from goassist_desktop.config import Config
from goassist_desktop.gpu_account import PROCESSOR, Place
from goassist_desktop.pipeline import private_folder
from goassist_desktop.pipeline.endpointing import EndOfTurn
from goassist_desktop.pipeline.engines import create
from goassist_desktop.pipeline.engines.kyutai_server import Kyutai
from goassist_desktop.pipeline.engines.model_apart import Made, ModelApart
from goassist_desktop.pipeline.engines.openai_server import Server
from goassist_desktop.pipeline.engines.vllm import Served
from goassist_desktop.pipeline.errors import EngineFailed, GoAssistError
from goassist_desktop.pipeline.events import SessionEvent
from goassist_desktop.pipeline.frames import Speech
from goassist_desktop.pipeline.protocols import Endpoint, Engine, EngineInfo
from goassist_desktop.pipeline.session import Session, SessionSettings
from goassist_desktop.pipeline.turn import Phrase, TurnSettings
from goassist_desktop.pipeline.workers import Engines, Hosted, ThreadLane
from goassist_desktop.supply import offers
from goassist_desktop.supply.offers import model_names

STAGES = ("voice_activity", "turn_detection", "recognition", "language_model", "synthesis")
LADDERS = {"recognition": "recogniser", "language_model": "model", "synthesis": "voice"}
"""Stages where another engine goes on when the chosen one fails, and their place in Engines."""
SERVERS: dict[str, Callable[[Config], Any]] = {
    "openai-server": lambda config: Server(
        config.language_server.url, config.language_server.model, config.language_server.key
    ),
    "deepgram": lambda config: config.recognition.deepgram_url,
    "vllm": lambda config: Served(
        config.vllm.model,
        config.vllm.gpu_share,
        log_file.folder() / "vllm.log",
        config.vllm.program,
    ),
    "xtts": studio,
    "pocket-tts": pocket,
    "kyutai-server": lambda config: Kyutai(
        config.kyutai.url, config.kyutai.key, config.kyutai.voice
    ),
}
"""Engines whose model is elsewhere: what each is made from."""
LEAVE_S = 0.6
"""How long the engines may take to finish their steps when the program ends."""
GIVE_UP_S = 0.05
"""How often it is asked while the engines are loaded."""
_FACE_MODEL = {"audio2face": "audio2face-3d-v2.3-mark", "lam": "lam-audio2expression"}
"""Face engines whose files are not part of this program."""


class GivenUp(Exception):
    """The engines are not wanted any more."""


def threads_for(stage: str) -> int:
    """Cores for a stage. The two heavy ones may take all: they seldom work at once."""
    cores = psutil.cpu_count(logical=False) or os.cpu_count() or 1
    return {"recognition": min(cores, 4), "language_model": min(cores, 8)}.get(stage, 1)


def chosen_engine(config: Config, stage: str, *, threads: int, place: Place = PROCESSOR) -> Any:
    """The engine of a stage, not loaded. Raises ModelMissing."""
    name = getattr(config.engines, stage)
    elsewhere = SERVERS.get(name)
    source = elsewhere(config) if elsewhere else weights.path(model_names(config)[stage])
    return _engine(config, stage, name, source, threads, place)


def _engine(config: Config, stage: str, name: str, source: Any, threads: int, place: Place) -> Any:
    how, device = config.recognition, place.device
    heard = {"language": how.language, "hot_words": how.hot_words}
    wanted = how.device if how.device != "auto" and device == "cpu" else device
    options = {
        "whisper": heard | {"device": wanted},
        "deepgram": heard | {"key": how.deepgram_key},
        "llama-cpp": {"device": device},
        "vllm": {"device": device},
        "xtts": {"device": device},
    }
    told = options.get(name, {})
    engine = create(stage, name, source, threads=threads, **told)
    if name == "llama-cpp" and device != "cpu":
        made = Made(name, source, threads, told)
        return ModelApart(engine.info, made, log_file.folder() / "language-model.log")
    return engine


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
    account, places = gpu_account.Account(), gpu_account.plan(config, gpu_account.cards())
    chosen = {
        stage: chosen_engine(
            config, stage, threads=threads_for(stage), place=places.get(stage, PROCESSOR)
        )
        for stage in STAGES
    }
    below = {stage: _spares(config, stage, places.get(stage, PROCESSOR)) for stage in LADDERS}
    faces = face_engines(config)
    if hasattr(chosen["language_model"], "seats"):  # a SeatedModel
        chosen["language_model"].seats = seats
    lanes = [(engine, ThreadLane(name)) for name, engine in faces.items()]

    def load(engine: Any, name: str) -> Future[None]:
        lane = ThreadLane(name)
        lanes.append((engine, lane))
        return lane.submit(partial(_load, engine, account, name, places.get(name, PROCESSOR)))

    def hosted(engine: Any, below: Sequence[Any] = (), trouble: str = "") -> Hosted[Any]:
        (lane,) = (lane for one, lane in lanes if one is engine)
        return Hosted(engine, lane, tuple(hosted(one) for one in below), trouble)

    try:
        loading = {stage: load(engine, stage) for stage, engine in chosen.items()}
        waited_for = [
            loaded
            for stage, loaded in loading.items()
            if not (below.get(stage) and getattr(chosen[stage], "starts_slowly", False))
        ]
        _await(waited_for, given_up)
        # These are not waited for, unless they are needed at once.
        standing_by = {
            stage: [load(one, f"spare {stage}") for one in below[stage]] for stage in LADDERS
        }
        trouble = {
            stage: _replaced(loaded, standing_by.get(stage, []), given_up)
            for stage, loaded in loading.items()
        }
        yield Engines(
            activity=chosen["voice_activity"],
            detector=hosted(chosen["turn_detection"]),
            **{
                field: hosted(chosen[stage], below[stage], trouble[stage])
                for stage, field in LADDERS.items()
            },
            face=tuple(hosted(engine) for engine in faces.values()),
        )
    finally:
        for _, lane in lanes:
            lane.close()
        deadline = time.monotonic() + LEAVE_S
        for engine, lane in lanes:
            if ending():
                _not_closed.append(engine)
            elif lane.ended(within_s=max(0.0, deadline - time.monotonic())):
                engine.close()
            else:
                _at_work.append(lane)


def _load(engine: Any, account: gpu_account.Account, stage: str, place: Place) -> None:
    if place.refused:
        info = engine.info
        raise EngineFailed(f"{info.name}, {info.model}: {place.refused}")
    with account.taking(stage, place):
        engine.load()


def _spares(config: Config, stage: str, place: Place) -> list[Any]:
    """Who goes on where the chosen engine of a stage fails. One: each takes its memory; and on the
    processor: it is there too for when a graphics card fails."""
    model = offers.spare(config, stage, on_processor=place is PROCESSOR)
    if model is None:
        return []
    source = weights.path(model.name)
    return [_engine(config, stage, model.engine, source, threads_for(stage), PROCESSOR)]


def _replaced(
    loaded: Future[None], spares: Sequence[Future[None]], given_up: Callable[[], bool]
) -> str:
    """Why an engine can not be used but another is there for it; empty where it can be used."""
    if loaded.done() and loaded.exception() is None:
        return ""
    if not loaded.done() or isinstance(loaded.exception(), GoAssistError):
        _await(spares, given_up)
        if any(spare.exception() is None for spare in spares):
            return str(loaded.exception()) if loaded.done() else "it is being started"
        _await([loaded], given_up)
    loaded.result()
    return ""


def _await(loading: Iterable[Future[None]], given_up: Callable[[], bool]) -> None:
    while wait(loading, GIVE_UP_S).not_done:
        if given_up():
            raise GivenUp


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
    in_use: list[Engine] = [engines.activity, *(_working(one).engine for one in hosted)]
    in_use += [one.engine for one in engines.face[:1]]
    return [engine.info for engine in in_use]


def _working(top: Hosted[Any]) -> Hosted[Any]:
    return next((one for one in (top, *top.below) if not one.trouble), top)


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
