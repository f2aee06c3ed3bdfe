"""A sound at the loudspeaker, beside whatever goes on: a test tone, a sample of the voice."""

from __future__ import annotations

import threading
from typing import Final

import numpy as np

from goassist_desktop.app import chosen_engine
from goassist_desktop.config import Config
from goassist_desktop.pipeline.endpoints.capture import DEVICE_RATE_HZ
from goassist_desktop.pipeline.endpoints.sound_card import Streams, find_device
from goassist_desktop.pipeline.errors import DeviceFailed
from goassist_desktop.pipeline.frames import Samples
from goassist_desktop.pipeline.resampling import joined, resample

NOTES_HZ: Final = (523.25, 659.25, 783.99)
"""C, E, G: pleasant, and easy to recognise."""
NOTE_S: Final = 0.25
PEAK: Final = 0.2
PATIENCE_S: Final = 1.0
"""Longer than the sound lasts, and the device does not take it."""


def test_tone(config: Config) -> None:
    """Three quiet notes. Returns when they are over; raises DeviceFailed and ConfigError."""
    at_s = np.arange(round(NOTE_S * DEVICE_RATE_HZ)) / DEVICE_RATE_HZ
    swell = np.sin(np.pi * at_s / NOTE_S) ** 2
    notes = [np.sin(2 * np.pi * note * at_s) * swell for note in NOTES_HZ]
    play(np.concatenate(notes).astype(np.float32) * np.float32(PEAK), config)


def preview(config: Config, text: str) -> None:
    """The text, in the voice of the configuration. Raises what its engine and `play` raise."""
    voice = chosen_engine(config, "synthesis", threads=1)
    voice.load()
    try:
        speech = joined([piece for piece in voice.speak(text) if piece is not None])
    finally:
        voice.close()
    play(resample(speech.samples, speech.rate_hz, DEVICE_RATE_HZ), config)


def play(sound: Samples, config: Config) -> None:
    """(n,) samples at 48 kHz, at the loudspeaker of the configuration. Returns when it is over."""
    at = 0
    over = threading.Event()

    def pull(count: int) -> Samples:
        nonlocal at
        block = np.zeros(count, np.float32)
        part = sound[at : at + count]
        block[: len(part)] = part
        at += count
        if at >= len(sound) + count:
            over.set()
        return block

    streams = Streams(pull, lambda: None)
    try:
        streams.open("output", find_device("output", config.audio.output_device or None))
        if not over.wait(len(sound) / DEVICE_RATE_HZ + PATIENCE_S):
            raise DeviceFailed("the loudspeaker does not take any sound")
        threading.Event().wait(streams.latency_ms / 1000)  # what was taken is not heard yet
    finally:
        streams.close()
