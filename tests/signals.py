"""Real speech, and how alike two signals are."""

from pathlib import Path

import numpy as np
import soundfile
from scipy.signal import correlate

from goassist_desktop.pipeline.resampling import resample

DATA = Path(__file__).parent / "data"


def speech(name: str, rate_hz: int, rms_db: float = -20.0) -> np.ndarray:
    """A recording of tests/data, (n,) at `rate_hz` and at a level."""
    samples, recorded_hz = soundfile.read(DATA / f"{name}.flac", dtype="float32")
    samples = resample(samples, recorded_hz, rate_hz)
    return samples * np.float32(10 ** ((rms_db - level_db(samples)) / 20))


def level_db(samples: np.ndarray) -> float:
    """Root mean square against full scale."""
    return float(10 * np.log10(np.mean(np.square(samples, dtype=np.float64)) + 1e-20))


def likeness(heard: np.ndarray, said: np.ndarray) -> tuple[int, float]:
    """How many samples later `heard` holds what is in `said`, and their correlation there."""
    products = correlate(heard.astype(np.float64), said.astype(np.float64), method="fft")
    lag = int(np.argmax(products)) - (len(said) - 1)
    first, last = max(0, lag), min(len(heard), lag + len(said))
    a, b = heard[first:last], said[first - lag : last - lag]
    return lag, float(np.dot(a, b) / np.sqrt(np.dot(a, a) * np.dot(b, b)))
