"""The language model: any GGUF file with a chat template, run by llama.cpp.

llama.cpp comes to Python in two bindings, either of which will do: `xllamacpp` is prebuilt,
`llama-cpp-python` is compiled while it is installed. The first one that is installed is taken.

The prompt is made of tokens, not of text. The chat template is rendered around place holders, so
what it adds is known from what was said: words of a user that look like a control token stay words,
and a longer conversation repeats the tokens of a shorter one exactly, as the model's cache needs.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Generator, Iterator, Mapping, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Protocol

import psutil

from goassist_desktop.pipeline.errors import EngineFailed, ModelMissing
from goassist_desktop.pipeline.frames import Message
from goassist_desktop.pipeline.protocols import EngineInfo, LanguageModel

MAX_CONTEXT_TOKENS = 8192
SHARED_CONTEXT_TOKENS = 4096
"""Of each seat, where there are several: the memory of all caches is taken when the model is
loaded, 120 MB a seat for the 1.5B."""
BATCH_TOKENS = 64
"""Prompt tokens read at once, and so what may still be read after the iterator was closed.

On one core the 1.5B reads a token in 26 ms in batches of 128, 27 in 64s, 29 in 32s (AVX2).
"""
BATCH_TOKENS_ON_CARD = 512
"""A graphics card reads them in some 20 ms, and is no sooner done with fewer."""

BINDINGS = {
    "xllamacpp": "goassist_desktop.pipeline.engines.llama_xllamacpp",
    "llama_cpp": "goassist_desktop.pipeline.engines.llama_python",
}
"""Package to the module here that adapts it, best first."""

WARM_UP = (Message("system", ""), Message("user", "Hi"))
"""Short: a program starts with it, and what it warms is the file's way into memory."""
WARM_UP_ON_CARD = (Message("system", "Hi " * 2 * BATCH_TOKENS_ON_CARD), WARM_UP[1])
"""Full batches: llama.cpp takes memory of a card when it first needs it, and where there is none
left then, it ends the process (seen: `ggml_abort` in its pool, the card filled by others)."""

_PLACE = re.compile("\ue000[0-9]+\ue001")
_MAGIC = b"GGUF"


def computes_on_cards(device: str = "auto") -> bool:
    """Whether a binding is installed that was built for graphics cards, and finds one."""
    return any(_for_cards(BINDINGS))


class Runtime(Protocol):
    """A loaded model in one of the bindings."""

    context_tokens: int

    tokens_read: int
    """Prompt tokens the last request had to read; the others were in the cache."""

    def render(self, messages: Sequence[Message]) -> str:
        """The model's chat template filled in, the assistant's turn begun, without a BOS token."""

    def tokenize(self, text: str, *, first: bool = False, control: bool = False) -> list[int]:
        """Tokens of a text. `first` adds what begins every prompt (BOS, where the model has one);
        `control` reads control tokens in the text as such."""

    seats: int
    """How many caches there are."""

    def generate(
        self, prompt: Sequence[int], seat: int, *, max_tokens: int, temperature: float, seed: int
    ) -> Generator[str, None, None]:
        """Pieces of valid UTF-8; "" for every full batch of a long prompt. Raises EngineFailed."""

    def read(self, prompt: Sequence[int], seat: int, *, shortened: bool = False) -> None:
        """Read a prompt into the cache of a seat. Raises EngineFailed."""

    def close(self) -> None: ...


