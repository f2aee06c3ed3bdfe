"""From the packets of a call, as they arrive, to sound without gaps and without a needless wait.

A packet that comes in its turn is heard at once: what evens out the network's unsteadiness is the
clock of the endpoint, which has to deliver in step with real time anyway. Only where a packet is
missing is the next one held back until another has come, in case it was overtaken.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from goassist_desktop.host.opus import RATE_HZ, Decoder
from goassist_desktop.pipeline.frames import ANALYSIS_RATE_HZ, Samples

PACKET: Final = 960
"""Of 48 kHz: the 20 ms that browsers send at once."""
HELD: Final = 1
"""Packets held back for one that is missing."""
RESTART: Final = 100
"""A sequence number this far away is of another stream."""
LONGEST_GAP: Final = RATE_HZ
"""A second: nothing is made up for more, the endpoint's clock fills it with silence."""
CONCEALED: Final = 6 * PACKET
"""What is made up of one loss: after 120 ms it is silence anyway."""
_STEP: Final = RATE_HZ // ANALYSIS_RATE_HZ


class Reception:
    """One call's packets, in whatever order."""

    def __init__(self) -> None:
        """Raises EngineFailed without the library of Opus."""
        self._decoder = Decoder()
        self._next: int | None = None  # sequence number
        self._next_at = 0  # timestamp
        self._held: dict[int, tuple[int, bytes]] = {}
        self.concealed = 0
        """Samples at 16 kHz that were made up."""

    def add(self, sequence: int, timestamp: int, payload: bytes) -> list[Samples]:
        """A packet arrived: what can be heard now, (n,) each at 16 kHz, in order.

        `sequence` is of 16 bits, `timestamp` of 32 at 48 kHz. Nothing that comes from outside
        raises.
        """
        if self._next is None:
            self._begin(sequence, timestamp)
        assert self._next is not None
        ahead = _signed(sequence - self._next, 16)
        if abs(ahead) >= RESTART:
            self._begin(sequence, timestamp)
            ahead = 0
        if ahead < 0 or sequence in self._held:
            return []  # too late, or twice
        self._held[sequence] = (timestamp, payload)
        heard = self._in_turn()
        while len(self._held) > HELD:
            nearest = min(self._held, key=lambda held: _signed(held - (self._next or 0), 16))
            heard += self._make_up_for(*self._held[nearest])
            self._next = nearest
            heard += self._in_turn()
        return heard

    def _begin(self, sequence: int, timestamp: int) -> None:
        self._next, self._next_at = sequence, timestamp
        self._held.clear()
        self._decoder = Decoder()

    def _in_turn(self) -> list[Samples]:
        heard: list[Samples] = []
        while self._next in self._held:
            timestamp, payload = self._held.pop(self._next)
            silent = _signed(timestamp - self._next_at, 32)
            if 0 < silent <= LONGEST_GAP:  # the other side had nothing to send
                heard.append(np.zeros(silent // _STEP, np.float32))
            speech = self._decoder.decode(payload) if payload else None
            if speech is None:
                speech = self._made_up(PACKET // _STEP)
            heard.append(speech)
            self._next = (self._next + 1) & 0xFFFF
            self._next_at = (timestamp + len(speech) * _STEP) & 0xFFFFFFFF
        return heard

    def _make_up_for(self, timestamp: int, payload: bytes) -> list[Samples]:
        """What was lost before this packet, which says something of the last of it."""
        lost = _signed(timestamp - self._next_at, 32)
        if not 0 < lost <= LONGEST_GAP:
            return []
        self._next_at = timestamp
        heard: list[Samples] = []
        unknown = lost - min(lost, PACKET)
        made_up = min(unknown, CONCEALED)
        heard += [
            self._made_up(min(PACKET, made_up - start) // _STEP)
            for start in range(0, made_up, PACKET)
        ]
        if unknown > made_up:
            heard.append(np.zeros((unknown - made_up) // _STEP, np.float32))
        last = min(lost, PACKET) // _STEP
        known = self._decoder.recover(payload, last)
        self.concealed += last
        heard.append(np.zeros(last, np.float32) if known is None else known)
        return heard

    def _made_up(self, samples: int) -> Samples:
        self.concealed += samples
        speech = self._decoder.conceal(samples)
        return np.zeros(samples, np.float32) if speech is None else speech


def _signed(difference: int, bits: int) -> int:
    """The nearer way round."""
    half = 1 << (bits - 1)
    return (difference + half) % (1 << bits) - half
