"""The process of a voice is killed in the middle of a reply: the answer is heard to its end."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from goassist_desktop.pipeline.engines.apart import serve
from goassist_desktop.pipeline.engines.whisper import Whisper
from tests.fakes import xtts_program
from tests.talk.conftest import DATA, Talked
from tests.talk.hearing import plain, transcribe, word_errors

pytestmark = pytest.mark.models

VOICES = DATA / "voices"


def left(folder: Path) -> list[psutil.Process]:
    """Processes of the voice whose model is in a folder."""
    found = []
    for process in psutil.process_iter():
        try:
            command = process.cmdline()
        except psutil.Error:
            continue
        if serve.__file__ in command and str(folder) in " ".join(command):
            found.append(process)
    return found


@pytest.mark.parametrize("pieces", [0, 1, 2])
def test_a_killed_voice_costs_no_word(
    talk: Callable[..., Talked],
    ear: Whisper,
    tmp_path: Path,
    pieces: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By SIGKILL, after that many pieces of a clause of the first answer it speaks."""
    monkeypatch.setenv("GOASSIST_ENGINES_SYNTHESIS", "xtts")
    monkeypatch.setenv("GOASSIST_XTTS_LICENCE_ACCEPTED", "true")
    monkeypatch.setenv("GOASSIST_XTTS_PROGRAM", str(xtts_program.install(tmp_path)))
    monkeypatch.setenv("GOASSIST_XTTS_MODEL", str(tmp_path))
    (tmp_path / "dies").write_text(json.dumps({"with": ["red", "berlin"], "after": pieces}))
    talked = talk(VOICES / "slt_colors.flac", VOICES / "joe_germany.flac")
    assert talked.status == 0, talked.printed
    assert not (tmp_path / "dies").exists()
    printed = " ".join(talked.printed.split())
    assert "XTTS-v2's process was killed by signal 9; hibari takes over" in printed
    assert [turn["outcome"] for turn in talked.turns] == ["completed", "completed"]
    for turn in talked.turns:
        assert plain(turn["reply_text"]) == plain(turn["heard_text"])
        played = transcribe(ear, talked.sound(turn), talked.rate_hz)
        assert word_errors(turn["heard_text"], played) <= 0.10, (turn["heard_text"], played)
    assert "red" in plain(talked.turns[0]["reply_text"])
    assert "berlin" in plain(talked.turns[1]["reply_text"])
    assert not left(tmp_path)
