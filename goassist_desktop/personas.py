"""Profiles of the persona: two that come with the program, and those a person saved.

A profile is one TOML file in the folder `personas` beside the configuration file. Choosing one
writes its fields into the section [persona] of the configuration; the file itself is only a copy.
"""

from __future__ import annotations

import tomllib
import unicodedata
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Final

import tomlkit

from goassist_desktop import config, settings_file
from goassist_desktop.config import Persona
from goassist_desktop.pipeline.errors import BadInput, ConfigError

LONGEST: Final = {"name": 40, "role": 200, "tone": 600, "boundaries": 600, "greeting": 300}
"""Characters. All of it lies in the language model's context for as long as it talks."""
LONGEST_TITLE: Final = 60
_TITLE: Final = "title"
_FORBIDDEN: Final = frozenset('<>:"/\\|?*')
"""In names of files, somewhere."""
_RESERVED: Final = frozenset(
    {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))}
)
_LONGEST_FILE_BYTES: Final = 200


@dataclass(frozen=True, slots=True)
class Profile:
    """A persona with a title to choose it by."""

    title: str
    persona: Persona
    file: Path | None = None
    """None: it came with the program."""


BUILT_IN: Final = (
    Profile("GoAssist", Persona()),
    Profile(
        "Jonas",
        Persona(
            name="Jonas",
            role="a calm and practical helper",
            tone="Speak plainly and get to the point; a little dry humour is welcome.",
            boundaries="Leave medical, legal and money decisions to people who know the case.",
            head="jonas",
        ),
    ),
)


def folder(config_file: Path) -> Path:
    """Where the profiles of a configuration file are."""
    return config_file.parent / "personas"


def load(where: Path) -> tuple[list[Profile], list[str]]:
    """Every profile: the built-in ones, then those in the folder by title; and what could not be
    read, one line a file."""
    saved, faults = [], []
    try:
        files = sorted(where.glob("*.toml"))
    except OSError as error:
        return list(BUILT_IN), [f"{where}: {error.strerror or error}"]
    for file in files:
        try:
            saved.append(read(file))
        except ConfigError as error:
            faults.append(str(error))
    saved.sort(key=lambda profile: profile.title.casefold())
    return [*BUILT_IN, *saved], faults


def read(file: Path) -> Profile:
    """Raises ConfigError naming the file and what is wrong."""
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError(f"{file}: {reason}") from error
    title = content.pop(_TITLE, file.stem)
    if not isinstance(title, str) or not title.strip():
        raise ConfigError(f"{file}: title = {title!r}: must be a text")
    checked = {
        name: config.check(f"persona.{name}", value, f"{file}: {name}")
        for name, value in content.items()
    }
    return Profile(title.strip(), tidy(Persona(**checked)), file)


def save(where: Path, title: str, persona: Persona) -> Profile:
    """Write a profile; one of the same title is replaced.

    Raises BadInput for a title that is empty, too long or a built-in one's, and ConfigError where
    it can not be written.
    """
    title = " ".join(unicodedata.normalize("NFC", title).split())
    if not title:
        raise BadInput("Give the profile a name.")
    if len(title) > LONGEST_TITLE:
        raise BadInput(f"The name is too long: {LONGEST_TITLE} characters are possible.")
    if any(title.casefold() == known.title.casefold() for known in BUILT_IN):
        raise BadInput(f"“{title}” comes with the program. Choose another name.")
    existing = {profile.title.casefold(): profile.file for profile in load(where)[0]}
    file = existing.get(title.casefold()) or _free(where, title)
    document = tomlkit.document()
    document[_TITLE] = title
    for name, value in asdict(tidy(persona)).items():
        if value != getattr(Persona(), name) or name == "name":
            document[name] = value
    settings_file.write(file, document.as_string())
    return read(file)


def delete(profile: Profile) -> None:
    """Raises BadInput for a built-in one, ConfigError when its file can not be removed."""
    if profile.file is None:
        raise BadInput(f"“{profile.title}” comes with the program and stays.")
    try:
        profile.file.unlink(missing_ok=True)
    except OSError as error:
        raise ConfigError(f"{profile.file}: {error.strerror or error}") from error


def changes(persona: Persona) -> Mapping[str, object]:
    """A persona as settings: key -> value."""
    return {f"persona.{name}": value for name, value in asdict(persona).items()}


def tidy(persona: Persona) -> Persona:
    """Without control characters, no field longer than LONGEST, and never without a name."""
    texts = {
        field.name: _line(getattr(persona, field.name))[: LONGEST.get(field.name, 100)].strip()
        for field in fields(Persona)
    }
    texts["name"] = texts["name"] or Persona().name
    texts["role"] = texts["role"] or Persona().role
    return Persona(**texts)


def _line(text: str) -> str:
    kept = "".join(c if unicodedata.category(c) not in ("Cc", "Cs") else " " for c in text)
    return " ".join(unicodedata.normalize("NFC", kept).split())


def _free(where: Path, title: str) -> Path:
    """A name of a file that every system takes, close to the title, and not in use."""
    safe = "".join("-" if c in _FORBIDDEN or not c.isprintable() else c for c in title)
    safe = safe.strip(". -") or "profile"
    if safe.casefold() in _RESERVED:
        safe = f"{safe}-profile"
    while len(safe.encode()) > _LONGEST_FILE_BYTES:
        safe = safe[:-1]
    used = {file.name.casefold() for file in where.glob("*.toml")}
    number = 1
    while (name := f"{safe}{f'-{number}' if number > 1 else ''}.toml").casefold() in used:
        number += 1
    return where / name
