"""What went wrong, in the words of whoever sees it, and what helps. No Qt.

The texts of notices are made where things break, for those who know the machine. `failure_rules`
knows them by their wording. What it does not know is shown as it was told.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from goassist_desktop.pipeline.events import Notice, TurnClosed
from goassist_desktop.ui.failure_rules import REPLY, RULES, START, Action, Rule, Severity
from goassist_desktop.ui.ports import AssistantEvent, Loading, Ready, Unable


@dataclass(frozen=True, slots=True)
class Explained:
    """One message of the banner."""

    severity: Severity
    headline: str
    """What happened, in one sentence."""
    detail: str
    """What that means, or what to do about it; may be empty."""
    action: Action | None
    """What the button wants; None: nothing here would help."""
    action_label: str
    key: str
    """A newer message takes the place of one with the same key: an info, too, and so solves it."""
    told: str
    """What the program itself said."""
    stays: bool
    """Until it is solved or dismissed."""


LABELS: Final[Mapping[Action, str]] = {
    "sound-settings": "Sound settings",
    "models": "Get the models",
    "retry": "Try again",
    "engine-settings": "Choose another",
    "diagnostics": "Save a report",
    "face-settings": "Face settings",
    "open-config": "Open the settings file",
    "browser-settings": "Browser access",
}


LONGEST_HEADLINE: Final = 90

_UNABLE: Final[dict[str, tuple[str, str, Action, str]]] = {
    "models": (
        "Models are missing.",
        "Without them GoAssist can not talk. They are fetched once, and then work offline.",
        "models",
        "",
    ),
    "memory": (
        "There is not enough memory.",
        "Close other programs, or choose a smaller model.",
        "engine-settings",
        "Choose a smaller one",
    ),
    "engine": ("A part of GoAssist did not start.", "{told}", "engine-settings", ""),
    "sound": ("There is no sound.", "{told}", "sound-settings", ""),
    "bug": (
        "Something is wrong with GoAssist itself.",
        "Start it again. If it comes back, a report helps us to mend it.",
        "diagnostics",
        "",
    ),
}
_NAMES: Final = {
    "lipsync": "The built-in lip movement",
    "audio2face": "Audio2Face",
    "audio2face-service": "The Audio2Face service",
    "lam": "LAM",
    "whisper": "Whisper",
    "moonshine": "Moonshine",
    "llama-cpp": "llama.cpp",
    "openai-server": "the server",
    "vllm": "vLLM",
    "hibari": "Hibari",
    "kokoro": "Kokoro",
    "piper": "Piper",
    "xtts": "XTTS-v2",
    "pocket-tts": "Pocket TTS",
    "deepgram": "Deepgram",
    "kyutai-server": "the Kyutai server",
}
_SOLVED_BY_READY: Final = {START, REPLY, "sound", "engine", "models", "memory", "gpu"}
_CHATTER: Final = (r"^face: drawn by ",)


def explained(event: AssistantEvent) -> Explained | None:
    """What to show for an event; None for those that need no words."""
    match event:
        case Notice(level, what):
            return explained_text(level, what)
        case Unable(what, cause):
            return _unable(what, cause)
    return None


def solves(event: AssistantEvent, key: str) -> bool:
    """Whether this is the end of what has that key."""
    match event:
        case Loading():
            return key == START
        case Ready():
            return key in _SOLVED_BY_READY
        case TurnClosed(outcome="completed"):
            return key == REPLY
    return False


def explained_text(severity: Severity, told: str) -> Explained | None:
    """The same for one line of text: that of an exception, say."""
    if any(re.search(pattern, told) for pattern in _CHATTER):
        return None
    for rule in RULES:
        found = re.search(rule.pattern, told)
        if found is not None:
            return _by_rule(rule, found, severity)
    return _unknown(severity, told)


def _unknown(severity: Severity, told: str) -> Explained:
    headline, detail = _sentence(told), ""
    if severity == "error" or len(headline) > LONGEST_HEADLINE:
        headline, detail = "Something went wrong.", headline
    action: Action | None = "diagnostics" if severity == "error" else None
    label = LABELS[action] if action else ""
    return Explained(severity, headline, detail, action, label, told, told, severity == "error")


def _by_rule(rule: Rule, found: re.Match[str], severity: Severity) -> Explained:
    told = found.string
    groups = {name: _NAMES.get(text, text) for name, text in found.groupdict().items() if text}
    words = groups | {"told": _sentence(told)}
    level = rule.severity or severity
    return Explained(
        severity=level,
        headline=_begun(rule.headline.format_map(words)),
        detail=_begun(rule.detail.format_map(words)),
        action=rule.action,
        action_label=rule.label or (LABELS[rule.action] if rule.action else ""),
        key=rule.key,
        told=told,
        stays=level == "error" if rule.stays is None else rule.stays,
    )


def _unable(told: str, cause: str) -> Explained:
    """Words of the table where it knows the text; and always a button."""
    headline, detail, action, label = _UNABLE[cause]
    detail = detail.format(told=_sentence(told))
    rule = next((rule for rule in RULES if re.search(rule.pattern, told)), None)
    if rule is not None and cause != "bug":
        known = explained_text("error", told)
        assert known is not None
        headline, detail = known.headline, known.detail
        if known.action is not None:
            action, label = known.action, known.action_label
    return Explained(
        "error", headline, detail, action, label or LABELS[action], START, told, stays=True
    )


def _begun(text: str) -> str:
    return text[:1].upper() + text[1:]


def _sentence(told: str) -> str:
    """As it was told, from a capital letter to a full stop."""
    told = _begun(" ".join(told.split()))
    return told if not told or told[-1] in ".!?" else f"{told}."
