"""Listening to what was played: words, errors, edges, all from samples alone."""

from __future__ import annotations

import re

import jiwer
import numpy as np

from goassist_desktop.pipeline.engines.whisper import Whisper
from goassist_desktop.pipeline.resampling import resample
from goassist_desktop.pipeline.speech_text import speakable

LONGEST_S = 28
_NOT_WORD = re.compile(r"[^a-z' ]+")


def plain(text: str) -> str:
    """Words as they are said, without case and signs: "2 + 2" and "Two plus two" are the same."""
    said = " ".join(token.spoken for token in speakable(text))
    return " ".join(_NOT_WORD.sub(" ", said.lower().replace("-", " ")).split())


def word_errors(reference: str, hypothesis: str) -> float:
    """Word error rate of two texts after `plain`."""
    return float(jiwer.wer(plain(reference), plain(hypothesis)))


def transcribe(ear: Whisper, samples: np.ndarray, rate_hz: int) -> str:
    """All words in (n,) samples, cut at quiet places where they are longer than the ear takes."""
    audio = resample(samples, rate_hz, 16_000)
    texts = []
    while len(audio):
        end = len(audio)
        if end > LONGEST_S * 16_000:
            window = audio[(LONGEST_S - 8) * 16_000 : LONGEST_S * 16_000]
            power = np.convolve(np.square(window), np.ones(1600), "valid")
            end = (LONGEST_S - 8) * 16_000 + int(np.argmin(power)) + 800
        texts.append(ear.transcribe(audio[:end]).text)
        audio = audio[end:]
    return " ".join(texts)


def audible(samples: np.ndarray, rate_hz: int, floor_db: float = -50.0) -> np.ndarray:
    """Times in ms of the samples above `floor_db` of full scale."""
    return np.flatnonzero(np.abs(samples) > 10 ** (floor_db / 20)) * 1000 / rate_hz
