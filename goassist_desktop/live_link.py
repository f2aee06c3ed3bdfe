"""The face, sent as Epic's Live Link Face app sends one: Unreal Engine shows it as a phone's.

One frame is one UDP datagram, all numbers big-endian, texts as UTF-8 behind their int32 length:

    uint8 6 (version) · device id · subject name · int32 frame, float32 sub-frame, int32 frames a
    second, int32 their denominator · uint8 61 (count) · 61 float32

The 61 values are Unreal's `EARFaceBlendShape` in its order: 52 weights, then yaw, pitch and roll of
the head, the left eye and the right one, in radians. That order is not quite the one of the app's
CSV files: left comes before right for jaw and mouth too. Source of the layout and the order: the
open reader PyLiveLinkFace 0.1, which takes version and length of the id for one number and a "$".

The signs of the angles are derived, not observed: what Unreal's left-handed rotator (x forward,
z up) says of a face whose ARKit anchor has x to the person's left, y up and z out of the face.
"""

from __future__ import annotations

import asyncio
import math
import socket
import struct
import uuid
from collections.abc import Callable
from typing import Any, Final, Protocol

from goassist_desktop.pipeline.blendshapes import INDEX, NAMES
from goassist_desktop.pipeline.clock import SampleClock
from goassist_desktop.pipeline.events import Notice
from goassist_desktop.pipeline.face import EYE_PITCH_DEGREES, EYE_YAW_DEGREES, Face
from goassist_desktop.pipeline.face_feed import FaceFeed
from goassist_desktop.pipeline.frames import Weights
from goassist_desktop.pipeline.network_address import host_and_port
from goassist_desktop.pipeline.workers import ThreadLane

VERSION: Final = 6
FPS: Final = 60
"""Frames a second in which the moment of a frame is given, and at most sent."""
POLL_S: Final = 0.005
COUNT: Final = 61

_SWAPPED = {"jawRight": "jawLeft", "mouthRight": "mouthLeft"}
_SWAPPED |= {theirs: ours for ours, theirs in _SWAPPED.items()}
ORDER: Final = tuple(_SWAPPED.get(name, name) for name in NAMES)
"""The weights in the datagram."""
_PLACES = [INDEX[name] for name in ORDER]

TO_RIGHT_DOWN_LEFT: Final = (-1.0, -1.0, 1.0)
"""Yaw is positive to the person's right there, pitch downwards, roll to the left shoulder."""


class Shown(Protocol):
    """A face at one moment: a Pose or a FaceMessage."""

    @property
    def weights(self) -> Weights: ...

    @property
    def head(self) -> tuple[float, float, float]: ...


class LiveLinkSender:
    """Sends one face to `address`, 'host:port', once it is connected. Fails without harm.

    Raises ConfigError for an address that is none.
    """

    def __init__(
        self, address: str, *, publish: Callable[[Notice], None], subject: str = "GoAssist"
    ) -> None:
        self.sent = self.failed = 0
        """Datagrams that were handed to the network, and that could not be."""
        self._address = address
        self._publish = publish
        device = str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{subject}.goassist")).upper()
        self._head = struct.pack(">B", VERSION) + _text(device) + _text(subject)
        self._host, self._port = host_and_port(address, "face.live_link")
        self._socket: socket.socket | None = None

    async def connect(self) -> None:
        """Look the host up, which may take seconds, and aim at it."""
        lane = ThreadLane("live link")  # the program may end before an answer comes
        try:
            found = await lane.run(
                socket.getaddrinfo, self._host, self._port, type=socket.SOCK_DGRAM
            )
            # Unreal Engine listens on IPv4 only, and localhost has both.
            family, kind, protocol, _, where = min(found, key=lambda f: f[0] != socket.AF_INET)
            self._socket = _connected(socket.socket(family, kind, protocol), where)
        except OSError as error:
            self._fail(error)
        finally:
            lane.close()

    def send(self, face: Shown, at_ms: float) -> None:
        """This face belongs to `at_ms` of the audio timeline. Never waits."""
        if self._socket is None:
            self.failed += 1
            return
        try:
            self._socket.send(self._head + _frame(at_ms) + _values(face))
        except OSError as error:
            self._fail(error)
        else:
            self.sent += 1

    def close(self) -> None:
        """Harmless when it is closed."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _fail(self, error: OSError) -> None:
        self.failed += 1
        if self.failed == 1:
            why = error.strerror or error
            what = f"live link: {self._address}: {why}; the face may be missing there"
            self._publish(Notice("warning", what, "face"))


async def follow(
    address: str, face: Face, clock: SampleClock, publish: Callable[[Notice], None]
) -> None:
    """Send the face, FPS frames a second while it moves, until cancelled.

    Raises ConfigError for an address that is none.
    """
    link = LiveLinkSender(address, publish=publish)
    try:
        await link.connect()
        feed = FaceFeed(face, FPS)
        while True:
            if (message := feed.due(clock.now_ms)) is not None:
                link.send(message, message.t_audio_ms)
            await asyncio.sleep(POLL_S)
    finally:
        link.close()


def _connected(link: socket.socket, where: Any) -> socket.socket:
    """Connected, so that the system tells us when nobody listens there."""
    try:
        link.setblocking(False)
        link.connect(where)
    except OSError:
        link.close()
        raise
    return link


def _text(text: str) -> bytes:
    data = text.encode()
    return struct.pack(">i", len(data)) + data


def _frame(at_ms: float) -> bytes:
    sub_frame, frame = math.modf(at_ms * FPS / 1000)
    return struct.pack(">ifii", int(frame), sub_frame, FPS, 1)


def _values(face: Shown) -> bytes:
    weights = face.weights
    angles = (face.head, _eye(weights, "Left", "Out", "In"), _eye(weights, "Right", "In", "Out"))
    turned = (
        sign * math.radians(degrees)
        for three in angles
        for sign, degrees in zip(TO_RIGHT_DOWN_LEFT, three, strict=True)
    )
    return struct.pack(f">B{COUNT}f", COUNT, *weights[_PLACES], *turned)


def _eye(weights: Weights, side: str, left: str, right: str) -> tuple[float, float, float]:
    """Yaw to the person's left, pitch up and roll of an eye, in degrees, from its weights."""

    def look(way: str) -> float:
        return float(weights[INDEX[f"eyeLook{way}{side}"]])

    yaw, pitch = look(left) - look(right), look("Up") - look("Down")
    return yaw * EYE_YAW_DEGREES, pitch * EYE_PITCH_DEGREES, 0.0
