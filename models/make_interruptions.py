"""Make the recorded interruptions of `goassist bench barge-in`.

    python models/make_interruptions.py goassist_desktop/bench/interruptions

Cuts phrases of real people out of tests/data and speaks the others with flite (apt install flite),
which is needed for this alone. 16 kHz, mono, Opus, 50 ms of quiet before and after.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import soundfile
import soxr

RATE_HZ = 16_000
AUDIBLE = 0.01
EDGE_S = 0.05
DATA = Path(__file__).parents[1] / "tests" / "data"

PEOPLE = {  # file -> (recording, from s, to s): between pauses
    "people-best": ("two_cities_1", 1.18, 2.83),
    "people-foolishness": ("two_cities_1", 6.64, 8.21),
    "people-incredulity": ("two_cities_1", 10.74, 12.79),
    "people-darkness": ("two_cities_1", 15.12, 16.69),
    "people-nothing": ("two_cities_1", 21.22, 24.01),
    "people-period": ("two_cities_2", 4.26, 8.09),
    "people-again": ("beckett", 3.5, 5.53),
    "people-better": ("beckett", 6.62, 9.96),
}
SPOKEN = {
    "stop-stop": ("rms", "Stop."),
    "stop-wait": ("awb", "Wait a minute."),
    "stop-hold": ("awb", "Hold on."),
    "stop-quiet": ("rms", "Be quiet."),
    "stop-enough": ("slt", "That's enough."),
    "stop-talking": ("awb", "Stop talking."),
    "backchannel-yeah": ("awb", "Yeah."),
    "backchannel-okay": ("slt", "Okay."),
    "backchannel-right": ("rms", "Right."),
    "backchannel-see": ("awb", "I see."),
    "backchannel-uhuh": ("slt", "Uh huh."),
    "backchannel-good": ("rms", "Good."),
}


def spoken(voice: str, text: str) -> np.ndarray:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "speech.wav"
        subprocess.run(["flite", "-voice", voice, "-t", text, "-o", str(file)], check=True)
        samples, rate_hz = soundfile.read(file, dtype="float32")
    return soxr.resample(samples, rate_hz, RATE_HZ)


def cut(name: str, start_s: float, end_s: float) -> np.ndarray:
    samples, _ = soundfile.read(DATA / f"{name}.flac", dtype="float32")
    return samples[round(start_s * RATE_HZ) : round(end_s * RATE_HZ)]


def trimmed(samples: np.ndarray) -> np.ndarray:
    loud = np.flatnonzero(np.abs(samples) > AUDIBLE * np.abs(samples).max())
    edge = np.zeros(round(EDGE_S * RATE_HZ), np.float32)
    return np.concatenate([edge, samples[loud[0] : loud[-1] + 1], edge])


def main(folder: Path) -> None:
    sounds = {name: cut(*part) for name, part in PEOPLE.items()}
    sounds |= {name: spoken(*saying) for name, saying in SPOKEN.items()}
    for name, samples in sounds.items():
        file = folder / f"{name}.ogg"
        soundfile.write(file, trimmed(samples), RATE_HZ, "OPUS", format="OGG")
        print(file, f"{len(samples) / RATE_HZ:.1f} s")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
