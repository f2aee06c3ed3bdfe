"""How fast it falls silent when somebody speaks over it, and whether it goes on where it should.

Real engines, session, ears and capture chain in virtual rooms; see `scenes`. What happened is read
from the recording of the loudspeaker: when it fell silent, and which words of the answer followed.
Only falling silent without anybody having made a sound is counted from the state machine.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, cycle, pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from rich.console import Console

from goassist_desktop.app import loaded_engines
from goassist_desktop.bench import interruptions, questions, wav
from goassist_desktop.bench.figures import Figure
from goassist_desktop.bench.scenes import (
    SCENES,
    Reader,
    Scene,
    answers_played,
    at_level,
    click,
    cough,
    hold,
    hum,
    reading,
)
from goassist_desktop.bench.words_played import Loudspeaker, Played, lost
from goassist_desktop.config import Config
from goassist_desktop.conversing import Until
from goassist_desktop.pipeline.conversation import State
from goassist_desktop.pipeline.endpoints.capture import DEVICE_RATE_HZ
from goassist_desktop.pipeline.endpoints.recording import Said
from goassist_desktop.pipeline.endpoints.room import speech_span
from goassist_desktop.pipeline.errors import BadInput
from goassist_desktop.pipeline.events import SessionEvent, StateChanged
from goassist_desktop.pipeline.frames import Samples
from goassist_desktop.pipeline.workers import Engines
from goassist_desktop.talk import read_recording

MS = DEVICE_RATE_HZ // 1000
LIMITS_MS = {"p50": 110.0, "p95": 150.0}
STOPPING = ("words", "people", "stop")
"""Kinds of sound that end the answer; the others must not."""
ROUND = (
    "words", "people", "backchannel", "words", "cough", "stop", "words", "hum", "people", "click",
)  # fmt: skip
"""What is said over the assistant in one round of a scene, in this order."""
ROUNDS = 2
LEVELS_DB = (5, -5, 10, 0)
"""Of the user against the echo at the microphone; they take turns."""
SOUNDING_S = 1.5
"""The assistant has spoken for so long since the last event."""
AUDIBLE_MS = 30
"""It sounds at the onset: its last audible sample is this fresh."""
LASTING_MS = 300
"""Silent for so long is no pause between sentences, which is 250 ms."""
MISSED_MS = 1000
"""Not silent by then, or still in the same answer so long after the user's last sound: missed."""
AGAIN_MS = 600
"""Words of the same answer so long after a sound that must not stop it: it went on. Where it was
stopped none follow, for the sound was read by then; the next sound comes after SOUNDING_S."""
OWN_MS = (-200, 1000)
"""A fade this long before the onset, up to so long after the offset, may be the user's doing."""
LEAD_MS = 20
"""Of a recording before its first sound, so that none is cut."""


@dataclass(frozen=True, slots=True)
class Over:
    """A sound over the assistant's voice. Positions are samples at 48 kHz."""

    kind: str
    name: str
    level_db: float
    onset: int
    offset: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it."""

    over: Over
    silence_ms: float | None
    """From the onset until the loudspeaker was silent for LASTING_MS; None: never."""
    goes_on: bool
    """Words of the same answer follow, more than MISSED_MS after the last sound of what must stop
    it, or AGAIN_MS after that of what must not."""

    @property
    def missed(self) -> bool:
        late = self.silence_ms is None or self.silence_ms > MISSED_MS
        return self.over.kind in STOPPING and (late or self.goes_on)

    @property
    def stopped_wrongly(self) -> bool:
        return self.over.kind not in STOPPING and not self.goes_on


@dataclass(frozen=True, slots=True)
class Held:
    """What came of the conversation in one scene."""

    outcomes: tuple[Outcome, ...]
    lost_words: tuple[str, ...]
    own_fades: int
    own_stops: int
    own_s: float
    """Of the assistant's speech."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--rounds", type=int, default=ROUNDS, help="of ten sounds a scene (default: %(default)s)"
    )
    parser.add_argument("--real-time", action="store_true", help="as slow as a conversation is")


def measure(config: Config, args: argparse.Namespace, console: Console) -> list[Figure]:
    """Raises BadInput, and the errors of engines and endpoint."""
    if not 1 <= args.rounds <= 100:
        raise BadInput(f"--rounds {args.rounds}: must be 1 to 100")
    console.print("  its words are read from a text; no language model is asked", style="dim")
    held = []
    sounds, levels = Sounds(), cycle(LEVELS_DB)
    with loaded_engines(config) as engines:
        for scene in SCENES:
            said = [(*sounds.next(kind), next(levels)) for kind in ROUND * args.rounds]
            held.append(talk_over(config, engines, scene, said, realtime=args.real_time))
            _report(scene, held[-1], console)
    return figures(held)


