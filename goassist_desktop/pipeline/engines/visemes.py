"""What the mouth does for each sound: targets in blendshape weights, and how firmly they are held.

A posture is described by the weights of CHANNELS, which blend into each other, and by two SEALS,
which do not: lips that nearly close for a p, or a lip that nearly touches the teeth for an f, are
wrong. `posture` turns both into the 52 weights.

The openings are those of quiet conversation, not of an announcer: the lips of speakers part by 5
to 15 mm for an open vowel, and a whole unit of jawOpen parts them by 35 mm on our heads.
"""

# ruff: noqa: RUF001  (look-alike characters are what this is about)

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from goassist_desktop.pipeline import blendshapes
from goassist_desktop.pipeline.blendshapes import INDEX

Values = npt.NDArray[np.float32]

CHANNELS: Final = (
    "jawOpen", "mouthFunnel", "mouthPucker", "mouthStretch", "mouthSmile", "mouthLowerDown",
    "mouthUpperUp", "tongueOut",
)  # fmt: skip
"""A name without a side stands for both."""
OPENING: Final = np.array([name in ("jawOpen", "mouthLowerDown") for name in CHANNELS])
"""The channels that follow the loudness of the voice."""
SEALS: Final = ("lips", "lip and teeth")

JAW, LIPS, TONGUE = range(3)
ORGANS: Final = np.array([JAW, LIPS, LIPS, LIPS, LIPS, LIPS, LIPS, TONGUE])
"""Which organ moves each channel."""

PRESS, SHRUG = 0.12, 0.16
ROLL_LOWER, ROLL_UPPER = 0.10, 0.08
"""Of closed lips: a little pressed, the lower one pushed up, the red of them a little turned in."""
TUCK_ROLL, TUCK_SHRUG, TUCK_UPPER, TUCK_LIFT = 0.38, 0.16, 0.30, 0.4
"""Of the lower lip at the upper teeth: turned in, pushed up, the upper lip raised off it, and the
share of the jaw's opening that the lip makes up for."""


@dataclass(frozen=True, slots=True)
class Viseme:
    """The mouth of one sound."""

    target: Values
    """Weights of CHANNELS, (8,)."""
    hold: tuple[float, float, float]
    """How firmly jaw, lips and tongue keep to the target beside their neighbours; a vowel has 1.

    The alpha of Cohen and Massaro, "Modeling coarticulation in synthetic visual speech" (1993)."""
    seal: str = ""
    """One of SEALS, or none."""


def _viseme(jaw: float, lips: float, tongue: float = 0.3, seal: str = "", **to: float) -> Viseme:
    values = np.array([to.pop(name.removeprefix("mouth"), 0.0) for name in CHANNELS], np.float32)
    assert not to, f"no such channels: {to}"
    return Viseme(values, (jaw, lips, tongue), seal)


