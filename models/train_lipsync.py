"""Train `lipsync.onnx`: the built-in face's network, for voices that do not tell their phonemes.

    apt-get install flite
    pip install torch==2.13.0 onnx
    python models/train_lipsync.py [--minutes 75] [--passes 14] [--out models/lipsync.onnx]

It hears log-mel spectra and answers as `coarticulated` does for the true phonemes. The speech is
that of the voice hibari, whose phoneme times are known: sentences, and words of its dictionary in
any order, said faster and slower, higher and lower, with longer and shorter throats; and that of
three voices of flite, which tells its phonemes too. All of it is heard louder and softer, with
noise, and through narrower channels. Equal runs on one machine give equal files; on two cores one
takes 6 minutes where they are free. The report at the end is of sentences that were not trained on.
"""

import argparse
import gzip
import importlib.resources
import itertools
import json
import re
import subprocess
import tempfile
import time
import tomllib
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import soundfile
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from goassist_desktop import weights
from goassist_desktop.pipeline.engines.coarticulation import Sound, coarticulated
from goassist_desktop.pipeline.engines.hibari import HibariVoice
from goassist_desktop.pipeline.engines.lipsync import AHEAD, OUTPUTS, PAST
from goassist_desktop.pipeline.engines.speech_features import BANDS, FRAME_MS, Audio, log_mel
from goassist_desktop.pipeline.engines.visemes import CHANNELS
from goassist_desktop.pipeline.frames import ANALYSIS_RATE_HZ, Phoneme, Samples, Speech
from goassist_desktop.pipeline.resampling import joined, resample

HERE = Path(__file__).resolve().parent
BENCH = HERE.parent / "goassist_desktop" / "bench"
SEED = 4

PITCH, THROAT, SPEED = (0.5, 1.25), (0.86, 1.14), (0.85, 1.3)
"""Factors of the voice's pitch, formants and pace. It is a woman's: men have half the pitch and
formants a sixth lower."""
FLITE = ("rms", "awb", "kal16")
FLITE_SHARE = 0.4
TAPE = (0.88, 1.14)
FLITE_SOUNDS = {
    "aa": "ɑ", "ae": "æ", "ah": "ʌ", "ao": "ɔ", "aw": "aʊ", "ax": "ə", "ay": "aɪ", "ch": "ʧ",
    "dh": "ð", "eh": "ɛ", "el": "l", "em": "m", "en": "n", "er": "ɜ", "ey": "eɪ", "hh": "h",
    "ih": "ɪ", "iy": "i", "jh": "ʤ", "ng": "ŋ", "ow": "oʊ", "oy": "ɔɪ", "r": "ɹ", "sh": "ʃ",
    "th": "θ", "uh": "ʊ", "uw": "u", "y": "j", "zh": "ʒ",
}  # fmt: skip
GAIN_DB = (-14.0, 6.0)
NOISE_DB = (12.0, 45.0)
"""Under the speech."""
CHANNEL_HZ = (8000, 8000, 8000, 5500, 4000)
DISTURBED = 2
"""Times that each utterance is learned from, each time disturbed in another way."""
SILENCE_S = (0.1, 0.5)
"""Before an utterance."""

WIDTH = 96
DILATIONS = (1, 2, 4, 8, 16)
assert 2 * sum(DILATIONS) == PAST + AHEAD
CHUNK = 320
BATCH = 16
RATE = 3e-3
SEAL_WEIGHT = 2.0
SPEED_WEIGHT = 2.0
"""Of the error of the movement, next to that of the place; strong postures count more than weak."""
SEAL_MISSED = 2.5
"""A seal that is missed costs so much more than one too many: it is what people see."""


