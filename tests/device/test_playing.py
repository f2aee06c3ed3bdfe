"""A sound at the loudspeaker, beside a conversation that has the same device."""

from __future__ import annotations

import time

import numpy as np
import pytest

from goassist_desktop import playing
from goassist_desktop.config import Config, changed
from goassist_desktop.pipeline.endpoints.local import LocalEndpoint
from goassist_desktop.pipeline.errors import ConfigError
from tests.device.conftest import LOUDSPEAKER, MICROPHONE, RATE_HZ, VirtualCard

pytestmark = pytest.mark.device


class Silence:
    """What a conversation plays while nobody says anything."""

    def pull(self, count: int) -> np.ndarray:
        return np.zeros(count, np.float32)


def heard_hz(samples: np.ndarray) -> list[float]:
    """The pitch of each quarter of a second that is loud."""
    size = RATE_HZ // 10
    pitches = []
    for block in samples[: len(samples) // size * size].reshape(-1, size):
        if np.abs(block).max() > playing.PEAK / 2:
            spectrum = np.abs(np.fft.rfft(block * np.hanning(size), 1 << 16))
            pitches.append(float(np.argmax(spectrum)) * RATE_HZ / (1 << 16))
    return pitches


def test_the_tone_is_heard_whole_and_the_conversation_goes_on(card: VirtualCard) -> None:
    blocks: list[np.ndarray] = []
    endpoint = LocalEndpoint(MICROPHONE, LOUDSPEAKER, echo=False)
    endpoint.start(Silence(), blocks.append, lambda notice: None)
    try:
        loudspeaker = card.record()
        before = len(blocks)
        playing.test_tone(changed(Config(), {"audio.output_device": LOUDSPEAKER}))
        assert len(blocks) > before
        time.sleep(0.5)  # of the recording: it is some 20 ms behind
        pitches = heard_hz(loudspeaker.stop())
    finally:
        endpoint.stop()
    for note in playing.NOTES_HZ:
        assert any(abs(pitch - note) < 8 for pitch in pitches), (note, pitches)
    assert pitches == sorted(pitches, key=lambda hz: round(hz / 30))


def test_a_loudspeaker_that_is_not_there_is_named(card: VirtualCard) -> None:
    with pytest.raises(ConfigError, match="nobody"):
        playing.test_tone(changed(Config(), {"audio.output_device": "nobody"}))
