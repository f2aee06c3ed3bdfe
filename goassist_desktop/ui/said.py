"""What was said, turn by turn, from the events of a conversation. No Qt.

Words that are not answered may come again: whole with the next ones, where the user went on before
a word of the reply was heard. They are then one turn, and stand here once.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain, takewhile
from typing import Final, Literal

from goassist_desktop.pipeline.conversation import Event, State
from goassist_desktop.pipeline.events import (
    Outcome,
    PartialText,
    ReplyText,
    StateChanged,
    TurnClosed,
    UserText,
)
from goassist_desktop.ui.ports import AssistantEvent, Loading, Ready

Style = Literal["said", "partial", "heard", "unheard", "unspoken"]
Span = tuple[str, Style]

OUTCOMES: Final[dict[Outcome, str]] = {
    "completed": "",
    "interrupted": "interrupted",
    "refused": "too long to take in",
    "failed": "something went wrong",
}


@dataclass(slots=True, eq=False)
class Exchange:
    """What one side said, and what the other answered."""

    words: str = ""
    """The user's, final."""
    partial: str = ""
    """The user's, as far as understood by now."""
    again: bool = False
    """`partial` holds `words` once more, and what came after them."""
    turn_id: int | None = None
    """None until there is a reply."""
    reply: str = ""
    heard: str = ""
    outcome: Outcome | None = None
    """None until the turn is over."""
    gap_ms: float | None = None
    """From the user's last sound to the first of the reply."""
    asked_to_stop: bool = False
    """By word or button."""
    stopped_ms: float | None = None
    """From the user's first sound over the reply to silence."""
    shown: bool = True
    """False once it is part of a later one."""
    first: bool = False
    """Of another conversation, which knows nothing of what stands above."""
    over: bool = False
    """Of a conversation that has ended: turns are counted anew."""

    @property
    def user_spans(self) -> list[Span]:
        if not self.partial:
            return _spans((self.words, "said"))
        if not self.again:
            said = f"{self.words} " if self.words else ""
            return _spans((said, "said"), (self.partial, "partial"))
        settled = _shared(self.words, self.partial)
        return _spans((self.partial[:settled], "said"), (self.partial[settled:], "partial"))

    @property
    def reply_spans(self) -> list[Span]:
        at = _reached(self.reply, self.heard)
        if at is None or self.outcome == "failed":  # what was said then is no beginning of it
            return _spans((self.heard, "heard"))
        heard, rest = self.reply[:at], self.reply[at:]
        match self.outcome:
            case None:
                return _spans((heard, "heard"), (rest, "unheard"))
            case "interrupted" if not heard:
                return []  # nobody knows of it
            case "interrupted":
                return _spans((heard, "heard"), (rest, "unspoken"))
        return _spans((self.reply, "heard"))

    @property
    def figures(self) -> str:
        """How it went, in a few words."""
        if self.outcome == "interrupted" and not self.heard:
            return ""  # the user just went on
        parts = [] if self.gap_ms is None else [duration(self.gap_ms)]
        if self.outcome == "interrupted" and self.stopped_ms is not None:
            parts.append(f"stopped in {duration(self.stopped_ms)}")
        elif self.outcome is not None:
            parts.append("stopped" if self.asked_to_stop else OUTCOMES[self.outcome])
        return "  ·  ".join(part for part in parts if part)

    def as_text(self, name: str) -> str:
        """For the clipboard and screen readers; `name` is the assistant's."""
        user = "".join(text for text, _ in self.user_spans)
        lines = [f"You: {user}"] if user else []
        heard = "".join(text for text, style in self.reply_spans if style != "unspoken")
        if heard:
            lines.append(f"{name}: {heard.strip()}")
        if self.outcome is not None and OUTCOMES[self.outcome] and (heard or not user):
            lines.append(f"({OUTCOMES[self.outcome]})")
        return "\n".join(lines)


def duration(ms: float) -> str:
    """A length of time, as one says it."""
    return f"{ms:.0f} ms" if ms < 1000 else f"{ms / 1000:.1f} s"


