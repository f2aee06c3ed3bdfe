"""llama.cpp's own server as a process: what users start as `llama-server`.

    python llama_server.py serve MODEL --host HOST --port PORT …    (as vLLM is started)

A file MODEL is served under the key in VLLM_API_KEY. Options it does not know are left alone.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import xllamacpp


def main(words: list[str]) -> None:
    options = dict(zip(words[2::2], words[3::2], strict=False))
    model = Path(words[1])
    if not model.is_file():
        sys.exit(f"{model}: there is no such model")
    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(model)
    parameters.hostnames = [options["--host"]]
    parameters.port = int(options["--port"])
    parameters.api_keys = [os.environ["VLLM_API_KEY"]]
    parameters.n_ctx = 8192
    parameters.n_parallel = 2
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = 2
    parameters.warmup = parameters.ui = False
    server = xllamacpp.Server(parameters)
    print(server.listening_address, flush=True)
    signal.sigwait([signal.SIGTERM, signal.SIGINT])
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
