"""The configuration file as the window writes it: what a person wrote into it stays as it is.

Comments, order and unknown spacing are kept; a setting at its default needs no line, and has none.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import threading
import time
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkstemp
from typing import Any, Final

import tomlkit
from tomlkit.exceptions import TOMLKitError

from goassist_desktop import config
from goassist_desktop.pipeline.errors import ConfigError

_BOM: Final = "\ufeff"
_TRIES: Final = 5
"""So often is the file read again because somebody else wrote it meanwhile."""
_writing = threading.Lock()


def change(path: Path, changes: Mapping[str, object]) -> None:
    """Write settings, such as {"audio.input_device": "headset"}, into the file at `path`.

    Folders are made, the file is replaced at once and as a whole, and what an editor wrote until
    then is kept. Raises ConfigError: for a value that is not allowed, for a file that is no TOML,
    and for one that can not be written.
    """
    checked = {key: config.check(key, value) for key, value in changes.items()}
    with _writing, _told(path):
        target = path.resolve()  # a link stays one
        for attempt in range(_TRIES):
            before, old = _version(target), _text(target)
            new = _changed(old, checked, path)
            last = attempt == _TRIES - 1
            if new == old or _replace(target, new, None if last else before):
                return


def write(path: Path, text: str) -> None:
    """Make `text` the content of a file, at once and as a whole. Raises ConfigError."""
    with _told(path):
        _replace(path.resolve(), text, None)


# -- a file that can not be used -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with a configuration file."""

    key: str
    """Empty: the file as a whole can not be read."""
    what: str
    default: Any = None
    """Of the setting; None where there is no such setting."""


@dataclass(frozen=True, slots=True)
class Repair:
    """What is wrong with a file, and how to go on without it."""

    path: Path
    faults: tuple[Fault, ...]
    """None: the file is well, whatever else is wrong."""

    def use_defaults(self) -> Path | None:
        """Take out what is wrong, and keep the old file beside the new one: where.

        None where there was no file. Raises ConfigError when that can not be written.
        """
        with _writing, _told(self.path):
            target = self.path.resolve()
            kept = _kept(target)
            text = ""
            if all(fault.key for fault in self.faults):
                document = tomlkit.parse(_text(target).removeprefix(_BOM))
                for fault in self.faults:
                    _remove(document, fault.key)
                text = document.as_string()
            _replace(target, text, None)
            return kept


def repair(path: Path) -> Repair:
    """Look for what is wrong with the file itself; variables and flags are not looked at."""
    try:
        content = list(config.from_file(path))
    except ConfigError as error:
        return Repair(path, (Fault("", str(error).removeprefix(f"{path}: ")),))
    defaults = config.settings()
    faults, good = [], {}
    for key, value in content:
        try:
            good[key] = config.check(key, value)
        except ConfigError as error:
            unknown = key not in defaults
            what = f"{key}: there is no such setting" if unknown else str(error)
            faults.append(Fault(key, what, defaults.get(key)))
    try:
        config.built(good)
    except ConfigError as error:
        key, _, _ = str(error).partition(" = ")
        faults.append(Fault(key, str(error), defaults[key]))
    return Repair(path, tuple(faults))


# -- text ------------------------------------------------------------------------------------------


def _changed(text: str, checked: Mapping[str, Any], path: Path) -> str:
    """The file's text with other values. Raises ConfigError where it is no TOML."""
    mark = _BOM if text.startswith(_BOM) else ""
    try:
        document = tomlkit.parse(text.removeprefix(_BOM))
    except TOMLKitError as error:
        raise ConfigError(f"{path}: it is not TOML, so nothing can be saved: {error}") from error
    defaults = config.settings()
    for key, value in checked.items():
        if value == defaults[key]:
            _remove(document, key)
        else:
            _set(document, key, value, path)
    return mark + document.as_string()


def _set(document: tomlkit.TOMLDocument, key: str, value: object, path: Path) -> None:
    section, _, name = key.rpartition(".")
    table: Any = document
    if section:
        if section not in document:
            document[section] = tomlkit.table()
        table = document[section]
        if not isinstance(table, dict):
            raise ConfigError(f"{path}: {section} must be a section, [{section}]")
    if name in table and table[name] == value and type(table[name]) is type(value):
        return
    table[name] = _item(value)


def _item(value: object) -> Any:
    """Long texts get lines of their own; numbers are as short as they can be."""
    if isinstance(value, str) and "\n" in value and "\r" not in value:
        return tomlkit.string(value, multiline=True)
    if isinstance(value, float):
        return round(value, 6)
    return value


def _remove(document: tomlkit.TOMLDocument, key: str) -> None:
    section, _, name = key.rpartition(".")
    table: Any = document.get(section, {}) if section else document
    if not isinstance(table, dict) or name not in table:
        return
    table.pop(name)
    if section and not table and "#" not in tomlkit.dumps({section: table}):
        document.pop(section)


def _text(path: Path) -> str:
    """With its line ends and mark as they are; empty where there is no file."""
    try:
        return path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        return ""


# -- bytes -----------------------------------------------------------------------------------------

_Version = tuple[int, int, int]


def _version(path: Path) -> _Version | None:
    """Changes whenever somebody writes the file; None where there is none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def _replace(target: Path, text: str, before: _Version | None) -> bool:
    """Write beside, then rename. False, with nothing done, if the file is not `before` any more."""
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(text.encode("utf-8"))
            stream.flush()
            os.fsync(stream.fileno())
        with contextlib.suppress(FileNotFoundError):
            found = target.stat()
            os.chmod(name, stat.S_IMODE(found.st_mode))
            with contextlib.suppress(PermissionError):
                os.chown(name, found.st_uid, found.st_gid)
        if before is not None and _version(target) != before:
            return False
        os.replace(name, target)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)
    _sync_folder(target.parent)
    return True


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _kept(path: Path) -> Path | None:
    """A copy of a file beside it, under a name that says since when; None where there is none."""
    if not path.exists():
        return None
    stamp = time.strftime("%Y-%m-%d")
    for number in range(1, 1000):
        name = f"{path.name}.broken-{stamp}" + (f"-{number}" if number > 1 else "")
        kept = path.with_name(name)
        if not kept.exists():
            shutil.copy2(path, kept)
            return kept
    raise FileExistsError(f"{path.name}.broken-{stamp} exists a thousand times")


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    """What the system says, as one line that names the file."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: it is not UTF-8 text, so nothing can be saved") from error
    except (OSError, tomllib.TOMLDecodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError(f"{path}: can not be written: {reason}") from error
