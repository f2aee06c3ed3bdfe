"""Whole conversations on virtual time. Everything enters through microphone samples, and what is
asserted was read back from the samples that left the loudspeaker."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from goassist_desktop.pipeline.conversation import State
from goassist_desktop.pipeline.errors import EngineFailed
from goassist_desktop.pipeline.events import Notice, StateChanged
from goassist_desktop.pipeline.session import RIPEN_MS
from goassist_desktop.pipeline.turn import Phrase
from tests.fakes import virtual_time
from tests.fakes.stage import RATE_HZ, Conversation
from tests.fakes.tones import USER, cough


def echo(text: str) -> str:
    return f"you said {text}"


def names(count: int) -> list[str]:
    """That many words which are read as they are written."""
    return [f"w{chr(97 + n // 26)}{chr(97 + n % 26)}" for n in range(count)]


LONG = " ".join(names(40))


def long_answer(text: str) -> str:
    return LONG


def spoken(phrase: Phrase) -> str:
    return " ".join(str(phrase).split())


def test_a_question_is_answered(tmp_path: Path) -> None:
    talk = Conversation(tmp_path, echo)

    async def main() -> None:
        async with talk.held():
            await talk.say("what time is noon")
            await talk.until_quiet()

    virtual_time.run(main())
    assert talk.heard() == "you said what time is noon"
    assert talk.states == ["listening", "thinking", "speaking", "listening", "idle"]
    (turn,) = talk.turns
    assert (turn.user_text, turn.heard_text) == ("what time is noon", "you said what time is noon")
    assert turn.outcome == "completed"


def test_marks_stand_where_the_sound_is(tmp_path: Path) -> None:
    talk = Conversation(tmp_path, echo)

    async def main() -> None:
        async with talk.held():
            await talk.say("one two three")
            await talk.until_quiet()

    virtual_time.run(main())
    samples, _ = talk.played()
    audible = np.flatnonzero(np.abs(samples) > 0.001) * 1000 / RATE_HZ
    marks = talk.turns[0].marks_ms
    (said,) = talk.endpoint.said
    assert marks["onset"] == pytest.approx(said.onset * 1000 / RATE_HZ, abs=10)
    assert marks["offset"] == pytest.approx(said.offset * 1000 / RATE_HZ, abs=10)
    assert marks["first_audio"] == pytest.approx(audible[0], abs=5)
    assert marks["audio_end"] == pytest.approx(audible[-1], abs=5)
    order = [marks[m] for m in ("onset", "offset", "final_text", "first_token", "first_clause")]
    assert order == sorted(order)
    assert marks["offset"] < marks["decision"] <= marks["first_audio"]


def test_a_pause_in_an_open_sentence_does_not_end_the_turn(tmp_path: Path) -> None:
    talk = Conversation(tmp_path, echo)

    async def main() -> None:
        async with talk.held():
            await talk.say("tell me about cats and")
            await talk.pass_time(0.7)
            await talk.say("about dogs")
            await talk.until_quiet()

    virtual_time.run(main())
    assert talk.heard() == "you said tell me about cats and about dogs"
    assert [turn.user_text for turn in talk.turns] == ["tell me about cats and about dogs"]
    speculation = talk.session.speculation
    assert (speculation.turns, speculation.unheard) == (2, 1)
    assert 0 < speculation.unheard_ms < 800


def test_an_unsure_ending_is_settled_by_silence(tmp_path: Path) -> None:
    talk = Conversation(tmp_path, echo)

    async def main() -> None:
        async with talk.held():
            await talk.say("go hesitant")
            await talk.until_quiet()

    virtual_time.run(main())
    (turn,) = talk.turns
    assert turn.marks_ms["decision"] - turn.marks_ms["offset"] == pytest.approx(1000, abs=50)


def test_a_plain_question_needs_no_turn_detector(tmp_path: Path) -> None:
    talk = Conversation(tmp_path, echo)
    talk.detector.broken = True

    async def main() -> None:
        async with talk.held():
            await talk.say("is it far from here?")
            await talk.until_quiet()

    virtual_time.run(main())
    (turn,) = talk.turns
    assert turn.marks_ms["decision"] - turn.marks_ms["offset"] == pytest.approx(230, abs=50)
    assert not [event for event in talk.events if isinstance(event, Notice)]


def test_speech_while_thinking_joins_the_question(tmp_path: Path) -> None:
    talk = Conversation(tmp_path, echo)
    talk.model.seconds["reply"] = 1.0

    async def main() -> None:
        async with talk.held():
            await talk.say("what is the")
            await talk.say("weather")
            await talk.until_state(State.THINKING)
            await talk.say("tomorrow")
            await talk.until_quiet()

    virtual_time.run(main())
    assert talk.turns[-1].user_text == "what is the weather tomorrow"
    assert talk.heard() == "you said what is the weather tomorrow"
    assert talk.states[:4] == ["listening", "thinking", "interrupted", "listening"]
    assert talk.turns[0].heard_text == ""
    assert [m.text for m in talk.model.asked[-1]] == ["be brief", "what is the weather tomorrow"]


def test_words_interrupt(tmp_path: Path) -> None:
    talk = Conversation(tmp_path, lambda text: LONG if text == "tell a story" else echo(text))

    async def main() -> None:
        async with talk.held():
            await talk.say("tell a story")
            await talk.until_state(State.SPEAKING)
            await talk.pass_time(2.0)
            await talk.say("something else please now and then more")
            await talk.until_quiet()

    virtual_time.run(main())
    story, answer = talk.turns
    _, words = talk.played()
    assert story.outcome == "interrupted"
    assert answer.heard_text == "you said something else please now and then more"
    # At the first words, not at their end.
    (stopped,) = (
        event
        for event in talk.events
        if isinstance(event, StateChanged) and event.state is State.INTERRUPTED
    )
    assert stopped.at_ms < talk.endpoint.said[1].end * 1000 / RATE_HZ - 400
    (barge_in,) = story.barge_ins
    onset_ms = talk.endpoint.said[1].onset * 1000 / RATE_HZ
    assert barge_in.outcome == "stopped"
    assert barge_in.onset_ms == pytest.approx(onset_ms, abs=10)
    # On the samples themselves: nothing sounds between the fade and the answer.
    samples, _ = talk.played()
    audible = np.flatnonzero(np.abs(samples) > 0.001) * 1000 / RATE_HZ
    silence = audible[audible < barge_in.silence_ms + 1][-1]
    assert silence - onset_ms < 150
    after = audible[audible > silence][0]
    assert after >= answer.marks_ms["decision"]
    # History ends with the last word that was heard whole.
    heard = story.heard_text.split()
    assert heard == LONG.split()[: len(heard)]
    assert talk.model.asked[-1][2].text == story.heard_text
    told = [word for word, _ in words if word.startswith("w")]
    assert told[: len(heard)] == heard
    assert len(told) - len(heard) <= 1  # the one that was cut
    assert talk.model.open_replies == 0


@pytest.mark.parametrize("pause_ms", range(270, 330, 6))
def test_going_on_around_the_first_sample_of_the_answer(tmp_path: Path, pause_ms: int) -> None:
    """Speculating, thinking or speaking already: no word is lost, and none comes twice."""
    talk = Conversation(tmp_path, echo)
    talk.model.seconds["reply"] = 0.05
    first, second = (USER.say(text, RATE_HZ)[0] for text in ("what is the weather", "in paris"))
    lead, pause = (np.zeros(ms * RATE_HZ // 1000, np.float32) for ms in (12, pause_ms))

    async def main() -> None:
        async with talk.held():
            await talk.sound(np.concatenate((lead, first, pause, second)))
            await talk.until_quiet()

    virtual_time.run(main())
    assert talk.turns[-1].user_text == "what is the weather in paris"
    assert talk.heard().endswith("you said what is the weather in paris")


def test_words_after_false_alarms_are_believed_again(tmp_path: Path) -> None:
    """Coughs make us slow to fall silent; somebody who spoke makes us quick again."""
    talk = Conversation(tmp_path, long_answer)

    async def main() -> None:
        async with talk.held():
            await talk.say("tell a story")
            await talk.until_state(State.SPEAKING)
            for _ in range(5):
                await talk.pass_time(0.7)
                await talk.cough()
            for words in ("something else please", "and now another one"):
                await talk.pass_time(0.7)
                await talk.say(words)
                await talk.until_state(State.SPEAKING)
            await talk.until_quiet()

    virtual_time.run(main())
    assert [b.outcome for b in talk.turns[0].barge_ins].count("resumed") == 4
    onset_ms = talk.endpoint.said[-1].onset * 1000 / RATE_HZ
    audible = np.flatnonzero(np.abs(talk.played()[0]) > 0.001) * 1000 / RATE_HZ
    answered_ms = talk.turns[-1].marks_ms["decision"]
    assert audible[audible < answered_ms][-1] - onset_ms < 150


def test_a_question_cut_off_before_a_word_of_the_answer_is_not_lost(tmp_path: Path) -> None:
    talk = Conversation(tmp_path, echo)

    async def main() -> None:
        async with talk.held():
            await talk.say("what is the weather")
            await talk.until_state(State.SPEAKING)
            await talk.say("in paris")
            await talk.until_quiet()

    virtual_time.run(main())
    first, second = talk.turns
    assert first.marks_ms["first_audio"] is not None
    assert first.heard_text == ""
    assert second.user_text == "what is the weather in paris"
    assert [m.text for m in talk.model.asked[-1]] == ["be brief", "what is the weather in paris"]


def test_ten_interruptions_in_a_row(tmp_path: Path) -> None:
    talk = Conversation(tmp_path, long_answer)
    numbers = "alpha bravo charlie delta echo foxtrot golf hotel india juliet".split()

    async def main() -> None:
        async with talk.held():
            await talk.say("start now")
            for number in numbers:
                await talk.until_state(State.SPEAKING)
                await talk.pass_time(0.8)
                await talk.say(f"{number} is next please")
            await talk.until_state(State.SPEAKING)
            await talk.until_quiet()

    virtual_time.run(main())
    assert len(talk.turns) == 11
    assert [turn.user_text for turn in talk.turns[1:]] == [f"{n} is next please" for n in numbers]
    for turn in talk.turns[:-1]:
        assert turn.outcome == "interrupted"
        assert [b.outcome for b in turn.barge_ins] == ["stopped"]
        assert turn.barge_ins[0].latency_ms < 150
        assert 0 < len(turn.heard_text.split()) < 40
    assert talk.turns[-1].heard_text == LONG
    assert talk.model.open_replies == 0


def test_the_model_stops_making_words_when_it_is_interrupted(tmp_path: Path) -> None:
    talk = Conversation(tmp_path, lambda text: LONG * 4)
    talk.model.seconds["reply"] = 0.1

    async def main() -> None:
        async with talk.held():
            await talk.say("tell a story")
            await talk.until_state(State.SPEAKING)
            await talk.pass_time(0.5)
            await talk.say("stop")
            await talk.until_state(State.LISTENING)
            made = talk.model.made
            await talk.pass_time(5.0)
            assert talk.model.made - made <= 1
            assert talk.model.open_replies == 0

    virtual_time.run(main())


@pytest.mark.parametrize("what", ["cough", "mm-hm", "yeah okay"])
def test_what_is_no_interruption_is_resumed(tmp_path: Path, what: str) -> None:
    talk = Conversation(tmp_path, long_answer)

    async def main() -> None:
        async with talk.held():
            await talk.say("tell a story")
            await talk.until_state(State.SPEAKING)
            await talk.pass_time(2.0)
            await (talk.cough() if what == "cough" else talk.say(what))
            await talk.until_quiet()

    virtual_time.run(main())
    (turn,) = talk.turns
    assert turn.outcome == "completed"
    assert [b.outcome for b in turn.barge_ins] == ["resumed"]
    assert turn.heard_text == LONG
    # Every word is on the loudspeaker, in order; only the one that was cut is there again.
    words = talk.heard().split()
    again = [a for a, b in pairwise(words) if a == b]
    assert len(again) <= 1
    assert list(dict.fromkeys(words)) == LONG.split()


def test_endless_noise_does_not_hold_us(tmp_path: Path) -> None:
    talk = Conversation(tmp_path, long_answer)

    async def main() -> None:
        async with talk.held():
            await talk.say("tell a story")
            await talk.until_state(State.SPEAKING)
            await talk.pass_time(1.0)
            await talk.cough(20.0)
            await talk.until_quiet()

    virtual_time.run(main())
    assert talk.turns[0].heard_text == LONG
    assert talk.turns[0].outcome == "completed"
    assert longest_silence_s(talk) < 2.5


@pytest.mark.parametrize("words", ["stop", "hold on", "wait wait"])
def test_stop_words_stop_without_an_answer(tmp_path: Path, words: str) -> None:
    talk = Conversation(tmp_path, long_answer)

    async def main() -> None:
        async with talk.held():
            await talk.say("tell a story")
            await talk.until_state(State.SPEAKING)
            await talk.pass_time(2.0)
            await talk.say(words)
            await talk.pass_time(5.0)
            assert talk.session.state is State.LISTENING
            await talk.say(words)  # and said into the silence, they ask for nothing either
            await talk.pass_time(5.0)

    virtual_time.run(main())
    assert len(talk.model.asked) == 1
    (turn,) = talk.turns
    assert turn.outcome == "interrupted"


def test_the_stop_button(tmp_path: Path) -> None:
    talk = Conversation(tmp_path, long_answer)

    async def main() -> None:
        async with talk.held():
            await talk.say("tell a story")
            await talk.until_state(State.SPEAKING)
            await talk.pass_time(1.0)
            talk.session.stop_talking()
            await talk.pass_time(1.0)
            assert talk.endpoint.quiet_for() > 0.9

    virtual_time.run(main())
    assert talk.turns[0].outcome == "interrupted"


def test_a_stalled_model_is_apologised_for(tmp_path: Path) -> None:
    talk = Conversation(tmp_path, echo)
    talk.model.seconds["reply"] = 60.0

    async def main() -> None:
        async with talk.held():
            await talk.say("hello there")
            await talk.until_quiet()
            talk.model.seconds["reply"] = 0.02
            await talk.say("are you there")  # it still hangs, and can not even count tokens
            await talk.until_quiet()
            await talk.pass_time(60)
            await talk.say("again please")
            await talk.until_quiet()

    virtual_time.run(main())
    assert [turn.outcome for turn in talk.turns] == ["failed", "failed", "completed"]
    stalled = spoken(Phrase.STALLED)
    assert talk.heard() == f"{stalled} {stalled} you said again please"


def test_a_model_that_breaks_is_apologised_for(tmp_path: Path) -> None:
    talk = Conversation(tmp_path, long_answer)
    talk.model.fail_after = 10

    async def main() -> None:
        async with talk.held():
            await talk.say("hello there")
            await talk.until_quiet()

    virtual_time.run(main())
    (turn,) = talk.turns
    assert turn.outcome == "failed"
    assert talk.heard().endswith(spoken(Phrase.FAILED))
    assert turn.heard_text.endswith(str(Phrase.FAILED))
    assert Notice("error", "the model broke") in talk.events


def test_a_voice_that_breaks_is_apologised_for(tmp_path: Path) -> None:
    talk = Conversation(tmp_path, long_answer)

    async def main() -> None:
        async with talk.held():
            talk.voice.breaks_after = 0
            await talk.say("hello there")
            await talk.until_quiet()

    virtual_time.run(main())
    assert talk.turns[0].outcome == "failed"
    assert talk.heard() == spoken(Phrase.FAILED)
    assert talk.model.open_replies == 0


def test_a_voice_that_breaks_in_mid_sentence_was_heard_so_far(tmp_path: Path) -> None:
    talk = Conversation(tmp_path, long_answer)

    async def main() -> None:
        async with talk.held():
            talk.voice.breaks_after = 2
            await talk.say("hello there")
            await talk.until_quiet()

    virtual_time.run(main())
    (turn,) = talk.turns
    begun = " ".join(names(2))
    assert turn.outcome == "failed"
    assert talk.heard() == f"{begun} {spoken(Phrase.FAILED)}"
    assert turn.heard_text == f"{begun} {Phrase.FAILED}"


def test_a_failure_is_told_even_when_its_apology_is_interrupted(tmp_path: Path) -> None:
    talk = Conversation(tmp_path, echo)
    talk.model.fail_after = 0

    async def main() -> None:
        async with talk.held():
            await talk.say("hello there")
            await talk.until_state(State.SPEAKING)
            await talk.pass_time(0.5)
            await talk.say("what was that")
            await talk.until_quiet()

    virtual_time.run(main())
    assert talk.turns[0].outcome == "failed"
    assert talk.events.count(Notice("error", "the model broke")) == 2


def test_an_answer_without_words_is_not_silence(tmp_path: Path) -> None:
    talk = Conversation(tmp_path, lambda text: "")

    async def main() -> None:
        async with talk.held():
            await talk.say("hello there")
            await talk.until_quiet()

    virtual_time.run(main())
    assert talk.heard() == spoken(Phrase.NOTHING)


def test_a_recogniser_that_breaks_while_listening_is_asked_again(tmp_path: Path) -> None:
    talk = Conversation(tmp_path, echo)

    async def main() -> None:
        async with talk.held():
            talk.recogniser.fail_next = True
            await talk.say("hello there my friend whom I know")
            await talk.until_quiet()
            await talk.pass_time(40)
            await talk.say("and so it goes")
            await talk.until_quiet()

    virtual_time.run(main())
    assert talk.heard().endswith("you said and so it goes")
    assert Notice("error", "the recogniser broke") in talk.events
    assert talk.recogniser.longest_s < 30


def test_without_a_turn_detector_silence_decides(tmp_path: Path) -> None:
    talk = Conversation(tmp_path, echo)
    talk.detector.broken = True

    async def main() -> None:
        async with talk.held():
            await talk.say("hello there")
            await talk.until_quiet()

    virtual_time.run(main())
    assert talk.heard() == "you said hello there"
    assert Notice("error", "the turn detector broke") in talk.events


def test_ears_that_break_end_the_session(tmp_path: Path) -> None:
    talk = Conversation(tmp_path, long_answer)

    async def main() -> None:
        async with talk.held():
            await talk.say("tell a story")
            await talk.until_state(State.SPEAKING)
            await talk.pass_time(1.0)
            talk.activity.broken = True
            await talk.pass_time(1.0)

    with pytest.raises(EngineFailed, match="voice activity broke"):
        virtual_time.run(main())
    assert talk.states[-1] == "idle"
    assert 0 < len(talk.heard().split()) < 40  # the file was closed, and can be read


def test_endless_agreement_does_not_hold_us(tmp_path: Path) -> None:
    talk = Conversation(tmp_path, long_answer)

    async def main() -> None:
        async with talk.held():
            await talk.say("tell a story")
            await talk.until_state(State.SPEAKING)
            await talk.pass_time(1.0)
            await talk.say(" ".join(["yeah"] * 60))
            await talk.until_quiet()

    virtual_time.run(main())
    assert talk.turns[0].heard_text == LONG
    assert longest_silence_s(talk) < 2.5


def longest_silence_s(talk: Conversation) -> float:
    """From one word of the story to the next, at the longest."""
    words = talk.played()[1]
    end = [word for word, _ in words].index(LONG.split()[-1])
    positions = [position for _, position in words[: end + 1]]
    return max(b - a for a, b in pairwise(positions)) / RATE_HZ


def test_a_mumble_after_an_unheard_question_does_not_answer_it(tmp_path: Path) -> None:
    talk = Conversation(tmp_path, echo)

    async def main() -> None:
        async with talk.held():
            await talk.say("what is the weather")
            await talk.until_state(State.SPEAKING)
            sound, _ = USER.say("one two three four five six seven eight", RATE_HZ)
            end = talk.endpoint.say(sound) + len(sound)
            await talk.until_state(State.LISTENING)  # the first words stopped it
            talk.recogniser.broken = True
            await talk.until(lambda: talk.endpoint.position > end)
            await talk.until_quiet()
            talk.recogniser.broken = False
            await talk.say("in paris")
            await talk.until_quiet()

    virtual_time.run(main())
    assert spoken(Phrase.NOT_UNDERSTOOD) in talk.heard()
    assert talk.turns[-1].user_text == "what is the weather in paris"


def test_a_recogniser_that_breaks_leaves_the_reply_going(tmp_path: Path) -> None:
    talk = Conversation(tmp_path, long_answer)

    async def main() -> None:
        async with talk.held():
            await talk.say("tell a story")
            await talk.until_state(State.SPEAKING)
            await talk.pass_time(1.0)
            talk.recogniser.fail_next = True
            await talk.cough()
            await talk.until_quiet()

    virtual_time.run(main())
    assert talk.turns[0].heard_text == LONG
    assert Notice("error", "the recogniser broke") in talk.events


def test_speech_without_words_is_asked_for_once(tmp_path: Path) -> None:
    talk = Conversation(tmp_path, echo)

    async def main() -> None:
        async with talk.held():
            for _ in range(2):
                await talk.cough(1.5)
                await talk.pass_time(5.0)

    virtual_time.run(main())
    assert talk.heard() == spoken(Phrase.NOT_UNDERSTOOD)
    assert talk.model.asked == []


def test_more_than_the_context_holds_is_refused(tmp_path: Path) -> None:
    talk = Conversation(tmp_path, echo, max_tokens=20, context_tokens=60)

    async def main() -> None:
        async with talk.held():
            for words in ("i am anna", " ".join(names(45)), "who am i"):
                await talk.say(words)
                await talk.until_quiet()

    virtual_time.run(main())
    greeting, monologue, question = talk.turns
    assert monologue.outcome == "refused"
    assert monologue.heard_text == str(Phrase.TOO_LONG)
    assert [turn.outcome for turn in (greeting, question)] == ["completed"] * 2
    # What was said before is not forgotten over it.
    assert [m.text for m in talk.model.asked[-1]][1:3] == ["i am anna", "you said i am anna"]


def test_a_long_monologue_loses_no_word(tmp_path: Path) -> None:
    words = (names(30) * 9)[:250]  # 52 s without a pause
    talk = Conversation(tmp_path, lambda text: f"{len(text.split()) == 250} indeed")

    async def main() -> None:
        async with talk.held():
            await talk.say(" ".join(words))
            await talk.until_quiet()

    virtual_time.run(main())
    assert talk.recogniser.longest_s <= 30.0
    assert talk.turns[0].user_text.split() == words
    assert talk.heard() == "True indeed"


def test_it_ends_in_mid_sentence_without_leaving_anything(tmp_path: Path) -> None:
    talk = Conversation(tmp_path, long_answer)

    async def main() -> None:
        async with talk.held():
            await talk.say("tell a story")
            await talk.until_state(State.SPEAKING)
            await talk.pass_time(1.0)

    virtual_time.run(main())
    assert talk.states[-1] == "idle"
    assert talk.model.open_replies == 0
    assert talk.turns[0].outcome == "interrupted"
    assert 0 < len(talk.turns[0].heard_text.split()) < 40


def test_the_same_conversation_twice_is_the_same(tmp_path: Path) -> None:
    def once(folder: Path) -> tuple[list[object], bytes]:
        folder.mkdir()
        talk = Conversation(folder, lambda text: LONG if "story" in text else echo(text))

        async def main() -> None:
            async with talk.held():
                await talk.say("tell a story")
                await talk.until_state(State.SPEAKING)
                await talk.pass_time(1.5)
                await talk.cough()
                await talk.pass_time(1.0)
                await talk.say("and now this")
                await talk.until_quiet()

        virtual_time.run(main())
        return list(talk.events), talk.played()[0].tobytes()

    assert once(tmp_path / "a") == once(tmp_path / "b")


def test_our_own_words_come_back_are_no_interruption(tmp_path: Path) -> None:
    talk = Conversation(tmp_path, long_answer)

    async def main() -> None:
        async with talk.held():
            await talk.say("tell a story")
            await talk.until_state(State.SPEAKING)
            await talk.pass_time(2.0)
            await talk.say(" ".join(talk.turn_text().split()[-4:]))
            await talk.until_quiet()

    virtual_time.run(main())
    (turn,) = talk.turns
    assert turn.outcome == "completed"
    assert [b.outcome for b in turn.barge_ins] == ["resumed"]


@pytest.mark.parametrize(("first_word_s", "waited"), [(0.02, False), (0.25, True), (2.0, False)])
def test_a_decision_waits_a_little_for_the_first_word(
    tmp_path: Path, first_word_s: float, waited: bool
) -> None:
    talk = Conversation(tmp_path, lambda text: "yes")
    talk.model.seconds["reply"] = first_word_s

    async def main() -> None:
        async with talk.held():
            await talk.say("is it noon")
            await talk.until_quiet()

    virtual_time.run(main())
    marks = talk.turns[0].marks_ms
    decided_ms = marks["decision"] - marks["offset"]
    if waited:
        assert decided_ms == pytest.approx(marks["first_token"] - marks["offset"], abs=30)
    elif first_word_s < 0.1:
        assert decided_ms == pytest.approx(200, abs=40)
    else:
        assert decided_ms == pytest.approx(200 + RIPEN_MS, abs=40)


def test_the_model_reads_along(tmp_path: Path) -> None:
    talk = Conversation(tmp_path, echo)

    async def main() -> None:
        async with talk.held():
            await talk.say("one two three four five six seven eight")
            await talk.until_quiet()

    virtual_time.run(main())
    read = [messages[-1].text for messages in talk.model.read if messages[-1].role == "user"]
    assert read
    assert all("one two three four five six seven eight".startswith(words) for words in read)
    assert len(talk.model.read) >= len(read) + 2  # the conversation too, before and after


def test_a_click_is_a_moment_of_silence(tmp_path: Path) -> None:
    talk = Conversation(tmp_path, long_answer)
    read_before = 0

    async def main() -> None:
        nonlocal read_before
        async with talk.held():
            await talk.say("tell a story")
            await talk.until_state(State.SPEAKING)
            await talk.pass_time(2.0)
            read_before = talk.recogniser.asked
            await talk.cough(0.03)
            await talk.until_quiet()

    virtual_time.run(main())
    (turn,) = talk.turns
    assert turn.heard_text == LONG
    (fade,) = turn.barge_ins
    assert fade.outcome == "resumed"
    assert fade.latency_ms < 60
    assert talk.recogniser.asked == read_before  # nobody had to read the click
    assert 0.3 < longest_silence_s(talk) < 0.6


def test_a_dismissed_sound_has_to_be_louder_to_be_suspected_again(tmp_path: Path) -> None:
    talk = Conversation(tmp_path, long_answer)

    async def main() -> None:
        async with talk.held():
            await talk.say("tell a story")
            await talk.until_state(State.SPEAKING)
            await talk.pass_time(2.0)
            for loudness in (1.0, 0.25, 0.25, 0.25):
                await talk.sound(loudness * cough(0.03, RATE_HZ))
                await talk.pass_time(0.3)
            await talk.until_quiet()

    virtual_time.run(main())
    (turn,) = talk.turns
    assert turn.heard_text == LONG
    assert len(turn.barge_ins) == 1


@pytest.mark.parametrize("gap_s", [0.1, 0.2, 0.25, 0.28, 0.29, 0.3, 0.31, 0.32, 0.33])
def test_between_two_syllables_it_stays_silent(tmp_path: Path, gap_s: float) -> None:
    """The first one is no word yet, and nothing of the reply is heard before the second."""
    talk = Conversation(tmp_path, long_answer)

    async def main() -> None:
        async with talk.held():
            await talk.say("hello there")
            await talk.until_state(State.SPEAKING)
            await talk.pass_time(1.0)
            await talk.cough(0.15)
            await talk.pass_time(gap_s)
            await talk.say("stop")
            await talk.until_quiet()

    virtual_time.run(main())
    held = talk.states.index("held")
    assert talk.states[held + 1] == "interrupted"
    samples, _ = talk.played()
    cough_at = talk.endpoint.said[1].onset
    audible = np.flatnonzero(np.abs(samples[cough_at:]) > 0.001)
    assert audible.max(initial=0) < 0.15 * RATE_HZ


def test_after_a_cough_it_goes_on_within_half_a_second(tmp_path: Path) -> None:
    talk = Conversation(tmp_path, long_answer)

    async def main() -> None:
        async with talk.held():
            await talk.say("hello there")
            await talk.until_state(State.SPEAKING)
            await talk.pass_time(1.0)
            await talk.cough(0.3)
            await talk.until_quiet()

    virtual_time.run(main())
    times = {e.state: e.at_ms for e in talk.events if isinstance(e, StateChanged)}
    ended_ms = talk.endpoint.said[1].offset * 1000 / RATE_HZ
    assert 300 <= times[State.SPEAKING] - ended_ms <= 500
