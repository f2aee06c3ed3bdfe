"""A language model whose work is done in a process of its own: see `apart/model.py`.

For llama.cpp on a graphics card: where that fails, be it only that its memory is full, the library
ends the process it is in. So it is another one than the conversation's.
"""

from __future__ import annotations

import json
import socket
import sys
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from goassist_desktop.pipeline.child import Child
from goassist_desktop.pipeline.errors import EngineFailed, ModelMissing
from goassist_desktop.pipeline.frames import Message
from goassist_desktop.pipeline.protocols import EngineInfo

LOOK_S: Final = 0.02
"""How often whoever waits for words may leave."""
READY_S: Final = 300.0
"""Some GB from a slow disk."""
END_S: Final = 1.0
LONGEST_LINE: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Made:
    """What `create` is told of the model, there."""

    name: str
    source: Path
    threads: int
    options: dict[str, str]


class ModelApart:
    """LanguageModel. `load` starts the process, or another in place of one that died."""

    def __init__(self, info: EngineInfo, made: Made, log: Path) -> None:
        """What the process prints is added to `log`."""
        self.info = info
        self._made = made
        self._log = log
        self._process: _Process | None = None

    @property
    def context_tokens(self) -> int:
        return self._running().context_tokens

    def load(self) -> None:
        if self._process is not None and self._process.lives:
            return
        self.close()
        process = self._process = _Process(self.info.name, self._made, self._log)
        try:
            process.await_ready()
        except (EngineFailed, ModelMissing):
            self.close()
            raise

    def close(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.end()

    def reply(
        self, messages: Sequence[Message], *, max_tokens: int, temperature: float, seed: int
    ) -> Iterator[str | None]:
        if max_tokens < 1:
            raise ValueError(f"max_tokens is {max_tokens}, must be at least 1")
        how = {"max_tokens": max_tokens, "temperature": temperature, "seed": seed}
        with closing(self._running().do("reply", messages, how=how)) as told:
            for one in told:
                if one is None:
                    yield None
                elif "piece" in one:
                    yield one["piece"]

    def prefill(self, messages: Sequence[Message], *, shortened: bool = False) -> None:
        for _ in self._running().do("prefill", messages, shortened=shortened):
            pass

    def count_tokens(self, messages: Sequence[Message]) -> int:
        *_, last = self._running().do("count", messages)
        assert last is not None
        return int(last["end"])

    def _running(self) -> _Process:
        if self._process is None:
            raise EngineFailed("language model: not loaded")
        return self._process


class _Process:
    """Started with the constructor. Raises EngineFailed."""

    context_tokens = 0

    def __init__(self, name: str, made: Made, log: Path) -> None:
        self._title = f"language model: {name}'s process"
        self._log = log
        self._unread = b""
        self._number = 0
        """Of what was asked last."""
        about = {"name": made.name, "source": str(made.source), "threads": made.threads}
        module = "goassist_desktop.pipeline.engines.apart.model"
        self._control, theirs = socket.socketpair()
        self._control.settimeout(LOOK_S)
        with theirs:
            told = json.dumps(about | {"options": made.options})
            command = [sys.executable, "-m", module, told, str(theirs.fileno())]
            try:
                self._child = Child(command, log, {}, (theirs.fileno(),))
            except OSError as error:
                self._control.close()
                raise EngineFailed(f"{self._title} can not be started: {error}") from error

    @property
    def lives(self) -> bool:
        return self._child.status is None

    def await_ready(self) -> None:
        """Raises ModelMissing too."""
        deadline = time.monotonic() + READY_S
        while (told := self._told()) is None:
            if time.monotonic() > deadline:
                raise EngineFailed(f"{self._title} was not ready in {READY_S:g} s: {self._log}")
        match told:
            case {"ready": int(window)}:
                self.context_tokens = window
            case {"missing": str(why)}:
                raise ModelMissing(why)
            case {"failed": str(why)}:
                raise EngineFailed(why)
            case _:
                raise self._nonsense(told)

    def do(
        self, what: str, messages: Sequence[Message], **more: Any
    ) -> Generator[dict[str, Any] | None, None, None]:
        """What it tells of that, to the end of it; None: nothing for a moment."""
        self._number += 1
        number = self._number
        told: dict[str, Any] | None = None
        said = [(message.role, message.text) for message in messages]
        self._tell({"number": number, "do": what, "messages": said, **more})
        try:
            while told is None or "end" not in told:
                told = self._told()
                match told:
                    case {"number": int(earlier)} if earlier < number:
                        told = None  # nobody waits for it any more
                    case {"failed": str(why)}:
                        raise EngineFailed(why)
                    case None | {"number": _, "piece": str()} | {"number": _, "end": _}:
                        yield told
                    case _:
                        raise self._nonsense(told)
        finally:
            if self._number == number and (told is None or "end" not in told):
                self._unwanted(number)

    def end(self) -> None:
        self._control.close()
        self._child.kill(END_S)

    def _unwanted(self, number: int) -> None:
        with suppress(EngineFailed):  # whoever asks next is told
            self._tell({"unwanted": number})

    def _tell(self, what: dict[str, Any]) -> None:
        try:
            self._control.sendall(json.dumps(what).encode() + b"\n")
        except OSError as error:
            raise self._ended() from error

    def _told(self) -> dict[str, Any] | None:
        """The next thing; None when it said nothing within LOOK_S."""
        while b"\n" not in self._unread:
            try:
                came = self._control.recv(2**16)
            except TimeoutError:
                return None
            except OSError:
                came = b""
            if not came:
                raise self._ended()
            self._unread += came
            if len(self._unread) > LONGEST_LINE:
                raise self._nonsense(self._unread)
        line, _, self._unread = self._unread.partition(b"\n")
        try:
            told = json.loads(line)
        except ValueError as error:
            raise self._nonsense(line) from error
        if not isinstance(told, dict):
            raise self._nonsense(line)
        return told

    def _ended(self) -> EngineFailed:
        deadline = time.monotonic() + END_S
        while (status := self._child.status) is None and time.monotonic() < deadline:
            time.sleep(LOOK_S / 4)
        if status is None:
            return EngineFailed(f"{self._title} does not listen any more")
        if status > 128:  # as `guard` has it
            return EngineFailed(f"{self._title} was killed by signal {status - 128}")
        said = self._child.last_line()
        return EngineFailed(f"{self._title} ended with status {status}: {said}"[:300])

    def _nonsense(self, told: object) -> EngineFailed:
        return EngineFailed(f"{self._title} said what makes no sense: {str(told)[:80]!r}")
