"""What was said, from the events of a conversation as it publishes them."""

from __future__ import annotations

from goassist_desktop.pipeline.clock import INTERVALS
from goassist_desktop.pipeline.conversation import State
from goassist_desktop.pipeline.events import (
    BargeIn,
    Outcome,
    PartialText,
    ReplyText,
    StateChanged,
    TurnClosed,
    UserText,
)
from goassist_desktop.ui.ports import AssistantEvent, Loading, Ready
from goassist_desktop.ui.said import Said


def closed(
    turn_id: int,
    user: str,
    reply: str,
    heard: str,
    outcome: Outcome = "completed",
    reason: str = "",
    barge_ins: tuple[BargeIn, ...] = (),
) -> TurnClosed:
    gap = dict.fromkeys(INTERVALS) | {"response_gap": 412.4}
    return TurnClosed(turn_id, user, reply, heard, outcome, False, {}, gap, barge_ins, 0.0, reason)


def after(*events: AssistantEvent) -> Said:
    said = Said()
    for event in events:
        said.take(event)
    return said


def lines(said: Said) -> list[str]:
    return [exchange.as_text("It") for exchange in said.exchanges]


def test_words_become_final_and_are_answered() -> None:
    said = after(PartialText("what is"))
    assert said.exchanges[0].user_spans == [("what is", "partial")]
    said.take(UserText("What is up?", final=True))
    said.take(ReplyText(1, " The sky is", "The"))
    (exchange,) = said.exchanges
    assert exchange.user_spans == [("What is up?", "said")]
    assert exchange.reply_spans == [("The ", "heard"), ("sky is", "unheard")]
    said.take(closed(1, "What is up?", " The sky is.", "The sky is."))
    assert exchange.reply_spans == [("The sky is.", "heard")]
    assert exchange.figures == "412 ms"
    assert lines(said) == ["You: What is up?\nIt: The sky is."]


def test_what_an_interruption_left_unspoken() -> None:
    stopped = BargeIn(1000, 1163, "stopped")
    said = after(
        UserText("Tell me a story.", final=True),
        ReplyText(1, "Once upon a time", "Once"),
        PartialText("no wait"),
        closed(
            1, "Tell me a story.", "Once upon a time", "Once upon", "interrupted", "words",
            (stopped,),
        ),
        UserText("No, wait for me.", final=True),
    )  # fmt: skip
    story, other = said.exchanges
    assert story.reply_spans == [("Once upon ", "heard"), ("a time", "unspoken")]
    assert story.figures == "412 ms  ·  stopped in 163 ms"
    assert story.as_text("It") == "You: Tell me a story.\nIt: Once upon\n(interrupted)"
    assert other.user_spans == [("No, wait for me.", "said")]


def test_words_that_were_not_answered_come_again_once() -> None:
    said = after(
        UserText("Hello.", final=True),
        ReplyText(1, "Hi", ""),
        closed(1, "Hello.", "Hi", "", "interrupted", "words"),
        PartialText("what time"),
    )
    (exchange,) = said.exchanges
    assert exchange.user_spans == [("Hello. ", "said"), ("what time", "partial")]
    assert exchange.reply_spans == []
    assert exchange.figures == ""
    said.take(UserText("Hello. What time is it?", final=True))
    said.take(ReplyText(2, "Noon.", "Noon."))
    assert lines(said) == ["You: Hello. What time is it?\nIt: Noon."]
    assert exchange.turn_id == 2


def test_the_same_utterance_may_be_understood_anew() -> None:
    """They went on while it was thought about: the ears read all of it again."""
    said = after(
        UserText("What is the capital?", final=True),
        closed(1, "What is the capital?", "Of", "", "interrupted", "onset"),
        PartialText("What is the capital of Ger"),
    )
    (exchange,) = said.exchanges
    assert exchange.user_spans == [
        ("What is the capital ", "said"),
        ("of Ger", "partial"),
    ]
    said.take(UserText("What's the capital of Germany?", final=True))
    assert lines(said) == ["You: What's the capital of Germany?"]


