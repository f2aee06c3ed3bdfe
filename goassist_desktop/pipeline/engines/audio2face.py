"""The face by NVIDIA's Audio2Face-3D v2.3 regression networks (Mark, Claire, James).

The network sees 0.52 s of speech and says how the face stands in its middle, as coefficients of
shapes of a head scanned from an actor. What the face does follows Audio2Face-3D's own animator:
displacements = coefficients · shapes, smoothed for the lower and the upper face apart, blended by
height; and the blendshape weights that bring the head's poses nearest to them. All of it but the
bounded solve is linear, so it is done on the coefficients: the meshes are needed by `load` alone.

The jaw and eye coefficients are left unused: the jaw shows in the skin, and the gaze is `life`'s.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.special import expit

from goassist_desktop.pipeline import blendshapes
from goassist_desktop.pipeline.blendshapes import INDEX
from goassist_desktop.pipeline.engines import audio2face_model
from goassist_desktop.pipeline.engines.audio2face_model import Model, Motion, Poses
from goassist_desktop.pipeline.engines.blendshape_solve import Array, BlendshapeSolve
from goassist_desktop.pipeline.engines.face_audio import (
    FRAMES_PER_S,
    HeardAudio,
    ms_of,
    sample_of,
)
from goassist_desktop.pipeline.engines.face_network import FaceNetwork
from goassist_desktop.pipeline.errors import EngineFailed, ModelMissing
from goassist_desktop.pipeline.frames import ANALYSIS_RATE_HZ, FaceFrame, Speech, Weights
from goassist_desktop.pipeline.protocols import EngineInfo

WINDOW_SAMPLES = 8_320
"""0.52 s at 16 kHz, with the frame in the middle."""
AHEAD_SAMPLES = WINDOW_SAMPLES // 2
"""260 ms: what a frame must have heard after its own moment."""
BATCH = 8
"""Frames given to the network at once: about what the end of a piece has to wait for."""


class Audio2Face:
    """FaceEngine for a folder with the files that `audio2face_model` lists."""

    def __init__(self, source: Path | str, *, threads: int = 1) -> None:
        self._folder = Path(source)
        self._threads = threads
        self._loaded: tuple[FaceNetwork, Animator] | None = None

    @property
    def info(self) -> EngineInfo:
        licence = audio2face_model.LICENCE
        return EngineInfo("face", "audio2face", "Audio2Face-3D v2.3", licence)

    def load(self) -> None:
        if self._loaded is not None:
            return
        model = audio2face_model.read(self._folder)
        network = FaceNetwork(
            self._folder / audio2face_model.NETWORK,
            threads=self._threads,
            inputs={"input": (None, 1, WINDOW_SAMPLES), "emotion": (None, 1, model.sizes.emotion)},
            output="result",
            output_shape=(None, 1, model.sizes.result),
        )
        try:
            animator = Animator(model)
        except EngineFailed as error:
            raise ModelMissing(f"{self._folder}: {error}") from error
        warm_up = Speech(np.zeros(ANALYSIS_RATE_HZ // 2, np.float32), ANALYSIS_RATE_HZ)
        for _ in Audio2FaceStream(network, animator).push(warm_up):
            pass
        self._loaded = network, animator

    def close(self) -> None:
        self._loaded = None

    def open(self) -> Audio2FaceStream:
        if self._loaded is None:
            raise EngineFailed("open before load")
        return Audio2FaceStream(*self._loaded)


class Audio2FaceStream:
    """The face of one reply: frame k belongs to k / 30 s of it.

    A frame is final once 260 ms after it are heard. Those after the last final one are given
    provisionally, as if silence followed, and again with the next piece.
    """

    def __init__(self, network: FaceNetwork, animator: Animator) -> None:
        self._network, self._animator = network, animator
        self._audio = HeardAudio()
        self._next = 0  # the frame after the last final one
        self._moment: _Moment | None = None  # of that last one
        self._closed = False

    def push(self, speech: Speech) -> Iterator[FaceFrame]:
        self._audio.add(speech)
        final = self._audio.frames_before(self._audio.end - AHEAD_SAMPLES + 1)
        moment = self._moment
        for frame, coefficients in self._coefficients():
            if self._closed:
                return
            moment, weights = self._animator.follow(moment, coefficients)
            if frame < final:
                self._next, self._moment = frame + 1, moment
            yield FaceFrame(ms_of(frame), weights)
        self._audio.forget(sample_of(self._next) - AHEAD_SAMPLES)

    def finish(self) -> Iterator[FaceFrame]:
        """None is missing: what was provisional has turned out right."""
        return iter(())

    def close(self) -> None:
        self._closed = True

    def _coefficients(self) -> Iterator[tuple[int, Array]]:
        """For each frame after the last final one, to the end of what was heard."""
        frames = range(self._next, self._audio.frames_before(self._audio.end))
        batch = BATCH if self._network.batches else 1
        for first in range(0, len(frames), batch):
            chosen = frames[first : first + batch]
            starts = (sample_of(frame) - AHEAD_SAMPLES for frame in chosen)
            windows = np.stack([self._audio.window(start, WINDOW_SAMPLES) for start in starts])
            result = self._network.run(
                input=windows[:, np.newaxis] * self._animator.input_strength,
                emotion=np.tile(self._animator.emotion, (len(chosen), 1, 1)),
            )
            yield from zip(chosen, result[:, 0].astype(np.float64), strict=True)


@dataclass(frozen=True, slots=True, eq=False)
class _Moment:
    """What a frame leaves to the next."""

    first: Array
    second: Array
    """The two stages of smoothing: the skin's n coefficients for the lower face, then the same for
    the upper one, (2n,)."""
    skin: Array
    tongue: Array
    """What the solves found, (k,) each."""


class Animator:
    """From the network's coefficients to the 52 weights."""

    def __init__(self, model: Model) -> None:
        """Raises ModelMissing where no pose of the skin is one of ours, EngineFailed where poses
        can not be told apart."""
        self.input_strength = np.float32(model.motion.input_strength)
        self.emotion = model.emotion
        self._sizes = model.sizes
        paces = [pace(model.motion.lower_face_smoothing), pace(model.motion.upper_face_smoothing)]
        self._pace = np.repeat(paces, model.sizes.skin)
        self._skin, self._tongue = _skin(model), _tongue(model)
        if not self._skin.known:
            raise ModelMissing("bs_skin.npz: poseNames: expected names of ARKit's blendshapes")

    def follow(self, before: _Moment | None, coefficients: Array) -> tuple[_Moment, Weights]:
        """The frame after the one that left `before`; None: the first of a reply."""
        skin = np.tile(coefficients[: self._sizes.skin], 2)
        tongue = coefficients[self._sizes.skin :][: self._sizes.tongue]
        if before is None:
            before = _Moment(skin, skin, self._skin.still(), self._tongue.still())
        first = before.first + self._pace * (skin - before.first)
        second = before.second + self._pace * (first - before.second)
        now = _Moment(
            first,
            second,
            self._skin.solve(second, before.skin),
            self._tongue.solve(tongue, before.tongue),
        )
        weights = blendshapes.rest()
        self._skin.put(now.skin, weights)
        self._tongue.put(now.tongue, weights)
        # What Audio2Face calls the jaw is open only as far as the lips are: closed lips are its
        # mouthClose, which ARKit takes off an open jaw.
        jaw = INDEX["jawOpen"]
        weights[jaw] = min(1.0, weights[jaw] + weights[INDEX["mouthClose"]])
        return now, weights


