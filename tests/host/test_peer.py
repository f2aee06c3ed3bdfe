"""A WebRTC peer against another one, over real sockets: sound, messages, and hostile offers."""

from __future__ import annotations

import asyncio
import gc
import os
import random
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import psutil
import pytest
from aiortc import RTCConfiguration, RTCRtpReceiver

from goassist_desktop.host import peer
from goassist_desktop.host.errors import ApiError
from goassist_desktop.host.ice import IceSettings, reachable, without_strangers
from goassist_desktop.host.peer import Peer
from goassist_desktop.pipeline.endpoints.remote import RemoteEndpoint
from goassist_desktop.pipeline.frames import Samples
from tests.fakes.web_client import WebClient


class Tone:
    """A loudspeaker's source: 440 Hz while `on`."""

    def __init__(self) -> None:
        self.on = False
        self.position = 0

    def pull(self, count: int) -> Samples:
        t = (self.position + np.arange(count)) / 48_000
        self.position += count
        return (0.3 * self.on * np.sin(2 * np.pi * 440 * t)).astype(np.float32)


class Here:
    """Our side: an endpoint with a peer, and what came of them."""

    def __init__(self, settings: IceSettings | None = None) -> None:
        self.endpoint = RemoteEndpoint()
        self.tone = Tone()
        self.blocks: list[Samples] = []
        self.endpoint.start(self.tone, self.blocks.append, lambda notice: None)
        self.received: list[dict[str, Any]] = []
        self.opened = self.gone = 0
        self.peer = Peer(
            self.endpoint,
            settings or IceSettings(),
            opened=lambda: setattr(self, "opened", self.opened + 1),
            receive=self.received.append,
            gone=lambda: setattr(self, "gone", self.gone + 1),
        )

    @property
    def heard(self) -> Samples:
        return np.concatenate([np.zeros(0, np.float32), *self.blocks])

    async def close(self) -> None:
        await self.peer.close()
        self.endpoint.stop()


@asynccontextmanager
async def connected(
    settings: IceSettings | None = None, client: WebClient | None = None
) -> AsyncIterator[tuple[Here, WebClient]]:
    here, there = Here(settings), client or WebClient()
    try:
        await there.connect(here.peer.answer)
        yield here, there
    finally:
        await there.close()
        await here.close()


async def until(true: Callable[[], object], seconds: float = 10.0) -> None:
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(0.01)


def loud(samples: Samples) -> bool:
    return len(samples) > 0 and float(np.abs(samples).max()) > 0.05


async def test_sound_goes_both_ways() -> None:
    async with connected() as (here, there):
        there.voice.say((0.3 * np.sin(np.arange(48_000) * 0.05)).astype(np.float32))
        here.tone.on = True
        await until(lambda: loud(here.heard) and loud(there.sound))
        here.tone.on = False
        await until(lambda: not loud(there.sound[-9600:]))
    spectrum = np.abs(np.fft.rfft(there.sound[:48_000]))
    assert np.argmax(spectrum) * 48_000 / len(there.sound[:48_000]) == pytest.approx(440, abs=10)


async def test_messages_and_faces_reach_the_other_side() -> None:
    async with connected() as (here, there):
        await until(lambda: here.opened)
        here.peer.send_event({"type": "hello"})
        here.peer.send_face({"seq": 0})
        there.send({"type": "stop"})
        there.events.send("junk")
        there.events.send("[" * 5000)
        there.events.send("[1, 2]")
        there.events.send("x" * 100_000)
        there.events.send(b"\xff\xfe")
        there.send({"type": "mute", "muted": True})
        await until(lambda: there.messages and there.faces and len(here.received) == 2)
    assert there.messages == [{"type": "hello"}]
    assert here.received == [{"type": "stop"}, {"type": "mute", "muted": True}]


async def test_the_rtp_time_of_a_sample_is_known() -> None:
    async with connected() as (here, there):
        await until(lambda: here.peer.rtp_of(0) is not None and len(there.heard) > 20)
        positions = {(rtp - (here.peer.rtp_of(0) or 0)) % 2**32 for _, rtp, _ in there.heard}
    assert all(position % 960 == 0 for position in positions)
    assert max(positions) < here.tone.position


