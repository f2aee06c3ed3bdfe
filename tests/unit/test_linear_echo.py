"""Finding, predicting and losing the echo, on noise and real speech in a synthetic room."""

import numpy as np
import pytest

from goassist_desktop.pipeline.endpoints.echo_delay import BLOCK, DelayFinder
from goassist_desktop.pipeline.endpoints.linear_echo import LEAD_SAMPLES, LinearEcho
from goassist_desktop.pipeline.endpoints.residual_echo import ResidualEcho
from goassist_desktop.pipeline.endpoints.room import Room
from tests.signals import level_db, speech

RATE_HZ = 16_000


def noise(count: int, rms_db: float, seed: int = 7) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (rng.standard_normal(count) * 10 ** (rms_db / 20)).astype(np.float32)


def reply(seconds: float, *, silent_s: float = 0.5) -> np.ndarray:
    """The assistant, who begins after a moment; (n,) at 16 kHz."""
    silence = np.zeros(int(silent_s * RATE_HZ), np.float32)
    said = speech("two_cities_1", RATE_HZ)
    return np.concatenate([silence, said])[: int(seconds * RATE_HZ)]


def echo_of(played: np.ndarray, delay_ms: float = 60, gain_db: float = -6) -> np.ndarray:
    response = Room(echo_delay_ms=delay_ms, echo_gain_db=gain_db).echo_response(RATE_HZ)
    size = len(played) + len(response)
    spectrum = np.fft.rfft(played, size) * np.fft.rfft(response, size)
    return np.fft.irfft(spectrum, size)[: len(played)].astype(np.float32)


def in_room(echo: np.ndarray, near: np.ndarray | float = 0.0) -> np.ndarray:
    return (echo + near + noise(len(echo), -70)).astype(np.float32)


