"""From phonemes and their times to the Speech of a line, on a voice that hums."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from goassist_desktop.pipeline.engines import create
from goassist_desktop.pipeline.engines.piper import Piper, spellings
from goassist_desktop.pipeline.engines.spoken import MAX_PHONEMES, Voice, loudness, spoken
from goassist_desktop.pipeline.errors import EngineFailed, ModelMissing
from goassist_desktop.pipeline.frames import Samples, Speech

RATE_HZ = 22_050
SOUND = 2_205
"""Samples of each phoneme, 100 ms; spaces and signs are as long, and silent."""
VOICE = Voice(RATE_HZ, 1.0, "abcdefghijklmnopqrstuvwxyzˈ,. ")


class Letters:
    """A dictionary by which words sound as they are written."""

    def tokenize(self, line: str) -> Iterator[Any]:
        for word in line.split(" "):
            yield SimpleNamespace(phonemes=word, whitespace=" ")

    def phonemize_tokens(self, tokens: Iterator[Any]) -> list[Any]:
        found = list(tokens)
        found[-1].whitespace = ""
        return found


def hum(phonemes: str) -> tuple[Samples, list[int]]:
    tone = np.sin(np.arange(SOUND) * 0.1).astype(np.float32) * 0.2
    parts = [tone if p.isalpha() else np.zeros(SOUND, np.float32) for p in phonemes]
    return np.concatenate(parts), [n * SOUND for n in range(len(phonemes) + 1)]


def said(text: str) -> list[Speech]:
    return list(spoken(text, Letters(), VOICE, hum))


def test_words_and_sounds_have_their_times() -> None:
    (piece,) = said("ab, c")
    assert [w.text for w in piece.words] == ["ab,", "c"]
    times = [time for w in piece.words for time in (w.start, w.end)]
    # What can be heard is told in blocks of 5 ms.
    assert times == pytest.approx([0, 2 * SOUND, 4 * SOUND, 5 * SOUND], abs=RATE_HZ // 200)
    assert [(s.symbol, s.start) for s in piece.phonemes] == [
        ("a", 0),
        ("b", SOUND),
        ("c", 4 * SOUND),
    ]
    assert piece.rate_hz == RATE_HZ


@pytest.mark.parametrize(("text", "pause_ms"), [("ab.", 250), ("ab,", 120), ("ab", 20)])
def test_the_pause_is_the_punctuation_s_not_the_voice_s(text: str, pause_ms: int) -> None:
    (piece,) = said(text)
    silent = len(piece.samples) - 2 * SOUND
    assert silent == pytest.approx(pause_ms * RATE_HZ / 1000, abs=0.006 * RATE_HZ)
    assert np.abs(piece.samples[2 * SOUND + 200 :]).max() < 1e-3


def test_sentences_and_what_is_too_long_are_pieces_of_their_own() -> None:
    assert [[w.text for w in piece.words] for piece in said("ab. c d")] == [["ab."], ["c", "d"]]
    pieces = said("abcde " * 100)
    assert len(pieces) == 2
    assert all(len(piece.phonemes) <= MAX_PHONEMES for piece in pieces)
    assert sum(len(piece.words) for piece in pieces) == 100


def test_what_can_not_be_said_is_silent() -> None:
    (piece,) = said("日本 —")
    assert [(w.text, w.start, w.end) for w in piece.words] == [("日本", 0, 0), ("—", 0, 0)]
    assert not len(piece.samples)
    assert said("") == []


def test_loudness_is_that_of_blocks_of_5_ms() -> None:
    blocks = loudness(np.full(RATE_HZ, 0.5, np.float32), RATE_HZ)
    assert len(blocks) == RATE_HZ // 110
    assert np.allclose(blocks, 0.5)


@pytest.mark.parametrize(
    ("phonemes", "written"),
    [
        ("bˈɜɹd", "bˈɜːd"),
        ("hˈɜɹi", "hˈɜːɹi"),
        ("wˈɔTəɹ", "wˈɔːɾɚ"),
        ("wˈɔTəɹ ænd", "wˈɔːɾɚ ænd"),
        ("sˈi hˈæpi", "sˈiː hˈæpi"),
        ("ˌI kˌɑmpləmˈɛntəɹi", "aɪ kˌɑːmpləmˈɛntɚɹi"),
        ("ʧˈɜɹʧ — ʤˈʌʤ…", "tʃˈɜːtʃ , dʒˈʌdʒ."),
    ],
)
def test_how_espeak_writes_it(phonemes: str, written: str) -> None:
    assert "".join(spellings(phonemes)) == written
    assert len(spellings(phonemes)) == len(phonemes)


@pytest.mark.parametrize("name", ["kokoro", "piper"])
def test_a_broken_dictionary_is_named(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.zeros(510 * 256, "<f4").tofile(tmp_path / "af_heart.bin")
    (tmp_path / "voice.json").write_text(json.dumps(about()))
    module = "goassist_desktop.pipeline.engines.onnx_voice.open_session"
    engine = create("synthesis", name, tmp_path, threads=1)
    monkeypatch.setattr(module, lambda *_, **__: object())
    monkeypatch.setitem(sys.modules, "hibari.g2p", None)
    with pytest.raises(EngineFailed, match="the package hibari-tts is broken"):
        engine.load()
    with pytest.raises(EngineFailed, match="not loaded"):
        next(engine.speak("Hello."))


LETTERS = "_^$ .,!?ˈˌːabdefhijklmnopstuvwzæðŋɑɔəɚɛɜɡɪɹɾʃʊʌʒθᵻ"


def about(**changes: Any) -> dict[str, Any]:
    """What a voice of Piper says of itself."""
    return {
        "audio": {"sample_rate": RATE_HZ},
        "espeak": {"voice": "en-us"},
        "num_speakers": 1,
        "phoneme_id_map": {letter: [n] for n, letter in enumerate(LETTERS)},
    } | changes


@pytest.mark.parametrize(
    "changes",
    [
        {"audio": {"sample_rate": 16_000}},
        {"espeak": {"voice": "de"}},
        {"num_speakers": 904},
    ],
)
def test_a_voice_of_piper_that_would_sound_wrong_is_refused(
    changes: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "voice.json").write_text(json.dumps(about(**changes)))
    with pytest.raises(
        EngineFailed, match="it is not an American voice of one speaker, at 22050 Hz"
    ):
        Piper(tmp_path).load()


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "{}", '{"phoneme_id_map": {"a": []}}', json.dumps(about(phoneme_id_map={}))],
)
def test_damage_to_what_a_voice_says_of_itself_is_named(text: str, tmp_path: Path) -> None:
    (tmp_path / "voice.json").write_text(text)
    with pytest.raises(ModelMissing, match=r"voice.json is damaged; run: goassist models verify"):
        Piper(tmp_path).load()


def test_a_speaker_of_kokoro_that_is_no_speaker_is_named(tmp_path: Path) -> None:
    np.full(510 * 256, np.nan, "<f4").tofile(tmp_path / "af_heart.bin")
    with pytest.raises(ModelMissing, match=r"af_heart.bin is damaged; run: goassist models verify"):
        create("synthesis", "kokoro", tmp_path, threads=1).load()
