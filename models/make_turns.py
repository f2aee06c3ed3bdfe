"""Make the corpus of `goassist bench turns`: turns with pauses inside, at known samples.

    python models/make_turns.py goassist_desktop/bench/turns_corpus tests/data \
        --kokoro kokoro.onnx --styles voices/ --joe en_US-joe-medium.onnx

Speaks every sentence of FOLDER/sentences.toml, puts the pauses where it marks them, and writes one
file per subset, FOLDER/<subset>.ogg (Opus, 16 kHz, mono), with FOLDER/index.json saying what lies
where. The voices are tools, needed for this alone and not installed with the program: Kokoro-82M
(pip install kokoro-onnx onnx, for its reading of letters as sounds), Piper's joe (pip install
piper-tts==1.8.0), flite and espeak-ng (apt install). None of them is the assistant's own.
Piper draws new noise each time, so a new corpus equals the old one to the ear, not to the bit.

A sentence with a pause is spoken in one of three ways, because people do all three:
"cut"    the whole sentence in one breath, cut between two words: the melody stays open;
"drawn"  as if a comma stood there: the word before is drawn out;
"apart"  each part for itself: the melody falls, as at an end.
The first two need to know when each sound is spoken, which only Kokoro tells; the other voices
speak their parts apart, half of them with a comma at the end.
"""

import argparse
import json
import random
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr

RATE_HZ = 16_000
LEVEL_DB = -20.0
AUDIBLE = 0.01
"""Of the peak: where speech begins and ends."""
LEAD_MS = 300
TAIL_MS = 700
FADE_MS = 8
QUIET_MS = 20
SEARCH_MS = 75
COMPRESSION = 0.945
"""libsndfile's scale for Opus: about 18 kbit/s."""

QUICK_MS = (300, 400, 500, 700)
SLOW_MS = (700, 900, 1200, 1500)
"""How long the pauses of a quick and of a slow speaker are."""
VOICES = {
    "train": {
        "kokoro am_michael": QUICK_MS,
        "kokoro bf_emma": SLOW_MS,
        "kokoro af_bella": SLOW_MS,
        "kokoro am_fenrir": QUICK_MS,
        "joe": SLOW_MS,
        "espeak en-us": QUICK_MS,
    },
    "held": {
        "kokoro am_puck": SLOW_MS,
        "kokoro bm_george": QUICK_MS,
        "kokoro af_sarah": QUICK_MS,
        "kokoro bf_isabella": SLOW_MS,
        "flite slt": SLOW_MS,
        "flite rms": QUICK_MS,
    },
    "blind": {
        "kokoro af_nova": QUICK_MS,
        "kokoro am_liam": SLOW_MS,
        "kokoro bf_lily": QUICK_MS,
        "kokoro bm_daniel": SLOW_MS,
        "kokoro af_sky": SLOW_MS,
        "flite awb": QUICK_MS,
    },
}
NOISE_DB = (15, 20, 25)
"""Speech over noise, for a third of the turns; the noise is made when the corpus is read."""
DURATIONS = "/encoder/Clip_output_0"

Samples = np.ndarray
Voice = Callable[[list[str], str], list[Samples]]
"""Speaks the parts of a sentence, in one of the three ways, at RATE_HZ."""


@cache
def kokoro_session(model: Path) -> Any:
    """Kokoro-82M with its durations as a second output."""
    import onnx
    import onnxruntime

    graph = onnx.load(model)
    graph.graph.output.append(
        onnx.helper.make_tensor_value_info(DURATIONS, onnx.TensorProto.FLOAT, None)
    )
    return onnxruntime.InferenceSession(graph.SerializeToString())


