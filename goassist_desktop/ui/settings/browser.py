"""Browsers that may talk to the assistant: whether, from where, and how they get in."""

from __future__ import annotations

from typing import Final

import segno
from PySide6.QtCore import QRectF, QSize, Qt, QTimer
from PySide6.QtGui import QColor, QHideEvent, QPainter, QPaintEvent, QShowEvent
from PySide6.QtWidgets import QWidget

from goassist_desktop.ui.kit import button, column, label, row
from goassist_desktop.ui.ports import Assistant, BrowserAccess
from goassist_desktop.ui.settings.editing import Editing
from goassist_desktop.ui.settings.fold import Fold
from goassist_desktop.ui.settings.lines import Line, NumberLine, SwitchLine
from goassist_desktop.ui.settings.section import Section
from goassist_desktop.ui.theme import GAP, theme

LOOK_EVERY_MS: Final = 500
QR_PX: Final = 176
QUIET_MODULES: Final = 3
"""Empty modules about the code, without which no camera finds it."""


class QrCode(QWidget):
    """A text that a camera can read. Always dark on light: many readers know nothing else."""

    def __init__(self) -> None:
        super().__init__()
        self._text = ""
        self._rows: list[bytes] = []
        self.setAccessibleName("QR code of the page's address, with the pairing code")

    def show_text(self, text: str) -> None:
        if text != self._text:
            self._text = text
            made = segno.make(text, error="m", micro=False).matrix if text else ()
            self._rows = [bytes(line) for line in made]
            self.update()

    def sizeHint(self) -> QSize:
        side = theme().px(QR_PX)
        return QSize(side, side)

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor("white"))
        side = min(self.width(), self.height())
        painter.drawRoundedRect(QRectF(0, 0, side, side), GAP, GAP)
        if not self._rows:
            return
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        module = side / (len(self._rows) + 2 * QUIET_MODULES)
        painter.setBrush(QColor("black"))
        for y, line in enumerate(self._rows):
            for x, dark in enumerate(line):
                if dark:
                    place = (x + QUIET_MODULES) * module, (y + QUIET_MODULES) * module
                    painter.drawRect(QRectF(*place, module + 0.5, module + 0.5))


class AccessLine(Line):
    """The address, the code, and who is there."""

    def __init__(self, editing: Editing, assistant: Assistant) -> None:
        self.qr = QrCode()
        self.code = label("", "display")
        self.code.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.code.setAccessibleName("Pairing code")
        self.left = label("", "caption")
        self.address = label("", "large", wrap=True)
        self.address.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.address.setAccessibleName("Address of the page")
        self.talking = label("", "caption")
        self.renew = button("New code", clicked=assistant.renew_code)
        texts = column(
            label("Open this address in a browser", "caption"),
            self.address,
            GAP,
            label("and type this code", "caption"),
            self.code,
            row(self.left, self.renew, 1, gap=2 * GAP),
            self.talking,
            gap=4,
        )
        texts.addStretch(1)
        inside = QWidget()
        both = row(self.qr, texts, gap=3 * GAP)
        both.setAlignment(self.qr, Qt.AlignmentFlag.AlignTop)
        both.setStretch(1, 1)
        inside.setLayout(both)
        super().__init__(
            editing, "", "", inside, below=True, words="address code qr phone pairing browser"
        )

    def show_access(self, access: BrowserAccess) -> None:
        elsewhere = access.urls[1:] or access.urls
        url = elsewhere[0] if elsewhere else ""
        self.address.setText(url)
        self.code.setText(f"{access.code[:4]} {access.code[4:]}".strip())
        minutes = max(1, round(access.left_s / 60))
        self.left.setText(f"Good once, for {minutes} minute{'s' * (minutes > 1)}")
        self.qr.show_text(f"{url}#code={access.code}" if url else "")
        who = "browser talks" if access.talking == 1 else "browsers talk"
        self.talking.setText(f"{access.talking or 'No'} {who} to it now.")


class FingerprintLine(Line):
    """What tells this machine's certificate from another's."""

    def __init__(self, editing: Editing) -> None:
        self.text = label("", "caption", wrap=True)
        self.text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        super().__init__(
            editing,
            "The browser warns at first",
            "The connection is encrypted with this machine's own certificate, which no authority "
            "has signed. To be sure, compare its SHA-256 fingerprint with what the browser shows:",
            self.text,
            below=True,
            words="certificate https fingerprint warning security",
        )


class Browser(Section):
    TITLE = "Browser access"
    ICON = "talk"
    WHAT = "Talk to the assistant from a phone, or from another computer."

    def __init__(self, editing: Editing, assistant: Assistant) -> None:
        super().__init__(editing)
        self._assistant = assistant
        self.enabled = SwitchLine(
            editing,
            "host.enabled",
            "Let browsers talk to this assistant",
            "While the window is open. The models are loaded again, with room for more at once.",
            words="web phone host webrtc share",
        )
        self.network = SwitchLine(
            editing,
            "host.network",
            "Also from other devices in this network",
            "Else only from this machine.",
            words="web phone lan wifi share",
        )
        self.access = AccessLine(editing, assistant)
        self.state = label("", "quiet", wrap=True)
        self.fingerprint = FingerprintLine(editing)
        self.most = NumberLine(
            editing,
            "max_sessions",
            "Browsers at the same time",
            "Others wait, and see their place in the queue. Each takes about 120 MB of memory.",
            words="max_sessions users",
        )
        self.port = NumberLine(
            editing, "host.port", "Port", "Where the page is served.", words="host port address"
        )
        self.add("", self.enabled, self.network)
        self.card = self.add("How to get in", self.state, self.access, self.fingerprint)
        self.add("", Fold(self.most, self.port))
        self._timer = QTimer(self, interval=LOOK_EVERY_MS)
        self._timer.timeout.connect(self.look)
        self.look()

    def look(self) -> None:
        """How it is now."""
        access = self._assistant.browsers()
        listening = access is not None and bool(access.urls)
        self.access.wanted = self.fingerprint.wanted = listening
        self.access.setVisible(listening)
        self.fingerprint.setVisible(listening)
        self.state.setVisible(not listening)
        if access is None:
            on = bool(self.editing.value("host.enabled"))
            self.state.setText("One moment …" if on else "No browser is let in.")
        elif not listening:
            self.state.setText(access.fault or "One moment …")
        else:
            self.access.show_access(access)
            self.fingerprint.text.setText(access.fingerprint)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.look()
        self._timer.start()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._timer.stop()