class VariedVoice(HibariVoice):
    """The voice as others might have it."""

    def __init__(self, model_dir: Path) -> None:
        super().__init__(model_dir)
        self.pitch = self.throat = self.speed = 1.0

    def _synthesise(self, phonemes: str) -> tuple[Samples, list[int]]:
        from hibari import dsp

        ids = np.asarray([self._tts.ids(phonemes)], np.int64)
        speed = np.array([self.speed], np.float32)
        *spectra, durations = self._tts.sess.run(None, {"ids": ids, "speed": speed})
        lh, theta, ln, lr, phi, f0 = (part[0] for part in spectra)
        noise = np.random.default_rng(zlib.crc32(phonemes.encode()))
        bins = np.arange(len(lh)) / self.throat
        low = np.minimum(bins.astype(int), len(lh) - 2)
        share = np.minimum(bins - low, 1.0)[:, np.newaxis].astype(np.float32)
        lh, theta, ln, lr = (
            part[low] + share * (part[low + 1] - part[low]) for part in (lh, theta, ln, lr)
        )
        raw = dsp.synth(lh, theta, ln, lr, phi[low], f0 * np.float32(self.pitch), noise)
        ends = np.cumsum(durations.reshape(-1))
        unit = len(raw) // int(ends[-1])
        return raw, [max(0, int(edge) * unit - 1200) for edge in ends[:-1]]


def sentences(subset: str) -> list[str]:
    """Those of the corpus of `goassist bench turns`, without its marks of pauses."""
    corpus = tomllib.loads((BENCH / "turns_corpus" / "sentences.toml").read_text())[subset]
    found = [text for texts in corpus.values() for text in texts if isinstance(text, str)]
    return [" ".join(re.sub("[|/]", " ", text).split()) for text in found]


def texts(rng: np.random.Generator) -> Iterator[str]:
    """Sentences, and words of the dictionary between common words."""
    lines = re.split(r"(?<=[.?!])\s+", (BENCH / "read_aloud.txt").read_text().strip())
    lines += sentences("train")
    common = re.findall(r"[a-z']+", " ".join(lines).lower())
    lexicon = importlib.resources.files("hibari") / "assets" / "lexicon_us_gold.json.gz"
    rare = sorted(w for w in json.loads(gzip.decompress(lexicon.read_bytes())) if w.isalpha())
    rare = [word for word in rare if word.islower() and 2 < len(word) < 13]
    yield from itertools.chain(lines, lines)
    while True:
        words = [
            str(rng.choice(rare if rng.random() < 0.5 else common))
            for _ in range(rng.integers(3, 11))
        ]
        comma = rng.integers(1, 2 * len(words))
        if comma < len(words):
            words[comma - 1] += ","
        yield " ".join(words).capitalize() + str(rng.choice([".", "?", "", "!"]))


def spoken(minutes: float, rng: np.random.Generator) -> Iterator[Speech]:
    voice = VariedVoice(weights.path("hibari-heart"))
    voice.load()
    left_s = 60 * minutes
    for text in texts(rng):
        voice.pitch = float(np.exp(rng.uniform(*np.log(PITCH))))
        voice.throat = float(rng.uniform(*THROAT))
        # Low voices have long throats, mostly.
        voice.throat *= 1 + 0.12 * (voice.pitch - 0.85)
        voice.speed = float(rng.uniform(*SPEED))
        speech = joined(list(voice.speak(text)))
        if not speech.phonemes:
            continue
        yield speech
        left_s -= len(speech.samples) / speech.rate_hz
        if left_s < 0:
            return


def spoken_by_flite(minutes: float, rng: np.random.Generator) -> Iterator[Speech]:
    left_s = 60 * minutes
    for text in texts(rng):
        if re.search(r"[.?!]\s", text):
            continue  # it counts the times of each sentence from its own start
        voice, pace = str(rng.choice(FLITE)), rng.uniform(*TAPE)
        with tempfile.NamedTemporaryFile(suffix=".wav") as file:
            command = ["flite", "-voice", voice, "-psdur", "-o", file.name, "-t", text]
            told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            samples, rate_hz = soundfile.read(file.name, dtype="float32")
        # As a tape that runs faster or slower: pitch, formants and pace alike.
        samples = resample(samples, round(rate_hz * pace), rate_hz)
        phonemes, start = [], 0
        for name, end_s in (part.split(":") for part in told.split()):
            end = round(float(end_s) * rate_hz / pace)
            if name != "pau":
                phonemes.append(Phoneme(FLITE_SOUNDS.get(name, name), start, end))
            start = end
        yield Speech(samples, rate_hz, (), tuple(phonemes))
        left_s -= len(samples) / rate_hz
        if left_s < 0:
            return


