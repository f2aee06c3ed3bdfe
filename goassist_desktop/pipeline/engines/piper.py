"""Synthesis with an American voice of Piper (rhasspy/piper-voices), with the time of every word.

Piper's own package reads text with espeak-ng and is under the GPL, as that is. Here the voice,
which is free, is given the same sounds without it: found by hibari's dictionary, and written as
espeak-ng writes them. Nor does espeak-ng tell which sounds belong to which written word.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np

from goassist_desktop.pipeline.engines.onnx_file import Session
from goassist_desktop.pipeline.engines.onnx_voice import OnnxVoice
from goassist_desktop.pipeline.engines.spoken import STRESS, Voice, loudness
from goassist_desktop.pipeline.errors import EngineFailed, ModelMissing
from goassist_desktop.pipeline.frames import Samples
from goassist_desktop.pipeline.protocols import EngineInfo

RATE_HZ = 22_050
"""Of Piper's medium and high voices."""

DURATIONS = "/Ceil_output_0"
"""The graph's node of rounded durations: float32 (1, 1, ids), in units of FRAME samples."""
FRAME = 256

SCALES = (0.0, 1.0, 0.0)
"""Noise of the sound, length, and noise of the durations. What the network draws can not be seeded
for each text; without it equal texts sound equal."""

AHEAD = 441
"""Samples (20 ms) by which the sound of a phoneme precedes its stated place. Measured as for hibari
it is 8 to 16 ms in six sentences; a little more keeps the next word out of a sound that is cut off
where a word ends."""

LEVEL = 0.115
"""Root mean square of the voiced blocks (-19 dB) that every line is brought to: left alone, lines
lie up to 9 dB apart."""
VOICED = 0.01
AUDIBLE = 2e-3
"""Above the breath before a word (-54 dB)."""

PAD, BEGIN, END = "_", "^", "$"
VOWELS = "AIOQWYaeiouæɑɒɔəɛɜɪʊʌᵊᵻ"
SPELLING = {
    "A": "eɪ",
    "I": "aɪ",
    "O": "oʊ",
    "W": "aʊ",
    "Y": "ɔɪ",
    "T": "ɾ",
    "ʤ": "dʒ",
    "ʧ": "tʃ",
    "ᵊ": "ə",
    "u": "uː",
    "ɑ": "ɑː",
    "ɔ": "ɔː",
    "ɜ": "ɜː",
    "…": ".",
    "—": ",",
    "“": "",
    "”": "",
    '"': "",
}
"""How espeak-ng writes a phoneme or sign in American English, where it does so in another way."""


class Piper(OnnxVoice):
    """Synthesiser for `<model_dir>` with voice.onnx and voice.json."""

    rate_hz = RATE_HZ
    network = "voice.onnx"
    durations = DURATIONS

    @property
    def info(self) -> EngineInfo:
        return EngineInfo("synthesis", "piper", self._dir.name, "CC0-1.0")

    def _read(self) -> Voice:
        self._ids = _read_ids(self._dir / "voice.json")
        known = {*self._ids, *SPELLING} - {PAD, BEGIN, END}
        return Voice(RATE_HZ, 1.0, known, AUDIBLE)

    def _synthesise(self, session: Session, phonemes: str) -> tuple[Samples, list[int]]:
        ids = [self._ids[BEGIN], self._ids[PAD]]
        first = []  # id of each phoneme
        for spelling in spellings(phonemes):
            first.append(len(ids))
            for letter in spelling:
                ids += [self._ids[letter], self._ids[PAD]]
        first.append(len(ids))
        ids.append(self._ids[END])
        inputs = {
            "input": np.asarray([ids], np.int64),
            "input_lengths": np.asarray([len(ids)], np.int64),
            "scales": np.asarray(SCALES, np.float32),
        }
        waveform, durations = session.run(None, inputs)
        raw = _levelled(waveform.reshape(-1))
        starts = np.cumsum(np.append(0, durations.reshape(-1))).astype(int) * FRAME
        return raw, [max(0, int(starts[at]) - AHEAD) for at in first]


def spellings(phonemes: str) -> list[str]:
    """How espeak-ng writes each phoneme of a line."""
    words = re.findall(" |[^ ]+", phonemes)
    return [spelling for word in words for spelling in _word_spellings(word)]


def _word_spellings(word: str) -> list[str]:
    found = []
    for at, phoneme in enumerate(word):
        before, behind = word[at - 1 : at], word[at + 1 : at + 2]
        if phoneme == "ˌ" and "ˈ" not in word:
            found.append("")  # small words have no stress
        elif phoneme == "ɹ" and before in ("ɜ", "ə") and behind not in [*VOWELS, *STRESS]:
            found.append("")  # it is in the vowel
        elif phoneme == "ə" and behind == "ɹ":
            found.append("ɚ")
        elif phoneme == "i" and before in [*STRESS]:
            found.append("iː")
        else:
            found.append(SPELLING.get(phoneme, phoneme))
    return found


def _levelled(raw: Samples) -> Samples:
    blocks = loudness(raw, RATE_HZ)
    voiced = blocks[blocks > VOICED]
    if not len(voiced):
        return raw
    return raw * np.float32(LEVEL / np.sqrt(np.mean(voiced**2)))


def _read_ids(file: Path) -> dict[str, int]:
    """Letter -> its number in the network. Raises ModelMissing, and EngineFailed for a voice that
    is not like those this engine knows."""
    try:
        about = json.loads(file.read_text(encoding="utf-8"))
        ids = {letter: int(numbers[0]) for letter, numbers in about["phoneme_id_map"].items()}
        kind = about["audio"]["sample_rate"], about["espeak"]["voice"], about["num_speakers"]
    except OSError as error:
        raise ModelMissing(
            f"voice model {file} can not be read; run: goassist models pull"
        ) from error
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise ModelMissing(f"voice model {file} is damaged; run: goassist models verify") from error
    if not {PAD, BEGIN, END, "ɚ", *"".join(SPELLING.values())} <= ids.keys():
        raise ModelMissing(f"voice model {file} is damaged; run: goassist models verify")
    if kind != (RATE_HZ, "en-us", 1):
        raise EngineFailed(
            f"voice model {file} can not be loaded: it is not an American voice of one speaker, "
            f"at {RATE_HZ} Hz"
        )
    return ids
