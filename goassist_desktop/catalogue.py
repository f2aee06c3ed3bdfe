"""Every engine there is: what a person may want to know before choosing it, and whether it can work
on this machine, and why not.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from goassist_desktop import log_file, weights
from goassist_desktop.config import Config
from goassist_desktop.pipeline.engines import REGISTRY, coqui
from goassist_desktop.pipeline.engines.coqui import Studio
from goassist_desktop.pipeline.engines.http_exchange import is_near
from goassist_desktop.pipeline.engines.pocket_tts import LICENCE, Pocket
from goassist_desktop.supply import manifest, offers
from goassist_desktop.supply.manifest import Model


@dataclass(frozen=True, slots=True)
class About:
    """An engine as a person may judge it before choosing it."""

    title: str
    needs: str
    """Of the machine."""
    model: str = ""
    """In the manifest; empty: the one the profile has for the stage."""
    licence: str = ""
    """Of what is not in the manifest; empty where a model of it is read."""
    package: str = ""
    """What must be importable for it, where that is not installed with this program."""


ENGINES: Final[Mapping[str, Mapping[str, About]]] = {
    "voice_activity": {"silero": About("Silero", "hardly anything")},
    "turn_detection": {"smart-turn": About("Smart Turn", "little of one core")},
    "recognition": {
        "whisper": About("Whisper", "two cores, 0.2 GB of memory"),
        "moonshine": About("Moonshine", "one core, 0.2 GB of memory", "moonshine-tiny-en"),
        "deepgram": About(
            "Deepgram, in the cloud",
            "a key of theirs and the internet: what you say leaves this machine",
            licence="Deepgram's terms of service",
        ),
    },
    "language_model": {
        "llama-cpp": About("llama.cpp", "as many cores as there are"),
        "openai-server": About(
            "A server of yours", "its address, below", licence="as its model says"
        ),
        "vllm": About(
            "vLLM, started by GoAssist",
            "an NVIDIA GPU with 20 GB, and vLLM in an environment of its own",
            licence="Apache-2.0",
        ),
    },
    "synthesis": {
        "hibari": About("Hibari", "little of one core"),
        "kokoro": About("Kokoro", "a fast core of its own, 0.5 GB of memory", "kokoro-82m"),
        "piper": About("Piper", "a fifth of one core, 0.2 GB of memory", "piper-joe"),
        "pocket-tts": About(
            "Pocket TTS by Kyutai",
            "two cores, 1 GB of memory, and pocket-tts in an environment of its own",
            licence=LICENCE,
        ),
        "kyutai-server": About(
            "A Kyutai server",
            "its address in kyutai.url",
            licence="CC-BY-4.0 (Kyutai's models)",
        ),
        "xtts": About(
            "XTTS-v2, started by GoAssist",
            "an NVIDIA GPU with 4 GB, and coqui-tts in an environment of its own",
            licence=coqui.LICENCE,
        ),
    },
    "face": {
        "lipsync": About("Built in", "hardly anything", licence="Apache-2.0"),
        "audio2face": About(
            "Audio2Face-3D",
            "its files, and several cores",
            licence="NVIDIA Open Model License",
        ),
        "audio2face-service": About(
            "Audio2Face-3D service",
            "a service on an NVIDIA GPU, here or on your network",
            licence="NVIDIA software licence",
            package="nvidia_audio2face_3d",
        ),
        "lam": About("LAM-Audio2Expression", "its files, and several cores", licence="Apache-2.0"),
        "none": About("Off: the mouth does not move", "nothing"),
    },
}
"""stage -> engine -> what it is. A test holds it against the registry."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An engine with one of the models it can read."""

    stage: str
    name: str
    title: str
    model: str
    """Of the manifest; empty where its model is elsewhere."""
    licence: str
    cloud: bool
    """Whether what is said leaves this network for it."""
    installed: bool
    """Whether its program is here."""
    available: bool
    """Whether it would work, as far as can be told without trying."""
    why: str
    """Why not; empty where it is available."""
    memory_bytes: int | None
    """For its model; None where that is not known, or not taken here."""
    needs: str
    in_use: bool
    """Whether the configuration has it."""


