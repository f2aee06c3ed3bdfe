"""The models on this machine: where they are, whether they are whole, and how to get them.

A model is a folder of files, `<models folder>/<name>/<file>`, each pinned by size and sha256 in
models/manifest.toml. Nothing but `pull` writes there, and an engine never downloads.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

from goassist_desktop.pipeline.errors import BadInput, ModelMissing
from goassist_desktop.supply import manifest
from goassist_desktop.supply.manifest import Model, ModelFile
from goassist_desktop.supply.partial import sha256

if TYPE_CHECKING:
    from goassist_desktop.supply.pull import Progress

_CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")


def models_dir() -> Path:
    """The models folder: GOASSIST_MODELS_DIR, else `models` in the platform's data folder."""
    chosen = os.environ.get("GOASSIST_MODELS_DIR")
    if chosen:
        return Path(chosen).expanduser()
    return Path(platformdirs.user_data_dir("goassist", appauthor=False)) / "models"


def memory_bytes() -> int:
    """Memory this program may use: the machine's, or its container's limit where lower."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        limit = _CGROUP_LIMIT.read_text().strip()
    except OSError:
        return total
    return min(total, int(limit)) if limit.isdecimal() else total


def model(name: str) -> Model:
    """The manifest's entry. Raises BadInput naming the models there are."""
    return manifest.load().model(name)


def profile(name: str) -> tuple[Model, ...]:
    """The models of a profile on this machine; 'all' has every model.

    Raises BadInput naming the profiles there are.
    """
    return manifest.load().profile(name, memory_bytes())


def path(name: str) -> Path:
    """The folder of a model whose files are all there with their right sizes.

    A cheap check, made at every start; `verify` compares the contents. Raises ModelMissing with
    the command that mends it, BadInput for a name the manifest does not have.
    """
    entry = model(name)
    folder = models_dir() / name
    for file in entry.files:
        fault = _size_fault(folder / file.name, file)
        if fault:
            raise ModelMissing(
                f"model {name}: {folder / file.name} {fault}; run: goassist models pull {name}"
            )
    return folder


def verify(names: Iterable[str], progress: Callable[[int], None] | None = None) -> dict[str, str]:
    """Read every file of the models and compare its sha256: {'<model>/<file>': fault}.

    Empty when all is well. `progress` is called with the number of bytes read since last time.
    """
    faults = {}
    for name in names:
        for file in model(name).files:
            target = models_dir() / name / file.name
            fault = _size_fault(target, file)
            if not fault and sha256(target, progress) != file.sha256:
                fault = "is damaged: its sha256 is not the manifest's"
            if fault:
                faults[f"{name}/{file.name}"] = fault
    return faults


def select(names: str | Iterable[str]) -> tuple[Model, ...]:
    """The models of profiles and of single names, each once. Raises BadInput saying what exists."""
    known = manifest.load()
    chosen: dict[str, Model] = {}
    for name in (names,) if isinstance(names, str) else names:
        if name not in known.profiles and name not in known.models:
            raise BadInput(
                f"'{name}' is neither a profile ({', '.join(known.profiles)}) "
                f"nor a model ({', '.join(known.models)})"
            )
        models = profile(name) if name in known.profiles else (known.model(name),)
        chosen |= {model.name: model for model in models}
    return tuple(chosen.values())


def pull(
    names: str | Iterable[str],
    *,
    source: Path | None = None,
    progress: Callable[[Progress], None] | None = None,
    say: Callable[[str], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> None:
    """Make the models of profiles, or single ones, whole; `source` is a folder to import from.

    Raises BadInput for unknown names, PullFailed naming what could not be had and why,
    PullCancelled once `cancelled()` is true. See supply.pull.
    """
    from goassist_desktop.supply.pull import Pull

    models = select(names)
    Pull(models_dir(), source=source, progress=progress, say=say, cancelled=cancelled).run(models)


def _size_fault(target: Path, file: ModelFile) -> str | None:
    try:
        size = target.stat().st_size
    except OSError:
        return "is missing"
    return None if size == file.size else f"is damaged: {size} bytes in place of {file.size}"
