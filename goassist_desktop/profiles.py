"""The profiles: which models a machine with so much graphics memory is best served by.

The models of each are in models/manifest.toml; a profile is a setting like any other, and what is
set beside it stands.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from goassist_desktop.gpus import Gpu


@dataclass(frozen=True, slots=True)
class Profile:
    """What runs where, and what to expect of it."""

    name: str
    card_gb: float
    """Memory of the one card it needs, in 10^9 bytes; 0: none."""
    where: str
    expect: str
    settings: Mapping[str, str] = field(default_factory=dict)
    """What is to be set beside it."""


PROFILES: Final = (
    Profile(
        "embedded",
        0,
        "everything on the processor: Whisper tiny, a 1.5B model, Hibari",
        "answers begin after 0.6 to 0.9 s on two cores",
    ),
    Profile(
        "gpu-8g",
        7.5,
        "Whisper tiny and the 1.5B model on the card, the voice on the processor",
        "answers begin after 0.23 s and come with 280 tokens/s (measured on an H200)",
    ),
    Profile(
        "gpu-16g",
        15,
        "Whisper large-v3-turbo and a 7B model on the card, the voice on the processor",
        "answers begin after 0.23 s, with 200 tokens/s (measured on an H200, beside Whisper tiny)",
    ),
    Profile(
        "gpu-24g",
        23,
        "Whisper large-v3-turbo and a 14B model on the card, the voice on the processor",
        "not measured yet",
    ),
    Profile(
        "server",
        40,
        "Whisper large-v3-turbo and vLLM with a 7B model on the card, the voice on the processor",
        "not measured on a card yet",
        {"engines.language_model": "vllm"},
    ),
)
"""The smallest first."""


def fitting(cards: Sequence[Gpu]) -> Profile:
    """The best that the largest card can hold."""
    largest = max((card.total for card in cards), default=0) / 1e9
    return max(
        (one for one in PROFILES if one.card_gb <= largest), key=lambda profile: profile.card_gb
    )
