from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goassist_desktop.host.opus import Decoder, Encoder
from goassist_desktop.host.reception import Reception

RATE_HZ = 48_000


def spoken(seconds: float) -> np.ndarray:
    """Something with the shape of a voice: a gliding tone with harmonics that comes and goes."""
    t = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    pitch = 2 * np.pi * np.cumsum(150 + 40 * np.sin(2 * np.pi * 1.3 * t)) / RATE_HZ
    voice = sum(np.sin(n * pitch) / n for n in range(1, 9))
    return (0.1 * voice * (0.6 + 0.4 * np.sin(2 * np.pi * 3 * t))).astype(np.float32)


def packets(count: int) -> list[bytes]:
    encoder = Encoder()
    samples = spoken(count / 50)
    return [encoder.encode(samples[960 * n : 960 * (n + 1)]) for n in range(count)]


SPOKEN = packets(100)


def loudness(samples: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(samples))))


def test_what_is_encoded_is_heard() -> None:
    decoder = Decoder()
    heard = np.concatenate([decoder.decode(packet) for packet in SPOKEN])  # type: ignore[misc]
    assert len(heard) == 100 * 320
    said = spoken(2.0)[::3]
    lag = int(np.argmax(np.correlate(heard[8000:16000], said[8000:15000], "valid")))
    assert lag < 200  # 12 ms
    together = np.corrcoef(heard[8000 + lag : 15000 + lag], said[8000:15000])[0, 1]
    assert together > 0.8  # at 32 kbit/s the wave is not quite the same


def test_packets_are_for_speech() -> None:
    assert 1000 < sum(map(len, SPOKEN)) * 8 / 2.0 < 48_000  # bits a second


def test_other_frames_than_opus_has_are_refused() -> None:
    with pytest.raises(ValueError, match="961"):
        Encoder().encode(np.zeros(961, np.float32))


def test_in_order_nothing_waits() -> None:
    reception = Reception()
    for number, packet in enumerate(SPOKEN):
        heard = reception.add(number & 0xFFFF, 960 * number, packet)
        assert sum(map(len, heard)) == 320


def test_stereo_at_48_khz_is_heard_as_one_channel_at_16() -> None:
    import av

    codec = av.CodecContext.create("libopus", "w")
    codec.sample_rate, codec.layout, codec.format = RATE_HZ, "stereo", "s16"
    reception, heard = Reception(), []
    samples = (spoken(1.0) * 32767).astype(np.int16)
    for number in range(50):
        both = np.repeat(samples[960 * number : 960 * (number + 1)], 2)[None]
        frame = av.AudioFrame.from_ndarray(both, format="s16", layout="stereo")
        frame.sample_rate, frame.pts = RATE_HZ, 960 * number
        for packet in codec.encode(frame):
            heard += reception.add(number, 960 * number, bytes(packet))
    joined = np.concatenate(heard)
    assert len(joined) == 50 * 320
    assert loudness(joined[3200:]) == pytest.approx(loudness(spoken(1.0)), rel=0.15)


def test_a_packet_that_was_overtaken_is_put_in_its_place() -> None:
    straight, crossed = Reception(), Reception()
    order = [0, 1, 3, 2, 4, 5]
    one = np.concatenate([s for n in range(6) for s in straight.add(n, 960 * n, SPOKEN[n])])
    other = np.concatenate([s for n in order for s in crossed.add(n, 960 * n, SPOKEN[n])])
    assert np.array_equal(one, other)
    assert crossed.concealed == 0


@pytest.mark.parametrize("lost", [{20}, {20, 21}, {20, 40, 60}])
def test_what_is_lost_is_made_up_for(lost: set[int]) -> None:
    whole, holed = Reception(), Reception()
    complete = np.concatenate([s for n in range(100) for s in whole.add(n, 960 * n, SPOKEN[n])])
    heard = [s for n in range(100) if n not in lost for s in holed.add(n, 960 * n, SPOKEN[n])]
    joined = np.concatenate(heard)
    assert len(joined) == len(complete)
    for number in lost:
        place = slice(320 * number, 320 * (number + 1))
        assert loudness(joined[place]) > 0.4 * loudness(complete[place]), number
    assert holed.concealed == 320 * len(lost)


def test_what_the_other_side_left_out_is_silence() -> None:
    reception = Reception()
    heard = [*reception.add(0, 0, SPOKEN[0]), *reception.add(1, 960 * 10, SPOKEN[1])]
    assert sum(map(len, heard)) == 320 * 11
    assert not np.concatenate(heard)[400 : 320 * 10].any()


def test_another_stream_begins_anew() -> None:
    reception = Reception()
    reception.add(0, 0, SPOKEN[0])
    heard = reception.add(40_000, 4_000_000_000, SPOKEN[1])
    assert sum(map(len, heard)) == 320
    assert sum(map(len, reception.add(40_001, 4_000_000_960, SPOKEN[2]))) == 320


@settings(deadline=None, max_examples=60)
@given(
    st.integers(0, 0xFFFF),
    st.integers(0, 2**32 - 1),
    st.lists(st.booleans(), min_size=5, max_size=60),
    st.randoms(use_true_random=False),
)
def test_time_goes_on_whatever_is_lost_or_overtaken(sequence, timestamp, arrive, random) -> None:
    """From the first packet to the last that came, each sample is heard once."""
    arrive = [True, *arrive, True, True, True]
    order = [number for number, comes in enumerate(arrive) if comes]
    for place in range(1, len(order) - 4):
        if random.random() < 0.2:
            order[place], order[place + 1] = order[place + 1], order[place]
    reception = Reception()
    heard = 0
    for number in order:
        for samples in reception.add(
            (sequence + number) & 0xFFFF, (timestamp + 960 * number) % 2**32, SPOKEN[number % 100]
        ):
            heard += len(samples)
    assert heard == 320 * len(arrive)


@given(st.lists(st.tuples(st.integers(0, 0xFFFF), st.integers(0, 2**32 - 1), st.binary())))
def test_nothing_that_comes_breaks_it(junk: list[tuple[int, int, bytes]]) -> None:
    reception = Reception()
    for sequence, timestamp, payload in junk:
        for samples in reception.add(sequence, timestamp, payload):
            assert len(samples) <= 16_000 * 2
            assert np.isfinite(samples).all()
