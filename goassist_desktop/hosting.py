"""The host as a whole: engines shared by everybody, a seat for each, and the server before it."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import platformdirs

from goassist_desktop import gpu_account, memory
from goassist_desktop.app import engine_infos, make_session, unseen
from goassist_desktop.config import Config
from goassist_desktop.gpus import Gpu
from goassist_desktop.host import address, certificate, page_files
from goassist_desktop.host.hosted import HostedSession
from goassist_desktop.host.ice import IceSettings
from goassist_desktop.host.limits import Limits
from goassist_desktop.host.load import EFFECTS, Load, Measured
from goassist_desktop.host.metrics import Metrics
from goassist_desktop.host.pairing import Pairing
from goassist_desktop.host.ports import Wish
from goassist_desktop.host.server import Server
from goassist_desktop.pipeline.errors import EngineFailed
from goassist_desktop.pipeline.events import Notice, SessionEvent, TurnClosed
from goassist_desktop.pipeline.frames import Speech
from goassist_desktop.pipeline.protocols import Endpoint, LanguageModel
from goassist_desktop.pipeline.session import Session
from goassist_desktop.pipeline.turn import Phrase
from goassist_desktop.pipeline.workers import Engines, Hosted, ThreadLane

logger = logging.getLogger(__name__)

LOOPBACK: Final = "127.0.0.1"
EVERYWHERE: Final = "0.0.0.0"
MEASURE_S: Final = 1.0
REMEMBERED_S: Final = 60.0
"""Turns of the last minute say how fast the assistant is."""
FEWEST_TURNS: Final = 5
"""One failed turn of two is no rate."""
STAGES: Final = ("voice_activity", "turn_detection", "recognition", "language_model", "synthesis")


class Seats:
    """A place in the language model for each conversation, with a lane of its own."""

    def __init__(self, model: Hosted[LanguageModel], first: int) -> None:
        """`first`: seats before this one belong to somebody else."""
        self._lanes: list[ThreadLane] = []
        self._free: deque[Hosted[LanguageModel]] = deque()
        engine: Any = model.engine
        seats: int = getattr(engine, "seats", 0)  # a SeatedModel's, whether or not it is loaded
        if seats > first:
            for index in range(first, seats):
                lane = ThreadLane(f"language_model {index}")
                self._lanes.append(lane)
                self._free.append(replace(model, engine=engine.seat(index), lane=lane))
        else:  # one seat that all take in turns
            self._shared = model

    _shared: Hosted[LanguageModel] | None = None

    def take(self) -> Hosted[LanguageModel]:
        if self._shared is not None:
            return self._shared
        if not self._free:
            raise EngineFailed("language model: every seat is taken")
        return self._free.popleft()

    def give_back(self, seat: Hosted[LanguageModel]) -> None:
        if self._shared is None:
            self._free.append(seat)

    def close(self) -> None:
        for lane in self._lanes:
            lane.close()


class AssistantHouse:
    """A `ports.House`. From the host's event loop only."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._engines: Engines | None = None
        self._why = "being loaded"
        self._seats: Seats | None = None
        self._phrases: dict[Phrase, Speech] = {}
        self._load = Load()
        self._cards: list[Gpu] = []
        self._tidy = True  # nothing was left by anybody
        self._held: set[HostedSession] = set()
        self._turns: deque[tuple[float, TurnClosed]] = deque()
        self._metrics = Metrics()
        self._replaced: dict[str, str] = {}
        self._ice = ice_settings(config)
        self.waiting: Callable[[], int] = lambda: 0
        """How many wait for a place."""

    # -- ports.House -----------------------------------------------------------------------------

    @property
    def max_sessions(self) -> int:
        return self._config.max_sessions

    @property
    def level(self) -> int:
        return self._load.level(len(self._held), self.max_sessions)

    def open(self, session_id: str, wish: Wish) -> HostedSession:
        engines, seats = self._engines, self._seats
        if engines is None or seats is None:
            raise EngineFailed(f"the engines are {self._why}")
        config = self._config if wish.avatar else unseen(self._config)
        if wish.system_prompt:
            config = replace(config, reply=replace(config.reply, system_prompt=wish.system_prompt))
        seat = seats.take()
        own = replace(engines, model=seat, face=engines.face if wish.avatar else ())

        def make(endpoint: Endpoint, publish: Callable[[SessionEvent], None]) -> Session:
            return make_session(config, own, endpoint, publish, self._phrases)

        def ended() -> None:
            seats.give_back(seat)
            self._held.discard(hosted)
            self._tidy = False

        persona = config.persona
        hosted = HostedSession(
            session_id,
            {"persona": persona.name, "head": persona.head, "avatar": wish.avatar},
            make,
            ice=self._ice,
            greeting=persona.greeting,
            watch=self._note,
            face_shown=lambda offset_ms: self._metrics.av_offset.observe(offset_ms / 1000),
            ended=ended,
        )
        hosted.use(EFFECTS[self.level])
        self._held.add(hosted)
        self._metrics.sessions_begun.inc()
        return hosted

    def missing(self) -> Mapping[str, str]:
        if self._engines is None:
            return dict.fromkeys(STAGES, self._why)
        return {
            info.stage: "a stand-in is used"
            for info in engine_infos(self._engines)
            if info.stand_in
        }

    def replaced(self) -> Mapping[str, str]:
        return self._replaced

    def engines(self) -> list[dict[str, Any]]:
        if self._engines is None:
            return []
        return [
            {
                "stage": info.stage,
                "name": info.name,
                "model": info.model,
                "licence": info.licence,
                "cloud": info.cloud,
            }
            for info in engine_infos(self._engines)
        ]

    def metrics(self) -> bytes:
        self._metrics.states([hosted.state for hosted in self._held])
        self._metrics.waiting.set(self.waiting())
        self._metrics.level.set(self.level)
        return self._metrics.render()

    # -- the composition's side ------------------------------------------------------------------

    def use(self, engines: Engines, first_seat: int = 0) -> None:
        """From now on these are there."""
        self._seats = Seats(engines.model, first_seat)
        self._engines = engines
        laddered = (engines.recogniser, engines.model, engines.voice)
        self._replaced = {one.engine.info.stage: one.trouble for one in laddered if one.trouble}

    def follow(self, config: Config) -> None:
        """Conversations that begin from now on are held like this."""
        self._config = config

    @property
    def talking(self) -> int:
        """How many conversations there are. From any thread."""
        return len(self._held)

    def refuse(self, why: str) -> None:
        """Nobody else may begin; who is here goes on."""
        self._engines, self._why = None, why

    def lose(self, why: str) -> None:
        """From now on there are none: nobody may use them any more."""
        self.refuse(why)
        if self._seats is not None:
            self._seats.close()
            self._seats = None

    async def measure(self) -> None:
        """Look how much there is to do, until cancelled."""
        told = dropped = 0
        while True:
            await asyncio.sleep(MEASURE_S)
            if not self._held and not self._tidy:
                memory.give_back()
                self._tidy = True
            before, dropped = dropped, sum(hosted.dropped for hosted in self._held)
            self._metrics.dropped(dropped - before)
            self._cards = await asyncio.to_thread(gpu_account.cards)
            for card in self._cards:
                self._metrics.gpu_memory(card.index, card.used, card.total)
            self._load.note(self._measured(), time.monotonic())
            level = self.level
            if level != told:
                told, effects = level, EFFECTS[level]
                logger.info("load level %d", level)
                for hosted in self._held:
                    hosted.use(effects)
                    hosted.tell({"type": "load", "level": level, "text": effects.text})

    # -- inside ----------------------------------------------------------------------------------

    def _note(self, event: SessionEvent) -> None:
        self._metrics.take(event)
        match event:
            case TurnClosed():
                self._turns.append((time.monotonic(), event))
            case Notice(level, what, source) if source not in ("", "face"):
                if level == "warning":
                    self._replaced[source] = what
                else:
                    self._replaced.pop(source, None)

    def _measured(self) -> Measured:
        now = time.monotonic()
        while self._turns and now - self._turns[0][0] > REMEMBERED_S:
            self._turns.popleft()
        turns = [turn for _, turn in self._turns]
        ttfas = [ms for turn in turns if (ms := turn.intervals_ms.get("ttfa")) is not None]
        failed = sum(turn.outcome == "failed" for turn in turns)
        enough = len(turns) >= FEWEST_TURNS
        longest = self._config.host.longest_ttfa_ms
        return Measured(
            ttfa=sum(ttfas) / len(ttfas) / longest if len(ttfas) >= FEWEST_TURNS else None,
            error_rate=failed / len(turns) if enough else None,
            gpu_memory=max((card.full for card in self._cards), default=None),
        )


