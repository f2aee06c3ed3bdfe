"""The host beside the window: in a thread of its own, with the engines of the conversation here.

The port is open for as long as the settings want it, whatever the local conversation does. Engines
are lent to it while they are loaded; what was begun with them ends before they go.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from goassist_desktop.config import Config
from goassist_desktop.config import Host as HostSettings
from goassist_desktop.pipeline.errors import GoAssistError
from goassist_desktop.pipeline.events import Notice
from goassist_desktop.pipeline.workers import Engines
from goassist_desktop.ui.ports import BrowserAccess

if TYPE_CHECKING:
    from goassist_desktop.hosting import Serving

logger = logging.getLogger(__name__)

LEAVE_S: Final = 0.5
"""How long engines are kept for conversations that end."""
NAME: Final = "host"
OWN_SEAT: Final = 1
"""Seats of the language model that browsers do not get: the one of the conversation here."""
OPEN: Final = "browser access: browsers can reach the assistant"


class HostThread:
    """Serves while `follow` is told of settings that want it. From any thread; nothing waits, but
    for the end of `lent`, and `join`."""

    def __init__(self, publish: Callable[[Notice], None]) -> None:
        self._publish = publish
        self._lock = threading.Lock()
        self._config = Config()  # as wanted
        self._engines: Engines | None = None  # as lent
        self._unused = threading.Event()
        """No browser talks to engines that are lent."""
        self._unused.set()
        self._closing = False
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        # From here on by the event loop only; `access` looks at it.
        self._changed = asyncio.Event()
        self._serving: Serving | None = None
        self._used: Engines | None = None
        self._returning: asyncio.Task[None] | None = None
        self._fault = ""

    def follow(self, config: Config) -> None:
        """Serve as these settings want it, or not at all."""
        with self._lock:
            self._config = config
            if self._thread is None and config.host.enabled and not self._closing:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=self._run, name=NAME, daemon=True)
                self._thread.start()
        self._soon(self._look)

    @contextmanager
    def lent(self, engines: Engines) -> Iterator[None]:
        """Browsers talk to these meanwhile. At the end nobody uses them any more."""
        self._engines = engines
        self._soon(self._bring)
        try:
            yield
        finally:
            with self._lock:
                self._engines = None
            self._soon(self._begin_return)
            if not self._unused.wait(LEAVE_S):
                logger.warning("conversations in browsers take long to end")

    def renew_code(self) -> None:
        """Let the next browser in by another code."""
        serving = self._serving
        if serving is not None:
            serving.pairing.renew()

    def access(self) -> BrowserAccess:
        """As things are."""
        serving, wanted = self._serving, self._config.host.enabled
        if not wanted or self._closing:
            return BrowserAccess("off")
        if serving is None:
            return BrowserAccess("failed" if self._fault else "opening", fault=self._fault)
        url = serving.urls[-1] if len(serving.urls) == 1 else serving.urls[1]
        return BrowserAccess(
            "open",
            addresses=serving.urls,
            link=serving.link(url),
            code=serving.pairing.code,
            code_left_s=serving.pairing.left_s,
            fingerprint=serving.fingerprint,
            talking=serving.house.talking,
            waiting=serving.house.waiting(),
            places=serving.house.max_sessions,
        )

    def close(self) -> None:
        """Close the port and end every conversation, soon: see `join`."""
        with self._lock:
            self._closing = True
        self._soon(self._look)

    def join(self, within_s: float) -> None:
        if self._thread is not None:
            self._thread.join(within_s)

    # -- from other threads ----------------------------------------------------------------------

    def _soon(self, what: Callable[[], object]) -> None:
        """In the event loop; never, if there is none or it has ended."""
        if self._loop is not None:
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(what)

    # -- the thread ------------------------------------------------------------------------------

    def _run(self) -> None:
        loop = self._loop
        assert loop is not None
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            try:
                runner.run(self._live())
            except Exception as error:  # a bug, told and logged; the window stays
                logger.exception("the host broke")
                self._fail(f"it broke: {error!r}")
        self._unused.set()

    async def _live(self) -> None:
        while not self._closing:
            config = self._config
            try:
                if config.host.enabled:
                    await self._serve(config)
            except (GoAssistError, OSError) as error:
                self._fail(str(error))
            await self._until_other(config.host)

    async def _serve(self, config: Config) -> None:
        from goassist_desktop import hosting  # takes half a second, which the window has not

        bind = hosting.EVERYWHERE if config.host.network else hosting.LOOPBACK
        try:
            place = hosting.Place(bind, config.host.port)
            async with hosting.serving(config, place) as self._serving:
                if self._fault:
                    self._fault = ""
                    self._publish(Notice("info", OPEN))
                self._look()
                self._bring()
                await self._until_other(config.host)
        finally:
            self._serving = None
            self._leave()

    async def _until_other(self, host: HostSettings) -> None:
        """Until other settings than these are wanted."""
        while not self._closing and self._config.host == host:
            self._changed.clear()
            await self._changed.wait()

    def _look(self) -> None:
        """Something else may be wanted."""
        if self._serving is not None:
            self._serving.house.follow(self._config)
        self._changed.set()

    def _bring(self) -> None:
        """Let the house have the engines that are lent."""
        with self._lock:
            engines, serving = self._engines, self._serving
            if serving is None or engines is None or engines is self._used:
                return
            if self._returning is not None:
                return  # it brings them when it is done
            self._used = engines
            self._unused.clear()
        serving.house.use(engines, first_seat=OWN_SEAT)

    def _begin_return(self) -> None:
        if self._serving is None:
            self._leave()
            return
        self._returning = asyncio.create_task(
            self._return(self._serving), name="return of the engines"
        )

    async def _return(self, serving: Serving) -> None:
        """Leave the engines alone. Whoever comes meanwhile is told to wait."""
        serving.house.refuse("being loaded")
        await serving.server.sessions.close()
        serving.house.lose("being loaded")
        self._leave()
        self._returning = None
        self._bring()

    def _leave(self) -> None:
        self._used = None
        self._unused.set()

    def _fail(self, why: str) -> None:
        self._fault = why
        self._publish(Notice("error", f"browser access: {why}"))