# -- the conversation ------------------------------------------------------------------------------

Sound = tuple[str, str, Samples]
"""Kind, name and samples (n,) at 48 kHz."""


class Sounds:
    """Sounds of each kind in turn, without end."""

    def __init__(self) -> None:
        with questions.recordings() as asked, interruptions.recordings() as over:
            self.question = read_recording(asked[0])
            recorded = {path.stem: read_recording(path) for path in over}
            words = {path.stem: read_recording(path) for path in asked}
        self._kinds: dict[str, Iterator[tuple[str, Samples]]] = {
            "words": cycle(words.items()),
            "cough": ((f"cough {seed}", cough(seed)) for seed in range(1_000_000)),
            "click": ((f"click {seed}", click(seed)) for seed in range(1_000_000)),
            "hum": ((f"hum {hz} Hz", hum(hz)) for hz in cycle((120, 95, 200, 150))),
        }
        for kind in ("people", "stop", "backchannel"):
            self._kinds[kind] = cycle(
                [(name, samples) for name, samples in recorded.items() if name.startswith(kind)]
            )

    def next(self, kind: str) -> Sound:
        name, samples = next(self._kinds[kind])
        return kind, name, samples


def talk_over(
    config: Config,
    engines: Engines,
    scene: Scene,
    sounds: Sequence[tuple[str, str, Samples, float]],
    *,
    realtime: bool,
) -> Held:
    """Speak over the assistant once with each of the sounds, at their levels in dB."""
    events: list[SessionEvent] = []
    with TemporaryDirectory(prefix="goassist-bench-") as folder:
        reply, mic = Path(folder) / "reply.wav", Path(folder) / "mic.wav"
        endpoint = scene.endpoint(reply=reply, mic=mic, realtime=realtime)
        reader = Reader(endpoint)
        question = Sounds().question

        async def script(until: Until) -> list[Over]:
            over = []
            for kind, name, samples, level_db in sounds:
                await _sounding(until, at_level(question, scene.echo_dbfs + 5))
                sound = _from_onset(at_level(samples, scene.echo_dbfs + level_db))
                endpoint.say(sound)
                said = endpoint.said[-1]
                over.append(Over(kind, name, level_db, said.onset, said.offset))
                await until.position(said.end)
            await until.position(endpoint.position + 3 * DEVICE_RATE_HZ)
            return over

        own = reading(engines, reader)
        over = hold(config, own, scene, endpoint, script, events.append, realtime=realtime)
        loudspeaker = Loudspeaker(wav.load(reply)[0])
        answers = answers_played(reader.answers, loudspeaker)
    return judge(events, over, answers, loudspeaker.samples)


async def _sounding(until: Until, question: Samples) -> None:
    """Until the assistant has spoken for SOUNDING_S and sounds; it is asked when it is silent."""
    endpoint = until.endpoint
    asked: Said | None = None
    spoken_ms, silent_ms = 0, 0
    while spoken_ms < SOUNDING_S * 1000 or endpoint.quiet_for() * 1000 > AUDIBLE_MS:
        await until.position(endpoint.position + 10 * MS)
        if endpoint.quiet_for() * 1000 <= AUDIBLE_MS:
            spoken_ms, silent_ms = spoken_ms + 10, 0
        else:
            silent_ms += 10
            spoken_ms = spoken_ms if silent_ms < LASTING_MS else 0
        if silent_ms > 2000 and not until.session.busy and not endpoint.saying:
            if asked is None or endpoint.position > asked.end + 2 * DEVICE_RATE_HZ:
                endpoint.say(question)
                asked = endpoint.said[-1]


def _from_onset(sound: Samples) -> Samples:
    first, _ = speech_span(sound, DEVICE_RATE_HZ)
    return sound[max(0, first - LEAD_MS * MS) :]


# -- what came of it -------------------------------------------------------------------------------


