"""The settings of the browsers: what is shown is what lets one in."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from goassist_desktop.ui.ports import BrowserAccess
from goassist_desktop.ui.settings.browser import Browser
from goassist_desktop.ui.theme import theme
from tests.fakes.assistant import ScriptedAssistant
from tests.ui.conftest import SCREENS
from tests.ui.test_settings import Machine, Open, click, machine, opened

__all__ = ["machine", "opened"]  # fixtures

ACCESS = BrowserAccess(
    urls=("https://127.0.0.1:8443/", "https://192.168.178.24:8443/"),
    code="48201937",
    left_s=412.0,
    fingerprint=":".join(["A7", "0F", "3C", "91"] * 8),
    talking=2,
)


def shown(opened: Open, **changes: object) -> Browser:
    page = opened(**changes)
    page.open("Browser access")
    return page.section(Browser)


def test_at_first_no_browser_is_let_in(opened: Open, assistant: ScriptedAssistant) -> None:
    section = shown(opened)
    assert not section.enabled.switch.isChecked()
    assert section.state.text() == "No browser is let in."
    assert not section.access.isVisible()


def test_a_switch_lets_them_in(
    qtbot: QtBot, opened: Open, assistant: ScriptedAssistant, machine: Machine
) -> None:
    section = shown(opened)
    click(qtbot, section.enabled.switch)
    click(qtbot, section.network.switch)
    assert machine.changes == [{"host.enabled": True}, {"host.network": True}]
    section.look()
    assert section.state.text() == "One moment …"
    assistant.access = ACCESS
    qtbot.waitUntil(section.access.isVisible)
    assert section.access.address.text() == "https://192.168.178.24:8443/"
    assert section.access.code.text() == "4820 1937"
    assert section.access.left.text() == "Good once, for 7 minutes"
    assert section.access.talking.text() == "2 browsers talk to it now."
    assert section.fingerprint.text.text() == ACCESS.fingerprint
    assert not section.state.isVisible()
    qtbot.mouseClick(section.access.renew, Qt.MouseButton.LeftButton)
    assert ("renew_code",) in assistant.asked


def test_why_nobody_listens_is_said(opened: Open, assistant: ScriptedAssistant) -> None:
    assistant.access = BrowserAccess(fault="can not listen at 0.0.0.0, port 80: Permission denied")
    section = shown(opened, host__enabled=True)
    assert section.state.text() == assistant.access.fault
    assert not section.access.isVisible()


@pytest.mark.parametrize("size", [(1280, 800), (1920, 1080)])
@pytest.mark.parametrize("colours", ["dark", "light"])
def test_a_camera_can_read_the_code(
    opened: Open, assistant: ScriptedAssistant, size: tuple[int, int], colours: str
) -> None:
    theme().use(colours)  # type: ignore[arg-type]
    assistant.access = ACCESS
    page = opened(host__enabled=True, host__network=True)
    page.resize(*size)
    page.open("Browser access")
    section = page.section(Browser)
    SCREENS.mkdir(parents=True, exist_ok=True)
    picture = page.grab()
    picture.save(str(SCREENS / f"browser-{colours}-{size[0]}.png"))
    image = section.access.qr.grab().toImage()
    assert image.pixelColor(image.width() // 2, 4).lightness() > 240  # the quiet zone
    dark = [image.pixelColor(x, image.height() // 2).lightness() < 60 for x in range(image.width())]
    assert 0.2 < sum(dark) / len(dark) < 0.8
    theme().use("dark")
