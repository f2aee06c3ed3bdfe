"""The host beside the conversation: its seats, its token, its thread, asked as a browser asks."""

from __future__ import annotations

import json
import socket
import ssl
import stat
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from goassist_desktop import hosting
from goassist_desktop.assistant import LocalAssistant, Venue
from goassist_desktop.config import Config, changed
from goassist_desktop.host_thread import OPEN
from goassist_desktop.hosting import Seats
from goassist_desktop.pipeline.endpoints.capture import CaptureChain
from goassist_desktop.pipeline.endpoints.recording import RecordingEndpoint
from goassist_desktop.pipeline.errors import EngineFailed
from goassist_desktop.pipeline.events import Notice, TurnClosed
from goassist_desktop.pipeline.protocols import LanguageModel
from goassist_desktop.pipeline.workers import Engines, Hosted, ThreadLane
from goassist_desktop.ui.ports import AssistantEvent, Ready
from tests.fakes.tones import (
    LoudnessActivity,
    ScriptedModel,
    ToneRecogniser,
    ToneVoice,
    WordDetector,
)

PATIENCE_S = 10.0
TOKEN = "a-token-that-is-long-enough-to-be-one"
ON = {"host.enabled": True, "host.port": 0, "host.token": TOKEN}


class SeatedModel(ScriptedModel):
    """As many conversations as there are seats."""

    def __init__(self, seats: int) -> None:
        super().__init__(lambda asked: "hello there")
        self.seats = seats
        self.taken: list[int] = []

    def seat(self, index: int) -> ScriptedModel:
        self.taken.append(index)
        return self


# -- seats -----------------------------------------------------------------------------------------


@pytest.fixture
def lane() -> Iterator[ThreadLane]:
    lane = ThreadLane("model")
    yield lane
    lane.close()


def test_every_conversation_has_a_seat_and_a_lane_of_its_own(lane: ThreadLane) -> None:
    model = SeatedModel(3)
    seats = Seats(Hosted(model, lane), first=1)
    one, other = seats.take(), seats.take()
    assert model.taken == [1, 2]
    assert len({id(one.lane), id(other.lane), id(lane)}) == 3
    with pytest.raises(EngineFailed):
        seats.take()
    seats.give_back(one)
    assert seats.take() is one
    seats.close()


def test_a_model_without_seats_is_taken_in_turns(lane: ThreadLane) -> None:
    model: Hosted[LanguageModel] = Hosted(ScriptedModel(lambda asked: ""), lane)
    seats = Seats(model, first=1)
    assert [seats.take() for _ in range(5)] == [model] * 5
    seats.close()


def test_a_model_that_granted_no_seat_beside_the_first_is_taken_in_turns(lane: ThreadLane) -> None:
    model: Hosted[LanguageModel] = Hosted(SeatedModel(1), lane)
    seats = Seats(model, first=1)
    assert seats.take() is seats.take() is model
    seats.close()


# -- the token -------------------------------------------------------------------------------------


def test_the_token_is_made_once_and_is_nobody_elses(tmp_path: Path) -> None:
    token = hosting.kept_token(tmp_path / "host")
    kept = tmp_path / "host" / "token"
    assert len(token) > 40
    assert hosting.kept_token(tmp_path / "host") == token == kept.read_text().strip()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


def test_an_empty_token_is_none(tmp_path: Path) -> None:
    (tmp_path / "token").touch(0o644)
    assert len(hosting.kept_token(tmp_path)) > 40
    assert stat.S_IMODE((tmp_path / "token").stat().st_mode) == 0o600


# -- the thread ------------------------------------------------------------------------------------


