"""Writing down what passes between a session, its endpoint and its engines.

Everything that comes from outside is taken one at a time (`orderly`), and its line is written as it
is taken. Only the loudspeaker is served by its own thread in between: for each block it takes is
written how often the session had looked at the loudspeaker since the line before.
"""

from __future__ import annotations

import asyncio
import dataclasses
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from goassist_desktop.orderly import OrderlyLoop, running_orderly_loop
from goassist_desktop.pipeline.errors import EngineFailed, GoAssistError
from goassist_desktop.pipeline.events import Notice, SessionEvent
from goassist_desktop.pipeline.frames import Samples
from goassist_desktop.pipeline.protocols import Endpoint, Source
from goassist_desktop.pipeline.workers import Engines, Hosted
from goassist_desktop.replay.journal import (
    APART_S,
    LOUDSPEAKER,
    MICROPHONE,
    Journal,
    new_folder,
)
from goassist_desktop.replay.recorded_engines import RecordedActivity, RecordedLane
from goassist_desktop.replay.values import (
    described,
    event_value,
    rounded,
)

T = TypeVar("T")
Publish = Callable[[SessionEvent], None]


@dataclasses.dataclass(frozen=True, slots=True)
class Surroundings:
    """What a session is made of, recorded or not. Run it by `run`."""

    engines: Engines
    endpoint: Endpoint
    publish: Publish
    _recorder: Recorder | None = None

    def run(self, main: Coroutine[Any, Any, T]) -> T:
        loop = None if self._recorder is None else OrderlyLoop
        with asyncio.Runner(loop_factory=loop) as runner:
            return runner.run(main)

    def ask(self, request: Callable[..., None], *what: str | bool) -> None:
        """Ask something of the session, one of REQUESTS: `ask(session.say, "hello")`.

        From the event loop only. What is asked of a recorded session in another way is missing in
        its recording.
        """
        if self._recorder is None:
            request(*what)
        else:
            self._recorder.request(request, *what)


@contextmanager
def recording(
    folder: Path | None,
    header: dict[str, Any],
    engines: Engines,
    endpoint: Endpoint,
    publish: Publish,
    limit_bytes: int | None = None,
) -> Iterator[Surroundings]:
    """Surroundings that are recorded to `folder`, and those given where there is none.

    `header` says what the session is made with. At `limit_bytes` the recording ends with a notice,
    and the session goes on. Raises BadInput when the folder can not be used.
    """
    if folder is None:
        yield Surroundings(engines, endpoint, publish)
        return
    heads = {
        "context_tokens": _window(engines.model.engine),
        "ladders": {stage: _rungs(one) for stage, one in _laddered(engines).items()},
        "frame_samples": engines.activity.open().frame_samples,
        "rate_hz": endpoint.rate_hz,
        "capture_delay_ms": endpoint.capture_delay_ms,
        "render_delay_ms": endpoint.render_delay_ms,
    }
    rates_hz = endpoint.rate_hz, engines.voice.engine.rate_hz
    with Journal(new_folder(folder), header | heads, *rates_hz, limit_bytes) as journal:
        recorder = Recorder(journal, publish)
        yield Surroundings(
            recorder.engines(engines), recorder.endpoint(endpoint), recorder.publish, recorder
        )


def _laddered(engines: Engines) -> dict[str, Hosted[Any]]:
    return {
        "recognition": engines.recogniser,
        "language_model": engines.model,
        "synthesis": engines.voice,
    }


def _rungs(top: Hosted[Any]) -> list[list[Any]]:
    """Name, trouble and window in tokens of each engine of a stage, best first."""
    return [[one.engine.info.name, one.trouble, _window(one.engine)] for one in (top, *top.below)]


def _window(engine: Any) -> int:
    """Of a language model, in tokens; 0 for what has none, or could not be loaded."""
    try:
        return int(getattr(engine, "context_tokens", 0))
    except EngineFailed:
        return 0


