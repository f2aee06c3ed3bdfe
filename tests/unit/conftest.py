"""Fixtures of the model supply."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from goassist_desktop.supply import manifest
from goassist_desktop.supply.manifest import Manifest
from tests.fakes.model_sources import MANIFEST, Hub


@pytest.fixture
def hub() -> Iterator[Hub]:
    with Hub() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.go_on.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is pip's only source of packages."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


@pytest.fixture
def known(tmp_path: Path) -> Manifest:
    (tmp_path / "manifest.toml").write_text(MANIFEST)
    return manifest.load(tmp_path / "manifest.toml")


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "models"
