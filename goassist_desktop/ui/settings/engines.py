"""What does the work: one engine a stage, with its licence and what it needs of the machine."""

from __future__ import annotations

from typing import Final

from PySide6.QtWidgets import QWidget

from goassist_desktop import config as settings
from goassist_desktop import weights
from goassist_desktop.catalogue import ENGINES, About
from goassist_desktop.pipeline.engines import coqui, pocket_tts
from goassist_desktop.pipeline.errors import ModelMissing
from goassist_desktop.pipeline.protocols import EngineInfo
from goassist_desktop.supply.manifest import Model
from goassist_desktop.ui.kit import Choice, button, label, row
from goassist_desktop.ui.ports import Loading, Ready, Unable
from goassist_desktop.ui.settings import engine_cards
from goassist_desktop.ui.settings.editing import Editing
from goassist_desktop.ui.settings.lines import ChoiceLine, Line
from goassist_desktop.ui.settings.mark import Mark
from goassist_desktop.ui.settings.section import Section

STAGES: Final = {
    "voice_activity": ("Noticing your voice", "Hears when somebody speaks."),
    "turn_detection": ("End of a turn", "Decides when you have finished."),
    "recognition": ("Speech recognition", "Turns your voice into words."),
    "language_model": ("Language model", "Thinks of the answer."),
    "synthesis": ("Voice", "Speaks the answer."),
}
UNDERSTANDING: Final = ("voice_activity", "turn_detection", "recognition")
SAMPLE: Final = "Hello, I am {name}. This is how I sound."
VOICES: Final = {"heart": "Heart"}
PROFILES: Final = {
    "embedded": "Standard",
    "ci": "Small",
    "gpu-8g": "For a graphics card with 8 GB",
    "gpu-16g": "For a graphics card with 16 GB",
    "gpu-24g": "For a graphics card with 24 GB",
    "server": "For vLLM, on a card with 40 GB",
}


class EngineLine(Line):
    """The engine of a stage: a list where there are several, a name where there is one."""

    def __init__(self, editing: Editing, key: str, title: str, what: str) -> None:
        """`key`: the setting that chooses it."""
        self._key = key
        self._stage = key.partition(".")[2] if key.startswith("engines.") else "face"
        self._model_key = f"models.{self._stage}"
        """A model chosen in the profile's place, in the stages that have a choice."""
        self._in_use: EngineInfo | None = None
        self._engines = {name: ENGINES[self._stage][name] for name in settings.allowed(key)}
        self.choice = Choice(title)
        for name, about in self._engines.items():
            self.choice.addItem(about.title, name)
        self.name = label("")
        several = len(self._engines) > 1
        control = self.choice if several else self.name
        words = "engine licence cloud model"
        super().__init__(editing, title, what, control, key, wide=several, words=words)
        (self.name if several else self.choice).setParent(self)
        (self.name if several else self.choice).hide()
        self.details = label("", "caption", wrap=True)
        self.state = Mark()
        below = row(self.state, self.details)
        below.setStretch(1, 1)
        self.inside.insertLayout(1, below)
        self.refresh()
        self.choice.activated.connect(self._picked)

    def use(self, info: EngineInfo | None) -> None:
        """The engine that works now; None while there is none."""
        self._in_use = info
        self.refresh()

    def refresh(self) -> None:
        name = str(self.editing.value(self._key))
        about = self._engines[name]
        self.choice.setCurrentIndex(self.choice.findData(name))
        self.name.setText(about.title)
        model = self._model(about)
        facts = [about.licence]
        if model is not None:
            facts = [model.title, f"licence {model.licence}", f"{model.size / 1e6:,.0f} MB"]
        elif about.licence:
            facts = [f"licence {about.licence}"]
        self.details.setText(" · ".join([*filter(None, facts), f"needs {about.needs}"]))
        self.complain(_missing(model.name) if model is not None else "")
        self.state.say(self._state(name))

    def _state(self, chosen: str) -> str:
        info = self._in_use
        if info is None:
            return ""
        if info.name != chosen:
            return f"{info.name} is in use"
        return "In use, in the cloud" if info.cloud else "In use"

    def _model(self, about: About) -> Model | None:
        """The model of the manifest that an engine reads; None where it reads none of them."""
        if about.licence:
            return None
        chosen = settings.values(self.editing.config).get(self._model_key) or about.model
        if chosen:
            return weights.model(chosen)
        if about.licence:
            return None
        profile = weights.profile(self.editing.value("profile"))
        return next((model for model in profile if model.stage == self._stage), None)

    def _picked(self, index: int) -> None:
        changes = {self._key: self.choice.itemData(index)}
        if self._model_key in settings.settings():
            changes[self._model_key] = ""  # another engine can not read it
        refused = self.editing.put(changes)
        self.refresh()
        if refused:
            self.complain(refused)


def _missing(model: str) -> str:
    try:
        weights.path(model)
    except ModelMissing:
        return "Its model is not on this machine yet."
    return ""


class Engines(Section):
    TITLE = "Engines"
    ICON = "chip"
    WHAT = "What does the work. All but what says so runs on this machine, and needs no network."

    def __init__(self, editing: Editing) -> None:
        super().__init__(editing)
        self.engines = {
            stage: EngineLine(editing, f"engines.{stage}", *words)
            for stage, words in STAGES.items()
        }
        self.profile = ChoiceLine(
            editing,
            "profile",
            "Size of the models",
            "Small answers sooner on a slow machine, and knows less.",
            PROFILES,
            words="memory fast slow",
        )
        self.listen = button("Listen", clicked=self._listen)
        self.listen_line = Line(
            editing, "Voice sample", "A sentence with the voice that is chosen.", self.listen
        )
        voices = settings.allowed("persona.voice")
        self.voice = (
            ChoiceLine(
                editing,
                "persona.voice",
                "Speaker",
                "Whose voice it is.",
                {voice: VOICES.get(voice, voice) for voice in voices},
            )
            if len(voices) > 1
            else None
        )
        understanding = (self.engines[stage] for stage in UNDERSTANDING)
        self.add("Understanding you", *understanding, *engine_cards.hearing(editing))
        self.add("Answering", self.engines["language_model"], self.profile)
        self.add("A server of yours", *engine_cards.server(editing))
        speaking: list[QWidget] = [self.engines["synthesis"]]
        speaking += [self.voice] if self.voice else []
        self.add("Speaking", *speaking, self.listen_line)
        self.add(pocket_tts.TITLE, *engine_cards.pocket(editing))
        self.add("A Kyutai server", *engine_cards.kyutai(editing))
        self.add(coqui.TITLE, *engine_cards.xtts(editing))

    def happened(self, event: Loading | Ready | Unable) -> None:
        if isinstance(event, Ready):
            in_use = {info.stage: info for info in event.engines}
            for stage, line in self.engines.items():
                line.use(in_use.get(stage))
        else:
            for line in self.engines.values():
                line.use(None)

    def _listen(self) -> None:
        self.listen.setEnabled(False)
        self.listen_line.complain("")
        services, config = self.editing.services, self.editing.config
        text = SAMPLE.format(name=config.persona.name)
        self.editing.jobs.run(lambda: services.preview(config, text), self._listened, self._unheard)

    def _listened(self, _: None) -> None:
        self.listen.setEnabled(True)

    def _unheard(self, why: str) -> None:
        self.listen.setEnabled(True)
        self.listen_line.complain(why)
