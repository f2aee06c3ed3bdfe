"""The local endpoint on a virtual sound card: real PortAudio, real time, real echo."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from goassist_desktop.pipeline.endpoints import devices
from goassist_desktop.pipeline.endpoints.local import LocalEndpoint
from goassist_desktop.pipeline.endpoints.sound_card import list_devices_now
from goassist_desktop.pipeline.errors import ConfigError, DeviceFailed
from goassist_desktop.pipeline.events import Notice
from tests.device.conftest import LOOP, LOUDSPEAKER, MICROPHONE, VirtualCard
from tests.signals import level_db, likeness, speech

pytestmark = pytest.mark.device

RATE_HZ = 48_000


class Voice:
    """A source that says (n,) after a second of silence, and then no more."""

    STARTS = RATE_HZ

    def __init__(self, words: np.ndarray) -> None:
        self._samples = np.append(np.zeros(self.STARTS, np.float32), words)
        self.pulled = 0

    def pull(self, count: int) -> np.ndarray:
        block = self._samples[self.pulled : self.pulled + count]
        self.pulled += count
        return np.append(block, np.zeros(count - len(block), np.float32))


class Conversation:
    """An endpoint at work, and all that came of it."""

    def __init__(self, endpoint: LocalEndpoint, words: np.ndarray) -> None:
        self.endpoint = endpoint
        self.voice = Voice(words)
        self.blocks: list[np.ndarray] = []
        self.notices: list[Notice] = []
        self.started = time.monotonic()
        endpoint.start(self.voice, self.blocks.append, self.notices.append)

    def heard(self) -> np.ndarray:
        """(n,) at 16 kHz, since the start."""
        assert {(block.shape, block.dtype.name) for block in self.blocks} == {((160,), "float32")}
        return np.concatenate(self.blocks)

    def behind_s(self) -> float:
        """How far what was delivered is behind real time."""
        return time.monotonic() - self.started - len(self.blocks) / 100

    def until_noticed(self, level: str, words: str, within_s: float) -> None:
        until(lambda: self._noticed(level, words), within_s, f"{level}: {words}")

    def _noticed(self, level: str, words: str) -> bool:
        return any(notice.level == level and words in notice.what for notice in self.notices)


def until(condition: Callable[[], bool], within_s: float, what: str) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"waited {within_s} s in vain for {what}")
        time.sleep(0.01)


Begin = Callable[..., Conversation]


@pytest.fixture
def begin(card: VirtualCard) -> Iterator[Begin]:
    """Starts conversations on the card and ends them."""
    begun: list[Conversation] = []

    def begin(
        microphone: str | None = MICROPHONE,
        loudspeaker: str | None = LOUDSPEAKER,
        *,
        words: np.ndarray | None = None,
        echo: bool = True,
        patient: bool = False,
    ) -> Conversation:
        endpoint = LocalEndpoint(microphone, loudspeaker, echo=echo, patient=patient)
        words = np.zeros(0, np.float32) if words is None else words
        begun.append(Conversation(endpoint, words))
        return begun[-1]

    yield begin
    for conversation in begun:
        conversation.endpoint.stop()
    assert not [t for t in threading.enumerate() if t.name.startswith("local-endpoint")]


def test_what_is_said_is_delivered(card: VirtualCard, begin: Begin) -> None:
    conversation = begin(echo=False)
    card.speak(speech("beckett", RATE_HZ)).wait()
    time.sleep(0.5)
    _, alike = likeness(conversation.heard(), speech("beckett", 16_000))
    assert alike > 0.95
    assert -0.5 < conversation.behind_s() < 0.5
    assert conversation.notices == []


def test_what_is_pulled_is_played(card: VirtualCard, begin: Begin) -> None:
    words = speech("beckett", RATE_HZ)
    recording = card.record()
    conversation = begin(words=words)
    until(lambda: conversation.voice.pulled > len(words) + 2 * RATE_HZ, 20, "the end of the speech")
    _, alike = likeness(recording.stop(), words)
    assert alike > 0.95


def test_both_delays_are_what_the_endpoint_says(begin: Begin) -> None:
    words = speech("beckett", RATE_HZ)[: 5 * RATE_HZ]
    conversation = begin(LOOP, words=words, echo=False)
    time.sleep(6.5)
    endpoint = conversation.endpoint
    began, alike = likeness(conversation.heard(), speech("beckett", 16_000)[: 5 * 16_000])
    heard_ms = began / 16 - endpoint.capture_delay_ms
    played_ms = Voice.STARTS / 48 + endpoint.render_delay_ms
    assert alike > 0.95
    assert heard_ms - played_ms == pytest.approx(0, abs=50)


def test_the_assistant_does_not_hear_itself(begin: Begin) -> None:
    words = speech("two_cities_1", RATE_HZ)[: 10 * RATE_HZ]
    conversation = begin(LOOP, words=words)
    time.sleep(11)
    itself = conversation.heard()[6 * 16_000 : 10 * 16_000]
    assert level_db(itself) < level_db(words) - 25


def test_the_user_is_heard_over_the_assistant(card: VirtualCard, begin: Begin) -> None:
    card.connect_echo()
    conversation = begin(words=speech("two_cities_1", RATE_HZ)[: 18 * RATE_HZ])
    time.sleep(7)
    card.speak(speech("beckett", RATE_HZ)).wait()
    time.sleep(0.5)
    _, alike = likeness(conversation.heard()[7 * 16_000 :], speech("beckett", 16_000))
    assert alike > 0.5


def test_sound_stays_whole_while_python_is_busy(card: VirtualCard, begin: Begin) -> None:
    words = speech("two_cities_1", RATE_HZ)[: 5 * RATE_HZ]
    conversation = begin(LOOP, words=words, echo=False)
    done = threading.Event()

    def work() -> None:
        while not done.is_set():
            sum(range(1000))

    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    time.sleep(7)
    done.set()
    for worker in workers:
        worker.join()
    _, alike = likeness(conversation.heard(), speech("two_cities_1", 16_000)[: 5 * 16_000])
    assert alike > 0.9


def test_a_device_that_wants_44100_hz_and_stereo_gets_it(
    begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    # PulseAudio takes any format, so its answers are made those of a simple card.
    import sounddevice

    def only_cd(*, channels: int, samplerate: int, **_: object) -> None:
        if (channels, samplerate) != (2, 44_100):
            raise sounddevice.PortAudioError("Invalid sample rate or number of channels")

    monkeypatch.setattr(sounddevice, "check_input_settings", only_cd)
    monkeypatch.setattr(sounddevice, "check_output_settings", only_cd)
    words = speech("beckett", RATE_HZ)[: 5 * RATE_HZ]
    conversation = begin(LOOP, words=words, echo=False)
    time.sleep(7)
    _, alike = likeness(conversation.heard(), speech("beckett", 16_000)[: 5 * 16_000])
    assert alike > 0.95
    assert -0.5 < conversation.behind_s() < 0.5


@pytest.mark.parametrize("name", ["test-mic", "GOASSIST-Test-Microphone"])
def test_a_device_is_chosen_by_part_of_its_name_in_any_case(
    card: VirtualCard, begin: Begin, name: str
) -> None:
    conversation = begin(name, "Test-Loud", echo=False)
    card.speak(speech("beckett", RATE_HZ)[: 2 * RATE_HZ]).wait()
    time.sleep(0.3)
    assert level_db(conversation.heard()) > -40


def test_without_names_the_default_devices_are_used(card: VirtualCard, begin: Begin) -> None:
    conversation = begin(None, None, echo=False)
    card.speak(speech("beckett", RATE_HZ)[: 2 * RATE_HZ]).wait()
    time.sleep(0.3)
    assert level_db(conversation.heard()) > -40


@pytest.mark.parametrize(
    ("microphone", "loudspeaker", "complaint"),
    [
        ("gramophone", None, "input_device = 'gramophone': no microphone has that in the name"),
        (None, "gramophone", "output_device = 'gramophone': no loudspeaker has that in the name"),
        ("goassist-test", None, "input_device = 'goassist-test': 3 microphones have that"),
    ],
)
def test_a_wrong_name_is_refused_with_the_right_ones(
    begin: Begin, microphone: str | None, loudspeaker: str | None, complaint: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        begin(microphone, loudspeaker)
    message = str(refused.value)
    assert message.startswith(complaint)
    assert repr(MICROPHONE if microphone else LOUDSPEAKER) in message
    assert "\n" not in message


def test_a_device_that_goes_away_is_announced_replaced_by_silence_and_found_again(
    card: VirtualCard, begin: Begin
) -> None:
    conversation = begin(echo=False)
    time.sleep(1)
    card.kill()
    conversation.until_noticed("warning", "stopped", 1)
    time.sleep(1)
    assert -0.2 < conversation.behind_s() < 0.5
    pulled_s = conversation.voice.pulled / RATE_HZ
    assert pulled_s == pytest.approx(len(conversation.blocks) / 100, abs=0.5)

    card.start()
    conversation.until_noticed("info", "are back", 5)
    before = len(conversation.blocks)
    card.speak(speech("beckett", RATE_HZ)).wait()
    time.sleep(0.5)
    after = conversation.heard()[before * 160 :]
    assert likeness(after, speech("beckett", 16_000))[1] > 0.95
    assert -0.5 < conversation.behind_s() < 0.5
    assert [notice.level for notice in conversation.notices] == ["warning", "info"]


def test_a_dead_microphone_is_announced_once_and_so_is_its_return(
    card: VirtualCard, begin: Begin
) -> None:
    conversation = begin()
    conversation.until_noticed("warning", "your microphone is silent", 8)
    card.speak(speech("beckett", RATE_HZ)[: 2 * RATE_HZ]).wait()
    conversation.until_noticed("info", "heard again", 2)
    assert [notice.level for notice in conversation.notices] == ["warning", "info"]


@pytest.mark.parametrize("state", ["at work", "just unplugged", "waiting"])
def test_stop_ends_at_once_whatever_the_state(card: VirtualCard, begin: Begin, state: str) -> None:
    conversation = begin()
    if state != "at work":
        card.kill()
    if state == "waiting":
        conversation.until_noticed("warning", "stopped", 2)
    began = time.monotonic()
    conversation.endpoint.stop()
    assert time.monotonic() - began < 0.5
    delivered = len(conversation.blocks)
    conversation.endpoint.stop()
    time.sleep(0.2)
    assert len(conversation.blocks) == delivered


def test_a_sound_system_that_hangs_hangs_nothing_else(begin: Begin) -> None:
    conversation = begin()
    released = threading.Event()
    pull = conversation.voice.pull

    def hang(count: int) -> np.ndarray:
        if not released.is_set() and threading.current_thread().name.startswith("Dummy"):
            released.wait()  # PortAudio's thread; closing waits for it
        return pull(count)

    conversation.voice.pull = hang  # type: ignore[method-assign]
    conversation.until_noticed("error", "hangs: start the program again", 3)
    time.sleep(0.5)
    assert -0.2 < conversation.behind_s() < 0.5
    began = time.monotonic()
    conversation.endpoint.stop()
    assert time.monotonic() - began < 0.5
    released.set()


def test_without_a_sound_server_a_patient_one_waits_for_it(card: VirtualCard, begin: Begin) -> None:
    card.kill()
    conversation = begin(None, None, echo=False, patient=True)
    assert [notice.level for notice in conversation.notices] == ["warning", "warning"]
    conversation.until_noticed("warning", "no microphone found: connect one; you can type", 0.1)
    time.sleep(1)
    assert -0.2 < conversation.behind_s() < 0.5
    assert conversation.voice.pulled / RATE_HZ == pytest.approx(1, abs=0.5)
    card.start()
    conversation.until_noticed("info", "loudspeaker", 8)
    conversation.until_noticed("info", "microphone", 8)
    card.speak(speech("beckett", RATE_HZ)[: 2 * RATE_HZ]).wait()
    time.sleep(0.3)
    assert level_db(conversation.heard()) > -40
    assert -0.5 < conversation.behind_s() < 0.5


def test_devices_are_switched_again_and_again(card: VirtualCard, begin: Begin) -> None:
    conversation = begin(words=speech("two_cities_1", RATE_HZ), echo=False)
    time.sleep(0.5)
    threads = threading.active_count()
    for turn in range(20):
        conversation.endpoint.use(*((LOOP, None), (MICROPHONE, LOUDSPEAKER))[turn % 2])
        time.sleep(0.15)
    conversation.endpoint.use(LOOP, LOUDSPEAKER)
    time.sleep(1.5)
    assert level_db(conversation.heard()[-8000:]) > -50  # the loop hears what is played
    assert -0.5 < conversation.behind_s() < 0.5
    assert conversation.notices == []
    assert threading.active_count() <= threads + 1

    conversation.endpoint.use("gramophone", LOUDSPEAKER)
    conversation.until_noticed("warning", "'gramophone' is not connected; going on with", 5)
    time.sleep(0.5)
    assert level_db(conversation.heard()[-4000:]) > -50


def test_devices_are_listed_while_they_are_in_use(card: VirtualCard, begin: Begin) -> None:
    conversation = begin(echo=False)
    time.sleep(0.5)
    assert {MICROPHONE, LOUDSPEAKER} <= {device.name for device in list_devices_now()}
    card.add_device("goassist-test-headset", "microphone")
    listed = {device.name: device for device in list_devices_now()}
    assert listed["goassist-test-headset"].input_channels
    conversation.endpoint.use("goassist-test-headset", LOUDSPEAKER)
    time.sleep(1.5)
    card.speak(speech("beckett", RATE_HZ)[: 2 * RATE_HZ]).wait()
    time.sleep(0.3)
    assert level_db(conversation.heard()) > -40
    assert conversation.notices == []
    assert -0.5 < conversation.behind_s() < 0.5


def test_a_machine_that_slept_goes_on(
    card: VirtualCard, begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept_s = 0.0
    monkeypatch.setattr(devices, "wall_clock", lambda: time.monotonic() + slept_s)
    conversation = begin(echo=False)
    time.sleep(1)
    slept_s = 3600.0
    time.sleep(1.5)
    card.speak(speech("beckett", RATE_HZ)[: 2 * RATE_HZ]).wait()
    time.sleep(0.3)
    assert level_db(conversation.heard()) > -40
    assert -0.5 < conversation.behind_s() < 0.5
    assert conversation.notices == []


def test_without_a_sound_server_a_line_says_so(card: VirtualCard, begin: Begin) -> None:
    card.kill()
    with pytest.raises(DeviceFailed, match="no microphone found"):
        begin(None, None)


def test_without_portaudio_a_line_says_what_to_install() -> None:
    # In a process of its own, for here the library is loaded.
    script = """
import ctypes.util
ctypes.util.find_library = lambda name: None
from goassist_desktop.pipeline.endpoints import devices
from goassist_desktop.pipeline.endpoints.local import LocalEndpoint
from goassist_desktop.pipeline.endpoints.sound_card import list_devices_now
LocalEndpoint().start(None, print, print)
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        capture_output=True,
        text=True,
        env=os.environ,
        check=False,
    )
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("goassist_desktop.pipeline.errors.DeviceFailed")
    assert "libportaudio2" in last
