"""The face by an Audio2Face-3D service (NVIDIA), over its own gRPC protocol.

A reply is one call of `A2FControllerService/ProcessAudioStream`. There go a header, buffers of
16-bit sound and an end; back come a header with the names of the blendshapes, in the service's own
order and with some we have not (the tongue's), then frames, 30 a second, and a final status. Sizes
are kept to the limits of the service's manual. Two more of them are not ours to keep, for they
depend on how fast a reply is made: it cuts calls that bring no sound for 30 s, or sound for fewer
than 29 frames a second for 7 s. That is a failure like any other.
"""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from queue import Empty, SimpleQueue
from typing import Any, Final

import numpy as np

from goassist_desktop.pipeline import blendshapes
from goassist_desktop.pipeline.blendshapes import INDEX
from goassist_desktop.pipeline.errors import EngineFailed
from goassist_desktop.pipeline.frames import ANALYSIS_RATE_HZ, FaceFrame, Samples, Speech, Weights
from goassist_desktop.pipeline.network_address import host_and_port
from goassist_desktop.pipeline.protocols import EngineInfo
from goassist_desktop.pipeline.resampling import resample

NAME: Final = "audio2face-service"
RATE_HZ: Final = ANALYSIS_RATE_HZ
"""What the service advises."""

CONNECT_S: Final = 5.0
"""For the first answer of a service, and for each further one while it is being greeted."""
BACK_OFF_S: Final = (0.5, 1.0)
"""Between the tries of greeting one that can not be reached: it may be starting."""
FRAME_S: Final = 0.5
"""A service that owes frames of a reply and sends none for so long has failed."""

GREETING_S: Final = 1.0
"""Of silence, so that a service has done all of its work once before a reply needs it."""
BUFFER_S: Final = 1.0
"""Sound in one message; the service takes 10 s."""
CLIP_S: Final = 300.0
"""Sound in one call; a longer reply takes several."""
LOOK_AHEAD_MS: Final = 300.0
"""Frames this near to the end of the sound are not waited for: the network looks 260 ms ahead."""
HELD_BACK_MS: Final = 1000.0
"""Nor do others have to come before this much more sound: a service may work in blocks."""

JAW, LIPS = INDEX["jawOpen"], INDEX["mouthClose"]
SPEAKING: Final = tuple(name for name in blendshapes.NAMES if name.startswith(("jaw", "mouth")))
"""A service without one of these can not show speech."""
MAX_DETAILS: Final = 160


class Audio2FaceService:
    """FaceEngine for the service at `source`, 'host:port'. The connection is not encrypted.

    Raises ConfigError for an address that is none.
    """

    def __init__(self, source: str, *, threads: int = 1) -> None:
        host, port = host_and_port(source, "face.service")
        self._target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self._channel: Any = None
        self._messages: Any = None
        self._call: Any = None

    @property
    def info(self) -> EngineInfo:
        model = f"Audio2Face-3D at {self._target}"
        return EngineInfo("face", NAME, model, "NVIDIA software licence; its protocol Apache-2.0")

    def load(self) -> None:
        """Connect and have it animate a second of silence.

        Raises EngineFailed when the protocol is not installed, or the service does not answer as
        it should within CONNECT_S; one that refuses the connection is tried again.
        """
        if self._call is not None:
            return
        grpc, services, self._messages = protocol()
        self._channel = grpc.insecure_channel(
            self._target,
            options=(
                ("grpc.enable_http_proxy", 0),  # the address is meant as it stands
                ("grpc.initial_reconnect_backoff_ms", 100),  # or our next try would not be one
                ("grpc.max_reconnect_backoff_ms", 1000),
            ),
        )
        self._call = services.A2FControllerServiceStub(self._channel).ProcessAudioStream
        try:
            self._greet()
        except EngineFailed:
            self.close()
            raise

    def close(self) -> None:
        """The calls that are still open end with the connection."""
        if self._channel is not None:
            self._channel.close()
        self._channel = self._call = None

    def open(self) -> Audio2FaceStream:
        if self._call is None:
            raise RuntimeError(f"{NAME}: open before load")
        return Audio2FaceStream(lambda start_ms: self._clip(start_ms, FRAME_S))

    def _greet(self) -> None:
        for back_off_s in (*BACK_OFF_S, None):
            clip = self._clip(0.0, CONNECT_S)
            try:
                clip.send(np.zeros(int(GREETING_S * RATE_HZ), np.float32))
                clip.end()
                if not list(clip.frames(to_the_end=True)):
                    raise EngineFailed(f"{self._target} made no frame of {GREETING_S:g} s of sound")
            except _Unreachable:
                if back_off_s is None:
                    raise
                time.sleep(back_off_s)
            else:
                return
            finally:
                clip.close()

    def _clip(self, start_ms: float, patience_s: float) -> _Clip:
        if self._call is None:
            raise EngineFailed(f"the connection to {self._target} is closed")
        return _Clip(self._target, self._messages, self._call, start_ms, patience_s)