def entries(config: Config) -> Iterator[Entry]:
    """All of them, by stage. Looks at the file system, and at nothing else."""
    used = offers.model_names(config)
    for stage, names in REGISTRY.items():
        chosen = config.face.engine if stage == "face" else getattr(config.engines, stage)
        for name in names:
            models = [
                m for m in manifest.load().models.values() if (m.stage, m.engine) == (stage, name)
            ]
            for model in models or (None,):
                in_use = name == chosen and (model is None or used.get(stage) == model.name)
                yield _entry(config, stage, name, model, in_use=in_use)


def _entry(config: Config, stage: str, name: str, model: Model | None, *, in_use: bool) -> Entry:
    about = ENGINES[stage][name]
    absent = _absent(config, name, about)
    why = absent or (_without(model) if model is not None else _elsewhere(config, name))
    return Entry(
        stage=stage,
        name=name,
        title=about.title,
        model=model.name if model else "",
        licence=model.licence if model else about.licence,
        cloud=name == "deepgram" or _far(config, name),
        installed=not absent,
        available=not why,
        why=why,
        memory_bytes=model.size if model else None,
        needs=about.needs,
        in_use=in_use,
    )


def _absent(config: Config, name: str, about: About) -> str:
    """Why its program is not here; empty where it is."""
    if about.package and importlib.util.find_spec(about.package) is None:
        return f"the package {about.package} is not installed"
    if name == "vllm" and shutil.which(config.vllm.program) is None:
        return f"the program {config.vllm.program} is not installed"
    if name == "xtts":
        return studio(config).lacks()
    if name == "pocket-tts":
        return pocket(config).lacks()
    return ""


def _without(model: Model) -> str:
    state, _ = offers.state(model)
    if state == "here":
        return ""
    what = "is damaged" if state == "damaged" else "is not here"
    return f"its model {what}; run: goassist models pull {model.name}"


def _elsewhere(config: Config, name: str) -> str:
    """Of engines whose model is not in the manifest."""
    lacks = _LACKS.get(name)
    return lacks(config) if lacks else ""


def studio(config: Config) -> Studio:
    """Where XTTS-v2 is, in a configuration."""
    settings = config.xtts
    return Studio(
        settings.program,
        Path(settings.model).expanduser() if settings.model else weights.models_dir() / "xtts-v2",
        settings.speaker,
        settings.language,
        settings.licence_accepted,
        log_file.folder() / "xtts.log",
    )


def pocket(config: Config) -> Pocket:
    """Where Pocket TTS is, in a configuration."""
    settings = config.pocket
    usual = weights.models_dir() / "pocket-tts"
    return Pocket(
        settings.program,
        Path(settings.model).expanduser() if settings.model else usual,
        settings.voice,
        log_file.folder() / "pocket-tts.log",
    )


def _far(config: Config, name: str) -> bool:
    """Whether an engine's server is in another network."""
    urls = {"openai-server": config.language_server.url, "kyutai-server": config.kyutai.url}
    url = urls.get(name, "")
    return bool(url) and not is_near(url)


def _no_folder(name: str) -> Callable[[Config], str]:
    folder = weights.models_dir() / name
    return lambda config: "" if folder.is_dir() else f"its files are not in {folder}"


_LACKS: Final[Mapping[str, Callable[[Config], str]]] = {
    "openai-server": lambda config: (
        "" if config.language_server.url else "language_server.url names no server"
    ),
    "deepgram": lambda config: (
        ""
        if config.recognition.deepgram_key or os.environ.get("DEEPGRAM_API_KEY")
        else "recognition.deepgram_key is empty"
    ),
    "kyutai-server": lambda config: "" if config.kyutai.url else "kyutai.url names no server",
    "pocket-tts": lambda config: (
        f"its file {missing} is not there" if (missing := pocket(config).missing()) else ""
    ),
    "xtts": lambda config: (
        f"its file {missing} is not there" if (missing := studio(config).missing()) else ""
    ),
    "audio2face": lambda config: _no_folder("audio2face-3d-v2.3-mark")(config),
    "lam": lambda config: _no_folder("lam-audio2expression")(config),
}
"""Engine -> what it lacks in a configuration; empty for nothing."""
