"""The models there are for this machine, in words: what each is for, whether it fits, and whether
it is here; and which of them a configuration uses.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import Final, Literal

from goassist_desktop import weights
from goassist_desktop.config import Config
from goassist_desktop.pipeline.errors import ModelMissing
from goassist_desktop.supply import manifest
from goassist_desktop.supply.manifest import Model
from goassist_desktop.supply.partial import STAGING, partial_path

STAGES: Final = {
    "recognition": "Understands what you say",
    "language_model": "Thinks of the answer",
    "synthesis": "Speaks",
    "voice_activity": "Notices that somebody speaks",
    "turn_detection": "Knows when you have finished",
}
"""Stage -> what it does for the user, the most interesting first."""

_LICENCES: Final = {
    "MIT": "Free for everyone and everything.",
    "BSD-2-Clause": "Free for everyone and everything.",
    "Apache-2.0": "Free for everyone and everything.",
    "CC0-1.0": "Free for everyone and everything.",
}
_NON_COMMERCIAL: Final = ("-NC", "NON-COMMERCIAL", "NONCOMMERCIAL", "CPML", "RESEARCH")

BESIDE_MODELS_BYTES: Final = 700_000_000
"""Memory of the program itself: the interpreter, the runtimes and their working buffers."""
_WELL: Final = 0.6
_TIGHT: Final = 0.9
"""Shares of the memory that may be used up to which it fits well, or at all."""

REMOVAL_FAILED: Final = "it can not be removed"

State = Literal["here", "missing", "damaged", "partial"]
Fit = Literal["well", "tight", "memory", "disk"]
"""The last two: there is not enough of it."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A model, as this machine sees it."""

    model: Model
    state: State
    in_use: bool
    fetched: int
    """Bytes that are here already."""
    memory: int
    """Bytes the whole program needs with it."""
    fit: Fit


def model_names(config: Config) -> dict[str, str]:
    """Stage -> model: the chosen one, else the profile's, else the first the engine can read. A
    stage whose engine has its model elsewhere, as a server has, is not in it."""
    profile = {model.stage: model for model in weights.profile(config.profile)}
    names = {}
    for stage in profile:
        engine = getattr(config.engines, stage)
        name = getattr(config.models, stage, "") or _usual(profile[stage], engine)
        if name:
            names[stage] = name
    return names


def _usual(usual: Model, engine: str) -> str:
    """The profile's model of a stage, or the first that another engine can read; "" for none."""
    if usual.engine == engine:
        return usual.name
    known = manifest.load().models.values()
    return next((m.name for m in known if (m.stage, m.engine) == (usual.stage, engine)), "")


def spare(config: Config, stage: str, *, on_processor: bool = True) -> Model | None:
    """The model that takes over where the chosen engine of a stage fails: the profile's, or else
    the smallest that is here; None where there is none for another engine.

    Where the chosen one computes on a graphics card, a smaller one for the same engine will do.
    """
    engine, chosen = getattr(config.engines, stage), model_names(config).get(stage, "")
    [usual] = (model for model in weights.profile(config.profile) if model.stage == stage)
    known = [model for model in manifest.load().models.values() if model.stage == stage]
    for model in (usual, *sorted(known, key=lambda model: model.size)):
        other = model.engine != engine
        if not (other or on_processor or model.name == chosen):
            other = model.size < weights.model(chosen).size
        if other and state(model)[0] == "here":
            return model
    return None


def using(config: Config, name: str) -> dict[str, str]:
    """The settings that make a configuration use a model: {'models.recognition': …, …}.

    Where the profile has it anyway the setting is emptied, so that it follows the profile.
    """
    model = weights.model(name)
    engine = f"engines.{model.stage}"
    if not hasattr(config.models, model.stage):
        return {engine: model.engine}
    usual = {usual.name for usual in weights.profile(config.profile)}
    return {engine: model.engine, f"models.{model.stage}": "" if name in usual else name}


def offers(config: Config) -> list[Offer]:
    """Every model of the manifest, by stage. A few dozen questions to the file system."""
    used = model_names(config)
    known = manifest.load().models.values()
    in_order = sorted(known, key=lambda model: [*STAGES].index(model.stage))
    return [_offer(model, used) for model in in_order]


