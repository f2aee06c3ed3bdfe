"""XTTS-v2: the whole of it on small random weights where its environment is there, and all but the
model itself, with hibari's voice in its place, everywhere."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import jiwer
import numpy as np
import psutil
import pytest

from goassist_desktop import weights
from goassist_desktop.pipeline.engines.coqui import FILES, Studio
from goassist_desktop.pipeline.engines.hibari import HibariVoice
from goassist_desktop.pipeline.engines.word_times import Line
from goassist_desktop.pipeline.engines.xtts import RATE_HZ, Xtts
from goassist_desktop.pipeline.errors import EngineFailed, ModelMissing
from goassist_desktop.pipeline.frames import Speech
from goassist_desktop.pipeline.resampling import joined
from tests.engines.test_synthesis import SENTENCES, check_contract, listen, loudness, plain
from tests.engines.voices_apart import kill, over, process_of
from tests.fakes import xtts_files, xtts_program

__all__ = ["listen"]
VARIABLE = "GOASSIST_TEST_XTTS_PYTHON"
WITH_WEIGHTS = pytest.mark.skipif(
    not os.environ.get(VARIABLE),
    reason=f"optional engine xtts: {VARIABLE} names no Python with coqui-tts (docs/xtts.md)",
)


def studio(
    program: Path | str, model: Path, speaker: str = "Ana Florence", *, accepted: bool = True
) -> Studio:
    return Studio(str(program), model, speaker, "en", accepted, model.parent / "xtts.log")


def said(voice: Xtts, text: str) -> list[Speech]:
    return [piece for piece in voice.speak(text) if piece is not None]


# -- all but the model -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Studio:
    folder = tmp_path_factory.mktemp("xtts")
    return studio(xtts_program.install(folder), folder)


@pytest.fixture(scope="module")
def voice(installed: Studio) -> Iterator[Xtts]:
    voice = Xtts(installed)
    voice.load()
    yield voice
    voice.close()


@pytest.fixture(scope="module")
def hibari() -> HibariVoice:
    voice = HibariVoice(weights.path("hibari-heart"))
    voice.load()
    return voice


def test_the_licence_comes_first(installed: Studio) -> None:
    voice = Xtts(studio(installed.program, installed.model, accepted=False))
    with pytest.raises(EngineFailed) as caught:
        voice.load()
    message = str(caught.value)
    assert "Coqui Public Model License" in message and "xtts.licence_accepted" in message
    assert "\n" not in message


def test_its_program_and_its_files_are_asked_for(installed: Studio, tmp_path: Path) -> None:
    with pytest.raises(EngineFailed, match=r"'/no/python' is not installed: set xtts\.program"):
        Xtts(studio("/no/python", installed.model)).load()
    with pytest.raises(EngineFailed, match=r": it is not installed: set xtts\.program"):
        Xtts(studio("", installed.model)).load()
    for name in FILES:
        with pytest.raises(ModelMissing, match=f"{tmp_path / name} is missing"):
            Xtts(studio(installed.program, tmp_path)).load()
        (tmp_path / name).touch()


@pytest.mark.models
@pytest.mark.parametrize(
    "text",
    [
        *SENTENCES,
        "Hello",
        "GPU and NASA, 3.5 and 42 and $5",
        "wait — what ?",
        "日本 π ² ① 😀",
        "— . ...",
        "One. Two! Three? Four 😀 …",
        "— well — yes",
        ("the river runs down to the wide blue sea and " * 12).strip(),
        "",
    ],
)
def test_the_words_are_those_of_the_text(voice: Xtts, text: str) -> None:
    check_contract(voice, text)


@pytest.mark.models
def test_what_it_says_is_whole(voice: Xtts, listen) -> None:  # type: ignore[no-untyped-def]
    heard = [listen(joined(said(voice, text)).samples, RATE_HZ) for text in SENTENCES]
    wrote = [" ".join(plain(text)) for text in SENTENCES]
    assert jiwer.wer(wrote, [" ".join(words) for words in heard]) <= 0.05


@pytest.mark.models
def test_the_first_second_does_not_wait_for_the_rest(voice: Xtts) -> None:
    """Which takes 0.9 s more to be made here, and arrives before the first is over."""
    began = time.monotonic()
    stream = (piece for piece in voice.speak(SENTENCES[1]) if piece is not None)
    first = next(stream)
    first_s = time.monotonic() - began
    rest = list(stream)
    rest_s = time.monotonic() - began
    assert first_s < 0.5
    assert rest_s - first_s < len(first.samples) / RATE_HZ
    assert sum(len(piece.samples) for piece in rest) > 2 * RATE_HZ


@pytest.mark.models
@pytest.mark.parametrize(
    ("text", "least_ms", "most_ms"),
    [("I see the moon.", 240, 310), ("I see the moon,", 110, 180), ("I see the moon", 10, 80)],
)
def test_silence_around_a_clause(voice: Xtts, text: str, least_ms: int, most_ms: int) -> None:
    samples = joined(said(voice, text)).samples
    loud = np.flatnonzero(loudness(samples, RATE_HZ) > 0.005)
    assert 0 <= loud[0] * 5 <= 30
    assert least_ms <= (len(samples) * 1000 // RATE_HZ) - (loud[-1] + 1) * 5 <= most_ms


@pytest.mark.models
def test_the_speaker_is_brought_to_one_level(voice: Xtts) -> None:
    blocks = loudness(joined([p for text in SENTENCES for p in said(voice, text)]).samples, RATE_HZ)
    level = 20 * np.log10(np.sqrt(np.mean(blocks[blocks > 0.01] ** 2)))
    assert -21 < level < -17


@pytest.mark.models
def test_cuts_between_pieces_are_not_heard(voice: Xtts, hibari: HibariVoice) -> None:
    """Joined they are the voice's own sound, but for its level and the ends."""
    ours = joined(said(voice, SENTENCES[0])).samples
    theirs = joined(list(hibari.speak(SENTENCES[0]))).samples
    at = int(np.argmax(np.correlate(ours[:12_000], theirs[2_400:7_200], "valid"))) - 2_400
    start, count = max(0, -at) + 2_400, 60_000
    one, other = ours[start + at :][:count], theirs[start:][:count]
    ratio = float(one @ other / (other @ other))
    quiet = np.abs(ratio * other) < 0.7  # below the knee
    assert np.abs(one - ratio * other)[quiet].max() < 2e-3


