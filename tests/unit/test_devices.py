"""Devices that are missing, plugged in, chosen and gone, under a whole local endpoint."""

from __future__ import annotations

import asyncio
import random
import sys
import threading
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from goassist_desktop.app import make_session
from goassist_desktop.config import Config
from goassist_desktop.pipeline.endpoints import devices, sound_card
from goassist_desktop.pipeline.endpoints.local import LocalEndpoint
from goassist_desktop.pipeline.errors import ConfigError, DeviceFailed
from goassist_desktop.pipeline.events import Notice, SessionEvent, TurnClosed
from goassist_desktop.pipeline.workers import Engines, Hosted, ThreadLane
from tests.fakes.portaudio import Device, PortAudio
from tests.fakes.tones import (
    LoudnessActivity,
    ScriptedModel,
    ToneRecogniser,
    ToneVoice,
    WordDetector,
)

INTERVAL_S = sys.getswitchinterval()


class Talk:
    """A local endpoint at work on a PortAudio of nothing, and all that came of it."""

    def __init__(self, portaudio: PortAudio, *names: str | None, patient: bool = True) -> None:
        self.portaudio = portaudio
        self.blocks: list[np.ndarray] = []
        self.notices: list[Notice] = []
        self.pulled = 0
        self.endpoint = LocalEndpoint(*names, echo=False, patient=patient)
        self.began = time.monotonic()
        self.endpoint.start(self, self.blocks.append, self.notices.append)

    def pull(self, count: int) -> np.ndarray:
        self.pulled += count
        return np.full(count, 0.2, np.float32)

    @property
    def said(self) -> list[tuple[str, str]]:
        return [(notice.level, notice.what) for notice in self.notices]

    def open(self) -> dict[str, str]:
        """Direction -> device."""
        streams = self.portaudio.open_streams
        found = {stream.direction: stream.device.name for stream in streams if stream.active}
        assert len(found) == len(streams), "two streams of one direction"
        return found

    def heard(self) -> float:
        """The level of the newest block."""
        return float(np.abs(self.blocks[-1]).mean()) if self.blocks else 0.0

    def until_open(self, **names: str) -> None:
        until(lambda: self.portaudio_is(names), f"{names}, not {self.said}")

    def portaudio_is(self, names: dict[str, str]) -> bool:
        streams = self.portaudio.open_streams
        return sorted((s.direction, s.device.name) for s in streams) == sorted(names.items())

    def until_said(self, level: str, *words: str) -> None:
        def said() -> bool:
            return any(
                notice.level == level and all(word in notice.what for word in words)
                for notice in self.notices
            )

        until(said, f"{level}: {words}")

    def until_heard(self, level: float) -> None:
        until(lambda: abs(self.heard() - level) < 0.01, f"a level of {level}")

    def in_real_time(self) -> None:
        """Both timelines go on."""
        blocks, pulled = len(self.blocks), self.pulled
        until(lambda: len(self.blocks) > blocks + 5, "blocks")
        until(lambda: self.pulled > pulled + 5 * 480, "pulls")


def until(true: Callable[[], bool], what: str, within_s: float = 10.0) -> None:
    deadline = time.monotonic() + within_s
    while not true():
        if time.monotonic() > deadline:
            pytest.fail(f"waited in vain for {what}")
        time.sleep(0.002)


Begin = Callable[..., Talk]
HEADSET = "Headset"


@pytest.fixture
def portaudio(monkeypatch: pytest.MonkeyPatch) -> PortAudio:
    portaudio = PortAudio()
    monkeypatch.setattr(sound_card, "_portaudio", lambda: portaudio)
    monkeypatch.setattr(devices, "list_devices_now", lambda unwanted: now(portaudio))
    monkeypatch.setattr(devices, "WATCH_S", 0.005)
    monkeypatch.setattr(devices, "FIRST_LOOK_S", 0.01)
    monkeypatch.setattr(devices, "LONGEST_LOOK_S", 0.05)
    return portaudio


def now(portaudio: PortAudio) -> list[sound_card.SoundDevice]:
    """As a process of its own would find them."""
    fresh = PortAudio(*portaudio.devices)
    fresh._initialize()
    return sound_card._devices(fresh.default.device, fresh.query_devices())


@pytest.fixture
def begin(portaudio: PortAudio) -> Iterator[Begin]:
    talks: list[Talk] = []

    def begin(*names: str | None, patient: bool = True) -> Talk:
        talks.append(Talk(portaudio, *names, patient=patient))
        return talks[-1]

    yield begin
    for talk in talks:
        talk.endpoint.stop()
    portaudio.hangs.clear()
    until(lambda: not portaudio.open_streams, "all streams to be closed")
    sys.setswitchinterval(INTERVAL_S)


