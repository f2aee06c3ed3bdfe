"""Pocket TTS: what it lacks is said; and, where an environment with it is named, its real code on
small random weights: what it says can not be understood, but words, cuts and ends can be looked at.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from goassist_desktop.pipeline.engines.pocket_tts import Pocket, PocketTts
from goassist_desktop.pipeline.errors import EngineFailed, ModelMissing
from goassist_desktop.pipeline.frames import Speech
from goassist_desktop.pipeline.resampling import joined
from tests.engines.test_synthesis import SENTENCES, check_contract
from tests.engines.voices_apart import kill, over, process_of
from tests.fakes import pocket_files

VARIABLE = "GOASSIST_TEST_POCKET_PYTHON"
NAMES = ("model.safetensors", "tokenizer.json", f"{pocket_files.VOICE}.safetensors")
WITH_WEIGHTS = pytest.mark.skipif(
    not os.environ.get(VARIABLE),
    reason=f"optional engine pocket-tts: {VARIABLE} names no Python with pocket-tts "
    "(docs/pocket-tts.md)",
)


def said(voice: PocketTts, text: str) -> list[Speech]:
    return [piece for piece in voice.speak(text) if piece is not None]


def test_its_program_is_missing_and_then_its_files(tmp_path: Path) -> None:
    absent = Pocket("/no/such/python", tmp_path, "alba", tmp_path / "log")
    with pytest.raises(EngineFailed, match=r"'/no/such/python' is not installed: set pocket.prog"):
        PocketTts(absent).load()
    there = replace(absent, program=sys.executable)
    for name in NAMES:
        with pytest.raises(ModelMissing, match=rf"Pocket TTS: .*{name} is missing; get it from"):
            PocketTts(there).load()
        (tmp_path / name).write_bytes(b"")
    assert there.missing() is None


def test_an_environment_without_it_is_told(tmp_path: Path) -> None:
    for name in NAMES:
        (tmp_path / name).write_bytes(b"")
    voice = PocketTts(Pocket(sys.executable, tmp_path, "alba", tmp_path / "log"))
    with pytest.raises(EngineFailed, match=r"Pocket TTS's process .*No module named"):
        voice.load()
    voice.close()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pocket")
    command = [os.environ[VARIABLE], pocket_files.__file__, str(folder)]
    subprocess.run(command, check=True, capture_output=True)
    return folder


def made(folder: Path) -> PocketTts:
    return PocketTts(
        Pocket(os.environ[VARIABLE], folder, pocket_files.VOICE, folder.parent / "pocket.log")
    )


@pytest.fixture(scope="module")
def voice(files: Path) -> Iterator[PocketTts]:
    voice = made(files)
    voice.load()
    yield voice
    voice.close()


@WITH_WEIGHTS
@pytest.mark.parametrize("text", [*SENTENCES, "Hello", "— . ...", "日本 π ² ① 😀", ""])
def test_the_words_are_those_of_the_text(voice: PocketTts, text: str) -> None:
    check_contract(voice, text)


@WITH_WEIGHTS
def test_equal_texts_sound_equal(voice: PocketTts) -> None:
    one = joined(said(voice, SENTENCES[0]))
    said(voice, "Something else in between.")
    other = joined(said(voice, SENTENCES[0]))
    assert np.array_equal(one.samples, other.samples)
    assert np.abs(one.samples).max() > 0.02


@WITH_WEIGHTS
def test_leaving_it_frees_its_process(voice: PocketTts) -> None:
    took = []
    for _ in range(3):
        pieces = voice.speak(" ".join(SENTENCES[:1] * 3))
        next(piece for piece in pieces if piece is not None)
        pieces.close()  # type: ignore[attr-defined]
        began = time.monotonic()
        voice.load()  # waits until it is done with the last
        took.append(time.monotonic() - began)
    assert sorted(took)[1] < 0.25, took
    check_contract(voice, SENTENCES[1])


@WITH_WEIGHTS
def test_killed_in_mid_sentence_it_is_told_and_started_again(voice: PocketTts) -> None:
    pieces = voice.speak(" ".join(SENTENCES[:1] * 3))
    next(piece for piece in pieces if piece is not None)
    process = process_of(voice)
    kill(voice)
    with pytest.raises(EngineFailed, match="Pocket TTS's process was killed by signal 9"):
        list(pieces)
    assert over(process)
    voice.load()
    check_contract(voice, SENTENCES[0])


@WITH_WEIGHTS
@pytest.mark.parametrize("name", [NAMES[0], NAMES[2]])
def test_a_damaged_file_is_named(files: Path, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "pocket"
    shutil.copytree(files, folder)
    (folder / name).write_bytes((folder / name).read_bytes()[:1000])
    voice = made(folder)
    with pytest.raises(ModelMissing, match=rf"of Pocket TTS: .*{name} is damaged"):
        voice.load()
    voice.close()
