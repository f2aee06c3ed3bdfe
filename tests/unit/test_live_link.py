"""Live Link Face datagrams, taken from a real socket and read by a parser of its own.

The parser and its list of names follow the description of the format, and share nothing with the
sender.
"""

from __future__ import annotations

import asyncio
import math
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pytest

from goassist_desktop.live_link import LiveLinkSender, follow
from goassist_desktop.pipeline import blendshapes
from goassist_desktop.pipeline.blendshapes import Pose
from goassist_desktop.pipeline.clock import SampleClock
from goassist_desktop.pipeline.errors import ConfigError
from goassist_desktop.pipeline.events import Notice
from goassist_desktop.pipeline.face import Face
from goassist_desktop.pipeline.face_feed import FaceMessage
from goassist_desktop.pipeline.speaker import Speaker

CURVES = """
    EyeBlinkLeft EyeLookDownLeft EyeLookInLeft EyeLookOutLeft EyeLookUpLeft EyeSquintLeft
    EyeWideLeft EyeBlinkRight EyeLookDownRight EyeLookInRight EyeLookOutRight EyeLookUpRight
    EyeSquintRight EyeWideRight JawForward JawLeft JawRight JawOpen MouthClose MouthFunnel
    MouthPucker MouthLeft MouthRight MouthSmileLeft MouthSmileRight MouthFrownLeft MouthFrownRight
    MouthDimpleLeft MouthDimpleRight MouthStretchLeft MouthStretchRight MouthRollLower
    MouthRollUpper MouthShrugLower MouthShrugUpper MouthPressLeft MouthPressRight
    MouthLowerDownLeft MouthLowerDownRight MouthUpperUpLeft MouthUpperUpRight BrowDownLeft
    BrowDownRight BrowInnerUp BrowOuterUpLeft BrowOuterUpRight CheekPuff CheekSquintLeft
    CheekSquintRight NoseSneerLeft NoseSneerRight TongueOut
    HeadYaw HeadPitch HeadRoll LeftEyeYaw LeftEyePitch LeftEyeRoll
    RightEyeYaw RightEyePitch RightEyeRoll
""".split()


@dataclass
class Datagram:
    version: int
    device: str
    subject: str
    frame: float
    fps: float
    curves: dict[str, float]


def parsed(data: bytes) -> Datagram:
    at = 0

    def take(kind: str) -> int | float:
        nonlocal at
        (value,) = struct.unpack_from("!" + kind, data, at)
        at += struct.calcsize("!" + kind)
        return value

    def take_text() -> str:
        nonlocal at
        length = int(take("i"))
        text = data[at : at + length].decode("utf-8")
        at += length
        return text

    version, device, subject = int(take("B")), take_text(), take_text()
    frame = take("i") + take("f")
    fps = take("i") / take("i")
    curves = [take("f") for _ in range(int(take("B")))]
    assert at == len(data), "bytes are left"
    return Datagram(version, device, subject, frame, fps, dict(zip(CURVES, curves, strict=True)))