@pytest.mark.models
def test_words_are_about_where_they_are_said(voice: Xtts, hibari: HibariVoice) -> None:
    """As `word_times` says, with a little more for few sentences and for being cut in pieces."""
    off_ms = []
    for text in SENTENCES:
        ours, theirs = joined(said(voice, text)).words, joined(list(hibari.speak(text))).words
        ends = zip(ours[:-1], theirs[:-1], strict=True)
        off_ms += [abs(one.end - other.end) * 1000 / RATE_HZ for one, other in ends]
    assert np.median(off_ms) < 105
    assert np.percentile(off_ms, 95) < 280


@pytest.mark.models
def test_killed_in_mid_sentence_it_is_there_again(voice: Xtts) -> None:
    whole = joined(said(voice, SENTENCES[1])).samples
    stream = voice.speak(SENTENCES[1])
    while next(stream) is None:
        pass
    kill(voice)
    with pytest.raises(EngineFailed, match="XTTS-v2's process was killed by signal 9"):
        list(stream)
    voice.load()
    assert np.array_equal(joined(said(voice, SENTENCES[1])).samples, whole)


# -- word times ------------------------------------------------------------------------------------


def test_a_line_without_sound_has_its_words(voice_of_nothing: Line) -> None:
    assert voice_of_nothing.over() is None
    rest = voice_of_nothing.rest()
    assert [word.text for word in rest.words] == ["Hello", "there."]
    assert len(rest.samples) == 0


@pytest.fixture
def voice_of_nothing() -> Line:
    from goassist_desktop.pipeline.engines.spoken import Reading, Voice

    line = Line([Reading("Hello", "həlˈO"), Reading("there.", "ðˈɛɹ.")], Voice(24_000, 1.0, ()), 13)
    line.take(np.zeros(48_000, np.float32))
    return line


