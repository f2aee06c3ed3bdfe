"""What the program keeps: all of it is named, and all of it can be deleted."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from goassist_desktop import config, history_store, log_file, stored, weights
from goassist_desktop.pipeline import private_folder
from goassist_desktop.pipeline.errors import GoAssistError
from goassist_desktop.pipeline.events import TurnClosed
from goassist_desktop.supply import manifest

DEAD = 2**22 + 1
"""No process has this number."""
OTHERS = (".config/autostart/other.desktop", "letter.txt")
MODEL = next(iter(manifest.load().models))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own."""
    for name in list(os.environ):
        if name.startswith(("XDG_", "GOASSIST_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    monkeypatch.setattr(private_folder, "_memory_folders", list)
    for name in ("home", "tmp"):
        (tmp_path / name).mkdir()
    return tmp_path / "home"


def write(path: Path, size: int = 10) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)


@pytest.fixture
def lived_in(home: Path) -> Path:
    """A home in which the program has been used."""
    history = history_store.HistoryStore(history_store.default_path())
    history.take(TurnClosed(1, "hello", "hi", "hi", "completed", False, {}, {}))
    history.close()
    with log_file.open_log():
        pass
    data = home / ".local" / "share" / "goassist"
    write(config.default_path(), 100)
    write(config.default_path().parent / "personas" / "teacher.toml", 50)
    write(data / "demonstration" / "reply.wav", 1000)
    write(data / "surprise.bin", 7)
    write(data / "host" / "token", 44)
    write(home / ".local" / "state" / "goassist" / "window.json", 20)
    write(weights.models_dir() / MODEL / "model.onnx", 5000)
    write(weights.models_dir() / ".staging" / "abc.partial", 500)
    write(home / ".config" / "autostart" / "goassist.desktop", 60)
    write(home / ".config" / "autostart" / "other.desktop")
    write(home.parent / "tmp" / f"goassist-{DEAD}-x" / "journal.jsonl", 70)
    write(home.parent / "tmp" / f"goassist-{os.getpid()}-x" / "journal.jsonl")
    write(home / "letter.txt")
    return home


def files(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if not p.is_dir())


def test_nothing_is_stored_before_anything_was(home: Path) -> None:
    assert stored.what_is_stored() == []
    assert stored.delete_all(keep_models=False) == stored.Deleted((), ())
    assert list(home.iterdir()) == []


def test_everything_is_named(lived_in: Path) -> None:
    found = {one.kind: one for one in stored.what_is_stored()}
    assert list(found) == [
        *("history", "recordings", "personas", "settings", "host", "demonstration", "state"),
        *("login", "logs", "models", "other"),
    ]
    sizes = {kind: one.bytes for kind, one in found.items()}
    history, logs = sizes.pop("history"), sizes.pop("logs")
    assert history == sum(p.stat().st_size for p in history_store.default_path().parent.iterdir())
    assert logs == (log_file.folder() / log_file.NAME).stat().st_size
    assert sizes == {
        "personas": 50, "settings": 100, "host": 44, "demonstration": 1000, "state": 20,
        "models": 5500, "other": 7, "recordings": 70, "login": 60,
    }  # fmt: skip
    assert found["models"].path == weights.models_dir()
    assert all(one.words for one in found.values())
    assert str(found["models"]).endswith(f": {weights.models_dir()}, 6 kB")


def test_all_of_it_goes_and_nothing_else(lived_in: Path) -> None:
    named = stored.what_is_stored()
    deleted = stored.delete_all(keep_models=False)
    assert deleted == stored.Deleted(tuple(named), ())
    assert files(lived_in) == [*OTHERS]
    assert files(lived_in.parent / "tmp") == [f"goassist-{os.getpid()}-x/journal.jsonl"]
    assert not [p for p in lived_in.rglob("*") if p.name == "goassist"]


def test_models_may_stay(lived_in: Path) -> None:
    deleted = stored.delete_all(keep_models=True)
    assert "models" not in {one.kind for one in deleted.gone}
    assert deleted.left == ()
    models = ".local/share/goassist/models"
    assert files(lived_in) == [
        OTHERS[0], f"{models}/.staging/abc.partial", f"{models}/{MODEL}/model.onnx", "letter.txt",
    ]  # fmt: skip


def test_what_lies_beside_our_models_stays(
    lived_in: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOASSIST_MODELS_DIR", str(tmp_path / "shared"))
    write(tmp_path / "shared" / MODEL / "model.onnx", 30)
    write(tmp_path / "shared" / "somebody-elses" / "model.onnx")
    models = [one for one in stored.what_is_stored() if one.kind == "models"]
    assert sorted((one.path.name, one.bytes) for one in models) == [
        ("models", 5500),
        ("shared", 30),
    ]
    stored.delete_all(keep_models=False)
    assert files(tmp_path / "shared") == ["somebody-elses/model.onnx"]
    assert files(lived_in) == [*OTHERS]


def test_a_chosen_configuration_goes_and_its_neighbours_stay(
    lived_in: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOASSIST_CONFIG", str(tmp_path / "mine" / "assistant.toml"))
    write(tmp_path / "mine" / "assistant.toml", 30)
    write(tmp_path / "mine" / "personas" / "teacher.toml", 40)
    write(tmp_path / "mine" / "personas" / "novel.odt")
    named = {one.path: one.kind for one in stored.what_is_stored()}
    assert named[tmp_path / "mine" / "assistant.toml"] == "settings"
    assert named[tmp_path / "mine" / "personas" / "teacher.toml"] == "personas"
    stored.delete_all(keep_models=False)
    assert files(tmp_path / "mine") == ["personas/novel.odt"]


def test_where_a_link_leads_is_left_and_said(lived_in: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    write(elsewhere / "reply.wav", 1000)
    link = lived_in / ".local" / "share" / "goassist" / "other-demonstration"
    link.symlink_to(elsewhere)
    deleted = stored.delete_all(keep_models=False)
    assert deleted.left == (stored.Left(elsewhere, f"only the link to it was deleted, {link}"),)
    assert not link.is_symlink()
    assert files(elsewhere) == ["reply.wav"]


def test_what_can_not_be_deleted_is_named(lived_in: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unlink = Path.unlink

    def refuse(path: Path, missing_ok: bool = False) -> None:
        if path.name == "reply.wav":
            raise PermissionError(13, "Permission denied")
        unlink(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", refuse)
    deleted = stored.delete_all(keep_models=False)
    (left,) = deleted.left
    assert (left.path.name, left.why) == ("reply.wav", "Permission denied")
    assert "demonstration" not in {one.kind for one in deleted.gone}
    assert len(deleted.gone) == 10
    assert files(lived_in) == [
        *(OTHERS[0], ".local/share/goassist/demonstration/reply.wav", "letter.txt")
    ]
    with pytest.raises(GoAssistError, match=r"What is left is .*reply.wav: Permission denied\."):
        deleted.check()
