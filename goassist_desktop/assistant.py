"""The conversation of this machine, in a thread of its own: what the window talks to.

The thread loads the engines and holds one session after the other at the sound card, until it is
told to end. Nobody waits for it, and it waits for nobody: requests are handed to its event loop,
and what happens is published.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import threading
import time
from collections.abc import Callable, Coroutine, Iterable, Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any, Final, Literal

from goassist_desktop.app import GivenUp, companions, engine_infos, loaded_engines, make_session
from goassist_desktop.config import Config
from goassist_desktop.conversing import beside
from goassist_desktop.host_thread import OWN_SEAT, HostThread
from goassist_desktop.kept_session import KeptSession
from goassist_desktop.pipeline import blendshapes
from goassist_desktop.pipeline.blendshapes import Pose
from goassist_desktop.pipeline.conversation import State
from goassist_desktop.pipeline.endpoints.local import LocalEndpoint
from goassist_desktop.pipeline.errors import (
    ConfigError,
    DeviceFailed,
    EngineFailed,
    GoAssistError,
    ModelMissing,
)
from goassist_desktop.pipeline.events import SessionEvent, StateChanged
from goassist_desktop.pipeline.protocols import Endpoint
from goassist_desktop.pipeline.session import Session
from goassist_desktop.pipeline.workers import Engines
from goassist_desktop.replay.recorder import Surroundings
from goassist_desktop.ui.ports import BrowserAccess, Loading, Publish, Ready, Unable

logger = logging.getLogger(__name__)

CLOSE_S: Final = 0.4
"""The end of a session and of its engines: all of the program ends within a second. Who is at work
for longer is left behind, see `app.end`."""
ALIVE_S: Final = 0.5
SILENT_DB: Final = -120.0

Cause = Literal["models", "memory", "engine", "sound", "bug"]


def _sound_card(config: Config) -> Endpoint:
    return LocalEndpoint(*_devices(config), echo=config.audio.echo_cancellation, patient=True)


def _browsers(config: Config) -> int:
    """How many may talk at once."""
    return config.max_sessions if config.host.enabled else 0


def _nothing(session: Session, endpoint: Endpoint) -> Iterable[Coroutine[Any, Any, None]]:
    return ()


@dataclasses.dataclass(frozen=True, slots=True)
class Venue:
    """Where a session is held, what runs beside it, and with what engines."""

    endpoint: Callable[[Config], Endpoint] = _sound_card
    beside: Callable[[Session, Endpoint], Iterable[Coroutine[Any, Any, None]]] = _nothing
    engines: Callable[
        [Config, Callable[[], bool], Callable[[], bool], int], AbstractContextManager[Engines]
    ] = loaded_engines


@dataclasses.dataclass(frozen=True, slots=True)
class _Held:
    """The session that is going on."""

    session: Session
    endpoint: Endpoint
    ask: Callable[..., None]
    loop: asyncio.AbstractEventLoop
    over: asyncio.Event

    def soon(self, what: Callable[[], object]) -> None:
        """In its event loop; never, if that has ended."""
        with suppress(RuntimeError):
            self.loop.call_soon_threadsafe(what)


class LocalAssistant:
    """A `ports.Assistant` at this machine's sound card, unless `venue` says otherwise."""

    def __init__(
        self,
        config: Config,
        publish: Publish,
        venue: Venue | None = None,
        alive: Callable[[], None] = lambda: None,
    ) -> None:
        """`alive` is called every ALIVE_S by whoever is at work, while nothing hangs."""
        self._alive = alive
        self._publish = publish
        self._venue = venue or Venue()
        self._lock = threading.Lock()
        self._config = config  # as wanted; what is in use is an argument of what uses it
        self._wanted = threading.Event()  # a conversation other than the one there is
        self._closing = False
        self._muted = False
        self._greeting = config.persona.greeting  # until it was said
        self._thread: threading.Thread | None = None
        self._kept = KeptSession()
        self._held: _Held | None = None
        self._host = HostThread(lambda notice: self._publish(notice))

    # -- ports.Assistant -------------------------------------------------------------------------

    def start(self, greeting: str = "") -> None:
        self._greeting = greeting or self._greeting
        self._host.follow(self._config)
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._live, name="conversation", daemon=True)
                self._thread.start()
        self._wanted.set()

    def use(self, config: Config) -> None:
        with self._lock:
            before, self._config = self._config, config
        self._host.follow(config)
        held = self._held
        if held is not None and _devices(before) != _devices(config):
            if isinstance(held.endpoint, LocalEndpoint):
                held.endpoint.use(*_devices(config))
        if before.audio.push_to_talk != config.audio.push_to_talk:
            self._ask("push_to_talk_only", config.audio.push_to_talk)
        if _conversation(before) != _conversation(config) or _engines(before) != _engines(config):
            self.restart()

    def restart(self) -> None:
        self._wanted.set()
        held = self._held
        if held is not None:
            held.soon(held.over.set)

    def close(self) -> None:
        self._closing = True
        self.restart()
        self._host.close()
        deadline = time.monotonic() + CLOSE_S
        if self._thread is not None:
            self._thread.join(CLOSE_S)
        self._host.join(max(0.0, deadline - time.monotonic()))
        self._publish = lambda event: None  # who is left behind has nobody to tell

    def say(self, text: str) -> None:
        self._ask("say", text)

    def stop_talking(self) -> None:
        self._ask("stop_talking")

    def mute(self, muted: bool) -> None:
        self._muted = muted
        self._ask("mute", muted)

    def push_to_talk(self, pressed: bool) -> None:
        self._ask("push_to_talk", pressed)

    def sleep(self) -> None:
        self._ask("sleep", self._config.kiosk.wake_word)

    def level_db(self) -> float:
        held = self._held
        return SILENT_DB if held is None else held.session.level_db

    def pose(self) -> Pose:
        held = self._held
        if held is None:
            return Pose(0.0, blendshapes.rest(), (0.0, 0.0, 0.0), False, 0.0)
        return held.session.face.pose()

    def hurried(self) -> bool:
        held = self._held
        return held is None or held.session.hurried

    def shown(self, pose: Pose) -> None:
        held = self._held
        if held is not None:
            held.session.face.shown(pose)

    def face_offsets_ms(self) -> Sequence[float]:
        held = self._held
        return () if held is None else tuple(held.session.face.offsets_ms)

    def keep_session(self, folder: Path) -> None:
        self._kept.keep(folder)

    def browser_access(self) -> BrowserAccess:
        return self._host.access()

    def renew_code(self) -> None:
        self._host.renew_code()

    # -- the thread ------------------------------------------------------------------------------

    def _live(self) -> None:
        """Hold conversations, until closing. After one that failed, wait to be told to go on."""
        while not self._closing:
            while not self._wanted.wait(ALIVE_S):
                self._alive()
            if self._closing:
                return
            try:
                self._with_engines()
            except GivenUp:
                self._wanted.set()
            except GoAssistError as error:
                self._publish(Unable(str(error), _cause(error)))
            except MemoryError:
                self._publish(Unable("there is not enough memory for the models", "memory"))
            except Exception as error:  # a bug, told and logged; the window stays
                logger.exception("the conversation broke")
                self._publish(Unable(f"the conversation broke: {error!r}", "bug"))

    def _with_engines(self) -> None:
        """Hold one session after the other, for as long as these engines are wanted."""
        config = self._next()
        began = time.monotonic()
        self._publish(Loading())
        seats = OWN_SEAT + _browsers(config)
        made = self._venue.engines(config, self._give_up(config), self._ending, seats)
        with made as engines, self._host.lent(engines):
            while not self._closing and _engines(self._config) == _engines(config):
                self._hold_one(self._next(), engines, began)
                began = time.monotonic()
                self._publish(Loading())  # until the next one listens
        self._wanted.set()

    def _next(self) -> Config:
        """What to do now. What is wanted from here on is something else."""
        self._wanted.clear()
        return self._config

    def _give_up(self, config: Config) -> Callable[[], bool]:
        def give_up() -> bool:
            self._alive()
            return self._closing or _engines(self._config) != _engines(config)

        return give_up

    def _ending(self) -> bool:
        return self._closing

    async def _living(self) -> None:
        while True:
            self._alive()
            await asyncio.sleep(ALIVE_S)

    def _hold_one(self, config: Config, engines: Engines, began: float) -> None:
        """One session, until it is to be over."""
        ready = False

        def publish(event: SessionEvent) -> None:
            nonlocal ready
            if not ready and isinstance(event, StateChanged) and event.state is State.LISTENING:
                ready = True
                self._publish(Ready(tuple(engine_infos(engines)), time.monotonic() - began))
            self._publish(event)

        endpoint = self._venue.endpoint(config)
        with self._kept.recorded(config, engines, endpoint, publish) as made_of:
            made_of.run(self._converse(config, made_of, endpoint))

    async def _converse(self, config: Config, made_of: Surroundings, endpoint: Endpoint) -> None:
        session = make_session(config, made_of.engines, made_of.endpoint, made_of.publish)
        loop, over = asyncio.get_running_loop(), asyncio.Event()
        self._held = _Held(session, endpoint, made_of.ask, loop, over)
        if self._wanted.is_set() or self._config is not config:
            self._held = None  # said before there was anybody to hear it
            return
        if self._muted:
            made_of.ask(session.mute, True)
        if config.audio.push_to_talk:
            made_of.ask(session.push_to_talk_only, True)
        if self._greeting:
            made_of.ask(session.greet, self._greeting)
            self._greeting = ""
        services = (
            *companions(config, session, made_of.publish),
            *self._venue.beside(session, endpoint),
        )
        try:
            await beside(over.wait(), session.run(), self._living(), *services)
        finally:
            self._held = None

    def _ask(self, name: str, *what: str | bool) -> None:
        """Of the session, if there is one: the request of this name."""
        held = self._held
        if held is not None:
            held.soon(lambda: held.ask(getattr(held.session, name), *what))