class Studio:
    """Somebody who listens on loopback."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(2.0)
        self.address = f"127.0.0.1:{self.socket.getsockname()[1]}"

    def hear(self) -> Datagram:
        return parsed(self.socket.recv(4096))


@pytest.fixture
def studio() -> Iterator[Studio]:
    there = Studio()
    yield there
    there.socket.close()


@pytest.fixture
def told() -> list[Notice]:
    return []


def connected(
    address: str, publish: Callable[[Notice], None], subject: str = "GoAssist"
) -> LiveLinkSender:
    link = LiveLinkSender(address, publish=publish, subject=subject)
    asyncio.run(link.connect())
    return link


@pytest.fixture
def sender(studio: Studio, told: list[Notice]) -> Iterator[LiveLinkSender]:
    link = connected(studio.address, told.append)
    yield link
    link.close()


def pose(head: tuple[float, float, float] = (0.0, 0.0, 0.0), **weights: float) -> Pose:
    return Pose(0.0, blendshapes.weights(**weights), head, speaking=False)


def test_a_datagram_is_one_of_version_6_with_61_curves(
    sender: LiveLinkSender, studio: Studio
) -> None:
    sender.send(pose(), at_ms=0.0)
    got = studio.hear()
    assert got.version == 6
    assert got.subject == "GoAssist"
    assert len(got.device) == 36
    assert got.fps == 60.0
    assert len(got.curves) == 61
    assert set(got.curves.values()) == {0.0}
    assert (sender.sent, sender.failed) == (1, 0)


def test_each_weight_arrives_under_its_own_name(sender: LiveLinkSender, studio: Studio) -> None:
    for number, name in enumerate(blendshapes.NAMES):
        weights = blendshapes.rest()
        weights[number] = 0.25 + number / 100
        sender.send(Pose(0.0, weights, (0.0, 0.0, 0.0), speaking=True), at_ms=0.0)
        shapes = list(studio.hear().curves.items())[:52]
        moved = {curve: value for curve, value in shapes if value != 0.0}
        curve = name[0].upper() + name[1:]
        assert moved == {curve: pytest.approx(0.25 + number / 100)}


def test_the_moment_is_the_one_of_the_sound(sender: LiveLinkSender, studio: Studio) -> None:
    for at_ms in (0.0, 100.0, 12_345.6, 86_400_000.0):
        sender.send(pose(), at_ms)
        assert studio.hear().frame / 60 * 1000 == pytest.approx(at_ms, abs=0.1)


def test_the_head_turns_in_radians(sender: LiveLinkSender, studio: Studio) -> None:
    sender.send(pose(head=(30.0, -10.0, 5.0)), at_ms=0.0)
    curves = studio.hear().curves
    # To the left is against the yaw of Unreal Engine, and down is a positive pitch of a face.
    assert curves["HeadYaw"] == pytest.approx(-math.pi / 6)
    assert curves["HeadPitch"] == pytest.approx(math.pi / 18)
    assert curves["HeadRoll"] == pytest.approx(math.pi / 36)


@pytest.mark.parametrize(
    ("looks", "yaw", "pitch"),
    [
        ({"eyeLookOutLeft": 1.0, "eyeLookInRight": 1.0}, -15.0, 0.0),
        ({"eyeLookInLeft": 0.5, "eyeLookOutRight": 0.5}, 7.5, 0.0),
        ({"eyeLookUp": 1.0}, 0.0, -11.0),
        ({"eyeLookDown": 1.0}, 0.0, 11.0),
        ({"eyeLookDown": 0.5, "eyeLookOutLeft": 0.2, "eyeLookInRight": 0.2}, -3.0, 5.5),
    ],
    ids=["left", "right", "up", "down", "down and left"],
)
def test_the_eyes_turn_as_their_weights_say(
    looks: dict[str, float], yaw: float, pitch: float, sender: LiveLinkSender, studio: Studio
) -> None:
    sender.send(pose(**looks), at_ms=0.0)
    curves = studio.hear().curves
    for side in ("Left", "Right"):
        assert math.degrees(curves[f"{side}EyeYaw"]) == pytest.approx(yaw, abs=1e-4)
        assert math.degrees(curves[f"{side}EyePitch"]) == pytest.approx(pitch, abs=1e-4)
        assert curves[f"{side}EyeRoll"] == 0.0
    assert curves["HeadYaw"] == 0.0


def test_a_message_of_the_feed_can_be_sent_as_well(sender: LiveLinkSender, studio: Studio) -> None:
    weights = np.linspace(0, 1, 52, dtype=np.float32)
    sender.send(FaceMessage(7, 50.0, 30, False, weights, (0.0, 0.0, 0.0)), at_ms=50.0)
    got = studio.hear()
    assert got.frame == 3.0
    assert got.curves["TongueOut"] == 1.0


def test_a_device_keeps_its_id_and_a_subject_may_have_any_name(studio: Studio) -> None:
    ids = []
    for subject in ("GoAssist", "GoAssist", "Zoë"):
        link = connected(studio.address, unexpected, subject)
        link.send(pose(), at_ms=0.0)
        link.close()
        got = studio.hear()
        assert got.subject == subject
        ids.append(got.device)
    assert ids[0] == ids[1] != ids[2]


def unexpected(notice: Notice) -> None:
    raise AssertionError(notice.what)


def test_nobody_listening_is_told_once_and_harms_nobody(told: list[Notice]) -> None:
    nobody = Studio()
    link = connected(nobody.address, told.append)
    link.send(pose(), at_ms=0.0)
    assert nobody.hear().version == 6
    nobody.socket.close()
    for n in range(20):
        link.send(pose(), at_ms=n * 33.3)
    link.close()
    assert link.failed >= 5
    assert link.sent + link.failed == 21
    assert len(told) == 1
    assert told[0].level == "warning"
    assert nobody.address in told[0].what
    assert "refused" in told[0].what


def test_it_is_heard_again_when_somebody_comes_back(told: list[Notice]) -> None:
    nobody = Studio()
    link = connected(nobody.address, told.append)
    nobody.socket.close()
    for _ in range(4):
        link.send(pose(), at_ms=0.0)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as back:
        back.bind(("127.0.0.1", int(nobody.address.rpartition(":")[2])))
        back.settimeout(2.0)
        for _ in range(3):  # the first may still be told that nobody was there
            link.send(pose(), at_ms=1000.0)
        assert parsed(back.recv(4096)).frame == 60.0
    link.close()
    assert len(told) == 1


def test_a_host_that_is_not_known_is_told_once(told: list[Notice]) -> None:
    link = connected("nowhere.invalid:11111", told.append)
    link.send(pose(), at_ms=0.0)
    link.send(pose(), at_ms=33.3)
    link.close()
    assert (link.sent, link.failed) == (0, 3)
    (notice,) = told
    assert notice.source == "face"
    assert "nowhere.invalid:11111" in notice.what
    assert "\n" not in notice.what


class SlowLookup:
    """Of any name comes what `found` gives, but not before `answer` is set."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, found: Callable[[], object]) -> None:
        self.asked, self.answer = threading.Event(), threading.Event()
        self._found = found
        monkeypatch.setattr(socket, "getaddrinfo", self._wait)

    def _wait(self, *args: object, **kwargs: object) -> object:
        self.asked.set()
        assert self.answer.wait(10)
        return self._found()