async def test_what_was_not_taken_is_not_sent_late() -> None:
    here = Here()
    voice = here.peer._voice
    for position in range(0, 96_000, 960):
        voice.send(np.zeros(960, np.float32), position)
    taken = await voice.recv()
    assert taken.pts == 96_000 - 3 * 960
    assert voice.dropped == 97
    await here.close()


async def test_a_closed_tab_is_noticed_at_once_and_once() -> None:
    async with connected() as (here, there):
        await until(lambda: here.opened)
        await there.close()
        await until(lambda: here.gone, 3.0)
        await asyncio.sleep(0.2)
        assert here.gone == 1


async def test_a_peer_that_fell_silent_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peer, "LOST_S", 0.5)
    async with connected() as (here, there):
        await until(lambda: here.peer._heard_at is not None)
        there.voice.stop()
        await until(lambda: here.gone, 5.0)


async def test_one_who_never_comes_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peer, "CONNECT_S", 0.2)
    here, there = Here(), WebClient()
    await here.peer.answer(await there.offer())
    await until(lambda: here.gone, 5.0)
    await there.close()
    await here.close()


async def test_who_reads_nothing_is_left() -> None:
    async with connected() as (here, _):
        await until(lambda: here.opened)
        for _ in range(400):
            here.peer.send_event({"type": "notice", "text": "x" * 8000})
        await until(lambda: here.gone)


async def test_only_opus_and_only_one_voice() -> None:
    client = WebClient()
    client.pc.addTransceiver("video")
    client.pc.addTransceiver("audio")
    async with connected(client=client) as (here, there):
        answer = there.pc.remoteDescription.sdp
        assert answer.count("a=inactive") == 2
        voice = answer.split("m=")[1]
        assert "useinbandfec=1" in voice and "PCMU" not in voice
        here.tone.on = True
        await until(lambda: loud(there.sound))


def test_aiortc_still_has_the_buffer_that_is_replaced() -> None:
    assert "_RTCRtpReceiver__jitter_buffer" in RTCRtpReceiver.__init__.__code__.co_names


# -- offers nobody should answer -------------------------------------------------------------------


@pytest.mark.parametrize(
    "sdp",
    [
        "",
        "junk",
        "v=0",
        "v=0\r\no=- 0 0 IN IP4 0\r\ns=-\r\nt=0 0\r\n",
        "v=0\r\no=- 0 0 IN IP4 0\r\ns=-\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n",
        "v=0\r\n" + "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n" * 9,
        "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n" + "a=candidate:1\r\n" * 51,
        "v=0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\n",
        "v=0\r\nm=audio x y z\r\n",
        "v=0\r\nm=au9io 9 UDP/TLS/RTP/SAVPF 111\r\nm=application 9 UDP/DTLS/SCTP x\r\n",
        "v=0\r\na=group:BUNDLE 7 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\n",
        "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=" + "x" * 70_000,
    ],
)
async def test_what_is_no_offer_is_refused(sdp: str) -> None:
    here = Here()
    with pytest.raises(ApiError) as refused:
        await here.peer.answer(sdp)
    assert refused.value.status in (400, 413)
    assert here.peer._pc.connectionState == "closed"
    await here.close()


FAULTS = 120


