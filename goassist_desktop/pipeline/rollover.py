"""Before a conversation outgrows the model's window, its older half becomes a short summary.

That is done after a turn, beside the conversation, and steps aside for the user while there is
room. Where there is none left, their turn waits for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from typing import Final

from goassist_desktop.pipeline.errors import EngineFailed
from goassist_desktop.pipeline.events import ContextRolled
from goassist_desktop.pipeline.history import History
from goassist_desktop.pipeline.ladder import Ladder
from goassist_desktop.pipeline.protocols import LanguageModel
from goassist_desktop.pipeline.workers import Hosted

FULL: Final = 7500 / 8192
"""Of the window: from here on it is summarised (SPEC, numbers)."""
ROOM_TOKENS: Final = 150
"""What a turn of the user's and its answer take, as a rule. With less it is waited for; it is begun
where two such turns fit, if that is earlier than FULL."""
WAIT_S: Final = 5.0
"""The longest that a turn waits."""
LONGEST_S: Final = 60.0
"""Of a summary: a slow model may take its time while nobody waits."""
SUMMARY_TOKENS: Final = 120
SUMMARISE: Final = (
    "Before we go on: note in at most sixty words what of our conversation matters later: names, "
    "facts, wishes, and what is still open. Write the note only."
)


class Rollover:
    """Of one session, from its event loop only."""

    def __init__(
        self,
        model: Ladder[LanguageModel],
        context_tokens: int,
        max_tokens: int,
        tell: Callable[[ContextRolled], None],
    ) -> None:
        """`context_tokens`: of prompt and reply together, where the model has as many;
        `max_tokens`: of a reply."""
        self._model = model
        self._context_tokens = context_tokens
        self._max_tokens = max_tokens
        self._tell = tell
        self._work: asyncio.Task[None] | None = None
        self._tokens = 0

    @property
    def limit_tokens(self) -> int:
        """Of a prompt."""
        try:
            window = self._model.current.engine.context_tokens
        except EngineFailed:  # still being loaded: whatever it is asked now waits for that
            window = self._context_tokens
        return min(self._context_tokens, window) - self._max_tokens

    def after_turn(self, history: History) -> asyncio.Task[None]:
        """See whether it is time, and do it."""
        self._work = asyncio.ensure_future(self._see_to_it(history))
        return self._work

    def step_aside(self) -> None:
        """The model is wanted for something else; what was begun is begun anew after that."""
        if self._work is not None and not self.pressing:
            self._work.cancel()

    @property
    def pressing(self) -> bool:
        """Whether it is being done, and no room is left for another turn before it is."""
        working = self._work is not None and not self._work.done()
        return working and self._tokens + ROOM_TOKENS > self.limit_tokens

    async def make_room(self, history: History) -> bool:
        """Whether it could be done, for a prompt that does not fit."""
        if self._work is None or self._work.done():
            self._work = asyncio.ensure_future(self._summarise(history))
        before = len(history)
        with suppress(TimeoutError):
            async with asyncio.timeout(WAIT_S):
                await asyncio.wait((self._work,))
        if self._work.done() and not self._work.cancelled():
            self._work.result()  # a bug is raised where somebody looks
        return len(history) < before

    async def _see_to_it(self, history: History) -> None:
        self._tokens = await self._count(history)
        limit = self.limit_tokens
        full = min(FULL * (limit + self._max_tokens), limit - 2 * ROOM_TOKENS)
        if self._tokens >= max(full, limit / 2):
            await self._summarise(history)

    async def _count(self, history: History) -> int:
        return await self._model.ask(lambda engine: engine.count_tokens, history.messages())

    async def _summarise(self, history: History) -> None:
        """All of it is summarised, and its older half forgotten: so the model has what it reads
        for this in its cache, and keeps what stays."""
        older = (len(history) + 1) // 2
        if not older:
            return
        before = self._tokens or await self._count(history)
        rung = self._model.current
        try:
            async with asyncio.timeout(LONGEST_S), aclosing(_summary(rung, history)) as pieces:
                summary = " ".join("".join([piece async for piece in pieces]).split())
        except (EngineFailed, TimeoutError) as error:
            self._model.gave_up(rung, str(error) or f"no summary within {LONGEST_S:g} s")
            return
        if not summary:
            return
        history.roll(older, summary)
        self._tell(ContextRolled(older, before))
        kept = history.messages()
        await self._model.ask(lambda engine: engine.prefill, kept, shortened=True)
        self._tokens = await self._count(history)


def _summary(rung: Hosted[LanguageModel], history: History) -> AsyncGenerator[str, None]:
    return rung.lane.stream(
        rung.engine.reply,
        [*history.messages(), history.question(SUMMARISE)],
        max_tokens=SUMMARY_TOKENS,
        temperature=0.0,
        seed=0,
    )