class Said:
    """Takes events, and says what has to be drawn anew."""

    def __init__(self) -> None:
        self.exchanges: list[Exchange] = []
        self._draft: Exchange | None = None  # the one that partial words go to
        self._unanswered: Exchange | None = None  # its words may come again
        self._deaf = False  # until the next conversation

    def clear(self) -> None:
        """Forget this conversation, and what is still told of it before another begins."""
        self.exchanges.clear()
        self._draft = self._unanswered = None
        self._deaf = True

    def take(self, event: AssistantEvent) -> list[Exchange]:
        """Those that changed; they are new where they were not told of before."""
        if isinstance(event, Loading | Ready):
            self._deaf = False
            return self._end_conversation()
        if self._deaf:
            return []
        match event:
            case PartialText(text) | UserText(text, final=False):
                return self._partial(_folded(text))
            case UserText(text):
                return self._final(_folded(text))
            case ReplyText():
                return self._reply(event)
            case TurnClosed():
                return self._closed(event)
            case StateChanged(State.SPEAKING):
                return self.forget_partial()  # what sounded was no word
        return []

    def forget_partial(self) -> list[Exchange]:
        """Nothing came of the words that were not final."""
        draft, self._draft = self._draft, None
        if draft is None or not draft.partial:
            return []
        draft.partial = ""
        if not draft.words:
            self._remove(draft)
        return [draft]

    @property
    def partial(self) -> bool:
        """Whether words are shown that are not final."""
        return self._draft is not None

    def keep(self, most: int) -> None:
        """Forget all but so many of the latest."""
        del self.exchanges[:-most]

    # -- what the user says ------------------------------------------------------------------------

    def _partial(self, text: str) -> list[Exchange]:
        if not text:
            return self.forget_partial()
        if self._draft is None:
            last = self.exchanges[-1] if self.exchanges else None
            if last is not None and last is self._unanswered:
                self._draft = last
            else:
                self._draft = self._begin()
        self._draft.partial = text
        return [self._draft]

    def _final(self, text: str) -> list[Exchange]:
        earlier, self._unanswered = self._unanswered, None
        draft, self._draft = self._draft, None
        changed = []
        if earlier is not None and not _holds(text, earlier) and text:
            earlier = None  # they are forgotten: these are other words
        if draft is not None and draft.words and draft is not earlier:
            draft.partial = ""
            changed, draft = [draft], None
        if not text:
            self._unanswered = earlier
            if draft is not None and draft is earlier:
                draft.partial = ""
                changed, draft = [draft], None
        elif earlier is not None and draft is not earlier:
            self._remove(earlier)
            changed.append(earlier)
        exchange = draft or self._begin()
        exchange.words, exchange.partial, exchange.again = text, "", False
        exchange.turn_id = exchange.outcome = exchange.gap_ms = exchange.stopped_ms = None
        exchange.reply, exchange.heard, exchange.asked_to_stop = "", "", False
        return [*changed, exchange]

    # -- what is answered --------------------------------------------------------------------------

    def _reply(self, event: ReplyText) -> list[Exchange]:
        exchange = self._of(event.turn_id, lambda other: other.outcome is None)
        if exchange is None or exchange.outcome is not None:
            return []
        exchange.turn_id = event.turn_id
        exchange.reply, exchange.heard = _folded(event.text), _folded(event.heard)
        return [exchange]

    def _closed(self, event: TurnClosed) -> list[Exchange]:
        words = _folded(event.user_text)
        exchange = self._of(event.turn_id, lambda other: other.words == words)
        if exchange is None:
            exchange = self._begin()
            exchange.words = words
        exchange.turn_id, exchange.outcome = event.turn_id, event.outcome
        exchange.reply, exchange.heard = _folded(event.reply_text), _folded(event.heard_text)
        exchange.gap_ms = event.intervals_ms.get("response_gap")
        exchange.asked_to_stop = event.reason == Event.STOP_WORD
        stops = [one.latency_ms for one in event.barge_ins if one.outcome == "stopped"]
        exchange.stopped_ms = stops[-1] if stops else None
        if event.heard_text and words:
            self._unanswered = None
        elif words and event.outcome == "interrupted" and not exchange.asked_to_stop:
            self._unanswered = exchange
            exchange.again = event.reason == Event.ONSET  # the ears go on with the same utterance
        return [exchange]

    def _end_conversation(self) -> list[Exchange]:
        changed = self.forget_partial()
        self._unanswered = None
        for exchange in reversed(self.exchanges):
            if exchange.over:
                break
            exchange.over, exchange.turn_id = True, None
            if exchange.outcome is None and exchange.reply:
                exchange.outcome = "interrupted"
                changed.append(exchange)
        return changed

    def _of(self, turn_id: int, fits: Callable[[Exchange], bool]) -> Exchange | None:
        """The exchange of a turn, or the latest that has none yet and fits."""
        current = list(takewhile(lambda other: not other.over, reversed(self.exchanges)))
        known = [other for other in current if other.turn_id == turn_id]
        new = [other for other in current if other.turn_id is None and other is not self._draft]
        return next(chain(known, filter(fits, new)), None)

    def _begin(self) -> Exchange:
        exchange = Exchange(first=bool(self.exchanges) and self.exchanges[-1].over)
        self.exchanges.append(exchange)
        return exchange

    def _remove(self, exchange: Exchange) -> None:
        exchange.shown = False
        self.exchanges.remove(exchange)


# -- text ------------------------------------------------------------------------------------------


def _folded(text: str) -> str:
    """In one paragraph."""
    return " ".join(text.split())


def _spans(*spans: Span) -> list[Span]:
    return [(text, style) for text, style in spans if text]


def _plain(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold())


def _holds(text: str, earlier: Exchange) -> bool:
    """Whether these are its words again, and what came after them."""
    return earlier.again or f"{text} ".startswith(f"{earlier.words} ")


def _shared(words: str, partial: str) -> int:
    """How many characters of `partial` say the same as the beginning of `words`."""
    known, end = _plain(words), 0
    for number, word in enumerate(re.finditer(r"\S+", partial)):
        if _plain(word[0]) != known[number : number + 1]:
            break
        end = word.end() + 1
    return min(end, len(partial))


def _reached(text: str, heard: str) -> int | None:
    """Where in `text` what was heard ends, and the space after it; spaces do not count.

    None where it does not begin with that.
    """
    wanted = heard.replace(" ", "")
    at = 0
    for letter in wanted:
        while at < len(text) and text[at] == " ":
            at += 1
        if text[at : at + 1] != letter:
            return None
        at += 1
    return at + 1 if text[at : at + 1] == " " else at