# -- with small weights ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights") / "xtts-v2"
    program = os.environ[VARIABLE]
    done = subprocess.run(
        [program, xtts_files.__file__, str(folder)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def real(small: Path) -> Iterator[Xtts]:
    voice = Xtts(studio(os.environ[VARIABLE], small))
    voice.load()
    yield voice
    voice.close()


@WITH_WEIGHTS
def test_it_loads_and_streams(real: Xtts, small: Path) -> None:
    stamp = (small / "model.pth").stat().st_mtime_ns
    began = time.monotonic()
    arrived: list[float] = []
    raw = []
    for piece in real._voice.speak("Hello there, my friend."):
        if piece is not None:
            arrived.append(time.monotonic() - began)
            raw.append(piece.samples)
    assert len(raw) >= 2 and arrived[0] < 0.75 * arrived[-1]
    assert 0.5 * RATE_HZ < len(raw[0]) < RATE_HZ  # 20 tokens
    sound = np.concatenate(raw)
    assert np.isfinite(sound).all() and np.abs(sound).max() > 0.01
    assert (small / "model.pth").stat().st_mtime_ns == stamp


@WITH_WEIGHTS
def test_it_meets_what_a_voice_must(real: Xtts) -> None:
    for text in ("Hello there, my friend.", "One. 日本 — 2!"):
        check_contract(real, text)
    first = joined(said(real, "Hello."))
    said(real, "Something else.")
    again = joined(said(real, "Hello."))
    assert np.array_equal(first.samples, again.samples)
    assert first.words == again.words


@WITH_WEIGHTS
def test_speakers_differ_and_only_those_of_the_model_are_there(real: Xtts, small: Path) -> None:
    with pytest.raises(EngineFailed, match="no speaker 'My Boss'; there are Ana Florence, Damien"):
        Xtts(studio(os.environ[VARIABLE], small, "My Boss")).load()
    other = Xtts(studio(os.environ[VARIABLE], small, "Damien Black"))
    other.load()
    one, two = joined(said(real, "Hello.")).samples, joined(said(other, "Hello.")).samples
    other.close()
    assert not np.array_equal(one, two)


@WITH_WEIGHTS
@pytest.mark.parametrize("after_s", [0.0, 0.1, 0.4, 0.8, 1.6])
def test_it_stops_when_it_is_left(real: Xtts, after_s: float) -> None:
    """Between two layers: without a graphics card one piece takes longer than all that is given."""
    text = "Hello there, my friend."
    stream = real.speak(text)
    began = time.monotonic()
    next(stream)
    while time.monotonic() - began < after_s and next(stream, "over") != "over":
        pass
    left = time.monotonic()
    stream.close()  # type: ignore[attr-defined]
    process = real._voice._process
    assert process is not None and process.well()
    assert time.monotonic() - left < 0.3  # 0.02 s of it are `well`'s own
    assert any(said(real, "And on."))


@WITH_WEIGHTS
@pytest.mark.parametrize("pieces", [0, 1])
def test_the_model_is_killed_in_mid_sentence(real: Xtts, pieces: int) -> None:
    whole = joined(said(real, "Hello there, my friend.")).samples
    stream = real._voice.speak("Hello there, my friend.")
    next(stream)
    seen = 0
    while seen < pieces:
        seen += next(stream) is not None
    process: psutil.Process = process_of(real)
    kill(real)
    with pytest.raises(EngineFailed, match="XTTS-v2's process was killed by signal 9"):
        list(stream)
    assert over(process)
    real.load()
    assert np.array_equal(joined(said(real, "Hello there, my friend.")).samples, whole)


@WITH_WEIGHTS
@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("harm", ["cut", "noise", "another"])
def test_a_damaged_file_is_named(small: Path, tmp_path: Path, name: str, harm: str) -> None:
    shutil.copytree(small, tmp_path / "model")
    file = tmp_path / "model" / name
    data = file.read_bytes()
    other = small / FILES[FILES.index(name) - 1]
    harmed = {"cut": data[: len(data) // 2], "noise": b"\x5a" * 1000, "another": other.read_bytes()}
    file.write_bytes(harmed[harm])
    with pytest.raises(ModelMissing, match=rf"XTTS-v2: .*{name} is damaged") as caught:
        Xtts(studio(os.environ[VARIABLE], tmp_path / "model")).load()
    assert "\n" not in str(caught.value)