@pytest.fixture
def mic() -> Device:
    return Device("Mic", inputs=1, level=0.1)


@pytest.fixture
def speaker() -> Device:
    return Device("Speaker", outputs=2)


@pytest.fixture
def headset() -> Device:
    return Device(HEADSET, inputs=1, outputs=1, level=0.3)


# -- missing ---------------------------------------------------------------------------------------


def test_without_any_device_it_begins_and_finds_them_later(
    portaudio: PortAudio, begin: Begin, mic: Device, speaker: Device
) -> None:
    talk = begin()
    assert talk.said == [
        ("warning", "no loudspeaker found: connect one; you can read the answers meanwhile"),
        ("warning", "no microphone found: connect one; you can type meanwhile"),
    ]
    talk.in_real_time()
    assert talk.heard() == 0
    portaudio.plug(mic)
    talk.until_said("info", "the microphone 'Mic' is connected")
    talk.until_heard(0.1)
    talk.in_real_time()
    portaudio.plug(speaker)
    talk.until_said("info", "the loudspeaker 'Speaker' is connected")
    talk.until_open(input=mic.name, output=speaker.name)
    talk.in_real_time()
    assert len(talk.notices) == 4


def test_what_is_missing_is_looked_for_without_a_gap_in_what_is_there(
    portaudio: PortAudio, begin: Begin, speaker: Device, mic: Device
) -> None:
    portaudio.plug(speaker)
    talk = begin()
    begun = portaudio.begun
    played = len(speaker.played)
    until(lambda: len(speaker.played) > played + 40, "sound")
    assert portaudio.begun == begun
    assert speaker.opened == 1
    assert [level for level, _ in talk.said] == ["warning"]
    portaudio.plug(mic)
    talk.until_open(input=mic.name, output=speaker.name)
    assert speaker.opened == 2


def test_the_systems_choice_stands_in_for_one_that_is_not_there(
    portaudio: PortAudio, begin: Begin, mic: Device, speaker: Device, headset: Device
) -> None:
    portaudio.plug(mic, speaker)
    talk = begin(HEADSET, None)
    assert talk.said == [
        ("warning", "the microphone 'Headset' is not connected; 'Mic' is used meanwhile")
    ]
    talk.until_open(input=mic.name, output=speaker.name)
    portaudio.plug(headset)
    talk.until_open(input=HEADSET, output=speaker.name)
    talk.until_said("info", "the microphone 'Headset' is connected")
    talk.until_heard(0.3)


def test_a_device_that_is_held_by_another_program_is_had_as_soon_as_it_is_free(
    portaudio: PortAudio, begin: Begin, mic: Device, speaker: Device
) -> None:
    mic.busy = True
    portaudio.plug(mic, speaker)
    talk = begin()
    why = "the microphone 'Mic' can not be opened: another program may be using it"
    assert talk.said == [("warning", f"{why}; you can type meanwhile")]
    talk.in_real_time()
    mic.busy = False
    talk.until_heard(0.1)
    assert speaker.opened == 1


@pytest.mark.parametrize("missing", ["microphone", "loudspeaker"])
def test_who_is_not_patient_needs_both(
    portaudio: PortAudio, begin: Begin, mic: Device, speaker: Device, missing: str
) -> None:
    portaudio.plug(speaker if missing == "microphone" else mic)
    with pytest.raises(DeviceFailed, match=f"no {missing} found"):
        begin(patient=False)
    portaudio.plug(mic, speaker)
    with pytest.raises(ConfigError, match="no microphone has that in the name"):
        begin(HEADSET, patient=False)


# -- gone ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("patient", [False, True])
def test_what_goes_away_is_told_and_so_is_its_return(
    portaudio: PortAudio, begin: Begin, mic: Device, speaker: Device, patient: bool
) -> None:
    portaudio.plug(mic, speaker)
    talk = begin(patient=patient)
    talk.until_heard(0.1)
    portaudio.unplug(mic)
    talk.until_said("warning", "the microphone 'Mic' stopped: waiting for it")
    if patient:
        talk.until_open(output=speaker.name)
        talk.until_said("warning", "no microphone found: connect one; you can type")
    else:
        talk.until_open()
    talk.in_real_time()
    portaudio.plug(mic)
    talk.until_heard(0.1)
    back = "the microphone 'Mic' is connected" if patient else "are back"
    talk.until_said("info", back)
    assert len(talk.notices) == (3 if patient else 2)