def test_words_between_take_nothing_away() -> None:
    """Without a word understood, they are asked again, and what they said before still counts."""
    said = after(
        UserText("Hello.", final=True),
        closed(1, "Hello.", "Hi", "", "interrupted", "words"),
        UserText("", final=True),
        closed(2, "", "Sorry, I didn't catch that.", "Sorry, I didn't catch that."),
    )
    assert lines(said) == ["You: Hello.", "It: Sorry, I didn't catch that."]
    said.take(UserText("Hello. What time is it?", final=True))
    assert lines(said) == ["It: Sorry, I didn't catch that.", "You: Hello. What time is it?"]


def test_stop_is_said_by_itself_and_ends_what_was_asked() -> None:
    said = after(
        UserText("Tell me a story.", final=True),
        ReplyText(1, "Once upon a time", "Once"),
        UserText("Stop.", final=True),
        closed(1, "Tell me a story.", "Once upon a time", "Once upon", "interrupted", "stop_word"),
    )
    assert lines(said) == ["You: Tell me a story.\nIt: Once upon\n(interrupted)", "You: Stop."]
    said.take(UserText("What time is it?", final=True))
    said.take(closed(2, "What time is it?", "Noon.", "Noon."))
    assert lines(said)[1:] == ["You: Stop.", "You: What time is it?\nIt: Noon."]


def test_stopped_before_a_word_was_heard_the_words_do_not_come_again() -> None:
    said = after(
        UserText("Hello.", final=True),
        PartialText("stop"),
        UserText("Stop.", final=True),
        closed(1, "Hello.", "Hi", "", "interrupted", "stop_word"),
        PartialText("hello"),
        UserText("Hello. You again.", final=True),
    )
    assert lines(said) == ["You: Hello.", "You: Stop.", "You: Hello. You again."]


def test_a_cough_leaves_no_words() -> None:
    said = after(
        UserText("Tell me a story.", final=True),
        ReplyText(1, "Once upon a time", "Once"),
        PartialText("uh"),
        StateChanged(State.SPEAKING, 5000.0),
    )
    assert lines(said) == ["You: Tell me a story.\nIt: Once upon a time"]


def test_words_that_come_to_nothing_leave_those_before_them() -> None:
    said = after(
        UserText("Hello.", final=True),
        closed(1, "Hello.", "Hi", "", "interrupted", "words"),
        PartialText("uh"),
    )
    (exchange,) = said.exchanges
    assert said.forget_partial() == [exchange]
    assert exchange.user_spans == [("Hello.", "said")]
    said.take(PartialText("what"))
    assert exchange.user_spans == [("Hello. ", "said"), ("what", "partial")]


def test_an_exchange_is_known_by_its_turn_whatever_came_between() -> None:
    said = after(
        UserText("First.", final=True),
        UserText("Second.", final=True),
        closed(1, "First.", "One.", "One."),
        closed(2, "Second.", "Two.", "Two."),
    )
    assert lines(said) == ["You: First.\nIt: One.", "You: Second.\nIt: Two."]


def test_a_turn_whose_beginning_was_missed_is_told_whole() -> None:
    assert lines(after(closed(7, "Hello.", "Hi.", "Hi."))) == ["You: Hello.\nIt: Hi."]


def test_a_reply_that_failed_says_so() -> None:
    phrase = "Sorry, something went wrong on my side."
    said = after(
        UserText("Hello.", final=True), closed(1, "Hello.", phrase, phrase, "failed", "x broke")
    )
    assert said.exchanges[0].figures == "412 ms  ·  something went wrong"


def test_another_conversation_counts_its_turns_anew() -> None:
    said = after(
        UserText("First.", final=True),
        ReplyText(1, "One, or two.", "One,"),
        Loading(),
        Ready((), 1.0),
        UserText("Second.", final=True),
        ReplyText(1, "Three.", "Three."),
        closed(1, "Second.", "Three.", "Three."),
    )
    before, now = said.exchanges
    assert before.reply_spans == [("One, ", "heard"), ("or two.", "unspoken")]
    assert (before.turn_id, now.turn_id) == (None, 1)
    assert now.as_text("It") == "You: Second.\nIt: Three."
    assert (before.first, now.first) == (False, True)


def test_lines_are_folded() -> None:
    said = after(UserText("a\n b", final=True), ReplyText(1, "One.\n\nTwo.\u2029Three", "One."))
    assert said.exchanges[0].user_spans == [("a b", "said")]
    assert said.exchanges[0].reply_spans == [("One. ", "heard"), ("Two. Three", "unheard")]
