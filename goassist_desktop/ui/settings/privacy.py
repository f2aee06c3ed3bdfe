"""What is kept of you: nothing, unless you want it. And how to get rid of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from PySide6.QtCore import QUrl
from PySide6.QtGui import QDesktopServices, QShowEvent
from PySide6.QtWidgets import QFileDialog

from goassist_desktop import weights
from goassist_desktop.ui.confirm import Confirm
from goassist_desktop.ui.kit import Switch, button, label
from goassist_desktop.ui.settings.editing import Editing
from goassist_desktop.ui.settings.lines import Line, SwitchLine
from goassist_desktop.ui.settings.section import Section

FILE_NAME: Final = "goassist-diagnostics.zip"
NOTHING_KEPT: Final = "Nothing you say is kept: sound and words are gone when you leave."
NOTHING_LEAVES: Final = "Nothing of it leaves this machine."
DELETE: Final = "Delete everything…"
DELETED: Final = "Deleted"
EXPORT: Final = "Export diagnostics…"
KEPT: Final = {
    "privacy.keep_history": "The words of your conversations are kept on this machine.",
    "privacy.keep_session": (
        "Sound and decisions of the conversation that is going on are kept until it ends."
    ),
}


class Privacy(Section):
    TITLE = "Data and privacy"
    ICON = "shield"

    def __init__(self, editing: Editing) -> None:
        super().__init__(editing)
        self.summary = label("", wrap=True)
        self.summary_line = Line(
            editing,
            "",
            "",
            self.summary,
            below=True,
            words="privacy stored data recording",
        )
        self.history = SwitchLine(
            editing,
            "privacy.keep_history",
            "Keep the history",
            "The words of your conversations, to read and search them later.",
            words="transcript",
        )
        self.session = SwitchLine(
            editing,
            "privacy.keep_session",
            "Keep the session for reports",
            "Sound and decisions, so that you can report a turn that felt wrong. "
            "Thrown away when the conversation ends.",
            words="recording audio",
        )
        self.add("What is kept", self.summary_line, self.history, self.session)
        self.delete = button(DELETE, "danger", self._ask_what)
        self.delete_line = Line(
            editing,
            "Delete everything",
            "All that was kept of you. You are asked before.",
            self.delete,
            words="erase remove clear",
        )
        self.add("", self.delete_line)
        self.with_words = Switch(False, "Include what was said")
        self.words_line = Line(
            editing,
            "Include what was said",
            "Off: times, settings and failures only.",
            self.with_words,
            words="diagnostics",
        )
        self.export = button(EXPORT, clicked=self._export)
        self.export_line = Line(
            editing,
            "Diagnostics",
            "One zip file for whoever helps you. You can look into it before you send it.",
            self.export,
            words="zip report log help",
        )
        self.add("Help with a problem", self.words_line, self.export_line)
        self.models = button("Open folder", clicked=self._open_models)
        self.models_line = Line(
            editing,
            "Models",
            str(weights.models_dir()),
            self.models,
            words="folder disk size storage",
        )
        self.size_label = label("", "caption")
        self.models_line.inside.addWidget(self.size_label)
        self.file = button("Open file", clicked=self._open_file)
        self.file_line = Line(
            editing,
            "Settings",
            str(editing.services.config_file),
            self.file,
            words="config toml file folder",
        )
        self.add("On your disk", self.models_line, self.file_line)
        editing.applied.connect(self._summarise)
        self._summarise()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.editing.jobs.run(_models_size, self._show_size, self.models_line.complain)
        for again, text in ((self.delete, DELETE), (self.export, EXPORT)):
            if again.isEnabled() or again.text() == DELETED:
                again.setText(text)
                again.setEnabled(True)

    def _summarise(self) -> None:
        kept = [words for key, words in KEPT.items() if self.editing.value(key)]
        self.summary.setText(" ".join([*(kept or [NOTHING_KEPT]), *self._what_leaves()]))

    def _what_leaves(self) -> list[str]:
        face, host, sent = self.editing.config.face, self.editing.config.host, []
        if self.editing.config.engines.recognition == "deepgram":
            sent.append("What you say goes to Deepgram, which understands it.")
        if face.engine == "audio2face-service":
            sent.append(f"The assistant's voice goes to {face.service}, which moves its face.")
        if face.live_link:
            sent.append(f"The movements of the face go to {face.live_link}.")
        if host.enabled and host.network:
            sent.append("Who talks in a browser is heard here through your network, encrypted.")
        return sent or [NOTHING_LEAVES]

    def _show_size(self, size: int) -> None:
        self.size_label.setText(f"{size / 1e9:.1f} GB" if size >= 1e8 else f"{size / 1e6:.0f} MB")

    # -- delete everything -------------------------------------------------------------------------

    def _ask_what(self) -> None:
        self.delete_line.complain("")
        self.delete.setEnabled(False)
        self.editing.jobs.run(self.editing.services.stored, self._confirm, self._not_deleted)

    def _confirm(self, stored: Sequence[str]) -> None:
        self.delete.setEnabled(True)
        if not stored:
            self.delete_line.complain("There is nothing to delete.")
            return
        Confirm(
            self,
            "Delete all of this?",
            "Delete",
            self._delete,
            lines=stored,
            note="It can not be brought back.",
        ).open()

    def _delete(self) -> None:
        self.delete.setEnabled(False)
        self.delete.setText("Deleting…")
        self.editing.jobs.run(
            self.editing.services.delete_everything,
            self._deleted,
            self._not_deleted,
            finish=True,
        )

    def _deleted(self, _: None) -> None:
        self.delete.setText(DELETED)

    def _not_deleted(self, why: str) -> None:
        self.delete.setText(DELETE)
        self.delete.setEnabled(True)
        self.delete_line.complain(why)

    # -- diagnostics -------------------------------------------------------------------------------

    def _export(self) -> None:
        self.export_line.complain("")
        home = str(Path.home() / FILE_NAME)
        name, _ = QFileDialog.getSaveFileName(self, "Export diagnostics", home, "Zip (*.zip)")
        if not name:
            return
        path = Path(name) if name.endswith(".zip") else Path(f"{name}.zip")
        with_words = self.with_words.isChecked()
        services = self.editing.services
        self.export.setEnabled(False)
        self.export.setText("Exporting…")
        self.editing.jobs.run(
            lambda: services.export_diagnostics(path, with_words),
            self._exported,
            self._not_exported,
            finish=True,
        )

    def _exported(self, _: None) -> None:
        self.export.setEnabled(True)
        self.export.setText("Exported")

    def _not_exported(self, why: str) -> None:
        self.export.setEnabled(True)
        self.export.setText(EXPORT)
        self.export_line.complain(why)

    # -- folders -----------------------------------------------------------------------------------

    def _open_models(self) -> None:
        folder = weights.models_dir()
        if not folder.is_dir():
            self.models_line.complain("The folder is made when the first model arrives.")
        elif not QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder))):
            self.models_line.complain("No program to show a folder was found.")

    def _open_file(self) -> None:
        file = self.editing.services.config_file
        if not file.exists():
            self.file_line.complain("There is no file yet: every setting is as it came.")
        elif not QDesktopServices.openUrl(QUrl.fromLocalFile(str(file))):
            self.file_line.complain("No program to open it was found.")


def _models_size() -> int:
    """Bytes."""
    return sum(file.stat().st_size for file in weights.models_dir().rglob("*") if file.is_file())
