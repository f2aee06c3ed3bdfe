"""The places there are, who has one, and who waits for one."""

from __future__ import annotations

import asyncio
import logging
import math
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from goassist_desktop.host.errors import ApiError
from goassist_desktop.host.ports import Hosted, House, Wish
from goassist_desktop.pipeline.errors import GoAssistError

logger = logging.getLogger(__name__)

IDLE_S: Final = 300.0
LONGEST_S: Final = 3600.0
ASKED_S: Final = 10.0
"""Who waits for a place, and does not ask for so long, waits no more."""
LONGEST_QUEUE: Final = 100
REAP_S: Final = 1.0
RETRY_S: Final = 15
"""When to try again, where nobody can know."""
WAIT_LEVEL, REFUSE_LEVEL = 4, 5


@dataclass(slots=True)
class Place:
    """A session, or somebody who waits to have one."""

    session_id: str
    wish: Wish
    since: float
    created_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    hosted: Hosted | None = None
    """None while it waits."""
    asked: float = 0.0

    @property
    def waiting(self) -> bool:
        return self.hosted is None


class Sessions:
    """All sessions of a house. From its event loop only; `now` is seconds of its clock."""

    def __init__(self, house: House, now: Callable[[], float]) -> None:
        self._house = house
        self._now = now
        self._places: dict[str, Place] = {}  # in order of arrival
        self._leaving: set[asyncio.Task[None]] = set()

    # -- what the API asks for -------------------------------------------------------------------

    def create(self, session_id: str | None, wish: Wish, *, wait: bool) -> Place:
        """A session, or with `wait` a place in the queue where there is none now.

        Raises ApiError: the id exists, there is no place, or the engines are not there yet.
        """
        if session_id is not None and session_id in self._places:
            raise ApiError(409, "exists", "There is a session with this id already.")
        if missing := self._house.missing():
            parts = ", ".join(missing)
            raise ApiError(503, "not_ready", f"The assistant is not ready: {parts}.", RETRY_S)
        if self._house.level >= REFUSE_LEVEL:
            raise ApiError(503, "busy", "The assistant is too busy for anybody else.", RETRY_S)
        place = Place(session_id or secrets.token_urlsafe(12), wish, self._now())
        place.asked = place.since
        if self.available and not self._queue and self._house.level < WAIT_LEVEL:
            self._open(place)
        elif not wait:
            full = not self.available
            code, what = ("full", "Every place is taken") if full else ("busy", "Somebody waits")
            raise ApiError(503, code, f"{what}; try again later.", self._retry_s())
        elif len(self._queue) >= LONGEST_QUEUE:
            raise ApiError(503, "full", "Too many wait already.", self._retry_s())
        self._places[place.session_id] = place
        return place

    def get(self, session_id: str) -> Place:
        """Raises ApiError where there is none."""
        place = self._places.get(session_id)
        if place is None:
            raise ApiError(404, "unknown_session", "There is no session with this id.")
        place.asked = self._now()
        return place

    def hosted(self, session_id: str) -> Hosted:
        """The conversation. Raises ApiError where there is none, or it waits for its place."""
        hosted = self.get(session_id).hosted
        if hosted is None:
            raise ApiError(409, "waiting", "This session waits for its place.")
        return hosted

    async def end(self, session_id: str) -> None:
        """Raises ApiError where there is none."""
        await self._end(self.get(session_id))

    def queue_place(self, place: Place) -> int:
        """1 for who is next."""
        return self._queue.index(place) + 1

    @property
    def all(self) -> list[Place]:
        return list(self._places.values())

    @property
    def active(self) -> int:
        return sum(not place.waiting for place in self._places.values()) + len(self._leaving)

    @property
    def available(self) -> int:
        return max(0, self._house.max_sessions - self.active)

    @property
    def _queue(self) -> list[Place]:
        return [place for place in self._places.values() if place.waiting]

    def about(self, place: Place) -> dict[str, Any]:
        """What is said of a session."""
        hosted = place.hosted
        return {
            "session_id": place.session_id,
            "state": "waiting" if hosted is None else hosted.state,
            "created_at": place.created_at.isoformat(timespec="milliseconds"),
            "connected": hosted is not None and hosted.connected,
            "avatar": place.wish.avatar,
            "place": self.queue_place(place) if hosted is None else None,
        }

    # -- the reaper ------------------------------------------------------------------------------

    async def reap(self) -> None:
        """End what is over, and let in who waits, until cancelled; then end all."""
        try:
            while True:
                try:
                    self.look()
                except Exception:  # a bug: told in the log, and everybody else goes on
                    logger.exception("the places could not be looked after")
                await asyncio.sleep(REAP_S)
        finally:
            await asyncio.shield(self.close())

    def look(self) -> None:
        """What is due now."""
        now = self._now()
        for place in self.all:
            if why := _why_over(place, now):
                logger.info("session %s ends: %s", place.session_id, why)
                self._places.pop(place.session_id)
                self._leave(place)
        while self._queue and self.available and self._house.level < WAIT_LEVEL:
            place = self._queue[0]
            try:
                self._open(place)
            except ApiError:
                self._places.pop(place.session_id)

    async def close(self) -> None:
        for place in self.all:
            self._places.pop(place.session_id)
            self._leave(place)
        while self._leaving:
            await asyncio.wait(self._leaving)

    # -- inside ----------------------------------------------------------------------------------

    def _open(self, place: Place) -> None:
        try:
            place.hosted = self._house.open(place.session_id, place.wish)
        except GoAssistError as error:
            logger.warning("session %s can not begin: %s", place.session_id, error)
            raise ApiError(503, "not_ready", "The assistant is not ready.", RETRY_S) from error
        place.since = self._now()

    async def _end(self, place: Place) -> None:
        self._places.pop(place.session_id)
        await asyncio.shield(self._leave(place))

    def _leave(self, place: Place) -> asyncio.Task[None]:
        """Its place is free when nothing of it is left."""

        async def close() -> None:
            if place.hosted is not None:
                await place.hosted.close()

        leaving = asyncio.create_task(close(), name=f"end of {place.session_id}")
        if place.hosted is not None:
            self._leaving.add(leaving)
            leaving.add_done_callback(self._leaving.discard)
        return leaving

    def _retry_s(self) -> int:
        """When the next place is certain to be free, as far as anybody can know."""
        ages = [self._now() - p.since for p in self._places.values() if not p.waiting]
        soonest = min((LONGEST_S - age for age in ages), default=RETRY_S)
        return max(1, min(RETRY_S, math.ceil(soonest)))


def _why_over(place: Place, now: float) -> str:
    if place.hosted is None:
        return "nobody asks for it any more" if now - place.asked > ASKED_S else ""
    if place.hosted.over:
        return "nobody is there any more"
    if now - place.since > LONGEST_S:
        return "it was long enough"
    return "nobody says anything" if place.hosted.quiet_s > IDLE_S else ""
