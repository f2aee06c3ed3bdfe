"""Whether it hears itself: minutes of its own speech in rooms with an echo, and nobody else.

Real engines, session, ears and capture chain in virtual rooms; see `scenes`. A stop is counted from
the state machine, and a second time from the recording: a word of an answer that never left the
loudspeaker was cut off.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from goassist_desktop.app import loaded_engines
from goassist_desktop.bench import questions, wav
from goassist_desktop.bench.figures import Figure
from goassist_desktop.bench.scenes import SCENES, Reader, Scene, answers_played, hold, reading
from goassist_desktop.bench.words_played import Loudspeaker, Played
from goassist_desktop.config import Config
from goassist_desktop.conversing import Until
from goassist_desktop.pipeline.conversation import State
from goassist_desktop.pipeline.endpoints.capture import DEVICE_RATE_HZ
from goassist_desktop.pipeline.endpoints.recording import Sound
from goassist_desktop.pipeline.errors import BadInput
from goassist_desktop.pipeline.events import SessionEvent, StateChanged, TurnClosed
from goassist_desktop.pipeline.workers import Engines
from goassist_desktop.talk import read_recording

MINUTES = 30.0
QUESTIONS = 5
"""The first of those recorded: in five voices, and without a pause inside."""


@dataclass(frozen=True, slots=True)
class OwnSpeech:
    """What came of one conversation in which the user only asked."""

    seconds: float
    """Of the assistant's speech."""
    fades: int
    stops: int
    turns: int
    """Answers to nobody: turns beyond the questions that were asked."""
    words: int
    """Of the answers that were heard."""
    words_cut: int
    """Those of them that never left the loudspeaker."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--minutes", type=float, default=MINUTES, help="of own speech (default: %(default)g)"
    )
    parser.add_argument("--real-time", action="store_true", help="as slow as a conversation is")


def measure(config: Config, args: argparse.Namespace, console: Console) -> list[Figure]:
    """Raises BadInput, and the errors of engines and endpoint."""
    if not 0 < args.minutes <= 600:
        raise BadInput(f"--minutes {args.minutes:g}: must be more than 0, and 600 at most")
    console.print("  its words are read from a text; no language model is asked", style="dim")
    held = []
    with loaded_engines(config) as engines:
        for scene in SCENES:
            seconds = args.minutes * 60 / len(SCENES)
            own = speak(config, engines, scene, seconds, realtime=args.real_time)
            console.print(
                f"  {scene}: {own.seconds:.0f} s, {own.fades} fades, {own.stops} stops", style="dim"
            )
            held.append(own)
    return figures(held)


def speak(
    config: Config, engines: Engines, scene: Scene, seconds: float, *, realtime: bool
) -> OwnSpeech:
    """One conversation with at least so much of the assistant's own speech."""
    events: list[SessionEvent] = []
    with questions.recordings() as wavs, TemporaryDirectory(prefix="goassist-bench-") as folder:
        reply, mic = Path(folder) / "reply.wav", Path(folder) / "mic.wav"
        endpoint = scene.endpoint(reply=reply, mic=mic, realtime=realtime)
        reader = Reader(endpoint)
        asked = [read_recording(path) for path in wavs[:QUESTIONS]]

        async def script(until: Until) -> int:
            count = 0
            while _sounded_s(endpoint.sounds) < seconds:
                endpoint.say(asked[count % len(asked)])
                count += 1
                await until.quiet(endpoint.said[-1])
            return count

        own = reading(engines, reader)
        count = hold(config, own, scene, endpoint, script, events.append, realtime=realtime)
        loudspeaker = Loudspeaker(wav.load(reply)[0])
        answers = answers_played(reader.answers, loudspeaker)
    return judge(events, _sounded_s(endpoint.sounds), count, answers)


def judge(
    events: Sequence[SessionEvent],
    seconds: float,
    asked: int,
    answers: Sequence[Sequence[Played]],
) -> OwnSpeech:
    """`asked`: questions of the user, who said nothing else, and nothing into an answer."""
    states = [event.state for event in events if isinstance(event, StateChanged)]
    steps = list(pairwise(states))
    heard = [words for words in answers if any(word.at is not None for word in words)]
    return OwnSpeech(
        seconds=seconds,
        fades=states.count(State.HELD),
        stops=sum(
            after is State.INTERRUPTED and before in (State.SPEAKING, State.HELD)
            for before, after in steps
        ),
        turns=max(0, sum(isinstance(event, TurnClosed) for event in events) - asked),
        words=sum(map(len, heard)),
        words_cut=sum(word.at is None for words in heard for word in words),
    )


def figures(held: Sequence[OwnSpeech]) -> list[Figure]:
    """The conversations as figures."""
    hours = sum(own.seconds for own in held) / 3600

    def total(count: Callable[[OwnSpeech], int]) -> tuple[float, ...]:
        return (float(sum(map(count, held))),)

    fades = (round(total(lambda own: own.fades)[0] / hours, 1),) if hours else ()
    return [
        Figure("own speech", "min", (round(hours * 60, 1),)),
        Figure("words", "", total(lambda own: own.words)),
        Figure("stopped by itself", "", total(lambda own: own.stops), {"max": 0}),
        Figure("words cut (WAV)", "", total(lambda own: own.words_cut), {"max": 0}),
        Figure("answered itself", "", total(lambda own: own.turns), {"max": 0}),
        Figure("faded by itself", "1/h", fades),
    ]


def _sounded_s(sounds: Sequence[Sound]) -> float:
    return sum(sound.end - sound.start for sound in sounds) / DEVICE_RATE_HZ
