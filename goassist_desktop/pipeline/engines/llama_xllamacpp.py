"""llama.cpp through xllamacpp: its server in this process, on a socket only we can open.

The package hands out completions in process, but tokens and the chat template through its HTTP
listener alone, so all of it goes that way. Left to itself it listens on a loopback port, for any
process and any web page. Here it listens on a Unix socket, in a folder no other user may enter,
and asks for a key besides. Whoever closes the connection stops the generation.
"""

from __future__ import annotations

import http.client
import json
import secrets
import socket
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import xllamacpp

from goassist_desktop.pipeline import private_folder
from goassist_desktop.pipeline.engines.llama_sampling import sampling
from goassist_desktop.pipeline.errors import EngineFailed, ModelMissing
from goassist_desktop.pipeline.frames import Message

LISTENING_THREADS = 4
"""A seat: one for a reply, one to count tokens meanwhile, and as many closed ones not yet done."""

ANSWER_S = 60.0
"""The longest silence of the server, which speaks with every token and every batch of a prompt."""

SILENT = -1
ALL_LAYERS = 999

KEPT_TOKENS = 32
"""The shortest piece of a prompt that is moved in the cache rather than read again."""


class XllamacppModel:
    """A Runtime of llama_cpp.py. Make it with `open_model`."""

    tokens_read = 0

    def __init__(self, parameters: Any, folder: TemporaryDirectory[str]) -> None:
        self._folder = folder
        self._socket = Path(folder.name) / "model.sock"
        self._key = secrets.token_urlsafe(32)
        self.seats: int = parameters.n_parallel
        parameters.hostnames = [str(self._socket)]
        parameters.api_keys = [self._key]
        self._server = xllamacpp.Server(parameters)
        [model] = self._ask("GET", "/v1/models")["data"]
        self.context_tokens: int = min(model["meta"]["n_ctx"], model["meta"]["n_ctx_train"])

    def render(self, messages: Sequence[Message]) -> str:
        chat = [{"role": message.role, "content": message.text} for message in messages]
        text: str = self._ask("POST", "/apply-template", {"messages": chat})["prompt"]
        return text

    def tokenize(self, text: str, *, first: bool = False, control: bool = False) -> list[int]:
        question = {"content": text, "add_special": first, "parse_special": control}
        tokens: list[int] = self._ask("POST", "/tokenize", question)["tokens"]
        return tokens

    def generate(
        self, prompt: Sequence[int], seat: int, *, max_tokens: int, temperature: float, seed: int
    ) -> Generator[str, None, None]:
        settings = {
            "n_predict": max_tokens,
            "seed": seed,
            "id_slot": seat,
            **sampling(temperature),
        }
        with closing(self._complete(prompt, settings)) as events:
            for event in events:
                progress = event.get("prompt_progress")
                if event.get("content"):
                    yield event["content"]
                elif progress and progress["cache"] < progress["processed"] < progress["total"]:
                    yield ""

    def read(self, prompt: Sequence[int], seat: int, *, shortened: bool = False) -> None:
        # Only where it is asked for: what is moved in the cache was read behind other words, and
        # equal prompts would not give equal answers any more.
        kept = KEPT_TOKENS if shortened else 0
        settings: dict[str, float] = {"n_predict": 0, "id_slot": seat, "n_cache_reuse": kept}
        for _ in self._complete(prompt, settings):
            pass

    def close(self) -> None:
        del self._server  # nothing else holds it, so this ends its threads and frees its memory
        self._folder.cleanup()

    def _complete(
        self, prompt: Sequence[int], settings: dict[str, float]
    ) -> Generator[dict[str, Any], None, None]:
        """The events of one completion, to the last."""
        question = {"prompt": list(prompt), "stream": True, "return_progress": True, **settings}
        with self._request("POST", "/completion", question) as lines:
            for line in lines:
                if not line.startswith(b"data: "):
                    continue  # empty lines between the events, and signs of life
                event = json.loads(line.removeprefix(b"data: "))
                if "error" in event:
                    raise EngineFailed(f"language model: {event['error'].get('message')}")
                if progress := event.get("prompt_progress"):
                    self.tokens_read = progress["total"] - progress["cache"]
                yield event
                if event.get("stop"):
                    return
        raise EngineFailed("language model: stopped in mid-answer")

    def _ask(self, method: str, path: str, question: object = None) -> dict[str, Any]:
        with self._request(method, path, question) as response:
            answer: dict[str, Any] = json.load(response)
        return answer

    @contextmanager
    def _request(
        self, method: str, path: str, question: object = None
    ) -> Iterator[http.client.HTTPResponse]:
        headers = {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"}
        try:
            with closing(_Connection(self._socket)) as connection:
                connection.request(method, path, json.dumps(question), headers)
                with connection.getresponse() as response:
                    if response.status != http.HTTPStatus.OK:
                        fault = json.load(response)["error"]["message"]
                        raise EngineFailed(f"language model: {fault}")
                    yield response
        except (OSError, http.client.HTTPException, json.JSONDecodeError) as error:
            raise EngineFailed(f"language model: connection lost: {error}") from error


class _Connection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=ANSWER_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def finds_a_card() -> bool:
    """Whether it was built for graphics cards, and there is one."""
    kinds = {device["type"] for device in xllamacpp.get_device_info()}
    return xllamacpp.ggml_backend_dev_type.GGML_BACKEND_DEVICE_TYPE_GPU in kinds


def open_model(
    path: Path,
    *,
    threads: int,
    card: int | None,
    context_tokens: int,
    batch_tokens: int,
    seats: int,
) -> XllamacppModel:
    """Load a GGUF file, all of it onto a graphics card or none of it; `context_tokens` is of each
    seat.

    Raises ModelMissing when llama.cpp can not read it.
    """
    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(path)
    parameters.n_ctx = context_tokens * seats
    parameters.n_batch = parameters.n_ubatch = batch_tokens
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = threads
    parameters.n_threads_http = LISTENING_THREADS * seats
    parameters.verbosity = SILENT
    parameters.n_gpu_layers = 0 if card is None else ALL_LAYERS
    parameters.main_gpu = card or 0
    parameters.split_mode = xllamacpp.llama_split_mode.LLAMA_SPLIT_MODE_NONE
    parameters.no_kv_offload = parameters.no_op_offload = card is None
    parameters.warmup = False  # the engine does it, with a real prompt
    # On a CPU a prompt after 1,800 tokens of conversation is read 40 ms sooner without.
    attention = xllamacpp.llama_flash_attn_type
    parameters.flash_attn_type = (
        attention.LLAMA_FLASH_ATTN_TYPE_DISABLED
        if card is None
        else attention.LLAMA_FLASH_ATTN_TYPE_AUTO
    )
    parameters.fit_params = False  # no probing of devices for room
    parameters.n_parallel = seats
    parameters.kv_unified = False  # a seat's cache is its own, however long the others' are
    parameters.cache_ram_mib = 0  # no copies of earlier conversations
    parameters.n_ctx_checkpoints = (
        0  # copies of the cache that only models with sliding windows use
    )
    parameters.ui = False
    folder = private_folder.make()
    try:
        return XllamacppModel(parameters, folder)
    except RuntimeError as error:  # all that the package tells of any failure
        folder.cleanup()
        raise ModelMissing(
            f"language model {path} is damaged or of an unknown kind; run: goassist models verify"
        ) from error
