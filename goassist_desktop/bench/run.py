"""One run of a benchmark: what was measured, where and with what; kept in a file, and compared."""

from __future__ import annotations

import json
import math
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

from goassist_desktop.bench.figures import STATISTICS, Figure
from goassist_desktop.pipeline.errors import BadInput

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Run:
    """Figures in the order they are read."""

    kind: str
    machine: Mapping[str, str]
    """What the timings depend on: processor, cores, memory, Python."""
    models: Mapping[str, str]
    """Stage -> model."""
    figures: tuple[Figure, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """What the file holds."""
        return {
            "format": FORMAT,
            "kind": self.kind,
            "program": version("goassist-desktop"),
            "measured": datetime.now(UTC).isoformat(timespec="seconds"),
            "machine": dict(self.machine),
            "models": dict(self.models),
            "figures": [_figure_as_dict(figure) for figure in self.figures],
        }

    def differences(self, other: Run) -> list[str]:
        """What of machine and models is not the same, in words: it is in every ratio."""
        return [
            f"{key} was {theirs.get(key, 'unknown')}, is {ours.get(key, 'unknown')}"
            for ours, theirs in ((self.machine, other.machine), (self.models, other.models))
            for key in (*ours, *(k for k in theirs if k not in ours))
            if ours.get(key) != theirs.get(key)
        ]

    def ratios(self, other: Run) -> dict[str, float]:
        """Figure -> its median against the other's. Without those that have no such ratio."""
        medians = {(f.name, f.unit): f.median for f in other.figures}
        return {
            figure.name: figure.median / theirs
            for figure in self.figures
            if figure.median is not None and (theirs := medians.get((figure.name, figure.unit)))
        }


def this_machine() -> dict[str, str]:
    """Memory in whole GB: what the system keeps for itself differs from start to start."""
    return {
        "processor": _processor(),
        "cores": str(psutil.cpu_count(logical=False) or psutil.cpu_count() or 1),
        "memory": f"{psutil.virtual_memory().total / 1e9:.0f} GB",
        "Python": platform.python_version(),
    }


def _processor() -> str:
    """Its model name. `platform.processor` knows none on most Linux systems."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def read(path: Path, kind: str) -> Run:
    """A stored run of this kind. Raises BadInput, with the file named, for anything else."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror}") from error
    except ValueError as error:  # of the JSON, or of its encoding
        raise BadInput(f"{path}: not a stored run: {error}") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise BadInput(f'{path}: not a stored run: "format": {FORMAT} is missing')
    if content.get("kind") != kind:
        raise BadInput(f"{path}: a run of {content.get('kind')!r}, which is not {kind!r}")
    try:
        return Run(
            kind=kind,
            machine=_texts(content["machine"]),
            models=_texts(content["models"]),
            figures=tuple(_figure(entry) for entry in content["figures"]),
        )
    except KeyError as error:
        raise BadInput(f"{path}: not a stored run: {error} is missing") from error
    except (TypeError, ValueError, AttributeError) as error:
        raise BadInput(f"{path}: not a stored run: {error}") from error


def _figure_as_dict(figure: Figure) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": figure.name, "unit": figure.unit, "n": len(figure.values)}
    if figure.values:
        entry |= {statistic: figure.statistic(statistic) for statistic in STATISTICS}
    if figure.limits:
        entry |= {"limits": dict(figure.limits), "missed": list(figure.missed)}
    return entry | {"values": list(figure.values)}


def _figure(entry: Mapping[str, Any]) -> Figure:
    values: Sequence[float] = entry["values"]
    for value in values:
        if type(value) not in (int, float) or not math.isfinite(value):
            raise ValueError(f"{entry['name']}: {value!r} is not a number")
    return Figure(str(entry["name"]), str(entry["unit"]), tuple(values))


def _texts(entries: Mapping[str, str]) -> dict[str, str]:
    return {str(key): str(value) for key, value in entries.items()}
