"""A voice in a process of its own: what is left of it, whatever happens to that process."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest

from goassist_desktop import weights
from goassist_desktop.pipeline.engines.apart import serve
from goassist_desktop.pipeline.engines.child_voice import STEP_S, ChildVoice
from goassist_desktop.pipeline.engines.hibari import HibariVoice
from goassist_desktop.pipeline.errors import EngineFailed, ModelMissing
from goassist_desktop.pipeline.frames import Samples, Speech
from goassist_desktop.pipeline.resampling import joined
from goassist_desktop.pipeline.workers import ThreadLane
from tests.engines.voices_apart import apart, hibari_apart, kill, over, process_of, shared_memory

SENTENCES = "The capital of France is Paris. It lies on the river Seine. Many people live there."


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., ChildVoice]]:
    """A voice with the body of a module for `serve.py`: what there is to `load` and `say`."""
    made: list[ChildVoice] = []

    def make(body: str = "", load: str = "pass", **options: object) -> ChildVoice:
        module = tmp_path / "module.py"
        lines = "\n        ".join(body.splitlines()) or "yield tone(1.0), [], []"
        module.write_text(TEMPLATE.format(load=load, say=lines))
        made.append(apart(module, tmp_path, **options))
        return made[-1]

    yield make
    for voice in made:
        voice.close()


TEMPLATE = """
import os, sys, time, signal, resource
import numpy as np

class Missing(Exception): ...

MISSING = (Missing,)

def tone(seconds):
    return np.full(round(24_000 * seconds), 0.5, np.float32)

class Voice:
    rate_hz = 24_000
    def say(self, text, wanted):
        {say}

def load(options):
    {load}
    return Voice()