class Recorder:
    """Wraps what a session is made of. The session must run on an OrderlyLoop."""

    def __init__(self, journal: Journal, publish: Publish) -> None:
        self.journal = journal
        self.order = LoudspeakerOrder(journal)
        self._publish = publish
        self._calls = 0
        self._origin: float | None = None
        self._latest = 0.0

    def engines(self, engines: Engines) -> Engines:
        def hosted(stage: str, one: Hosted[Any]) -> Hosted[Any]:
            below = tuple(hosted(stage, other) for other in one.below)
            return Hosted(one.engine, RecordedLane(self, stage, one.lane), below, one.trouble)

        activity: Any = RecordedActivity(engines.activity, self.journal)
        return Engines(
            activity,
            hosted("turn_detection", engines.detector),
            hosted("recognition", engines.recogniser),
            hosted("language_model", engines.model),
            hosted("synthesis", engines.voice),
            engines.face,  # decides nothing, and so is not written down
        )

    def endpoint(self, endpoint: Endpoint) -> Endpoint:
        return _Endpoint(self, endpoint)

    def publish(self, event: SessionEvent) -> None:
        if not (isinstance(event, Notice) and event.source == "face"):  # as in `engines`
            self.journal.line(["event", event_value(event)])
        self._publish(event)

    def request(self, call: Callable[..., None], *what: str | bool) -> None:
        def take() -> None:
            self.taken("request", call.__name__, list(what))
            call(*what)

        running_orderly_loop().post(take)

    def failed(self, loop: OrderlyLoop, error: GoAssistError) -> None:
        what = f"the recording ends here: {error}"
        loop.call_soon_threadsafe(self._publish, Notice("warning", what))

    def asked(self, stage: str, call: Callable[..., Any], args: Any, kwargs: Any) -> int:
        """A call of the session; returns its number."""
        if self._origin is None:
            self._origin = asyncio.get_running_loop().time()
        self._calls += 1
        what = described(args), described(list(kwargs.items()))
        self.journal.line(["ask", self._calls, stage, call.__name__, *what])
        return self._calls

    def taken(self, kind: str, *what: Any) -> None:
        """Something from outside is taken by the session, now."""
        loop = asyncio.get_running_loop()
        if self._origin is None:
            self._origin = loop.time()
        self._latest = max(loop.time() - self._origin, self._latest + APART_S)
        self.order.new_line([kind, round(self._latest, 6), *what])


# -- the endpoint ----------------------------------------------------------------------------------


class _Endpoint:
    """An Endpoint whose blocks are written, both ways."""

    def __init__(self, recorder: Recorder, endpoint: Endpoint) -> None:
        self._recorder, self._endpoint = recorder, endpoint
        self.rate_hz = endpoint.rate_hz
        self.capture_delay_ms = endpoint.capture_delay_ms
        self.render_delay_ms = endpoint.render_delay_ms
        """As it was when the latest block was taken."""

    @property
    def muted(self) -> bool:
        return self._endpoint.muted

    @muted.setter
    def muted(self, muted: bool) -> None:
        self._endpoint.muted = muted

    def start(
        self,
        source: Source,
        deliver: Callable[[Samples], None],
        notify: Callable[[Notice], None],
    ) -> None:
        loop, recorder = running_orderly_loop(), self._recorder
        recorder.journal.on_failure = partial(recorder.failed, loop)
        recorder.order.watch(source)

        def take(block: Samples) -> None:
            if self.render_delay_ms != self._endpoint.render_delay_ms:
                self.render_delay_ms = self._endpoint.render_delay_ms
                recorder.journal.line(["render_delay", self.render_delay_ms])
            recorder.journal.sound(MICROPHONE, block)
            recorder.taken("block")
            deliver(block)

        def take_notice(notice: Notice) -> None:
            recorder.taken("notice", notice.level, notice.what)
            notify(notice)

        self._endpoint.start(
            recorder.order,
            lambda block: loop.post(partial(take, rounded(block))),
            lambda notice: loop.post(partial(take_notice, notice)),
        )

    def stop(self) -> None:
        self._recorder.taken("stopped")
        self._endpoint.stop()


def journal_of(surroundings: Surroundings) -> Journal | None:
    """Where they are recorded; None where they are not."""
    return None if surroundings._recorder is None else surroundings._recorder.journal


class LoudspeakerOrder:
    """The lock of the loudspeaker's buffer: it knows who was there first, to the look.

    As a Source it is what the audio thread pulls from.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._lock = threading.RLock()
        self._looks = 0
        self._pulling = False
        self._source: Source | None = None

    def watch(self, source: Any) -> None:
        """Stand in for the lock of this Speaker, before another thread may have it."""
        self._source = source
        source.lock = self

    def new_line(self, line: list[Any]) -> None:
        with self._lock:
            self._looks = 0
            self._journal.line(line)

    def pull(self, count: int) -> Samples:
        assert self._source is not None
        with self._lock:
            self._pulling = True
            samples = self._source.pull(count)
            self._pulling = False
            self._journal.line(["pull", count, self._looks])
        self._journal.sound(LOUDSPEAKER, samples.copy())
        return samples

    def __enter__(self) -> None:
        self._lock.acquire()
        if not self._pulling:
            self._looks += 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._lock.release()