def test_a_machine_that_slept_opens_its_devices_anew(
    portaudio: PortAudio,
    begin: Begin,
    mic: Device,
    speaker: Device,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    portaudio.plug(mic, speaker)
    slept_s = 0.0
    monkeypatch.setattr(devices, "wall_clock", lambda: time.monotonic() + slept_s)
    talk = begin()
    talk.until_heard(0.1)
    blocks = len(talk.blocks)
    began = time.monotonic()
    slept_s = 8 * 3600.0
    until(lambda: mic.opened == speaker.opened == 2, "both to be opened again")
    talk.until_heard(0.1)
    talk.in_real_time()
    assert len(talk.blocks) - blocks <= 100 * (time.monotonic() - began) + 20
    assert mic.opened == speaker.opened == 2
    assert talk.notices == []


def test_a_sound_system_that_hangs_is_told_of(
    portaudio: PortAudio, begin: Begin, mic: Device, speaker: Device
) -> None:
    portaudio.plug(mic, speaker)
    talk = begin()
    talk.until_heard(0.1)
    portaudio.hangs.set()
    portaudio.unplug(mic)
    talk.until_said("error", "the sound system hangs: start the program again")
    talk.in_real_time()
    talk.endpoint.use(None, speaker.name)
    talk.in_real_time()
    # Nor is another one of this program kept waiting.
    talk.endpoint.stop()
    with pytest.raises(DeviceFailed, match="the sound system hangs"):
        begin(patient=False)
    another = begin()
    assert another.said == [("error", "the sound system hangs: start the program again")]
    another.in_real_time()
    portaudio.hangs.clear()
    until(lambda: not portaudio.open_streams, "the streams to be let go of")
    another.endpoint.use(None, speaker.name)
    another.until_open(output=speaker.name)


# -- chosen ----------------------------------------------------------------------------------------


def test_devices_are_switched_while_it_runs(
    portaudio: PortAudio, begin: Begin, mic: Device, speaker: Device, headset: Device
) -> None:
    portaudio.plug(mic, speaker, headset)
    talk = begin()
    talk.until_open(input=mic.name, output=speaker.name)
    talk.endpoint.use(HEADSET, None)
    talk.until_open(input=HEADSET, output=speaker.name)
    talk.until_heard(0.3)
    assert speaker.opened == 1  # which is not touched for that
    talk.endpoint.use(HEADSET, HEADSET)
    talk.until_open(input=HEADSET, output=HEADSET)
    talk.in_real_time()
    talk.endpoint.use(None, None)
    talk.until_open(input=mic.name, output=speaker.name)
    talk.until_heard(0.1)
    assert talk.notices == []
    assert portaudio.begun == 1


def test_a_device_plugged_in_meanwhile_can_be_chosen(
    portaudio: PortAudio, begin: Begin, mic: Device, speaker: Device, headset: Device
) -> None:
    portaudio.plug(mic, speaker)
    talk = begin()
    portaudio.plug(headset)
    talk.endpoint.use(HEADSET, None)
    talk.until_open(input=HEADSET, output=speaker.name)
    talk.until_heard(0.3)
    assert talk.notices == []


@pytest.mark.parametrize("fault", ["busy", "unknown", "just unplugged"])
def test_what_can_not_be_had_leaves_the_one_before(
    portaudio: PortAudio, begin: Begin, mic: Device, speaker: Device, headset: Device, fault: str
) -> None:
    headset.busy = fault == "busy"
    portaudio.plug(mic, speaker)
    if fault != "unknown":
        portaudio.plug(headset)
    talk = begin()
    talk.until_heard(0.1)
    if fault == "just unplugged":
        portaudio.unplug(headset)
    talk.endpoint.use(HEADSET, None)
    talk.until_said("warning", "the microphone 'Headset'", "; going on with 'Mic'")
    assert talk.open() == {"input": mic.name, "output": speaker.name}
    talk.in_real_time()
    talk.until_heard(0.1)
    assert len(talk.notices) == 1
    assert mic.opened == speaker.opened == 1


def test_one_that_can_not_be_had_does_not_keep_the_other_from_being_switched(
    portaudio: PortAudio, begin: Begin, mic: Device, speaker: Device, headset: Device
) -> None:
    portaudio.plug(mic, speaker, headset)
    talk = begin()
    talk.endpoint.use("gramophone", HEADSET)
    talk.until_open(input=mic.name, output=HEADSET)
    assert talk.said == [
        ("warning", "the microphone 'gramophone' is not connected; going on with 'Mic'")
    ]


def test_who_waits_for_a_device_can_choose_another(
    portaudio: PortAudio, begin: Begin, mic: Device, speaker: Device, headset: Device
) -> None:
    portaudio.plug(mic, speaker, headset)
    talk = begin(mic.name, speaker.name, patient=False)
    talk.until_heard(0.1)
    portaudio.unplug(mic)
    talk.until_said("warning", "stopped")
    talk.endpoint.use(HEADSET, speaker.name)
    talk.until_open(input=HEADSET, output=speaker.name)
    talk.until_heard(0.3)


@pytest.mark.parametrize("seed", range(3))
def test_two_hundred_switches_while_devices_come_and_go(
    portaudio: PortAudio,
    begin: Begin,
    mic: Device,
    speaker: Device,
    headset: Device,
    seed: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sound_card, "STALE_S", 0.1)
    rng = random.Random(seed)
    usb = Device("USB", inputs=1, outputs=1, level=0.5)
    portaudio.plug(mic, speaker, headset, usb)
    talk = begin()
    for _ in range(200):
        names = [None, HEADSET, "USB", "gramophone"]
        talk.endpoint.use(rng.choice(names), rng.choice(names))
        if rng.random() < 0.1:
            device = rng.choice([headset, usb])
            (portaudio.unplug if device.plugged else portaudio.plug)(device)
        time.sleep(rng.choice([0.0, 0.004, 0.02]))
    portaudio.plug(headset, usb)
    talk.endpoint.use(None, None)
    talk.endpoint.use("USB", HEADSET)
    talk.until_open(input="USB", output=HEADSET)
    talk.until_heard(0.5)
    talk.in_real_time()
    behind_s = time.monotonic() - talk.began - len(talk.blocks) / 100
    assert -0.2 < behind_s < 0.5
    names = [thread.name for thread in threading.enumerate()]
    assert sum(name == "fake stream" for name in names) == 2
    assert sum(name.startswith("local-endpoint") for name in names) == 2


def test_a_muted_microphone_is_silence(
    portaudio: PortAudio, begin: Begin, mic: Device, speaker: Device
) -> None:
    portaudio.plug(mic, speaker)
    talk = begin()
    talk.until_heard(0.1)
    talk.endpoint.muted = True
    talk.until_heard(0.0)
    talk.in_real_time()
    talk.endpoint.muted = False
    talk.until_heard(0.1)


@pytest.mark.parametrize("plugged", [True, False], ids=["loudspeaker", "nothing"])
def test_typed_words_are_answered_without_a_microphone(
    portaudio: PortAudio, speaker: Device, plugged: bool
) -> None:
    if plugged:
        portaudio.plug(speaker)
    voice = ToneVoice()
    lanes = [ThreadLane(f"lane {n}") for n in range(4)]
    engines = Engines(
        LoudnessActivity(),
        Hosted(WordDetector(), lanes[0]),
        Hosted(ToneRecogniser(), lanes[1]),
        Hosted(ScriptedModel(lambda text: f"you said {text}"), lanes[2]),
        Hosted(voice, lanes[3]),
    )
    events: list[SessionEvent] = []
    endpoint = LocalEndpoint(echo=False, patient=True)
    session = make_session(Config(), engines, endpoint, events.append)

    def closed() -> list[TurnClosed]:
        return [event for event in events if isinstance(event, TurnClosed)]

    async def main() -> None:
        running = asyncio.create_task(session.run())
        session.say("hello")
        deadline = time.monotonic() + 20
        while not closed() and time.monotonic() < deadline:
            await asyncio.sleep(0.01)
        running.cancel()
        await asyncio.wait((running,))

    try:
        asyncio.run(main())
    finally:
        for lane in lanes:
            lane.close()
        sys.setswitchinterval(INTERVAL_S)
    (turn,) = closed()
    assert (turn.outcome, turn.heard_text) == ("completed", "you said hello")
    # In real time, whether somebody hears it or not.
    length_ms = turn.marks_ms["audio_end"] - turn.marks_ms["first_audio"]
    said_ms = 1000 * len(voice.tongue.say("you said hello", 48_000)[0]) / 48_000
    assert length_ms == pytest.approx(said_ms, abs=150)
    if plugged:
        assert voice.tongue.read(np.concatenate(speaker.played), 48_000) == turn.heard_text.split()


# -- listed ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "child",
    ["import time; time.sleep(60)", "print('ALSA says hello')", "raise SystemExit(3)", "print([])"],
    ids=["hangs", "babbles", "fails", "says nothing"],
)
def test_a_listing_that_fails_is_an_error_soon(
    portaudio: PortAudio, monkeypatch: pytest.MonkeyPatch, child: str
) -> None:
    monkeypatch.setattr(sound_card, "_LISTING", child)
    monkeypatch.setattr(sound_card, "LIST_S", 0.3)
    with pytest.raises(DeviceFailed, match="the sound system does not answer"):
        sound_card.list_devices_now()


def test_a_listing_nobody_waits_for_any_more_ends(
    portaudio: PortAudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sound_card, "_LISTING", "import time; time.sleep(60)")
    unwanted = threading.Event()
    unwanted.set()
    with pytest.raises(DeviceFailed):
        sound_card.list_devices_now(unwanted)