"""


def said(voice: ChildVoice, text: str = "Hello.") -> list[Speech]:
    return [piece for piece in voice.speak(text) if piece is not None]


def sound(pieces: list[Speech]) -> Samples:
    return np.concatenate([np.zeros(0, np.float32), *(piece.samples for piece in pieces)])


def complaint(voice: ChildVoice, text: str = "Hello.") -> str:
    with pytest.raises(EngineFailed) as caught:
        said(voice, text)
    message = str(caught.value)
    assert "\n" not in message and len(message) <= 300
    return message


# -- sound -----------------------------------------------------------------------------------------


def test_every_sample_arrives(make: Callable[..., ChildVoice]) -> None:
    """More than the shared memory holds, in pieces of any length."""
    voice = make(
        "rng = np.random.default_rng(int(text))\n"
        "for length in (0, 1, 7, 24_000, 1_500_000, 1_200_000, 3, 2_000_000):\n"
        "    yield rng.random(length, np.float32), [['a', 0, length]], []"
    )
    voice.load()
    for seed in (1, 2):
        rng = np.random.default_rng(seed)
        pieces = said(voice, str(seed))
        lengths = (0, 1, 7, 24_000, 1_500_000, 1_200_000, 3, 2_000_000)
        assert [piece.words[0].end for piece in pieces] == [*lengths]
        for piece, length in zip(pieces, lengths, strict=True):
            assert np.array_equal(piece.samples, rng.random(length, np.float32))


def test_what_it_prints_is_no_answer(make: Callable[..., ChildVoice]) -> None:
    voice = make(
        "print('{\"failed\": 1}', flush=True)\n"
        "sys.stderr.write('noise' * 10_000)\n"
        "os.system('echo more')\n"
        "yield tone(0.5), [], []",
        load="print('hello', '\\x00', flush=True)",
    )
    voice.load()
    assert len(sound(said(voice))) == 12_000


# -- being left ------------------------------------------------------------------------------------


def test_a_closed_sentence_stops_at_once_and_is_never_heard_again(
    make: Callable[..., ChildVoice], tmp_path: Path
) -> None:
    """It is asked to speak with another amplitude each time, and left at another moment."""
    log = tmp_path / "steps"
    voice = make(
        "for step in range(1_000):\n"
        "    if not wanted():\n"
        "        break\n"
        "    time.sleep(0.002)\n"
        f"    open({str(log)!r}, 'a').write(f'{{time.monotonic()}}\\n')\n"
        "    yield tone(0.05) * float(text), [], []"
    )
    voice.load()
    for number in range(1, 8):
        stream = voice.speak(str(number / 10))
        heard = [next(stream) for _ in range(5 * number)]
        for piece in filter(None, heard):
            assert np.allclose(piece.samples, number / 20)
        left = time.monotonic()
        stream.close()  # type: ignore[attr-defined]
        assert time.monotonic() - left < 0.01
        time.sleep(0.05)
        assert float(log.read_text().splitlines()[-1]) - left < 0.05


async def test_a_lane_that_is_left_stops_it_too(
    make: Callable[..., ChildVoice], tmp_path: Path
) -> None:
    """While it waits for sound, which is most of the time."""
    log = tmp_path / "steps"
    voice = make(
        "yield tone(0.05), [], []\n"
        "while wanted():\n"
        "    time.sleep(0.002)\n"
        f"    open({str(log)!r}, 'a').write(f'{{time.monotonic()}}\\n')\n"
    )
    voice.load()
    lane = ThreadLane("voice")
    for _ in range(5):
        stream = lane.stream(voice.speak, "Hello.")
        assert len((await anext(stream)).samples) == 1_200
        await asyncio.sleep(0.1)
        left = time.monotonic()
        await stream.aclose()
        await asyncio.sleep(0.15)
        assert float(log.read_text().splitlines()[-1]) - left < 0.06
    lane.close()
    assert lane.ended(within_s=1.0)


def test_one_that_is_far_ahead_is_left_too(make: Callable[..., ChildVoice]) -> None:
    """It waits for room in the shared memory."""
    voice = make("while wanted():\n    yield tone(5.0) * float(text), [], []")
    voice.load()
    stream = voice.speak("0.2")
    while next(stream) is None:
        pass
    time.sleep(0.5)  # it fills all there is
    stream.close()  # type: ignore[attr-defined]
    next_one = voice.speak("0.8")
    first = next(piece for piece in next_one if piece is not None)
    assert np.allclose(first.samples, 0.4)
    next_one.close()  # type: ignore[attr-defined]


# -- being killed ----------------------------------------------------------------------------------


@pytest.fixture
def hibari(tmp_path: Path) -> Iterator[ChildVoice]:
    voice = hibari_apart(weights.path("hibari-heart"), tmp_path, rest_s=0.3)
    voice.load()
    yield voice
    voice.close()


@pytest.fixture(scope="module")
def expected() -> Samples:
    voice = HibariVoice(weights.path("hibari-heart"))
    voice.load()
    return joined(list(voice.speak(SENTENCES))).samples


@pytest.mark.models
@pytest.mark.parametrize("pieces", [0, 1, 2, 3])
def test_a_killed_voice_is_there_again(hibari: ChildVoice, expected: Samples, pieces: int) -> None:
    """Killed before the first piece, between two, and after the last but before the end."""
    stream = hibari.speak(SENTENCES)
    process = process_of(hibari)
    if pieces == 0:
        process.suspend()  # so that it has made nothing
        assert next(stream) is None
    heard: list[Speech] = []
    while len(heard) < pieces:
        piece = next(stream)
        heard += [piece] if piece is not None else []
    process.kill()
    killed = time.monotonic()
    with pytest.raises(EngineFailed, match=r"The voice's process was killed by signal 9"):
        assert not any(stream)
    assert time.monotonic() - killed < 1.0
    assert np.array_equal(sound(heard), expected[: len(sound(heard))])
    assert over(process)
    with pytest.raises(EngineFailed, match="not loaded"):
        next(hibari.speak("Hello."))
    began = time.monotonic()
    hibari.load()
    assert time.monotonic() - began < 5.0  # a second where nothing else runs
    assert np.array_equal(sound(said(hibari, SENTENCES)), expected)


@pytest.mark.models
@pytest.mark.skipif(sys.platform != "linux", reason="reads how Linux calls shared memory")
def test_what_both_see_has_no_name_and_so_can_not_be_left(hibari: ChildVoice) -> None:
    ours = {"/memfd:goassist-voice (deleted)"}
    assert shared_memory(process_of(hibari).pid) == ours
    assert shared_memory(os.getpid()) >= ours
    assert not any("psm_" in name for name in shared_memory(os.getpid()))
    hibari.close()
    assert not ours & shared_memory(os.getpid())


@pytest.mark.models
def test_one_that_died_in_its_sleep_is_replaced(hibari: ChildVoice, expected: Samples) -> None:
    kill(hibari)
    hibari.load()
    first = process_of(hibari)
    hibari.load()
    assert process_of(hibari) == first
    assert np.array_equal(sound(said(hibari, SENTENCES)), expected)


@pytest.mark.models
def test_it_ends_with_this_program_though_that_is_killed(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path\n"
        "from tests.engines.voices_apart import *\n"
        f"voice = hibari_apart(Path({str(weights.path('hibari-heart'))!r}), Path(sys.argv[1]))\n"
        "voice.load()\n"
        "stream = voice.speak('One. Two. Three.')\n"
        "next(stream)\n"
        "print(process_of(voice).pid, voice._process._child._process.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    root = Path(__file__).parents[2]
    program = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], cwd=root, stdout=subprocess.PIPE, text=True
    )
    assert program.stdout is not None
    children = [psutil.Process(int(pid)) for pid in program.stdout.readline().split()]
    assert len(children) == 2 and all(child.is_running() for child in children)
    program.kill()
    program.wait()
    program.stdout.close()
    assert all(over(child) for child in children)


# -- what else goes wrong --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("load", "told"),
    [
        ("os._exit(3)", r"ended with status 3: $"),
        ("sys.exit('no such thing')", r"ended with status 1: no such thing"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", r"was killed by signal 11"),
        ("raise ValueError('a line\\nand more')", r"failed: ValueError: a line and more"),
        ("import no_such_package", r"failed: ModuleNotFoundError: No module named 'no_such_"),
        ("Voice.rate_hz = 16_000", r"said what makes no sense: .*16000"),
        ("syntax error", r"failed: SyntaxError"),
    ],
)
def test_it_does_not_start(make: Callable[..., ChildVoice], load: str, told: str) -> None:
    voice = make(load=load)
    for _ in range(2):
        with pytest.raises(EngineFailed, match=told) as caught:
            voice.load()
        assert "\n" not in str(caught.value)


def test_its_model_is_missing(make: Callable[..., ChildVoice]) -> None:
    with pytest.raises(ModelMissing, match=r"^voice model /x is not there$"):
        make(load="raise Missing('/x is not there')").load()


def test_its_program_is_missing(make: Callable[..., ChildVoice], tmp_path: Path) -> None:
    voice = make()
    object.__setattr__(voice._apart, "program", str(tmp_path / "python"))
    with pytest.raises(EngineFailed, match=r"ended with status 1: .*python: No such file"):
        voice.load()


@pytest.mark.parametrize(
    ("say", "told"),
    [
        ("yield tone(0.1), [], []\nraise ValueError('bad\\nluck')", "failed: ValueError: bad luck"),
        ("yield tone(0.1), [], []\nos._exit(0)", "ended with status 0: "),
        ("yield tone(0.1) * np.nan, [], []", "made sound that is none"),
        ("yield tone(0.1), [['a', 5, 3]], []", "said what makes no sense"),
        ("yield tone(0.1), [['a', 0, 2401]], []", "said what makes no sense"),
        ("yield tone(0.1), [['a']], []", "said what makes no sense"),
        ("os.write(int(sys.argv[3]), b'\\xff rubbish\\n')\nyield tone(1), [], []", "no sense"),
        ("os.write(int(sys.argv[3]), b'[1]\\n')\nyield tone(1), [], []", "no sense"),
        ("os.write(int(sys.argv[3]), b'{\"end\": 9}\\n')\nyield tone(1), [], []", "no sense"),
        ("os.write(int(sys.argv[3]), b'x' * 2_000_000)\nyield tone(1), [], []", "no sense"),
        ("os.close(int(sys.argv[3]))\ntime.sleep(60)\nyield", "does not listen any more"),
    ],
)  # fmt: skip
def test_it_breaks_in_the_middle(make: Callable[..., ChildVoice], say: str, told: str) -> None:
    voice = make(say)
    voice.load()
    process = process_of(voice)
    assert told in complaint(voice)
    assert over(process)
    voice.load()
    assert told in complaint(voice)


def test_it_says_what_was_not_asked_for(make: Callable[..., ChildVoice]) -> None:
    """Samples that were never written."""
    line = '{"say": 1, "at": 0, "count": 1000000000, "words": [], "sounds": []}'
    voice = make(f"os.write(int(sys.argv[3]), b'{line}\\n')\nyield tone(1), [], []")
    voice.load()
    assert "said what makes no sense" in complaint(voice)


def test_it_takes_all_memory(make: Callable[..., ChildVoice]) -> None:
    voice = make(
        "many = []\nwhile True:\n    many.append(np.ones(10_000_000))",
        load="resource.setrlimit(resource.RLIMIT_AS, (2 * 10**9, 2 * 10**9))",
    )
    voice.load()
    assert "MemoryError" in complaint(voice)


def test_it_hangs_with_all_its_threads(make: Callable[..., ChildVoice]) -> None:
    voice = make(
        "yield tone(0.1), [], []\n"
        "if text != 'At first.':\n"
        "    os.kill(os.getpid(), signal.SIGSTOP)\n"
        "    yield tone(1)"
    )
    voice.load()
    said(voice, "At first.")
    process = process_of(voice)
    began = time.monotonic()
    assert "gave no sign of life for 1 s" in complaint(voice)
    assert 0.9 < time.monotonic() - began < 2.5
    assert over(process)


def test_it_makes_no_sound(
    make: Callable[..., ChildVoice], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("goassist_desktop.pipeline.engines.child_voice.STUCK_S", 0.5)
    voice = make("yield tone(0.1), [], []\nif text != 'At first.':\n    time.sleep(60)\n    yield")
    voice.load()
    said(voice, "At first.")
    process = process_of(voice)
    assert "made no sound for 0.5 s" in complaint(voice)
    assert over(process)


def test_one_that_does_not_stop_is_replaced(make: Callable[..., ChildVoice]) -> None:
    """It was given up by whoever waited for it, and is to be used again."""
    voice = make("yield tone(0.1), [], []\ntime.sleep(60)\nyield")
    voice.load()
    stuck = process_of(voice)
    stream = voice.speak("Hello.")
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    began = time.monotonic()
    voice.load()
    assert STEP_S < time.monotonic() - began < STEP_S + 5
    assert over(stuck)
    assert process_of(voice) != stuck


def test_the_process_needs_nothing_of_this_program() -> None:
    """But numpy: it runs in environments that have none of it."""
    code = (
        "import sys, runpy\n"
        f"runpy.run_path({serve.__file__!r}, run_name='other')\n"
        "ours = [name for name in sys.modules if name.startswith('goassist')]\n"
        "sys.exit(str(ours) if ours else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
