"""What was said and heard, as the language model is told it.

The assistant's side holds what left the loudspeaker, not what was generated. A question to which
nothing was heard is not recorded: it is still open, and comes again with what follows it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from goassist_desktop.pipeline.frames import Message


class History:
    """The system prompt, which is never dropped, and the exchanges since."""

    def __init__(self, system_prompt: str) -> None:
        self._system = Message("system", system_prompt)
        self._exchanges: list[tuple[Message, ...]] = []

    def record(self, user_text: str, heard_text: str) -> None:
        """Remember an exchange of which both sides were heard."""
        self._exchanges.append((Message("user", user_text), Message("assistant", heard_text)))

    def record_opening(self, heard_text: str) -> None:
        """Remember what was said first, to nobody's words."""
        self._exchanges.append((Message("assistant", heard_text),))

    def messages(self) -> list[Message]:
        return self._with(self._exchanges)

    def _with(self, exchanges: Sequence[tuple[Message, ...]]) -> list[Message]:
        return [self._system, *(message for one in exchanges for message in one)]

    async def prompt(
        self,
        user_text: str,
        count_tokens: Callable[[Sequence[Message]], Awaitable[int]],
        limit: int,
    ) -> list[Message] | None:
        """The messages to answer, at most `limit` tokens by the model's own count.

        Drops the older half of the exchanges while it is too long: in large steps, because each
        one costs the model's cache. None, with nothing dropped, when not even the user's words fit.
        """
        kept = list(self._exchanges)
        while True:
            messages = [*self._with(kept), Message("user", user_text)]
            if await count_tokens(messages) <= limit:
                self._exchanges = kept
                return messages
            if not kept:
                return None
            del kept[: (len(kept) + 1) // 2]
