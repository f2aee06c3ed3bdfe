"""The engines of a session that is held again: everything arrives when it arrived then."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing
from itertools import islice
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from goassist_desktop.pipeline.errors import EngineFailed
from goassist_desktop.pipeline.frames import Samples
from goassist_desktop.pipeline.protocols import VoiceActivityStream
from goassist_desktop.replay.reading import Call, Over

if TYPE_CHECKING:
    from goassist_desktop.replay.player import Player


class ReplayedLane:
    """A Lane on which everything arrives when it arrived then."""

    def __init__(self, player: Player, stage: str, *, asked_again: bool) -> None:
        self._player, self._stage, self._asked_again = player, stage, asked_again

    async def run(self, call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        then = self._player.asked(self._stage, call, args, kwargs)
        if then is not None and self._asked_again:
            self._ask_again(then, lambda: iter([call(*args, **kwargs)]))
        async with aclosing(self._player.results_of(then)) as results:
            return await anext(results)

    async def stream(
        self, call: Callable[..., Iterator[Any]], *args: Any, **kwargs: Any
    ) -> AsyncGenerator[Any, None]:
        then = self._player.asked(self._stage, call, args, kwargs)
        if then is not None and self._asked_again:
            self._ask_again(then, lambda: _passed_on(call(*args, **kwargs)))
        async with aclosing(self._player.results_of(then)) as results:
            async for item in results:
                yield item

    def _ask_again(self, then: Call, call: Callable[[], Iterator[Any]]) -> None:
        """Have the engine make as much as it made then, though nobody listened any more."""
        items = [one for one in then.results if not isinstance(one, Over)]
        made = len(items) if then.made is None else then.made
        whole = len(items) < len(then.results)  # its end arrived
        if then.made is None and not then.results:
            return  # it never began
        over = then.results[-1] if whole else Over(None)
        now: list[Any] = []
        error: BaseException | None = None
        try:
            iterator = call()
            now += islice(iterator, made + 1 if whole else made)
            close = getattr(iterator, "close", None)
            if close is not None:
                close()
        except EngineFailed as failed:
            error = failed
        if whole and (error is None) != (over.error is None):
            self._player.compare(self._stage, str(error), str(over.error))
        missing = [None] * (len(items) - len(now))
        for one, was in zip([*now, *missing], items, strict=False):
            self._player.compare(self._stage, one, was)
        if whole and len(now) > len(items):
            self._player.compare(self._stage, now[len(items)], None)


def _passed_on(items: Iterator[Any]) -> Iterator[Any]:
    """What a lane passes on of them."""
    try:
        yield from (item for item in items if item is not None)
    finally:
        close = getattr(items, "close", None)
        if close is not None:
            close()


class ReplayedActivity:
    """Voice activity as it was found then."""

    def __init__(self, player: Player, real: Any) -> None:
        self._player, self._real = player, real
        self._opened = 0

    def open(self) -> VoiceActivityStream:
        self._opened += 1
        real = None if self._real is None else self._real.open()
        return _ActivityStream(self._player, real, self._opened)


class _ActivityStream:
    def __init__(self, player: Player, real: VoiceActivityStream | None, number: int) -> None:
        self._player, self._real, self._number = player, real, number
        self._frames = 0
        self.frame_samples: int = player._recording.header["frame_samples"]

    def probability(self, frame: Samples) -> float:
        self._frames += 1
        real = None if self._real is None else self._real.probability(frame)
        return self._player.probability(self._number, self._frames - 1, real)


class _Methods(SimpleNamespace):
    """Stands where an engine stood: its methods are asked for, and never called."""

    def __getattr__(self, name: str) -> Any:
        return SimpleNamespace(__name__=name)


def absent(name: str, **attributes: Any) -> Any:
    """An engine of this name that is not there."""
    return _Methods(info=SimpleNamespace(name=name), **attributes)


def nobody(header: dict[str, Any]) -> SimpleNamespace:
    """Engines that are not there."""

    def top(stage: str, **attributes: Any) -> SimpleNamespace:
        [[name, *_], *_] = header.get("ladders", {}).get(stage, [["", "", 0]])
        return SimpleNamespace(engine=absent(name, **attributes), below=(), trouble="")

    return SimpleNamespace(
        activity=None,
        detector=top("turn_detection"),
        recogniser=top("recognition"),
        model=top("language_model", context_tokens=header["context_tokens"]),
        voice=top("synthesis"),
    )
