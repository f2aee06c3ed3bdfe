"""What the window is given: the assistant, and what its settings ask of the rest of the program."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Mapping, Sequence
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Final

import platformdirs

from goassist_desktop import (
    app,
    diagnostics,
    doctor,
    log_file,
    playing,
    settings_file,
    stored,
)
from goassist_desktop import config as configuration
from goassist_desktop.assistant import LocalAssistant, Venue
from goassist_desktop.config import Config
from goassist_desktop.heartbeat import Heartbeat
from goassist_desktop.pipeline.endpoints import sound_card
from goassist_desktop.pipeline.events import Notice, TurnClosed
from goassist_desktop.pipeline.protocols import EngineInfo
from goassist_desktop.sound_check import SoundCard
from goassist_desktop.ui.ports import AssistantEvent, Publish, Ready, Unable
from goassist_desktop.ui.program import Parts
from goassist_desktop.ui.settings import SettingsServices

KEPT_TURNS: Final = 500

logger = logging.getLogger(__name__)


class Ledger:
    """Passes events on to log and window, and remembers what a report needs. From any thread."""

    def __init__(self) -> None:
        self.log: log_file.Log | None = None
        self.engines: Sequence[EngineInfo] = ()
        self.turns: deque[TurnClosed] = deque(maxlen=KEPT_TURNS)
        self._waiting: list[AssistantEvent] = []
        self._publish: Publish = self._waiting.append

    def connect(self, publish: Publish) -> None:
        """There is a window now. It is told what came before it."""
        self._publish = publish
        while self._waiting:
            publish(self._waiting.pop(0))

    def take(self, event: AssistantEvent) -> None:
        match event:
            case TurnClosed():
                self.turns.append(event)
            case Ready(engines):
                self.engines = engines
                if self.log is not None:
                    self.log.begin_session()
            case Unable(what, cause):
                logger.warning("no conversation, %s: %s", cause, log_file.unquoted(what))
        if self.log is not None:
            self.log.take(event)
        self._publish(event)

    def bug(self, what: str) -> None:
        """An error nobody caught: it was logged."""
        self._publish(Notice("error", f"something went wrong inside the program ({what})"))


def parts(
    flags: Mapping[str, str],
    ledger: Ledger,
    heartbeat: Heartbeat | None = None,
    venue: Venue | None = None,
) -> Parts:
    """`flags`: the settings that the command line decided. `heartbeat`: of who watches over us.

    `venue`: where the conversation is held, if not at the sound card.
    """

    def alive() -> None:
        if heartbeat is not None:
            heartbeat.beat("session")

    def assistant(config: Config, publish: Publish) -> LocalAssistant:
        ledger.connect(publish)
        return LocalAssistant(config, ledger.take, venue, alive)

    return Parts(
        assistant=assistant,
        settings=_settings(flags, ledger),
        card=SoundCard(),
        state=Path(platformdirs.user_state_dir("goassist", appauthor=False)),
    )


def _settings(flags: Mapping[str, str], ledger: Ledger) -> SettingsServices:
    path = configuration.default_path()

    def export(target: Path, with_words: bool) -> None:
        diagnostics.export(
            target,
            configuration.load(flags),
            include_words=with_words,
            engines=ledger.engines,
            turns=tuple(ledger.turns),
        )

    return SettingsServices(
        config_file=path,
        save=partial(settings_file.change, path),
        devices=sound_card.list_devices_now,
        test_tone=playing.test_tone,
        preview=playing.preview,
        system_prompt=app.system_prompt,
        stored=lambda: [str(one) for one in stored.what_is_stored() if one.kind != "models"],
        delete_everything=lambda: stored.delete_all(keep_models=True).check(),
        export_diagnostics=export,
        examine=doctor.examine_silently,
        version=metadata.version(doctor.DISTRIBUTION),
        outside=configuration.outside(flags),
    )