class LlamaCpp:
    """LanguageModel for `<model_dir>/model.gguf`.

    A seat has one cache, and so one conversation at a time: a new request ends the reply before it.
    llama-cpp-python has one seat, which several conversations take in turns, and read again what
    they said before.
    Equal messages give equal replies at temperature 0, and at any other with an equal seed, as far
    as the arithmetic allows: a prompt read in other portions can tip a choice between two words
    that are all but equally likely.
    """

    def __init__(
        self,
        model_dir: Path,
        *,
        threads: int = 2,
        device: str = "cpu",
        binding: str | None = None,
    ) -> None:
        """`device`: 'cpu', or a graphics card, such as 'cuda:0'. `binding` is a key of BINDINGS;
        None takes the first that is installed, and for a card the first that can use it."""
        self._path = model_dir / "model.gguf"
        self._threads = threads
        self._card = int(device.removeprefix("cuda:")) if device != "cpu" else None
        self._bindings = BINDINGS if binding is None else {binding: BINDINGS[binding]}
        self._runtime: Runtime | None = None
        self._replies: dict[int, Generator[str, None, None]] = {}
        self.seats = 1

    @property
    def info(self) -> EngineInfo:
        licence = "MIT (llama.cpp); the model has its own"
        return EngineInfo("language_model", "llama-cpp", self._path.parent.name, licence)

    @property
    def context_tokens(self) -> int:
        """The window of the loaded model in tokens, at most MAX_CONTEXT_TOKENS."""
        return self._loaded().context_tokens

    @property
    def tokens_read(self) -> int:
        """Prompt tokens the last request had to read; the others were in the cache."""
        return self._loaded().tokens_read

    def load(self) -> None:
        if self._runtime is not None:
            return
        self._check_file()
        self._runtime = self._open()
        self.seats = self._runtime.seats
        self._template = lru_cache(maxsize=64)(self._template_parts)
        self._words = lru_cache(maxsize=1024)(self._runtime.tokenize)
        warm_up = WARM_UP if self._card is None else WARM_UP_ON_CARD
        for _ in self.reply(warm_up, max_tokens=1, temperature=0.0, seed=0):
            pass

    def close(self) -> None:
        if self._runtime is not None:
            for seat in tuple(self._replies):
                self._end_reply(seat)
            self._runtime.close()
            self._runtime = None

    def reply(
        self, messages: Sequence[Message], *, max_tokens: int, temperature: float, seed: int
    ) -> Iterator[str]:
        """See LanguageModel. While a long prompt is read, now and then an empty piece comes, so
        that closing is prompt then too.

        Raises EngineFailed for a prompt that leaves no room in the window for an answer.
        """
        return self.reply_in(0, messages, max_tokens=max_tokens, temperature=temperature, seed=seed)

    def reply_in(
        self,
        seat: int,
        messages: Sequence[Message],
        *,
        max_tokens: int,
        temperature: float,
        seed: int,
    ) -> Iterator[str]:
        if max_tokens < 1:
            raise ValueError(f"max_tokens is {max_tokens}, must be at least 1")
        runtime = self._loaded()
        begun = messages[-1].role == "assistant"
        prompt = self._tokens(messages, open_turn=begun)
        self._check_length(prompt)
        self._end_reply(seat)
        self._replies[seat] = reply = runtime.generate(
            prompt, seat, max_tokens=max_tokens, temperature=temperature, seed=seed
        )
        yield from reply

    def seat(self, index: int) -> LanguageModel:
        return self if index == 0 else Seat(self, index)

    def prefill(self, messages: Sequence[Message], *, shortened: bool = False) -> None:
        """See LanguageModel. A user's turn at the end is left open: its words may go on."""
        self.prefill_in(0, messages, shortened=shortened)

    def prefill_in(
        self, seat: int, messages: Sequence[Message], *, shortened: bool = False
    ) -> None:
        if not messages or messages[-1].role != "user":
            messages = [*messages, Message("user", "")]
        prompt = self._tokens(messages, open_turn=True)
        self._check_length(prompt)
        self._end_reply(seat)
        self._loaded().read(prompt, seat, shortened=shortened)

    def count_tokens(self, messages: Sequence[Message]) -> int:
        return len(self._tokens(messages))

    # -- loading ---------------------------------------------------------------------------------

    def _check_file(self) -> None:
        try:
            with self._path.open("rb") as file:
                magic = file.read(len(_MAGIC))
            size = self._path.stat().st_size
        except OSError as error:
            raise ModelMissing(
                f"language model {self._path} can not be read ({error.strerror}); "
                "run: goassist models pull"
            ) from error
        if magic != _MAGIC:
            raise ModelMissing(
                f"language model {self._path} is damaged: not a GGUF file; "
                "run: goassist models verify"
            )
        free = psutil.virtual_memory().available
        if self._card is None and size > free:
            raise EngineFailed(
                f"language model {self._path.parent.name} needs {size / 1e9:.1f} GB of memory, "
                f"{free / 1e9:.1f} GB are free: choose a smaller one"
            )

    def _open(self) -> Runtime:
        on_card = self._card is not None
        module = next(_for_cards(self._bindings) if on_card else _adapters(self._bindings), None)
        if module is None:
            which = ", ".join(self._bindings)
            which = f"a build for graphics cards of {which}" if on_card else f"one of {which}"
            raise EngineFailed(f"language model: install {which}")
        opened: Runtime = module.open_model(
            self._path,
            threads=self._threads,
            card=self._card,
            context_tokens=MAX_CONTEXT_TOKENS if self.seats == 1 else SHARED_CONTEXT_TOKENS,
            batch_tokens=BATCH_TOKENS_ON_CARD if on_card else BATCH_TOKENS,
            seats=self.seats,
        )
        return opened

    def _loaded(self) -> Runtime:
        if self._runtime is None:
            raise EngineFailed("language model: not loaded")
        return self._runtime

    # -- the prompt ------------------------------------------------------------------------------

    def _tokens(self, messages: Sequence[Message], *, open_turn: bool = False) -> list[int]:
        """The prompt. With `open_turn` it stops behind the words of the last message."""
        self._loaded()
        parts = self._template(tuple(message.role for message in messages))
        prompt = list(parts[0])
        for message, after in zip(messages, parts[1:], strict=True):
            prompt += self._words(message.text.strip())
            prompt += after
        return prompt[: len(prompt) - len(parts[-1])] if open_turn else prompt

    def _template_parts(self, roles: Sequence[str]) -> list[list[int]]:
        """What the chat template puts before, between and after messages of these roles."""
        runtime = self._loaded()
        marked = [Message(role, f"\ue000{place}\ue001") for place, role in enumerate(roles)]
        texts = _PLACE.split(runtime.render(marked))
        if len(texts) != len(roles) + 1:
            raise EngineFailed(
                f"language model {self._path.parent.name}: its chat template does not take "
                f"a conversation of {', '.join(dict.fromkeys(roles))} messages"
            )
        tokens = partial(runtime.tokenize, control=True)
        return [tokens(text, first=place == 0) for place, text in enumerate(texts)]

    def _check_length(self, prompt: Sequence[int]) -> None:
        window = self._loaded().context_tokens
        if len(prompt) >= window:
            raise EngineFailed(
                f"language model: a prompt of {len(prompt)} tokens does not fit its window "
                f"of {window}"
            )

    def _end_reply(self, seat: int) -> None:
        reply = self._replies.pop(seat, None)
        if reply is not None:
            reply.close()