def judge(
    events: Sequence[SessionEvent],
    over: Sequence[Over],
    answers: Sequence[Sequence[Played]],
    loudspeaker: Samples,
) -> Held:
    """`answers` are the words of each answer begun, as `words_played` found them."""
    heard = [[w.at for w in words if w.at is not None] for words in answers]
    outcomes = []
    for sound in over:
        silence_ms = wav.onset_to_silence_ms(
            loudspeaker, DEVICE_RATE_HZ, sound.onset, lasting_ms=LASTING_MS
        )
        later = sound.offset + (MISSED_MS if sound.kind in STOPPING else AGAIN_MS) * MS
        goes_on = any(at and at[0] < sound.onset and at[-1] > later for at in heard)
        outcomes.append(Outcome(sound, silence_ms, goes_on))
    fades, stops = _own(events, over)
    audible = wav.replies(loudspeaker, DEVICE_RATE_HZ)
    return Held(
        outcomes=tuple(outcomes),
        lost_words=tuple(chain.from_iterable(map(lost, answers))),
        own_fades=fades,
        own_stops=stops,
        own_s=sum(sound.end - sound.start for sound in audible) / DEVICE_RATE_HZ,
    )


def _own(events: Sequence[SessionEvent], over: Sequence[Over]) -> tuple[int, int]:
    """Fades, and stops, while nobody made a sound."""

    def nobody(at_ms: float) -> bool:
        return not any(o.onset / MS + OWN_MS[0] <= at_ms <= o.offset / MS + OWN_MS[1] for o in over)

    changes = [event for event in events if isinstance(event, StateChanged)]
    fades = sum(change.state is State.HELD and nobody(change.at_ms) for change in changes)
    stops = sum(
        after.state is State.INTERRUPTED
        and before.state in (State.SPEAKING, State.HELD)
        and nobody(after.at_ms)
        for before, after in pairwise(changes)
    )
    return fades, stops


def figures(held: Sequence[Held]) -> list[Figure]:
    """The conversations as figures."""
    outcomes = [outcome for one in held for outcome in one.outcomes]
    stopping = [o for o in outcomes if o.over.kind in STOPPING]
    passing = [o for o in outcomes if o.over.kind not in STOPPING]
    hours = sum(one.own_s for one in held) / 3600
    silences = [Figure("onset to silence", "ms", _silences(stopping), LIMITS_MS)]
    for level_db in sorted(LEVELS_DB):
        at = [o for o in stopping if o.over.level_db == level_db]
        silences.append(Figure(f"… at {level_db:+g} dB", "ms", _silences(at)))
    return [
        *silences,
        Figure("interruptions", "", (float(len(stopping)),)),
        Figure("missed", "%", _percent([o.missed for o in stopping]), {"max": 2.0}),
        Figure("coughs, clicks, mm-hm", "", (float(len(passing)),)),
        Figure(
            "went on after them", "%", _percent([not o.stopped_wrongly for o in passing]),
            {"min": 95.0},
        ),
        Figure("faded for them", "%", _percent([_faded(o) for o in passing])),
        Figure("lost words", "", (float(sum(len(h.lost_words) for h in held)),), {"max": 0}),
        Figure("stopped by itself", "", (float(sum(h.own_stops for h in held)),), {"max": 0}),
        Figure(
            "faded by itself", "1/h",
            (round(sum(h.own_fades for h in held) / hours, 1),) if hours else (),
        ),
    ]  # fmt: skip


def _silences(outcomes: Sequence[Outcome]) -> tuple[float, ...]:
    """Those that were missed are not faster for it: they count as MISSED_MS."""
    late = float(MISSED_MS)
    return tuple(
        round(late if o.silence_ms is None else min(o.silence_ms, late), 1) for o in outcomes
    )


def _faded(outcome: Outcome) -> bool:
    return outcome.silence_ms is not None and outcome.silence_ms <= MISSED_MS


def _percent(cases: Sequence[bool]) -> tuple[float, ...]:
    return (round(100 * float(np.mean(cases)), 1),) if cases else ()


def _report(scene: Scene, held: Held, console: Console) -> None:
    slow = sorted(_silences([o for o in held.outcomes if o.over.kind in STOPPING]))
    median = slow[len(slow) // 2] if slow else 0
    console.print(f"  {scene}: {median:.0f} ms", style="dim")
    for outcome in held.outcomes:
        over, ms = outcome.over, outcome.silence_ms
        wrong = "missed" if outcome.missed else "stopped" if outcome.stopped_wrongly else ""
        if not wrong and over.kind in STOPPING and ms is not None and ms > LIMITS_MS["p95"]:
            wrong = f"{ms:.0f} ms"
        if wrong:
            console.print(f"    {over.name} at {over.level_db:+g} dB: {wrong}", style="yellow")
    if held.own_stops:
        console.print(f"    stopped by itself: {held.own_stops} times", style="yellow")
    if held.lost_words:
        console.print(f"    lost: {', '.join(held.lost_words)}", style="yellow", markup=False)
