"""One account of the graphics cards' memory: which engine computes on which card, and what it took.

Before anything is loaded it is foretold what each engine will need, and it gets a card with that
much room, or none. What it then really took is written down.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from goassist_desktop import gpus, weights
from goassist_desktop.config import Config
from goassist_desktop.gpus import DriverFailed, Gpu
from goassist_desktop.pipeline.engines import computes_on_cards
from goassist_desktop.supply.offers import model_names

logger = logging.getLogger(__name__)

RESERVED: Final = 4_000_000_000
"""Bytes of every card that are nobody's (SPEC): the screen, other programs, what libraries need in
between."""
WARN_FULL: Final = 0.9


def _of_whisper(weights: int) -> int:
    """As float16, as its files have it, with what it works in. On an H200 the tiny model took
    0.7 GB of 0.08, one of large-v3-turbo's shape 2.9 of 1.75."""
    return weights * 13 // 10 + 600_000_000


def _of_llama(weights: int) -> int:
    """With a cache of 8192 tokens, which takes from a tenth of the weights (7B) to a fifth (1.5B,
    14B), and what it works in. On an H200 the 1.5B took 2.3 GB of 1.1, one of the 7B's shape 6.0 of
    4.8."""
    return weights * 6 // 5 + 1_000_000_000


SMALL: Final = 2_500_000_000
"""What needs no more of a card than this may as well compute on the processor."""
XTTS: Final = 3_500_000_000
"""Of XTTS-v2: 1.9 GB of weights as float32, and what it works in. Not measured."""
PREDICTIONS: Final[Mapping[str, Callable[[int], int]]] = {
    "whisper": _of_whisper,
    "llama-cpp": _of_llama,
}
"""Engine -> from the bytes of its weights to those of a card that it will need."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where an engine is to compute."""

    device: str = "cpu"
    """Or a card: 'cuda:0'."""
    needs: int = 0
    """Bytes of the card, as foretold."""
    refused: str = ""
    """Why it should not be loaded at all; empty where it may."""


PROCESSOR: Final = Place()


def room(card: Gpu) -> int:
    """Bytes that may still be taken."""
    return card.total - RESERVED - card.used


def placed(needs: Mapping[str, int], cards: Sequence[Gpu]) -> dict[str, int]:
    """Stage -> card, by index. The one that needs most chooses first, and takes the card with the
    most room; a stage that finds none with enough is not in it."""
    free = {card.index: room(card) for card in cards}
    found = {}
    for stage, need in sorted(needs.items(), key=lambda item: -item[1]):
        best = max(free, key=free.__getitem__, default=None)
        if best is not None and free[best] >= need:
            free[best] -= need
            found[stage] = best
    return found


def plan(config: Config, cards: Sequence[Gpu]) -> dict[str, Place]:
    """Stage -> place, for the chosen engines that could use a card. One that finds no room computes
    on the processor, but for those that are too slow there. The models need not be here yet."""
    needs = {
        stage: PREDICTIONS[name](weights.model(model).size)
        for stage, model in model_names(config).items()
        if cards
        and (name := getattr(config.engines, stage)) in PREDICTIONS
        and computes_on_cards(stage, name, config.recognition.device)
    }
    if config.engines.language_model == "vllm" and cards:
        needs["language_model"] = int(config.vllm.gpu_share * max(card.total for card in cards))
    if config.engines.synthesis == "xtts" and cards:
        needs["synthesis"] = XTTS
    on = placed(needs, cards)
    return {stage: _place(need, on.get(stage), cards) for stage, need in needs.items()}


def _place(need: int, card: int | None, cards: Sequence[Gpu]) -> Place:
    if card is not None:
        return Place(f"cuda:{card}", need)
    if need <= SMALL:
        return PROCESSOR
    most = max(0, *map(room, cards))
    return Place(
        refused=f"it needs {need / 1e9:.1f} GB of a graphics card's memory, of which "
        f"{most / 1e9:.1f} GB are free beside the {RESERVED / 1e9:g} GB that are kept"
    )


def cards() -> list[Gpu]:
    """Those there are; none, and a line in the log, where the driver is broken."""
    try:
        return gpus.look()
    except DriverFailed as error:
        _tell_once(str(error))
        return []


@lru_cache(maxsize=8)
def _tell_once(fault: str) -> None:
    logger.warning("graphics card: %s", fault)


class Account:
    """What the engines took of the cards. From any thread."""

    def __init__(self, look: Callable[[], Sequence[Gpu]] = cards) -> None:
        self._look = look
        self._loading = threading.Lock()
        self.took: dict[str, int] = {}
        """Stage -> bytes of its card."""

    @contextmanager
    def taking(self, stage: str, place: Place) -> Iterator[None]:
        """While an engine is loaded. Those of cards are loaded one after the other: who took what
        could not be told otherwise."""
        if place.device == "cpu":
            yield
            return
        with self._loading:
            before = self._used(place)
            yield
            self.took[stage] = took = self._used(place) - before
        logger.info(
            "%s took %.1f GB of %s, %.1f GB foretold",
            stage,
            took / 1e9,
            place.device,
            place.needs / 1e9,
        )

    def _used(self, place: Place) -> int:
        index = int(place.device.removeprefix("cuda:"))
        return next((card.used for card in self._look() if card.index == index), 0)
