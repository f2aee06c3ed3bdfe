"""Make the recorded questions of the demonstration, of the tests and of `goassist bench`.

    python models/make_questions.py goassist_desktop/demo --joe en_US-joe-medium.onnx
    python models/make_questions.py tests/data/voices --joe en_US-joe-medium.onnx
    python models/make_questions.py goassist_desktop/bench/questions \
        --joe en_US-joe-medium.onnx --kokoro kokoro.onnx --styles kokoro-voices/

Speaks every entry of FOLDER/questions.toml into FOLDER/<file>: 16 kHz, mono, speech at -20 dBFS
with silence around it; FLAC, or Opus where the name ends in .ogg. The voices are tools, needed for
this alone and not installed with the program: "joe" is Piper's (pip install piper-tts==1.8.0),
"slt" is flite's (apt install flite), the others are speakers of Kokoro-82M (pip install
kokoro-onnx, for its reading of letters as sounds). Piper draws new noise each time, so a new
recording equals the old one to the ear, not to the bit.
"""

import argparse
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable
from functools import cache
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
OPUS_COMPRESSION = 0.9
"""libsndfile's scale for Opus: some 25 kbit/s."""

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


def kokoro(model: Path, styles: Path, speaker: str) -> Voice:
    """A speaker of Kokoro-82M; the first two letters of its name are its accent and sex."""
    import onnxruntime
    from kokoro_onnx.tokenizer import Tokenizer

    session = onnxruntime.InferenceSession(model)
    tokenizer = Tokenizer()
    style = np.fromfile(styles / f"{speaker}.bin", np.float32).reshape(-1, 1, 256)
    accent = "en-gb" if speaker.startswith("b") else "en-us"

    def speak(text: str) -> tuple[np.ndarray, int]:
        ids = tokenizer.tokenize(tokenizer.phonemize(text, accent))
        feed = {"input_ids": [[0, *ids, 0]], "style": style[len(ids) - 1]}
        (wave,) = session.run(["waveform"], {**feed, "speed": np.ones(1, np.float32)})
        return wave.ravel(), 24_000

    return speak


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


def write(file: Path, audio: np.ndarray) -> None:
    if file.suffix == ".ogg":
        opus = {"format": "OGG", "subtype": "OPUS", "compression_level": OPUS_COMPRESSION}
        soundfile.write(file, audio, RATE_HZ, **opus)
    else:
        soundfile.write(file, audio, RATE_HZ, "PCM_16")
    print(f"{file.name}: {len(audio) / RATE_HZ:.1f} s")


def main() -> int:
    parser = argparse.ArgumentParser(description="Make the recorded questions.")
    parser.add_argument("folder", type=Path, help="where questions.toml lies")
    parser.add_argument("--joe", type=Path, required=True, help="en_US-joe-medium.onnx")
    parser.add_argument("--kokoro", type=Path, help="Kokoro-82M, kokoro.onnx")
    parser.add_argument("--styles", type=Path, help="folder of Kokoro's voices, *.bin")
    options = parser.parse_args()

    @cache
    def voice(name: str) -> Voice:
        if name in ("joe", "slt"):
            return joe(options.joe) if name == "joe" else slt
        return kokoro(options.kokoro, options.styles, name)

    entries = tomllib.loads((options.folder / "questions.toml").read_text("utf-8"))["question"]
    for entry in entries:
        parts = entry.get("parts", [entry["text"]])
        audio = recording(voice(entry["voice"]), parts, entry.get("pause_ms", 0))
        write(options.folder / entry["file"], audio)
    return 0


if __name__ == "__main__":
    sys.exit(main())
