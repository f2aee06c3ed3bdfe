"""The table of states: what the specification allows, and what no sequence of events can do."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from goassist_desktop.pipeline.conversation import (
    TABLE,
    Command,
    Event,
    IllegalTransition,
    State,
    step,
)

ALLOWED = {
    State.IDLE: {State.LISTENING},
    State.LISTENING: {State.THINKING, State.IDLE},
    State.THINKING: {State.SPEAKING, State.INTERRUPTED, State.LISTENING, State.IDLE},
    State.SPEAKING: {State.HELD, State.INTERRUPTED, State.LISTENING, State.IDLE},
    State.HELD: {State.SPEAKING, State.INTERRUPTED, State.IDLE},
    State.INTERRUPTED: {State.LISTENING, State.IDLE},
}
"""The transitions of the specification, typed in from it."""


def test_the_table_moves_only_as_specified() -> None:
    moves: dict[State, set[State]] = {state: set() for state in State}
    for (state, _), (following, _) in TABLE.items():
        if following is not state:
            moves[state].add(following)
    assert moves == ALLOWED


@pytest.mark.parametrize("state", list(State))
@pytest.mark.parametrize("event", list(Event))
def test_what_is_not_in_the_table_raises(state: State, event: Event) -> None:
    if (state, event) in TABLE:
        assert step(state, event) == TABLE[state, event]
    else:
        with pytest.raises(IllegalTransition, match=f"'{event}' can not happen while {state}"):
            step(state, event)


def test_every_state_but_idle_can_be_left_for_good() -> None:
    for state in State:
        if state is not State.IDLE:
            assert step(state, Event.STOP)[0] is State.IDLE


class Conversations(RuleBasedStateMachine):
    """Any legal sequence of events, with the turn that the commands begin and end."""

    def __init__(self) -> None:
        super().__init__()
        self.state = State.IDLE
        self.turn: str | None = None  # 'speculative' or 'committed'

    @rule(event=st.sampled_from(Event))
    def happen(self, event: Event) -> None:
        if (self.state, event) not in TABLE:
            return
        if event is Event.DECIDED and self.turn is None:
            return  # nobody decides on an utterance that has no words
        self.state, commands = step(self.state, event)
        for command in commands:
            if command is Command.SPECULATE:
                assert self.turn is None, "at most one live turn"
                self.turn = "speculative"
            elif command is Command.COMMIT:
                assert self.turn == "speculative"
                self.turn = "committed"
            elif command is Command.CANCEL:
                self.turn = None
            elif command in (Command.HOLD, Command.RESUME):
                assert self.turn == "committed"
        if event is Event.REPLY_ENDED:
            assert self.turn == "committed"
            self.turn = None

    @precondition(lambda self: self.state in (State.IDLE, State.INTERRUPTED))
    @invariant()
    def no_turn_is_left(self) -> None:
        assert self.turn is None

    @precondition(lambda self: self.state in (State.THINKING, State.SPEAKING, State.HELD))
    @invariant()
    def the_turn_that_is_heard_was_committed(self) -> None:
        assert self.turn == "committed"

    @precondition(lambda self: self.state is State.LISTENING)
    @invariant()
    def nothing_is_heard_while_listening(self) -> None:
        assert self.turn != "committed"


TestConversations = Conversations.TestCase
TestConversations.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
