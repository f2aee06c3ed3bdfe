"""The models on this machine: where they are, whether they are whole, and how to get them.

A model is a folder of files, `<models folder>/<name>/<file>`, each pinned by size and sha256 in
models/manifest.toml. Nothing but `pull` writes there, and an engine never downloads.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable
from pathlib import Path

import platformdirs
import psutil

from goassist_desktop.pipeline.errors import ModelMissing
from goassist_desktop.supply import manifest
from goassist_desktop.supply.manifest import Model, ModelFile

_CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")
_BLOCK_BYTES = 1 << 20


def models_dir() -> Path:
    """The models folder: GOASSIST_MODELS_DIR, else `models` in the platform's data folder."""
    chosen = os.environ.get("GOASSIST_MODELS_DIR")
    if chosen:
        return Path(chosen).expanduser()
    return Path(platformdirs.user_data_dir("goassist", appauthor=False)) / "models"


def memory_bytes() -> int:
    """Memory this program may use: the machine's, or its container's limit where lower."""
    total = int(psutil.virtual_memory().total)
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


def sha256(target: Path, progress: Callable[[int], None] | None = None) -> str:
    """The file's sha256 in hexadecimal. `progress` gets the bytes read since last time."""
    digest = hashlib.sha256()
    with target.open("rb") as stream:
        while block := stream.read(_BLOCK_BYTES):
            digest.update(block)
            if progress:
                progress(len(block))
    return digest.hexdigest()


def _size_fault(target: Path, file: ModelFile) -> str | None:
    try:
        size = target.stat().st_size
    except OSError:
        return "is missing"
    return None if size == file.size else f"is damaged: {size} bytes in place of {file.size}"
