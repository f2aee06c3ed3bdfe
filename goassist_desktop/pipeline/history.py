"""What was said and heard, as the language model is told it.

The assistant's side holds what left the loudspeaker, not what was generated. A question to which
nothing was heard is not recorded: it is still open, and comes again with what follows it.
"""

from __future__ import annotations

from goassist_desktop.pipeline.frames import Message

STATE = "(What we said before, in short: {summary})\n"
"""Before the next question, not before what is kept: a model that forgets the beginning of what it
has read keeps the rest, as long as nothing is put between (8.4 s against 0.1 for 700 tokens)."""


class History:
    """The system prompt, which is never dropped, and the exchanges since."""

    def __init__(self, system_prompt: str) -> None:
        self._system = Message("system", system_prompt)
        self._exchanges: list[tuple[Message, ...]] = []
        self._state = ""  # what went before the exchanges, until a question has carried it

    def __len__(self) -> int:
        """How many exchanges there are."""
        return len(self._exchanges)

    def record(self, user_text: str, heard_text: str) -> None:
        """Remember an exchange of which both sides were heard."""
        self._exchanges.append((self.question(user_text), Message("assistant", heard_text)))
        self._state = ""

    def record_opening(self, heard_text: str) -> None:
        """Remember what was said first, to nobody's words."""
        self._exchanges.append((Message("assistant", heard_text),))

    def question(self, user_text: str) -> Message:
        """What the user says next, as the model is told it."""
        return Message("user", self._state + user_text)

    def messages(self) -> list[Message]:
        return [self._system, *(message for one in self._exchanges for message in one)]

    def alone(self, user_text: str) -> list[Message]:
        """A question without what went before."""
        return [self._system, self.question(user_text)]

    def roll(self, exchanges: int, summary: str) -> None:
        """Forget the first so many exchanges, of which this is a summary."""
        del self._exchanges[:exchanges]
        self._state = STATE.format(summary=summary)