def kokoro(model: Path, style: Path, speed: float) -> Voice:
    """Kokoro-82M; its durations, in frames of 600 samples at 24 kHz, tell where words end."""
    from kokoro_onnx.tokenizer import Tokenizer

    session = kokoro_session(model)
    tokenizer = Tokenizer()
    styles = np.fromfile(style, np.float32).reshape(-1, 1, 256)
    accent = "en-gb" if style.name.startswith("b") else "en-us"

    def say(sounds: list[str]) -> list[Samples]:
        tokens = [tokenizer.tokenize(sound) for sound in sounds]
        ids = [token for part in tokens for token in part]
        wave, frames = session.run(
            ["waveform", DURATIONS],
            {
                "input_ids": [[0, *ids, 0]],
                "style": styles[len(ids) - 1],
                "speed": np.array([speed], np.float32),
            },
        )
        ends = np.cumsum(frames.ravel()).astype(int) * 600
        lengths = np.cumsum([len(part) for part in tokens])
        wave = wave.ravel()  # the first frame of `ends` is that of the start token
        pieces = np.split(wave, [quietest(wave, ends[length]) for length in lengths[:-1]])
        return [soxr.resample(piece, 24_000, RATE_HZ) for piece in pieces]

    def speak(parts: list[str], way: str) -> list[Samples]:
        if way == "apart":
            return [say([tokenizer.phonemize(part, accent)])[0] for part in parts]
        sounds = [tokenizer.phonemize(part, accent) for part in parts]
        between = ", " if way == "drawn" else " "
        return say([s.rstrip(",") + between for s in sounds[:-1]] + sounds[-1:])

    return speak


def quietest(wave: Samples, near: int) -> int:
    """Where the wave at 24 kHz is quietest around a sample: durations are only so exact."""
    size = 24 * QUIET_MS
    start = max(0, near - 24 * SEARCH_MS)
    power = np.convolve(wave[start : near + 24 * SEARCH_MS] ** 2, np.ones(size), "valid")
    return start + int(np.argmin(power)) + size // 2


def part_by_part(say: Callable[[str], tuple[Samples, int]]) -> Voice:
    def speak(parts: list[str], way: str) -> list[Samples]:
        comma = "," if way == "drawn" else ""
        texts = [part.rstrip(",") + comma for part in parts[:-1]] + parts[-1:]
        return [soxr.resample(*say(text), RATE_HZ) for text in texts]

    return speak


def joe(model: Path) -> Voice:
    from piper import PiperVoice

    voice = PiperVoice.load(model)

    def say(text: str) -> tuple[Samples, int]:
        chunks = list(voice.synthesize(text))
        return np.concatenate([c.audio_float_array for c in chunks]), chunks[0].sample_rate

    return part_by_part(say)


def command(*words: str) -> Voice:
    """A program that writes the file given as its last word."""

    def say(text: str) -> tuple[Samples, int]:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "speech.wav"
            given = [{"TEXT": text, "FILE": str(file)}.get(word, word) for word in words]
            subprocess.run(given, check=True)
            return soundfile.read(file, dtype="float32")

    return part_by_part(say)


def trimmed(piece: Samples, peak: float) -> Samples:
    """From the first to the last audible sample, a few milliseconds faded at a hard cut."""
    loud = np.flatnonzero(np.abs(piece) > AUDIBLE * peak)
    piece = piece[loud[0] : loud[-1] + 1].astype(np.float32)
    fade = RATE_HZ * FADE_MS // 1000
    piece[-fade:] *= np.linspace(1, 0.02, fade, dtype=np.float32)
    return piece


def split(sentence: str) -> tuple[list[str], list[str]]:
    """The parts, and what each pause between them is: "open" or "end"."""
    parts = [part.strip() for part in re.split(r"[|/]", sentence)]
    return parts, [{"|": "open", "/": "end"}[mark] for mark in re.findall(r"[|/]", sentence)]


def silence(ms: float) -> Samples:
    return np.zeros(round(RATE_HZ * ms / 1000), np.float32)


def joined(pieces: list[Samples], pauses_ms: list[int]) -> tuple[Samples, list[list[int]]]:
    """One turn at LEVEL_DB with silence around, and where its parts lie in it."""
    power = np.mean(np.concatenate(pieces) ** 2)
    audio, spans = [silence(LEAD_MS)], []
    at = len(audio[0])
    for piece, pause_ms in zip(pieces, [*pauses_ms, TAIL_MS], strict=True):
        spans.append([at, at + len(piece)])
        audio += [piece, silence(pause_ms)]
        at += len(audio[-2]) + len(audio[-1])
    turn = np.concatenate(audio) * (10 ** (LEVEL_DB / 20) / np.sqrt(power))
    return turn * min(1.0, 0.95 / np.abs(turn).max()), spans


