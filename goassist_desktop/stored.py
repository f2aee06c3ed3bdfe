"""What the program keeps on this machine, and deleting it.

Everything it writes by itself lies in its own folders for settings, data, state and logs, and in
the folder of models. A folder of ours is emptied whole, so that nothing in it is overlooked; of the
models' folder, which may be anywhere and shared, only our own models.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import platformdirs

from goassist_desktop import autostart, config, log_file, weights
from goassist_desktop.pipeline import private_folder
from goassist_desktop.pipeline.errors import GoAssistError
from goassist_desktop.supply import manifest

Kind = Literal[
    "history",
    "recordings",
    "personas",
    "settings",
    "host",
    "demonstration",
    "state",
    "login",
    "logs",
    "models",
    "other",
]
WORDS: Final[dict[Kind, str]] = {
    "history": "The words of past conversations",
    "recordings": "A session that was recorded when the program was killed",
    "personas": "Personas you made",
    "settings": "Your settings",
    "host": "The certificate and the token by which browsers and programs are let in",
    "demonstration": "The demonstration conversation, sound and words",
    "state": "Where the window was, and what was done before",
    "login": "That the program starts at login",
    "logs": "Logs: what the program did, without anybody's words",
    "models": "Models: speech, language and voice. They can be downloaded again",
    "other": "Other files of the program",
}
_BY_NAME: Final[dict[str, Kind]] = {
    "history": "history",
    "personas": "personas",
    "config.toml": "settings",
    "demonstration": "demonstration",
    "host": "host",
    "log": "logs",
    "logs": "logs",
}
_STAGING: Final = ".staging"
"""Where unfinished downloads lie, in the models folder."""


@dataclass(frozen=True, slots=True)
class Stored:
    """One kind of what is kept, in one place."""

    kind: Kind
    path: Path
    """A file or a folder. Of kind "models" only what is ours in it."""
    bytes: int

    @property
    def words(self) -> str:
        """For a user."""
        return WORDS[self.kind]

    def __str__(self) -> str:
        return f"{self.words}: {self.path}, {size_in_words(self.bytes)}"


def size_in_words(count: int) -> str:
    """Of bytes: "12 kB", "3.4 MB"."""
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count / 1e3:.0f} kB"


@dataclass(frozen=True, slots=True)
class Left:
    """Something that could not be deleted."""

    path: Path
    why: str


@dataclass(frozen=True, slots=True)
class Deleted:
    gone: tuple[Stored, ...]
    left: tuple[Left, ...]
    """Empty when all of it is gone."""

    def check(self) -> None:
        """Raises GoAssistError naming what is left, if anything is."""
        if self.left:
            named = "; ".join(f"{one.path}: {one.why}" for one in self.left)
            raise GoAssistError(f"Not everything could be deleted. What is left is {named}.")


def what_is_stored() -> list[Stored]:
    """Everything there is, the most private first. Reads sizes: not for Qt's thread."""
    found = [*_in_our_folders(), *_elsewhere()]
    order = list(WORDS)
    return sorted(found, key=lambda one: (order.index(one.kind), one.path))


def delete_all(keep_models: bool) -> Deleted:
    """Delete all of `what_is_stored`, but for the models where those are to stay.

    The program goes on, and may write some of it anew: what is open should be closed before.
    """
    gone: list[Stored] = []
    left: list[Left] = []
    for one in what_is_stored():
        if keep_models and one.kind == "models":
            continue
        faults = [fault for path in _parts(one) for fault in _delete_named(path)]
        left += faults
        if not faults:
            gone.append(one)
    for folder in (weights.models_dir(), _own_models(), *_folders()):
        _remove_if_empty(folder)
    return Deleted(tuple(gone), tuple(left))


def _folders() -> list[Path]:
    """The program's own folders."""
    places = (
        platformdirs.user_config_dir,
        platformdirs.user_data_dir,
        platformdirs.user_state_dir,
        platformdirs.user_cache_dir,
        platformdirs.user_log_dir,
    )
    # The longest first: that of the logs lies in that of the state.
    unique = {Path(place("goassist", appauthor=False)) for place in places}
    return sorted(unique, key=lambda path: len(path.parts), reverse=True)


def _in_our_folders() -> Iterator[Stored]:
    folders = _folders()
    state = Path(platformdirs.user_state_dir("goassist", appauthor=False))
    for folder in folders:
        for path in _children(folder):
            if path in (*folders, _own_models(), weights.models_dir()):
                continue
            kind = _BY_NAME.get(path.name, "state" if folder == state else "other")
            if folder == log_file.folder():
                kind = "logs"
            elif path == config.default_path():
                kind = "settings"
            yield Stored(kind, path, _size(path))


def _elsewhere() -> Iterator[Stored]:
    """What may lie beside things of others."""
    for path in private_folder.left_behind():
        if os.access(path, os.W_OK):  # another user's is not ours to speak of
            yield Stored("recordings", path, _size(path))
    login = autostart.entry_path()
    if login.exists():
        yield Stored("login", login, _size(login))
    chosen = config.default_path()
    if chosen.parent not in _folders() and chosen.is_file():
        yield Stored("settings", chosen, _size(chosen))
        for path in sorted((chosen.parent / "personas").glob("*.toml")):
            yield Stored("personas", path, _size(path))
    for folder in dict.fromkeys((weights.models_dir(), _own_models())):
        models = Stored("models", folder, 0)
        parts = list(_parts(models))
        if parts:
            yield Stored("models", folder, sum(map(_size, parts)))


def _own_models() -> Path:
    """The folder of models where no other is chosen: all in it is ours."""
    return Path(platformdirs.user_data_dir("goassist", appauthor=False)) / "models"


def _parts(stored: Stored) -> Iterator[Path]:
    """What of it is deleted."""
    if stored.kind != "models":
        yield stored.path
    elif stored.path == _own_models():
        yield from _children(stored.path)
    else:
        names = (*manifest.load().models, _STAGING)
        yield from (path for path in _children(stored.path) if path.name in names)


def _children(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _size(path: Path) -> int:
    """Bytes of a file, or of all in a folder. Links are not followed."""
    try:
        if path.is_symlink() or not path.is_dir():
            return path.lstat().st_size
        return sum(map(_size, path.iterdir()))
    except OSError:
        return 0  # it can not be looked into, and deleting it will say so


def _delete_named(path: Path) -> Iterator[Left]:
    """Delete a file or folder; what stays is told. A link goes, and what it leads to stays."""
    target = path.resolve() if path.is_symlink() else None
    yield from _delete(path)
    if target is not None and target.exists():
        yield Left(target, f"only the link to it was deleted, {path}")


def _delete(path: Path) -> Iterator[Left]:
    try:
        if path.is_symlink() or not path.is_dir():
            path.unlink(missing_ok=True)
            return
        left = [fault for child in path.iterdir() for fault in _delete(child)]
        yield from left
        if not left:
            path.rmdir()
    except OSError as error:
        yield Left(path, error.strerror or str(error))


def _remove_if_empty(folder: Path) -> None:
    with suppress(OSError):  # it is not, or it is not ours to remove
        folder.rmdir()
