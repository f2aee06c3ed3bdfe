"""The language model of a server that speaks OpenAI's chat completions, near or far.

vLLM, SGLang, llama-server, Ollama and others speak it, each with something of its own: the window
of the model, its tokenizer, and how an answer is continued. What a server is, its list of models
says. Protocol: platform.openai.com/docs/api-reference/chat.
"""

from __future__ import annotations

import json
import math
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Final

from goassist_desktop.pipeline.engines.http_exchange import (
    Head,
    Refused,
    ask,
    exchange,
    is_near,
)
from goassist_desktop.pipeline.errors import EngineFailed
from goassist_desktop.pipeline.frames import Message
from goassist_desktop.pipeline.protocols import EngineInfo, LanguageModel

UNKNOWN_WINDOW: Final = 8192
BYTES_A_TOKEN: Final = 3
"""English has more than four, so that too much is counted rather than too little, where a server
has no tokenizer to ask."""
TOKENS_A_MESSAGE: Final = 8
GO_ON: Final = "Go on exactly behind your last word, without repeating anything."
"""Said to servers that can not be told to continue a message."""
CONTINUES: Final = {"vllm": True, "sglang": True, "llamacpp": False, "library": False}
"""Servers that continue the assistant's last message, and whether they must be told to."""
WARM_UP = (Message("system", "Say hello."), Message("user", "Hi"))
LOAD_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Server:
    """Where a model is, and how to be let in."""

    url: str
    """Up to and with its version, as in http://127.0.0.1:8000/v1"""
    model: str = ""
    """Empty: the first of its list."""
    key: str = ""


class OpenAIServer:
    """LanguageModel at a Server. It keeps no state between calls, so every seat is the same."""

    name = "openai-server"

    def __init__(self, server: Server, *, threads: int = 1) -> None:
        self._use(server)
        self.seats = 1

    def _use(self, server: Server) -> None:
        self._server = server
        self._url = server.url.rstrip("/")
        self._model = ""  # as the server calls it, once it was asked
        self._kind = ""
        self._window = UNKNOWN_WINDOW

    @property
    def info(self) -> EngineInfo:
        return EngineInfo(
            "language_model",
            self.name,
            (self._model or self._server.model or self._url).rpartition("/")[2],
            "as the server's model says",
            cloud=not is_near(self._url),
        )

    @property
    def context_tokens(self) -> int:
        return self._window

    def load(self) -> None:
        """Find the model, and have it say a word. Harmless again, and the way to look whether a
        server that failed is back."""
        listed = self._listed()
        wanted = self._server.model or next(iter(listed), "")
        if wanted not in listed:
            has = ", ".join(list(listed)[:8]) or "none"
            raise EngineFailed(f"{self._url}: has no model {wanted!r}; it has {has}")
        model = listed[wanted]
        self._kind = str(model.get("owned_by", ""))
        self._window = _window(model)
        self._model = wanted
        with closing(self._complete(WARM_UP, max_tokens=1, temperature=0.0, seed=0)) as pieces:
            for _ in pieces:
                pass

    def close(self) -> None:
        self._model = ""

    def seat(self, index: int) -> LanguageModel:
        return self

    def reply(
        self, messages: Sequence[Message], *, max_tokens: int, temperature: float, seed: int
    ) -> Iterator[str | None]:
        if max_tokens < 1:
            raise ValueError(f"max_tokens is {max_tokens}, must be at least 1")
        return self._complete(messages, max_tokens=max_tokens, temperature=temperature, seed=seed)

    def prefill(self, messages: Sequence[Message], *, shortened: bool = False) -> None:
        """Where the server keeps what it read, and nobody pays by the word: read it now."""
        if self._kind not in ("vllm", "sglang", "llamacpp"):
            return
        if not messages or messages[-1].role != "user":
            messages = [*messages, Message("user", "")]
        for _ in self._complete(messages, max_tokens=1, temperature=0.0, seed=0):
            pass

    def count_tokens(self, messages: Sequence[Message]) -> int:
        """By the model's own tokenizer where the server lets it be asked; else rather too many."""
        root = self._url.removesuffix("/v1")
        chat = _chat(messages)
        if self._kind == "vllm":
            question = {"model": self._model, "messages": chat, **_continuing(messages)}
            return int(self._ask(f"{root}/tokenize", question)["count"])
        if self._kind == "llamacpp":
            prompt = self._ask(f"{root}/apply-template", {"messages": chat})["prompt"]
            question = {"content": prompt, "add_special": True, "parse_special": True}
            return len(self._ask(f"{root}/tokenize", question)["tokens"])
        size = sum(len(message.text.encode()) for message in messages)
        return math.ceil(size / BYTES_A_TOKEN) + TOKENS_A_MESSAGE * (len(messages) + 1)

    # -- inside ----------------------------------------------------------------------------------

    def _listed(self) -> dict[str, dict[str, Any]]:
        url = f"{self._url}/models"
        entries = ask(url, key=self._server.key, within_s=LOAD_S).get("data")
        if not isinstance(entries, list):
            raise EngineFailed(f"{url}: answers with JSON that is no list of models")
        return {str(e["id"]): e for e in entries if isinstance(e, dict) and "id" in e}

    def _ask(self, url: str, question: object) -> dict[str, Any]:
        return ask(url, "POST", question, self._server.key)

    def _complete(
        self, messages: Sequence[Message], *, max_tokens: int, temperature: float, seed: int
    ) -> Generator[str | None, None, None]:
        if not self._model:
            raise EngineFailed(f"{self._url}: not asked yet which models it has")
        chat, extra = _chat(messages), {}
        if messages[-1].role == "assistant":
            if self._kind not in CONTINUES:
                chat.append({"role": "user", "content": GO_ON})
            elif CONTINUES[self._kind]:
                extra = _continuing(messages)
        question = {
            "model": self._model,
            "messages": chat,
            "stream": True,
            "max_tokens": max_tokens,
            "temperature": temperature,
            "seed": seed,
            **extra,
        }
        url = f"{self._url}/chat/completions"
        with closing(exchange(url, "POST", question, self._server.key)) as pieces:
            for event in _events(url, pieces):
                yield self._text(url, event)

    def _text(self, url: str, event: dict[str, Any] | None) -> str | None:
        """What an event adds to the answer; "" for a sign of life, None for silence."""
        if event is None:
            return None
        if "error" in event:
            raise Refused(url, 200, json.dumps(event).encode())
        model = event.get("model")
        if isinstance(model, str) and not _same(model, self._model):
            raise EngineFailed(f"{url}: answers with {model!r} in place of {self._model!r}")
        delta = _choice(event).get("delta")
        text = delta.get("content") if isinstance(delta, dict) else None
        return text if isinstance(text, str) else ""


