"""What the marks of a report's turns are made into, and the recorded questions."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from goassist_desktop import weights
from goassist_desktop.bench import wav
from goassist_desktop.bench.figures import Figure
from goassist_desktop.bench.latency import GAP_LIMITS, NAMES, turn_figures
from goassist_desktop.bench.questions import recordings
from goassist_desktop.bench.wav import Stretch
from goassist_desktop.cli import main
from goassist_desktop.pipeline import audio_files
from goassist_desktop.pipeline.clock import INTERVALS, MARKS
from goassist_desktop.pipeline.endpoints.room import speech_span

LIMITS = {"p50": 650.0, "p95": 1000.0}
SAID = [Stretch(start, start + 2000) for start in range(1000, 50_000, 10_000)]
"""Five questions of two seconds, one every ten: they end at 3000, 13000 …"""


def turn(offset: float, gap: float | None, *, warmup: bool = False) -> dict[str, Any]:
    """A turn whose reply was heard `gap` after `offset`, decided 200 ms before that."""
    heard = None if gap is None else offset + gap
    marks: dict[str, float | None] = dict.fromkeys(MARKS)
    marks |= {"offset": offset, "first_audio": heard}
    marks["decision"] = None if heard is None else heard - 200
    return {"marks_ms": marks, "warmup": warmup, "starved_ms": 0.0}


def figures(*turns: dict[str, Any]) -> dict[str, Figure]:
    return {figure.name: figure for figure in turn_figures(turns, SAID, LIMITS)}


def test_every_interval_has_its_figure() -> None:
    assert set(NAMES) == set(INTERVALS)
    assert set(NAMES.values()) <= set(figures())


def test_gaps_are_those_of_the_warm_turns_that_were_heard() -> None:
    found = figures(
        turn(3010, 900, warmup=True), turn(13_020, 600), turn(22_990, None), turn(33_000, 700.04)
    )
    assert found["response gap"].values == (600.0, 700.0)
    assert found["response gap"].limits == LIMITS
    assert found["TTFA"].values == (200.0, 200.0)
    assert found["recognition"].values == ()


def test_the_first_turn_is_compared_with_the_median_of_the_warm_ones() -> None:
    found = figures(turn(3000, 900, warmup=True), turn(13_000, 500), turn(23_000, 750))
    assert found["first turn's gap"].values == (900.0,)
    assert found["first turn's gap / median"].values == (1.8,)
    assert found["first turn's gap / median"].missed == ("max",)


def test_without_sound_in_the_first_turn_its_promise_is_not_kept() -> None:
    found = figures(turn(3000, None, warmup=True), turn(13_000, 500))
    assert found["first turn's gap"].values == ()
    assert found["first turn's gap / median"].missed == ("max",)


def test_a_turn_that_answered_before_the_question_was_over_has_no_gap() -> None:
    found = figures(turn(3000, 900, warmup=True), turn(12_100, 150), turn(13_000, 600))
    assert found["answered too early"].values == (1.0,)
    assert found["response gap"].values == (600.0,)
    assert found["offset error"].values == (0.0, 0.0)


def test_no_turns_are_no_figures_and_no_failure() -> None:
    assert figures()["response gap"].values == ()


def test_models_with_a_promise_are_those_of_the_manifest() -> None:
    profiles = ("embedded", "ci", "gpu-16g")
    names = {model.name for profile in profiles for model in weights.profile(profile)}
    assert set(GAP_LIMITS) <= names


@pytest.mark.parametrize("count", ["3", "41", "-1"])
def test_too_few_or_too_many_questions_are_refused(
    count: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", "latency", "--questions", count]) == 2
    assert f"--questions {count}: must be 4 to 40" in capsys.readouterr().err


# -- the questions ---------------------------------------------------------------------------------


def test_the_questions_are_many_varied_and_in_several_voices() -> None:
    text = files("goassist_desktop.bench.questions").joinpath("questions.toml").read_text("utf-8")
    entries = tomllib.loads(text)["question"]
    with recordings() as paths:
        assert [entry["file"] for entry in entries] == [path.name for path in paths]
    assert len({entry["text"] for entry in entries}) == len(entries) >= 33
    voices = {entry["voice"] for entry in entries}
    assert len(voices) >= 3
    assert "af_heart" not in voices
    assert sum("pause_ms" in entry for entry in entries) >= 5


def test_every_question_is_one_utterance_with_a_clear_end() -> None:
    """Its end is the same by two measures that know nothing of each other, so gaps from it are."""
    with recordings() as paths:
        for path in paths:
            _one_utterance(path)


def _one_utterance(path: Path) -> None:
    samples, rate_hz = audio_files.read(path)
    (said,) = wav.utterances(samples, rate_hz)
    _, last = speech_span(samples, rate_hz)
    assert abs(said.end - last) < 0.04 * rate_hz, path.name
    assert len(samples) - said.end > 0.2 * rate_hz, path.name
    assert np.abs(samples).max() < 1, path.name