def disturbed(samples: Samples, rng: np.random.Generator) -> Samples:
    """As another room and another channel might have it, at 16 kHz."""
    channel_hz = int(rng.choice(CHANNEL_HZ))
    if channel_hz < 8000:
        narrow = resample(samples, ANALYSIS_RATE_HZ, 2 * channel_hz)
        samples = np.resize(resample(narrow, 2 * channel_hz, ANALYSIS_RATE_HZ), samples.size)
    level = np.sqrt(np.mean(samples**2)) * 10 ** (-rng.uniform(*NOISE_DB) / 20)
    colour = rng.uniform(0, 0.95)
    noise = rng.normal(0, 1, samples.size)
    noise = noise - colour * np.concatenate([[0], noise[:-1]])
    if rng.random() < 0.6:
        level = 0.0  # most voices have none
    return (samples + level * noise).astype(np.float32) * 10 ** (rng.uniform(*GAIN_DB) / 20)


def lesson(speech: Speech, rng: np.random.Generator | None) -> tuple[np.ndarray, np.ndarray]:
    """Spectra (PAST + n + AHEAD, BANDS) and what to answer (n, OUTPUTS)."""
    before_ms = 0.0 if rng is None else float(1000 * rng.uniform(*SILENCE_S))
    samples = resample(speech.samples, speech.rate_hz, ANALYSIS_RATE_HZ)
    samples = np.pad(samples, (round(before_ms * 16), 0))
    if rng is not None:
        samples = disturbed(samples, rng)
    audio = Audio()
    audio.add(samples, 0)
    per_ms = speech.rate_hz / 1000
    sounds = [
        Sound(p.symbol, before_ms + p.start / per_ms, before_ms + p.end / per_ms)
        for p in speech.phonemes
        if p.end >= p.start
    ]
    frames = np.arange(int(samples.size / 16 / FRAME_MS) + 1)
    answers = coarticulated(sounds, frames)
    heard = np.arange(-PAST, frames[-1] + AHEAD + 1)
    return log_mel(audio, heard), answers


class Net(nn.Module):
    """Dilated convolutions over time: the frames they see are exactly PAST + 1 + AHEAD."""

    def __init__(self) -> None:
        super().__init__()
        self.inward = nn.Conv1d(BANDS, WIDTH, 1)
        self.wide = nn.ModuleList(nn.Conv1d(WIDTH, WIDTH, 3, dilation=d) for d in DILATIONS)
        self.mix = nn.ModuleList(nn.Conv1d(WIDTH, WIDTH, 1) for _ in DILATIONS)
        self.outward = nn.Conv1d(WIDTH, OUTPUTS, 1)
        nn.init.constant_(self.outward.bias, -2.0)  # mostly at rest

    def forward(self, spectra: torch.Tensor) -> torch.Tensor:
        """Logits (batch, OUTPUTS, n) from (batch, BANDS, PAST + n + AHEAD)."""
        x = torch.relu(self.inward(spectra))
        for dilation, wide, mix in zip(DILATIONS, self.wide, self.mix, strict=True):
            x = x[:, :, 2 * dilation :] + mix(torch.relu(wide(x)))
        return self.outward(torch.relu(x))


def chunks(lessons: list[tuple[np.ndarray, np.ndarray]]) -> tuple[torch.Tensor, torch.Tensor]:
    """All lessons one after the other, cut into pieces of CHUNK answers."""
    heard, wanted = [], []
    # Silence parts them, as it does the network's past from what it hears first.
    spectra = np.concatenate([s[PAST:-AHEAD] for s, _ in lessons])
    answers = np.concatenate([a for _, a in lessons])
    spectra = np.pad(spectra, ((PAST, AHEAD), (0, 0)))
    for start in range(0, len(answers) - CHUNK, CHUNK):
        heard.append(spectra[start : start + PAST + CHUNK + AHEAD].T)
        wanted.append(answers[start : start + CHUNK].T)
    return torch.tensor(np.stack(heard)), torch.tensor(np.stack(wanted))


