"""An engine breaks in mid-sentence: the reply is heard in full, no word twice, none missing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from goassist_desktop.pipeline import ladder
from goassist_desktop.pipeline.errors import EngineFailed
from goassist_desktop.pipeline.events import Notice
from goassist_desktop.pipeline.frames import Message, Samples, Speech, Transcript
from goassist_desktop.pipeline.ladder import RETRY_MS
from goassist_desktop.pipeline.turn import Phrase
from tests.conversation.test_chat import read
from tests.fakes import virtual_time
from tests.fakes.stage import Conversation
from tests.fakes.tones import ScriptedModel, ToneRecogniser, ToneVoice

ANSWER = "one two three four five six seven eight nine ten eleven twelve"


def answer(text: str) -> str:
    return ANSWER


class Lettered(ScriptedModel):
    """Answers letter by letter, and breaks after some of them, as a server's connection does."""

    def __init__(self, breaks_after: int) -> None:
        super().__init__(answer)
        self.seconds["reply"] = 0.004
        self.breaks_after = breaks_after

    def reply(self, messages: Sequence[Message], **settings: Any) -> Iterator[str]:
        letters = "".join(super().reply(messages, **settings))
        yield from letters[: self.breaks_after]
        raise EngineFailed("the connection was lost")


class Hanging(ScriptedModel):
    """Makes some words, and then no more."""

    def __init__(self, words: int) -> None:
        super().__init__(answer)
        self.words = words

    def reply(self, messages: Sequence[Message], **settings: Any) -> Iterator[str]:
        for number, piece in enumerate(super().reply(messages, **settings)):
            if number == self.words:
                self.seconds["reply"] = 3600.0
            yield piece


class Mending(ToneVoice):
    """Breaks with its first word, and at every attempt to load it but the last."""

    def __init__(self, attempts: int) -> None:
        super().__init__()
        self.breaks_after = 0
        self.attempts = attempts
        self.loaded = 0

    def load(self) -> None:
        self.loaded += 1
        if self.loaded < self.attempts:
            raise EngineFailed("it is still broken")
        self.breaks_after = None


def talk_with(
    tmp_path: Path,
    *,
    spares: Sequence[Any],
    max_tokens: int = 200,
    context_tokens: int = 8192,
    **engines: Any,
) -> Conversation:
    """A conversation whose first engines are these."""

    class Prepared(Conversation):
        def __setattr__(self, name: str, value: Any) -> None:
            super().__setattr__(name, engines.get(name, value))

    talk = Prepared(tmp_path, answer, max_tokens, context_tokens, spares=spares)
    for spare in (*spares, *engines.values()):
        if isinstance(spare, ToneVoice):
            spare.tongue = talk.voice.tongue
    return talk


def notices(talk: Conversation) -> list[str]:
    return [event.what for event in talk.events if isinstance(event, Notice)]


def hold(talk: Conversation, questions: int = 1, pause_s: float = 0.0) -> None:
    async def main() -> None:
        async with talk.held():
            for _ in range(questions):
                await talk.say("go on")
                await talk.until_quiet()
                await talk.pass_time(pause_s)

    virtual_time.run(main())


@pytest.mark.parametrize("letters", range(0, len(ANSWER), 3))
def test_a_model_breaks_after_any_letter(tmp_path: Path, letters: int) -> None:
    spare = ScriptedModel(answer)
    talk = talk_with(tmp_path, model=Lettered(letters), spares=[spare])
    hold(talk)
    assert talk.heard() == ANSWER
    (turn,) = talk.turns
    assert (turn.outcome, turn.reply_text, turn.heard_text) == ("completed", ANSWER, ANSWER)
    assert notices(talk) == ["tones: the connection was lost; tones takes over"]
    assert spare.open_replies == 0


@pytest.mark.parametrize("words", range(5))
def test_a_voice_breaks_after_any_word(tmp_path: Path, words: int) -> None:
    voice = ToneVoice()
    voice.breaks_after = words
    talk = talk_with(tmp_path, voice=voice, spares=[ToneVoice()])
    hold(talk)
    assert talk.heard() == ANSWER
    assert talk.turns[0].outcome == "completed"
    assert notices(talk) == ["tones: the voice broke; tones takes over"]


def test_two_break_and_the_third_goes_on(tmp_path: Path) -> None:
    first, second = ToneVoice(), ToneVoice()
    first.breaks_after, second.breaks_after = 2, 1
    model = ScriptedModel(answer)
    model.fail_after = 3
    talk = talk_with(
        tmp_path,
        voice=first,
        model=model,
        spares=[second, ToneVoice(), Lettered(11), ScriptedModel(answer)],
    )
    hold(talk)
    assert talk.heard() == ANSWER
    assert len(notices(talk)) == 4


def test_none_is_left_and_it_is_said(tmp_path: Path) -> None:
    model = ScriptedModel(answer)
    model.fail_after = 6
    talk = talk_with(tmp_path, model=model, spares=[Lettered(20)])
    hold(talk)
    (turn,) = talk.turns
    assert turn.outcome == "failed"
    assert turn.reason == "the connection was lost"
    assert talk.heard().split()[-5:] == Phrase.FAILED.split()[-5:]


