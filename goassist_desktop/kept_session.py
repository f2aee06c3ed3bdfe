"""Keeping the session that is going on, so that a turn which felt wrong can be held again.

While `privacy.keep_session` is on, a session is recorded to a folder only this user may enter, in
memory where there is plenty of it, and removed with the session's end. `keep` copies it out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final

from goassist_desktop.config import Config
from goassist_desktop.pipeline import private_folder
from goassist_desktop.pipeline.errors import BadInput, GoAssistError
from goassist_desktop.pipeline.events import Notice, SessionEvent
from goassist_desktop.pipeline.protocols import Endpoint
from goassist_desktop.pipeline.workers import Engines
from goassist_desktop.replay.facts import facts
from goassist_desktop.replay.journal import Journal
from goassist_desktop.replay.recorder import Surroundings, journal_of, recording

LIMIT_BYTES: Final = 300_000_000
"""About an hour: 3.5 MB a minute while nothing is said, 11 while the assistant speaks."""


class KeptSession:
    """What is kept of the sessions held through `recorded`, one after the other."""

    def __init__(self, limit_bytes: int = LIMIT_BYTES) -> None:
        self._limit_bytes = limit_bytes
        self._journal: Journal | None = None

    @contextmanager
    def recorded(
        self,
        config: Config,
        engines: Engines,
        endpoint: Endpoint,
        publish: Callable[[SessionEvent], None],
    ) -> Iterator[Surroundings]:
        """Surroundings for a session: those given, unless it is to be kept.

        At the limit, or when the disk is full, the recording ends with a notice, and what it holds
        can still be kept. Where it can not begin there is a notice, and the session is as given.
        """
        with ExitStack() as stack:
            made_of = Surroundings(engines, endpoint, publish)
            if config.privacy.keep_session:
                try:
                    made_of = self._begin(stack, config, made_of)
                except (OSError, GoAssistError) as error:
                    publish(Notice("warning", f"This session is not kept: {error}"))
            self._journal = journal_of(made_of)
            try:
                yield made_of
            finally:
                self._journal = None

    def keep(self, folder: Path) -> None:
        """Copy what was recorded until now to a new folder, while it goes on: see `replay`.

        From any thread; seconds for a long session. Raises BadInput when nothing is recorded or the
        folder can not be used, GoAssistError when it can not be written.
        """
        journal = self._journal
        if journal is None:
            raise BadInput("Nothing was recorded of this session.")
        journal.copy_to(folder)

    def _begin(self, stack: ExitStack, config: Config, plain: Surroundings) -> Surroundings:
        with ExitStack() as begun:
            folder = begun.enter_context(private_folder.make(self._limit_bytes))
            made_of = begun.enter_context(
                recording(
                    Path(folder),
                    facts(config),
                    plain.engines,
                    plain.endpoint,
                    plain.publish,
                    self._limit_bytes,
                )
            )
            stack.callback(_throw_away, begun.pop_all())
        return made_of


def _throw_away(recorded: ExitStack) -> None:
    with suppress(GoAssistError):  # it could not be written to its end, which nobody wants now
        recorded.close()
