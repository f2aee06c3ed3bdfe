"""Held by the real models, judged on the two WAV files."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile

from goassist_desktop import weights
from goassist_desktop.pipeline.engines.whisper import Whisper
from tests.engines.sounds import WORDS
from tests.talk.conftest import DATA, GOASSIST, Talked, environment
from tests.talk.hearing import audible, plain, transcribe, word_errors

VOICES = DATA / "voices"
QUESTIONS = {
    "joe_germany": "What is the capital of Germany?",
    "slt_water": "At what temperature does water boil?",
    "joe_week": "How many days are there in a week?",
    "slt_colors": "What colors are in the rainbow?",
}
SENSE = {"joe_germany": "berlin", "slt_water": "degrees", "joe_week": "seven", "slt_colors": "red"}
"""A word that the right answer has."""


@pytest.fixture(scope="module")
def questions(talk: Callable[..., Talked]) -> Talked:
    return talk(*(VOICES / f"{name}.flac" for name in QUESTIONS))


def test_every_question_is_answered(questions: Talked) -> None:
    assert questions.status == 0, questions.printed
    assert [turn["outcome"] for turn in questions.turns] == ["completed"] * len(QUESTIONS)


def test_the_words_of_the_user_are_right(questions: Talked) -> None:
    said = " ".join(QUESTIONS.values())
    heard = " ".join(turn["user_text"] for turn in questions.turns)
    assert word_errors(said, heard) <= 0.10, heard


def test_the_answers_make_sense(questions: Talked) -> None:
    for turn, word in zip(questions.turns, SENSE.values(), strict=True):
        assert word in plain(turn["reply_text"]), turn


def test_what_was_played_is_what_was_heard(questions: Talked, ear: Whisper) -> None:
    for turn in questions.turns:
        played = transcribe(ear, questions.sound(turn), questions.rate_hz)
        assert word_errors(turn["heard_text"], played) <= 0.10, (turn["heard_text"], played)
        assert plain(turn["heard_text"]) == plain(turn["reply_text"])


def test_nothing_stands_in_for_an_engine(questions: Talked) -> None:
    engines = questions.report["engines"]
    assert set(engines) == {
        "voice_activity", "turn_detection", "recognition", "language_model", "synthesis",
    }  # fmt: skip
    assert not any(engine["stand_in"] for engine in engines.values())


def test_both_files_are_one_timeline(questions: Talked) -> None:
    assert len(questions.reply) == len(questions.mic)


def test_marks_agree_with_the_files(questions: Talked) -> None:
    """Within 20 ms, found again from the samples alone."""
    played = audible(questions.reply, questions.rate_hz)
    ends = [0.0, *(turn["marks_ms"]["audio_end"] for turn in questions.turns)]
    for turn, (before, end) in zip(questions.turns, pairwise(ends), strict=True):
        marks = turn["marks_ms"]
        said = spoken_between(questions, before, marks["decision"])
        sounded = played[(played > marks["decision"]) & (played < end + 100)]
        assert marks["onset"] == pytest.approx(said[0], abs=20)
        assert marks["offset"] == pytest.approx(said[-1], abs=20)
        assert marks["first_audio"] == pytest.approx(sounded[0], abs=20)
        assert marks["audio_end"] == pytest.approx(sounded[-1], abs=20)
        assert turn["response_gap_ms"] == pytest.approx(sounded[0] - said[-1], abs=40)
        assert turn["ttfa_ms"] == pytest.approx(marks["first_audio"] - marks["decision"], abs=1)


def spoken_between(talked: Talked, start_ms: float, end_ms: float) -> np.ndarray:
    """Times in ms of the microphone's samples above 1 % of the loudest among them."""
    start, end = (round(ms * talked.rate_hz / 1000) for ms in (start_ms, end_ms))
    level = np.abs(talked.mic[start:end])
    return start_ms + np.flatnonzero(level > 0.01 * level.max()) * 1000 / talked.rate_hz


def test_real_people_are_understood(talk: Callable[..., Talked]) -> None:
    """Two real recordings, read from books: the words count, the answer may be what it is."""
    names = ("beckett", "two_cities_2")
    talked = talk(*(DATA / f"{name}.flac" for name in names))
    assert talked.status == 0, talked.printed
    # A turn of which nothing was heard was not over: its words come again in the next.
    heard = " ".join(turn["user_text"] for turn in talked.turns if turn["heard_text"])
    assert word_errors(" ".join(WORDS[name] for name in names), heard) <= 0.10, heard


