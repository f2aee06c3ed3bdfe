"""The 52 blendshapes of a face, as ARKit names them, and the pose they are part of.

Left and right are the person's own. Names, and the meaning of each, are those of Apple's
`ARFaceAnchor.BlendShapeLocation`; the order is that of Live Link Face.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from goassist_desktop.pipeline.frames import Weights

NAMES: Final = (
    "eyeBlinkLeft", "eyeLookDownLeft", "eyeLookInLeft", "eyeLookOutLeft", "eyeLookUpLeft",
    "eyeSquintLeft", "eyeWideLeft",
    "eyeBlinkRight", "eyeLookDownRight", "eyeLookInRight", "eyeLookOutRight", "eyeLookUpRight",
    "eyeSquintRight", "eyeWideRight",
    "jawForward", "jawRight", "jawLeft", "jawOpen",
    "mouthClose", "mouthFunnel", "mouthPucker", "mouthRight", "mouthLeft",
    "mouthSmileLeft", "mouthSmileRight", "mouthFrownLeft", "mouthFrownRight",
    "mouthDimpleLeft", "mouthDimpleRight", "mouthStretchLeft", "mouthStretchRight",
    "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper",
    "mouthPressLeft", "mouthPressRight", "mouthLowerDownLeft", "mouthLowerDownRight",
    "mouthUpperUpLeft", "mouthUpperUpRight",
    "browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight",
    "cheekPuff", "cheekSquintLeft", "cheekSquintRight", "noseSneerLeft", "noseSneerRight",
    "tongueOut",
)  # fmt: skip
INDEX: Final[Mapping[str, int]] = {name: index for index, name in enumerate(NAMES)}
COUNT: Final = len(NAMES)


@dataclass(frozen=True, slots=True, eq=False)
class Pose:
    """A face at one moment: what a renderer draws and a transport sends."""

    at_ms: float
    """Of the audio timeline: the sound heard then is the one this pose belongs to."""
    weights: Weights
    head: tuple[float, float, float]
    """Yaw (to the person's left), pitch (up) and roll (to their left shoulder), in degrees."""
    speaking: bool
    """Whether the reply is heard at this moment."""
    lag_ms: float = 0.0
    """How much older than its sound the mouth is, for want of a newer frame."""


def rest() -> Weights:
    """No blendshape at all: (52,) zeros."""
    return np.zeros(COUNT, np.float32)


def weights(**named: float) -> Weights:
    """Weights from names. A name without Left or Right stands for both: `mouthSmile=0.3`.

    Raises KeyError for a name there is none of.
    """
    found = rest()
    for name, value in named.items():
        for index in _indices(name):
            found[index] = value
    return found


def order_of(names: Iterable[str]) -> list[int | None]:
    """For each name of somebody else's list its place in NAMES; None for what we have not.

    First letters may be capital, as in Audio2Face and Live Link.
    """
    return [INDEX.get(name[:1].lower() + name[1:]) for name in names]


def _indices(name: str) -> tuple[int, ...]:
    if name in INDEX:
        return (INDEX[name],)
    return INDEX[f"{name}Left"], INDEX[f"{name}Right"]