def _devices(config: Config) -> tuple[str | None, str | None]:
    return config.audio.input_device or None, config.audio.output_device or None


def _engines(config: Config) -> tuple[object, ...]:
    """What engines are made with: another value means other engines."""
    servers = config.recognition, config.language_server, config.vllm
    voices = config.xtts, config.pocket, config.kyutai
    voice, browsers = config.persona.voice, _browsers(config)
    return (
        config.profile,
        config.engines,
        config.models,
        *servers,
        *voices,
        config.face,
        voice,
        browsers,
    )


def _conversation(config: Config) -> Config:
    """What a session is made with: another value begins a new one. The rest is the window's."""
    default = Config()
    return dataclasses.replace(
        config,
        audio=dataclasses.replace(
            config.audio, input_device="", output_device="", push_to_talk=False
        ),
        persona=dataclasses.replace(config.persona, head=default.persona.head, greeting=""),
        window=default.window,
        privacy=dataclasses.replace(config.privacy, keep_history=False),
        kiosk=default.kiosk,
        host=default.host,
        max_sessions=default.max_sessions,
    )


def _cause(error: GoAssistError) -> Cause:
    match error:
        case ModelMissing():
            return "models"
        case DeviceFailed() | ConfigError():
            return "sound"
        case EngineFailed():
            return "engine"
    return "bug"
