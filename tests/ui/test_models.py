"""The models page: what it says of every model, and what its buttons do."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from goassist_desktop import weights
from goassist_desktop.config import Config, ModelChoice
from goassist_desktop.pipeline.errors import GoAssistError
from goassist_desktop.supply import offers
from goassist_desktop.supply.pull import Progress, PullCancelled, PullFailed
from goassist_desktop.supply.queue import CLOSE_S, Item
from goassist_desktop.ui.models import Chip, Downloads, ModelRow, ModelsPage, progress_in_words
from goassist_desktop.ui.theme import theme
from tests.ui.conftest import SCREENS, Shoot

BASE = "faster-whisper-base"
SIZE = weights.model(BASE).size


class Supply:
    """Stands for the network: a pull goes as far as it is let, and ends as it is told."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.far = threading.Event()
        self.go_on = threading.Event()
        self.failure: GoAssistError | None = None

    def pull(
        self,
        name: str,
        *,
        progress: Callable[[Progress], None],
        cancelled: Callable[[], bool],
    ) -> None:
        self.asked.append(name)
        size = weights.model(name).size
        progress(Progress(f"{name}/model.bin", "hub", size // 2, size, size // 2, size))
        self.far.set()
        while not self.go_on.wait(0.005):
            if cancelled():
                raise PullCancelled("cancelled")
        if self.failure is not None:
            raise self.failure
        put(name)


def put(name: str) -> None:
    folder = weights.models_dir() / name
    folder.mkdir(parents=True)
    for file in weights.model(name).files:
        with (folder / file.name).open("wb") as stream:
            stream.truncate(file.size)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Only the models of the profile are here."""
    monkeypatch.setenv("GOASSIST_MODELS_DIR", str(tmp_path / "models"))
    monkeypatch.setattr(weights, "memory_bytes", lambda: 16 * 10**9)
    for model in weights.profile("embedded"):
        put(model.name)
    return tmp_path / "models"


@pytest.fixture
def supply(monkeypatch: pytest.MonkeyPatch) -> Supply:
    made = Supply()
    monkeypatch.setattr(weights, "pull", made.pull)
    return made


@pytest.fixture
def downloads(qtbot: QtBot, supply: Supply) -> Iterator[Downloads]:
    made = Downloads()
    yield made
    made.close()


class Kept:
    """Where settings go."""

    def __init__(self) -> None:
        self.settings: list[dict[str, str]] = []

    def __call__(self, settings: Mapping[str, str]) -> None:
        self.settings.append(dict(settings))


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.fixture
def page(qtbot: QtBot, downloads: Downloads, kept: Kept) -> ModelsPage:
    made = ModelsPage(Config(), downloads, kept)
    qtbot.addWidget(made)
    made.show()
    return made


def row(page: ModelsPage, name: str) -> ModelRow:
    (found,) = (one for one in page.findChildren(ModelRow) if one.model_name == name)
    return found


def buttons(of: QWidget) -> dict[str, QPushButton]:
    return {b.text(): b for b in of.findChildren(QPushButton) if b.isVisible()}


def words(of: QWidget) -> str:
    chips = [chip.accessibleName() for chip in of.findChildren(Chip)]
    return " | ".join([*chips, *(one.text() for one in of.findChildren(QLabel) if one.isVisible())])


def click(qtbot: QtBot, of: QWidget, text: str) -> None:
    qtbot.mouseClick(buttons(of)[text], Qt.MouseButton.LeftButton)


def test_every_model_is_there_with_what_it_means(page: ModelsPage) -> None:
    assert {r.model_name for r in page.findChildren(ModelRow)} == {
        model.name for model in weights.select("all")
    }
    used = row(page, "faster-whisper-tiny.en")
    assert "In use" in words(used) and not buttons(used)
    base = row(page, BASE)
    assert "Not here" in words(base) and list(buttons(base)) == ["Get"]
    assert "148 MB · CTranslate2 · fits this machine well · MIT: Free for everyone" in words(base)
    assert "16.0 GB of memory" in words(page)


def test_getting_a_model_shows_how_far_it_is(
    qtbot: QtBot, page: ModelsPage, supply: Supply
) -> None:
    base = row(page, BASE)
    click(qtbot, base, "Get")
    qtbot.waitUntil(lambda: "49 % of 148 MB" in words(base) or "50 % of 148 MB" in words(base))
    assert "Coming" in words(base) and set(buttons(base)) == {"Pause", "Cancel"}
    supply.go_on.set()
    qtbot.waitUntil(lambda: set(buttons(base)) == {"Use", "Remove"})
    assert "Here" in words(base) and "%" not in words(base)


def test_pause_resume_and_cancel(qtbot: QtBot, page: ModelsPage, supply: Supply) -> None:
    base = row(page, BASE)
    click(qtbot, base, "Get")
    qtbot.waitUntil(lambda: "Pause" in buttons(base))
    click(qtbot, base, "Pause")
    qtbot.waitUntil(lambda: set(buttons(base)) == {"Resume", "Cancel"})
    assert "paused" in words(base)
    click(qtbot, base, "Resume")
    qtbot.waitUntil(lambda: "Pause" in buttons(base))
    qtbot.waitUntil(lambda: len(supply.asked) == 2)
    click(qtbot, base, "Cancel")
    qtbot.waitUntil(lambda: set(buttons(base)) == {"Get"})


def test_what_an_earlier_day_began_is_resumed(qtbot: QtBot, page: ModelsPage, folder: Path) -> None:
    (folder / BASE).mkdir()
    (folder / BASE / "tokenizer.json").write_bytes(bytes(2203239))
    page.refresh()
    base = row(page, BASE)
    assert "1 % is here" in words(base) and set(buttons(base)) == {"Resume", "Remove"}


def test_two_models_come_one_after_the_other(
    qtbot: QtBot, page: ModelsPage, supply: Supply
) -> None:
    base, moonshine = row(page, BASE), row(page, "moonshine-tiny-en")
    click(qtbot, base, "Get")
    qtbot.waitUntil(supply.far.is_set)
    click(qtbot, moonshine, "Get")
    qtbot.waitUntil(lambda: "waiting for the one before" in words(moonshine))
    assert set(buttons(moonshine)) == {"Cancel"} and supply.asked == [BASE]
    supply.go_on.set()
    qtbot.waitUntil(lambda: "Use" in buttons(moonshine))
    assert supply.asked == [BASE, "moonshine-tiny-en"]


def test_a_failure_is_said_in_words_with_the_details_on_demand(
    qtbot: QtBot, page: ModelsPage, supply: Supply
) -> None:
    fault = f"{BASE}/model.bin could not be had (hub: it can not be reached: timed out)"
    supply.failure = PullFailed(fault)
    supply.go_on.set()
    base = row(page, BASE)
    click(qtbot, base, "Get")
    qtbot.waitUntil(lambda: "Try again" in buttons(base))
    assert "Check the connection to the internet" in words(base) and fault not in words(base)
    click(qtbot, base, "Details")
    assert fault in words(base)
    supply.failure = None
    click(qtbot, base, "Try again")
    qtbot.waitUntil(lambda: "Use" in buttons(base))
    assert "could not" not in words(base)


def test_using_a_model_keeps_the_setting(
    qtbot: QtBot, page: ModelsPage, kept: Kept, folder: Path
) -> None:
    put(BASE)
    page.refresh()
    click(qtbot, row(page, BASE), "Use")
    assert kept.settings == [{"engines.recognition": "whisper", "models.recognition": BASE}]
    page.use_config(Config(models=ModelChoice(recognition=BASE)))
    assert "In use" in words(row(page, BASE))
    assert set(buttons(row(page, "faster-whisper-tiny.en"))) == {"Use", "Remove"}


def test_removing_asks_first(qtbot: QtBot, page: ModelsPage, folder: Path) -> None:
    put(BASE)
    page.refresh()
    base = row(page, BASE)
    click(qtbot, base, "Remove")
    assert "Remove it from this machine? That frees 148 MB." in words(base)
    click(qtbot, base, "Keep")
    assert set(buttons(base)) == {"Use", "Remove"} and (folder / BASE).exists()
    click(qtbot, base, "Remove")
    click(qtbot, base, "Remove")
    qtbot.waitUntil(lambda: set(buttons(base)) == {"Get"})
    assert not (folder / BASE).exists()


def test_what_can_not_be_removed_says_so(
    qtbot: QtBot, page: ModelsPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(name: str) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(offers, "remove", refuse)
    put(BASE)
    page.refresh()
    base = row(page, BASE)
    click(qtbot, base, "Remove")
    click(qtbot, base, "Remove")
    qtbot.waitUntil(lambda: "It could not be removed." in words(base))
    click(qtbot, base, "Dismiss")
    qtbot.waitUntil(lambda: set(buttons(base)) == {"Use", "Remove"})


def test_what_does_not_fit_says_why_and_can_not_be_got(
    qtbot: QtBot, page: ModelsPage, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    monkeypatch.setattr(weights, "memory_bytes", lambda: 10**9)
    page.refresh()
    base = row(page, BASE)
    assert "Does not fit: it needs" in words(base) and "has 1.0 GB" in words(base)
    assert not buttons(base)["Get"].isEnabled()
    monkeypatch.setattr(weights, "memory_bytes", lambda: 16 * 10**9)
    monkeypatch.setattr(offers, "disk_free_bytes", lambda: 50_000_000)
    page.refresh()
    assert "148 MB are to come, 50 MB are free" in words(base)


def test_the_page_works_by_keyboard(qtbot: QtBot, page: ModelsPage, supply: Supply) -> None:
    get = buttons(row(page, BASE))["Get"]
    assert get.accessibleName() == "Get Whisper base (CTranslate2)"
    get.setFocus()
    qtbot.keyClick(get, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: supply.asked == [BASE])


def test_the_program_ends_at_once_in_mid_download(
    qtbot: QtBot, page: ModelsPage, downloads: Downloads, supply: Supply
) -> None:
    click(qtbot, row(page, BASE), "Get")
    qtbot.waitUntil(supply.far.is_set)
    began = time.monotonic()
    downloads.close()
    page.close()
    assert time.monotonic() - began < 2 * CLOSE_S


def test_progress_in_words() -> None:
    item = Item("m", "fetching", 480_000_000, 1_117_320_768, 12.4e6)
    assert progress_in_words(item) == "42 % of 1.1 GB · 12 MB a second · less than a minute left"
    assert progress_in_words(Item("m", "fetching", 0, 10**9)) == "0 % of 1.0 GB"
    assert progress_in_words(Item("m", "checking")) == "Looking for what is here already"


def test_pictures(
    qtbot: QtBot, page: ModelsPage, shoot: Shoot, supply: Supply, downloads: Downloads
) -> None:
    click(qtbot, row(page, BASE), "Get")
    qtbot.waitUntil(lambda: "Pause" in buttons(row(page, BASE)))
    assert shoot(page, "models")
    for choice, scale in (("contrast", 1.0), ("dark", 1.5)):
        theme().use(choice, scale)  # type: ignore[arg-type]
        page.resize(1280, 800)
        qtbot.wait(1)
        assert page.grab().save(str(SCREENS / f"models-{choice}-{scale}.png"))
    downloads.queue.pause(BASE)
