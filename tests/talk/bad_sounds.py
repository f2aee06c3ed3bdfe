"""What microphones deliver on bad days. Every signal is (n,) at 48 kHz, full scale 1."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import soundfile

from goassist_desktop.pipeline.endpoints.capture import DEVICE_RATE_HZ, CaptureChain
from goassist_desktop.pipeline.endpoints.room import speech_span
from goassist_desktop.pipeline.frames import ANALYSIS_RATE_HZ, Samples
from goassist_desktop.pipeline.resampling import resample
from tests.engines.sounds import DATA, click, cough

TELEPHONE_HZ = 8_000
TELEPHONE_BAND_HZ = (300, 3400)
MU = 255  # ITU-T G.711
BEAT_S = 0.6
CHORDS_HZ = (
    (220.00, 261.63, 329.63, 440.00),  # A minor
    (174.61, 220.00, 261.63, 349.23),  # F major
    (261.63, 329.63, 392.00, 523.25),  # C major
    (196.00, 246.94, 293.66, 392.00),  # G major
)


def recording(name: str, start_s: float = 0.0, end_s: float | None = None) -> Samples:
    """A recording of tests/data, by its path there without ".flac", or a part of it."""
    samples, rate_hz = soundfile.read(DATA / f"{name}.flac", dtype="float32")
    last = None if end_s is None else round(end_s * rate_hz)
    return resample(
        np.asarray(samples[round(start_s * rate_hz) : last], np.float32), rate_hz, DEVICE_RATE_HZ
    )


def level_db(speech: Samples) -> float:
    """Of the stretch of speech in it, its pauses included, in dBFS."""
    first, last = speech_span(speech, DEVICE_RATE_HZ)
    return _db(speech[first : last + 1])


def at_level(sound: Samples, dbfs: float) -> Samples:
    """As loud as that, by its RMS."""
    return _gain(sound, dbfs - _db(sound))


def quiet(speech: Samples, dbfs: float) -> Samples:
    """The same words at another `level_db`."""
    return _gain(speech, dbfs - level_db(speech))


def clipped(speech: Samples, gain_db: float) -> Samples:
    """Through a preamplifier that is turned up too far."""
    return np.clip(_gain(speech, gain_db), -1, 1)


def telephone(speech: Samples) -> Samples:
    """8 kHz, 300 to 3400 Hz, eight bits by the mu-law of G.711."""
    narrow = resample(speech, DEVICE_RATE_HZ, TELEPHONE_HZ)
    spectrum = np.fft.rfft(narrow)
    hz = np.fft.rfftfreq(len(narrow), 1 / TELEPHONE_HZ)
    low, high = TELEPHONE_BAND_HZ
    spectrum[(hz < low) | (hz > high)] = 0
    narrow = np.clip(np.fft.irfft(spectrum, len(narrow)), -1, 1)
    compressed = np.sign(narrow) * np.log1p(MU * np.abs(narrow)) / np.log1p(MU)
    coded = np.round(compressed * 127) / 127
    expanded = np.sign(coded) * np.expm1(np.abs(coded) * np.log1p(MU)) / MU
    return resample(expanded.astype(np.float32), TELEPHONE_HZ, DEVICE_RATE_HZ)


def mains_hum(seconds: float, dbfs: float) -> Samples:
    """50 Hz and what a bad cable adds: the harmonics up to 1 kHz, each 3 dB below the last."""
    t = _time(seconds)
    hum = sum(10 ** (-3 * n / 20) * np.sin(2 * np.pi * 50 * (n + 1) * t + n) for n in range(20))
    return at_level(np.asarray(hum, np.float32), dbfs)


def white_noise(seconds: float, dbfs: float, seed: int = 1) -> Samples:
    random = np.random.default_rng(seed)
    return at_level(random.standard_normal(len(_time(seconds))).astype(np.float32), dbfs)


def music(seconds: float) -> Samples:
    """A pop song without its singer: chords, a broken chord above them, bass, drum and cymbal.

    A hundred beats a minute, four to the bar, one chord a bar.
    """
    random = np.random.default_rng(3)
    song = np.zeros(len(_time(seconds)) + 2 * DEVICE_RATE_HZ)

    def add(at_s: float, sound: np.ndarray) -> None:
        at = round(at_s * DEVICE_RATE_HZ)
        song[at : at + len(sound)] += sound

    for beat in range(int(seconds / BEAT_S)):
        chord = CHORDS_HZ[beat // 4 % len(CHORDS_HZ)]
        at_s = beat * BEAT_S
        if beat % 4 == 0:
            for hz in chord:
                add(at_s, 0.25 * _string(hz, 2.0, lasting_s=1.5))
        add(at_s, 0.6 * _string(chord[0] / 2, 0.6, lasting_s=0.3))
        for half in (0, 1):
            hz = 2 * chord[(2 * beat + half) % len(chord)]
            add(at_s + half * BEAT_S / 2, 0.3 * _string(hz, 0.5, lasting_s=0.2))
            hiss = random.standard_normal(len(_time(0.08))) * np.exp(-_time(0.08) / 0.02)
            add(at_s + half * BEAT_S / 2, 0.15 * np.diff(hiss, prepend=0.0))
        t = _time(0.25)
        drum = np.sin(2 * np.pi * (50 * t + 6 * (1 - np.exp(-t / 0.02)))) * np.exp(-t / 0.08)
        add(
            at_s,
            drum if beat % 2 == 0 else 0.5 * random.standard_normal(len(t)) * np.exp(-t / 0.05),
        )
    return song[: len(_time(seconds))].astype(np.float32)


def through_a_wall(speech: Samples) -> Samples:
    """Its melody below 300 Hz, and no word of it."""
    spectrum = np.fft.rfft(speech)
    spectrum[np.fft.rfftfreq(len(speech), 1 / DEVICE_RATE_HZ) > 300] = 0
    return np.fft.irfft(spectrum, len(speech)).astype(np.float32)


def noises() -> list[Samples]:
    """A cough, a click, the fridge, a breath, somebody whistling: nobody says a word."""
    t = _time(1.2)
    swell = np.sin(np.pi * t / t[-1]) ** 2
    breath = at_level((white_noise(1.2, -30) * swell).astype(np.float32), -35)
    whistle = 0.1 * np.sin(2 * np.pi * (900 * t + 200 * t**2)) * swell
    heard = [resample(sound(1.5), ANALYSIS_RATE_HZ, DEVICE_RATE_HZ) for sound in (cough, click)]
    return [*heard, mains_hum(2.0, -25), breath, whistle.astype(np.float32)]


def mixed(*sounds: Samples) -> Samples:
    """All at once, from the same start on; as long as the longest."""
    whole = np.zeros(max(map(len, sounds)), np.float32)
    for sound in sounds:
        whole[: len(sound)] += sound
    return whole


class DyingChain(CaptureChain):
    """The microphone delivers nothing but zeros for a while."""

    def __init__(self, from_s: float, to_s: float) -> None:
        super().__init__()
        self._dead = range(round(100 * from_s), round(100 * to_s))
        self._taken = 0

    def process(self, mic: Samples, rendered: Samples) -> list[Samples]:
        dead = self._taken in self._dead
        self._taken += 1
        return super().process(np.zeros_like(mic) if dead else mic, rendered)


class JumpingChain(CaptureChain):
    """The microphone's clock jumps: blocks of 10 ms are lost, or come more than once."""

    def __init__(self, jumps: Mapping[int, int]) -> None:
        """`jumps`: from the count of blocks so far to how many come again; negative: are lost."""
        super().__init__()
        self._jumps = jumps
        self._taken = 0
        self._missing = 0

    def process(self, mic: Samples, rendered: Samples) -> list[Samples]:
        (block,) = super().process(mic, rendered)
        jump = self._jumps.get(self._taken, 0)
        self._taken += 1
        if jump < 0:
            self._missing = -jump
        if self._missing:
            self._missing -= 1
            return []
        return [block] * (1 + jump)


def _string(hz: float, seconds: float, *, lasting_s: float) -> np.ndarray:
    """Plucked: eight harmonics that die away, the high ones first."""
    t = _time(seconds)
    rise = np.minimum(1.0, t / 0.005)
    tones = (
        np.sin(2 * np.pi * n * hz * t) / n * np.exp(-t * n**0.5 / lasting_s) for n in range(1, 9)
    )
    return np.asarray(rise * sum(tones))


def _time(seconds: float) -> np.ndarray:
    return np.arange(round(seconds * DEVICE_RATE_HZ)) / DEVICE_RATE_HZ


def _gain(sound: Samples, db: float) -> Samples:
    return (sound * 10 ** (db / 20)).astype(np.float32)


def _db(sound: Samples) -> float:
    return 10 * float(np.log10(np.mean(np.square(sound, dtype=np.float64))))
