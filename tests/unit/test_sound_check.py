"""Microphone and loudspeaker examined, in simulated rooms and with devices that come and go."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pytest

from goassist_desktop import sound_check
from goassist_desktop.pipeline.endpoints.room import Convolver, Room
from goassist_desktop.pipeline.frames import Samples
from goassist_desktop.sound_check import HUSH_S, SOUND_S, WHOLE_S, Check, Echo, Probe, chime
from tests.fakes.room_card import RoomCard
from tests.signals import level_db, speech

RATE_HZ = 48_000
BLOCK = 480


def noise(count: int, rms_db: float) -> Samples:
    rng = np.random.default_rng(7)
    return (rng.standard_normal(count) * 10 ** (rms_db / 20)).astype(np.float32)


def heard_in(check: Check, *rooms: Room, said: Samples | None = None, noise_db: float) -> None:
    """Let a test end. With several rooms the sound jumps from one to the next every 0.7 s, as
    it does where samples are lost."""
    echoes = [
        None if (response := room.echo_response(RATE_HZ)) is None else Convolver(response, BLOCK)
        for room in rooms
    ]
    mics = noise(round(WHOLE_S * RATE_HZ), noise_db)
    if said is not None:
        mics += said[: len(mics)]
    for nth, mic in enumerate(mics.reshape(-1, BLOCK)):
        played = check.pull(BLOCK)
        around = [
            np.zeros(BLOCK, np.float32) if echo is None else echo.process(played) for echo in echoes
        ]
        check.process(mic + around[nth // 70 % len(around)], played)


def echo_in(*rooms: Room, said: Samples | None = None, noise_db: float = -66) -> Echo:
    check = Check()
    check.play()
    heard_in(check, *rooms, said=said, noise_db=noise_db)
    assert check.echo is not None and check.progress is None
    return check.echo


# The sound ----------------------------------------------------------------------------------------


def test_the_melody_is_soft_and_has_all_frequencies_of_speech() -> None:
    sound = chime()
    assert len(sound) == SOUND_S * RATE_HZ
    assert np.abs(sound).max() == pytest.approx(0.25, rel=1e-3)
    assert np.abs(sound[-100:]).max() < 0.001, "it fades out, and does not click"
    power = np.abs(np.fft.rfft(sound)) ** 2
    hz = np.fft.rfftfreq(len(sound), 1 / RATE_HZ)
    for low, high in ((200, 500), (500, 1000), (1000, 2000), (2000, 3500), (3500, 5000)):
        band = power[(hz > low) & (hz < high)].sum() / power.sum()
        assert 10 * np.log10(band) > -25, f"{low} to {high} Hz are missing"


# The echo -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("delay_ms", [20, 120, 300])
def test_an_echo_is_found_and_removed(delay_ms: float) -> None:
    echo = echo_in(Room(delay_ms, -6))
    assert echo.outcome == "removed"
    assert echo.delay_ms == pytest.approx(delay_ms, abs=1)
    assert echo.heard_db == pytest.approx(-34, abs=1), "6 dB below the louder notes"
    assert echo.removed_db > 25


def test_a_faint_echo_is_no_trouble() -> None:
    echo = echo_in(Room(120, -30))
    assert echo.outcome == "removed" and echo.delay_ms == pytest.approx(120, abs=1)


def test_headphones_are_told_from_an_echo_by_more_than_loudness() -> None:
    assert echo_in(Room()).outcome == "unheard"
    assert echo_in(Room(), said=speech("beckett", RATE_HZ)).outcome == "unheard"


def test_a_voice_over_the_echo_is_not_taken_for_it() -> None:
    assert echo_in(Room(120, -6), said=speech("beckett", RATE_HZ)).outcome == "disturbed"


def test_an_echo_that_can_not_be_removed_is_loud() -> None:
    echo = echo_in(Room(40, 6), Room(190, 6))
    assert echo.outcome == "loud" and echo.removed_db < sound_check.REMOVED_DB


def test_a_muted_microphone_is_told_from_headphones() -> None:
    assert echo_in(Room(), noise_db=-400).outcome == "silent"


def test_the_test_begins_with_a_hush_and_can_be_done_again() -> None:
    check = Check()
    assert not check.pull(RATE_HZ).any(), "nothing is played before it is asked for"
    for _ in range(2):
        check.play()
        played = []
        for nth in range(round(WHOLE_S * 100)):
            assert check.progress == pytest.approx(nth / (WHOLE_S * 100))
            played.append(check.pull(BLOCK))
            check.process(noise(BLOCK, -60), played[-1])
        assert not np.concatenate(played)[: round(HUSH_S * RATE_HZ)].any()
        assert np.array_equal(
            np.concatenate(played)[round(HUSH_S * RATE_HZ) :][:1000], chime()[:1000]
        )
        assert check.echo is not None and not check.pull(BLOCK).any()


# The voice ----------------------------------------------------------------------------------------


def hears_a_voice_in(mic: Samples) -> bool:
    check = Check()
    for block in mic[: len(mic) // BLOCK * BLOCK].reshape(-1, BLOCK):
        check.process(block, np.zeros(BLOCK, np.float32))
    return check.voice_heard


def test_a_voice_is_heard() -> None:
    quiet, said = noise(RATE_HZ, -60), speech("beckett", RATE_HZ, rms_db=-35)[: 3 * RATE_HZ]
    assert hears_a_voice_in(np.concatenate([quiet, said]) + noise(4 * RATE_HZ, -60))


@pytest.mark.parametrize("loud_db", [-60, -30])
def test_steady_noise_is_no_voice(loud_db: float) -> None:
    assert not hears_a_voice_in(noise(6 * RATE_HZ, loud_db))


def test_a_knock_is_no_voice() -> None:
    mic = noise(3 * RATE_HZ, -60)
    mic[RATE_HZ : RATE_HZ + RATE_HZ // 5] += noise(RATE_HZ // 5, -15)
    assert not hears_a_voice_in(mic)


def test_the_level_is_without_what_a_microphone_adds_to_every_sample() -> None:
    check = Check()
    check.process(np.full(BLOCK, 0.3, np.float32) + noise(BLOCK, -40), np.zeros(BLOCK, np.float32))
    assert check.level_db == pytest.approx(-40, abs=1)
    assert level_db(noise(BLOCK, -40)) == pytest.approx(-40, abs=1)


# Devices ------------------------------------------------------------------------------------------


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> RoomCard:
    monkeypatch.setattr(sound_check, "RETRY_S", 0.02)
    monkeypatch.setattr(sound_check, "WATCH_S", 0.01)
    monkeypatch.setattr(sound_check, "WAIT_S", 0.005)
    return RoomCard(Room(120, -6))


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def test_the_probe_listens_to_the_devices_asked_for_and_lets_go_of_them(card: RoomCard) -> None:
    probe = Probe(card)
    probe.start("", "")
    until(lambda: probe.check is not None)
    first = probe.check
    assert first is not None
    assert [device.name for device in probe.devices] == ["Built-in Audio", "USB Headset"]
    first.play()
    card.pass_time(WHOLE_S)
    until(lambda: first.echo is not None)
    assert first.echo is not None and first.echo.outcome == "removed"
    probe.use("USB Headset", "")
    until(lambda: probe.check not in (None, first))
    assert card.opened == [("", ""), ("USB Headset", "")] and card.open_now == 1
    probe.stop()
    until(lambda: probe.ended)
    assert card.open_now == 0 and probe.check is None


def test_a_device_that_is_missing_is_waited_for(card: RoomCard) -> None:
    card.broken = "no microphone found: connect one"
    probe = Probe(card)
    probe.start("", "")
    until(lambda: probe.fault == card.broken)
    card.broken = ""
    until(lambda: probe.check is not None)
    assert probe.fault == ""
    card.unplug()
    until(lambda: "stopped" in probe.fault)
    until(lambda: len(card.opened) == 2 and probe.check is not None)
    probe.stop()
    until(lambda: probe.ended)
    assert card.open_now == 0
