import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from goassist_desktop.pipeline.endpoints.room import Convolver, Room, noise_at, speech_span
from goassist_desktop.pipeline.errors import ConfigError

RATE_HZ = 48_000


def hiss(count: int, level: float = 0.1, seed: int = 1) -> np.ndarray:
    return (level * np.random.default_rng(seed).standard_normal(count)).astype(np.float32)


def rms(samples: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))


def db(ratio: float) -> float:
    return float(20 * np.log10(ratio))


@given(
    response=st.integers(1, 3000),
    block=st.sampled_from([1, 7, 160, 480]),
    blocks=st.integers(1, 20),
    seed=st.integers(0, 1000),
)
def test_the_convolver_is_a_convolution(response, block, blocks, seed):
    taps, signal = hiss(response, seed=seed), hiss(block * blocks, seed=seed + 1)
    convolver = Convolver(taps, block)
    streamed = np.concatenate([convolver.process(part) for part in signal.reshape(blocks, block)])
    exact = np.convolve(signal.astype(np.float64), taps)[: len(signal)]
    assert streamed.dtype == np.float32
    np.testing.assert_allclose(streamed, exact, atol=1e-5)


def test_a_headphone_has_no_echo():
    assert Room(echo_delay_ms=100).echo_response(RATE_HZ) is None


@pytest.mark.parametrize("delay_ms", [0, 0.5, 120, 1000])
@pytest.mark.parametrize("gain_db", [-40, -6, 0])
def test_a_dry_echo_is_one_tap(delay_ms, gain_db):
    response = Room(delay_ms, gain_db, reverberation_s=0).echo_response(RATE_HZ)
    (taps,) = np.nonzero(response)
    assert taps.tolist() == [delay_ms * 48]
    assert db(response[taps[0]]) == pytest.approx(gain_db, abs=1e-5)


def test_reverberation_follows_the_direct_sound_and_decays():
    response = Room(120, -10, reverberation_s=0.25).echo_response(RATE_HZ)
    direct = 120 * 48
    assert not response[:direct].any()
    assert db(response[direct]) == pytest.approx(-10, abs=1e-5)
    assert not response[direct + 1 : direct + 96].any()  # nothing is nearer than 2 ms
    tail = response[direct + 96 :]
    assert db(np.linalg.norm(tail) / response[direct]) == pytest.approx(-6, abs=1e-3)
    # 60 dB in 0.25 s are 24 dB in 0.1 s; 20 ms of noise know their level to some 0.2 dB.
    early, late = tail[:960], tail[4800:5760]
    assert db(rms(late) / rms(early)) == pytest.approx(-24, abs=1)


def test_the_room_is_the_same_at_every_call():
    room = Room(50, -6)
    np.testing.assert_array_equal(room.echo_response(RATE_HZ), room.echo_response(RATE_HZ))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"echo_delay_ms": -1}, "echo_delay_ms = -1: must be 0 to 1000"),
        ({"echo_delay_ms": 1001}, "echo_delay_ms = 1001: must be 0 to 1000"),
        ({"echo_delay_ms": float("nan")}, "echo_delay_ms = nan: must be 0 to 1000"),
        ({"echo_gain_db": 21}, "echo_gain_db = 21: must be -80 to 20"),
        ({"echo_gain_db": float("-inf")}, "echo_gain_db = -inf: must be -80 to 20"),
        ({"reverberation_s": -0.1}, "reverberation_s = -0.1: must be 0 to 2"),
    ],
)
def test_no_such_room(wrong, message):
    with pytest.raises(ConfigError) as caught:
        Room(**wrong)
    assert str(caught.value) == message


# -- speech ----------------------------------------------------------------------------------------


def phrases(*spans: tuple[float, float], seconds: float, level: float = 0.1) -> np.ndarray:
    """Noise in the spans, which are in seconds, and digital silence around."""
    recording = np.zeros(round(seconds * RATE_HZ), np.float32)
    for n, (start, end) in enumerate(spans):
        part = slice(round(start * RATE_HZ), round(end * RATE_HZ))
        recording[part] = hiss(part.stop - part.start, level, seed=n)
    return recording


@given(
    lead=st.integers(0, 30_000),
    length=st.integers(4_800, 40_000),
    trail=st.integers(0, 30_000),
    level=st.floats(0.002, 0.3),
)
def test_the_span_of_clean_speech_is_true_within_3_ms(lead, length, trail, level):
    recording = np.concatenate([np.zeros(lead), hiss(length, level), np.zeros(trail)])
    onset, offset = speech_span(recording.astype(np.float32), RATE_HZ)
    assert onset == pytest.approx(lead, abs=144)
    assert offset == pytest.approx(lead + length - 1, abs=144)


def test_pauses_belong_to_the_span():
    onset, offset = speech_span(phrases((0.3, 0.8), (1.5, 2.0), seconds=2.5), RATE_HZ)
    assert onset / RATE_HZ == pytest.approx(0.3, abs=0.003)
    assert offset / RATE_HZ == pytest.approx(2.0, abs=0.003)


def test_soft_speech_belongs_to_the_span_and_what_is_fainter_does_not():
    loud, soft = phrases((0.5, 1.0), seconds=2), phrases((1.0, 1.2), seconds=2)
    for soft_db, end_s in [(-30, 1.2), (-50, 1.0)]:
        recording = loud + soft * np.float32(10 ** (soft_db / 20))
        assert speech_span(recording, RATE_HZ)[1] / RATE_HZ == pytest.approx(end_s, abs=0.01)


@pytest.mark.parametrize("snr_db", [38, 50, 70])
def test_noise_in_the_recording_does_not_hide_the_span(snr_db):
    recording = phrases((0.4, 1.4), seconds=2) + hiss(2 * RATE_HZ, 0.1 * 10 ** (-snr_db / 20), 9)
    onset, offset = speech_span(recording, RATE_HZ)
    assert onset / RATE_HZ == pytest.approx(0.4, abs=0.01)
    assert offset / RATE_HZ == pytest.approx(1.4, abs=0.01)


def test_rumble_and_a_constant_level_do_not_hide_the_span():
    t_s = np.arange(2 * RATE_HZ) / RATE_HZ
    rumble = (0.01 * np.sin(2 * np.pi * 25 * t_s) + 0.05).astype(np.float32)
    onset, offset = speech_span(phrases((0.4, 1.4), seconds=2) + rumble, RATE_HZ)
    assert onset / RATE_HZ == pytest.approx(0.4, abs=0.01)
    assert offset / RATE_HZ == pytest.approx(1.4, abs=0.01)


# -- noise -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("snr_db", [-5, 0, 20])
def test_noise_lies_as_far_below_speech_as_asked(snr_db):
    short, long = phrases((0.2, 1.2), seconds=4), phrases((1, 2), seconds=3, level=0.2)
    noise = noise_at(snr_db, hiss(30_000, 0.7, seed=5), [short, long], RATE_HZ)
    assert noise.dtype == np.float32
    speech = rms(np.concatenate([short[9_600:57_600], long[48_000:96_000]]))  # without pauses
    assert db(speech / rms(noise)) == pytest.approx(snr_db, abs=0.1)


@pytest.mark.parametrize("snr_db", [-41, 101, float("nan")])
def test_no_such_noise(snr_db):
    with pytest.raises(ConfigError, match=r"^snr_db = .*: must be -40 to 100$"):
        noise_at(snr_db, hiss(1000), [phrases((0, 1), seconds=1)], RATE_HZ)
