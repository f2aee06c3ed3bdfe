"""llama.cpp through llama-cpp-python, which runs it in the calling thread."""

from __future__ import annotations

import codecs
import logging
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

import llama_cpp
from llama_cpp.llama_chat_format import Jinja2ChatFormatter

from goassist_desktop.pipeline.engines.llama_sampling import sampling
from goassist_desktop.pipeline.errors import EngineFailed, ModelMissing
from goassist_desktop.pipeline.frames import Message

logging.getLogger("llama-cpp-python").setLevel(logging.ERROR)  # it prints the rest


class LlamaPythonModel:
    """A Runtime of llama_cpp.py. Make it with `open_model`."""

    tokens_read = 0
    seats = 1

    def __init__(self, llama: llama_cpp.Llama, batch_tokens: int) -> None:
        self._llama = llama
        self._batch_tokens = batch_tokens
        self._vocabulary = llama_cpp.llama_model_get_vocab(llama.model)
        self.context_tokens = min(llama.n_ctx(), llama_cpp.llama_model_n_ctx_train(llama.model))
        self._template = Jinja2ChatFormatter(
            template=llama.metadata.get("tokenizer.chat_template", ""),
            eos_token=self._control(llama.token_eos()),
            # `tokenize` adds it, where the model wants one
            bos_token=""
            if llama_cpp.llama_vocab_get_add_bos(self._vocabulary)
            else self._control(llama.token_bos()),
        )

    def render(self, messages: Sequence[Message]) -> str:
        chat: Any = [{"role": message.role, "content": message.text} for message in messages]
        try:
            text: str = self._template(messages=chat).prompt
        except ValueError as error:  # a template's own objection
            raise EngineFailed(f"language model: {error}") from error
        return text

    def tokenize(self, text: str, *, first: bool = False, control: bool = False) -> list[int]:
        tokens: list[int] = self._llama.tokenize(text.encode(), add_bos=first, special=control)
        return tokens

    def generate(
        self, prompt: Sequence[int], seat: int, *, max_tokens: int, temperature: float, seed: int
    ) -> Generator[str, None, None]:
        llama = self._llama
        settings: dict[str, Any] = sampling(temperature)
        settings["temp"] = settings.pop("temperature")
        room = min(max_tokens, self.context_tokens - len(prompt))
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        try:
            for _ in self._read_batches(prompt):
                yield ""
            llama.set_seed(seed)
            for token in llama.generate(prompt, **settings):
                if llama_cpp.llama_vocab_is_eog(self._vocabulary, token):
                    break
                if piece := decoder.decode(llama.detokenize([token])):
                    yield piece
                room -= 1
                if room == 0:
                    break
        except RuntimeError as error:
            raise EngineFailed(f"language model: {error}") from error

    def read(self, prompt: Sequence[int], seat: int, *, shortened: bool = False) -> None:
        try:
            for _ in self._read_batches(prompt):
                pass
            self._read_to(prompt)
        except RuntimeError as error:
            raise EngineFailed(f"language model: {error}") from error

    def close(self) -> None:
        self._llama.close()

    def _read_batches(self, prompt: Sequence[int]) -> Generator[int, None, None]:
        """Read all but the last batch of what the cache does not hold, a batch a step."""
        llama = self._llama
        cached = llama.longest_token_prefix(
            llama.input_ids[: llama.n_tokens].tolist(), list(prompt)
        )
        cached = min(cached, len(prompt) - 1)
        self.tokens_read = len(prompt) - cached
        for end in range(cached + self._batch_tokens, len(prompt), self._batch_tokens):
            self._read_to(prompt[:end])
            yield end

    def _read_to(self, prompt: Sequence[int]) -> None:
        """Bring the prompt into the cache: what is generated from it is never asked for."""
        reading = self._llama.generate(prompt, **{"temp": 0.0})
        next(reading)
        reading.close()

    def _control(self, token: int) -> str:
        if token < 0:
            return ""
        text: bytes = self._llama.detokenize([token], special=True)
        return text.decode()


def finds_a_card() -> bool:
    """Whether it was built for graphics cards."""
    return bool(llama_cpp.llama_supports_gpu_offload())


def open_model(
    path: Path,
    *,
    threads: int,
    card: int | None,
    context_tokens: int,
    batch_tokens: int,
    seats: int,
) -> LlamaPythonModel:
    """Load a GGUF file, for one seat however many are wanted, all of it onto a graphics card or
    none of it.

    Raises ModelMissing when llama.cpp can not read it.
    """
    try:
        llama = llama_cpp.Llama(
            str(path),
            n_ctx=context_tokens,
            n_batch=batch_tokens,
            n_ubatch=batch_tokens,
            n_threads=threads,
            n_threads_batch=threads,
            n_gpu_layers=0 if card is None else -1,
            main_gpu=card or 0,
            split_mode=llama_cpp.LLAMA_SPLIT_MODE_NONE,
            offload_kqv=card is not None,
            op_offload=card is not None,
            flash_attn=False,  # on or off alone: a build without it would do it on the processor
            verbose=False,
        )
    except (ValueError, RuntimeError) as error:
        raise ModelMissing(
            f"language model {path} is damaged or of an unknown kind; run: goassist models verify"
        ) from error
    return LlamaPythonModel(llama, batch_tokens)
