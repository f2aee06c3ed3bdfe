"""An export of LAM-Audio2Expression as `engines.lam` defines it, of a network whose face is known.

It hears how loud each thirtieth of a second is; the face of a frame is made from its own loudness,
that of LATER frames after it, and that of EARLIER frames before it.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper

from goassist_desktop.pipeline import blendshapes
from goassist_desktop.pipeline.frames import Samples
from tests.fakes.audio2face_files import FULL, model

WINDOW = 33_600
FRAMES = 63
EDGES = (0, 533, 1067, 1600)
"""Where three frames begin and the next one does, in samples."""
LATER, EARLIER = 5, 24

NAMES = tuple(sorted(blendshapes.NAMES, key=lambda name: name[::-1]))
"""In an order that is not ours."""
GAINS = {"jawOpen": (0.8, 0.0, 0.0), "mouthPucker": (0.0, 0.6, 0.0), "cheekPuff": (0.0, 0.0, 0.5)}
"""Of the three loudnesses."""


def weights_at(samples: Samples, frames: int) -> npt.NDArray[np.float64]:
    """(frames, 52) of (n,) samples at 16 kHz, in the order of `blendshapes.NAMES`."""
    padded = np.abs(np.pad(samples.astype(np.float64), (WINDOW, 2 * WINDOW)))

    def loud(frame: int) -> float:
        third, place = divmod(frame, 3)
        start = WINDOW + 1600 * third
        return float(padded[start + EDGES[place] : start + EDGES[place + 1]].mean()) / FULL

    faces = np.zeros((frames, blendshapes.COUNT))
    for frame, face in enumerate(faces):
        heard = [loud(frame), loud(frame + LATER), loud(frame - EARLIER)]
        for name, gains in GAINS.items():
            face[blendshapes.INDEX[name]] = np.dot(gains, heard)
    return np.clip(faces, 0.0, 1.0)


def write(folder: Path, *, frames: int = FRAMES, window: int = WINDOW) -> None:
    """Fill the folder; another number of frames or samples makes it an export of another kind."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "names.json").write_text(json.dumps(NAMES))
    ears = np.zeros((1600, 3))
    for column, begin, end in zip(ears.T, EDGES, EDGES[1:], strict=False):
        column[begin:end] = 1 / ((end - begin) * FULL)
    heard = window * 3 // 1600
    mixes = np.stack([np.eye(heard), np.eye(heard, k=LATER), np.eye(heard, k=-EARLIER)])
    gains = np.zeros((3, blendshapes.COUNT))
    for name, of_name in GAINS.items():
        gains[:, NAMES.index(name)] = of_name
    nodes = [
        helper.make_node("Abs", ["audio"], ["loud"]),
        helper.make_node("Reshape", ["loud", "thirds"], ["by_thirds"]),
        helper.make_node("MatMul", ["by_thirds", "ears"], ["near"]),
        helper.make_node("Reshape", ["near", "column"], ["loudness"]),
        helper.make_node("MatMul", ["mixes", "loudness"], ["heard"]),
        helper.make_node("Reshape", ["heard", "rows"], ["mixed"]),
        helper.make_node("Transpose", ["mixed"], ["turned"], perm=[1, 0]),
        helper.make_node("MatMul", ["turned", "gains"], ["faces"]),
        helper.make_node("Reshape", ["faces", "batch"], ["all"]),
        helper.make_node("Slice", ["all", "none", "some", "axis"], ["weights"]),
    ]
    network = model(
        nodes,
        {"audio": [1, window]},
        {"weights": [1, frames, blendshapes.COUNT]},
        {"ears": ears, "mixes": mixes, "gains": gains},
        {
            "thirds": [heard // 3, 1600],
            "column": [heard, 1],
            "rows": [3, heard],
            "batch": [1, heard, blendshapes.COUNT],
            "none": [0],
            "some": [frames],
            "axis": [1],
        },
    )
    onnx.save(network, folder / "lam_audio2expression.onnx")
