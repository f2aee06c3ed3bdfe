"""Language models of servers: real ones, and one that does all that servers do wrong."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from goassist_desktop import weights
from goassist_desktop.pipeline.engines import http_exchange
from goassist_desktop.pipeline.engines.http_exchange import is_near
from goassist_desktop.pipeline.engines.openai_server import GO_ON, OpenAIServer, Server
from goassist_desktop.pipeline.errors import EngineFailed
from goassist_desktop.pipeline.frames import Message
from goassist_desktop.pipeline.protocols import LanguageModel, SeatedModel
from tests.fakes.language_server import Request, hello, language_server

SYSTEM = Message("system", "Answer in one short sentence.")
CAPITAL = Message("user", "What is the capital of France?")
ENDLESS = Message("user", "Write the numbers from 1 to 1000, with a space between them.")
KEY = "the key of this test"
PROGRAM = Path(__file__).with_name("llama_server.py")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def ask(engine: LanguageModel, *messages: Message, max_tokens: int = 40) -> str:
    reply = engine.reply(messages, max_tokens=max_tokens, temperature=0.0, seed=1)
    return "".join(piece for piece in reply if piece)


# -- llama.cpp's own server ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def llama_server() -> Iterator[tuple[str, psutil.Process]]:
    """Address and process of a server with the small model."""
    port = free_port()
    model = weights.path("qwen2.5-coder-0.5b-instruct") / "model.gguf"
    words = ["serve", str(model), "--host", "127.0.0.1", "--port", str(port)]
    server = subprocess.Popen(
        [sys.executable, str(PROGRAM), *words],
        env=os.environ | {"VLLM_API_KEY": KEY},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert server.stdout is not None
    assert b"http" in server.stdout.readline()
    yield f"http://127.0.0.1:{port}/v1", psutil.Process(server.pid)
    server.terminate()
    server.wait()
    server.stdout.close()


@pytest.fixture(scope="module")
def engine(llama_server: tuple[str, psutil.Process]) -> Iterator[OpenAIServer]:
    engine = OpenAIServer(Server(llama_server[0], key=KEY))
    engine.load()
    yield engine
    engine.close()


@pytest.mark.models
def test_answers_in_pieces(engine: OpenAIServer) -> None:
    pieces = list(engine.reply([SYSTEM, CAPITAL], max_tokens=40, temperature=0.0, seed=1))
    words = [piece for piece in pieces if piece]
    assert "Paris" in "".join(words)
    assert len(words) >= 5


@pytest.mark.models
def test_says_what_it_is(engine: OpenAIServer) -> None:
    assert isinstance(engine, LanguageModel)
    assert isinstance(engine, SeatedModel)
    assert (engine.info.name, engine.info.model) == ("openai-server", "model.gguf")
    assert not engine.info.cloud
    assert engine.context_tokens == 4096


@pytest.mark.models
def test_goes_on_with_what_was_begun(engine: OpenAIServer) -> None:
    begun = Message("assistant", "The capital of France, as everybody knows, is the city of")
    assert ask(engine, SYSTEM, CAPITAL, begun).split()[0].strip(".,") == "Paris"


@pytest.mark.models
def test_counts_with_the_servers_tokenizer(engine: OpenAIServer) -> None:
    few, more = engine.count_tokens([SYSTEM]), engine.count_tokens([SYSTEM, CAPITAL])
    assert 0 < few < more < few + 20


@pytest.mark.models
def test_a_closed_reply_stops_the_server(
    engine: OpenAIServer, llama_server: tuple[str, psutil.Process]
) -> None:
    """Its process is idle within 150 ms, though it had hundreds of words to go."""
    _, server = llama_server
    reply = engine.reply([ENDLESS], max_tokens=900, temperature=0.0, seed=1)
    for piece in reply:
        if piece:
            break
    reply.close()
    time.sleep(0.15)
    before = server.cpu_times()
    time.sleep(0.3)
    after = server.cpu_times()
    assert after.user - before.user <= 0.05


@pytest.mark.models
def test_a_closed_reply_leaves_the_model_to_the_next(engine: OpenAIServer) -> None:
    for _ in range(3):
        reply = engine.reply([ENDLESS], max_tokens=900, temperature=0.0, seed=1)
        for _ in zip(range(20), reply, strict=False):
            pass
        reply.close()
        assert "Paris" in ask(engine, SYSTEM, CAPITAL)


@pytest.mark.models
def test_what_was_prefilled_is_not_read_again(engine: OpenAIServer) -> None:
    long = Message("system", "Be warm and be exact, please. " * 60)
    engine.prefill([long])

    def first_word_s(system: Message) -> float:
        began = time.monotonic()
        for piece in engine.reply([system, CAPITAL], max_tokens=1, temperature=0.0, seed=1):
            if piece:
                break
        return time.monotonic() - began

    known = first_word_s(long)
    assert first_word_s(Message("system", "Be cold and be vague, please. " * 60)) > 2 * known


@pytest.mark.models
def test_a_wrong_key_is_told(llama_server: tuple[str, psutil.Process]) -> None:
    with pytest.raises(EngineFailed, match="/v1/models: the key is missing or wrong"):
        OpenAIServer(Server(llama_server[0], key="wrong")).load()


@pytest.mark.models
def test_a_model_it_does_not_have_is_told(llama_server: tuple[str, psutil.Process]) -> None:
    with pytest.raises(EngineFailed, match=r"has no model 'gpt-9'; it has .*model\.gguf"):
        OpenAIServer(Server(llama_server[0], "gpt-9", KEY)).load()


# -- another real one ------------------------------------------------------------------------------


def test_the_server_of_transformers() -> None:
    """GOASSIST_TEST_SERVER names the address of another real server that runs already, such as
    `transformers serve FOLDER`."""
    url = os.environ.get("GOASSIST_TEST_SERVER")
    if not url:
        pytest.skip("optional second server: GOASSIST_TEST_SERVER is not set")
    engine = OpenAIServer(Server(url))
    engine.load()
    assert "Paris" in ask(engine, SYSTEM, CAPITAL)
    begun = Message("assistant", "The capital of France, as everybody knows, is the city of")
    assert "Paris" in ask(engine, SYSTEM, CAPITAL, begun)


# -- what servers do wrong -------------------------------------------------------------------------


def loaded(url: str) -> OpenAIServer:
    engine = OpenAIServer(Server(url))
    engine._model = "m"
    return engine


def html(request: Request) -> None:
    request.head(200, "text/html; charset=utf-8")
    request.send("<html><body>Welcome to your router</body></html>")


def half_a_json(request: Request) -> None:
    request.head()
    request.word("One")
    request.send('data: {"choices": [{"delta": {"cont\n\n')


def error_500(request: Request) -> None:
    request.whole({"error": {"message": "CUDA out of memory", "type": "server_error"}}, 500)


def error_in_the_stream(request: Request) -> None:
    request.head()
    request.word("One")
    request.send('data: {"error": {"message": "CUDA out of memory"}}\n\n')


def another_model(request: Request) -> None:
    request.head()
    request.word("One", model="llama-guard")


def stops(request: Request) -> None:
    request.head()
    request.word("One")


def hangs_up(request: Request) -> None:
    request.connection.close()


def too_many(request: Request) -> None:
    request.whole({"error": "slow down"}, 429)


def no_http(request: Request) -> None:
    request.send("SSH-2.0-OpenSSH_9.2\r\n")


def a_list(request: Request) -> None:
    request.head()
    request.send("data: [1, 2, 3]\n\n")


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (html, "answers with text/html, not as a language model does"),
        (half_a_json, "the answer can not be read"),
        (error_500, r"error 500 \(CUDA out of memory\)"),
        (error_in_the_stream, "CUDA out of memory"),
        (another_model, "answers with 'llama-guard' in place of 'm'"),
        (stops, "the answer stopped in the middle"),
        (hangs_up, "the connection was lost"),
        (too_many, r"it is asked too much, or its credit is used up \(slow down\)"),
        (no_http, "it does not speak HTTP"),
        (a_list, "the answer can not be read"),
    ],
)
def test_a_bad_answer_is_told_in_a_line(answer: Callable[[Request], None], told: str) -> None:
    with language_server(answer) as server, pytest.raises(EngineFailed, match=told) as raised:
        ask(loaded(server.url), CAPITAL)
    assert "\n" not in str(raised.value)
    assert str(raised.value).startswith(server.url)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (html, "text/html that can not be read as JSON"),
        (lambda request: request.whole([1]), "JSON that is no object"),
        (lambda request: request.whole({"data": "none"}), "no list of models"),
        (lambda request: request.whole({"data": []}), "has no model ''; it has none"),
        (lambda request: request.whole({"detail": "nothing here"}, 404), "nothing at this address"),
        (error_500, "error 500"),
    ],
)
def test_a_bad_list_of_models_is_told(answer: Callable[[Request], None], told: str) -> None:
    with language_server(hello, answer) as server, pytest.raises(EngineFailed, match=told):
        OpenAIServer(Server(server.url)).load()


def test_nobody_listens() -> None:
    url = f"http://127.0.0.1:{free_port()}/v1"
    with pytest.raises(EngineFailed, match="nobody listens there"):
        OpenAIServer(Server(url)).load()


def test_no_tls_where_it_was_promised() -> None:
    with language_server(hello) as server, pytest.raises(EngineFailed, match="does not speak TLS"):
        OpenAIServer(Server(server.url.replace("http:", "https:"))).load()


def wait(event: threading.Event) -> None:
    event.wait(20)


def test_silence_is_left_at_once() -> None:
    """Whoever closes the reply waits for no word of the server."""
    silent = threading.Event()
    with language_server(lambda request: wait(silent)) as server:
        reply = loaded(server.url).reply([CAPITAL], max_tokens=5, temperature=0.0, seed=1)
        assert next(reply) is None
        began = time.monotonic()
        reply.close()
        assert time.monotonic() - began < 0.15
        silent.set()


def test_silence_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_exchange, "SILENCE_S", 0.2)
    silent = threading.Event()
    with language_server(lambda request: wait(silent)) as server:
        with pytest.raises(EngineFailed, match=r"no answer for 0\.2 s"):
            ask(loaded(server.url), CAPITAL)
        silent.set()


def test_the_server_sees_that_nobody_listens_any_more() -> None:
    def endless(request: Request) -> None:
        request.head()
        request.until_left()

    with language_server(endless) as server:
        reply = loaded(server.url).reply([CAPITAL], max_tokens=500, temperature=0.0, seed=1)
        assert next(piece for piece in reply if piece) == " more"
        reply.close()
        assert server.left.wait(1)


def test_what_it_can_not_continue_it_is_asked_to() -> None:
    with language_server(hello) as server:
        engine = OpenAIServer(Server(server.url))
        engine.load()
        assert ask(engine, CAPITAL, Message("assistant", "It is")) == "Hello there."
        *_, begun, order = server.asked[-1].question["messages"]
        assert (begun["content"], order["content"]) == ("It is", GO_ON)
        assert engine.context_tokens == 4096
        assert engine.count_tokens([CAPITAL]) > 8


def test_vllm_is_told_to_continue() -> None:
    def models(request: Request) -> None:
        request.whole({"data": [{"id": "m", "owned_by": "vllm", "max_model_len": 8192}]})

    with language_server(hello, models) as server:
        engine = OpenAIServer(Server(server.url, key="k"))
        engine.load()
        ask(engine, CAPITAL, Message("assistant", "It is"))
        asked = server.asked[-1]
        assert asked.question["continue_final_message"] is True
        assert asked.question["add_generation_prompt"] is False
        assert asked.question["messages"][-1] == {"role": "assistant", "content": "It is"}
        assert asked.headers["authorization"] == "Bearer k"


@pytest.mark.parametrize(
    ("url", "near"),
    [
        ("http://localhost:8000/v1", True),
        ("http://127.0.0.1:8000/v1", True),
        ("http://192.168.1.20/v1", True),
        ("http://[fd00::1]:80/v1", True),
        ("http://box.local/v1", True),
        ("http://edge/v1", True),
        ("https://api.example.com/v1", False),
        ("http://8.8.8.8/v1", False),
    ],
)
def test_what_is_far_counts_as_cloud(url: str, near: bool) -> None:
    assert is_near(url) is near
    assert OpenAIServer(Server(url)).info.cloud is not near
