"""Browser access in the settings: what is shown of it, and what one can do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import segno
import shiboken6
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from pytestqt.qtbot import QtBot

from goassist_desktop import config
from goassist_desktop.config import Config
from goassist_desktop.ui.ports import BrowserAccess
from goassist_desktop.ui.settings import SettingsPage
from goassist_desktop.ui.settings.browsers import HERE_ONLY, OPENING, Browsers
from goassist_desktop.ui.settings.qr import QUIET, QrCode
from tests.fakes.assistant import ScriptedAssistant
from tests.ui.conftest import Shoot
from tests.ui.test_screens import assert_apart, assert_whole, services

LEFT = Qt.MouseButton.LeftButton
URL = "https://192.168.178.24:8443/"
OPEN = BrowserAccess(
    "open",
    addresses=("https://127.0.0.1:8443/", URL),
    link=f"{URL}#code=12345678",
    code="12345678",
    code_left_s=540.0,
    fingerprint=":".join(["A7", "3C"] * 16),
    places=4,
)


class Shown:
    """The page, and the settings as it changed them."""

    def __init__(self, assistant: ScriptedAssistant, file: Path, **changes: object) -> None:
        self.assistant = assistant
        self.changes: list[object] = []
        self.page = SettingsPage(
            assistant, config.changed(Config(), changes), self.changes.append, services(file)
        )
        self.page.resize(1280, 800)
        self.page.open("Browser access")
        self.page.show()

    @property
    def section(self) -> Browsers:
        return self.page.section(Browsers)

    def tell(self, access: BrowserAccess) -> None:
        self.assistant.browsers = access
        self.section.look()


@pytest.fixture
def off(qtbot: QtBot, assistant: ScriptedAssistant, tmp_path: Path) -> Iterator[Shown]:
    shown = Shown(assistant, tmp_path / "config.toml")
    yield shown
    shown.page.close()
    shiboken6.delete(shown.page)


@pytest.fixture
def on(qtbot: QtBot, assistant: ScriptedAssistant, tmp_path: Path) -> Iterator[Shown]:
    assistant.browsers = OPEN
    changes = {"host.enabled": True, "host.network": True}
    shown = Shown(assistant, tmp_path / "config.toml", **changes)
    yield shown
    shown.page.close()
    shiboken6.delete(shown.page)


def test_it_is_off_until_somebody_wants_it(qtbot: QtBot, off: Shown) -> None:
    assert not off.section.door.isVisible()
    assert not off.section.fingerprint.isVisible()
    off.assistant.browsers = BrowserAccess("opening")
    qtbot.mouseClick(off.section.enabled.switch, LEFT)
    assert off.changes == [{"host.enabled": True}]
    assert off.section.door.state.text() == OPENING
    off.assistant.browsers = OPEN
    qtbot.waitUntil(lambda: off.section.door.code.isVisible())
    qtbot.mouseClick(off.section.enabled.switch, LEFT)
    assert not off.section.door.isVisible()


def test_all_that_one_needs_to_come_in_is_shown(on: Shown) -> None:
    door = on.section.door
    assert door.address.text() == URL
    assert door.others.text() == "https://127.0.0.1:8443/"
    assert door.code.text() == "1234 5678"
    assert "9 minutes" in door.validity.text()
    assert door.qr.link == f"{URL}#code=12345678"
    assert HERE_ONLY not in door.hint.text()
    assert "".join(on.section.fingerprint_label.text().split()) == OPEN.fingerprint


def test_the_picture_is_the_link(qtbot: QtBot) -> None:
    code = QrCode("code")
    qtbot.addWidget(code)
    code.show_link(OPEN.link)
    code.resize(code.sizeHint())
    code.show()
    drawn = code.grab().toImage()
    rows = [list(row) for row in segno.make(OPEN.link, error="m").matrix]
    module = code.width() // (len(rows) + 2 * QUIET)
    start = (code.width() - module * len(rows)) / 2
    seen = [
        [
            int(drawn.pixelColor(round(start + (x + 0.5) * module), y).lightness() < 128)
            for x in range(len(rows))
        ]
        for y in (round(start + (down + 0.5) * module) for down in range(len(rows)))
    ]
    assert seen == rows


def test_from_this_machine_only_is_said(on: Shown) -> None:
    here = "https://127.0.0.1:8443/"
    on.tell(replace(OPEN, addresses=(here,), link=f"{here}#code=12345678"))
    assert on.section.door.address.text() == here
    assert not on.section.door.others.isVisible()
    assert HERE_ONLY in on.section.door.hint.text()


def test_a_new_code_is_asked_for(qtbot: QtBot, on: Shown) -> None:
    on.assistant.browsers = replace(OPEN, code="87654321", link=f"{URL}#code=87654321")
    qtbot.mouseClick(on.section.door.renew, LEFT)
    assert ("renew_code",) in on.assistant.asked
    assert on.section.door.code.text() == "8765 4321"
    assert on.section.door.qr.link.endswith("87654321")


def test_the_address_can_be_copied(qtbot: QtBot, on: Shown) -> None:
    qtbot.mouseClick(on.section.door.copy, LEFT)
    assert QGuiApplication.clipboard().text() == URL


@pytest.mark.parametrize(
    ("talking", "waiting", "said"),
    [
        (0, 0, "No browser talks at the moment."),
        (1, 0, "One of 4 places is taken."),
        (4, 1, "4 of 4 places are taken, and one waits."),
        (4, 3, "4 of 4 places are taken, and 3 wait."),
    ],
)
def test_who_talks(on: Shown, talking: int, waiting: int, said: str) -> None:
    on.tell(replace(OPEN, talking=talking, waiting=waiting))
    assert on.section.talking_label.text() == said


def test_a_port_that_is_taken_is_said_where_it_is_chosen(qtbot: QtBot, on: Shown) -> None:
    fault = "can not listen at 0.0.0.0, port 8443: address already in use"
    on.tell(BrowserAccess("failed", fault=fault))
    assert "Another program uses this port" in on.section.door.fault
    assert not on.section.door.code.isVisible()
    on.section.port.box.setValue(8444)
    assert on.changes == [{"host.port": 8444}]
    on.tell(OPEN)
    assert not on.section.door.fault
    assert on.section.door.code.isVisible()


def test_a_search_is_not_undone_by_looking(qtbot: QtBot, on: Shown) -> None:
    on.page.search.setText("fingerprint")
    assert on.section.fingerprint.isVisible()
    assert not on.section.door.isVisible()
    on.section.look()
    assert not on.section.door.isVisible()
    on.page.search.clear()
    assert on.section.door.isVisible()


def test_a_search_finds_no_way_in_where_there_is_none(off: Shown) -> None:
    off.page.search.setText("browser access")
    assert off.section.enabled.isVisible()
    assert not off.section.door_card.isVisible()


def test_nobody_looks_while_it_is_not_shown(qtbot: QtBot, on: Shown) -> None:
    on.page.open("About")
    assert not on.section._timer.isActive()
    on.page.open("Browser access")
    assert on.section._timer.isActive()


def test_the_page_while_it_is_off(off: Shown, shoot: Shoot) -> None:
    for path in shoot(off.page, "settings-browsers-off"):
        assert path.exists()
    assert not off.section.door_card.isVisible()
    assert_whole(off.page)
    assert_apart(off.page)


def test_a_machine_of_many_networks_in_a_small_window(qtbot: QtBot, on: Shown) -> None:
    long = [f"https://[fd00:1234:5678:9abc:def0:1234:5678:{n:04x}]:8443/" for n in range(9)]
    other = [f"https://10.0.0.{n}:8443/" for n in range(1, 9)]
    on.tell(replace(OPEN, addresses=(*OPEN.addresses, *long, *other)))
    on.page.resize(880, 560)
    qtbot.waitUntil(lambda: assert_whole(on.page))  # on a busy machine it takes a while
    assert on.page.width() == 880
    assert on.section.door.others.text().split() == [
        "https://127.0.0.1:8443/", "https://10.0.0.1:8443/", "https://10.0.0.2:8443/",
    ]  # fmt: skip
    assert_whole(on.page)
    assert_apart(on.page)


def test_pictures(qtbot: QtBot, on: Shown, shoot: Shoot) -> None:
    on.tell(replace(OPEN, talking=2))
    for path in shoot(on.page, "settings-browsers"):
        assert path.exists()
    assert_whole(on.page)
    assert_apart(on.page)
