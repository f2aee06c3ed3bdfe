"""The state machine of a conversation: one table, no I/O, no time, no audio.

`step` takes a state and what happened, and gives the next state and what to do about it. Anything
the table does not list is a bug of the caller and raises; nothing changes then.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class State(StrEnum):
    IDLE = "idle"
    LISTENING = "listening"
    THINKING = "thinking"
    SPEAKING = "speaking"
    HELD = "held"
    """The user made a sound while we spoke: silent, and weighing what it was."""
    INTERRUPTED = "interrupted"
    """The turn is being closed."""


class Event(StrEnum):
    START = "start"
    STOP = "stop"
    """The session ends."""
    ONSET = "onset"
    """Speech of the user began, or went on after a pause."""
    PAUSE = "pause"
    """The user fell silent and the words so far are known; perhaps they have finished."""
    DECIDED = "decided"
    """The user has finished."""
    REPLY_HEARD = "reply_heard"
    """The first sample of the reply left the loudspeaker."""
    REPLY_ENDED = "reply_ended"
    """The turn is over by itself: played to its end, or it came to nothing."""
    WORDS = "words"
    """What interrupted us are real words."""
    NO_WORDS = "no_words"
    """What interrupted us was a cough, noise or a backchannel."""
    STOP_WORD = "stop_word"
    """The user said "stop" or its like, or pressed the button."""
    CUT_IN = "cut_in"
    """The user typed words, or pressed the key to talk: there is nothing to weigh."""
    CLOSED = "closed"
    """The cancelled turn has ended everywhere."""


class Command(StrEnum):
    SPECULATE = "speculate"
    """Begin a turn on the words so far; its sound waits."""
    COMMIT = "commit"
    """Let the speculative turn be heard."""
    CANCEL = "cancel"
    """End the turn, if there is one, everywhere."""
    HOLD = "hold"
    """Fade the loudspeaker to silence."""
    RESUME = "resume"
    """Go on speaking from the start of the word that was cut."""
    FORGET = "forget"
    """Drop what the user has said and was not answered."""


class IllegalTransition(Exception):
    """The table has no entry for this event in this state."""


_S, _E, _C = State, Event, Command

TABLE: Final[dict[tuple[State, Event], tuple[State, tuple[Command, ...]]]] = {
    (_S.IDLE, _E.START): (_S.LISTENING, ()),
    # A speculative turn may exist while listening: more speech makes it worthless.
    (_S.LISTENING, _E.ONSET): (_S.LISTENING, (_C.CANCEL,)),
    (_S.LISTENING, _E.PAUSE): (_S.LISTENING, (_C.CANCEL, _C.SPECULATE)),
    (_S.LISTENING, _E.DECIDED): (_S.THINKING, (_C.COMMIT,)),
    (_S.LISTENING, _E.STOP_WORD): (_S.LISTENING, (_C.CANCEL, _C.FORGET)),
    # FORGET comes first where the words of the turn that ends here are still to be answered.
    (_S.LISTENING, _E.CUT_IN): (_S.LISTENING, (_C.FORGET, _C.CANCEL)),
    (_S.LISTENING, _E.STOP): (_S.IDLE, (_C.CANCEL,)),
    # Nothing was heard yet: the words are kept, and more words join them.
    (_S.THINKING, _E.ONSET): (_S.INTERRUPTED, (_C.CANCEL,)),
    (_S.THINKING, _E.REPLY_HEARD): (_S.SPEAKING, (_C.FORGET,)),
    (_S.THINKING, _E.REPLY_ENDED): (_S.LISTENING, (_C.FORGET,)),
    (_S.THINKING, _E.STOP_WORD): (_S.INTERRUPTED, (_C.CANCEL, _C.FORGET)),
    (_S.THINKING, _E.CUT_IN): (_S.INTERRUPTED, (_C.FORGET, _C.CANCEL)),
    (_S.THINKING, _E.STOP): (_S.IDLE, (_C.CANCEL,)),
    (_S.SPEAKING, _E.ONSET): (_S.HELD, (_C.HOLD,)),
    (_S.SPEAKING, _E.REPLY_ENDED): (_S.LISTENING, ()),
    (_S.SPEAKING, _E.STOP_WORD): (_S.INTERRUPTED, (_C.CANCEL, _C.FORGET)),
    (_S.SPEAKING, _E.CUT_IN): (_S.INTERRUPTED, (_C.FORGET, _C.CANCEL)),
    (_S.SPEAKING, _E.STOP): (_S.IDLE, (_C.CANCEL,)),
    (_S.HELD, _E.ONSET): (_S.HELD, ()),
    (_S.HELD, _E.WORDS): (_S.INTERRUPTED, (_C.CANCEL,)),
    (_S.HELD, _E.NO_WORDS): (_S.SPEAKING, (_C.FORGET, _C.RESUME)),
    (_S.HELD, _E.STOP_WORD): (_S.INTERRUPTED, (_C.CANCEL, _C.FORGET)),
    (_S.HELD, _E.CUT_IN): (_S.INTERRUPTED, (_C.FORGET, _C.CANCEL)),
    (_S.HELD, _E.STOP): (_S.IDLE, (_C.CANCEL,)),
    (_S.INTERRUPTED, _E.CLOSED): (_S.LISTENING, ()),
    (_S.INTERRUPTED, _E.STOP): (_S.IDLE, (_C.CANCEL,)),
}


def step(state: State, event: Event) -> tuple[State, tuple[Command, ...]]:
    """The next state, and the commands to carry out in order.

    Raises IllegalTransition when the table has no such entry.
    """
    try:
        return TABLE[state, event]
    except KeyError:
        raise IllegalTransition(f"'{event}' can not happen while {state}") from None
