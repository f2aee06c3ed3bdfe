"""The host beside the window: in a thread of its own, with the engines of the conversation here."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, Final

from goassist_desktop import hosting
from goassist_desktop.config import Config
from goassist_desktop.hosting import Place, Serving
from goassist_desktop.pipeline.errors import GoAssistError
from goassist_desktop.pipeline.workers import Engines
from goassist_desktop.ui.ports import BrowserAccess

logger = logging.getLogger(__name__)

LEAVE_S: Final = 0.8
"""How long the conversations of browsers may take to end."""
OWN_SEAT: Final = 1
"""Seats of the language model that browsers do not get: the one of the conversation here."""


class HostThread:
    """Listens from construction until `close`. Every method from any thread."""

    def __init__(self, config: Config, failed: Callable[[str], None]) -> None:
        """`failed` is told, from the host's thread, why it can not listen."""
        self._config = config
        self._failed = failed
        self._fault = ""
        self._serving: Serving | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._over: asyncio.Event | None = None
        self._begun = threading.Event()
        self._thread = threading.Thread(target=self._run, name="host", daemon=True)
        self._thread.start()

    def use(self, engines: Engines) -> None:
        """From now on these are there; returns when browsers may use them."""
        self._begun.wait()
        self._wait_for(self._use(engines))

    def lose(self) -> None:
        """The engines go: every conversation with a browser ends first."""
        self._wait_for(self._lose())

    def close(self) -> None:
        """End everything. Harmless when it has ended."""
        self._begun.wait(LEAVE_S)
        loop, over = self._loop, self._over
        if loop is not None and over is not None:
            with suppress(RuntimeError):  # it has ended already
                loop.call_soon_threadsafe(over.set)
        self._thread.join(LEAVE_S)

    def access(self) -> BrowserAccess:
        """How browsers get in now."""
        serving = self._serving
        if serving is None:
            return BrowserAccess(fault=self._fault)
        return BrowserAccess(
            urls=serving.urls,
            code=serving.pairing.code,
            left_s=serving.pairing.left_s,
            fingerprint=serving.fingerprint,
            talking=serving.server.sessions.active,
        )

    def renew_code(self) -> None:
        if self._serving is not None:
            self._serving.pairing.renew()

    # -- the thread ------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except (GoAssistError, OSError) as error:
            self._fault = str(error)
            self._failed(f"Browsers can not talk to the assistant: {error}")
        except Exception as error:  # a bug, told and logged; the conversation here goes on
            logger.exception("the host broke")
            self._fault = "something went wrong; it was logged"
            self._failed(f"Browsers can not talk to the assistant any more: {error!r}")
        finally:
            self._serving = self._loop = None
            self._begun.set()

    async def _serve(self) -> None:
        self._over = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        host = self._config.host
        bind = hosting.EVERYWHERE if host.network else hosting.LOOPBACK
        async with hosting.serving(self._config, Place(bind, host.port)) as serving:
            self._serving = serving
            self._begun.set()
            await self._over.wait()

    def _wait_for(self, work: Coroutine[Any, Any, None]) -> None:
        loop = self._loop
        if loop is None:
            work.close()
            return
        with suppress(RuntimeError, TimeoutError):
            done: Future[None] = asyncio.run_coroutine_threadsafe(work, loop)
            done.result(LEAVE_S)

    async def _use(self, engines: Engines) -> None:
        if self._serving is not None:
            self._serving.house.use(engines, first_seat=OWN_SEAT)

    async def _lose(self) -> None:
        if self._serving is not None:
            self._serving.house.lose("being loaded")
            await self._serving.server.sessions.close()
