"""One person's conversation at the other end of a network, by whatever line they reach it.

The conversation goes on whether or not anybody is on the line, for GRACE_S at most: whoever reloads
the page, or loses the network for a moment, comes back to it.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, contextmanager
from typing import Any, Final, Protocol

from aiohttp import web

from goassist_desktop.host import pcm
from goassist_desktop.host.errors import ApiError
from goassist_desktop.host.face_sender import FaceSender
from goassist_desktop.host.ice import IceSettings
from goassist_desktop.host.load import Effects
from goassist_desktop.host.messages import message_of
from goassist_desktop.host.peer import Peer
from goassist_desktop.pipeline.conversation import State
from goassist_desktop.pipeline.endpoints.remote import RemoteEndpoint
from goassist_desktop.pipeline.errors import GoAssistError
from goassist_desktop.pipeline.events import Notice, SessionEvent, StateChanged, TurnClosed
from goassist_desktop.pipeline.protocols import Endpoint
from goassist_desktop.pipeline.session import Session

logger = logging.getLogger(__name__)

GRACE_S: Final = 10.0
"""Without anybody on the line for so long, a conversation that had somebody is over."""
RETOLD_TURNS: Final = 30
"""Turns that are told again to who comes back."""
LONGEST_OFFSET_MS: Final = 10_000.0
"""Of a face: what is more was not measured."""
CLOCK_S: Final = 1.0
"""How often it is told which sample is heard when."""

Publish = Callable[[SessionEvent], None]


class _Line(Protocol):
    """How somebody is reached: a WebRTC peer, or a socket with PCM."""

    @property
    def dropped(self) -> int:
        """Packets that were not taken in time."""

    def send_event(self, message: dict[str, Any]) -> None: ...

    async def close(self) -> None: ...


class HostedSession:
    """A `ports.Hosted`: a session, its endpoint, and who is on the line."""

    def __init__(
        self,
        session_id: str,
        hello: dict[str, Any],
        make: Callable[[Endpoint, Publish], Session],
        *,
        ice: IceSettings,
        greeting: str = "",
        watch: Publish = lambda event: None,
        face_shown: Callable[[float], None] = lambda offset_ms: None,
        ended: Callable[[], None] = lambda: None,
    ) -> None:
        """`hello` is told first to whoever comes on the line. `watch` sees every event,
        `face_shown` how much later than its sound the face is shown there, and `ended` is called
        when the conversation is over, for whatever reason."""
        self._id = session_id
        self._hello = {"type": "hello", "session_id": session_id, **hello}
        self._avatar = bool(hello.get("avatar"))
        self._ice = ice
        self._greeting = greeting
        self._watch, self._face_shown = watch, face_shown
        self._endpoint = RemoteEndpoint()
        self._session = make(self._endpoint, self._publish)
        self._line: _Line | None = None
        self._telling: asyncio.Task[None] | None = None
        self._turns: deque[dict[str, Any]] = deque(maxlen=RETOLD_TURNS)
        self._fps = 30
        self._over = False
        self._grace: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        self._active_at = self._loop.time()
        self._running = asyncio.create_task(self._session.run(), name=f"session {session_id}")
        self._running.add_done_callback(lambda _: ended())
        self._running.add_done_callback(self._on_end)

    # -- ports.Hosted ----------------------------------------------------------------------------

    @property
    def state(self) -> str:
        return str(self._session.state)

    @property
    def connected(self) -> bool:
        return self._line is not None

    @property
    def quiet_s(self) -> float:
        if self._session.busy:
            return 0.0
        return self._loop.time() - self._active_at

    @property
    def over(self) -> bool:
        return self._over

    async def offer(self, sdp: str) -> str:
        peer: Peer | None = None

        def opened() -> None:
            assert peer is not None
            self._welcome(peer)

        def gone() -> None:
            self._left(peer)

        peer = Peer(self._endpoint, self._ice, opened=opened, receive=self._receive, gone=gone)
        answer = await peer.answer(sdp)
        await self._replace_line(peer)
        self._telling = asyncio.create_task(self._tell(peer), name=f"face of {self._id}")
        return answer

    async def candidate(
        self, candidate: str, sdp_mid: str | None, sdp_m_line_index: int | None
    ) -> None:
        if not isinstance(self._line, Peer):
            raise ApiError(409, "no_peer", "There was no offer that this candidate belongs to.")
        await self._line.add_candidate(candidate, sdp_mid, sdp_m_line_index)

    async def chat(self, message: str) -> AsyncGenerator[str, None]:
        self._note_activity()
        async with aclosing(self._session.chat(message)) as pieces:
            async for piece in pieces:
                yield piece
        self._note_activity()

    @contextmanager
    def faces(self) -> Iterator[FaceSender]:
        if not self._avatar:
            raise ApiError(409, "no_avatar", "This session was made without a face.")
        yield self._face_sender()

    async def pcm(self, socket: web.WebSocketResponse) -> None:
        line = pcm.PcmLine(socket, self._endpoint, self._receive)
        await self._replace_line(line)
        self._welcome(line)
        try:
            await line.serve()
        finally:
            self._left(line)

    async def close(self) -> None:
        self._over = True
        if self._grace is not None:
            self._grace.cancel()
        await self._hang_up()
        self._running.cancel()
        await asyncio.wait([self._running])

    @property
    def dropped(self) -> int:
        """Packets that who is on the line did not take in time."""
        return 0 if self._line is None else self._line.dropped

    def use(self, effects: Effects) -> None:
        """What the load allows from now on."""
        self._session.limit_reply(effects.max_tokens)
        self._fps = effects.face_fps

    def tell(self, message: dict[str, Any]) -> None:
        """A message of the host's own, to whoever is on the line."""
        if self._line is not None:
            self._line.send_event(message)

    # -- the line --------------------------------------------------------------------------------

    async def _replace_line(self, line: _Line) -> None:
        if self._grace is not None:
            self._grace.cancel()
            self._grace = None
        await self._hang_up()
        self._line = line
        self._note_activity()

    async def _hang_up(self) -> None:
        line, self._line = self._line, None
        telling, self._telling = self._telling, None
        if telling is not None:
            telling.cancel()
        if line is not None:
            await line.close()

    def _welcome(self, line: _Line) -> None:
        """Say who we are, and what was said so far."""
        line.send_event(self._hello)
        for turn in self._turns:
            line.send_event(turn)
        line.send_event({"type": "state", "state": self.state, "at_ms": 0.0})
        if self._greeting:
            self._session.greet(self._greeting)
            self._greeting = ""

    def _left(self, line: _Line | None) -> None:
        """Whoever was on the line is not, any more: what is being said, nobody hears."""
        if line is None or line is not self._line:
            return
        self._line = None
        if self._telling is not None:
            self._telling.cancel()
            self._telling = None
        self._session.stop_talking()
        self._note_activity()
        if not self._over:
            self._grace = self._loop.call_later(GRACE_S, self._give_up)

    def _give_up(self) -> None:
        self._over = True

    def _receive(self, message: dict[str, Any]) -> None:
        """What the other side asks for; what is no request is ignored."""
        session = self._session
        match message:
            case {"type": "say", "text": str(text)} if text.strip():
                session.say(text[:4000])
            case {"type": "stop"}:
                session.stop_talking()
            case {"type": "mute", "muted": bool(muted)}:
                session.mute(muted)
            case {"type": "talk", "pressed": bool(pressed)}:
                session.push_to_talk(pressed)
            case {"type": "playout", "delay_ms": float() | int() as delay_ms}:
                self._endpoint.delayed(float(delay_ms))
                offset_ms = message.get("face_ms")
                if isinstance(offset_ms, float | int) and abs(offset_ms) < LONGEST_OFFSET_MS:
                    self._face_shown(float(offset_ms))

    # -- what is told ----------------------------------------------------------------------------

    def _publish(self, event: SessionEvent) -> None:
        self._watch(event)
        match event:
            case StateChanged(state) if state is not State.IDLE:
                self._note_activity()
            case _:
                pass
        message = message_of(event)
        if message is None:
            return
        if isinstance(event, TurnClosed):
            self._turns.append(message | {"retold": True})
        self.tell(message)

    def _note_activity(self) -> None:
        self._active_at = self._loop.time()

    def _face_sender(self) -> FaceSender:
        return FaceSender(self._id, self._session.face, self._endpoint, lambda: self._fps)

    async def _tell(self, peer: Peer) -> None:
        """The face and the clock it goes by, for as long as this peer is on the line."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._tell_time(peer))
            if self._avatar:
                group.create_task(self._face_sender().send(peer.send_face))

    async def _tell_time(self, peer: Peer) -> None:
        while True:
            rtp = peer.rtp_of(0)
            if rtp is not None:
                heard_ms = self._endpoint.heard_at_ms(0)
                peer.send_event({"type": "clock", "rtp": rtp, "t_audio_ms": round(heard_ms, 1)})
            await asyncio.sleep(CLOCK_S if rtp is not None else 0.1)

    def _on_end(self, running: asyncio.Task[None]) -> None:
        """The conversation is over: told where it broke, and logged where that is a bug."""
        self._over = True
        if running.cancelled() or (error := running.exception()) is None:
            return
        if not isinstance(error, GoAssistError):
            logger.error("session %s broke", self._id, exc_info=error)
        what = str(error) if isinstance(error, GoAssistError) else "The conversation broke."
        message = message_of(Notice("error", what))
        assert message is not None
        self.tell(message)