def followed(publish: Callable[[Notice], None]) -> asyncio.Task[None]:
    clock = SampleClock()
    face = Face((), Speaker(16_000), clock, lambda: 0.0, publish)
    return asyncio.create_task(follow("studio.example:11111", face, clock, publish))


async def until(event: threading.Event) -> None:
    """Were the loop blocked, this would come too late."""
    began = time.monotonic()
    while not event.is_set():
        await asyncio.sleep(0.001)
    assert time.monotonic() - began < 5


async def ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()


async def test_a_slow_lookup_keeps_nobody_waiting(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = (socket.AF_INET, socket.SOCK_DGRAM, 0, "", studio.socket.getsockname())
    lookup = SlowLookup(monkeypatch, lambda: [there])
    following = followed(unexpected)
    await until(lookup.asked)
    assert not following.done()
    lookup.answer.set()
    got = parsed(await asyncio.to_thread(studio.socket.recv, 4096))
    assert got.subject == "GoAssist"
    await ended(following)


async def test_a_lookup_that_fails_is_told_on_the_loop(
    monkeypatch: pytest.MonkeyPatch, told: list[Notice]
) -> None:
    def nothing() -> object:
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    lookup, here, said = SlowLookup(monkeypatch, nothing), threading.get_ident(), threading.Event()

    def publish(notice: Notice) -> None:
        assert threading.get_ident() == here
        told.append(notice)
        said.set()

    following = followed(publish)
    lookup.answer.set()
    await until(said)
    (notice,) = told
    assert "Temporary failure in name resolution" in notice.what
    await ended(following)


def test_the_program_ends_though_a_lookup_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    lookup = SlowLookup(monkeypatch, list)

    async def main() -> None:
        following = followed(unexpected)
        await until(lookup.asked)
        await ended(following)

    began = time.monotonic()
    asyncio.run(main())
    assert time.monotonic() - began < 5
    lookup.answer.set()


def test_closing_twice_and_sending_then_is_harmless(
    sender: LiveLinkSender, told: list[Notice]
) -> None:
    sender.close()
    sender.close()
    sender.send(pose(), at_ms=0.0)
    assert (sender.sent, sender.failed) == (0, 1)
    assert told == []


@pytest.mark.parametrize(
    "address",
    [
        "studio",
        "studio:",
        ":11111",
        "studio:0",
        "studio:65536",
        "studio:port",
        "a b:1",
        "a..b:1",
        "::1:80",
    ],
)
def test_an_address_that_is_none_names_the_setting_and_what_is_allowed(
    address: str, told: list[Notice]
) -> None:
    with pytest.raises(ConfigError, match=r"face\.live_link = .*must be a host and a port"):
        LiveLinkSender(address, publish=told.append)


def test_its_one_socket_never_blocks_and_is_closed(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[socket.socket] = []
    real = socket.socket.connect

    def connect(self: socket.socket, where: tuple[str, int]) -> None:
        opened.append(self)
        real(self, where)

    monkeypatch.setattr(socket.socket, "connect", connect)
    link = connected(studio.address, unexpected)
    (one,) = opened
    assert not one.getblocking()
    link.close()
    assert one.fileno() == -1