def make(
    subset: str, sentences: dict[str, Any], voices: dict[str, Voice], data: Path
) -> tuple[list[Any], Samples]:
    """The entries of the index and the sound of one subset."""
    dice = random.Random(subset)
    turns, sounds, at = [], [], 0

    def add(audio: Samples, spans: list[list[int]], **about: object) -> None:
        nonlocal at
        turns.append(
            {"subset": subset, **about, "start": at, "end": at + len(audio), "parts": spans}
        )
        sounds.append(audio.astype(np.float32))
        at += len(audio)

    people = sentences.pop("people")
    todo = [(kind, text) for kind, texts in sentences.items() for text in texts]
    names = [name for _ in range(len(todo)) for name in dice.sample(list(VOICES[subset]), 6)]
    for (kind, text), name in zip(todo, names, strict=False):
        parts, pauses = split(text)
        pieces = voices[name](parts, dice.choice(("cut", "cut", "drawn", "drawn", "apart")))
        peak = max(float(np.abs(piece).max()) for piece in pieces)
        lengths = [dice.choice(VOICES[subset][name]) for _ in pauses]
        audio, spans = joined([trimmed(piece, peak) for piece in pieces], lengths)
        noise = dice.choice(NOISE_DB) if dice.random() < 1 / 3 else None
        add(audio, spans, kind=kind, voice=name, text=text, pauses=pauses, noise_db=noise)
        print(f"{subset} {kind} {name}: {text}", flush=True)
    for each in people:
        audio, _ = soundfile.read(data / f"{each['file']}.flac", dtype="float32")
        first, last = each["parts_s"][0][0] - LEAD_MS / 1000, each["parts_s"][-1][1]
        spans = [[round((s - first) * RATE_HZ) for s in part] for part in each["parts_s"]]
        audio = audio[max(0, round(first * RATE_HZ)) : round(last * RATE_HZ)]
        about = {"kind": "person", "voice": each["file"], "text": each["text"]}
        _, pauses = split(each["text"])
        audio = np.concatenate((audio, silence(TAIL_MS)))
        add(audio, spans, **about, pauses=pauses, noise_db=None)
    return turns, np.concatenate(sounds)


def main() -> int:
    parser = argparse.ArgumentParser(description="Make the corpus of `goassist bench turns`.")
    parser.add_argument("folder", type=Path, help="where sentences.toml lies")
    parser.add_argument("data", type=Path, help="where the recordings of people lie")
    parser.add_argument("--kokoro", type=Path, required=True, help="Kokoro-82M, kokoro.onnx")
    parser.add_argument("--styles", type=Path, required=True, help="folder of its voices, *.bin")
    parser.add_argument("--joe", type=Path, required=True, help="en_US-joe-medium.onnx")
    options = parser.parse_args()

    def voice(name: str, number: int) -> Voice:
        tool, _, speaker = name.partition(" ")
        if tool == "kokoro":
            speed = 0.9 + 0.07 * (number % 4)
            return kokoro(options.kokoro, options.styles / f"{speaker}.bin", speed)
        if tool == "flite":
            return command("flite", "-voice", speaker, "-t", "TEXT", "-o", "FILE")
        if tool == "espeak":
            return command("espeak-ng", "-v", speaker, "-s", "155", "-w", "FILE", "TEXT")
        return joe(options.joe)

    subsets = tomllib.loads((options.folder / "sentences.toml").read_text("utf-8"))
    index = []
    for subset, sentences in subsets.items():
        voices = {name: voice(name, number) for number, name in enumerate(VOICES[subset])}
        turns, sound = make(subset, sentences, voices, options.data)
        index += turns
        file = options.folder / f"{subset}.ogg"
        soundfile.write(
            file, sound, RATE_HZ, format="OGG", subtype="OPUS", compression_level=COMPRESSION
        )
        print(f"{file}: {len(sound) / RATE_HZ:.0f} s, {file.stat().st_size / 1e6:.2f} MB")
    lines = ",\n".join(json.dumps(turn) for turn in index)
    (options.folder / "index.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