def train(heard: torch.Tensor, wanted: torch.Tensor, passes: int) -> Net:
    torch.manual_seed(SEED)
    net = Net()
    count = len(CHANNELS)
    scale = 1 / wanted.std(dim=(0, 2), keepdim=True)[0]
    missed = torch.full((len(wanted[0]) - count, 1), SEAL_MISSED)
    optimiser = torch.optim.AdamW(net.parameters(), lr=RATE, weight_decay=1e-4)
    batches = len(heard) // BATCH
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, passes * batches)
    for number in range(passes):
        began, losses = time.monotonic(), []
        for batch in torch.randperm(len(heard))[: batches * BATCH].reshape(batches, BATCH):
            logits = net(heard[batch])
            want = wanted[batch]
            error = (torch.sigmoid(logits) - want) * scale
            strong = 1 + (want * scale)[:, :count]
            seals = nn.functional.binary_cross_entropy_with_logits(
                logits[:, count:], want[:, count:], pos_weight=missed
            )
            loss = (strong * error[:, :count] ** 2).mean() + SEAL_WEIGHT * seals
            loss = loss + SPEED_WEIGHT * (error.diff(dim=2) ** 2).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            losses.append(loss.item())
        took_s = time.monotonic() - began
        print(f"pass {number + 1}: loss {np.mean(losses):.4f}, {took_s:.0f} s", flush=True)
    return net.eval()


def exported(net: Net) -> onnx.ModelProto:
    """The same computation as an ONNX graph: spectra (1, BANDS, t) to mouth (1, OUTPUTS, n)."""
    nodes, constants = [], []

    def constant(name: str, value: np.ndarray) -> str:
        constants.append(numpy_helper.from_array(value, name))
        return name

    def node(kind: str, inputs: list[str], output: str, **attributes: object) -> str:
        nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def conv(layer: nn.Conv1d, x: str, name: str) -> str:
        weight = constant(f"{name}.weight", layer.weight.detach().numpy())
        bias = constant(f"{name}.bias", layer.bias.detach().numpy())
        return node("Conv", [x, weight, bias], name, dilations=list(layer.dilation))

    axis = constant("time", np.array([2]))
    end = constant("end", np.array([np.iinfo(np.int64).max]))
    x = node("Relu", [conv(net.inward, "spectra", "inward")], "inward.relu")
    for i, (dilation, wide, mix) in enumerate(zip(DILATIONS, net.wide, net.mix, strict=True)):
        opened = node("Relu", [conv(wide, x, f"wide{i}")], f"wide{i}.relu")
        mixed = conv(mix, opened, f"mix{i}")
        start = constant(f"start{i}", np.array([2 * dilation]))
        kept = node("Slice", [x, start, end, axis], f"kept{i}")
        x = node("Add", [kept, mixed], f"sum{i}")
    last = conv(net.outward, node("Relu", [x], "last.relu"), "outward")
    node("Sigmoid", [last], "mouth")
    graph = helper.make_graph(
        nodes,
        "lipsync",
        [helper.make_tensor_value_info("spectra", TensorProto.FLOAT, [1, BANDS, "t"])],
        [helper.make_tensor_value_info("mouth", TensorProto.FLOAT, [1, OUTPUTS, "n"])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return model


def report(net: Net, lessons: list[tuple[np.ndarray, np.ndarray]]) -> None:
    """How close it comes to the phonemes, for each output."""
    with torch.no_grad():
        found = [torch.sigmoid(net(torch.tensor(s.T[None])))[0].T.numpy() for s, _ in lessons]
    got, want = np.concatenate(found), np.concatenate([a for _, a in lessons])
    for name, one, other in zip((*CHANNELS, "lips", "lip and teeth"), got.T, want.T, strict=True):
        error = np.sqrt(np.mean((one - other) ** 2))
        print(f"{name}: correlation {np.corrcoef(one, other)[0, 1]:.2f}, error {error:.3f}")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=75.0)
    parser.add_argument("--passes", type=int, default=14)
    parser.add_argument("--out", type=Path, default=HERE / "lipsync.onnx")
    options = parser.parse_args()
    torch.set_num_threads(2)
    rng = np.random.default_rng(SEED)
    began = time.monotonic()
    speech = itertools.chain(
        spoken((1 - FLITE_SHARE) * options.minutes, rng),
        spoken_by_flite(FLITE_SHARE * options.minutes, rng),
    )
    lessons = [lesson(each, rng) for each in speech for _ in range(DISTURBED)]
    print(f"{len(lessons)} utterances in {time.monotonic() - began:.0f} s", flush=True)
    net = train(*chunks(lessons), options.passes)
    voice = HibariVoice(weights.path("hibari-heart"))
    voice.load()
    held = sentences("held") + sentences("blind")
    report(net, [lesson(joined(list(voice.speak(line))), None) for line in held])
    onnx.save(exported(net), options.out)
    print(f"{options.out}: {options.out.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
