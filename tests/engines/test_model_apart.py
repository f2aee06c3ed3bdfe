"""A language model in a process of its own: it is what it would be here, and its death costs no
more than a reply. With a real model, on the processor; what a graphics card does is no other."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from goassist_desktop import weights
from goassist_desktop.pipeline.engines.llama_cpp import LlamaCpp
from goassist_desktop.pipeline.engines.model_apart import Made, ModelApart
from goassist_desktop.pipeline.errors import EngineFailed, ModelMissing
from goassist_desktop.pipeline.frames import Message
from goassist_desktop.pipeline.protocols import LanguageModel

pytestmark = pytest.mark.models

MODEL = "qwen2.5-coder-0.5b-instruct"
TALK = (Message("system", "You are brief."), Message("user", "What is the capital of France?"))
LONG = (Message("user", "Count from one to one hundred, in words."),)

KEEPER = """
import sys, time
from pathlib import Path
from tests.engines.test_model_apart import apart
engine = apart(Path(sys.argv[1]))
engine.load()
print("ready", flush=True)
time.sleep(600)
"""


def apart(log: Path, source: Path | None = None) -> ModelApart:
    source = source or weights.path(MODEL)
    return ModelApart(LlamaCpp(source).info, Made("llama-cpp", source, 2, {}), log)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModelApart]:
    engine = apart(tmp_path_factory.mktemp("log") / "model.log")
    engine.load()
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def here() -> Iterator[LlamaCpp]:
    engine = LlamaCpp(weights.path(MODEL))
    engine.load()
    yield engine
    engine.close()


def said(engine: LanguageModel, *messages: Message, tokens: int = 30) -> str:
    pieces = engine.reply(messages, max_tokens=tokens, temperature=0.0, seed=0)
    return "".join(piece for piece in pieces if piece)


def worker(pid: int) -> psutil.Process:
    """The process in which the model is, below another."""
    [found] = [one for one in psutil.Process(pid).children(recursive=True) if _is_worker(one)]
    return found


def _is_worker(process: psutil.Process) -> bool:
    words = process.cmdline()
    return "goassist_desktop.pipeline.engines.apart.model" in words and not any(
        word.endswith("guard.py") for word in words
    )


def test_it_is_the_model_it_would_be_here(engine: ModelApart, here: LlamaCpp) -> None:
    assert engine.info == here.info
    assert engine.context_tokens == here.context_tokens
    assert said(engine, *TALK) == said(here, *TALK)
    begun = Message("assistant", "The capital of France is the beautiful city of")
    assert said(engine, *TALK, begun, tokens=4) == said(here, *TALK, begun, tokens=4)
    assert engine.count_tokens(TALK) == here.count_tokens(TALK)
    engine.prefill(TALK)
    engine.prefill(TALK[:1], shortened=True)
    assert "Paris" in said(engine, *TALK)


def test_closing_a_reply_frees_it_at_once(engine: ModelApart) -> None:
    took = []
    for number in range(5):
        talk = (Message("user", f"Tell me a long story about {number} cats."),)
        with closing(engine.reply(talk, max_tokens=400, temperature=0.0, seed=0)) as reply:  # type: ignore[type-var]
            next(piece for piece in reply if piece)
        began = time.monotonic()
        engine.count_tokens(TALK)
        took.append(time.monotonic() - began)
    assert sorted(took)[2] < 0.3, took


def test_what_was_left_is_not_in_the_next(engine: ModelApart) -> None:
    reply = engine.reply(LONG, max_tokens=400, temperature=0.0, seed=0)
    next(piece for piece in reply if piece)
    reply.close()  # type: ignore[attr-defined]
    assert "Paris" in said(engine, *TALK)


def test_a_prompt_that_is_too_long_is_refused_and_the_next_is_not(engine: ModelApart) -> None:
    with pytest.raises(EngineFailed, match="does not fit its window"):
        said(engine, Message("user", "word " * 9000))
    assert "Paris" in said(engine, *TALK)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGABRT])
def test_its_death_is_told_and_it_is_started_again(engine: ModelApart, number: int) -> None:
    reply = engine.reply(LONG, max_tokens=400, temperature=0.0, seed=0)
    next(piece for piece in reply if piece)
    first = worker(os.getpid())
    first.send_signal(number)
    began = time.monotonic()
    with pytest.raises(EngineFailed, match=f"llama-cpp's process was killed by signal {number}"):
        list(reply)
    assert time.monotonic() - began < 0.5
    with pytest.raises(EngineFailed, match="killed by signal"):
        engine.count_tokens(TALK)
    engine.load()
    engine.load()  # harmless
    assert worker(os.getpid()).pid != first.pid
    assert "Paris" in said(engine, *TALK)


def test_nothing_is_left_when_the_program_is_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", KEEPER, str(tmp_path / "log")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as keeper:
        assert keeper.stdout is not None
        assert keeper.stdout.readline() == b"ready\n"
        below = worker(keeper.pid)
        keeper.kill()
    assert psutil.wait_procs([below], 3)[0]


def test_what_is_wrong_with_the_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match="can not be read"):
        apart(tmp_path / "log", tmp_path).load()
    (tmp_path / "model.gguf").write_bytes(b"GGUF" + bytes(1000))
    with pytest.raises(ModelMissing, match="damaged"):
        apart(tmp_path / "log", tmp_path).load()


def test_what_is_not_loaded_does_nothing(tmp_path: Path) -> None:
    engine = apart(tmp_path / "log")
    with pytest.raises(EngineFailed, match="not loaded"):
        said(engine, *TALK)
    with pytest.raises(EngineFailed, match="not loaded"):
        engine.count_tokens(TALK)
    engine.close()
