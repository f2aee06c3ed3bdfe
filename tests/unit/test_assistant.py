"""The conversation's thread, with small engines: asked at any moment, from anywhere."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, TypeVar

import pytest

from goassist_desktop.app import GivenUp
from goassist_desktop.assistant import LocalAssistant, Venue
from goassist_desktop.config import Config, changed
from goassist_desktop.pipeline.endpoints.capture import CaptureChain
from goassist_desktop.pipeline.endpoints.recording import RecordingEndpoint
from goassist_desktop.pipeline.errors import DeviceFailed, EngineFailed, ModelMissing
from goassist_desktop.pipeline.events import ReplyText, TurnClosed
from goassist_desktop.pipeline.protocols import Endpoint
from goassist_desktop.pipeline.session import Session
from goassist_desktop.pipeline.workers import Engines, Hosted, ThreadLane
from goassist_desktop.ui.ports import AssistantEvent, Loading, Ready, Unable
from tests.fakes.tones import (
    LoudnessActivity,
    ScriptedModel,
    ToneRecogniser,
    ToneVoice,
    WordDetector,
)

PATIENCE_S = 10.0
CLOSED_S = 1.0
E = TypeVar("E", bound=AssistantEvent)


class Place:
    """Where the conversation is held. What goes wrong there is set from the test."""

    def __init__(self, config: Config | None = None, say: str = "hello there") -> None:
        self.loads: list[Config] = []
        self.open = 0
        self.most_open = 0
        self.endpoints: list[tuple[Config, RecordingEndpoint]] = []
        self.ready: list[Config] = []
        """Of each conversation that began."""
        self.slow = False
        """Engines do not get loaded, unless one gives up."""
        self.fault: BaseException | None = None
        """Of the engines, as they are loaded."""
        self.deaf: BaseException | None = None
        """Of the endpoint, as it is made."""
        self.bug: Exception | None = None
        """Of what runs beside the next session."""
        self.signs = 0
        """Of life."""
        self._say = say
        self._events: list[AssistantEvent] = []
        self._happened = threading.Condition()
        venue = Venue(self._endpoint, self._beside, self._engines)
        self.assistant = LocalAssistant(config or Config(), self._publish, venue, self._alive)

    @contextmanager
    def _engines(
        self,
        config: Config,
        given_up: Callable[[], bool],
        ending: Callable[[], bool],
        seats: int,
    ) -> Iterator[Engines]:
        self.loads.append(config)
        self.seats = seats
        while self.slow:
            if given_up():
                raise GivenUp
            time.sleep(0.005)
        if self.fault is not None:
            raise self.fault
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        lanes = [ThreadLane(f"lane-{number}") for number in range(4)]
        try:
            yield Engines(
                LoudnessActivity(),
                Hosted(WordDetector(), lanes[0]),
                Hosted(ToneRecogniser(), lanes[1]),
                Hosted(ScriptedModel(lambda asked: self._say), lanes[2]),
                Hosted(ToneVoice(), lanes[3]),
            )
        finally:
            for lane in lanes:
                lane.close()
            self.open -= 1

    def _endpoint(self, config: Config) -> Endpoint:
        if self.deaf is not None:
            raise self.deaf
        endpoint = RecordingEndpoint(CaptureChain(echo=False))
        self.endpoints.append((config, endpoint))
        return endpoint

    def _beside(self, session: Session, endpoint: Endpoint) -> Iterable[Coroutine[Any, Any, None]]:
        bug, self.bug = self.bug, None
        return () if bug is None else (_raising(bug),)

    def _alive(self) -> None:
        self.signs += 1

    def _publish(self, event: AssistantEvent) -> None:
        with self._happened:
            self._events.append(event)
            if isinstance(event, Ready):
                self.ready.append(self.endpoints[-1][0])
            self._happened.notify_all()

    def all(self, kind: type[E]) -> list[E]:
        with self._happened:
            return [event for event in self._events if isinstance(event, kind)]

    def wait(self, kind: type[E], count: int = 1) -> E:
        """The last of so many."""
        self.until(lambda: len(self.all(kind)) >= count)
        return self.all(kind)[count - 1]

    def until(self, true: Callable[[], bool]) -> None:
        with self._happened:
            deadline = time.monotonic() + PATIENCE_S
            while not true():
                self._happened.wait(0.02)
                assert time.monotonic() < deadline, self._events

    @property
    def alive(self) -> bool:
        return any(thread.name == "conversation" for thread in threading.enumerate())

    def begin(self) -> LocalAssistant:
        self.assistant.start()
        self.wait(Ready)
        return self.assistant


async def _raising(bug: Exception) -> None:
    raise bug


@pytest.fixture
def place() -> Iterator[Place]:
    place = Place()
    yield place
    place.assistant.close()
    place.until(lambda: place.open == 0)


def test_typed_words_are_answered(place: Place) -> None:
    place.begin().say("how are you")
    assert place.wait(TurnClosed).heard_text == "hello there"
    assert len(place.all(Loading)) == 1


@pytest.mark.parametrize(
    ("fault", "cause"),
    [
        (ModelMissing("model x: is not here"), "models"),
        (EngineFailed("the model is broken"), "engine"),
        (MemoryError(), "memory"),
    ],
)
def test_engines_that_can_not_be_loaded_are_told_once_and_tried_again_when_asked(
    place: Place, fault: Exception, cause: str
) -> None:
    place.fault = fault
    place.assistant.start()
    assert place.wait(Unable).cause == cause
    place.fault = None
    place.assistant.restart()
    place.wait(Ready)
    assert len(place.loads) == 2
    assert len(place.all(Unable)) == 1


def test_an_unexpected_error_is_told_and_does_not_end_it(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    place.bug = ZeroDivisionError("oh")
    place.assistant.start()
    unable = place.wait(Unable)
    assert unable.cause == "bug"
    assert "ZeroDivisionError" in unable.what
    assert "the conversation broke" in caplog.text
    caplog.get_records("call").clear()
    place.assistant.restart()
    place.until(lambda: len(place.endpoints) == 2 and place.endpoints[-1][1].position > 0)
    place.assistant.say("how are you")
    assert place.wait(TurnClosed).heard_text == "hello there"


def test_what_was_asked_of_a_session_that_is_over_is_not_tried_twice(place: Place) -> None:
    """A restart begins another session; should that one fail, nobody has asked for a third."""
    assistant = place.begin()
    assistant.restart()
    place.wait(Ready, 2)
    place.deaf = DeviceFailed("no sound")
    assistant.restart()
    assert place.wait(Unable).cause == "sound"
    seen = place.signs
    place.until(lambda: place.signs > seen)  # it waits
    assert len(place.loads) == 1
    place.deaf = None
    assistant.start()
    place.wait(Ready, 3)
    assert len(place.all(Unable)) == 1


def test_the_window_alone_is_concerned(place: Place) -> None:
    assistant = place.begin()
    assistant.use(changed(Config(), {"window.theme": "light", "privacy.keep_history": True}))
    assistant.say("how are you")
    place.wait(TurnClosed)
    assert len(place.endpoints) == 1


def test_another_persona_begins_another_conversation_with_the_same_engines(place: Place) -> None:
    assistant = place.begin()
    assistant.use(changed(Config(), {"persona.name": "Ada"}))
    place.wait(Ready, 2)
    assert place.endpoints[-1][0].persona.name == "Ada"
    assert len(place.loads) == 1


def test_engines_that_are_not_wanted_any_more_are_not_waited_for(place: Place) -> None:
    place.slow = True
    place.assistant.start()
    place.wait(Loading)
    place.assistant.use(changed(Config(), {"profile": "ci"}))
    place.until(lambda: len(place.loads) == 2)
    place.slow = False
    place.wait(Ready)
    assert [config.profile for config in place.loads] == ["embedded", "ci"]
    assert not place.all(Unable)


def test_the_microphone_is_off_from_the_start_where_a_key_turns_it_on() -> None:
    place = Place(changed(Config(), {"audio.push_to_talk": True}))
    try:
        assistant = place.begin()
        assert place.endpoints[-1][1].muted
        assistant.use(Config())
        place.until(lambda: not place.endpoints[-1][1].muted)
    finally:
        place.assistant.close()


def test_muted_stays_muted_in_the_next_conversation(place: Place) -> None:
    assistant = place.begin()
    assistant.mute(True)
    place.until(lambda: place.endpoints[-1][1].muted)
    assistant.restart()
    place.wait(Ready, 2)
    assert place.endpoints[-1][1].muted


def test_a_greeting_is_said_once(place: Place) -> None:
    place.assistant.start("welcome")
    place.until(lambda: any(event.heard == "welcome" for event in place.all(ReplyText)))
    place.assistant.restart()
    place.wait(Ready, 2)
    place.assistant.say("how are you")
    place.until(lambda: any(event.heard_text == "hello there" for event in place.all(TurnClosed)))
    assert [event.heard_text for event in place.all(TurnClosed)].count("welcome") <= 1


def test_hundreds_of_changes_from_everywhere_end_with_the_last(place: Place) -> None:
    """Settings, devices, personas and engines, changed faster than anything can follow."""
    assistant = place.assistant
    assistant.start()
    choices = [
        {"persona.name": "Ada"},
        {"persona.voice": "heart", "profile": "ci"},
        {"audio.input_device": "headset"},
        {"audio.push_to_talk": True},
        {"window.text_scale": 1.5},
        {"models.recognition": "", "reply.max_tokens": 64},
        {"privacy.keep_session": True},
    ]

    def change(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(100):
            assistant.use(changed(Config(), chance.choice(choices)))
            if chance.random() < 0.1:
                assistant.restart()
            if chance.random() < 0.3:
                time.sleep(chance.random() / 100)

    threads = [threading.Thread(target=change, args=[seed]) for seed in (1, 2, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    last = changed(Config(), {"persona.name": "Last", "profile": "ci"})
    assistant.use(last)
    place.until(lambda: bool(place.ready) and place.ready[-1] is last)
    assistant.say("how are you")
    assert place.wait(TurnClosed).heard_text == "hello there"
    assert place.loads[-1].profile == "ci"
    assert place.most_open == 1
    assert not place.all(Unable)


MOMENTS: dict[str, Callable[[Place], object]] = {
    "before it began": lambda place: None,
    "as it begins": lambda place: place.assistant.start(),
    "while loading": lambda place: (
        setattr(place, "slow", True),
        place.assistant.start(),
        place.wait(Loading),
    ),
    "as loading ends": lambda place: (place.assistant.start(), place.wait(Loading)),
    "after it failed": lambda place: (
        setattr(place, "fault", EngineFailed("broken")),
        place.assistant.start(),
        place.wait(Unable),
    ),
    "while it listens": lambda place: place.begin(),
    "while it speaks": lambda place: (
        place.begin().say("how are you"),
        place.until(lambda: any(event.heard for event in place.all(ReplyText))),
    ),
    "as another begins": lambda place: (place.begin(), place.assistant.restart()),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_it_can_be_closed_at_every_moment(moment: str) -> None:
    place = Place(say="a long story about many things " * 5)
    MOMENTS[moment](place)
    began = time.monotonic()
    place.assistant.close()
    assert time.monotonic() - began < CLOSED_S
    place.until(lambda: place.open == 0 and not place.alive)
    place.assistant.start()  # too late, and harmless
    place.assistant.say("hello")
    place.assistant.close()


def test_closed_at_random_moments(place: Place) -> None:
    chance = random.Random(7)
    for _ in range(30):
        one = Place()
        one.assistant.start()
        time.sleep(chance.random() / 20)
        one.assistant.use(replace(Config(), profile="ci"))
        one.assistant.close()
        one.until(lambda: not place.alive)
        assert one.open == 0
