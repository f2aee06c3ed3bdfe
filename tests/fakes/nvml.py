"""NVML with the cards of a test in it, in place of the driver's."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pynvml
import pytest

from goassist_desktop import gpus


@dataclass
class Card:
    name: str = "NVIDIA L4"
    total: int = 24_000_000_000
    used: int = 1_000_000_000
    busy: int | None = 0
    """Percent; None: it does not tell."""
    uuid: str = "GPU-0000"
    lost: bool = False


class Nvml:
    """What `gpus` asks of it. Names and errors are the real module's."""

    NVMLError = pynvml.NVMLError
    NVML_ERROR_LIBRARY_NOT_FOUND = pynvml.NVML_ERROR_LIBRARY_NOT_FOUND
    NVML_ERROR_DRIVER_NOT_LOADED = pynvml.NVML_ERROR_DRIVER_NOT_LOADED

    def __init__(self, *cards: Card, cuda: int = 12040, fault: int | None = None) -> None:
        self.cards, self.cuda, self.fault = list(cards), cuda, fault

    def nvmlInit(self) -> None:
        if self.fault is not None:
            raise pynvml.NVMLError(self.fault)

    def nvmlDeviceGetCount(self) -> int:
        return len(self.cards)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> Card:
        return self.cards[index]

    def nvmlDeviceGetMemoryInfo(self, card: Card) -> Any:
        if card.lost:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_GPU_IS_LOST)
        return SimpleNamespace(total=card.total, used=card.used)

    def nvmlDeviceGetName(self, card: Card) -> bytes:
        return card.name.encode()

    def nvmlDeviceGetUUID(self, card: Card) -> str:
        return card.uuid

    def nvmlDeviceGetUtilizationRates(self, card: Card) -> Any:
        if card.busy is None:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)
        return SimpleNamespace(gpu=card.busy)

    def nvmlSystemGetDriverVersion(self) -> str:
        return "550.54.15"

    def nvmlSystemGetCudaDriverVersion_v2(self) -> int:
        return self.cuda


def put_in(monkeypatch: pytest.MonkeyPatch, nvml: Nvml) -> Nvml:
    """From now on this is the driver."""
    monkeypatch.setattr(gpus, "pynvml", nvml)
    monkeypatch.setattr(gpus, "_started", False)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return nvml
