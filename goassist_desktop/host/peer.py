"""A browser, or another WebRTC client, on the line: one connection to one endpoint."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from aiortc import (
    RTCDataChannel,
    RTCPeerConnection,
    RTCRtpReceiver,
    RTCRtpTransceiver,
    RTCSessionDescription,
)
from aiortc.rtp import RtpPacket
from aiortc.sdp import SessionDescription, candidate_from_sdp

from goassist_desktop.host.errors import ApiError
from goassist_desktop.host.ice import IceSettings, reachable, without_strangers
from goassist_desktop.host.outgoing import OutgoingVoice
from goassist_desktop.host.reception import Reception
from goassist_desktop.pipeline.endpoints.remote import RemoteEndpoint

logger = logging.getLogger(__name__)

LONGEST_SDP: Final = 65_536
MOST_MEDIA: Final = 8
KINDS: Final = frozenset({"audio", "video", "application"})
MOST_CANDIDATES: Final = 50
"""Of one peer, in its offer and after."""
ANSWER_S: Final = 10.0
CLOSE_S: Final = 5.0
CONNECT_S: Final = 20.0
"""Who has not connected after so long never will."""
LOST_S: Final = 5.0
"""A peer that has sent sound, and sends none for so long, is not there any more: every browser
sends silence too. ICE would take half a minute to say so."""
FULL_BYTES: Final = 64_000
"""Waiting in the channel of the face: what is due now is dropped."""
STUCK_BYTES: Final = 1_000_000
"""Waiting in the channel of events: nobody reads them."""
LONGEST_MESSAGE: Final = 8_192

_BAD_OFFER: Final = ApiError(400, "bad_sdp", "This is not an SDP offer that can be answered.")


class Peer:
    """Make it, `answer` its offer once, and `close` it. `gone` is called once, when it is lost."""

    def __init__(
        self,
        endpoint: RemoteEndpoint,
        ice: IceSettings,
        *,
        opened: Callable[[], None],
        receive: Callable[[dict[str, Any]], None],
        gone: Callable[[], None],
    ) -> None:
        """`opened`: messages can be sent now. `receive`: one has come.

        Raises EngineFailed without the library of Opus.
        """
        self._endpoint = endpoint
        self._ice = ice
        self._opened, self._receive, self._gone = opened, receive, gone
        self._pc = RTCPeerConnection(ice.configuration())
        self._voice = OutgoingVoice()
        self._reception = Reception()
        self._candidates = 0
        self._taken = False
        self._events: RTCDataChannel | None = None
        self._faces: RTCDataChannel | None = None
        self._heard_at: float | None = None
        self._watching: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None
        self._pc.on("connectionstatechange", self._on_state)
        self._pc.on("datachannel", self._on_channel)

    # -- signalling ------------------------------------------------------------------------------

    async def answer(self, offer: str) -> str:
        """The SDP that answers an offer, with all our candidates in it.

        Raises ApiError, and is closed then.
        """
        try:
            self._check(offer)
            offer = without_strangers(offer, private=self._ice.private)
            async with asyncio.timeout(ANSWER_S):
                answer = await self._negotiate(offer)
        except BaseException as error:
            await self.close()
            if isinstance(error, ApiError) or not isinstance(error, Exception):
                raise
            # Whatever the parser and the negotiation make of it, it was the offer's fault.
            logger.info("an offer was refused: %r", error)
            raise _BAD_OFFER from None
        self._watching = asyncio.create_task(self._watch(), name="peer watch")
        return answer

    def _check(self, offer: str) -> None:
        if len(offer) > LONGEST_SDP:
            raise ApiError(413, "too_large", "The SDP is too large.")
        media = re.findall(r"^m=(\S*)", offer, re.MULTILINE)
        candidates = offer.count("a=candidate:")
        if not offer.startswith("v=0") or not media or len(media) > MOST_MEDIA:
            raise _BAD_OFFER
        if candidates > MOST_CANDIDATES or not set(media) <= KINDS or set(media) == {"video"}:
            raise _BAD_OFFER
        self._candidates = candidates
        described = SessionDescription.parse(offer)
        names = [media.rtp.muxId for media in described.media]
        bundled = [name for group in described.group for name in group.items]
        # aiortc takes what is bundled with nothing for good, and can not even close it again.
        if len(set(names)) < len(names) or not set(bundled) <= set(names):
            raise _BAD_OFFER

    async def _negotiate(self, offer: str) -> str:
        pc = self._pc
        await pc.setRemoteDescription(RTCSessionDescription(offer, "offer"))
        for transceiver in pc.getTransceivers():
            if transceiver.kind == "audio" and not self._taken:
                self._take(transceiver)
            else:
                transceiver.direction = "inactive"
        await pc.setLocalDescription(await pc.createAnswer())
        return _for_speech(pc.localDescription.sdp)

    def _take(self, transceiver: RTCRtpTransceiver) -> None:
        """Speech both ways, and nothing but Opus."""
        # What both can do was settled when the offer was taken: a preference comes too late.
        transceiver._codecs = [c for c in transceiver._codecs if c.mimeType == "audio/opus"]
        if not transceiver._codecs:
            raise _BAD_OFFER
        self._taken = True
        transceiver.sender.replaceTrack(self._voice)
        self._voice.sent_by(transceiver.sender)
        transceiver.direction = "sendrecv"
        _tap(transceiver.receiver, self._on_packet)

    async def add_candidate(
        self, candidate: str, sdp_mid: str | None, sdp_m_line_index: int | None
    ) -> None:
        """One more candidate of the other side; the empty one says there are no more.

        Those we may not send to are ignored, and so are too many. Raises ApiError.
        """
        line = candidate.strip().removeprefix("a=").removeprefix("candidate:")
        if not line:
            return
        try:
            found = candidate_from_sdp(line)
        except (ValueError, IndexError, AssertionError) as error:
            raise ApiError(400, "bad_candidate", "This is not an ICE candidate.") from error
        self._candidates += 1
        if self._candidates > MOST_CANDIDATES:
            return
        if not reachable(found.ip, private=self._ice.private):
            return
        found.sdpMid, found.sdpMLineIndex = sdp_mid, sdp_m_line_index
        try:
            await self._pc.addIceCandidate(found)
        except Exception as error:
            raise ApiError(
                400, "bad_candidate", "This candidate belongs to nothing that was offered."
            ) from error

    async def close(self) -> None:
        """End it; returns when nothing of it is left."""
        if self._closing is None:
            self._closing = asyncio.create_task(self._close(), name="peer close")
        await asyncio.shield(self._closing)

    async def _close(self) -> None:
        self._endpoint.detach(self._voice.send)
        if self._watching is not None and self._watching is not asyncio.current_task():
            self._watching.cancel()
        self._voice.stop()
        self._pc.remove_all_listeners()
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                await self._pc.close()

    # -- what is sent ----------------------------------------------------------------------------

    def send_event(self, message: dict[str, Any]) -> None:
        """Tell the other side; who does not read what it is told is left."""
        channel = self._events
        if channel is None or channel.readyState != "open":
            return
        if channel.bufferedAmount > STUCK_BYTES:
            logger.info("a peer does not read what it is told, and is closed")
            self._lost()
            return
        channel.send(json.dumps(message))

    def send_face(self, message: dict[str, Any]) -> None:
        """One frame of the face, unless those before it still wait."""
        channel = self._faces
        if channel is not None and channel.readyState == "open":
            if channel.bufferedAmount < FULL_BYTES:
                channel.send(json.dumps(message, separators=(",", ":")))

    @property
    def dropped(self) -> int:
        """Packets of sound that the network did not take in time."""
        return self._voice.dropped

    def rtp_of(self, position: int) -> int | None:
        """The RTP timestamp of a sample of the endpoint's; None before the first was sent."""
        return self._voice.rtp_of(position)

    # -- what comes ------------------------------------------------------------------------------

    def _on_packet(self, packet: RtpPacket) -> None:
        self._heard_at = asyncio.get_running_loop().time()
        for samples in self._reception.add(
            packet.sequence_number, packet.timestamp, packet.payload
        ):
            self._endpoint.hear(samples)

    def _on_channel(self, channel: RTCDataChannel) -> None:
        if channel.label == "events" and self._events is None:
            self._events = channel
            channel.on("message", self._on_message)
            self._opened()
        elif channel.label == "blendshapes" and self._faces is None:
            self._faces = channel
        else:
            channel.close()

    def _on_message(self, message: str | bytes) -> None:
        if len(message) > LONGEST_MESSAGE:
            return
        with suppress(ValueError, RecursionError):
            content = json.loads(message)
            if isinstance(content, dict):
                self._receive(content)

    def _on_state(self) -> None:
        match self._pc.connectionState:
            case "connected":
                self._endpoint.attach(self._voice.send)
            case "failed" | "closed":
                self._lost()

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        while True:
            await asyncio.sleep(1.0)
            connected = self._pc.connectionState == "connected"
            if not connected and loop.time() - began > CONNECT_S:
                return self._lost()
            if self._heard_at is not None and loop.time() - self._heard_at > LOST_S:
                return self._lost()

    def _lost(self) -> None:
        if self._closing is None:
            self._closing = asyncio.create_task(self._close(), name="peer close")
            self._gone()


def _tap(receiver: RTCRtpReceiver, take: Callable[[RtpPacket], None]) -> None:
    """Have a receiver hand over its packets as they come.

    aiortc's own jitter buffer holds 70 ms of sound, and its decoder conceals nothing: here nothing
    gets so far. There is no other way in.
    """

    class Tap:
        def add(self, packet: RtpPacket) -> tuple[bool, None]:
            take(packet)
            return False, None

    assert hasattr(receiver, "_RTCRtpReceiver__jitter_buffer"), "aiortc has changed"
    receiver._RTCRtpReceiver__jitter_buffer = Tap()


def _for_speech(answer: str) -> str:
    """Ask the other side to send what makes up for lost packets, and one channel (RFC 7587)."""
    payload = re.search(r"^a=rtpmap:(\d+) opus/48000", answer, re.MULTILINE)
    if payload is None:
        return answer
    number = payload[1]
    kept = [line for line in answer.splitlines() if not line.startswith(f"a=fmtp:{number} ")]
    place = next(i for i, line in enumerate(kept) if line.startswith(f"a=rtpmap:{number} "))
    kept.insert(place + 1, f"a=fmtp:{number} minptime=10;useinbandfec=1;stereo=0")
    return "\r\n".join(kept) + "\r\n"
