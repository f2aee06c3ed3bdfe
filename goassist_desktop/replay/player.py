"""Holding a recorded session again, on virtual time.

The session is given what it was given then, in the same order, results of engines included. The
engines themselves are asked again beside it, and what they say now is compared with what they said
then: one difference is reported as one, and does not change all that follows.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import AsyncGenerator, Callable, Iterator
from dataclasses import dataclass
from typing import Any

from goassist_desktop import virtual_time
from goassist_desktop.pipeline.errors import GoAssistError
from goassist_desktop.pipeline.events import Notice, SessionEvent
from goassist_desktop.pipeline.frames import BLOCK_MS, Samples
from goassist_desktop.pipeline.protocols import Endpoint
from goassist_desktop.pipeline.session import Session
from goassist_desktop.pipeline.workers import Engines, Hosted
from goassist_desktop.replay.compare import changed, difference
from goassist_desktop.replay.journal import APART_S
from goassist_desktop.replay.reading import Call, Over, Recording, Taken
from goassist_desktop.replay.replayed_endpoint import ReplayedEndpoint
from goassist_desktop.replay.replayed_engines import ReplayedActivity, ReplayedLane, absent, nobody
from goassist_desktop.replay.values import described, event_value

Publish = Callable[[SessionEvent], None]
MakeSession = Callable[[Engines, Endpoint, Publish], Session]


@dataclass(frozen=True, slots=True)
class Difference:
    """Between what happens now and what happened then."""

    at_ms: float
    """Of the microphone."""
    what: str
    decision: bool
    """Of the session, after which nothing can be compared any more; else of an engine."""

    def __str__(self) -> str:
        return f"at {self.at_ms / 1000:.2f} s: {self.what}"


class Player:
    """One replay of one recording."""

    def __init__(
        self, recording: Recording, engines: Engines | None, publish: Publish = lambda event: None
    ) -> None:
        """`engines`: loaded, to be asked again; None takes what they said then as it is."""
        self.differences: list[Difference] = []
        self.results = 0
        """Results of engines compared."""
        self._recording = recording
        self._engines = engines
        self._publish = publish
        self._heard = 0  # blocks
        self._events = 0
        self._cut_off = False  # here, and what the session says of its end is no part of it
        self._calls: dict[tuple[str, str], deque[Call]] = defaultdict(deque)
        for call in recording.calls:
            self._calls[call.stage, call.method].append(call)
        self._arrivals: dict[int, asyncio.Queue[Any]] = {}
        self._endpoint = ReplayedEndpoint(recording, self._differs)

    def run(self, make_session: MakeSession) -> None:
        """Hold the session again; read `differences` then. Raises what the session raises."""
        virtual_time.run(self._play(make_session))

    @property
    def diverged(self) -> bool:
        return any(difference.decision for difference in self.differences)

    # -- the clockwork ---------------------------------------------------------------------------

    async def _play(self, make_session: MakeSession) -> None:
        self._arrivals = {id(call): asyncio.Queue() for call in self._recording.calls}
        session = make_session(self._stand_ins(), self._endpoint, self._on_event)
        running = asyncio.create_task(session.run())
        blocks = self._recording.blocks()
        try:
            for taken in self._recording.taken:
                await _until(taken.at_s)
                if running.done() or self.diverged or taken.what == ("stopped",):
                    break
                self._take(session, taken, blocks)
            else:  # cut off: what follows from the last thing taken is part of it
                await asyncio.sleep(APART_S)
        finally:
            self._cut_off = not self._recording.ended
            running.cancel()
            await asyncio.wait((running,))
        self._endpoint.pull_rest()
        if not running.cancelled() and (error := running.exception()) is not None:
            self._ended_by(error)
        missing = len(self._recording.events) - self._events
        if missing > 0 and not self.diverged:
            _, was = self._recording.events[self._events]
            self._differs(f"{was['type']} did not come, nor anything after it", decision=True)

    def _take(self, session: Session, taken: Taken, blocks: Iterator[Samples]) -> None:
        self._endpoint.next_line(taken)
        match taken.what:
            case ("block",):
                self._heard += 1
                self._endpoint.deliver(next(blocks))
            case ("result", call, index):
                self._arrivals[id(call)].put_nowait(call.results[index])
            case ("notice", level, text):
                self._endpoint.notify(Notice(level, text))
            case ("request", name, what):
                getattr(session, name)(*what)

    def _ended_by(self, error: BaseException) -> None:
        if not isinstance(error, GoAssistError):
            raise error
        self._differs(f"the session ended: {error}", decision=True)

    def _differs(self, what: str, *, decision: bool) -> None:
        if not self.diverged:
            self.differences.append(Difference(self._heard * BLOCK_MS, what, decision))

    # -- what the session says -------------------------------------------------------------------

    def _on_event(self, event: SessionEvent) -> None:
        if self.diverged or self._cut_off:
            return
        self._publish(event)
        now = event_value(event)
        if self._events < len(self._recording.events):
            blocks, was = self._recording.events[self._events]
            late_ms = (self._heard - blocks) * BLOCK_MS
            if what := changed(now, was):
                self._differs(what, decision=True)
            elif late_ms:
                self._differs(f"{now['type']} came {late_ms} ms later than then", decision=True)
        elif self._recording.ended:
            self._differs(f"{now['type']} came, and nothing did then", decision=True)
        self._events += 1

    # -- the engines -----------------------------------------------------------------------------

    def _stand_ins(self) -> Engines:
        header = self._recording.header
        real: Any = self._engines or nobody(header)

        def lane(stage: str, *, real: bool) -> ReplayedLane:
            return ReplayedLane(self, stage, asked_again=self._engines is not None and real)

        def hosted(stage: str, one: Hosted[Any]) -> Hosted[Any]:
            """With those below it then, though perhaps not now."""
            rungs = header.get("ladders", {}).get(stage, [["", "", 0]])
            now = {other.engine.info.name: other.engine for other in one.below}
            below = tuple(
                Hosted(
                    now.get(name) or absent(name, context_tokens=window),
                    lane(stage, real=name in now),
                    (),
                    trouble,
                )
                for name, trouble, window in rungs[1:]
            )
            return Hosted(one.engine, lane(stage, real=True), below, rungs[0][1])

        activity: Any = ReplayedActivity(self, real.activity)
        return Engines(
            activity,
            hosted("turn_detection", real.detector),
            hosted("recognition", real.recogniser),
            hosted("language_model", real.model),
            hosted("synthesis", real.voice),
        )

    def asked(self, stage: str, call: Callable[..., Any], args: Any, kwargs: Any) -> Call | None:
        """What was asked then in this place; None when the same was not."""
        was = self._calls[stage, call.__name__]
        now = [described(args), described(list(kwargs.items()))]
        if not was:
            if self._recording.ended:
                self._differs(f"{stage}: asked to {call.__name__}, and was not", decision=True)
            return None
        if now != was[0].arguments:
            what = f"{stage}: asked to {call.__name__} {now}, was {was[0].arguments}"
            self._differs(what, decision=True)
            return None
        return was.popleft()

    def compare(self, what: str, now: Any, was: Any) -> None:
        self.results += 1
        if (found := difference(now, was)) is not None:
            self._differs(f"{what}: {found}", decision=False)

    def probability(self, stream: int, frame: int, real: float | None) -> float:
        """That a frame of this stream holds speech, as it was found then."""
        then = self._recording.frames.get(stream, [])
        if frame >= len(then):
            return 0.0  # at the end of a recording that was cut off
        if real is not None:
            self.compare("voice activity", real, then[frame])
        return then[frame]

    async def results_of(self, call: Call | None) -> AsyncGenerator[Any, None]:
        arrivals = asyncio.Queue[Any]() if call is None else self._arrivals[id(call)]
        while not isinstance(item := await arrivals.get(), Over):
            yield item
        if item.error is not None:
            raise item.error


async def _until(at_s: float) -> None:
    loop = asyncio.get_running_loop()
    due = loop.create_future()
    loop.call_at(at_s, due.set_result, None)
    await due