async def test_offers_with_faults_are_answered_or_refused_and_leave_nothing() -> None:
    client = WebClient()
    good = await client.offer()
    await client.close()
    chance = random.Random(7)
    lines = good.splitlines()
    answered = 0
    for _ in range(FAULTS):
        hurt = list(lines)
        for _ in range(chance.randrange(1, 4)):
            place = chance.randrange(len(hurt))
            match chance.randrange(5):
                case 0:
                    del hurt[place]
                case 1:
                    hurt.insert(place, hurt[chance.randrange(len(hurt))])
                case 2:
                    line = hurt[place]
                    cut = chance.randrange(len(line) + 1)
                    hurt[place] = line[:cut] + chance.choice("\x00ü 9-:=") + line[cut + 1 :]
                case 3:
                    hurt[place] = hurt[place].replace("0", "99999999999")
                case 4:
                    hurt[place] = hurt[place][: len(hurt[place]) // 2]
        here = Here()
        try:
            await here.peer.answer("\r\n".join(hurt) + "\r\n")
            answered += 1
        except ApiError as refused:
            assert refused.status in (400, 413)
        await here.close()
    assert 0 < answered < FAULTS


@pytest.mark.parametrize(
    "candidate",
    ["x", "candidate:1 1 UDP", "candidate:1 1 UDP 1 1.2.3.4 x typ host", "a" * 1000, "\x00"],
)
async def test_what_is_no_candidate_is_refused(candidate: str) -> None:
    async with connected() as (here, _):
        with pytest.raises(ApiError) as refused:
            await here.peer.add_candidate(candidate, "0", 0)
        assert (refused.value.status, refused.value.code) == (400, "bad_candidate")


async def test_candidates_for_nothing_and_too_many() -> None:
    async with connected() as (here, _):
        await here.peer.add_candidate("", None, None)
        await here.peer.add_candidate("candidate:1 1 UDP 1 10.0.0.1 9 typ host", "7", 7)
        for port in range(1, 200):
            await here.peer.add_candidate(f"candidate:1 1 UDP 1 127.0.0.1 {port} typ host", "0", 0)
        gatherer = here.peer._pc.getTransceivers()[0].receiver.transport.transport
        assert len(gatherer._connection.remote_candidates) <= peer.MOST_CANDIDATES + 5


# -- nobody outside is spoken to -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "here", "anywhere"),
    [
        ("192.168.1.5", True, True),
        ("10.0.0.1", True, True),
        ("100.64.0.1", True, True),
        ("127.0.0.1", True, True),
        ("fe80::1%eth0", True, True),
        ("fd00::1", True, True),
        ("abc.local", True, True),
        ("8.8.8.8", False, True),
        ("2606:4700::1", False, True),
        ("224.0.0.1", False, False),
        ("0.0.0.0", False, False),
        ("evil.example", False, False),
        ("", False, False),
    ],
)
def test_whom_we_may_send_to(address: str, here: bool, anywhere: bool) -> None:
    assert reachable(address, private=True) == here
    assert reachable(address, private=False) == anywhere


def test_strangers_in_an_offer_are_left_out() -> None:
    offer = (
        "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n"
        "a=candidate:1 1 UDP 1 8.8.8.8 53 typ host\r\n"
        "a=candidate:2 1 UDP 1 192.168.1.5 9 typ host\r\n"
        "a=candidate:3\r\na=mid:0\r\n"
    )
    kept = without_strangers(offer, private=True)
    assert "8.8.8.8" not in kept and "192.168.1.5" in kept and "a=mid:0" in kept
    assert "candidate:3" not in kept


def test_no_server_is_asked_unless_one_is_configured() -> None:
    assert IceSettings().configuration().iceServers == []
    assert IceSettings().private
    relayed = IceSettings(turn="turn:10.0.0.1:3478", turn_user="u", turn_password="p")
    assert not relayed.private
    [server] = relayed.configuration().iceServers or []
    assert (server.urls, server.username, server.credential) == ("turn:10.0.0.1:3478", "u", "p")
    assert isinstance(IceSettings().configuration(), RTCConfiguration)


# -- what is left ----------------------------------------------------------------------------------


async def test_thirty_peers_come_and_go_and_nothing_is_left() -> None:
    process = psutil.Process()

    async def once() -> None:
        async with connected() as (_, there):
            await until(lambda: len(there.heard) > 2)

    def counted() -> tuple[int, int, int]:
        gc.collect()
        return len(asyncio.all_tasks()), threading.active_count(), process.num_fds()

    for _ in range(3):
        await once()
    before = counted()
    for _ in range(30):
        await once()
    deadline = asyncio.get_running_loop().time() + 5
    while counted() != before and asyncio.get_running_loop().time() < deadline:
        await asyncio.sleep(0.1)
    assert counted() == before, os.listdir(f"/proc/{process.pid}/fd")
