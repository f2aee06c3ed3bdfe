"""A whole conversation on virtual time: the real session, ears, turn and speaker, tone engines."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import soundfile

from goassist_desktop.pipeline.conversation import State
from goassist_desktop.pipeline.endpointing import EndOfTurn
from goassist_desktop.pipeline.endpoints.capture import CaptureChain
from goassist_desktop.pipeline.endpoints.recording import RecordingEndpoint
from goassist_desktop.pipeline.events import ReplyText, SessionEvent, StateChanged, TurnClosed
from goassist_desktop.pipeline.frames import Samples
from goassist_desktop.pipeline.protocols import FaceEngine
from goassist_desktop.pipeline.session import Session, SessionSettings
from goassist_desktop.pipeline.turn import TurnSettings
from goassist_desktop.pipeline.workers import Engines, Hosted
from tests.fakes.tones import (
    USER,
    LoudnessActivity,
    ScriptedModel,
    ToneRecogniser,
    ToneVoice,
    WordDetector,
    cough,
)
from tests.fakes.virtual_time import VirtualLane

RATE_HZ = 48_000


class PlainPolicy(EndOfTurn):
    """The detector and the last word, so that no conversation here depends on fitted numbers."""

    def wait_ms(self, probability: float, text: str) -> float:
        if text.endswith((" and", " the")):
            return 1800
        return 200 if probability >= 0.5 else 1000


def _hosted(engine: Any, spares: Sequence[Any]) -> Hosted[Any]:
    below = tuple(Hosted(one, VirtualLane()) for one in spares if one.stage == engine.stage)
    return Hosted(engine, VirtualLane(), below)


class Conversation:
    """Say things to it, let time pass, and look at what came out of the loudspeaker."""

    def __init__(
        self,
        folder: Path,
        answer: Callable[[str], str],
        max_tokens: int = 200,
        context_tokens: int = 8192,
        face: Sequence[FaceEngine] = (),
        spares: Sequence[Any] = (),
    ) -> None:
        """`spares`: engines of tones that take over where one of the first breaks."""

        self.model = ScriptedModel(answer)
        self.voice = ToneVoice()
        self.recogniser = ToneRecogniser()
        self.events: list[SessionEvent] = []
        self._reply = folder / "reply.wav"
        self.endpoint = RecordingEndpoint(
            CaptureChain(echo=False), reply=self._reply, realtime=False
        )
        self.activity = LoudnessActivity()
        self.detector = WordDetector()
        self.engines = Engines(
            activity=self.activity,
            detector=Hosted(self.detector, VirtualLane()),
            recogniser=_hosted(self.recogniser, spares),
            model=_hosted(self.model, spares),
            voice=_hosted(self.voice, spares),
            face=tuple(Hosted(engine, VirtualLane()) for engine in face),
        )
        settings = SessionSettings(
            system_prompt="be brief",
            turn=TurnSettings(
                max_tokens=max_tokens,
                temperature=0.0,
                seed=0,
                context_tokens=context_tokens,
                stall_s=8.0,
            ),
            end_of_turn=PlainPolicy(),
        )
        self.session = Session(self.endpoint, self.engines, settings, self.events.append)
        self._running: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def held(self) -> AsyncIterator[Conversation]:
        self._running = asyncio.create_task(self.session.run())
        while self.session.state is State.IDLE:
            await asyncio.sleep(0.01)
        await self.pass_time(0.1)
        try:
            yield self
        finally:
            if not self._running.done():
                self._running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._running

    async def pass_time(self, seconds: float) -> None:
        assert self._running is not None
        for _ in range(round(seconds * 100)):
            await asyncio.sleep(0.01)
            if self._running.done():
                await self._running
            self.endpoint.step()
        await asyncio.sleep(0)

    async def until(self, true: Callable[[], bool], limit_s: float = 60.0) -> None:
        for _ in range(round(limit_s * 100)):
            if true():
                return
            await self.pass_time(0.01)
        raise AssertionError(f"did not happen in {limit_s} s; {self.session.state}, {self.states}")

    async def until_state(self, state: State, limit_s: float = 60.0) -> None:
        await self.until(lambda: self.session.state is state, limit_s)

    async def say(self, text: str) -> None:
        """Speak, and wait until it is spoken."""
        await self.sound(USER.say(text, RATE_HZ)[0])

    async def cough(self, seconds: float = 0.3) -> None:
        await self.sound(cough(seconds, RATE_HZ))

    async def sound(self, samples: Samples) -> None:
        end = self.endpoint.say(samples) + len(samples)
        await self.until(lambda: self.endpoint.position >= end)

    async def until_quiet(self) -> None:
        """Until all was answered and played."""
        await self.until(lambda: not self.session.busy and self.endpoint.quiet_for() > 0.5)

    # -- what came of it -------------------------------------------------------------------------

    @property
    def states(self) -> list[str]:
        return [str(event.state) for event in self.events if isinstance(event, StateChanged)]

    @property
    def turns(self) -> list[TurnClosed]:
        return [event for event in self.events if isinstance(event, TurnClosed)]

    def turn_text(self) -> str:
        """What was heard so far of the reply that is being spoken."""
        said = [event for event in self.events if isinstance(event, ReplyText)]
        return said[-1].heard

    def played(self) -> tuple[Samples, list[tuple[str, int]]]:
        """Everything the loudspeaker played, and the words in it with their positions.

        Read from the recorded file; only once the conversation is over.
        """
        samples, rate_hz = soundfile.read(self._reply, dtype="float32")
        assert rate_hz == RATE_HZ
        return samples, self.voice.tongue.read_at(samples, RATE_HZ)

    def heard(self) -> str:
        return " ".join(word for word, _ in self.played()[1])