@pytest.mark.parametrize("words", [0, 1, 5])
def test_a_model_that_hangs_is_replaced_in_time(tmp_path: Path, words: int) -> None:
    talk = talk_with(tmp_path, model=Hanging(words), spares=[ScriptedModel(answer)])
    hold(talk)
    assert talk.heard() == ANSWER
    (turn,) = talk.turns
    assert turn.outcome == "completed"
    assert notices(talk) == ["tones: no word for 4 s; tones takes over"]


def test_a_recogniser_breaks_and_no_word_is_lost(tmp_path: Path) -> None:
    recogniser = ToneRecogniser()
    recogniser.broken = True
    talk = talk_with(tmp_path, recogniser=recogniser, spares=[ToneRecogniser()])
    hold(talk)
    assert [turn.user_text for turn in talk.turns] == ["go on"]
    assert notices(talk) == ["tones: the recogniser broke; tones takes over"]


def test_a_recogniser_that_hangs_is_replaced(tmp_path: Path) -> None:
    class Hanging(ToneRecogniser):
        def transcribe(self, audio: Samples) -> Transcript:
            self.seconds["transcribe"] = 3600.0
            return super().transcribe(audio)

    talk = talk_with(tmp_path, recogniser=Hanging(), spares=[ToneRecogniser()])
    hold(talk)
    assert [turn.user_text for turn in talk.turns] == ["go on"]


def test_the_better_one_comes_back(tmp_path: Path) -> None:
    voice, spare = Mending(attempts=3), ToneVoice()
    said: list[str] = []

    def noting(speak: Callable[[str], Iterator[Speech]]) -> Callable[[str], Iterator[Speech]]:
        def speak_and_note(text: str) -> Iterator[Speech]:
            said.append(text)
            return speak(text)

        speak_and_note.__name__ = "speak"
        speak_and_note.__self__ = spare  # type: ignore[attr-defined]
        return speak_and_note

    spare.speak = noting(spare.speak)  # type: ignore[method-assign]
    talk = talk_with(tmp_path, voice=voice, spares=[spare])
    hold(talk, questions=2, pause_s=sum(RETRY_MS[:3]) / 1000)
    assert notices(talk) == ["tones: the voice broke; tones takes over", "tones is back"]
    assert voice.loaded == 3
    assert talk.heard() == f"{ANSWER} {ANSWER}"
    assert len(said) <= len(list(Phrase)) + len(ANSWER.split()), "the second was said by it too"


def test_what_could_not_be_loaded_is_told_and_tried_again(tmp_path: Path) -> None:
    talk = talk_with(tmp_path, spares=[ScriptedModel(answer)])
    hosted = talk.engines.model
    object.__setattr__(hosted, "trouble", "the server does not answer")
    hold(talk, questions=2)
    assert talk.heard() == f"{ANSWER} {ANSWER}"
    assert notices(talk) == [
        "tones: the server does not answer; tones takes over",
        "tones is back",
    ]


def test_one_with_a_bug_is_told_of_once_and_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Buggy(ToneVoice):
        loaded = 0

        def load(self) -> None:
            self.loaded += 1
            raise ZeroDivisionError

    voice = Buggy()
    voice.breaks_after = 0
    told: list[str] = []
    monkeypatch.setattr(ladder.logger, "exception", lambda what, *_: told.append(what))
    talk = talk_with(tmp_path, voice=voice, spares=[ToneVoice()])
    hold(talk, questions=3, pause_s=5)
    assert talk.heard() == f"{ANSWER} {ANSWER} {ANSWER}"
    assert notices(talk)[1:] == ["tones: it has a bug, and is not tried again"]
    assert (len(told), voice.loaded) == (1, 1)


def test_a_written_answer_goes_on_too(tmp_path: Path) -> None:
    talk = talk_with(tmp_path, model=Lettered(22), spares=[ScriptedModel(answer)])
    answers = []

    async def main() -> None:
        async with talk.held():
            answers.append(await read(talk, "go on"))

    virtual_time.run(main())
    assert answers == [ANSWER]


def test_a_spare_that_is_still_being_loaded_is_waited_for(tmp_path: Path) -> None:
    class Loading(ScriptedModel):
        loaded = False

        @property
        def context_tokens(self) -> int:
            if not self.loaded:
                raise EngineFailed("not loaded")
            return 8192

        @context_tokens.setter
        def context_tokens(self, tokens: int) -> None: ...

        def load(self) -> None:
            self.loaded = True

    spare = Loading(answer)
    spare.seconds["load"] = 3.0
    talk = talk_with(tmp_path, model=Lettered(0), spares=[spare])

    async def main() -> None:
        (rung,) = talk.engines.model.below
        loading = asyncio.ensure_future(rung.lane.run(spare.load))
        async with talk.held():
            await talk.say("go on")
            await talk.until_quiet()
        await loading

    virtual_time.run(main())
    assert talk.heard() == ANSWER


def test_a_server_that_says_nothing_is_no_sign_of_life(tmp_path: Path) -> None:
    class Silent(ScriptedModel):
        def reply(self, messages: Sequence[Message], **settings: Any) -> Iterator[str | None]:
            self.seconds["reply"] = 0.03
            while True:
                yield None

    talk = talk_with(tmp_path, model=Silent(answer), spares=[ScriptedModel(answer)])
    hold(talk)
    assert talk.heard() == ANSWER
    assert notices(talk) == ["tones: no word for 4 s; tones takes over"]