def test_an_interruption_stops_it_and_is_answered(
    talk: Callable[..., Talked], ear: Whisper, tmp_path: Path
) -> None:
    script = tmp_path / "script.toml"
    script.write_text(
        f"""
        [[say]]
        wav = "{VOICES}/joe_story.flac"
        [[say]]
        wav = "{VOICES}/joe_germany.flac"
        after = "speaking"
        delay_s = 2.0
        """
    )
    talked = talk("--script", script, "--echo-delay-ms", 60, "--echo-gain-db", -10)
    assert talked.status == 0, talked.printed
    story, answer = talked.turns
    assert story["outcome"] == "interrupted"
    assert story["barge_in"]["outcome"] == "stopped"
    assert "berlin" in plain(answer["heard_text"])
    assert word_errors(QUESTIONS["joe_germany"], answer["user_text"]) <= 0.2
    # The words it says were heard are those the loudspeaker played, but for the one cut short.
    played = transcribe(ear, talked.sound(story), talked.rate_hz)
    heard = plain(story["heard_text"]).split()
    assert 2 <= len(heard) <= len(plain(story["reply_text"]).split())
    assert word_errors(" ".join(heard), " ".join(plain(played).split()[: len(heard)])) <= 0.2
    # Between the two there is silence on the loudspeaker.
    sound = audible(talked.reply, talked.rate_hz)
    silent = story["barge_in"]["silence_ms"]
    assert not np.any((sound > silent + 5) & (sound < answer["marks_ms"]["first_audio"] - 5))
    assert story["barge_in"]["latency_ms"] < 400  # its contract is measured by `goassist bench`


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "No such file"),
        (b"", "empty, 0 bytes"),
        (b"not a sound", "not a sound file"),
        ("silence", "silent"),
    ],
)
def test_bad_recordings_are_refused(tmp_path: Path, content: object, message: str) -> None:
    wav = tmp_path / "question.wav"
    if isinstance(content, bytes):
        wav.write_bytes(content)
    elif content:
        soundfile.write(wav, np.zeros(16_000), 16_000)
    done = goassist("talk", wav)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert str(wav) in line
    assert message.lower() in line.lower(), line


@pytest.mark.parametrize("seconds", [0.3, 1.5, 8.0], ids=["starting", "loading", "talking"])
def test_ctrl_c_ends_it_cleanly(tmp_path: Path, seconds: float) -> None:
    reply = tmp_path / "reply.wav"
    talking = subprocess.Popen(
        [GOASSIST, "talk", VOICES / "joe_story.flac", "--out", reply],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment(),
    )
    time.sleep(seconds)
    talking.send_signal(signal.SIGINT)
    try:
        printed, _ = talking.communicate(timeout=10)
    finally:
        talking.kill()
        talking.wait()
    # Before our code runs Ctrl-C ends Python in its own way, and then, at first, by the signal.
    assert talking.returncode in ((130, -signal.SIGINT, 1) if seconds < 1 else (130,)), printed
    if seconds > 1:
        assert "Traceback" not in printed
    if reply.exists():  # what was recorded is a whole file
        _, rate_hz = soundfile.read(reply)
        assert rate_hz == 48_000


def test_bad_arguments_are_refused(tmp_path: Path) -> None:
    wav = VOICES / "joe_story.flac"
    for arguments, message in (
        (("talk",), "no recording was given"),
        (("talk", wav, "--face", tmp_path / "no" / "f.jsonl"), "no/f.jsonl"),
        (("talk", wav, "--video", tmp_path / "no" / "f.mp4"), "no/f.mp4"),
        (("talk", wav, "--video", wav), "named twice"),
        (("talk", wav, "--face", tmp_path / "f", "--report", tmp_path / "f"), "named twice"),
        (("talk", wav, "--out", wav), "named twice"),
        (("talk", wav, "--out", tmp_path / "no" / "reply.wav"), "no/reply.wav"),
        (("talk", wav, "--set", "engines.recognition=siri"), "must be one of whisper, moonshine"),
        (("talk", wav, "--echo-delay-ms", "50"), "needs --echo-gain-db"),
        (("--set", "audio.input_device"), "must be KEY=VALUE"),
    ):
        done = goassist(*arguments)
        assert done.returncode == 2, done
        (line,) = done.stderr.splitlines()
        assert message in line


def test_a_missing_or_damaged_model_is_named(tmp_path: Path) -> None:
    wav = VOICES / "joe_story.flac"
    done = goassist("talk", wav, GOASSIST_MODELS_DIR=str(tmp_path))
    assert done.returncode == 1
    assert "run: goassist models pull" in done.stderr
    for name in weights.select(["ci"]):
        (tmp_path / name.name).symlink_to(weights.path(name.name))
    damaged = tmp_path / "faster-whisper-tiny.en"
    files = {file.name: file.resolve() for file in damaged.iterdir()}
    damaged.unlink()
    damaged.mkdir()
    for name, file in files.items():
        (damaged / name).symlink_to(file)
    (damaged / "model.bin").unlink()
    (damaged / "model.bin").write_bytes(bytes(files["model.bin"].stat().st_size))
    done = goassist("talk", wav, GOASSIST_MODELS_DIR=str(tmp_path))
    assert done.returncode == 1
    assert f"{damaged}/" in done.stderr
    assert "damaged" in done.stderr
    assert "Traceback" not in done.stderr


def goassist(*arguments: object, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(word) for word in (GOASSIST, *arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        env=environment() | variables,
    )
