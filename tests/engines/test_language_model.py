"""The contract of language models, on the real thing, with each binding of llama.cpp."""

from __future__ import annotations

import gc
import importlib.util
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from goassist_desktop import weights
from goassist_desktop.pipeline.engines.llama_cpp import BATCH_TOKENS, BINDINGS, LlamaCpp
from goassist_desktop.pipeline.errors import EngineFailed, ModelMissing
from goassist_desktop.pipeline.frames import Message
from goassist_desktop.pipeline.protocols import LanguageModel

pytestmark = pytest.mark.models

MODEL = "qwen2.5-coder-0.5b-instruct"
SYSTEM = Message(
    "system",
    "You are a friendly voice assistant. Answer in one short spoken sentence, without lists or "
    "markup. " + "Be warm, be exact, and say so when you do not know something. " * 12,
)
CAPITAL = Message("user", "What is the capital of France?")
ENDLESS = Message("user", "Write the numbers from 1 to 1000, with a space between them.")
WORDS = "apple river candle window garden mountain silver bridge ocean summer".split()
BATCHES = Message("user", "Very, very good. " * BATCH_TOKENS)
"""More than three batches of tokens."""

INSTALLED = [name for name in BINDINGS if importlib.util.find_spec(name)]


def user(text: str) -> Message:
    return Message("user", text)


def ask(engine: LlamaCpp, *messages: Message, max_tokens: int = 40, seed: int = 1) -> str:
    return "".join(engine.reply(messages, max_tokens=max_tokens, temperature=0.0, seed=seed))


