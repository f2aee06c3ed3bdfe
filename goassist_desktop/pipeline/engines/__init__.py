"""Engines by stage and name. A module is imported when its engine is chosen, not before."""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any

from goassist_desktop.pipeline.errors import ConfigError

# Where cores are shared, OpenMP's threads burn their time waiting for each other: beside two busy
# processes the language model made 1 to 7 tokens a second instead of 9. Read when the first library
# with OpenMP is loaded, that is after this; it costs nothing on idle cores.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

_HERE = "goassist_desktop.pipeline.engines"

REGISTRY: dict[str, dict[str, str]] = {
    "voice_activity": {"silero": f"{_HERE}.silero:Silero"},
    "turn_detection": {"smart-turn": f"{_HERE}.smart_turn:SmartTurn"},
    "recognition": {
        "whisper": f"{_HERE}.whisper:Whisper",
        "moonshine": f"{_HERE}.moonshine:Moonshine",
        "deepgram": f"{_HERE}.deepgram:Deepgram",
    },
    "language_model": {
        "llama-cpp": f"{_HERE}.llama_cpp:LlamaCpp",
        "openai-server": f"{_HERE}.openai_server:OpenAIServer",
        "vllm": f"{_HERE}.vllm:Vllm",
    },
    "synthesis": {
        "hibari": f"{_HERE}.hibari:HibariVoice",
        "kokoro": f"{_HERE}.kokoro:Kokoro",
        "kyutai-server": f"{_HERE}.kyutai_server:KyutaiServer",
        "piper": f"{_HERE}.piper:Piper",
        "pocket-tts": f"{_HERE}.pocket_tts:PocketTts",
        "xtts": f"{_HERE}.xtts:Xtts",
    },
    "face": {
        "lipsync": f"{_HERE}.lipsync:LipSync",
        "audio2face": f"{_HERE}.audio2face:Audio2Face",
        "audio2face-service": f"{_HERE}.audio2face_service:Audio2FaceService",
        "lam": f"{_HERE}.lam:Lam",
    },
}
"""stage -> name -> "module:Class"."""


def create(stage: str, name: str, source: Any, *, threads: int, **options: str) -> Any:
    """The engine `name` of `stage`, not yet loaded. `source`: the folder of its files, or where
    else its model is, as its constructor says; `options`: what this engine alone is told.

    What comes back meets the stage's Protocol. Raises ConfigError naming what is allowed.
    """
    engines = REGISTRY.get(stage)
    if engines is None:
        raise ConfigError(f"unknown stage {stage!r}; allowed: {', '.join(REGISTRY)}")
    where = engines.get(name)
    if where is None:
        raise ConfigError(f"{stage}: unknown engine {name!r}; allowed: {', '.join(engines)}")
    module, _, cls = where.partition(":")
    return getattr(import_module(module), cls)(source, threads=threads, **options)


def computes_on_cards(stage: str, name: str, device: str = "auto") -> bool:
    """Whether what is installed for an engine can use a graphics card; `device` is what is wanted
    of Whisper. The engine's module has a function of this name."""
    module, _, _ = REGISTRY[stage][name].partition(":")
    able: bool = import_module(module).computes_on_cards(device)
    return able
