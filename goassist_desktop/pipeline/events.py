"""What is said of a conversation while it goes on. Times are ms of the audio timeline."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from goassist_desktop.pipeline.conversation import State

# -- from the ears ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SpeechSuspected:
    """A sound began that may be speech: reason enough to be quiet, not to stop."""

    onset_ms: float


@dataclass(frozen=True, slots=True)
class SuspicionEnded:
    """No speech came of it."""


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """The user began to speak, or went on after a pause."""

    onset_ms: float


@dataclass(frozen=True, slots=True)
class PartialText:
    """The words of the utterance so far; they may still change."""

    text: str


@dataclass(frozen=True, slots=True)
class SpeechPaused:
    """The user fell silent; `text` is the whole utterance so far, empty if it held no words."""

    text: str
    onset_ms: float
    offset_ms: float
    confidence: float = 1.0
    """The recogniser's own, in [0, 1], of the least certain part of it."""


@dataclass(frozen=True, slots=True)
class TurnEnded:
    """Sound, words and silence say that the user has finished."""

    offset_ms: float
    """Their last sample: better known now than when the silence began."""


@dataclass(frozen=True, slots=True)
class WorkFailed:
    """Work in the background ended in an error: EngineFailed is the world's, others are bugs."""

    error: BaseException


EarsEvent = (
    SpeechSuspected
    | SuspicionEnded
    | SpeechStarted
    | PartialText
    | SpeechPaused
    | TurnEnded
    | WorkFailed
)

# -- from the session, to captions, window, report and metrics -------------------------------------


@dataclass(frozen=True, slots=True)
class Notice:
    """One line for the user about something that changed around the conversation."""

    level: Literal["info", "warning", "error"]
    what: str
    source: Literal["", "face", "recognition", "language_model", "synthesis"] = ""
    """"face": it is about the face or who shows it, and the conversation went on without it. A
    stage: another engine took over there (a warning), or the better one is back (info)."""


@dataclass(frozen=True, slots=True)
class StateChanged:
    state: State
    at_ms: float


@dataclass(frozen=True, slots=True)
class UserText:
    """What the user is saying; `final` once it is being answered."""

    text: str
    final: bool


@dataclass(frozen=True, slots=True)
class ReplyText:
    """The reply of a committed turn so far, and how much of it was heard."""

    turn_id: int
    text: str
    heard: str


Outcome = Literal["completed", "interrupted", "refused", "failed"]


@dataclass(frozen=True, slots=True)
class BargeIn:
    """Speech over our own: from its onset to silence at the loudspeaker."""

    onset_ms: float
    silence_ms: float
    outcome: Literal["stopped", "resumed"]

    @property
    def latency_ms(self) -> float:
        return self.silence_ms - self.onset_ms


@dataclass(frozen=True, slots=True)
class TurnClosed:
    """A committed turn, once it is over."""

    turn_id: int
    user_text: str
    reply_text: str
    heard_text: str
    outcome: Outcome
    warmup: bool
    """Before the steady state: the first three turns, or the first 60 s."""
    marks_ms: dict[str, float | None]
    intervals_ms: dict[str, float | None]
    barge_ins: tuple[BargeIn, ...] = field(default=())
    starved_ms: float = 0.0
    """Silence inside the reply, because the next clause came too late."""
    reason: str = ""
    """Why it was cut or failed; empty when completed."""


@dataclass(frozen=True, slots=True)
class Attention:
    """The assistant fell asleep, and answers nobody before it is woken; or it was woken."""

    awake: bool


@dataclass(frozen=True, slots=True)
class ContextRolled:
    """The beginning of the conversation is remembered as a summary from here on."""

    exchanges: int
    """So many of them."""
    tokens: int
    """Of all of the conversation, before."""


SessionEvent = (
    StateChanged
    | PartialText
    | UserText
    | ReplyText
    | TurnClosed
    | SpeechStarted
    | Attention
    | ContextRolled
    | Notice
)
