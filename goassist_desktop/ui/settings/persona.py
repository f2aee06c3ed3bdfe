"""Who answers: profiles, and the words that make the persona."""

from __future__ import annotations

from functools import partial
from typing import Final

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QLineEdit, QListWidgetItem, QWidget

from goassist_desktop import config as settings
from goassist_desktop import personas
from goassist_desktop.config import Persona as PersonaSettings
from goassist_desktop.personas import LONGEST, LONGEST_TITLE, Profile
from goassist_desktop.ui.confirm import Confirm
from goassist_desktop.ui.kit import button, column, label, row
from goassist_desktop.ui.settings.editing import Editing
from goassist_desktop.ui.settings.fold import Fold
from goassist_desktop.ui.settings.lines import Line, ParagraphLine, TextLine
from goassist_desktop.ui.settings.profile_list import ProfileList
from goassist_desktop.ui.settings.section import Section

KEYS: Final = tuple(personas.changes(PersonaSettings()))
LONGEST_RULES: Final = 4000


class ProfilesLine(Line):
    """The saved profiles. Choosing one makes the assistant it; what is edited can be kept."""

    def __init__(self, editing: Editing) -> None:
        self.folder = personas.folder(editing.services.config_file)
        self.profiles: list[Profile] = list(personas.BUILT_IN)
        self._chosen: Profile | None = None
        self._loaded = False
        self.list = ProfileList()
        self.keep = button("Save changes", "primary", self._keep)
        self.undo = button("Undo changes", "plain", self._undo)
        self.save_as = button("Save as new…", "plain", self.ask_title)
        self.delete = button("Delete", "danger", self._ask_delete)
        self._buttons = row(self.keep, self.undo, self.save_as, self.delete, 1)
        self.title_field = QLineEdit()
        self.title_field.setAccessibleName("Name of the new profile")
        self.title_field.setPlaceholderText("Name of the new profile")
        self.title_field.setMaxLength(LONGEST_TITLE)
        self.title_field.returnPressed.connect(self._save_new)
        naming = row(
            self.title_field,
            button("Save", "primary", self._save_new),
            button("Cancel", "plain", self._end_naming),
        )
        naming.setStretch(0, 1)
        self._naming = QWidget()
        self._naming.setLayout(naming)
        control = QWidget()
        control.setLayout(column(self.list, self._buttons, self._naming, gap=12))
        super().__init__(
            editing,
            "Profile",
            "Choosing one begins a new conversation.",
            control,
            *KEYS,
            below=True,
            words="persona profiles save delete",
        )
        self._naming.hide()
        self.refresh()
        self.list.itemClicked.connect(self._picked)
        self.list.itemActivated.connect(self._picked)
        self.load()

    def load(self) -> None:
        """Read the profiles, which anybody may have put into the folder."""
        self.editing.jobs.run(lambda: personas.load(self.folder), self._loaded_now, self.complain)

    def refresh(self) -> None:
        """The list, and what can be done with the profile that is chosen."""
        persona = self.editing.config.persona
        same = [one for one in self.profiles if one.persona == persona]
        if same and (self._chosen is None or self._chosen not in same):
            self._chosen = same[0]
        if self._chosen is None:
            named = (one for one in self.profiles if one.persona.name == persona.name)
            self._chosen = next(named, None)
        edited = not same
        self.list.show_profiles(self.profiles, self._chosen, edited)
        own = self._chosen is not None and self._chosen.file is not None
        self.keep.setVisible(edited and own)
        self.undo.setVisible(edited and self._chosen is not None)
        self.delete.setVisible(own)

    def ask_title(self) -> None:
        """Let the person type what the new profile is called."""
        self._naming.show()
        self.title_field.clear()
        self.title_field.setFocus()
        self.complain("")

    def _end_naming(self) -> None:
        self._naming.hide()
        self.complain("")
        self.save_as.setFocus()

    def _picked(self, item: QListWidgetItem) -> None:
        self._choose(self.profiles[self.list.place_of(item)])

    def _choose(self, profile: Profile) -> None:
        self._chosen = profile
        self.complain(self.editing.put(personas.changes(profile.persona)))
        self.refresh()

    def _undo(self) -> None:
        if self._chosen is not None:
            self._choose(self._chosen)

    def _keep(self) -> None:
        if self._chosen is not None:
            self._save(self._chosen.title)

    def _save_new(self) -> None:
        self._save(self.title_field.text())

    def _save(self, title: str) -> None:
        persona = self.editing.config.persona
        self.editing.jobs.run(
            lambda: personas.save(self.folder, title, persona),
            self._was_saved,
            self.complain,
            finish=True,
        )

    def _was_saved(self, profile: Profile) -> None:
        self._chosen = profile
        self._naming.hide()
        self.complain(self.editing.put(personas.changes(profile.persona)))
        self.load()

    def _ask_delete(self) -> None:
        if self._chosen is not None:
            Confirm(
                self,
                f"Delete the profile “{self._chosen.title}”?",
                "Delete",
                partial(self._delete, self._chosen),
                note="The assistant stays as it is until you choose another.",
            ).open()

    def _delete(self, profile: Profile) -> None:
        self.editing.jobs.run(
            lambda: personas.delete(profile), self._was_deleted, self.complain, finish=True
        )

    def _was_deleted(self, _: None) -> None:
        self._chosen = None
        self.complain("")
        self.load()

    def _loaded_now(self, found: tuple[list[Profile], list[str]]) -> None:
        self.profiles, faults = found
        if faults:
            self.complain(f"Not all profiles can be read. {faults[0]}")
        self.refresh()


