"""What engines ask of whoever wants them: where a server is, where a program is installed."""

from __future__ import annotations

from PySide6.QtCore import QLocale
from PySide6.QtWidgets import QLineEdit

from goassist_desktop import config as settings
from goassist_desktop.pipeline.engines import coqui, pocket_tts
from goassist_desktop.pipeline.engines.languages import LANGUAGES
from goassist_desktop.setting_forms import LONGEST_HOT_WORDS
from goassist_desktop.supply.offers import licence_in_words
from goassist_desktop.ui.settings.editing import Editing
from goassist_desktop.ui.settings.lines import ChoiceLine, Line, SwitchLine, TextLine


def hearing(editing: Editing) -> list[Line]:
    """What whoever listens is told."""
    names = {code: _language(code) for code in LANGUAGES}
    language = ChoiceLine(
        editing,
        "recognition.language",
        "Language you speak",
        "Another one than English needs a model that knows it.",
        {
            "en": "English",
            "auto": "Whatever is spoken",
            **dict(sorted(names.items(), key=lambda item: item[1])),
        },
        words="multilingual german spanish french",
    )
    hot_words = TextLine(
        editing,
        "recognition.hot_words",
        "Names and terms",
        "That are to be spelled like this, with commas between them.",
        hint="Siobhan, GoAssist",
        longest=LONGEST_HOT_WORDS,
        words="hot words spelling vocabulary",
    )
    key = _secret(
        editing,
        "recognition.deepgram_key",
        "Deepgram's key",
        "Of your account there, if Deepgram is to listen.",
        words="cloud api token",
    )
    return [language, hot_words, key]


def server(editing: Editing) -> list[Line]:
    """Where a language model is that somebody else serves."""
    address = TextLine(
        editing,
        "language_server.url",
        "Address",
        "Of Ollama, llama-server, vLLM or another that speaks OpenAI's protocol.",
        hint="http://localhost:11434/v1",
        words="openai ollama vllm url cloud remote",
    )
    model = TextLine(
        editing,
        "language_server.model",
        "Model",
        "By the name it has there.",
        hint="The first that it has",
    )
    key = _secret(
        editing, "language_server.key", "Key", "Where the server asks for one.", words="api token"
    )
    return [address, model, key]


class Licence(SwitchLine):
    """XTTS-v2 is not used by whoever does not accept its licence any more."""

    def _toggled(self, on: bool) -> None:
        changes: dict[str, object] = {self._key: on}
        if not on and self.editing.value("engines.synthesis") == "xtts":
            changes["engines.synthesis"] = settings.settings()["engines.synthesis"]
        self.complain(self.editing.put(changes))


def xtts(editing: Editing) -> list[Line]:
    """What XTTS-v2 asks of whoever wants it."""
    licence = Licence(
        editing,
        "xtts.licence_accepted",
        "I accept its licence",
        f"{coqui.LICENCE}: {licence_in_words(coqui.LICENCE)} Read it at {coqui.READ_IT_AT}; "
        "it can be chosen once it is accepted.",
        words="xtts coqui license",
    )
    program = TextLine(
        editing,
        "xtts.program",
        "Program",
        "The Python of an environment with coqui-tts.",
        hint="…/bin/python",
        words="xtts coqui",
    )
    model = TextLine(
        editing,
        "xtts.model",
        "Folder",
        f"Of the files of {coqui.REPOSITORY}.",
        hint="Among the other models",
        words="xtts coqui",
    )
    speaker = TextLine(
        editing, "xtts.speaker", "Speaker", "One of those that come with it.", words="xtts voice"
    )
    language = ChoiceLine(
        editing,
        "xtts.language",
        "Language",
        "What it is given to say.",
        {code: _language(code) for code in coqui.LANGUAGES},
        words="xtts",
    )
    return [licence, program, model, speaker, language]


def pocket(editing: Editing) -> list[Line]:
    """Where Pocket TTS is."""
    program = TextLine(
        editing,
        "pocket.program",
        "Program",
        "The Python of an environment with pocket-tts.",
        hint="…/bin/python",
        words="pocket kyutai",
    )
    model = TextLine(
        editing,
        "pocket.model",
        "Folder",
        f"Of the files of {pocket_tts.REPOSITORY}.",
        hint="Among the other models",
        words="pocket kyutai",
    )
    voice = TextLine(
        editing, "pocket.voice", "Speaker", "By the name of its file.", words="pocket kyutai voice"
    )
    return [program, model, voice]


def kyutai(editing: Editing) -> list[Line]:
    """Where a server is that speaks Kyutai's protocol."""
    address = TextLine(
        editing,
        "kyutai.url",
        "Address",
        "Of moshi-server or another that speaks Kyutai's protocol.",
        hint="ws://localhost:8080",
        words="kyutai moshi cloud remote",
    )
    voice = TextLine(
        editing,
        "kyutai.voice",
        "Speaker",
        "A file of the server's voices.",
        hint="Its own choice",
        words="kyutai moshi voice",
    )
    key = _secret(
        editing, "kyutai.key", "Key", "Where the server asks for one.", words="kyutai api token"
    )
    return [address, voice, key]


def _secret(editing: Editing, key: str, title: str, what: str, words: str) -> TextLine:
    line = TextLine(editing, key, title, what, words=words)
    line.field.setEchoMode(QLineEdit.EchoMode.Password)
    return line


def _language(code: str) -> str:
    """In English; Whisper has an old code for Javanese."""
    return QLocale.languageToString(QLocale({"jw": "jv"}.get(code, code)).language())