@pytest.fixture(scope="module", params=INSTALLED)
def binding(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def engine(binding: str) -> Iterator[LlamaCpp]:
    engine = LlamaCpp(weights.path(MODEL), binding=binding)
    engine.load()
    yield engine
    engine.close()


def test_both_bindings_were_tested() -> None:
    assert "xllamacpp" in INSTALLED
    if INSTALLED != list(BINDINGS):
        pytest.skip("llama-cpp-python, the optional binding of llama.cpp, is not installed")


# -- answers -------------------------------------------------------------------------------------


def test_answers_in_pieces(engine: LlamaCpp) -> None:
    engine.prefill([SYSTEM])
    reply = engine.reply([SYSTEM, CAPITAL], max_tokens=40, temperature=0.0, seed=1)
    pieces = list(reply)
    assert "Paris" in "".join(pieces)
    assert len(pieces) >= 5
    assert all(pieces)


def test_is_a_language_model_of_the_agreed_window(engine: LlamaCpp) -> None:
    assert isinstance(engine, LanguageModel)
    assert engine.context_tokens == 8192
    assert engine.info.model == MODEL
    assert not engine.info.cloud


def test_knows_the_conversation(engine: LlamaCpp) -> None:
    said = (user("My name is Wilhelmina."), Message("assistant", "Nice to meet you, Wilhelmina!"))
    assert "Wilhelmina" in ask(engine, SYSTEM, *said, user("What is my name?"))


@pytest.mark.parametrize("text", ["你好世界", "Grüße aus Köln", "Привет мир"])
def test_pieces_never_split_a_character(engine: LlamaCpp, text: str) -> None:
    reply = ask(engine, user(f"Repeat this text exactly, and say nothing else: {text}"))
    assert text in reply
    assert "\ufffd" not in reply


def test_stops_at_max_tokens(engine: LlamaCpp) -> None:
    pieces = list(engine.reply([ENDLESS], max_tokens=7, temperature=0.0, seed=1))
    assert len(pieces) == 7
    with pytest.raises(ValueError, match="max_tokens is 0"):
        ask(engine, CAPITAL, max_tokens=0)


def test_greedy_is_repeatable_whatever_the_cache_holds(engine: LlamaCpp) -> None:
    first = ask(engine, SYSTEM, CAPITAL)
    assert ask(engine, SYSTEM, CAPITAL) == first
    ask(engine, user("Name a colour."))
    assert ask(engine, SYSTEM, CAPITAL) == first


def test_the_seed_decides_above_temperature_zero(engine: LlamaCpp) -> None:
    def story(seed: int) -> str:
        messages = [user("Invent a name for a pirate.")]
        return "".join(engine.reply(messages, max_tokens=10, temperature=1.2, seed=seed))

    stories = [story(seed) for seed in range(4)]
    assert len(set(stories)) > 1
    assert story(3) == stories[3]


# -- closing -------------------------------------------------------------------------------------


def test_ten_replies_in_a_row_closed_early_each_leave_room_for_the_next(engine: LlamaCpp) -> None:
    """Left running, each would take a minute, and all of them more than a test may."""
    for word in WORDS:
        reply = engine.reply([ENDLESS], max_tokens=3000, temperature=0.0, seed=1)
        assert all(next(reply) for _ in range(3))
        reply.close()
        answer = ask(engine, user(f"Repeat this word: {word}"))
        assert word in answer.lower()
        assert len(answer) < 3 * len(word)


def test_a_long_prompt_can_be_closed_while_it_is_read(engine: LlamaCpp) -> None:
    reply = engine.reply([BATCHES, CAPITAL], max_tokens=20, temperature=0.0, seed=1)
    assert next(reply) == ""
    reply.close()
    assert "Paris" in ask(engine, SYSTEM, CAPITAL)


def test_a_long_prompt_is_answered_like_a_short_one(engine: LlamaCpp) -> None:
    reply = engine.reply([BATCHES, CAPITAL], max_tokens=20, temperature=0.0, seed=1)
    pieces = list(reply)
    start = next(index for index, piece in enumerate(pieces) if piece)
    assert start >= 3
    assert all(pieces[start:])


def test_abandoned_replies_do_no_harm(engine: LlamaCpp) -> None:
    unstarted = engine.reply([ENDLESS], max_tokens=3000, temperature=0.0, seed=1)
    collected = engine.reply([ENDLESS], max_tokens=3000, temperature=0.0, seed=1)
    next(collected)
    del collected
    gc.collect()
    held = engine.reply([ENDLESS], max_tokens=3000, temperature=0.0, seed=1)
    next(held)
    assert "Paris" in ask(engine, SYSTEM, CAPITAL)
    assert list(held) == []  # the newer request ended it
    assert next(unstarted)
    unstarted.close()


# -- the cache -----------------------------------------------------------------------------------


def test_a_prefilled_prompt_is_not_read_again(engine: LlamaCpp) -> None:
    ask(engine, user("Something else."))
    engine.prefill([SYSTEM])
    assert engine.tokens_read > engine.count_tokens([SYSTEM]) - 8  # template's first few are shared
    ask(engine, SYSTEM, CAPITAL)
    assert engine.tokens_read == engine.count_tokens([SYSTEM, CAPITAL]) - engine.count_tokens(
        [SYSTEM]
    )


def test_a_growing_utterance_is_read_as_it_grows(engine: LlamaCpp) -> None:
    words = "Please tell me in a few words what the capital city of the country France is".split()
    expected = ask(engine, SYSTEM, user(" ".join(words)))
    ask(engine, user("Something else."))
    for count in (4, 9, 13):
        engine.prefill([SYSTEM, user(" ".join(words[:count]))])
    assert engine.tokens_read <= 6
    assert ask(engine, SYSTEM, user(" ".join(words))) == expected
    assert engine.tokens_read <= len(words) - 13 + 8  # the rest, and what begins the answer


def test_a_conversation_is_read_once(engine: LlamaCpp) -> None:
    said = [SYSTEM, CAPITAL]
    said.append(Message("assistant", ask(engine, *said)))
    engine.prefill(said)
    assert engine.tokens_read <= 8
    question = user("And what is the capital of Italy?")
    ask(engine, *said, question)
    assert engine.tokens_read <= 16


def test_an_interrupted_reply_is_not_read_again(engine: LlamaCpp) -> None:
    reply = engine.reply([ENDLESS], max_tokens=3000, temperature=0.0, seed=1)
    pieces = [next(reply) for _ in range(24)]
    reply.close()
    heard = Message("assistant", "".join(pieces[:16]))
    ask(engine, ENDLESS, heard, user("Thank you."))
    assert engine.tokens_read <= 16


# -- tokens --------------------------------------------------------------------------------------


def test_counts_the_tokens_the_model_reads(engine: LlamaCpp) -> None:
    question = user("How many people live in Iceland, and how many sheep?")
    ask(engine, Message("system", "Another assistant."), CAPITAL)
    ask(engine, Message("system", "Yours."), question, max_tokens=1)
    counted = engine.count_tokens([Message("system", "Yours."), question])
    shared = 3  # what begins a system message
    assert engine.tokens_read == counted - shared


def test_counts_while_a_reply_is_made(engine: LlamaCpp) -> None:
    before = engine.count_tokens([SYSTEM, CAPITAL])
    reply = engine.reply([ENDLESS], max_tokens=3000, temperature=0.0, seed=1)
    next(reply)
    assert engine.count_tokens([SYSTEM, CAPITAL]) == before
    assert engine.count_tokens([SYSTEM, CAPITAL, CAPITAL]) > before
    assert next(reply)
    reply.close()


def test_what_looks_like_a_control_token_is_read_as_words(engine: LlamaCpp) -> None:
    empty = engine.count_tokens([user("")])
    assert engine.count_tokens([user("<|im_end|>")]) - empty > 1


def test_a_prompt_longer_than_the_window_is_refused(engine: LlamaCpp) -> None:
    book = user("word " * 9000)
    for call in (lambda: ask(engine, book), lambda: engine.prefill([book])):
        with pytest.raises(EngineFailed, match=r"90\d\d tokens does not fit its window of 8192"):
            call()
    assert "Paris" in ask(engine, SYSTEM, CAPITAL)


# -- loading and closing -------------------------------------------------------------------------


def write_model(folder: Path, content: bytes) -> Path:
    (folder / "model.gguf").write_bytes(content)
    return folder


def test_an_absent_model_is_named(tmp_path: Path, binding: str) -> None:
    with pytest.raises(ModelMissing, match=r"model\.gguf can not be read .*models pull"):
        LlamaCpp(tmp_path, binding=binding).load()


@pytest.mark.parametrize("kept", [0, 3, 4, 30, 5_000, 3_000_000, 50_000_000])
def test_a_truncated_model_is_named(tmp_path: Path, binding: str, kept: int) -> None:
    with (weights.path(MODEL) / "model.gguf").open("rb") as whole:
        folder = write_model(tmp_path, whole.read(kept))
    with pytest.raises(ModelMissing, match=r"model\.gguf is damaged"):
        LlamaCpp(folder, binding=binding).load()


def test_a_model_that_is_something_else_is_named(tmp_path: Path, binding: str) -> None:
    folder = write_model(tmp_path, b"<html>Not found</html>")
    with pytest.raises(ModelMissing, match="not a GGUF file"):
        LlamaCpp(folder, binding=binding).load()


def test_a_model_larger_than_the_memory_is_refused(tmp_path: Path, binding: str) -> None:
    with (write_model(tmp_path, b"GGUF") / "model.gguf").open("r+b") as sparse:
        sparse.truncate(psutil.virtual_memory().total * 2)
    with pytest.raises(EngineFailed, match=r"needs .* GB of memory"):
        LlamaCpp(tmp_path, binding=binding).load()


def test_what_is_not_loaded_answers_nothing(binding: str) -> None:
    engine = LlamaCpp(weights.path(MODEL), binding=binding)
    engine.close()
    with pytest.raises(EngineFailed, match="not loaded"):
        ask(engine, CAPITAL)
    with pytest.raises(EngineFailed, match="not loaded"):
        engine.count_tokens([CAPITAL])


LIFE = """
import json, os, signal, sys, tempfile
from pathlib import Path
import psutil
from goassist_desktop import memory
from goassist_desktop.pipeline.engines.llama_cpp import LlamaCpp
from goassist_desktop.pipeline.frames import Message

model, binding, report = sys.argv[1:]
tempfile.tempdir = str(Path(report).parent)
process, found = psutil.Process(), {}

def note(when):
    memory.give_back()  # what glibc keeps for itself is no leak
    found[when] = {
        "rss": process.memory_info().rss,
        "threads": process.num_threads(),
        "listening": [c.laddr for c in process.net_connections("inet") if c.status == "LISTEN"],
        "folders": [[p.name, oct(p.stat().st_mode & 0o777)] for p in
                    Path(report).parent.iterdir() if p.is_dir()],
    }

note("before")
engine = LlamaCpp(Path(model), binding=binding)
for life in ("first", "second", "third", "fourth", "fifth"):
    engine.load()
    engine.load()
    reply = engine.reply([Message("user", "Count to one thousand.")], max_tokens=1000,
                         temperature=0.0, seed=1)
    next(reply)
    try:
        os.kill(os.getpid(), signal.SIGINT)
        found["interrupt"] = "lost"
    except KeyboardInterrupt:
        found["interrupt"] = "seen"
    note(life + " loaded")
    engine.close()
    note(life + " closed")
Path(report).write_text(json.dumps(found))
"""


@pytest.fixture(scope="module")
def life(binding: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, object]]:
    """What a process looks like that loads and closes the engine, closing in mid-reply."""
    report = tmp_path_factory.mktemp("life") / "report.json"
    done = subprocess.run(
        [sys.executable, "-c", LIFE, str(weights.path(MODEL)), binding, str(report)],
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")  # llama.cpp is silent
    found: dict[str, dict[str, object]] = json.loads(report.read_text())
    return found


def test_nothing_listens_that_others_could_reach(life, binding: str) -> None:
    assert life["first loaded"]["listening"] == []
    if binding == "xllamacpp":
        [[_, mode]] = life["first loaded"]["folders"]
        assert mode == "0o700"


def test_closing_leaves_no_thread_socket_or_memory(life) -> None:
    size = (weights.path(MODEL) / "model.gguf").stat().st_size
    assert life["first loaded"]["rss"] - life["first closed"]["rss"] > size
    # The first life leaves 30 MB less than all that follow, and now and then glibc keeps a piece
    # for a while; what leaks grows with every life.
    early, late = (
        min(life[f"{one} closed"]["rss"] for one in lives)
        for lives in (("second", "third"), ("fourth", "fifth"))
    )
    assert late - early < 40e6  # a cache that is not freed has 100 MB
    assert life["third closed"]["threads"] == life["first closed"]["threads"]
    assert life["third closed"]["folders"] == life["before"]["folders"] == []


def test_ctrl_c_still_reaches_python(life) -> None:
    assert life["interrupt"] == "seen"


def test_the_socket_asks_for_the_key(binding: str, engine: LlamaCpp) -> None:
    if binding != "xllamacpp":
        pytest.skip("llama-cpp-python opens no socket")
    runtime = engine._runtime
    key, runtime._key = runtime._key, "guessed"
    try:
        with pytest.raises(EngineFailed, match="Invalid API Key"):
            runtime.tokenize("hello")
    finally:
        runtime._key = key
    assert runtime.tokenize("hello")


def test_a_server_that_says_nothing_is_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = pytest.importorskip("goassist_desktop.pipeline.engines.llama_xllamacpp")
    monkeypatch.setattr(runtime, "ANSWER_S", 0.1)
    model = runtime.XllamacppModel.__new__(runtime.XllamacppModel)  # without a server of its own
    model._socket, model._key = tmp_path / "model.sock", "key"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as silent:
        silent.bind(str(model._socket))
        silent.listen()
        with pytest.raises(EngineFailed, match="connection lost: timed out"):
            model.read([1, 2, 3], seat=0)


def test_goes_on_with_what_was_begun(engine: LlamaCpp) -> None:
    begun = Message("assistant", "The capital of France, as everybody knows, is the city of")
    text = ask(engine, SYSTEM, CAPITAL, begun)
    assert text.split()[0].strip(".,") == "Paris"
    assert "capital of France, as" not in text


def test_what_stays_of_a_shortened_prompt_is_not_read_again(engine: LlamaCpp) -> None:
    """And the model still knows what stayed."""
    exchanges = [
        message
        for number, word in enumerate(WORDS)
        for message in (
            user(f"Word number {number} is {word}. Remember it, and say that you will, please."),
            Message("assistant", f"I will remember that word number {number} is {word}."),
        )
    ]
    conversation = [SYSTEM, *exchanges]
    engine.prefill(conversation)
    kept = [SYSTEM, *exchanges[10:]]
    engine.prefill(kept, shortened=True)
    whole = engine.count_tokens(kept)
    if engine._runtime is not None and type(engine._runtime).__name__ == "XllamacppModel":
        assert engine.tokens_read < 0.1 * whole
    last = user("Which word has number 9? Answer with the word.")
    assert "summer" in ask(engine, *kept, last).lower()
    assert engine.tokens_read < 40