@dataclass(frozen=True, slots=True)
class Place:
    """Where the host listens, and how."""

    bind: str
    port: int
    https: bool = True
    token: str = ""
    """Empty: the one that is kept."""


@dataclass(frozen=True, slots=True)
class Serving:
    """A host that listens."""

    house: AssistantHouse
    server: Server
    pairing: Pairing
    urls: tuple[str, ...]
    """Of the page, this machine's own first."""
    fingerprint: str
    """Of the certificate; empty without one."""

    def link(self, url: str) -> str:
        """The page, with the code that lets a browser in."""
        return f"{url}#code={self.pairing.code}"


@asynccontextmanager
async def serving(
    config: Config, place: Place, limits: Limits | None = None
) -> AsyncIterator[Serving]:
    """Listen, in the running event loop; what is not there yet is said to who asks. `limits`: other
    than the usual ones.

    Raises AddressTaken, and OSError where certificate or token can not be kept.
    """
    folder = data_folder()
    chain = certificate.ready_certificate(folder, address.own_names()) if place.https else None
    house, pairing, ice = AssistantHouse(config), Pairing(), ice_settings(config)
    server = Server(
        house,
        token=place.token or config.host.token or kept_token(folder),
        pairing=pairing,
        page=page_files.files(),
        ice_servers=ice.for_browser(),
        tls=certificate.tls(chain) if chain else None,
        limits=limits,
    )
    house.waiting = lambda: sum(one.waiting for one in server.sessions.all)
    addresses = await server.start(place.bind, place.port)
    measuring = asyncio.create_task(house.measure(), name="load")
    try:
        yield Serving(
            house,
            server,
            pairing,
            _urls(place, addresses[0][1]),
            certificate.fingerprint(chain) if chain else "",
        )
    finally:
        measuring.cancel()
        with suppress(asyncio.CancelledError):
            await measuring
        await server.stop()
        house.lose("gone")


def ice_settings(config: Config) -> IceSettings:
    host = config.host
    return IceSettings(host.stun, host.turn, host.turn_user, host.turn_password)


def data_folder() -> Path:
    return Path(platformdirs.user_data_dir("goassist", appauthor=False)) / "host"


def kept_token(folder: Path) -> str:
    """The token of this machine, made at first use. Raises OSError."""
    path = folder / "token"
    with suppress(FileNotFoundError):
        if token := path.read_text(encoding="ascii", errors="ignore").strip():
            return token
    folder.mkdir(parents=True, exist_ok=True)
    token = secrets.token_urlsafe(32)
    path.unlink(missing_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(token + "\n")
    return token


def _urls(place: Place, port: int) -> tuple[str, ...]:
    scheme = "https" if place.https else "http"
    if place.bind in ("0.0.0.0", "::"):
        names = [address.LOOPBACK, *address.network_addresses()]
    else:
        names = [place.bind]
    hosts = [f"[{name}]" if ":" in name else name for name in names]
    return tuple(f"{scheme}://{host}:{port}/" for host in hosts)