def _chat(messages: Sequence[Message]) -> list[dict[str, str]]:
    return [{"role": message.role, "content": message.text.strip()} for message in messages]


def _continuing(messages: Sequence[Message]) -> dict[str, bool]:
    """How vLLM and SGLang are told that the last message goes on."""
    begun = messages[-1].role == "assistant"
    return {"continue_final_message": begun, "add_generation_prompt": not begun}


def _same(model: str, asked: str) -> bool:
    """Servers name a version, a file or a path where a model was asked for by a shorter name."""
    one, other = (name.rsplit("/", 1)[-1].lower() for name in (model, asked))
    return one.startswith(other) or other.startswith(one)


def _window(model: dict[str, Any]) -> int:
    """Tokens: of vLLM and SGLang, of llama-server, or unknown."""
    meta = model.get("meta")
    found = [model.get("max_model_len")]
    if isinstance(meta, dict):
        found += [meta.get("n_ctx"), meta.get("n_ctx_train")]
    known = [number for number in found if isinstance(number, int) and number > 0]
    return min(known, default=UNKNOWN_WINDOW)


def _events(
    url: str, pieces: Generator[Head | bytes, None, None]
) -> Generator[dict[str, Any] | None, None, None]:
    """Server-sent events of a streamed answer (HTML standard, 9.2), up to its end; None for
    silence and for what is no event."""
    head, buffer, finished = Head(0, ""), b"", False
    for piece in pieces:
        if isinstance(piece, Head):
            head = piece
            continue
        if not piece:
            yield None
            continue
        buffer += piece
        if head.status != 200:
            continue
        if "event-stream" not in head.content_type and head.content_type:
            kind = head.content_type.partition(";")[0]
            raise EngineFailed(f"{url}: answers with {kind}, not as a language model does")
        *lines, buffer = buffer.split(b"\n")
        for line in lines:
            name, _, value = line.strip().partition(b":")
            if name != b"data":
                continue
            if value.strip() == b"[DONE]":
                return
            event = _event(url, value)
            finished = finished or bool(_choice(event).get("finish_reason"))
            yield event
    if head.status != 200:
        raise Refused(url, head.status, buffer)
    if not finished:
        raise EngineFailed(f"{url}: the answer stopped in the middle")


def _event(url: str, value: bytes) -> dict[str, Any]:
    try:
        event = json.loads(value)
    except ValueError as error:
        raise EngineFailed(f"{url}: the answer can not be read: {value[:60]!r}") from error
    if not isinstance(event, dict):
        raise EngineFailed(f"{url}: the answer can not be read: {value[:60]!r}")
    return event


def _choice(event: dict[str, Any]) -> dict[str, Any]:
    """The first choice, the only one that is asked for; empty where there is none."""
    choices = event.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    return first if isinstance(first, dict) else {}
