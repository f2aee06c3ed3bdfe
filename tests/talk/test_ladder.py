"""The server of the language model is killed in mid-sentence: the answer is heard to its end."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from goassist_desktop import weights
from goassist_desktop.pipeline.engines.whisper import Whisper
from tests.engines.test_openai_server import KEY, PROGRAM, free_port
from tests.talk.conftest import DATA, Talked
from tests.talk.hearing import plain, transcribe, word_errors

pytestmark = pytest.mark.models

VOICES = DATA / "voices"


@contextmanager
def server_killed_after(words: int) -> Iterator[str]:
    """The address of a server of the small model that is killed after some pieces of an answer of
    more than one word, as it warms up with."""
    port = free_port()
    model = weights.path("qwen2.5-coder-0.5b-instruct") / "model.gguf"
    server = subprocess.Popen(
        [sys.executable, PROGRAM, "serve", model, "--host", "127.0.0.1", "--port", str(port)],
        env=os.environ | {"VLLM_API_KEY": KEY},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert server.stdout is not None
    server.stdout.readline()
    listener = socket.create_server(("127.0.0.1", 0))

    def relay(near: socket.socket) -> None:
        try:
            far = socket.create_connection(("127.0.0.1", port))
        except ConnectionRefusedError:
            near.close()
            return
        with near, far, contextlib.suppress(OSError):
            sending = threading.Thread(target=copy, args=(near, far))
            sending.start()
            passed = 0
            while data := far.recv(65536):
                near.sendall(data)
                passed += data.count(b'"content":"')
                if passed >= words:
                    server.kill()
            near.shutdown(socket.SHUT_RDWR)
            sending.join()

    def copy(near: socket.socket, far: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := near.recv(65536):
                far.sendall(data)
            far.shutdown(socket.SHUT_RDWR)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=relay, args=(listener.accept()[0],)).start()

    accepting = threading.Thread(target=accept)
    accepting.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        accepting.join()
        server.kill()
        server.wait()
        server.stdout.close()


@pytest.mark.parametrize("words", [3, 12])
def test_a_killed_server_costs_no_word(
    talk: Callable[..., Talked], ear: Whisper, words: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with server_killed_after(words) as url:
        monkeypatch.setenv("GOASSIST_ENGINES_LANGUAGE_MODEL", "openai-server")
        monkeypatch.setenv("GOASSIST_LANGUAGE_SERVER_URL", url)
        monkeypatch.setenv("GOASSIST_LANGUAGE_SERVER_KEY", KEY)
        talked = talk(VOICES / "slt_colors.flac", VOICES / "joe_germany.flac")
    assert talked.status == 0, talked.printed
    assert "llama-cpp takes over" in talked.printed
    first, second = talked.turns
    assert [turn["outcome"] for turn in talked.turns] == ["completed", "completed"]
    assert "red" in plain(first["reply_text"])
    assert "violet" in plain(first["reply_text"]) or "purple" in plain(first["reply_text"])
    assert plain(first["reply_text"]) == plain(first["heard_text"])
    played = transcribe(ear, talked.sound(first), talked.rate_hz)
    assert word_errors(first["heard_text"], played) <= 0.10, (first["heard_text"], played)
    assert "berlin" in plain(second["reply_text"])
