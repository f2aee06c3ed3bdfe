"""Whether it stays well: half an hour of talking and of silence, by turns, in one session."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Iterator, Sequence
from itertools import cycle

from rich.console import Console

from goassist_desktop.app import loaded_engines, make_session
from goassist_desktop.bench.figures import Figure
from goassist_desktop.bench.questions import recordings
from goassist_desktop.bench.usage import Usage, drift, minutes, steadiness, watch
from goassist_desktop.captions import Captions
from goassist_desktop.config import Config
from goassist_desktop.conversing import Until, converse
from goassist_desktop.pipeline.conversation import State
from goassist_desktop.pipeline.endpoints.capture import DEVICE_RATE_HZ, CaptureChain
from goassist_desktop.pipeline.endpoints.recording import RecordingEndpoint, Said, Sound
from goassist_desktop.pipeline.endpoints.room import Room, speech_span
from goassist_desktop.pipeline.errors import GoAssistError
from goassist_desktop.pipeline.events import Notice, SessionEvent, TurnClosed
from goassist_desktop.pipeline.frames import Samples
from goassist_desktop.talk import read_recording

TALKING = 0.3
"""Of the time; the rest is silence."""
QUESTIONS_A_ROUND = 3
NONE = {"max": 0.0}

Spoken = tuple[Samples, tuple[int, int]]
"""A recording at 48 kHz, and its first and last sample of speech."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--minutes", type=float, default=30.0, metavar="M", help="how long (default: 30)"
    )


def measure(config: Config, args: argparse.Namespace, console: Console) -> list[Figure]:
    """Raises BadInput, and the errors of engines and endpoint."""
    seconds = 60 * minutes(args.minutes)
    with recordings() as wavs:
        sounds = [read_recording(path) for path in wavs]
    spoken = [(sound, speech_span(sound, DEVICE_RATE_HZ)) for sound in sounds]
    with loaded_engines(config) as engines, Captions(console) as captions:
        soak = _Soak(captions, seconds, cycle(spoken))
        endpoint = RecordingEndpoint(CaptureChain(echo=True), room=Room())
        session = make_session(config, engines, endpoint, soak.publish)
        asyncio.run(converse(session, endpoint, soak.script))
    return soak.figures(endpoint.said, endpoint.sounds)


class _Soak:
    """The user's side of it, and what went wrong."""

    def __init__(self, captions: Captions, seconds: float, questions: Iterator[Spoken]) -> None:
        self._captions = captions
        self._seconds = seconds
        self._questions = questions
        self._usages: list[Usage] = []
        self._errors = 0
        self._stuck = 0

    def publish(self, event: SessionEvent) -> None:
        self._captions.take(event)
        match event:
            case Notice(level="error") | TurnClosed(outcome="failed"):
                self._errors += 1

    async def script(self, until: Until) -> None:
        """Rounds of a few questions and of the silence that belongs to them."""
        watching: asyncio.Task[None] | None = None
        end = round(self._seconds * DEVICE_RATE_HZ)
        position = 0
        while position < end:
            if not await self._talk(until):
                break
            talked = until.endpoint.position - position
            # The first round is warm-up: buffers and caches are filled.
            watching = watching or asyncio.create_task(watch(self._usages))
            await until.position(position + round(talked / TALKING))
            self._stuck += until.session.state is not State.LISTENING
            position = until.endpoint.position
        if watching is not None:
            watching.cancel()

    async def _talk(self, until: Until) -> bool:
        """Whether the session could still be talked with at the end of the round."""
        try:
            await until.quiet()
            for _ in range(QUESTIONS_A_ROUND):
                sound, span = next(self._questions)
                until.endpoint.say(sound, span=span)
                await until.quiet(until.endpoint.said[-1])
        except GoAssistError as error:
            self.publish(Notice("error", str(error)))
            self._stuck += 1
            return False
        return True

    def figures(self, said: Sequence[Said], sounds: Sequence[Sound]) -> list[Figure]:
        gaps = gaps_ms(said, sounds)
        steady = steadiness(self._usages) if len(self._usages) > 1 else []
        first, last = drift(gaps) if gaps else (0.0, 0.0)
        return [
            Figure("questions", "", (float(len(said)),)),
            Figure("unanswered", "", (float(len(said) - len(gaps)),), NONE),
            Figure("stuck", "", (float(self._stuck),), NONE),
            Figure("errors", "", (float(self._errors),), NONE),
            Figure("response gap", "ms", tuple(gaps)),
            Figure("response gap last / first", "", (round(last / first, 3),) if first else ()),
            *steady,
        ]


def gaps_ms(said: Sequence[Said], sounds: Sequence[Sound]) -> list[float]:
    """From each recording's last sample of speech to the next sound, as far as one came."""
    limits = [one.onset for one in said[1:]]
    gaps = []
    for one, before in zip(said, [*limits, None], strict=True):
        starts = [s.start for s in sounds if s.start > one.offset]
        if starts and (before is None or starts[0] < before):
            gaps.append(round((starts[0] - one.offset) * 1000 / DEVICE_RATE_HZ, 1))
    return gaps
