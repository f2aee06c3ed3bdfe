"""The program that serves a language model, started by us: here llama.cpp's server stands in it.
It takes the same arguments, holds a real model, and dies like any process. vLLM itself is tested
where GOASSIST_TEST_VLLM names it, and GOASSIST_TEST_VLLM_MODEL a folder: some GB, some minutes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from goassist_desktop import weights
from goassist_desktop.pipeline.engines.openai_server import OpenAIServer
from goassist_desktop.pipeline.engines.vllm import Served, Vllm
from goassist_desktop.pipeline.errors import EngineFailed
from goassist_desktop.pipeline.frames import Message
from tests.engines.test_openai_server import CAPITAL, ENDLESS, PROGRAM, SYSTEM, ask

pytestmark = pytest.mark.models

KEEPER = """
import sys, time
from pathlib import Path
from goassist_desktop.pipeline.engines.openai_server import OpenAIServer
from goassist_desktop.pipeline.engines.vllm import Served, Vllm
engine = Vllm(Served(sys.argv[1], 0.5, Path(sys.argv[3]), sys.argv[2]))
engine.load()
print("ready", flush=True)
time.sleep(600)
"""


def program(folder: Path) -> str:
    """An executable file that is started as vLLM is."""
    path = folder / "vllm"
    path.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{PROGRAM}" "$@"\n')
    path.chmod(0o755)
    return str(path)


def model() -> str:
    return str(weights.path("qwen2.5-coder-0.5b-instruct") / "model.gguf")


def server_of(pid: int) -> psutil.Process | None:
    """The server below a process; None where there is none."""
    found = [p for p in psutil.Process(pid).children(recursive=True) if _is_server(p)]
    return found[0] if found else None


def _is_server(process: psutil.Process) -> bool:
    try:
        return str(PROGRAM) in process.cmdline() and "guard.py" not in " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return False


def gone(process: psutil.Process, within_s: float) -> bool:
    deadline = time.monotonic() + within_s
    while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Vllm]:
    engine = Vllm(Served(model(), 0.5, tmp_path / "log" / "vllm.log", program(tmp_path)))
    yield engine
    engine.close()
    left = server_of(os.getpid())
    assert left is None or gone(left, 10)


def test_it_is_started_killed_in_mid_answer_and_started_again(engine: Vllm) -> None:
    engine.load()
    engine.load()  # harmless
    assert "Paris" in ask(engine, SYSTEM, CAPITAL)
    first = server_of(os.getpid())
    assert first is not None
    reply = engine.reply([ENDLESS], max_tokens=900, temperature=0.0, seed=1)
    next(piece for piece in reply if piece)
    first.send_signal(signal.SIGKILL)
    began = time.monotonic()
    with pytest.raises(EngineFailed, match="lost"):
        list(reply)
    assert time.monotonic() - began < 0.5
    with pytest.raises(EngineFailed, match=r"nobody listens there|was lost"):
        ask(engine, SYSTEM, CAPITAL)
    engine.load()
    second = server_of(os.getpid())
    assert second is not None
    assert second.pid != first.pid
    assert "Paris" in ask(engine, SYSTEM, CAPITAL)


def test_nothing_is_left_of_it(engine: Vllm) -> None:
    engine.load()
    server = server_of(os.getpid())
    assert server is not None
    engine.close()
    assert gone(server, 3)


def test_nothing_is_left_when_the_program_is_killed(tmp_path: Path) -> None:
    words = [model(), program(tmp_path), str(tmp_path / "log")]
    keeper = subprocess.Popen([sys.executable, "-c", KEEPER, *words], stdout=subprocess.PIPE)
    assert keeper.stdout is not None
    assert keeper.stdout.readline() == b"ready\n"
    server = server_of(keeper.pid)
    assert server is not None
    keeper.kill()
    keeper.wait()
    keeper.stdout.close()
    assert gone(server, 3)


def test_what_it_said_before_it_ended_is_told(tmp_path: Path) -> None:
    engine = Vllm(Served("/no/such/model", 0.5, tmp_path / "vllm.log", program(tmp_path)))
    with pytest.raises(EngineFailed, match=r"ended with status 1: /no/such/model: there is no"):
        engine.load()
    engine.close()


def test_it_is_not_installed(tmp_path: Path) -> None:
    engine = Vllm(Served("m", 0.5, tmp_path / "vllm.log", "no-such-program"))
    with pytest.raises(EngineFailed, match="vLLM's program 'no-such-program' is not installed"):
        engine.load()
    assert engine.info.model == "m"
    with pytest.raises(EngineFailed, match="not asked yet"):
        ask(engine, Message("user", "Hi"))


def test_a_server_that_lives_and_can_not_answer_is_started_anew(
    engine: Vllm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As vLLM's is for some seconds after the engine below it died."""
    engine.load()
    first = server_of(os.getpid())
    assert first is not None
    real, faults = OpenAIServer.load, ["error 500 (EngineCore encountered an issue)"]

    def load(self: OpenAIServer) -> None:
        if faults:
            raise EngineFailed(faults.pop())
        real(self)

    monkeypatch.setattr(OpenAIServer, "load", load)
    engine.load()
    second = server_of(os.getpid())
    assert second is not None
    assert second.pid != first.pid


def test_vllm_itself(tmp_path: Path) -> None:
    chosen = os.environ.get("GOASSIST_TEST_VLLM"), os.environ.get("GOASSIST_TEST_VLLM_MODEL")
    if not all(chosen):
        pytest.skip("optional: GOASSIST_TEST_VLLM and GOASSIST_TEST_VLLM_MODEL are not set")
    engine = Vllm(Served(str(chosen[1]), 0.3, tmp_path / "vllm.log", str(chosen[0])))
    try:
        engine.load()
        assert "Paris" in ask(engine, SYSTEM, CAPITAL)
        begun = Message("assistant", "The capital of France, as everybody knows, is the city of")
        assert "Paris" in ask(engine, SYSTEM, CAPITAL, begun)
        reply = engine.reply([ENDLESS], max_tokens=900, temperature=0.0, seed=1)
        next(piece for piece in reply if piece)
        below = psutil.Process().children(recursive=True)
        [core] = [one for one in below if one.status() != "zombie" and _is_core(one)]
        core.kill()
        with pytest.raises(EngineFailed):
            list(reply)
        engine.load()
        assert "Paris" in ask(engine, SYSTEM, CAPITAL)
        below = psutil.Process().children(recursive=True)
    finally:
        engine.close()
    assert not psutil.wait_procs(below, 15)[1]


def _is_core(process: psutil.Process) -> bool:
    return "EngineCore" in " ".join(process.cmdline())