class Audio2FaceStream:
    """The face of one reply: one call, opened when there is something to say."""

    def __init__(self, clip: Callable[[float], _Clip]) -> None:
        self._make = clip
        self._lock = threading.Lock()
        self._clip: _Clip | None = None
        self._closed = False
        self._sent_ms = 0.0

    def push(self, speech: Speech) -> Iterator[FaceFrame]:
        """Frames up to LOOK_AHEAD_MS before the end of this piece, and what else has come.

        Raises EngineFailed when the service broke, or owes more than HELD_BACK_MS for FRAME_S.
        """
        sound = np.clip(np.nan_to_num(speech.samples), -1, 1)
        audio = resample(sound, speech.rate_hz, RATE_HZ)
        step = int(BUFFER_S * RATE_HZ)
        for start in range(0, len(audio), step):
            buffer = audio[start : start + step]
            if self._clip is not None and not self._clip.has_room_for(buffer):
                yield from self.finish()
            self._send(buffer)
        if self._clip is not None:
            yield from self._clip.frames()

    def finish(self) -> Iterator[FaceFrame]:
        """The rest. Raises EngineFailed when there is none for FRAME_S, or no good end of it."""
        if self._clip is not None:
            self._clip.end()
            yield from self._clip.frames(to_the_end=True)
            self._clip.close()
            self._clip = None

    def close(self) -> None:
        with self._lock:
            self._closed = True
            if (clip := self._clip) is not None:
                clip.close()

    def _send(self, buffer: Samples) -> None:
        with self._lock:  # or a call might be opened that nobody closes
            if self._closed:
                return
            if self._clip is None:
                self._clip = self._make(self._sent_ms)
        self._clip.send(buffer)
        self._sent_ms += len(buffer) * 1000 / RATE_HZ


class _Unreachable(EngineFailed):
    """Nobody could be spoken to; that may change."""


class _Clip:
    """One call: sound of one voice, and the frames of it."""

    def __init__(
        self, target: str, messages: Any, call: Any, start_ms: float, patience_s: float
    ) -> None:
        """`start_ms`: where in the reply it begins. `patience_s`: for each next frame."""
        self._target = target
        self._messages = messages
        self._start_ms = start_ms
        self._patience_s = patience_s
        self._places: _Places | None = None
        self._sent_ms = 0.0
        self._newest_ms = -1.0
        self._status: Any = None
        self._ended = self._closed = False
        self._requests: SimpleQueue[Any] = SimpleQueue()
        self._arrived: SimpleQueue[Any] = SimpleQueue()
        self._put(audio_stream_header=_HEADER)
        self._call = call(iter(self._requests.get, None))
        threading.Thread(target=self._read, name=NAME, daemon=True).start()

    def has_room_for(self, buffer: Samples) -> bool:
        return self._sent_ms / 1000 + len(buffer) / RATE_HZ <= CLIP_S

    def send(self, buffer: Samples) -> None:
        pcm = np.round(np.clip(buffer, -1, 1) * 32767).astype("<i2")
        self._put(audio_with_emotion={"audio_buffer": pcm.tobytes()})
        self._sent_ms += len(buffer) * 1000 / RATE_HZ

    def end(self) -> None:
        if not self._ended:
            self._ended = True
            self._put(end_of_audio={})
            self._requests.put(None)

    def close(self) -> None:
        """From any thread. Whoever waits for frames gets no more."""
        self._closed = True
        self._requests.put(None)
        self._call.cancel()

    def frames(self, *, to_the_end: bool = False) -> Iterator[FaceFrame]:
        """Those of the sound so far, or all of them, with the final status."""
        deadline = time.monotonic() + self._patience_s
        while not self._closed and (
            to_the_end or self._owed_ms > LOOK_AHEAD_MS or not self._arrived.empty()
        ):
            try:
                arrived = self._arrived.get(timeout=max(0.0, deadline - time.monotonic()))
            except Empty:
                if to_the_end or self._owed_ms > HELD_BACK_MS:
                    raise self._silent() from None
                return
            if self._closed:
                return
            if arrived is None or isinstance(arrived, Exception):
                self._check_end(arrived, to_the_end)
                return
            before = self._places, self._newest_ms
            yield from self._take(arrived)
            if to_the_end and self._done:
                return
            if (self._places, self._newest_ms) != before:
                deadline = time.monotonic() + self._patience_s
            elif time.monotonic() > deadline:  # it talks, but says nothing new
                raise self._silent()

    # -- inside ----------------------------------------------------------------------------------

    @property
    def _owed_ms(self) -> float:
        return self._sent_ms - self._newest_ms

    def _put(self, **part: Any) -> None:
        self._requests.put(self._messages.AudioWithEmotionStream(**part))

    def _read(self) -> None:
        """In a thread of its own, for a call can only be waited for without end."""
        end = None
        try:
            for message in self._call:
                self._arrived.put(message)
        except Exception as error:  # noqa: BLE001 - raised where the frames are waited for
            end = error
        self._arrived.put(end)

    def _take(self, message: Any) -> Iterator[FaceFrame]:
        match message.WhichOneof("stream_part"):
            case "animation_data_stream_header" if self._places is None:
                header = message.animation_data_stream_header.skel_animation_header
                self._places = _Places(self._target, header.blend_shapes)
            case "animation_data":
                for one in message.animation_data.skel_animation.blend_shape_weights:
                    yield self._frame(one.time_code * 1000, one.values)
            case "status":
                self._status = message.status
                if self._status.code == self._status.ERROR:
                    raise EngineFailed(f"{self._target} reports: {_one_line(self._status.message)}")

    def _frame(self, at_ms: float, values: Sequence[float]) -> FaceFrame:
        if self._places is None:
            raise EngineFailed(f"{self._target} sent frames without a header")
        if not math.isfinite(at_ms):
            raise EngineFailed(f"{self._target} sent a frame for a time that is not a number")
        self._newest_ms = max(self._newest_ms, at_ms)
        return FaceFrame(self._start_ms + at_ms, self._places.weights(values))

    @property
    def _done(self) -> bool:
        """Whether it said so, and it is so: then the call's own end need not be waited for."""
        status = self._status
        said = status is not None and status.code == status.SUCCESS
        return said and self._owed_ms <= LOOK_AHEAD_MS

    def _check_end(self, error: Exception | None, awaited: bool) -> None:
        """The call is over."""
        if error is not None:
            raise _failure(self._target, error)
        if not awaited or self._status is None:
            raise EngineFailed(f"{self._target} ended the stream in the middle of a reply")
        if self._owed_ms > LOOK_AHEAD_MS:
            raise EngineFailed(f"{self._target} left out the last {self._owed_ms:.0f} ms")

    def _silent(self) -> EngineFailed:
        what = "did not answer" if self._places is None else "sent no frame"
        return EngineFailed(f"{self._target} {what} for {self._patience_s:g} s")


