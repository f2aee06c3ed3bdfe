from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from goassist_desktop.pipeline.engines import REGISTRY, create
from goassist_desktop.pipeline.engines.coqui import Studio
from goassist_desktop.pipeline.engines.kyutai_server import Kyutai
from goassist_desktop.pipeline.engines.openai_server import Server
from goassist_desktop.pipeline.engines.pocket_tts import Pocket
from goassist_desktop.pipeline.engines.vllm import Served
from goassist_desktop.pipeline.errors import ConfigError

SOURCES = {
    "audio2face-service": "localhost:52000",
    "deepgram": "wss://localhost",
    "pocket-tts": Pocket("python", Path("nowhere"), "alba", Path("nowhere") / "log"),
    "kyutai-server": Kyutai("ws://localhost:8080"),
    "openai-server": Server("http://localhost:8000/v1"),
    "xtts": Studio("python", Path("nowhere"), "Ana Florence", "en", True, Path("nowhere") / "log"),
    "vllm": Served("Qwen/Qwen2.5-7B-Instruct", 0.5, Path("nowhere") / "vllm.log"),
}


@pytest.mark.parametrize(
    ("stage", "name"), [(stage, name) for stage, names in REGISTRY.items() for name in names]
)
def test_every_engine_can_be_made_and_says_what_it_is(stage: str, name: str) -> None:
    info = create(stage, name, SOURCES.get(name, Path("nowhere")), threads=1).info
    assert (info.stage, info.name) == (stage, name)
    assert info.licence
    assert not info.stand_in


def test_an_unknown_engine_is_refused_with_what_is_allowed() -> None:
    with pytest.raises(ConfigError, match=r"recognition: unknown engine 'kaldi'; .*whisper"):
        create("recognition", "kaldi", Path("nowhere"), threads=1)
    with pytest.raises(ConfigError, match=r"unknown stage 'smell'; allowed: .*recognition"):
        create("smell", "dog", Path("nowhere"), threads=1)


def test_the_list_of_engines_imports_none_of_them() -> None:
    code = (
        "import sys, goassist_desktop.pipeline.engines\n"
        "heavy = {'onnxruntime', 'ctranslate2', 'faster_whisper', 'grpc', 'aiohttp'}\n"
        "heavy &= {*sys.modules}\n"
        "sys.exit(', '.join(heavy) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
