"""A language model whose work is done in a process of its own: see `apart/model.py`.

For llama.cpp on a graphics card: where that fails, be it only that its memory is full, the library
ends the process it is in. So it is another one than the conversation's.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from goassist_desktop.pipeline.child_lines import ChildLines
from goassist_desktop.pipeline.errors import EngineFailed, ModelMissing
from goassist_desktop.pipeline.frames import Message
from goassist_desktop.pipeline.protocols import EngineInfo

READY_S: Final = 300.0
"""Some GB from a slow disk."""


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
            process.kill()

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


class _Process(ChildLines):
    context_tokens = 0

    def __init__(self, name: str, made: Made, log: Path) -> None:
        self._number = 0
        """Of what was asked last."""
        about = {"name": made.name, "source": str(made.source), "threads": made.threads}
        told = json.dumps(about | {"options": made.options})
        module = "goassist_desktop.pipeline.engines.apart.model"
        super().__init__(
            f"language model: {name}'s process",
            lambda control: [sys.executable, "-m", module, told, str(control)],
            log,
        )

    def await_ready(self) -> None:
        """Raises ModelMissing too."""
        deadline = time.monotonic() + READY_S
        while (told := self.told()) is None:
            if time.monotonic() > deadline:
                raise EngineFailed(f"{self.title} was not ready in {READY_S:g} s: {self.log}")
        match told:
            case {"ready": int(window)}:
                self.context_tokens = window
            case {"missing": str(why)}:
                raise ModelMissing(why)
            case {"failed": str(why)}:
                raise EngineFailed(why)
            case _:
                raise self.nonsense(told)

    def do(
        self, what: str, messages: Sequence[Message], **more: Any
    ) -> Generator[dict[str, Any] | None, None, None]:
        """What it tells of that, to the end of it; None: nothing for a moment."""
        self._number += 1
        number = self._number
        told: dict[str, Any] | None = None
        said = [(message.role, message.text) for message in messages]
        self.tell({"number": number, "do": what, "messages": said, **more})
        try:
            while told is None or "end" not in told:
                told = self.told()
                match told:
                    case {"number": int(earlier)} if earlier < number:
                        told = None  # nobody waits for it any more
                    case {"failed": str(why)}:
                        raise EngineFailed(why)
                    case None | {"number": _, "piece": str()} | {"number": _, "end": _}:
                        yield told
                    case _:
                        raise self.nonsense(told)
        finally:
            if self._number == number and (told is None or "end" not in told):
                self._unwanted(number)

    def _unwanted(self, number: int) -> None:
        with suppress(EngineFailed):  # whoever asks next is told
            self.tell({"unwanted": number})
