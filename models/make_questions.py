"""Make the recorded questions of the demonstration and of the tests.

    python models/make_questions.py goassist_desktop/demo --joe en_US-joe-medium.onnx
    python models/make_questions.py tests/data/voices --joe en_US-joe-medium.onnx

Speaks every entry of FOLDER/questions.toml into FOLDER/<file>: 16 kHz mono FLAC, speech at -20 dBFS
with silence around it. The voices are tools, needed for this alone and not installed with the
program: "joe" is Piper's (pip install piper-tts==1.8.0), "slt" is flite's (apt install flite).
Piper draws new noise each time, so a new recording equals the old one to the ear, not to the bit.
"""

import argparse
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile
import soxr

RATE_HZ = 16_000
LEVEL_DB = -20.0
AUDIBLE = 0.01
LEAD_MS = 200
TAIL_MS = 300
EDGE_MS = 30

Voice = Callable[[str], tuple[np.ndarray, int]]


def joe(model: Path) -> Voice:
    from piper import PiperVoice

    voice = PiperVoice.load(model)

    def speak(text: str) -> tuple[np.ndarray, int]:
        chunks = list(voice.synthesize(text))
        audio = np.concatenate([chunk.audio_float_array for chunk in chunks])
        return audio, chunks[0].sample_rate

    return speak


def slt(text: str) -> tuple[np.ndarray, int]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "speech.wav"
        subprocess.run(["flite", "-voice", "slt", "-t", text, "-o", str(file)], check=True)
        return soundfile.read(file, dtype="float32")


def silence(ms: int) -> np.ndarray:
    return np.zeros(RATE_HZ * ms // 1000, np.float32)


def trimmed(audio: np.ndarray, rate_hz: int) -> np.ndarray:
    """At RATE_HZ, without the silence around, the speech at LEVEL_DB."""
    audio = soxr.resample(audio, rate_hz, RATE_HZ).astype(np.float32)
    loud = np.flatnonzero(np.abs(audio) > AUDIBLE)
    edge = RATE_HZ * EDGE_MS // 1000
    audio = audio[max(0, loud[0] - edge) : loud[-1] + edge]
    power = np.mean(audio[np.abs(audio) > AUDIBLE] ** 2)
    audio *= 10 ** (LEVEL_DB / 20) / np.sqrt(power)
    return audio * min(1.0, 0.95 / np.abs(audio).max())


def recording(voice: Voice, parts: list[str], pause_ms: int) -> np.ndarray:
    """The parts, with a pause in between."""
    pieces = [silence(LEAD_MS)]
    for part in parts:
        pieces += [trimmed(*voice(part)), silence(pause_ms)]
    return np.concatenate([*pieces[:-1], silence(TAIL_MS)])


def main() -> int:
    parser = argparse.ArgumentParser(description="Make the recorded questions.")
    parser.add_argument("folder", type=Path, help="where questions.toml lies")
    parser.add_argument("--joe", type=Path, required=True, help="en_US-joe-medium.onnx")
    options = parser.parse_args()
    voices: dict[str, Voice] = {"joe": joe(options.joe), "slt": slt}
    entries = tomllib.loads((options.folder / "questions.toml").read_text("utf-8"))["question"]
    for entry in entries:
        parts = entry.get("parts", [entry["text"]])
        audio = recording(voices[entry["voice"]], parts, entry.get("pause_ms", 0))
        soundfile.write(options.folder / entry["file"], audio, RATE_HZ, "PCM_16")
        print(f"{entry['file']}: {len(audio) / RATE_HZ:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