def blocks(*signals: np.ndarray):
    cut = (signal[: len(signal) // BLOCK * BLOCK] for signal in signals)
    return zip(*(signal.reshape(-1, BLOCK) for signal in cut), strict=True)


def cleaned(linear: LinearEcho, mic: np.ndarray, played: np.ndarray) -> np.ndarray:
    out = []
    for near, far in blocks(mic, played):
        residual = linear.process(near, far)
        out.append(near if residual is None else residual.samples)
    return np.concatenate(out)


def reduction_db(before: np.ndarray, after: np.ndarray, start_s: float, end_s: float) -> float:
    during = slice(int(start_s * RATE_HZ), int(end_s * RATE_HZ))
    return level_db(before[during]) - level_db(after[during])


@pytest.mark.parametrize("delay_ms", [20, 120, 300])
@pytest.mark.parametrize(("near_db", "within_s"), [(None, 0.2), (-26.0, 0.8)])
def test_the_lag_is_found_to_the_sample(delay_ms, near_db, within_s):
    """The user, where there is one, is as loud as the echo."""
    played = reply(2, silent_s=0.3)
    near = 0.0 if near_db is None else speech("beckett", RATE_HZ, near_db)[: len(played)]
    mic = in_room(echo_of(played, delay_ms), near)
    finder = DelayFinder()
    found = [finder.update(near, far, None) for near, far in blocks(mic, played)]
    sure = [(at, lag) for at, lag in enumerate(found) if lag is not None]
    assert {lag for _, lag in sure} == {delay_ms * RATE_HZ // 1000}
    heard_from_s = 0.3 + delay_ms / 1000
    assert sure[0][0] / 100 - heard_from_s < within_s


def test_no_lag_is_found_where_there_is_no_echo():
    played = reply(8)
    finder = DelayFinder()
    mic = in_room(speech("beckett", RATE_HZ)[: len(played)])
    pairs = blocks(mic, played[: len(mic)])
    assert all(finder.update(near, far, None) is None for near, far in pairs)


def test_white_noise_is_cancelled_within_a_second():
    played = noise(4 * RATE_HZ, -20)
    mic = in_room(echo_of(played))
    after = cleaned(LinearEcho(), mic, played)
    assert reduction_db(mic, after, 1.0, 2.0) > 25
    assert reduction_db(mic, after, 2.0, 4.0) > 30


@pytest.mark.parametrize("delay_ms", [20, 300])
@pytest.mark.parametrize("gain_db", [0, -20])
def test_speech_is_cancelled_soon(delay_ms, gain_db):
    played = reply(8)
    mic = in_room(echo_of(played, delay_ms, gain_db))
    after = cleaned(LinearEcho(), mic, played)
    assert reduction_db(mic, after, 1.3, 2.5) > 14
    assert reduction_db(mic, after, 2.5, 8.0) > 20


def test_double_talk_does_not_spoil_the_filter():
    played = reply(12)
    near = np.zeros_like(played)
    said = speech("beckett", RATE_HZ, -16)[: 4 * RATE_HZ]  # 10 dB above the echo
    near[5 * RATE_HZ : 9 * RATE_HZ] = said
    echo = echo_of(played)
    mic = in_room(echo, near)
    wrong = cleaned(LinearEcho(), mic, played) - near
    assert reduction_db(echo, wrong, 5.0, 9.0) > 10
    assert reduction_db(echo, wrong, 9.5, 12.0) > 18


def test_silence_costs_nothing_and_the_room_is_remembered():
    played = np.concatenate([reply(6), np.zeros(10 * RATE_HZ, np.float32), reply(2, silent_s=0.0)])
    mic = in_room(echo_of(played))
    linear = LinearEcho()
    worked = [linear.process(near, far) is not None for near, far in blocks(mic, played)]
    assert not any(worked[:50])
    assert all(worked[60:600])
    assert not any(worked[680:1600])
    linear = LinearEcho()
    after = cleaned(linear, mic, played)
    assert reduction_db(mic, after, 16.1, 16.5) > 15


def test_a_jump_of_the_delay_is_followed_within_half_a_second():
    played = reply(10)
    moved = int(5 * RATE_HZ)
    echo = np.concatenate([echo_of(played, 60)[:moved], echo_of(played, 110)[moved:]])
    mic = in_room(echo)
    linear = LinearEcho()
    after = cleaned(linear, mic, played)
    assert linear.delay == 110 * RATE_HZ // 1000 - LEAD_SAMPLES
    assert reduction_db(mic, after, 5.5, 6.5) > 10
    assert reduction_db(mic, after, 6.5, 9.5) > 18


def test_a_drifting_clock_is_followed():
    played = reply(25)
    echo = echo_of(played)
    at = np.arange(len(echo)) * (1 + 100e-6)
    mic = in_room(np.interp(at, np.arange(len(echo)), echo).astype(np.float32))
    after = cleaned(LinearEcho(), mic, played)
    for second in (5, 12, 19):
        assert reduction_db(mic, after, second, second + 5) > 10


def losses(mic: np.ndarray, played: np.ndarray) -> list[int]:
    """Blocks in which the prediction was called plainly wrong."""
    linear, residual_echo = LinearEcho(), ResidualEcho()
    lost = []
    for at, (near, far) in enumerate(blocks(mic, played)):
        residual = linear.process(near, far)
        if residual is None:
            continue
        residual_echo.process(residual)
        if residual_echo.lost:
            lost.append(at)
            linear.mistrust()
    return lost


def test_a_jump_is_noticed_in_30_ms_and_the_user_is_no_jump():
    played = reply(8)
    echo = echo_of(played, 60)
    moved = 5 * RATE_HZ
    jumped = np.concatenate([echo[:moved], echo_of(played, 110)[moved:]])
    lost = losses(in_room(jumped), played)
    assert 500 <= lost[0] < 503
    near = np.zeros_like(played)
    near[3 * RATE_HZ :] = speech("beckett", RATE_HZ, -26)[: 5 * RATE_HZ]
    assert not losses(in_room(echo, near), played)


def test_the_assistants_own_voice_ends_as_quiet_as_the_room():
    played = reply(10)
    mic = in_room(echo_of(played))
    linear, residual_echo = LinearEcho(), ResidualEcho()
    out = []
    for near, far in blocks(mic, played):
        residual = linear.process(near, far)
        out.append(
            residual_echo.rest(near) if residual is None else residual_echo.process(residual)
        )
    during = np.concatenate(out)[2 * RATE_HZ :]
    loudest = max(level_db(second) for second in during[: 7 * RATE_HZ].reshape(-1, RATE_HZ))
    assert -75 < loudest < -66
