from __future__ import annotations

from pathlib import Path

import pytest

from goassist_desktop import config, personas
from goassist_desktop.config import Persona
from goassist_desktop.pipeline.errors import BadInput, ConfigError

STRICT = Persona(name="Mira", role="a strict teacher", tone="Be brief.", head="jonas")


def test_the_built_in_ones_are_allowed_settings() -> None:
    for profile in personas.BUILT_IN:
        config.changed(config.Config(), personas.changes(profile.persona))
        assert personas.tidy(profile.persona) == profile.persona


def test_a_saved_profile_comes_back(tmp_path: Path) -> None:
    where = personas.folder(tmp_path / "config.toml")
    saved = personas.save(where, "  Strict   teacher ", STRICT)
    assert saved.title == "Strict teacher"
    assert saved.persona == STRICT
    profiles, faults = personas.load(where)
    assert not faults
    assert profiles == [*personas.BUILT_IN, saved]
    assert config.changed(config.Config(), personas.changes(saved.persona)).persona == STRICT


def test_the_same_title_replaces(tmp_path: Path) -> None:
    first = personas.save(tmp_path, "Teacher", STRICT)
    second = personas.save(tmp_path, "teacher", Persona(name="Ada"))
    assert first.file == second.file
    assert [p.persona.name for p in personas.load(tmp_path)[0][2:]] == ["Ada"]


@pytest.mark.parametrize(
    "title",
    ["Größe 你好 🙂", "a/../../b", "..", "CON", 'x<>:"|?*y', "ß" * 60, "\u202etxt", ".hidden"],
)
def test_any_title_makes_a_file_in_the_folder(tmp_path: Path, title: str) -> None:
    where = tmp_path / "personas"
    saved = personas.save(where, title, STRICT)
    assert saved.file is not None
    assert saved.file.resolve().parent == where.resolve()
    assert not saved.file.name.startswith(".")
    assert len(saved.file.name.encode()) < 255
    assert personas.load(where)[0][2].title == saved.title == title


def test_titles_that_differ_only_in_what_a_file_can_not_be_called(tmp_path: Path) -> None:
    one, other = (personas.save(tmp_path, title, STRICT) for title in ("a:b", "a?b"))
    assert one.file != other.file
    assert len(personas.load(tmp_path)[0]) == 4


@pytest.mark.parametrize("title", ["", "  \n ", "x" * 61, "jonas", "GOASSIST"])
def test_titles_that_are_refused(tmp_path: Path, title: str) -> None:
    with pytest.raises(BadInput):
        personas.save(tmp_path, title, STRICT)
    assert not list(tmp_path.iterdir())


def test_long_and_strange_words_are_tidied(tmp_path: Path) -> None:
    saved = personas.save(tmp_path, "x", Persona(name="A\x00\nB" * 100, role=" ", tone="é" * 9999))
    assert saved.persona.name.startswith("A BA B")
    assert len(saved.persona.name) <= personas.LONGEST["name"]
    assert saved.persona.role == Persona().role
    assert len(saved.persona.tone) == personas.LONGEST["tone"]


def test_a_file_that_is_wrong_is_named_and_the_others_are_there(tmp_path: Path) -> None:
    personas.save(tmp_path, "Teacher", STRICT)
    (tmp_path / "bad.toml").write_text("head = 'nobody'\n")
    (tmp_path / "worse.toml").write_bytes(b"\xff")
    profiles, faults = personas.load(tmp_path)
    assert [profile.title for profile in profiles[2:]] == ["Teacher"]
    assert "bad.toml: head = 'nobody': must be one of mira, jonas" in faults[0]
    assert "worse.toml" in faults[1]


def test_deleting(tmp_path: Path) -> None:
    saved = personas.save(tmp_path, "Teacher", STRICT)
    personas.delete(saved)
    assert personas.load(tmp_path)[0] == list(personas.BUILT_IN)
    with pytest.raises(BadInput):
        personas.delete(personas.BUILT_IN[0])


def test_a_folder_that_can_not_be_written(tmp_path: Path) -> None:
    (tmp_path / "personas").touch()
    with pytest.raises(ConfigError, match="can not be written"):
        personas.save(tmp_path / "personas", "Teacher", STRICT)
