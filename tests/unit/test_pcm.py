from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from goassist_desktop.host.pcm import HEADER, BadPacket, Packer, Unpacker, sizes

RATES = st.sampled_from([16_000, 24_000, 48_000])


def noise(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(-32768, 32768, count).astype(np.int16)


@given(RATES, st.lists(st.integers(0, 3000), max_size=30))
def test_without_the_overlap_it_is_the_same_bit_for_bit(rate_hz: int, portions: list[int]) -> None:
    samples = noise(sum(portions))
    packer, unpacker = Packer(rate_hz), Unpacker(rate_hz)
    pieces = np.split(samples, np.cumsum(portions)[:-1]) if portions else []
    packets = [packet for piece in pieces for packet in packer.push(piece)] + packer.finish()
    received = [unpacker.push(packet) for packet in packets]
    joined = np.concatenate([*received, np.zeros(0, np.int16)])
    assert np.array_equal(joined[: len(samples)], samples)
    assert not joined[len(samples) :].any()
    assert len(joined) - len(samples) < sizes(rate_hz)[0]


def test_packets_are_20_ms_every_15_ms() -> None:
    samples = noise(16_000)
    packets = Packer(16_000).push(samples)
    for number, packet in enumerate(packets):
        magic, version, sequence, place = HEADER.unpack_from(packet)
        assert (magic, version, sequence, place) == (b"GP", 1, number, 240 * number)
        content = np.frombuffer(packet, "<i2", offset=HEADER.size)
        assert np.array_equal(content, samples[place : place + 320])
    assert len(packets) == 1 + (16_000 - 320) // 240


@given(st.sets(st.integers(0, 49), max_size=40))
def test_of_a_lost_packet_10_ms_are_missing(lost: set[int]) -> None:
    samples = noise(320 + 49 * 240) | np.int16(1)  # nothing of it is silence
    unpacker = Unpacker(16_000)
    packets = Packer(16_000).push(samples)
    received = [unpacker.push(p) for n, p in enumerate(packets) if n not in lost]
    joined = np.concatenate([*received, np.zeros(0, np.int16)])
    expected = samples[: len(joined)].copy()
    heard = np.zeros(len(samples), bool)
    for number in set(range(50)) - lost:
        heard[240 * number : 240 * number + 320] = True
    expected[~heard[: len(joined)]] = 0
    assert np.array_equal(joined, expected)


def test_what_comes_late_or_twice_is_dropped() -> None:
    packets = Packer(16_000).push(noise(16_000))
    unpacker = Unpacker(16_000)
    unpacker.push(packets[0])
    unpacker.push(packets[2])
    assert len(unpacker.push(packets[1])) == 0
    assert len(unpacker.push(packets[2])) == 0
    assert len(unpacker.push(packets[3])) == 240
    assert unpacker.lost == 1


@pytest.mark.parametrize(
    "fault",
    [
        lambda packet: packet[:-1],
        lambda packet: packet + b"x",
        lambda packet: b"",
        lambda packet: b"XX" + packet[2:],
        lambda packet: packet[:2] + b"\x02" + packet[3:],
        lambda packet: HEADER.pack(b"GP", 1, 1, 0) + packet[HEADER.size :],
        lambda packet: HEADER.pack(b"GP", 1, 2**32 - 1, (2**32 - 1) * 240) + packet[HEADER.size :],
    ],
)
def test_what_is_no_packet_is_refused(fault: object) -> None:
    [packet] = Packer(16_000).push(noise(320))
    with pytest.raises(BadPacket):
        Unpacker(16_000).push(fault(packet))  # type: ignore[operator]
