"""What the settings ask of the rest of the program, in one place."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from goassist_desktop.config import Config
from goassist_desktop.pipeline.endpoints.sound_card import SoundDevice


class Finding(Protocol):
    """A line of `doctor.examine`."""

    @property
    def check(self) -> str: ...
    @property
    def state(self) -> Literal["ok", "warn", "fail"]: ...
    @property
    def found(self) -> str: ...
    @property
    def remedy(self) -> str: ...


@dataclass(frozen=True, slots=True)
class SettingsServices:
    """All but `system_prompt` are called outside Qt's thread and may take their time.

    What they raise as GoAssistError or OSError is shown in one line; anything else is a bug, and
    is raised in Qt's thread.
    """

    config_file: Path
    save: Callable[[Mapping[str, object]], None]
    """Write settings into the file: `settings_file.change`."""
    devices: Callable[[], Sequence[SoundDevice]]
    """The devices there are now."""
    test_tone: Callable[[Config], None]
    """Play a quiet tone at the loudspeaker; returns when it is over."""
    preview: Callable[[Config, str], None]
    """Say a sentence with the voice of a configuration; returns when it was said."""
    system_prompt: Callable[[Config], str]
    """What the language model has before it."""
    stored: Callable[[], Sequence[str]]
    """What `delete_everything` would delete, one line each; none: nothing is stored."""
    delete_everything: Callable[[], None]
    export_diagnostics: Callable[[Path, bool], None]
    """Write a zip file; True: with what was said."""
    examine: Callable[[Config], Iterable[Finding]]
    """Look at this machine; findings come one by one."""
    version: str
    outside: Mapping[str, str] = field(default_factory=dict)
    """Keys that a variable or a flag decides -> its name: `config.outside`."""
