"""The capture chain, on real speech in a synthetic room."""

import numpy as np
import pytest

from goassist_desktop.pipeline.endpoints.capture import CaptureChain, Decimator
from goassist_desktop.pipeline.endpoints.room import Room
from goassist_desktop.pipeline.resampling import resample
from tests.signals import level_db, likeness, speech

RATE_HZ = 48_000
SILENCE = np.zeros(480, np.float32)


def noise(count: int, rms_db: float) -> np.ndarray:
    rng = np.random.default_rng(7)
    return (rng.standard_normal(count) * 10 ** (rms_db / 20)).astype(np.float32)


def captured(mic: np.ndarray, rendered: np.ndarray | None = None, *, echo: bool = True):
    """What the chain makes of a microphone (n,) at 48 kHz, in time with it: (n / 3,) at 16 kHz."""
    chain = CaptureChain(echo=echo)
    rest = np.zeros(960, np.float32)  # to get out what the chain holds back
    played = np.zeros_like(mic) if rendered is None else rendered
    pairs = [np.append(signal, rest).reshape(-1, 480) for signal in (mic, played)]
    blocks = []
    for pair in zip(*pairs, strict=True):
        (block,) = chain.process(*pair)
        assert block.shape == (160,)
        assert block.dtype == np.float32
        blocks.append(block)
    return np.concatenate(blocks)[chain.delay_samples :][: len(mic) // 3]


def whole_blocks(samples: np.ndarray) -> np.ndarray:
    return samples[: len(samples) // 480 * 480]


@pytest.mark.parametrize(
    ("tone_hz", "loudest_db", "quietest_db"),
    [(100, 0.1, -0.1), (1000, 0.1, -0.1), (6000, 0.1, -0.5), (9000, -60, -200), (16000, -60, -200)],
)
def test_decimation_keeps_what_fits_below_8_khz(tone_hz, loudest_db, quietest_db):
    decimator = Decimator()
    t_s = np.arange(RATE_HZ) / RATE_HZ
    tone = (0.5 * np.sin(2 * np.pi * tone_hz * t_s)).astype(np.float32)
    out = np.concatenate([decimator.process(block) for block in tone.reshape(-1, 480)])
    gain_db = level_db(out[320:]) - level_db(tone)
    assert quietest_db < gain_db < loudest_db


@pytest.mark.parametrize("wrong", [0, 160, 479, 481])
def test_a_block_of_another_length_is_refused(wrong):
    chain = CaptureChain()
    with pytest.raises(ValueError, match="480"):
        chain.process(np.zeros(wrong, np.float32), SILENCE)
    with pytest.raises(ValueError, match="480"):
        chain.process(SILENCE, np.zeros(wrong, np.float32))


@pytest.mark.parametrize(("echo", "alike"), [(False, 0.999), (True, 0.8)])
def test_the_output_is_late_by_exactly_what_the_chain_says(echo, alike):
    said = whole_blocks(speech("beckett", RATE_HZ))
    lag, correlation = likeness(captured(said, echo=echo), resample(said, RATE_HZ, 16_000))
    assert lag == 0
    assert correlation > alike


@pytest.fixture(scope="module", params=[20, 120, 300])
def double_talk(request):
    """The assistant talks for 27 s; from 17 s on the user, 6 dB softer, talks over it.

    What the microphone heard, what became of it, and what the user said; all (n,) at 16 kHz.
    """
    played = whole_blocks(speech("two_cities_1", RATE_HZ))[: 27 * RATE_HZ]
    response = Room(echo_delay_ms=request.param, echo_gain_db=-6).echo_response(RATE_HZ)
    spectrum = np.fft.rfft(played, 2 * RATE_HZ * 27) * np.fft.rfft(response, 2 * RATE_HZ * 27)
    echo = np.fft.irfft(spectrum)[: len(played)]
    user = np.zeros_like(played)
    said = speech("beckett", RATE_HZ, rms_db=-26)
    user[17 * RATE_HZ :][: len(said)] = said
    mic = (echo + user + noise(len(played), -66)).astype(np.float32)
    return (
        resample(mic, RATE_HZ, 16_000),
        captured(mic, played),
        resample(user, RATE_HZ, 16_000),
    )


def test_echo_falls_by_25_db_within_5_s(double_talk):
    heard, cleaned, _ = double_talk
    for second in range(5, 16):
        during = slice(second * 16_000, (second + 1) * 16_000)
        if level_db(heard[during]) > -40:  # the assistant was not pausing
            assert level_db(heard[during]) - level_db(cleaned[during]) > 25
    whole = slice(5 * 16_000, 17 * 16_000)
    assert level_db(heard[whole]) - level_db(cleaned[whole]) > 25


def test_the_user_is_kept_while_both_talk(double_talk):
    heard, cleaned, user = double_talk
    during = slice(17 * 16_000, 26 * 16_000)
    lag, kept = likeness(cleaned[during], user[during])
    _, before = likeness(heard[during], user[during])
    assert abs(lag) <= 16
    assert kept > before + 0.08
    assert kept > 0.65


def test_silence_is_not_made_louder():
    quiet = noise(10 * RATE_HZ, -60)
    out = captured(quiet)
    assert level_db(out[16_000:]) < level_db(resample(quiet, RATE_HZ, 16_000))


def test_gain_lifts_soft_speech_and_does_not_clip_loud():
    soft = whole_blocks(np.tile(speech("beckett", RATE_HZ, rms_db=-40), 2))
    lifted = level_db(captured(soft)[10 * 16_000 :]) - level_db(soft[10 * RATE_HZ :])
    assert 9 < lifted < 12.5
    loud = whole_blocks(speech("beckett", RATE_HZ, rms_db=-20))
    assert np.abs(captured(loud)).max() <= 1.0


def test_at_headphones_the_user_is_heard_over_the_assistant():
    played = whole_blocks(speech("two_cities_1", RATE_HZ))[: 12 * RATE_HZ]
    played[:RATE_HZ] = 0  # the assistant begins after a second
    user = np.zeros_like(played)
    said = speech("beckett", RATE_HZ, rms_db=-26)
    user[3 * RATE_HZ :] = said[: 9 * RATE_HZ]
    mic = (user + noise(len(played), -45)).astype(np.float32)
    during = slice(3 * 16_000, 12 * 16_000)
    said = resample(user, RATE_HZ, 16_000)[during]
    _, kept = likeness(captured(mic, played)[during], said)
    _, alone = likeness(captured(mic)[during], said)
    assert kept > 0.98 * alone


@pytest.mark.parametrize("starts_s", [1.0, 4.0])
def test_the_user_is_heard_over_the_assistant_from_its_first_half_second_on(starts_s):
    """As loud as the echo, from 0.5 s after the very first word of the assistant."""
    played = whole_blocks(speech("two_cities_1", RATE_HZ))[: 8 * RATE_HZ]
    played = np.append(np.zeros(RATE_HZ // 2, np.float32), played)[: len(played)]
    response = Room(echo_delay_ms=60, echo_gain_db=-6).echo_response(RATE_HZ)
    spectrum = np.fft.rfft(played, 2 * len(played)) * np.fft.rfft(response, 2 * len(played))
    echo = np.fft.irfft(spectrum)[: len(played)]
    user = np.zeros_like(played)
    start = int(starts_s * RATE_HZ)
    user[start : start + 3 * RATE_HZ] = speech("beckett", RATE_HZ, rms_db=-26)[: 3 * RATE_HZ]
    mic = (echo + user + noise(len(played), -66)).astype(np.float32)
    during = slice(start // 3, start // 3 + 3 * 16_000)
    out, said = captured(mic, played)[during], resample(user, RATE_HZ, 16_000)[during]
    lag, kept = likeness(out, said)
    assert abs(lag) <= 4
    assert kept > 0.8
    assert level_db(out) > level_db(said) - 3