def missing(config: Config) -> list[Model]:
    """The models of a configuration that are not here, or not whole by the size of their files."""
    return [model for model in _used(config) if state(model)[0] != "here"]


def to_fetch(config: Config) -> list[Model]:
    """What to get where a model is missing or damaged: all of them where none seems so, for the
    fault is inside one, which getting it finds and mends."""
    return missing(config) or _used(config)


def _used(config: Config) -> list[Model]:
    return [weights.model(name) for name in model_names(config).values()]


def _offer(model: Model, used: dict[str, str]) -> Offer:
    now, fetched = state(model)
    memory = BESIDE_MODELS_BYTES + sum(
        weights.model(name).size for name in (used | {model.stage: model.name}).values()
    )
    return Offer(
        model=model,
        state=now,
        in_use=model.name in used.values(),
        fetched=fetched,
        memory=memory,
        fit=fit(memory, model.min_memory_gb * 1e9, model.size - fetched),
    )


def fit(memory: int, comfortable: float, to_fetch: int) -> Fit:
    """Whether the program with a model fits this machine. All in bytes; below `comfortable` of
    memory the model's authors would not run it."""
    has = weights.memory_bytes()
    if memory > _TIGHT * has:
        return "memory"
    if to_fetch > disk_free_bytes():
        return "disk"
    return "well" if memory <= _WELL * has and has >= comfortable else "tight"


def disk_free_bytes() -> int:
    """Room where the models lie."""
    folder = weights.models_dir()
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


def state(model: Model) -> tuple[State, int]:
    """Whether a model is here, by the size of its files, and its bytes that are."""
    folder, staging = weights.models_dir() / model.name, weights.models_dir() / STAGING
    fetched = 0
    for file in model.files:
        for path in (folder / file.name, partial_path(staging, file)):
            if path.is_file() and path.stat().st_size <= file.size:
                fetched += path.stat().st_size
                break
    try:
        weights.path(model.name)
    except ModelMissing as fault:
        if "damaged" in str(fault):
            return "damaged", fetched
        return ("partial" if fetched else "missing"), fetched
    return "here", model.size


def remove(name: str) -> None:
    """Delete a model, and what was begun of it. Raises OSError."""
    model = weights.model(name)
    staging = weights.models_dir() / STAGING
    for file in model.files:
        partial_path(staging, file).unlink(missing_ok=True)
    folder = weights.models_dir() / name
    if folder.exists():
        shutil.rmtree(folder)


# -- in words --------------------------------------------------------------------------------------


def licence_in_words(licence: str) -> str:
    """What a licence means for whoever uses the model, in a sentence."""
    if any(mark in licence.upper() for mark in _NON_COMMERCIAL):
        return "For private use only, not for work or business."
    return _LICENCES.get(licence, "Read its licence before you use it at work.")


def size_in_words(count: float) -> str:
    """Bytes as people say them: '8 MB', '1.1 GB'."""
    if count < 1e9:
        return f"{max(count / 1e6, 1):.0f} MB"
    return f"{count / 1e9:.1f} GB"


def time_in_words(seconds: float) -> str:
    if seconds < 60:
        return "less than a minute left"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"about {minutes} min left"
    return f"about {minutes / 60:.1f} h left"


def failure_in_words(fault: str) -> str:
    """What kept a model from coming, in a sentence or two; the supply's own words are long."""
    if fault.startswith("disk full"):
        return "The disk is full. Free some space, then try again."
    if fault.startswith(REMOVAL_FAILED):
        return "It could not be removed."
    if "Permission denied" in fault or "Read-only file system" in fault:
        return "Nothing can be written to the folder of the models."
    if "was refused" in fault:
        return "What came was not the right file, and was thrown away. Try again later."
    if "can not be reached" in fault or "cut off" in fault or "pip:" in fault or "npm" in fault:
        return "It could not be fetched. Check the connection to the internet, then try again."
    return "It could not be fetched. Try again later."
