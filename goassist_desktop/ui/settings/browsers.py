"""Browsers that talk to this assistant: whether they may, and how they come in."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QGuiApplication, QHideEvent, QShowEvent
from PySide6.QtWidgets import QLabel, QSizePolicy, QWidget

from goassist_desktop.ui.kit import LabelKind, button, column, label, row
from goassist_desktop.ui.ports import Assistant, BrowserAccess
from goassist_desktop.ui.settings.editing import Editing
from goassist_desktop.ui.settings.lines import Line, NumberLine, SwitchLine
from goassist_desktop.ui.settings.qr import QrCode
from goassist_desktop.ui.settings.section import Section
from goassist_desktop.ui.theme import GAP

LOOK_MS: Final = 500
COPIED_MS: Final = 2000
MOST_OTHERS: Final = 3
"""Further addresses that are named: a machine may have many, and nobody types those of IPv6."""
COPY: Final = "Copy"
OPENING: Final = "The door is being opened …"
WARNED: Final = (
    "The browser will warn you the first time, because this machine vouches for itself. "
    "Go on if it shows the fingerprint below."
)
HERE_ONLY: Final = "This address works on this machine only."
ONCE: Final = "It lets one browser in"


class Door(Line):
    """Address, picture and code: all that somebody needs to come in."""

    def __init__(self, editing: Editing, assistant: Assistant) -> None:
        self._assistant = assistant
        self.qr = QrCode("The address with the code, for a camera")
        self.state = label("", "quiet", wrap=True)
        self.address = _selectable("large", "Address")
        self.others = _selectable("caption", "Other addresses")
        self.code = _selectable("display", "Pairing code")
        for text in (self.address, self.others, self.code):  # they are never squeezed
            text.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.copy = button(COPY, clicked=self._copy)
        self.copy.setAccessibleName("Copy the address")
        self.validity = label("", "quiet", wrap=True)
        self.renew = button("New code", clicked=self._renew)
        self.hint = label("", "caption", wrap=True)
        words = column(
            label("Point a phone’s camera at the picture, or open in a browser", "caption"),
            row(self.address, self.copy, 1, gap=3 * GAP),
            self.others,
            label("and type this code", "caption"),
            row(self.code, self.renew, 1, gap=3 * GAP),
            self.validity,
            self.hint,
            1,
            gap=GAP // 2,
        )
        words.insertSpacing(3, 2 * GAP)
        words.insertSpacing(7, GAP)
        self._open = QWidget()
        inside = row(self.qr, words, gap=4 * GAP)
        inside.setStretch(1, 1)
        inside.setAlignment(self.qr, Qt.AlignmentFlag.AlignTop)
        self._open.setLayout(inside)
        both = QWidget()
        both.setLayout(column(self.state, self._open, gap=0))
        super().__init__(
            editing, "", "", both, below=True, words="address url qr code pairing phone new copy"
        )
        self._copied = QTimer(self, interval=COPIED_MS, singleShot=True)
        self._copied.timeout.connect(lambda: self.copy.setText(COPY))

    def show_access(self, access: BrowserAccess) -> None:
        is_open = access.state == "open"
        self._open.setVisible(is_open)
        self.state.setVisible(not is_open)
        self.state.setText("" if access.state == "failed" else OPENING)
        self.complain(_fault(access.fault) if access.state == "failed" else "")
        if not is_open:
            return
        page = access.link.partition("#")[0]
        others = [url for url in access.addresses if url != page and "[" not in url]
        self.qr.show_link(access.link)
        self.address.setText(page)
        self.others.setText("\n".join(others[:MOST_OTHERS]))
        self.others.setVisible(bool(others))
        self.code.setText(f"{access.code[:4]} {access.code[4:]}")
        self.validity.setText(f"{ONCE}, within {_minutes(access.code_left_s)}.")
        alone = len(access.addresses) == 1
        self.hint.setText(f"{HERE_ONLY} {WARNED}" if alone else WARNED)

    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(self.address.text())
        self.copy.setText("Copied")
        self._copied.start()

    def _renew(self) -> None:
        self._assistant.renew_code()
        self.show_access(self._assistant.browser_access())


class Browsers(Section):
    TITLE = "Browser access"
    ICON = "browser"
    WHAT = "Talk to this assistant from a phone, a tablet or another computer, in any browser."

    def __init__(self, editing: Editing, assistant: Assistant) -> None:
        super().__init__(editing)
        self._assistant = assistant
        self.enabled = SwitchLine(
            editing,
            "host.enabled",
            "Let a browser talk to this assistant",
            "For as long as this window is open. The models are loaded anew, with room for all.",
            words="web host server remote",
        )
        self.network = SwitchLine(
            editing,
            "host.network",
            "Also from other devices in this network",
            "Off: from this machine only.",
            words="phone tablet lan wifi",
        )
        self.door = Door(editing, assistant)
        self.talking_label = label("", "quiet", wrap=True)
        self.talking_label.setMinimumWidth(1)
        self.talking = Line(
            editing,
            "Who talks",
            "",
            self.talking_label,
            below=True,
            words="connected sessions",
        )
        self.places = NumberLine(
            editing,
            "max_sessions",
            "At the same time",
            "So many browsers may talk; others wait. Each takes about 120 MB of memory.",
            words="sessions limit",
        )
        self.port = NumberLine(
            editing,
            "host.port",
            "Port",
            "The number at the end of the address. 0: any that is free.",
            words="network firewall",
        )
        self.fingerprint_label = _selectable("caption", "Fingerprint of the certificate")
        self.fingerprint_label.setWordWrap(True)
        self.fingerprint = Line(
            editing,
            "Fingerprint of the certificate",
            "What the browser shows under “certificate” (SHA-256) must be the same.",
            self.fingerprint_label,
            below=True,
            words="https tls security sha",
        )
        self.add("", self.enabled, self.network)
        self.door_card = self.add("How to come in", self.door)
        self.add("Conversations", self.talking, self.places)
        self.add("Connection", self.port, self.fingerprint)
        self._timer = QTimer(self, interval=LOOK_MS)
        self._timer.timeout.connect(self.look)
        editing.applied.connect(self.look)
        for line in (self.door, self.talking, self.fingerprint):
            line.wanted = False
        self.seek("")
        self.look()

    def seek(self, text: str) -> list[Line]:
        found = super().seek(text)
        if not self.door.wanted:
            self.door_card.hide()
        return found

    def look(self) -> None:
        """Show things as they are."""
        access = self._assistant.browser_access()
        is_on, is_open = self.editing.value("host.enabled"), access.state == "open"
        for line, wanted in (
            (self.door, is_on),
            (self.talking, is_on and is_open),
            (self.fingerprint, is_on and is_open),
        ):
            if line.wanted != wanted:  # else a search decides
                line.wanted = wanted
                line.setVisible(wanted)
                self.door_card.setVisible(self.door.wanted)
        if is_on:
            self.door.show_access(access)
        self.talking_label.setText(_who_talks(access))
        # A word that long has no place to be broken at.
        self.fingerprint_label.setText(_in_two(access.fingerprint))

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.look()
        self._timer.start()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._timer.stop()


def _selectable(kind: LabelKind, name: str) -> QLabel:
    """Text to be copied."""
    made = label("", kind)
    made.setAccessibleName(name)
    made.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return made


def _who_talks(access: BrowserAccess) -> str:
    if not access.talking:
        return "No browser talks at the moment."
    talking = f"{access.talking} of {access.places} places are taken"
    if access.talking == 1:
        talking = f"One of {access.places} places is taken"
    waits = f", and {access.waiting} wait." if access.waiting > 1 else ", and one waits."
    return talking + (waits if access.waiting else ".")


def _minutes(seconds: float) -> str:
    if seconds < 60:
        return "a minute"
    return f"{round(seconds / 60)} minutes" if seconds >= 90 else "a minute"


def _fault(told: str) -> str:
    if "address already in use" in told.casefold():
        return "Another program uses this port. Choose another number below."
    return f"Browsers can not come in: {told}."


def _in_two(fingerprint: str) -> str:
    middle = (len(fingerprint) + 1) // 2
    return f"{fingerprint[:middle]}\n{fingerprint[middle:]}"
