"""What engines are given to hear: speech with its words, and sounds that are not speech."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

from goassist_desktop.pipeline.frames import ANALYSIS_RATE_HZ, Samples
from goassist_desktop.pipeline.resampling import resample

DATA = Path(__file__).parents[1] / "data"

WORDS = {
    "two_cities_1": "It was the best of times, it was the worst of times, it was the age of "
    "wisdom, it was the age of foolishness, it was the epoch of belief, it was the epoch of "
    "incredulity, it was the season of light, it was the season of darkness, it was the spring "
    "of hope, it was the winter of despair, we had everything before us, we had nothing before "
    "us, we were all going direct to heaven, we were all going direct the other way.",
    "two_cities_2": "In short, the period was so far like the present period, that some of its "
    "noisiest authorities insisted on its being received, for good or for evil, in the "
    "superlative degree of comparison only.",
    "beckett": "Ever tried. Ever failed. No matter. Try again. Fail again. Fail better.",
    "espeak_weather": "What is the weather like in Paris today?",
    "espeak_spider": "How many legs does a spider have?",
    "espeak_story": "Tell me a story about a small dog who lived by the sea and dreamed of "
    "sailing around the world.",
    "espeak_wait": "Hold on, wait a moment.",
    "espeak_thank_you": "Thank you.",
    "espeak_stop": "Stop!",
    "espeak_name": "Please call Katarzyna Wojcik tomorrow.",
    "espeak_german": "Ich möchte morgen mit dem Zug nach Hamburg fahren.",
    "espeak_spanish": "Muchas gracias por su ayuda, hasta mañana.",
    "espeak_french": "Je voudrais un café, s'il vous plaît.",
}
PEOPLE = ("two_cities_1", "two_cities_2", "beckett")
SENTENCES = ("espeak_weather", "espeak_spider", "espeak_story")


def recording(name: str, start_s: float = 0, end_s: float | None = None) -> Samples:
    """A recording of tests/data, 16 kHz, or a part of it."""
    samples, rate_hz = soundfile.read(DATA / f"{name}.flac", dtype="float32")
    assert rate_hz == ANALYSIS_RATE_HZ
    return samples[_at(start_s) : None if end_s is None else _at(end_s)]


def over_the_telephone(samples: Samples) -> Samples:
    """What is left of it after a channel of 8 kHz."""
    narrow = resample(samples, ANALYSIS_RATE_HZ, 8_000)
    return resample(narrow, 8_000, ANALYSIS_RATE_HZ)[: samples.size]


def noise(seconds: float, level: float) -> Samples:
    """White, with `level` as its root mean square."""
    rng = np.random.default_rng(7)
    return rng.normal(0, level, _at(seconds)).astype(np.float32)


def hum(seconds: float, hz: float) -> Samples:
    t = np.arange(_at(seconds)) / ANALYSIS_RATE_HZ
    return (0.2 * np.sin(2 * np.pi * hz * t)).astype(np.float32)


def click(seconds: float) -> Samples:
    """5 ms of loud noise in a quiet room."""
    samples = noise(seconds, 0.0005)
    samples[_at(seconds / 3) :][:80] += noise(0.005, 0.5)
    return samples


def cough(seconds: float) -> Samples:
    """Two bursts of noise that rise within 6 ms and fade within 300, as a cough does."""
    samples = noise(seconds, 0.001)
    t = np.arange(_at(0.3))
    burst = noise(0.3, 0.3) * np.exp(-t / 1200) * (1 - np.exp(-t / 100))
    for start_s in (0.1 * seconds, 0.1 * seconds + 0.4):
        samples[_at(start_s) :][: burst.size] += burst.astype(np.float32)
    return samples


def not_speech(seconds: float) -> dict[str, Samples]:
    return {
        "silence": np.zeros(_at(seconds), np.float32),
        "a quiet room": noise(seconds, 0.0003),
        "noise": noise(seconds, 0.03),
        "loud noise": noise(seconds, 0.2),
        "hum of 50 Hz": hum(seconds, 50),
        "hum of 440 Hz": hum(seconds, 440),
        "click": click(seconds),
        "cough": cough(seconds),
    }


def _at(seconds: float) -> int:
    return round(seconds * ANALYSIS_RATE_HZ)
