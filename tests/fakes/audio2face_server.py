"""An Audio2Face-3D service on loopback, on the official stubs: good, or broken in one way.

It is strict about what it is sent: whatever breaks the protocol is kept in `complaints`.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import grpc
import numpy as np
from nvidia_audio2face_3d import audio2face_pb2_grpc, messages_pb2

from goassist_desktop.pipeline.blendshapes import NAMES

RATE_HZ = 16_000
FPS = 30
LOOK_AHEAD_S = 0.26
MAX_BUFFER_S = 10.0
MAX_CLIP_S = 300.0
CALLS = 8
"""At once."""
TONGUE = tuple(f"Tongue{number}" for number in range(1, 17))

Message = messages_pb2.A2F3DAnimationDataStream


@dataclass
class Clip:
    """What one call brought."""

    header: Any = None
    buffers: list[np.ndarray] = field(default_factory=list)
    ended: bool = False
    over: threading.Event = field(default_factory=threading.Event)
    """Set when the call ended, in whatever way."""

    @property
    def audio(self) -> np.ndarray:
        return np.concatenate([np.zeros(0, np.int16), *self.buffers])


Fault = Callable[[Any, Iterator[Any]], Iterator[Any]]
"""From the context of a call and the good answers: those of a broken service."""


class Audio2FaceServer(audio2face_pb2_grpc.A2FControllerServiceServicer):
    """`with Audio2FaceServer() as server:` listens at `server.address`.

    From call `faulty_from` on, `fault` is what it does to its answers.
    """

    def __init__(self, fault: Fault | None = None, *, faulty_from: int = 1, port: int = 0) -> None:
        self.clips: list[Clip] = []
        self.complaints: list[str] = []
        self.names = [name[0].upper() + name[1:] for name in (*NAMES, *TONGUE)]
        random.Random(4).shuffle(self.names)
        self._fault, self._faulty_from = fault, faulty_from
        self._pool = ThreadPoolExecutor(max_workers=CALLS)
        self._server = grpc.server(self._pool, options=(("grpc.so_reuseport", 0),))
        audio2face_pb2_grpc.add_A2FControllerServiceServicer_to_server(self, self._server)
        self.port = self._server.add_insecure_port(f"127.0.0.1:{port}")
        self.address = f"127.0.0.1:{self.port}"

    def __enter__(self) -> Audio2FaceServer:
        self._server.start()
        # All threads from the beginning: a test may look for those it left behind.
        together = threading.Barrier(CALLS)
        for waiting in [self._pool.submit(together.wait) for _ in range(CALLS)]:
            waiting.result()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self._pool.shutdown()

    def kill(self) -> None:
        """Every call ends at once, and nobody is there any more."""
        self._server.stop(grace=None).wait()

    def ProcessAudioStream(self, requests: Iterator[Any], context: Any) -> Iterator[Any]:
        clip = Clip()
        context.add_callback(clip.over.set)
        self.clips.append(clip)
        answers = self._answers(requests, clip)
        if self._fault is not None and len(self.clips) > self._faulty_from:
            return self._fault(context, answers)
        return answers

    def _answers(self, requests: Iterator[Any], clip: Clip) -> Iterator[Any]:
        for request in requests:
            part = request.WhichOneof("stream_part")
            if clip.header is None:
                self._check_header(part, request)
                clip.header = request.audio_stream_header
                yield self.header()
            elif clip.ended:
                self.complaints.append(f"{part} after the end")
            elif part == "audio_with_emotion":
                yield from self._hear(request.audio_with_emotion, clip)
            elif part == "end_of_audio":
                clip.ended = True
                yield from self._frames(clip, 0.0)
                yield Message(event={"event_type": "END_OF_A2F_AUDIO_PROCESSING"})
                yield Message(status={"code": "SUCCESS", "message": "all data was sent"})
            else:
                self.complaints.append(f"{part} in the place of sound")

    def _check_header(self, part: str, request: Any) -> None:
        sound = request.audio_stream_header.audio_header
        if part != "audio_stream_header":
            self.complaints.append(f"{part} before the header")
        elif sound.audio_format != sound.AUDIO_FORMAT_PCM:
            self.complaints.append(f"audio format {sound.audio_format}")
        elif (sound.channel_count, sound.samples_per_second, sound.bits_per_sample) != (
            1,
            RATE_HZ,
            16,
        ):
            self.complaints.append(f"sound of another kind: {sound}")

    def _hear(self, sound: Any, clip: Clip) -> Iterator[Any]:
        before = len(clip.audio)
        clip.buffers.append(np.frombuffer(sound.audio_buffer, "<i2"))
        if not 0 < len(clip.buffers[-1]) <= MAX_BUFFER_S * RATE_HZ:
            self.complaints.append(f"a buffer of {len(clip.buffers[-1])} samples")
        if len(clip.audio) > MAX_CLIP_S * RATE_HZ:
            self.complaints.append(f"a clip of {len(clip.audio)} samples")
        if sound.emotions:
            self.complaints.append("an emotion")
        yield from self._frames(clip, LOOK_AHEAD_S, before)

    def _frames(self, clip: Clip, held_back_s: float, before: int | None = None) -> Iterator[Any]:
        """Those that became possible since `before` samples (or, at the end, all the rest)."""
        audio = clip.audio
        before = len(audio) if before is None else before
        first = _count(before / RATE_HZ - LOOK_AHEAD_S)
        for number in range(first, _count(len(audio) / RATE_HZ - held_back_s)):
            yield self.frame(number / FPS, weights_of(audio, number / FPS))

    def header(self) -> Any:
        return Message(
            animation_data_stream_header={
                "skel_animation_header": {"blend_shapes": self.names},
                "start_time_code_since_epoch": 1_700_000_000.0,
            }
        )

    def frame(self, time_code: float, weights: dict[str, float]) -> Any:
        values = [weights.get(name, 0.7 if name in TONGUE else 0.0) for name in self.names]
        return Message(
            animation_data={
                "skel_animation": {
                    "blend_shape_weights": [{"time_code": time_code, "values": values}]
                },
                "audio": {"time_code": time_code, "audio_buffer": b"\0\0"},
            }
        )


def weights_of(audio: np.ndarray, at_s: float) -> dict[str, float]:
    """What it makes of 16-bit sound (n,) at a time: the louder, the wider the mouth."""
    start = int(at_s * RATE_HZ)
    heard = audio[start : start + RATE_HZ // FPS].astype(float) / 32768
    loud = min(1.0, float(np.sqrt(np.mean(heard**2))) * 2) if heard.size else 0.0
    return {
        "JawOpen": 0.8 * loud,
        "MouthClose": 0.4 * loud,
        "MouthSmileLeft": 0.125,
        "EyeBlinkRight": 0.5 * (1 - loud),
    }


def _count(until_s: float) -> int:
    """How many frames begin before this time."""
    return max(0, int(np.ceil(until_s * FPS - 1e-9)))


# -- what can be wrong -----------------------------------------------------------------------------


def after(count: int, fault: Fault) -> Fault:
    """Good for so many frames of a call."""

    def broken(context: Any, answers: Iterator[Any]) -> Iterator[Any]:
        left = count
        for answer in answers:
            if answer.WhichOneof("stream_part") == "animation_data":
                left -= 1
            if left < 0:
                yield from fault(context, _again(answer, answers))
                return
            yield answer

    return broken


def _again(first: Any, rest: Iterator[Any]) -> Iterator[Any]:
    yield first
    yield from rest


def each(change: Callable[[Any], None]) -> Fault:
    """Every message is changed by this."""

    def broken(context: Any, answers: Iterator[Any]) -> Iterator[Any]:
        for answer in answers:
            change(answer)
            yield answer

    return broken


def stalls(context: Any, answers: Iterator[Any]) -> Iterator[Any]:
    over = threading.Event()
    if context.add_callback(over.set):
        over.wait(60)
    yield from ()


def drops(context: Any, answers: Iterator[Any]) -> Iterator[Any]:
    yield from ()


def aborts(context: Any, answers: Iterator[Any]) -> Iterator[Any]:
    context.abort(grpc.StatusCode.INTERNAL, "the GPU\nfell off the bus")
    yield from ()


def reports_an_error(context: Any, answers: Iterator[Any]) -> Iterator[Any]:
    yield Message(status={"code": "ERROR", "message": "out of\nmemory"})
    yield from stalls(context, answers)


def repeats_itself(context: Any, answers: Iterator[Any]) -> Iterator[Any]:
    """Alive, and of no use: the same frame for ever."""
    answer = next(answers)
    while context.is_active():
        yield answer
        time.sleep(0.02)


def chats(context: Any, answers: Iterator[Any]) -> Iterator[Any]:
    while context.is_active():
        yield Message(status={"code": "INFO", "message": "working on it"})
        time.sleep(0.02)


def is_done_too_early(context: Any, answers: Iterator[Any]) -> Iterator[Any]:
    yield Message(status={"code": "SUCCESS", "message": "all data was sent"})


def has_no_header(context: Any, answers: Iterator[Any]) -> Iterator[Any]:
    for answer in answers:
        if answer.WhichOneof("stream_part") != "animation_data_stream_header":
            yield answer


def _values(answer: Any) -> Any:
    return answer.animation_data.skel_animation.blend_shape_weights


def _not_a_number(answer: Any) -> None:
    for one in _values(answer):
        one.values[:] = [float("nan")] * len(one.values)


def _too_few(answer: Any) -> None:
    for one in _values(answer):
        del one.values[-1]


def _too_many(answer: Any) -> None:
    for one in _values(answer):
        one.values.append(0.5)


def _of_no_time(answer: Any) -> None:
    for one in _values(answer):
        one.time_code = float("nan")


def _of_another_face(answer: Any) -> None:
    if answer.HasField("animation_data_stream_header"):
        header = answer.animation_data_stream_header.skel_animation_header
        header.blend_shapes[:] = [f"Shape{n}" for n in range(len(header.blend_shapes))]


def _without_lips(answer: Any) -> None:
    if answer.HasField("animation_data_stream_header"):
        names = answer.animation_data_stream_header.skel_animation_header.blend_shapes
        names[list(names).index("MouthClose")] = "LipsTogether"


is_not_a_number = each(_not_a_number)
has_too_few_weights = each(_too_few)
has_too_many_weights = each(_too_many)
is_of_no_time = each(_of_no_time)
is_of_another_face = each(_of_another_face)
has_no_lips = each(_without_lips)
