"""What is asked of a conversation besides speaking to it: typed words, a greeting, mute, the key
to talk, and sleep. What is asserted was read back from the loudspeaker, and from what the model
was told.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest

from goassist_desktop.pipeline.conversation import State
from goassist_desktop.pipeline.events import Attention, PartialText, SpeechStarted, UserText
from goassist_desktop.pipeline.microphone import RELEASE_MS
from goassist_desktop.pipeline.session import CALLED
from tests.fakes import virtual_time
from tests.fakes.faces import LoudnessFace
from tests.fakes.stage import RATE_HZ, Conversation
from tests.fakes.tones import USER

LONG = " ".join(f"w{chr(97 + n // 26)}{chr(97 + n % 26)}" for n in range(40))


def echo(text: str) -> str:
    return f"you said {text}"


def story_or_echo(text: str) -> str:
    return LONG if text == "tell a story" else echo(text)


def told(talk: Conversation) -> list[tuple[str, str]]:
    """What the model was given for its last reply, without the system prompt."""
    return [(message.role, message.text) for message in talk.model.asked[-1][1:]]


def user_texts(talk: Conversation) -> list[str]:
    return [e.text for e in talk.events if isinstance(e, UserText) and e.final]


def noise(dbfs: float, seconds: float) -> np.ndarray:
    samples = np.random.default_rng(1).standard_normal(round(seconds * RATE_HZ))
    return (samples * 10 ** (dbfs / 20)).astype(np.float32)


# -- typed words -----------------------------------------------------------------------------------


def test_typed_words_are_answered(tmp_path: Path) -> None:
    talk = Conversation(tmp_path, echo)

    async def main() -> None:
        async with talk.held():
            talk.session.say("  what time\n is noon ")
            await talk.until_quiet()

    virtual_time.run(main())
    assert talk.heard() == "you said what time is noon"
    assert talk.states == ["listening", "thinking", "speaking", "listening", "idle"]
    assert user_texts(talk) == ["what time is noon"]
    (turn,) = talk.turns
    assert (turn.outcome, turn.user_text) == ("completed", "what time is noon")
    # Nobody spoke, so nothing is counted from the end of speech; the rest is.
    assert turn.intervals_ms["response_gap"] is None
    assert turn.intervals_ms["recognition"] is None
    assert turn.intervals_ms["ttfa"] is None


def test_it_is_in_a_hurry_until_there_is_something_to_hear(tmp_path: Path) -> None:
    talk = Conversation(tmp_path, echo)
    hurried = []

    async def main() -> None:
        async with talk.held():
            hurried.append(talk.session.hurried)
            talk.session.say("what time is noon")
            while talk.session.state is not State.THINKING:
                await asyncio.sleep(0.01)
            hurried.append(talk.session.hurried)
            await talk.until_quiet()
            hurried.append(talk.session.hurried)

    virtual_time.run(main())
    assert hurried == [False, True, False]


@pytest.mark.parametrize("nothing", ["", "  \n\t "])
def test_nothing_typed_is_nothing(tmp_path: Path, nothing: str) -> None:
    talk = Conversation(tmp_path, echo)

    async def main() -> None:
        async with talk.held():
            talk.session.say(nothing)
            await talk.pass_time(1.0)

    virtual_time.run(main())
    assert talk.states == ["listening", "idle"]
    assert talk.heard() == ""


@pytest.mark.parametrize("held", [False, True], ids=["speaking", "held"])
def test_typed_words_end_a_reply_and_only_what_was_heard_is_remembered(
    tmp_path: Path, held: bool
) -> None:
    talk = Conversation(tmp_path, story_or_echo)

    async def main() -> None:
        async with talk.held():
            await talk.say("tell a story")
            await talk.until_state(State.SPEAKING)
            await talk.pass_time(2.0)
            if held:
                talk.endpoint.say(noise(-20, 0.3))
                await talk.until_state(State.HELD)
            talk.session.say("what time is noon")
            await talk.until_quiet()

    virtual_time.run(main())
    story, *_, answer = talk.turns
    assert (story.outcome, story.reason) == ("interrupted", "cut_in")
    assert story.barge_ins == ()
    heard = story.heard_text.split()
    assert 0 < len(heard) < 40
    assert heard == LONG.split()[: len(heard)]
    assert answer.heard_text == "you said what time is noon"
    assert told(talk) == [
        ("user", "tell a story"),
        ("assistant", story.heard_text),
        ("user", "what time is noon"),
    ]
    assert talk.model.open_replies == 0
    words = talk.heard().split()
    assert words[-6:] == "you said what time is noon".split()
    assert 0 <= len(words) - 6 - len(heard) <= 1  # the word that was cut


def test_typed_words_join_a_question_that_is_not_answered_yet(tmp_path: Path) -> None:
    talk = Conversation(tmp_path, echo)
    talk.model.seconds["reply"] = 1.0

    async def main() -> None:
        async with talk.held():
            await talk.say("what is the weather")
            await talk.until_state(State.THINKING)
            talk.session.say("in paris")
            await talk.pass_time(0.1)
            talk.session.say("or rome")
            await talk.until_quiet()

    virtual_time.run(main())
    assert talk.heard() == "you said what is the weather in paris or rome"
    assert told(talk) == [("user", "what is the weather in paris or rome")]


def test_a_cough_while_thinking_does_not_cost_the_answer(tmp_path: Path) -> None:
    talk = Conversation(tmp_path, echo)
    talk.model.seconds["reply"] = 1.0

    async def main() -> None:
        async with talk.held():
            talk.session.say("what is the weather")
            await talk.until_state(State.THINKING)
            await talk.cough()
            await talk.until_quiet()

    virtual_time.run(main())
    assert talk.heard() == "you said what is the weather"


def test_words_spoken_while_typed_ones_are_thought_about_join_them(tmp_path: Path) -> None:
    talk = Conversation(tmp_path, echo)
    talk.model.seconds["reply"] = 1.0

    async def main() -> None:
        async with talk.held():
            talk.session.say("what is the weather")
            await talk.until_state(State.THINKING)
            await talk.say("in paris")
            await talk.until_quiet()

    virtual_time.run(main())
    assert talk.heard() == "you said what is the weather in paris"


def test_typed_words_join_a_sentence_that_may_go_on(tmp_path: Path) -> None:
    talk = Conversation(tmp_path, echo)

    async def main() -> None:
        async with talk.held():
            await talk.say("tell me about cats and")
            await talk.pass_time(0.5)
            talk.session.say("dogs")
            await talk.until_quiet()

    virtual_time.run(main())
    assert talk.heard() == "you said tell me about cats and dogs"


def test_speech_interrupts_the_answer_to_typed_words(tmp_path: Path) -> None:
    talk = Conversation(tmp_path, story_or_echo)

    async def main() -> None:
        async with talk.held():
            talk.session.say("tell a story")
            await talk.until_state(State.SPEAKING)
            await talk.pass_time(1.0)
            await talk.say("something else please")
            await talk.until_quiet()

    virtual_time.run(main())
    story, answer = talk.turns
    assert [b.outcome for b in story.barge_ins] == ["stopped"]
    assert answer.heard_text == "you said something else please"


def test_a_typed_stop_stops(tmp_path: Path) -> None:
    talk = Conversation(tmp_path, story_or_echo)

    async def main() -> None:
        async with talk.held():
            await talk.say("tell a story")
            await talk.until_state(State.SPEAKING)
            await talk.pass_time(1.0)
            talk.session.say("Stop.")
            await talk.until_quiet()

    virtual_time.run(main())
    (story,) = talk.turns
    assert story.reason == "stop_word"
    assert user_texts(talk) == ["tell a story", "Stop."]


def test_what_was_stopped_does_not_come_again(tmp_path: Path) -> None:
    talk = Conversation(tmp_path, echo)
    talk.model.seconds["reply"] = 1.0

    async def main() -> None:
        async with talk.held():
            talk.session.say("what is the weather")
            await talk.until_state(State.THINKING)
            talk.session.say("in paris")
            await talk.pass_time(0.1)
            talk.session.stop_talking()
            await talk.pass_time(0.1)
            talk.session.say("what time is noon")
            await talk.until_quiet()

    virtual_time.run(main())
    assert talk.heard() == "you said what time is noon"


# -- the greeting ----------------------------------------------------------------------------------


def test_a_greeting_is_said_without_the_model_and_remembered(tmp_path: Path) -> None:
    face = LoudnessFace()
    talk = Conversation(tmp_path, echo, face=[face])
    talk.session.greet("hello my friend")
    opened: list[bool] = []

    async def main() -> None:
        async with talk.held():
            await talk.until_state(State.SPEAKING)
            await talk.pass_time(0.3)
            opened.append(talk.session.face.pose().speaking)
            await talk.until_quiet()
            assert talk.model.asked == []
            await talk.say("what time is noon")
            await talk.until_quiet()

    virtual_time.run(main())
    assert talk.heard() == "hello my friend you said what time is noon"
    assert opened == [True]
    greeting = talk.turns[0]
    assert (greeting.user_text, greeting.heard_text) == ("", "hello my friend")
    assert set(greeting.intervals_ms.values()) == {
        greeting.intervals_ms["clause_to_audio"],
        None,
    }
    assert user_texts(talk) == ["what time is noon"]
    assert told(talk) == [("assistant", "hello my friend"), ("user", "what time is noon")]


def test_a_greeting_can_be_interrupted(tmp_path: Path) -> None:
    talk = Conversation(tmp_path, echo)
    talk.session.greet(LONG)

    async def main() -> None:
        async with talk.held():
            await talk.until_state(State.SPEAKING)
            await talk.pass_time(2.0)
            await talk.say("what time is noon")
            await talk.until_quiet()

    virtual_time.run(main())
    greeting, answer = talk.turns
    assert greeting.outcome == "interrupted"
    assert answer.user_text == "what time is noon"
    assert told(talk)[0] == ("assistant", greeting.heard_text)
    assert 0 < len(greeting.heard_text.split()) < 40


def test_nobody_is_greeted_who_speaks_already(tmp_path: Path) -> None:
    talk = Conversation(tmp_path, echo)

    async def main() -> None:
        async with talk.held():
            talk.endpoint.say(USER.say("what time is noon", RATE_HZ)[0])
            await talk.pass_time(0.5)
            talk.session.greet("hello my friend")
            await talk.until_quiet()

    virtual_time.run(main())
    assert talk.heard() == "you said what time is noon"


def test_mumbling_is_asked_for_after_a_greeting(tmp_path: Path) -> None:
    talk = Conversation(tmp_path, echo)
    talk.session.greet("hello my friend")

    async def main() -> None:
        async with talk.held():
            await talk.pass_time(0.2)
            await talk.until_quiet()
            await talk.cough(1.5)
            await talk.until_quiet()

    virtual_time.run(main())
    assert "catch" in talk.heard()


# -- mute ------------------------------------------------------------------------------------------


def test_nobody_hears_what_is_said_while_muted(tmp_path: Path) -> None:
    talk = Conversation(tmp_path, echo)

    async def main() -> None:
        async with talk.held():
            talk.session.mute(True)
            await talk.pass_time(0.1)
            await talk.say("a secret word")
            assert talk.session.level_db <= -75
            await talk.pass_time(1.0)
            talk.session.mute(False)
            await talk.say("what time is noon")
            await talk.until_quiet()

    virtual_time.run(main())
    assert talk.heard() == "you said what time is noon"
    assert talk.recogniser.longest_s < 3.0
    secret = [e for e in talk.events if isinstance(e, PartialText) and "secret" in e.text]
    assert not secret


def test_what_was_said_before_the_mute_is_answered(tmp_path: Path) -> None:
    talk = Conversation(tmp_path, echo)

    async def main() -> None:
        async with talk.held():
            await talk.say("what time is noon")
            talk.session.mute(True)
            await talk.until_quiet()

    virtual_time.run(main())
    assert talk.heard() == "you said what time is noon"


def test_a_mute_leaves_the_reply_alone(tmp_path: Path) -> None:
    talk = Conversation(tmp_path, story_or_echo)

    async def main() -> None:
        async with talk.held():
            await talk.say("tell a story")
            await talk.until_state(State.SPEAKING)
            talk.session.mute(True)
            await talk.pass_time(0.5)
            await talk.say("something else please")
            await talk.until_quiet()

    virtual_time.run(main())
    (story,) = talk.turns
    assert story.heard_text == LONG
    assert story.barge_ins == ()


def test_the_noise_of_a_room_that_is_heard_again_does_not_make_us_fall_silent(
    tmp_path: Path,
) -> None:
    talk = Conversation(tmp_path, story_or_echo)

    async def main() -> None:
        async with talk.held():
            talk.endpoint.say(noise(-45, 20.0))  # below what the fake takes for speech
            await talk.pass_time(1.0)
            talk.session.say("tell a story")
            await talk.until_state(State.SPEAKING)
            for _ in range(3):
                talk.session.mute(True)
                await talk.pass_time(1.0)
                talk.session.mute(False)
                await talk.pass_time(1.0)
            await talk.until_quiet()

    virtual_time.run(main())
    (story,) = talk.turns
    assert story.barge_ins == ()
    assert story.heard_text == LONG


@pytest.mark.parametrize("into_s", [0.1, 0.35, 0.6])
def test_unmuting_in_mid_word_is_harmless(tmp_path: Path, into_s: float) -> None:
    talk = Conversation(tmp_path, echo)

    async def main() -> None:
        async with talk.held():
            talk.session.mute(True)
            await talk.pass_time(1.0)
            samples = USER.say("one two three four five", RATE_HZ)[0]
            talk.endpoint.say(samples)
            await talk.pass_time(into_s)
            talk.session.mute(False)
            await talk.until(lambda: not talk.endpoint.saying)
            await talk.until_quiet()

    virtual_time.run(main())
    (turn,) = talk.turns
    said = "one two three four five"
    assert turn.user_text
    assert said.endswith(turn.user_text)
    assert turn.outcome == "completed"


def test_the_level_is_that_of_the_newest_block(tmp_path: Path) -> None:
    talk = Conversation(tmp_path, echo)

    async def main() -> None:
        async with talk.held():
            assert talk.session.level_db == pytest.approx(-70, abs=6)  # the room
            talk.endpoint.say(noise(-30, 0.2))
            await talk.pass_time(0.15)
            # White noise up to 24 kHz, of which a third is left at 16 kHz.
            assert talk.session.level_db == pytest.approx(-35, abs=1.5)

    virtual_time.run(main())


# -- the key to talk -------------------------------------------------------------------------------


def test_only_what_is_said_with_the_key_down_is_heard(tmp_path: Path) -> None:
    talk = Conversation(tmp_path, echo)
    talk.session.push_to_talk_only(True)

    async def main() -> None:
        async with talk.held():
            await talk.say("a secret word")
            await talk.pass_time(0.5)
            talk.session.push_to_talk(True)
            await talk.say("what time is noon")
            talk.session.push_to_talk(False)
            await talk.pass_time(0.2)
            await talk.say("another secret")
            await talk.until_quiet()

    virtual_time.run(main())
    assert talk.heard() == "you said what time is noon"


def test_letting_go_ends_the_turn_at_once_and_cuts_no_word(tmp_path: Path) -> None:
    talk = Conversation(tmp_path, echo)
    talk.session.push_to_talk_only(True)
    released_ms: list[float] = []

    async def main() -> None:
        async with talk.held():
            talk.session.push_to_talk(True)
            # It would wait for 1.8 s after "and"; and the key is let go before the last word ends.
            samples, words = USER.say("tell me about cats and", RATE_HZ)
            talk.endpoint.say(samples)
            await talk.pass_time(words[-1].end / RATE_HZ - 0.05)
            talk.session.push_to_talk(False)
            released_ms.append(talk.session.clock.now_ms)
            await talk.until_quiet()

    virtual_time.run(main())
    assert talk.heard() == "you said tell me about cats and"
    (turn,) = talk.turns
    assert 0 < turn.marks_ms["endpoint"] - released_ms[0] <= RELEASE_MS + 30


def test_a_key_let_go_in_the_middle_of_a_word_ends_the_turn_once(tmp_path: Path) -> None:
    talk = Conversation(tmp_path, echo)
    talk.session.push_to_talk_only(True)

    async def main() -> None:
        async with talk.held():
            for late_ms in range(0, 32, 8):  # in any place of a frame of voice activity
                talk.session.push_to_talk(True)
                samples, words = USER.say("one two three four", RATE_HZ)
                talk.endpoint.say(samples)
                # All of the second word is heard in the time after it, and some of the third.
                await talk.pass_time(words[1].end / RATE_HZ - RELEASE_MS / 1000 + 0.11)
                await talk.pass_time(late_ms / 1000)
                talk.session.push_to_talk(False)
                await talk.until(lambda: not talk.endpoint.saying)
                await talk.until_quiet()

    virtual_time.run(main())
    assert len(talk.turns) == 4
    assert all(turn.user_text.startswith("one two") for turn in talk.turns)
    assert sum(isinstance(event, SpeechStarted) for event in talk.events) == 4


def test_nobody_who_holds_the_key_is_asked_to_say_it_again(tmp_path: Path) -> None:
    talk = Conversation(tmp_path, echo)
    talk.session.push_to_talk_only(True)

    async def main() -> None:
        async with talk.held():
            talk.session.push_to_talk(True)
            await talk.cough(1.5)
            await talk.pass_time(3.0)
            assert talk.session.state is State.LISTENING
            await talk.say("what time is noon")
            talk.session.push_to_talk(False)
            await talk.until_quiet()

    virtual_time.run(main())
    assert talk.heard() == "you said what time is noon"


def test_a_press_while_it_weighs_what_was_said_keeps_every_word(tmp_path: Path) -> None:
    talk = Conversation(tmp_path, story_or_echo)

    async def main() -> None:
        async with talk.held():
            talk.session.say("tell a story")
            await talk.until_state(State.SPEAKING)
            await talk.pass_time(2.0)
            samples = USER.say("what time is noon", RATE_HZ)[0]
            end = talk.endpoint.say(samples) + len(samples)
            await talk.until_state(State.HELD)
            await talk.pass_time(0.25)
            assert talk.session.state is State.HELD
            talk.session.push_to_talk(True)
            await talk.until(lambda: talk.endpoint.position >= end)
            talk.session.push_to_talk(False)
            await talk.until_quiet()

    virtual_time.run(main())
    story, answer = talk.turns
    assert [b.outcome for b in story.barge_ins] == ["stopped"]
    assert answer.user_text == "what time is noon"


def test_no_silence_ends_the_turn_while_the_key_is_down(tmp_path: Path) -> None:
    talk = Conversation(tmp_path, echo)
    talk.session.push_to_talk_only(True)

    async def main() -> None:
        async with talk.held():
            talk.session.push_to_talk(True)
            await talk.say("tell me about cats")
            await talk.pass_time(4.0)
            assert talk.session.state is State.LISTENING
            await talk.say("about dogs")
            await talk.pass_time(0.05)
            talk.session.push_to_talk(False)
            await talk.until_quiet()

    virtual_time.run(main())
    assert talk.heard() == "you said tell me about cats about dogs"


def test_after_a_long_silence_letting_go_is_answered_at_once(tmp_path: Path) -> None:
    talk = Conversation(tmp_path, echo)
    talk.session.push_to_talk_only(True)
    released_ms: list[float] = []

    async def main() -> None:
        async with talk.held():
            talk.session.push_to_talk(True)
            await talk.say("tell me about cats")
            await talk.pass_time(4.0)
            talk.session.push_to_talk(False)
            released_ms.append(talk.session.clock.now_ms)
            await talk.until_quiet()

    virtual_time.run(main())
    (turn,) = talk.turns
    assert turn.heard_text == "you said tell me about cats"
    assert turn.marks_ms["first_audio"] - released_ms[0] <= RELEASE_MS + 50


def test_a_press_ends_the_reply_at_once(tmp_path: Path) -> None:
    talk = Conversation(tmp_path, story_or_echo)
    talk.session.push_to_talk_only(True)
    pressed_ms: list[float] = []

    async def main() -> None:
        async with talk.held():
            talk.session.say("tell a story")
            await talk.until_state(State.SPEAKING)
            await talk.pass_time(2.0)
            talk.session.push_to_talk(True)
            pressed_ms.append(talk.session.clock.now_ms)
            await talk.pass_time(0.5)
            await talk.say("what time is noon")
            talk.session.push_to_talk(False)
            await talk.until_quiet()

    virtual_time.run(main())
    story, answer = talk.turns
    assert (story.outcome, story.reason) == ("interrupted", "cut_in")
    audible = np.flatnonzero(np.abs(talk.played()[0]) > 0.001) * 1000 / RATE_HZ
    silence_ms = audible[audible < pressed_ms[0] + 400][-1]
    assert silence_ms - pressed_ms[0] < 40
    assert answer.heard_text == "you said what time is noon"
    assert told(talk)[:2] == [("user", "tell a story"), ("assistant", story.heard_text)]


@pytest.mark.parametrize("state", [State.LISTENING, State.THINKING])
def test_a_press_without_speech_does_nothing(tmp_path: Path, state: State) -> None:
    talk = Conversation(tmp_path, echo)
    talk.session.push_to_talk_only(True)
    talk.model.seconds["reply"] = 1.0

    async def main() -> None:
        async with talk.held():
            if state is State.THINKING:
                talk.session.say("what time is noon")
                await talk.until_state(state)
            for _ in range(3):
                talk.session.push_to_talk(True)
                await talk.pass_time(0.2)
                talk.session.push_to_talk(False)
                await talk.pass_time(0.05)
            await talk.until_quiet()

    virtual_time.run(main())
    expected = "you said what time is noon" if state is State.THINKING else ""
    assert talk.heard() == expected


def test_pressing_again_before_the_answer_adds_to_the_question(tmp_path: Path) -> None:
    talk = Conversation(tmp_path, echo)
    talk.session.push_to_talk_only(True)
    talk.model.seconds["reply"] = 1.0

    async def main() -> None:
        async with talk.held():
            for words in ("what is the weather", "in paris"):
                talk.session.push_to_talk(True)
                await talk.say(words)
                talk.session.push_to_talk(False)
                await talk.pass_time(0.3)
            await talk.until_quiet()

    virtual_time.run(main())
    assert talk.heard() == "you said what is the weather in paris"


def test_a_key_that_bounces_is_one_press(tmp_path: Path) -> None:
    talk = Conversation(tmp_path, echo)
    talk.session.push_to_talk_only(True)

    async def main() -> None:
        async with talk.held():
            talk.session.push_to_talk(True)
            talk.endpoint.say(USER.say("one two three four", RATE_HZ)[0])
            await talk.pass_time(0.6)
            talk.session.push_to_talk(True)
            talk.session.push_to_talk(False)
            await talk.pass_time(0.05)
            talk.session.push_to_talk(True)
            await talk.pass_time(1.5)
            talk.session.push_to_talk(False)
            talk.session.push_to_talk(False)
            await talk.until_quiet()

    virtual_time.run(main())
    assert [turn.user_text for turn in talk.turns] == ["one two three four"]


def test_the_key_is_heard_while_muted_and_hands_free(tmp_path: Path) -> None:
    talk = Conversation(tmp_path, echo)

    async def main() -> None:
        async with talk.held():
            talk.session.mute(True)
            talk.session.push_to_talk(True)
            await talk.say("what time is noon")
            talk.session.push_to_talk(False)
            await talk.until_quiet()
            await talk.say("a secret word")
            talk.session.mute(False)
            talk.session.push_to_talk_only(True)
            await talk.say("another secret")
            talk.session.push_to_talk_only(False)
            await talk.say("good morning")
            await talk.until_quiet()

    virtual_time.run(main())
    assert talk.heard() == "you said what time is noon you said good morning"


# -- asleep ----------------------------------------------------------------------------------------


def attention(talk: Conversation) -> list[bool]:
    return [event.awake for event in talk.events if isinstance(event, Attention)]


def test_asleep_nobody_is_answered_before_the_wake_word(tmp_path: Path) -> None:
    talk = Conversation(tmp_path, echo)
    talk.session.sleep("mira")

    async def main() -> None:
        async with talk.held():
            await talk.say("what a fine day")
            await talk.until_quiet()
            await talk.cough(1.5)
            await talk.until_quiet()
            assert attention(talk) == [False]
            assert talk.model.asked == []
            private = PartialText | UserText | SpeechStarted
            assert not [event for event in talk.events if isinstance(event, private)]
            await talk.say("mira what time is noon")
            await talk.until_quiet()
            await talk.say("who is mira today")
            await talk.until_quiet()

    virtual_time.run(main())
    assert talk.heard() == "you said what time is noon you said who is mira today"
    assert user_texts(talk) == ["what time is noon", "who is mira today"]
    assert attention(talk) == [False, True]
    partial = [event.text for event in talk.events if isinstance(event, PartialText)]
    assert partial
    assert not [text for text in partial if text.startswith("mira")]


def test_who_only_calls_us_is_asked_what_for(tmp_path: Path) -> None:
    talk = Conversation(tmp_path, echo)
    talk.session.sleep("mira")

    async def main() -> None:
        async with talk.held():
            await talk.say("hey mira")
            await talk.until_quiet()
            await talk.say("what time is noon")
            await talk.until_quiet()

    virtual_time.run(main())
    assert talk.heard() == "Yes? you said what time is noon"
    assert attention(talk) == [False, True]
    assert told(talk) == [("assistant", CALLED), ("user", "what time is noon")]


def test_a_pause_after_the_wake_word_is_no_end(tmp_path: Path) -> None:
    talk = Conversation(tmp_path, echo)
    talk.session.sleep("mira")

    async def main() -> None:
        async with talk.held():
            await talk.say("hey mira")
            await talk.pass_time(0.5)
            await talk.say("what time is noon")
            await talk.until_quiet()

    virtual_time.run(main())
    assert talk.heard() == "you said what time is noon"


def test_without_a_wake_word_any_word_wakes(tmp_path: Path) -> None:
    talk = Conversation(tmp_path, echo)
    talk.session.sleep()

    async def main() -> None:
        async with talk.held():
            await talk.cough(1.5)
            await talk.until_quiet()
            assert attention(talk) == [False]
            await talk.say("what time is noon")
            await talk.until_quiet()

    virtual_time.run(main())
    assert talk.heard() == "you said what time is noon"
    assert attention(talk) == [False, True]


def test_falling_asleep_ends_the_reply_and_forgets_the_conversation(tmp_path: Path) -> None:
    talk = Conversation(tmp_path, story_or_echo)

    async def main() -> None:
        async with talk.held():
            await talk.say("tell a story")
            await talk.until_state(State.SPEAKING)
            await talk.pass_time(1.0)
            talk.session.sleep("mira")
            await talk.until_quiet()
            talk.session.greet("is anybody there")
            await talk.say("something else please")
            await talk.until_quiet()
            talk.session.say("what time is noon")
            await talk.until_quiet()

    virtual_time.run(main())
    story, answer = talk.turns
    assert story.outcome == "interrupted"
    assert answer.heard_text == "you said what time is noon"
    assert told(talk) == [("user", "what time is noon")]
    assert attention(talk) == [False, True]


def test_the_key_to_talk_wakes(tmp_path: Path) -> None:
    talk = Conversation(tmp_path, echo)
    talk.session.push_to_talk_only(True)
    talk.session.sleep("mira")

    async def main() -> None:
        async with talk.held():
            talk.session.push_to_talk(True)
            await talk.say("what time is noon")
            talk.session.push_to_talk(False)
            await talk.until_quiet()

    virtual_time.run(main())
    assert talk.heard() == "you said what time is noon"


def test_a_wake_word_without_a_letter_is_refused(tmp_path: Path) -> None:
    talk = Conversation(tmp_path, echo)

    async def main() -> None:
        async with talk.held():
            with pytest.raises(ValueError, match="is no name"):
                talk.session.sleep("?!")
            await talk.say("what time is noon")
            await talk.until_quiet()

    virtual_time.run(main())
    assert talk.heard() == "you said what time is noon"