def pace(smoothing_s: float) -> float:
    """The part of a change that passes one stage of smoothing within a frame."""
    return 1 - 0.5 ** (1 / (FRAMES_PER_S * smoothing_s)) if smoothing_s > 0 else 1.0


def lower_face(neutral: Array, motion: Motion) -> Array:
    """How much of each vertex (v,) of a mesh (3v,) belongs to the lower face: 1 at its foot."""
    height = neutral[1::3]
    share = (height - height.min()) / max(float(np.ptp(height)), np.finfo(np.float64).tiny)
    return np.asarray(expit((motion.face_mask_level - share) / motion.face_mask_softness))


class _Part:
    """The poses of the skin or the tongue: found from coefficients, given to our blendshapes."""

    def __init__(self, poses: Poses, neutral: Array, *shapes: Array) -> None:
        """`neutral` (3m,): what coefficients of 0 make; `shapes`, (n, 3m) each: what they add.
        All over the vertices that the solve looks at."""
        self._solve = BlendshapeSolve(poses.deltas, poses.size, poses.settings)
        self._neutral = self._solve.project(neutral - poses.neutral)
        self._shapes = np.concatenate([self._solve.project(some) for some in shapes])
        order = blendshapes.order_of(poses.names)
        self._theirs = [place for place, ours in enumerate(order) if ours is not None]
        self._ours = [ours for ours in order if ours is not None]

    @property
    def known(self) -> bool:
        """Whether any pose is one of our blendshapes."""
        return bool(self._ours)

    def still(self) -> Array:
        return np.zeros(self._solve.count)

    def solve(self, coefficients: Array, before: Array) -> Array:
        if not self.known:
            return before
        return self._solve.solve(self._neutral + coefficients @ self._shapes, before)

    def put(self, solved: Array, weights: Weights) -> None:
        if self.known:
            weights[self._ours] = self._solve.weights(solved)[self._theirs]


def _skin(model: Model) -> _Part:
    mesh, motion = model.skin, model.motion
    rows = mesh.poses.rows
    lower = np.repeat(lower_face(mesh.neutral, motion), 3)[rows]
    of_lower = motion.lower_face_strength * lower
    of_upper = motion.upper_face_strength * (1 - lower)
    offset = (
        motion.lip_open_offset * model.lips_open[rows]
        - motion.eyelid_open_offset * model.eyelids_closed[rows]
    )
    return _Part(
        mesh.poses,
        mesh.neutral[rows] + (of_lower + of_upper) * offset,
        mesh.shapes * (motion.skin_strength * of_lower),
        mesh.shapes * (motion.skin_strength * of_upper),
    )


def _tongue(model: Model) -> _Part:
    mesh, motion = model.tongue, model.motion
    offset = np.array([0.0, motion.tongue_height_offset, motion.tongue_depth_offset])
    neutral = (mesh.neutral.reshape(-1, 3) + offset).reshape(-1)[mesh.poses.rows]
    return _Part(mesh.poses, neutral, motion.tongue_strength * mesh.shapes)
