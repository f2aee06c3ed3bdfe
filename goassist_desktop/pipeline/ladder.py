"""The engines of one stage, best first: where one fails, the next goes on from there.

A ladder belongs to one session, as what it goes by is that session's time; the engines on it may be
shared. The one above is tried again later, by and by more seldom, and used as soon as it loads.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final, Generic, Literal, ParamSpec, TypeVar

from goassist_desktop.pipeline.clock import SampleClock
from goassist_desktop.pipeline.errors import EngineFailed, ModelMissing
from goassist_desktop.pipeline.events import Notice
from goassist_desktop.pipeline.frames import Speech
from goassist_desktop.pipeline.protocols import Engine, Synthesiser
from goassist_desktop.pipeline.workers import Hosted

logger = logging.getLogger(__name__)

RETRY_MS: Final = (1_000.0, 3_000.0, 10_000.0, 30_000.0, 60_000.0)
"""After the first failure in a row, the second, … and all that follow."""
STALL_S: Final = 8.0
"""Without a sign of life for this long, an engine counts as failed, if another can go on."""

Stage = Literal["recognition", "language_model", "synthesis"]
P = ParamSpec("P")
T = TypeVar("T")
E = TypeVar("E", bound=Engine)


@dataclass(slots=True)
class _Trouble:
    failures: int = 0
    """In a row."""
    retry_ms: float | None = None
    """When it is tried again; None: it is used."""
    loading: bool = False


class Ladder(Generic[E]):
    """From the event loop only."""

    def __init__(
        self,
        stage: Stage,
        top: Hosted[E],
        clock: SampleClock,
        publish: Callable[[Notice], None],
    ) -> None:
        self._stage = stage
        self._rungs = (top, *top.below)
        self._clock = clock
        self._publish = publish
        self._troubles = [_Trouble() for _ in self._rungs]
        self._loads: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Tell of those that are known not to work, and use the first of the others."""
        for rung in self._rungs:
            if rung.trouble and rung is self.current:
                self.gave_up(rung, rung.trouble)

    @property
    def current(self) -> Hosted[E]:
        """The best one that works, as far as is known; where none does, the last."""
        return self._rungs[self._place]

    @property
    def last(self) -> bool:
        """Whether no other could go on."""
        return self._next_of(self._place) is None

    @property
    def patience_s(self) -> float | None:
        """How long to wait for a sign of life. The only one there is may take its time."""
        return None if self.last else STALL_S

    def gave_up(self, rung: Hosted[E], why: str) -> bool:
        """Note that it failed. Whether another can go on; if not, it stays in use."""
        place = self._rungs.index(rung)
        following = self._next_of(place)
        trouble = self._troubles[place]
        if following is None or trouble.retry_ms is not None:
            return following is not None
        wait_ms = RETRY_MS[min(trouble.failures, len(RETRY_MS) - 1)]
        trouble.failures += 1
        trouble.retry_ms = self._clock.now_ms + wait_ms
        broken, other = rung.engine.info.name, self._rungs[following].engine.info.name
        self._tell("warning", f"{broken}: {why}; {other} takes over")
        return True

    def worked(self, rung: Hosted[E]) -> None:
        """Note that it did what it was asked."""
        trouble = self._troubles[self._rungs.index(rung)]
        if trouble.failures and trouble.retry_ms is None:
            trouble.failures = 0
            self._tell("info", f"{rung.engine.info.name} is back")

    async def run(self, ask: Callable[[E], Callable[P, T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """The result of its proper work, of the best engine that gives one. Raises EngineFailed."""
        result, rung = await self._result(ask, *args, **kwargs)
        self.worked(rung)
        return result

    async def ask(self, ask: Callable[[E], Callable[P, T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """The same for what is asked beside its work, and proves nothing of that."""
        return (await self._result(ask, *args, **kwargs))[0]

    async def _result(
        self, ask: Callable[[E], Callable[P, T]], *args: P.args, **kwargs: P.kwargs
    ) -> tuple[T, Hosted[E]]:
        while True:
            rung, patience_s = self.current, self.patience_s
            try:
                async with asyncio.timeout(patience_s):
                    return await rung.lane.run(ask(rung.engine), *args, **kwargs), rung
            except TimeoutError:
                if not self.gave_up(rung, f"no answer within {patience_s:g} s"):
                    raise
            except EngineFailed as error:
                if not self.gave_up(rung, str(error)):
                    raise

    def mend(self) -> None:
        """Try those again whose time has come; called for every block of audio."""
        for rung, trouble in zip(self._rungs, self._troubles, strict=True):
            if (
                trouble.retry_ms is not None
                and not trouble.loading
                and self._clock.now_ms >= trouble.retry_ms
            ):
                trouble.loading = True
                task = asyncio.ensure_future(self._load(rung, trouble))
                self._loads.add(task)
                task.add_done_callback(self._loads.discard)

    def close(self) -> None:
        for task in self._loads:
            task.cancel()

    async def _load(self, rung: Hosted[E], trouble: _Trouble) -> None:
        try:
            await rung.lane.run(rung.engine.load)
        except (EngineFailed, ModelMissing):
            wait_ms = RETRY_MS[min(trouble.failures, len(RETRY_MS) - 1)]
            trouble.failures += 1
            trouble.retry_ms = self._clock.now_ms + wait_ms
        except Exception:  # a bug, told and logged: the one below goes on
            trouble.retry_ms = math.inf
            name = rung.engine.info.name
            logger.exception("the engine %s has a bug, and is not tried again", name)
            self._tell("warning", f"{name}: it has a bug, and is not tried again")
        else:
            trouble.retry_ms = None
        finally:
            trouble.loading = False

    def _tell(self, level: Literal["info", "warning"], what: str) -> None:
        self._publish(Notice(level, what, self._stage))

    @property
    def _place(self) -> int:
        works = (place for place, one in enumerate(self._troubles) if one.retry_ms is None)
        return next(works, len(self._rungs) - 1)

    def _next_of(self, place: int) -> int | None:
        """The best other one that works."""
        troubles = enumerate(self._troubles)
        return next((at for at, one in troubles if at != place and one.retry_ms is None), None)


async def speech_of(ladder: Ladder[Synthesiser], text: str) -> AsyncGenerator[Speech, None]:
    """Speech for one clause, as Synthesiser.speak. An engine that takes over goes on behind the
    last word that was said. Raises EngineFailed when none can."""
    left = text.split()
    while left:
        rung, patience_s = ladder.current, ladder.patience_s
        pieces = rung.lane.stream(rung.engine.speak, " ".join(left))
        try:
            async with aclosing(pieces):
                while True:
                    async with asyncio.timeout(patience_s):
                        speech = await anext(pieces, None)
                    if speech is None:
                        break
                    left = left[len(speech.words) :]
                    yield speech
        except TimeoutError:
            if not ladder.gave_up(rung, f"no sound within {patience_s:g} s"):
                raise
        except EngineFailed as error:
            if not ladder.gave_up(rung, str(error)):
                raise
        else:
            ladder.worked(rung)
            return