class _Places:
    """From the service's values to ours, by their names."""

    def __init__(self, target: str, names: Sequence[str]) -> None:
        found = blendshapes.order_of(names)
        missing = [name for name in SPEAKING if INDEX[name] not in found]
        if missing:
            more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
            raise EngineFailed(f"{target} has no blendshape {missing[0]}{more}")
        self._target = target
        self._count = len(found)
        self._theirs = [n for n, ours in enumerate(found) if ours is not None]
        self._ours = [ours for ours in found if ours is not None]

    def weights(self, values: Sequence[float]) -> Weights:
        if len(values) != self._count:
            raise EngineFailed(
                f"{self._target} sent {len(values)} weights for {self._count} blendshapes"
            )
        weights = blendshapes.rest()
        weights[self._ours] = np.asarray(values, np.float32)[self._theirs]
        if not np.all(np.isfinite(weights)):
            raise EngineFailed(f"{self._target} sent a weight that is not a number")
        # Its jaw is the one of lips that are open: with lips that close over an open jaw, ARKit's
        # jawOpen is the sum of both.
        weights[JAW] += weights[LIPS]
        return np.clip(weights, 0.0, 1.0, out=weights)


_HEADER: Final = {
    "audio_header": {
        "audio_format": "AUDIO_FORMAT_PCM",
        "channel_count": 1,
        "samples_per_second": RATE_HZ,
        "bits_per_sample": 16,
    },
    # The face stays neutral, whatever the service would hear in the voice.
    "emotion_post_processing_params": {
        "emotion_strength": 0.0,
        "enable_preferred_emotion": False,
        "preferred_emotion_strength": 0.0,
    },
    "blendshape_params": {"enable_clamping_bs_weight": True},
}
"""Parameters of the face that are not said are the service's own."""


def protocol() -> tuple[Any, Any, Any]:
    """gRPC, the service's stubs, and its messages. Raises EngineFailed where not installed."""
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # it would write to the terminal
    try:
        import grpc
        from nvidia_audio2face_3d import audio2face_pb2_grpc, messages_pb2
    except ImportError as error:
        raise EngineFailed(
            f"the protocol of Audio2Face-3D is not installed; "
            f"run: pip install 'goassist-desktop[{NAME}]'"
        ) from error
    return grpc, audio2face_pb2_grpc, messages_pb2


def _failure(target: str, error: Exception) -> EngineFailed:
    """What gRPC raised, as ours; a bug of ours stays one."""
    code, details = getattr(error, "code", None), getattr(error, "details", None)
    if code is None or details is None:
        raise error
    kind = _Unreachable if code().name in ("UNAVAILABLE", "RESOURCE_EXHAUSTED") else EngineFailed
    what = code().name.lower().replace("_", " ")
    return kind(f"{target}: {what}: {_one_line(details() or 'no more is known')}")


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= MAX_DETAILS else line[: MAX_DETAILS - 1] + "…"
