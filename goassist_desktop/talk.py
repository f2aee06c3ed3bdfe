"""A conversation from recordings, through the very session that serves the microphone."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from goassist_desktop.app import (
    companions,
    engine_infos,
    loaded_engines,
    make_session,
    unseen,
)
from goassist_desktop.captions import Captions
from goassist_desktop.config import Config
from goassist_desktop.conversing import Until, converse
from goassist_desktop.face_record import FPS, watch
from goassist_desktop.pipeline import audio_files
from goassist_desktop.pipeline import clock as mark
from goassist_desktop.pipeline.blendshapes import Pose
from goassist_desktop.pipeline.endpoints.capture import DEVICE_RATE_HZ, CaptureChain
from goassist_desktop.pipeline.endpoints.recording import RecordingEndpoint, Said
from goassist_desktop.pipeline.endpoints.room import Room, speech_span
from goassist_desktop.pipeline.errors import BadInput
from goassist_desktop.pipeline.events import (
    SessionEvent,
    SpeechStarted,
    StateChanged,
    TurnClosed,
    UserText,
)
from goassist_desktop.pipeline.evidence import is_stop
from goassist_desktop.pipeline.frames import Samples
from goassist_desktop.pipeline.resampling import resample
from goassist_desktop.replay.facts import facts
from goassist_desktop.replay.recorder import recording
from goassist_desktop.report import Report
from goassist_desktop.talk_script import Say

EARLY_MS = 100.0
"""Speech is heard to begin up to this much before a recording's own first sample of it."""


@dataclass(frozen=True, slots=True)
class _Spoken:
    """A recording, and the first and last sample of speech in it."""

    sound: Samples
    span: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Held:
    """What came of a conversation."""

    report: dict[str, Any]
    unanswered: tuple[Path, ...]
    ready_s: float
    """From the start of loading until the microphone was open."""
    cpu_s: float
    """Of all threads since then, those of the virtual sound card and room included."""


def read_recording(path: Path) -> Samples:
    """A recording as the microphone will hear it: mono at 48 kHz. Raises BadInput."""
    samples, rate_hz = audio_files.read(path)
    return resample(samples, rate_hz, DEVICE_RATE_HZ)


def writable(path: Path) -> Path:
    """The path, once it is known that it can be written."""
    try:
        path.open("a").close()
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror}") from error
    return path


def hold(
    config: Config,
    script: Sequence[Say],
    sounds: Sequence[Samples],
    console: Console,
    *,
    room: Room,
    reply: Path | None = None,
    mic: Path | None = None,
    record: Path | None = None,
    watcher: Callable[[Pose], None] | None = None,
) -> Held:
    """Hold the conversation in real time, with captions. `sounds` are the script's recordings.

    `record` is a folder to record it to, for `replay`; `watcher` is given the face's poses, FPS of
    them a second. Raises the errors of engines, endpoint and files, and what `watcher` raises.
    """
    if watcher is None:
        config = unseen(config)
    # Measured before anybody listens: it takes longer than the event loop may stand still.
    spoken = [_Spoken(sound, speech_span(sound, DEVICE_RATE_HZ)) for sound in sounds]
    started = time.monotonic()
    with loaded_engines(config) as engines:
        infos = engine_infos(engines)
        report = Report(infos)
        # Without an echo there is nothing to cancel, as with headphones.
        chain = CaptureChain(echo=room.echo_gain_db is not None)
        endpoint = RecordingEndpoint(chain, room=room, reply=reply, mic=mic)
        console.print(f"  {', '.join(info.model for info in infos)}", style="dim")
        with Captions(console) as captions:
            stops_ms: list[float] = []
            onset_ms = 0.0
            ready_s = ready_cpu_s = 0.0

            def publish(event: SessionEvent) -> None:
                nonlocal ready_s, ready_cpu_s, onset_ms
                report.take(event)
                captions.take(event)
                if isinstance(event, StateChanged):
                    ready_s = ready_s or time.monotonic() - started
                    ready_cpu_s = ready_cpu_s or time.process_time()
                elif isinstance(event, SpeechStarted):
                    onset_ms = event.onset_ms
                elif isinstance(event, UserText) and event.final and is_stop(event.text):
                    stops_ms.append(onset_ms)

            with recording(record, facts(config), engines, endpoint, publish) as made_of:
                session = make_session(config, made_of.engines, made_of.endpoint, made_of.publish)
                onlookers = companions(config, session, made_of.publish)
                if watcher is not None:
                    onlookers.append(watch(session.face, session.clock, FPS, watcher))
                said = made_of.run(
                    converse(
                        session,
                        endpoint,
                        lambda until: _recite(until, script, spoken),
                        *onlookers,
                    )
                )
        cpu_s = time.process_time() - ready_cpu_s
        unanswered = tuple(
            say.wav
            for say, span in zip(script, said, strict=True)
            if not _answered(span, report.turns, stops_ms)
        )
        return Held(report.as_dict(session.speculation), unanswered, ready_s, cpu_s)


async def _recite(until: Until, script: Sequence[Say], spoken: Sequence[_Spoken]) -> list[Said]:
    """Speak each recording at its time, and wait until the last one was answered."""
    endpoint = until.endpoint
    before: Said | None = None
    for say, one in zip(script, spoken, strict=True):
        delay = round(say.delay_s * DEVICE_RATE_HZ)
        if say.after == "start":
            await until.position(delay)
        elif say.after == "speaking" and before is not None:
            await until.position(await until.reply_to(before) + delay)
        else:
            await until.quiet(before)
            await until.position(endpoint.position + delay)
        endpoint.say(one.sound, span=one.span)
        before = endpoint.said[-1]
    await until.quiet(before)
    return list(endpoint.said)


def _answered(said: Said, turns: Sequence[TurnClosed], stops_ms: Sequence[float]) -> bool:
    """Whether a recording got what it asked for: an answer, or silence when it said so.

    `stops_ms` are the onsets of what was understood as an order to stop. A sound over the reply
    that was weighed and changed nothing (a cough, "mm-hm") wants no answer.
    """
    onset_ms, offset_ms = (p * 1000 / DEVICE_RATE_HZ for p in (said.onset, said.offset))

    def began_in_it(began_ms: float) -> bool:
        return onset_ms - EARLY_MS <= began_ms <= offset_ms

    for turn in turns:
        marks = turn.marks_ms
        began, ended = marks[mark.ONSET], marks[mark.OFFSET]
        heard = marks[mark.FIRST_AUDIO] is not None
        # Words, because a question not understood is only asked back.
        answered = heard and turn.outcome != "failed" and turn.user_text != ""
        if answered and began is not None and ended is not None:
            if began <= offset_ms and ended >= onset_ms:
                return True
        if any(b.outcome == "resumed" and began_in_it(b.onset_ms) for b in turn.barge_ins):
            return True
    return any(began_in_it(stop_ms) for stop_ms in stops_ms)
