"""What the graphics cards of this machine can do for the program: asked of the driver and of what
is installed, so that it is known before gigabytes are downloaded.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from goassist_desktop import gpu_account, gpus, profiles
from goassist_desktop.config import Config
from goassist_desktop.finding import Finding
from goassist_desktop.gpus import DriverFailed, Gpu
from goassist_desktop.pipeline.engines import computes_on_cards, cuda_libraries
from goassist_desktop.pipeline.errors import EngineFailed

OLDEST_CUDA: Final = (12, 0)
"""That the libraries were built for."""


def examine(config: Config, pci: Path = Path("/sys/bus/pci/devices")) -> Iterator[Finding]:
    """None of it is needed: without a card everything computes on the processor."""
    try:
        cards, driver = gpus.look(), gpus.driver()
    except DriverFailed as error:
        yield Finding("GPU", "warn", f"the driver: {error}", "install the driver again, or restart")
        return
    if driver is None:
        if _has_nvidia(pci):
            yield Finding("GPU", "warn", "an NVIDIA GPU without its driver", "install the driver")
        else:
            yield Finding("GPU", "ok", "none; the models run on the processor")
        return
    version = ".".join(map(str, driver.cuda))
    names = ", ".join(
        f"{card.name} with {card.total / 1e9:.0f} GB, {100 * card.full:.0f} % used"
        for card in cards
    )
    found = f"{names or 'no card answers'}; driver {driver.version}, CUDA {version}"
    if driver.cuda < OLDEST_CUDA:
        remedy = f"the libraries need CUDA {OLDEST_CUDA[0]}: install a newer driver"
        yield Finding("GPU", "warn", found, remedy)
        return
    full = any(card.used > gpu_account.WARN_FULL * cap for card in cards if (cap := _cap(card)) > 0)
    remedy = "it is nearly full: close other programs that use it" if full else ""
    yield Finding("GPU", "warn" if full else "ok", found, remedy)
    if cards:
        yield from _places(config, cards)
        yield _profile(config, cards)


def _cap(card: Gpu) -> int:
    return card.total - gpu_account.RESERVED


def _places(config: Config, cards: Sequence[Gpu]) -> Iterator[Finding]:
    """Where the chosen engines will compute."""
    try:
        places = gpu_account.plan(config, cards)
    except EngineFailed as error:
        yield Finding("on the GPU", "fail", str(error))
        return
    for stage, place in places.items():
        what = f"{stage.replace('_', ' ')} on the GPU"
        if place.refused:
            remedy = "choose a smaller model, or close what uses the card"
            yield Finding(what, "fail", place.refused, remedy)
        elif place.device == "cpu":
            yield Finding(what, "ok", "no room there: it computes on the processor")
        else:
            found = f"card {place.device.removeprefix('cuda:')}, about {place.needs / 1e9:.1f} GB"
            yield Finding(what, "ok", found)
    for stage, (found, remedy) in _UNABLE.items():
        name = getattr(config.engines, stage)
        wanted = name in gpu_account.PREDICTIONS and stage not in places
        if wanted and not computes_on_cards(stage, name, config.recognition.device):
            if stage == "recognition":
                if config.recognition.device == "cpu":
                    continue
                found = found.format(", ".join(cuda_libraries.preload()) or "CUDA")
            yield Finding(f"{stage.replace('_', ' ')} on the GPU", "warn", found, remedy)


_UNABLE: Final = {
    "recognition": (
        "{} is not installed: Whisper computes on the processor",
        "install NVIDIA's cuBLAS for CUDA 12: pip install 'goassist-desktop[cuda]'",
    ),
    "language_model": (
        "llama.cpp was built without CUDA: it computes on the processor",
        "install it with CUDA: CMAKE_ARGS=-DGGML_CUDA=on pip install llama-cpp-python",
    ),
}
"""Stage -> what is missing where the chosen engine can not use a card, and what to do."""


def _profile(config: Config, cards: Sequence[Gpu]) -> Finding:
    """Whether the profile is the one for the largest card."""
    best = profiles.fitting(cards)
    if config.profile == best.name:
        return Finding("profile", "ok", f"{best.name}: {best.where}; {best.expect}")
    settings = {"profile": best.name, **best.settings}
    how = ", ".join(f"{key} = '{value}'" for key, value in settings.items())
    found = f"{config.profile}; this machine can do more: {best.where}; {best.expect}"
    return Finding("profile", "ok", found, f"set {how}: goassist doctor --choose-profile")


def _has_nvidia(pci: Path) -> bool:
    """Whether a display controller (PCI class 0x03) of NVIDIA (vendor 0x10de) is plugged in."""
    return any(
        (device / "vendor").read_text().strip() == "0x10de"
        and (device / "class").read_text().startswith("0x03")
        for device in (pci.iterdir() if pci.is_dir() else ())
    )
