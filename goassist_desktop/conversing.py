"""Holding a conversation through a RecordingEndpoint: in real time, or on virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from goassist_desktop import virtual_time
from goassist_desktop.app import make_session
from goassist_desktop.config import Config
from goassist_desktop.pipeline.conversation import State
from goassist_desktop.pipeline.endpoints.capture import DEVICE_RATE_HZ
from goassist_desktop.pipeline.endpoints.recording import RecordingEndpoint, Said
from goassist_desktop.pipeline.errors import GoAssistError
from goassist_desktop.pipeline.events import SessionEvent
from goassist_desktop.pipeline.frames import BLOCK_MS
from goassist_desktop.pipeline.session import Session
from goassist_desktop.pipeline.workers import Engines
from goassist_desktop.virtual_time import Charge

T = TypeVar("T")

QUIET_S = 0.5
"""The assistant has been quiet for this long before the next recording is spoken."""
SETTLED_S = 1.0
"""Nothing heard, said or thought for this long after a recording: it gets no answer."""
PATIENCE_S = 120.0
"""A session busy for longer than this without a sound is stuck."""
POLL_S = 0.01


class Until:
    """Waiting, by the endpoint's own timeline. What a script speaks, it says to `endpoint`."""

    def __init__(self, session: Session, endpoint: RecordingEndpoint) -> None:
        self.session = session
        self.endpoint = endpoint

    async def position(self, position: int) -> None:
        """Until that many samples at 48 kHz were played and heard."""
        while self.endpoint.position < position:
            await self._poll()

    async def quiet(self, after: Said | None = None) -> None:
        """Until the assistant is quiet, has nothing to answer, and `after` was over for a while.

        Raises GoAssistError when it is stuck.
        """
        settled = 0 if after is None else after.end + round(SETTLED_S * DEVICE_RATE_HZ)
        began = self.endpoint.position
        while (
            self.session.busy
            or self.endpoint.saying
            or self.endpoint.quiet_for() < QUIET_S
            or self.endpoint.position < settled
        ):
            await self._poll()
            if self.endpoint.saying:  # however long the recording is
                began = self.endpoint.position
            waited_s = (self.endpoint.position - began) / DEVICE_RATE_HZ
            if min(waited_s, self.endpoint.quiet_for()) > PATIENCE_S:
                raise GoAssistError(
                    f"nothing came of a recording in {PATIENCE_S:.0f} s "
                    f"(state: {self.session.state})"
                )

    async def reply_to(self, said: Said) -> int:
        """Position at which the reply to `said` became audible; now, if there is none."""
        while True:
            for sound in self.endpoint.sounds[-2:]:
                if sound.start > said.offset:
                    return sound.start
            over = said.end + round(SETTLED_S * DEVICE_RATE_HZ)
            if self.endpoint.position > over and not self.session.busy:
                return self.endpoint.position
            await self._poll()

    async def _poll(self) -> None:
        await asyncio.sleep(POLL_S)
        if self.endpoint.failure is not None:
            raise self.endpoint.failure


Script = Callable[[Until], Awaitable[T]]
"""What the user does: it speaks to `until.endpoint`, and waits with the rest of `until`."""


async def converse(
    session: Session,
    endpoint: RecordingEndpoint,
    script: Script[T],
    *onlookers: Coroutine[Any, Any, None],
) -> T:
    """Run the session until the script is over, and return what it did. Raises what any of them do.

    `onlookers` run for as long.
    """
    return await beside(script(Until(session, endpoint)), session.run(), *onlookers)


def rehearse(
    config: Config,
    engines: Engines,
    endpoint: RecordingEndpoint,
    script: Script[T],
    publish: Callable[[SessionEvent], None],
    charge: Charge | None = None,
) -> T:
    """Hold a conversation on virtual time: real engines, without the waiting.

    `endpoint` was made with `realtime=False`. The engines are those of `loaded_engines`, and may
    serve any number of conversations, one after the other. A step is charged what is typical of
    the profile, so that a conversation is the same every time, unless `charge` says otherwise.
    Returns what the script does; raises what session and script raise.
    """
    charged = charge or virtual_time.fixed(virtual_time.typical_s(config.profile))

    async def main() -> T:
        on_time = virtual_time.on_virtual_time(engines, charged)
        session = make_session(config, on_time, endpoint, publish)
        until = Until(session, endpoint)
        return await beside(script(until), session.run(), _stepping(session, endpoint))

    return virtual_time.run(main())


async def _stepping(session: Session, endpoint: RecordingEndpoint) -> None:
    """The clock of an endpoint that has none, from when the session has started it."""
    while True:
        await asyncio.sleep(BLOCK_MS / 1000)
        if session.state is not State.IDLE:
            endpoint.step()


async def beside(script: Awaitable[T], *services: Coroutine[Any, Any, None]) -> T:
    """The script's result. The services run for as long, and end before it only by an error."""
    reciting = asyncio.ensure_future(script)
    tasks = [reciting, *map(asyncio.ensure_future, services)]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done - {reciting}:
            await task
        return await reciting
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