class Prompt(Line):
    """What the language model is told, as it is made of all that."""

    def __init__(self, editing: Editing) -> None:
        self.text = label("", "quiet", wrap=True)
        self.text.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse
            | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        super().__init__(
            editing,
            "What the assistant is told",
            "Before every conversation, made of the words above.",
            self.text,
            below=True,
            words="system prompt preview",
        )
        self.refresh()

    def refresh(self) -> None:
        self.text.setText(self.editing.services.system_prompt(self.editing.config))


class Rules(ParagraphLine):
    """The rules that hold for every persona, with a way back to those it came with."""

    def __init__(self, editing: Editing) -> None:
        self.default = button("Use the original rules", "link", self._use_default)
        super().__init__(
            editing,
            "reply.system_prompt",
            "Rules",
            "Told to every persona. They keep answers short and fit to be spoken.",
            longest=LONGEST_RULES,
            lines=5,
            words="system prompt advanced",
        )
        self.inside.addLayout(row(self.default, 1))
        self.refresh()

    def refresh(self) -> None:
        super().refresh()
        changed = self.editing.value("reply.system_prompt") != settings.SYSTEM_PROMPT
        self.default.setVisible(changed and not self.editing.outside("reply.system_prompt"))

    def _use_default(self) -> None:
        self.field.setPlainText(settings.SYSTEM_PROMPT)
        self.take()


class Persona(Section):
    TITLE = "Persona"
    ICON = "person"
    WHAT = "Who answers you, and how."

    wants_face = Signal()
    """The head is chosen in another section."""

    def __init__(self, editing: Editing) -> None:
        super().__init__(editing)
        self.profiles = ProfilesLine(editing)
        self.name = TextLine(
            editing, "persona.name", "Name", "How it calls itself.", longest=LONGEST["name"]
        )
        self.role = TextLine(
            editing,
            "persona.role",
            "Role",
            "Completes “You are …”.",
            hint="a friendly voice assistant",
            longest=LONGEST["role"],
            below=True,
        )
        self.tone = ParagraphLine(
            editing,
            "persona.tone",
            "Tone",
            "How it speaks.",
            hint="Speak warmly, and ask back when something is unclear.",
            longest=LONGEST["tone"],
        )
        self.boundaries = ParagraphLine(
            editing,
            "persona.boundaries",
            "Boundaries",
            "What it does not do.",
            hint="Do not give medical advice.",
            longest=LONGEST["boundaries"],
        )
        self.greeting = TextLine(
            editing,
            "persona.greeting",
            "Greeting",
            "Said when a conversation begins. Empty: it waits for you.",
            longest=LONGEST["greeting"],
            below=True,
        )
        self.prompt = Prompt(editing)
        self.rules = Rules(editing)
        self.add("", self.profiles)
        words = (self.name, self.role, self.tone, self.boundaries, self.greeting)
        self.add("Character", *words)
        self.add("", self.prompt, Fold(self.rules))