def _adapters(bindings: Mapping[str, str]) -> Iterator[Any]:
    """The modules here whose package is installed. Raises EngineFailed for a broken package."""
    for package, module in bindings.items():
        try:
            importlib.import_module(package)
        except ModuleNotFoundError:
            continue
        except ImportError as error:
            raise EngineFailed(f"language model: {package} is broken: {error}") from error
        yield importlib.import_module(module)


def _for_cards(bindings: Mapping[str, str]) -> Iterator[Any]:
    return (module for module in _adapters(bindings) if module.finds_a_card())


class Seat:
    """One of the other conversations of a LlamaCpp: a LanguageModel that is loaded with it."""

    def __init__(self, model: LlamaCpp, index: int) -> None:
        self._model = model
        self._index = index

    @property
    def info(self) -> EngineInfo:
        return self._model.info

    @property
    def context_tokens(self) -> int:
        return self._model.context_tokens

    def load(self) -> None:
        self._model.load()

    def close(self) -> None:
        """The model is closed by whom it belongs to."""

    def reply(
        self, messages: Sequence[Message], *, max_tokens: int, temperature: float, seed: int
    ) -> Iterator[str]:
        return self._model.reply_in(
            self._index, messages, max_tokens=max_tokens, temperature=temperature, seed=seed
        )

    def prefill(self, messages: Sequence[Message], *, shortened: bool = False) -> None:
        self._model.prefill_in(self._index, messages, shortened=shortened)

    def count_tokens(self, messages: Sequence[Message]) -> int:
        return self._model.count_tokens(messages)