_VISEMES: Final = {
    # vowels, from open to close
    "a ɶ": _viseme(1.0, 0.9, jawOpen=0.46, LowerDown=0.22, UpperUp=0.06),
    "ɑ ɒ": _viseme(1.0, 1.0, jawOpen=0.46, Funnel=0.04, LowerDown=0.16, UpperUp=0.03),
    "æ": _viseme(1.0, 1.0, jawOpen=0.42, Stretch=0.16, Smile=0.06, LowerDown=0.26, UpperUp=0.10),
    "ʌ ɐ": _viseme(0.9, 0.8, jawOpen=0.34, LowerDown=0.16, UpperUp=0.04),
    "ɛ œ": _viseme(1.0, 0.9, jawOpen=0.32, Stretch=0.14, Smile=0.05, LowerDown=0.22, UpperUp=0.07),
    "e ø": _viseme(1.0, 1.0, jawOpen=0.26, Stretch=0.20, Smile=0.08, LowerDown=0.22, UpperUp=0.07),
    "ɔ": _viseme(1.0, 1.4, jawOpen=0.32, Funnel=0.24, Pucker=0.16, LowerDown=0.06),
    "o ɤ": _viseme(1.0, 1.6, jawOpen=0.24, Funnel=0.24, Pucker=0.34, LowerDown=0.04),
    "ɜ ɝ ɚ": _viseme(0.9, 1.0, jawOpen=0.20, Funnel=0.12, Pucker=0.12, LowerDown=0.12),
    "ə ᵊ ɘ ɵ": _viseme(0.5, 0.4, jawOpen=0.18, LowerDown=0.12, UpperUp=0.02),
    "ɪ ᵻ ɨ": _viseme(
        0.8, 0.8, jawOpen=0.17, Stretch=0.18, Smile=0.06, LowerDown=0.20, UpperUp=0.06
    ),
    "i": _viseme(1.0, 1.2, jawOpen=0.12, Stretch=0.28, Smile=0.12, LowerDown=0.22, UpperUp=0.08),
    "ʊ": _viseme(0.9, 1.6, jawOpen=0.15, Funnel=0.20, Pucker=0.38),
    "u ɯ y ʏ": _viseme(1.0, 1.8, jawOpen=0.11, Funnel=0.18, Pucker=0.56),
    # consonants, from the lips to the throat
    "p b m": _viseme(1.4, 0.2, seal="lips", jawOpen=0.04),
    "ɸ β": _viseme(1.2, 0.8, jawOpen=0.05, Pucker=0.12),
    "f v ɱ ʋ": _viseme(1.4, 0.5, seal="lip and teeth", jawOpen=0.08, Stretch=0.04),
    "w ʍ ɥ": _viseme(1.0, 2.6, jawOpen=0.10, Funnel=0.18, Pucker=0.62),
    "θ ð": _viseme(1.2, 0.5, 1.5, jawOpen=0.15, LowerDown=0.20, UpperUp=0.06, tongueOut=0.42),
    "s z ʦ ʣ": _viseme(1.5, 0.7, 0.6, jawOpen=0.04, Stretch=0.14, LowerDown=0.26, UpperUp=0.10),
    "ʃ ʒ ʧ ʤ ɕ ʑ ʂ ʐ ʨ ʥ": _viseme(
        1.4, 1.7, jawOpen=0.04, Funnel=0.26, Pucker=0.22, LowerDown=0.10, UpperUp=0.06
    ),
    "t d n ʈ ɖ ɳ": _viseme(
        0.8, 0.25, 0.8, jawOpen=0.11, LowerDown=0.16, UpperUp=0.04, tongueOut=0.10
    ),
    "l ɫ ɬ ɮ ɭ ɺ": _viseme(0.7, 0.3, 1.0, jawOpen=0.17, LowerDown=0.16, tongueOut=0.18),
    "ɾ T r ɽ": _viseme(0.4, 0.1, 0.6, jawOpen=0.14, LowerDown=0.12, tongueOut=0.08),
    "ɹ ɻ": _viseme(0.6, 1.1, jawOpen=0.14, Funnel=0.18, Pucker=0.22, LowerDown=0.06),
    "j ʝ ç ɲ ʎ ɟ c": _viseme(0.7, 0.6, jawOpen=0.12, Stretch=0.20, Smile=0.06, LowerDown=0.16),
    "k ɡ g ŋ x ɣ ɰ q ɢ ɴ χ ʁ": _viseme(0.5, 0.15, jawOpen=0.15, LowerDown=0.12),
    "h ɦ ħ ʕ ʔ": _viseme(0.12, 0.08, jawOpen=0.16, LowerDown=0.08),
}
_OF: Final = {symbol: viseme for symbols, viseme in _VISEMES.items() for symbol in symbols.split()}
UNKNOWN: Final = _OF["ə"]
"""For symbols nobody told us of: a little open, giving way to its neighbours."""
_FIRST_HALF = 0.6
"""How long a diphthong stays with its first vowel, before it glides to the second."""


def visemes(symbol: str) -> list[tuple[Viseme, float]]:
    """The mouth of a symbol of the IPA: in one step, or in several with the share of each.

    Marks of length, stress and fine quality say nothing of the lips and are passed over.
    """
    plain = "".join(c for c in unicodedata.normalize("NFD", symbol) if c in _OF)
    if len(plain) == 2:
        return [(_OF[plain[0]], _FIRST_HALF), (_OF[plain[1]], 1 - _FIRST_HALF)]
    return [(_OF[c], 1 / len(plain)) for c in plain] or [(UNKNOWN, 1.0)]


def _columns(name: str) -> list[int]:
    return [INDEX[n] for n in (name, f"{name}Left", f"{name}Right") if n in INDEX]


_PLACES: Final = [_columns(name) for name in CHANNELS]


def posture(channels: Values, seals: Values) -> Values:
    """Weights (n, 52) from those of CHANNELS (n, 8) and how far each of SEALS is shut (n, 2).

    Closed lips stay together whatever the jaw does, and rounding passes through them.
    """
    lips, tuck = seals[:, 0], seals[:, 1] * (1 - seals[:, 0])
    weights = np.zeros((len(channels), blendshapes.COUNT), np.float32)

    def add(name: str, values: Values) -> None:
        for column in _columns(name):
            weights[:, column] += values

    for places, values in zip(_PLACES, channels.T, strict=True):
        weights[:, places] = values[:, np.newaxis]
    for name in ("mouthFunnel", "mouthLowerDown", "mouthUpperUp", "tongueOut"):
        weights[:, _columns(name)] *= (1 - lips)[:, np.newaxis]
    for name in ("mouthFunnel", "mouthLowerDown", "tongueOut"):
        weights[:, _columns(name)] *= (1 - tuck)[:, np.newaxis]
    jaw = channels[:, CHANNELS.index("jawOpen")]
    add("mouthClose", jaw * (lips + TUCK_LIFT * tuck))
    add("mouthPress", PRESS * lips)
    add("mouthRollLower", ROLL_LOWER * lips + TUCK_ROLL * tuck)
    add("mouthRollUpper", ROLL_UPPER * lips)
    add("mouthShrugLower", SHRUG * lips + TUCK_SHRUG * tuck)
    add("mouthUpperUp", TUCK_UPPER * tuck)
    return np.clip(weights, 0.0, 1.0)
