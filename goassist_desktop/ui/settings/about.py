"""What this program is, whose work it stands on, and whether this machine is fit for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from PySide6.QtCore import Qt
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QGridLayout, QLabel, QPlainTextEdit

from goassist_desktop import shipped
from goassist_desktop.ui.kit import Choice, LabelKind, button, label
from goassist_desktop.ui.settings.editing import Editing
from goassist_desktop.ui.settings.lines import Line
from goassist_desktop.ui.settings.section import Section
from goassist_desktop.ui.settings.services import Finding
from goassist_desktop.ui.theme import GAP, theme

STATES: Final[dict[str, tuple[str, LabelKind]]] = {
    "ok": ("Fine", "quiet"),
    "warn": ("Note", "warning"),
    "fail": ("Fault", "error"),
}


class Check(Line):
    """Looks at this machine on demand; what is found appears as it is found."""

    def __init__(self, editing: Editing) -> None:
        self.start = button("Check this machine", clicked=self._start)
        super().__init__(
            editing,
            "Check this machine",
            "Models, memory, graphics, microphone and loudspeaker. Plays a short, quiet tone.",
            self.start,
            words="doctor diagnose problem test",
        )
        self.rows: list[tuple[QLabel, QLabel, QLabel]] = []
        self._grid = QGridLayout()
        self._grid.setHorizontalSpacing(2 * GAP)
        self._grid.setVerticalSpacing(GAP)
        self._grid.setColumnStretch(2, 1)
        self.result = label("", wrap=True)
        self.result.hide()
        self.inside.addSpacing(GAP)
        self.inside.addLayout(self._grid)
        self.inside.addWidget(self.result)

    def _start(self) -> None:
        for line in self.rows:
            for cell in line:
                cell.deleteLater()
        self.rows = []
        self.complain("")
        self.result.hide()
        self.start.setEnabled(False)
        self.start.setText("Checking…")
        services, config = self.editing.services, self.editing.config
        self.editing.jobs.follow(
            lambda: services.examine(config), self._found, self._end, self._failed
        )

    def _found(self, finding: Finding) -> None:
        word, kind = STATES[finding.state]
        text = f"{finding.found}\n→ {finding.remedy}" if finding.remedy else finding.found
        cells = (label(word, kind), label(finding.check), label(text, "quiet", wrap=True))
        for place, cell in enumerate(cells):
            cell.setAlignment(Qt.AlignmentFlag.AlignTop)
            self._grid.addWidget(cell, len(self.rows), place)
        self.rows.append(cells)

    def _end(self, _: None) -> None:
        wrong = sum(1 for state, _, _ in self.rows if state.text() != STATES["ok"][0])
        self.result.setText("All is well." if not wrong else f"To look at: {wrong}.")
        self.result.show()
        self._again()

    def _failed(self, why: str) -> None:
        self.complain(why)
        self._again()

    def _again(self) -> None:
        self.start.setEnabled(True)
        self.start.setText("Check again")


class Licences(Line):
    """The licences of program and models, to read here."""

    def __init__(self, editing: Editing) -> None:
        self.choice = Choice("Licence of")
        super().__init__(
            editing,
            "Licences",
            "Of the program, and of the models it works with.",
            self.choice,
            wide=True,
            words="copyright apache mit open source",
        )
        self.text = QPlainTextEdit()
        self.text.setReadOnly(True)
        self.text.setTabChangesFocus(True)
        self.text.setAccessibleName("Text of the licence")
        self.inside.addSpacing(GAP)
        self.inside.addWidget(self.text)
        self.choice.currentIndexChanged.connect(self._show)
        theme().changed.connect(self._measure)
        self._measure()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if not self.choice.count():
            self.editing.jobs.run(_licences, self._got, self.complain)

    def _got(self, texts: Sequence[tuple[str, str]]) -> None:
        for title, text in texts:
            self.choice.addItem(title, text)

    def _show(self, index: int) -> None:
        self.text.setPlainText(self.choice.itemData(index) or "")

    def _measure(self) -> None:
        self.text.setFixedHeight(theme().px(280))


def _licences() -> Sequence[tuple[str, str]]:
    files = {
        "GoAssist": shipped.licence(),
        "Models": shipped.folder() / "LICENCES.md",
        "Heads": shipped.folder() / "heads" / "LICENCES.md",
    }
    return [(title, file.read_text(encoding="utf-8")) for title, file in files.items()]


class About(Section):
    TITLE = "About"
    ICON = "info"

    def __init__(self, editing: Editing) -> None:
        super().__init__(editing)
        version = label(editing.services.version)
        self.version = Line(
            editing,
            "GoAssist",
            "A voice assistant you simply talk with, on your own machine.",
            version,
            words="version about",
        )
        self.check = Check(editing)
        self.licences = Licences(editing)
        self.add("", self.version)
        self.add("", self.check)
        self.add("", self.licences)