class Home:
    """A conversation of this machine with small engines, and browsers before it."""

    def __init__(self, **more: object) -> None:
        self.loads = 0
        self.seats = 0
        self.open = 0
        self.held = threading.Event()
        """Set: engines get loaded."""
        self.held.set()
        self.events: list[AssistantEvent] = []
        self.config = changed(Config(), ON | more)
        self.assistant = LocalAssistant(
            self.config, self.events.append, Venue(self._endpoint, engines=self._engines)
        )

    def _endpoint(self, config: Config) -> RecordingEndpoint:
        return RecordingEndpoint(CaptureChain(echo=False))

    @contextmanager
    def _engines(
        self,
        config: Config,
        given_up: Callable[[], bool],
        ending: Callable[[], bool],
        seats: int,
    ) -> Iterator[Engines]:
        self.loads += 1
        self.seats = seats
        while not self.held.wait(0.01):
            if given_up():
                break
        lanes = [ThreadLane(f"lane-{number}") for number in range(4)]
        activity, detector, recogniser = LoudnessActivity(), WordDetector(), ToneRecogniser()
        model, voice = SeatedModel(seats), ToneVoice()
        for engine in (activity, detector, recogniser, model, voice):
            engine.info = replace(engine.info, stand_in=False)  # browsers get no stand-ins
        self.open += 1
        try:
            yield Engines(
                activity,
                Hosted(detector, lanes[0]),
                Hosted(recogniser, lanes[1]),
                Hosted(model, lanes[2]),
                Hosted(voice, lanes[3]),
            )
        finally:
            self.open -= 1
            for lane in lanes:
                lane.close()

    def use(self, **more: object) -> None:
        named = {key.replace("__", "."): value for key, value in more.items()}
        self.config = changed(self.config, named)
        self.assistant.use(self.config)

    def until(self, true: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not true():
            time.sleep(0.01)
            assert time.monotonic() < deadline, (self.events, self.assistant.browser_access())

    def serves(self) -> None:
        self.until(lambda: self.assistant.browser_access().state == "open")

    def ready(self, count: int = 1) -> None:
        self.until(lambda: sum(isinstance(one, Ready) for one in self.events) == count)

    def welcomes(self) -> None:
        """Browsers can begin; asked slowly, because it may not be asked often."""
        deadline = time.monotonic() + PATIENCE_S
        while self.ask("GET", "/readyz")[0] != 200:
            time.sleep(0.2)
            assert time.monotonic() < deadline, self.ask("GET", "/readyz")

    def ask(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Status and answer."""
        trusting = ssl.create_default_context()
        trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
        url = self.assistant.browser_access().addresses[0].rstrip("/") + path
        request = urllib.request.Request(
            url,
            None if body is None else json.dumps(body).encode(),
            {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"},
            method=method,
        )
        try:
            with urllib.request.urlopen(request, timeout=5, context=trusting) as answer:
                content = answer.read()
                return answer.status, json.loads(content) if content else None
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read() or b"null")

    def notices(self) -> list[Notice]:
        return [one for one in self.events if isinstance(one, Notice)]


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def home(data: Path) -> Iterator[Home]:
    home = Home()
    yield home
    home.held.set()
    home.assistant.close()
    home.until(lambda: home.open == 0)


def begin(home: Home) -> str:
    """A conversation of a browser."""
    status, made = home.ask("POST", "/sessions", {"enable_avatar": False})
    assert status == 201, made
    return str(made["session_id"])


def test_nothing_is_served_that_is_not_wanted(home: Home) -> None:
    home.use(host__enabled=False)
    home.assistant.start()
    home.ready()
    assert home.assistant.browser_access().state == "off"
    assert not any(thread.name == "host" for thread in threading.enumerate())


def test_the_port_is_open_while_the_models_are_loaded(home: Home) -> None:
    home.held.clear()
    home.assistant.start()
    home.serves()
    status, answer = home.ask("GET", "/readyz")
    assert status == 503, answer
    home.held.set()
    home.welcomes()


def test_a_browser_and_the_microphone_talk_to_the_same_engines(home: Home) -> None:
    home.assistant.start()
    home.ready()
    home.serves()
    home.welcomes()
    session = begin(home)
    home.assistant.say("how are you")
    status, answer = home.ask("POST", f"/sessions/{session}/chat", {"message": "how are you"})
    assert status == 200
    assert "hello there" in json.dumps(answer)
    home.until(lambda: any(isinstance(one, TurnClosed) for one in home.events))
    assert home.assistant.browser_access().talking == 1
    assert home.loads == 1


def test_another_conversation_here_leaves_browsers_alone(home: Home) -> None:
    home.assistant.start()
    home.ready()
    home.serves()
    home.welcomes()
    session = begin(home)
    home.assistant.restart()
    home.ready(2)
    assert home.ask("GET", f"/sessions/{session}")[0] == 200
    assert home.loads == 1


def test_other_engines_end_what_was_begun_with_the_old_ones(home: Home) -> None:
    home.assistant.start()
    home.ready()
    home.serves()
    home.welcomes()
    session = begin(home)
    home.use(max_sessions=2)
    home.ready(2)
    home.welcomes()
    assert home.ask("GET", f"/sessions/{session}")[0] == 404
    access = home.assistant.browser_access()
    assert (access.talking, access.places) == (0, 2)
    assert home.loads == 2
    assert home.seats == 3
    begin(home)


def test_a_port_that_is_taken_is_told_and_another_one_helps(data: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        home = Home(**{"host.port": taken.getsockname()[1]})
        home.assistant.start()
        home.until(lambda: home.assistant.browser_access().state == "failed")
        assert str(taken.getsockname()[1]) in home.assistant.browser_access().fault
        assert [one.level for one in home.notices()] == ["error"]
        home.ready()  # here one talks all the same
        home.use(host__port=0)
        home.serves()
        assert [one.what for one in home.notices()[1:]] == [OPEN]
        home.assistant.close()
        home.until(lambda: home.open == 0)


def test_it_can_be_switched_off_and_on(home: Home) -> None:
    home.assistant.start()
    home.ready()
    home.serves()
    port = int(home.assistant.browser_access().addresses[0].rstrip("/").rsplit(":", 1)[1])
    home.use(host__enabled=False)
    assert home.assistant.browser_access().state == "off"

    def closed() -> bool:
        with socket.socket() as line:
            return line.connect_ex(("127.0.0.1", port)) != 0

    home.until(closed)
    home.ready(2)
    home.use(host__enabled=True)
    home.serves()
    home.ready(3)


def test_a_new_code_takes_the_place_of_the_old(home: Home) -> None:
    home.assistant.start()
    home.serves()
    before = home.assistant.browser_access()
    home.assistant.renew_code()
    after = home.assistant.browser_access()
    assert before.code != after.code
    assert after.link.endswith(f"#code={after.code}")
    assert 590 < after.code_left_s <= 600


def test_all_of_it_ends_within_a_second(home: Home) -> None:
    home.assistant.start()
    home.ready()
    home.serves()
    home.welcomes()
    begin(home)
    began = time.monotonic()
    home.assistant.close()
    home.until(lambda: not any(t.name in ("host", "conversation") for t in threading.enumerate()))
    assert time.monotonic() - began < 1.0
