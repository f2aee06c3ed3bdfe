"""The face by LAM-Audio2Expression (aigc3d/LAM_Audio2Expression): wav2vec 2.0, then 52 weights.

Its authors publish PyTorch weights. This engine reads an ONNX export of them, which it is up to the
user to make; the export it takes is defined here, and no such file is published by anybody:

    lam_audio2expression.onnx   `audio` (1, n) float32, 16 kHz, as it was recorded: if the network
                                wants it normalised, the graph does that. `weights` (1, n * 30 /
                                16000, 52) float32: frame k is the face at k / 30 s. The identity
                                (speaking style) is a constant of the graph. n is 33600.
    names.json                  a list of the 52 names of ARKit, in the order of the weights

The network sees past and future alike, in windows of 2.1 s here. The authors' program smooths and
mirrors the weights and adds blinks afterwards; nothing of that is done here, and `life` blinks.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from goassist_desktop.pipeline import blendshapes
from goassist_desktop.pipeline.engines.face_audio import (
    FRAMES_PER_S,
    HeardAudio,
    ms_of,
    sample_of,
)
from goassist_desktop.pipeline.engines.face_network import FaceNetwork
from goassist_desktop.pipeline.errors import EngineFailed, ModelMissing
from goassist_desktop.pipeline.frames import ANALYSIS_RATE_HZ, FaceFrame, Speech
from goassist_desktop.pipeline.protocols import EngineInfo

NETWORK = "lam_audio2expression.onnx"
NAMES = "names.json"
WINDOW_FRAMES = 63
WINDOW_SAMPLES = 33_600
BEFORE_FRAMES = 27
"""What of a window is there for the context of the rest: 0.9 s."""
AHEAD_FRAMES = 6
"""200 ms: what a frame is to have heard after its own moment."""
GRID_FRAMES = 3
"""A window begins with a frame whose sample is a whole number: every 1600 samples."""


class Lam:
    """FaceEngine for a folder with the two files of an export."""

    def __init__(self, source: Path | str, *, threads: int = 1) -> None:
        self._folder = Path(source)
        self._threads = threads
        self._loaded: tuple[FaceNetwork, list[int]] | None = None

    @property
    def info(self) -> EngineInfo:
        return EngineInfo("face", "lam", "LAM-Audio2Expression", "Apache-2.0")

    def load(self) -> None:
        if self._loaded is not None:
            return
        for name in (NETWORK, NAMES):
            if not (self._folder / name).is_file():
                raise ModelMissing(
                    f"{self._folder / name} is missing; put an ONNX export of "
                    f"LAM-Audio2Expression (github.com/aigc3d/LAM_Audio2Expression, Apache-2.0) "
                    f"into {self._folder}"
                )
        order = _order(self._folder / NAMES)
        network = FaceNetwork(
            self._folder / NETWORK,
            threads=self._threads,
            inputs={"audio": (1, WINDOW_SAMPLES)},
            output="weights",
            output_shape=(1, WINDOW_FRAMES, blendshapes.COUNT),
        )
        network.run(audio=np.zeros((1, WINDOW_SAMPLES), np.float32))
        self._loaded = network, order

    def close(self) -> None:
        self._loaded = None

    def open(self) -> LamStream:
        if self._loaded is None:
            raise EngineFailed("open before load")
        return LamStream(*self._loaded)


class LamStream:
    """The face of one reply: frame k belongs to k / 30 s of it.

    A frame is final once 200 ms after it are heard. Those after the last final one are given
    provisionally, as if silence followed, and again with the next piece.
    """

    def __init__(self, network: FaceNetwork, order: list[int]) -> None:
        self._network, self._order = network, order
        self._audio = HeardAudio()
        self._next = 0  # the frame after the last final one
        self._closed = False

    def push(self, speech: Speech) -> Iterator[FaceFrame]:
        self._audio.add(speech)
        end = self._audio.frames_before(self._audio.end)
        ahead = ANALYSIS_RATE_HZ * AHEAD_FRAMES // FRAMES_PER_S
        heard = self._audio.frames_before(self._audio.end - ahead + 1)
        given = self._next
        while given < end and not self._closed:
            start = max(0, (given - BEFORE_FRAMES) // GRID_FRAMES * GRID_FRAMES)
            audio = self._audio.window(sample_of(start), WINDOW_SAMPLES)
            rows = np.clip(self._network.run(audio=audio[np.newaxis])[0], 0.0, 1.0)
            last = end if end <= start + WINDOW_FRAMES else start + WINDOW_FRAMES - AHEAD_FRAMES
            for frame in range(given, last):
                if self._closed:
                    return
                weights = blendshapes.rest()
                weights[self._order] = rows[frame - start]
                self._next = max(self._next, min(frame + 1, heard))
                yield FaceFrame(ms_of(frame), weights)
            given = last
        kept = max(0, (self._next - BEFORE_FRAMES) // GRID_FRAMES * GRID_FRAMES)
        self._audio.forget(sample_of(kept))

    def finish(self) -> Iterator[FaceFrame]:
        """None is missing: what was provisional has turned out right."""
        return iter(())

    def close(self) -> None:
        self._closed = True


def _order(file: Path) -> list[int]:
    """For each weight of the network its place among ours."""
    try:
        names = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise ModelMissing(f"{file} is no JSON that can be read: {error}") from error
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ModelMissing(f"{file}: expected a list of names")
    order = blendshapes.order_of(names)
    unknown = [name for name, place in zip(names, order, strict=True) if place is None]
    if unknown:
        raise ModelMissing(f"{file}: {unknown[0]!r} is none of ARKit's blendshapes")
    places = [place for place in order if place is not None]
    if sorted(places) != list(range(blendshapes.COUNT)):
        raise ModelMissing(f"{file}: expected each of ARKit's {blendshapes.COUNT} names once")
    return places
