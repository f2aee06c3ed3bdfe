"""vLLM, started by this program for itself, and started again when it dies.

`vllm serve MODEL` is a process of its own, in an environment of its own, on a free port of the
loopback with a random key. Whoever uses it sees an OpenAIServer; `load` starts what does not run.
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from goassist_desktop.pipeline.child import Child
from goassist_desktop.pipeline.engines.http_exchange import Refused, ask
from goassist_desktop.pipeline.engines.openai_server import OpenAIServer, Server
from goassist_desktop.pipeline.errors import EngineFailed
from goassist_desktop.pipeline.protocols import EngineInfo

READY_S: Final = 1200.0
"""The first start reads some 15 GB and compiles; later ones take about a minute."""
LOOK_S: Final = 0.2
CLOSE_S: Final = 0.3
MAX_CONTEXT_TOKENS: Final = 8192
LOOPBACK: Final = "127.0.0.1"
ENVIRONMENT: Final = {"VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}
"""It tells nobody that it is used."""
SEEN: Final = "CUDA_VISIBLE_DEVICES"
IN_ORDER: Final = "PCI_BUS_ID"


@dataclass(frozen=True, slots=True)
class Served:
    """What vLLM is to serve."""

    model: str
    """A repository of the hub, or a folder."""
    gpu_share: float
    """Of a GPU's memory, for weights and caches."""
    log: Path
    """What it prints is added here."""
    program: str = "vllm"


class Vllm(OpenAIServer):
    """LanguageModel served by a child process. Arguments: docs.vllm.ai, `vllm serve`."""

    name = "vllm"
    starts_slowly = True

    def __init__(self, served: Served, *, threads: int = 1, device: str = "cpu") -> None:
        """`device`: the graphics card it is to see, such as 'cuda:0'; 'cpu': whatever it finds."""
        super().__init__(Server(f"http://{LOOPBACK}/v1"), threads=threads)
        self._served = served
        self._device = device
        self._child: Child | None = None

    @property
    def info(self) -> EngineInfo:
        licence = "Apache-2.0 (vLLM); the model has its own"
        return EngineInfo("language_model", self.name, self._served.model, licence)

    def load(self) -> None:
        """Start it where it does not run, and wait until it answers. One that runs and can not
        answer is started anew: its engine may have died, and its server not."""
        before = self._child
        try:
            self._serve()
        except EngineFailed:
            if before is None or self._child is not before:
                raise
            self._child = None
            before.end(CLOSE_S)
            self._serve()

    def _serve(self) -> None:
        ours = self._child is None
        child = self._child = self._child or self._start()
        deadline = time.monotonic() + READY_S
        while not self._healthy():
            if child.status is not None:
                self._child = None
                child.end()
                if ours:
                    said = child.last_line()
                    raise EngineFailed(f"vLLM ended with status {child.status}: {said}"[:300])
                ours = True  # the one there was died some time ago
                child = self._child = self._start()
            if time.monotonic() > deadline:
                raise EngineFailed(
                    f"vLLM was not ready after {READY_S:g} s; see {self._served.log}"
                )
            time.sleep(LOOK_S)
        super().load()

    def close(self) -> None:
        super().close()
        child, self._child = self._child, None
        if child is not None:
            child.end(CLOSE_S)

    def _start(self) -> Child:
        served = self._served
        program = shutil.which(served.program)
        if program is None:
            raise EngineFailed(
                f"vLLM's program {served.program!r} is not installed: install vLLM in an "
                "environment of its own, and name its program in vllm.program"
            )
        port, key = _free_port(), secrets.token_urlsafe(32)
        self._use(Server(f"http://{LOOPBACK}:{port}/v1", key=key))
        command = [program, "serve", served.model, "--host", LOOPBACK, "--port", str(port)]
        command += ["--max-model-len", str(MAX_CONTEXT_TOKENS), "--enable-prefix-caching"]
        command += ["--gpu-memory-utilization", f"{served.gpu_share:.2f}"]
        try:
            return Child(command, served.log, ENVIRONMENT | {"VLLM_API_KEY": key} | self._sees())
        except OSError as error:
            raise EngineFailed(f"vLLM's log {served.log} can not be written: {error}") from error

    def _sees(self) -> dict[str, str]:
        if self._device == "cpu":
            return {}
        card = int(self._device.removeprefix("cuda:"))
        ours = os.environ.get(SEEN, "")
        return {SEEN: ours.split(",")[card] if ours else str(card), "CUDA_DEVICE_ORDER": IN_ORDER}

    def _healthy(self) -> bool:
        try:
            ask(f"{self._url}/models", key=self._server.key, within_s=LOOK_S * 5)
        except Refused as error:
            return error.status in (401, 403)  # somebody else's: `load` says so
        except EngineFailed:
            return False
        return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port
