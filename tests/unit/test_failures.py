"""What a user reads when something breaks, for the texts that the program really tells."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import goassist_desktop
from goassist_desktop import weights
from goassist_desktop.config import default_path, load
from goassist_desktop.pipeline.clock import INTERVALS
from goassist_desktop.pipeline.endpoints import sound_card
from goassist_desktop.pipeline.engines import coqui
from goassist_desktop.pipeline.engines.llama_cpp import LlamaCpp
from goassist_desktop.pipeline.errors import GoAssistError
from goassist_desktop.pipeline.events import Notice, Outcome, TurnClosed
from goassist_desktop.ui.failures import LABELS, Explained, explained, explained_text, solves
from goassist_desktop.ui.ports import Loading, Ready, Unable

PACKAGE = Path(goassist_desktop.__file__).parent
NOTHING_KNOWN = "Something went wrong."

TOLD = [
    ("warning", "the microphone 'USB Headset' stopped: waiting for it to come back",
     "sound", "sound-settings", "The microphone is gone."),
    ("info", "microphone and loudspeaker are back", "sound", None,
     "Microphone and loudspeaker are back."),
    ("warning", "your microphone is silent: is it muted?", "silent-microphone", "sound-settings",
     "Nothing comes from your microphone."),
    ("info", "your microphone is heard again", "silent-microphone", None,
     "Your microphone is heard again."),
    ("error", "the sound system hangs: start the program again", "sound", None,
     "The sound system does not answer any more."),
    ("warning", ("openai-server: http://localhost:8000/v1: nobody listens there; "
     "llama-cpp takes over"), "spare", "engine-settings",
     "Llama.cpp goes on in place of the server."),
    ("warning", "hibari: it has a bug, and is not tried again", "spare", None,
     "Hibari broke, by a fault of this program."),
    ("error", ("llama-cpp, qwen2.5-7b-instruct: it needs 6.6 GB of a graphics card's memory, of "
     "which 4.0 GB are free beside the 4 GB that are kept"), "gpu", "engine-settings",
     "Qwen2.5-7b-instruct does not fit the graphics card."),
    ("error", "Kyutai's server ws://localhost:8080 refused the key (HTTP 401)", "engine",
     "engine-settings", "The server that speaks does not work."),
    ("error", "Pocket TTS's process was killed by signal 9", "reply", "engine-settings",
     "The voice stopped."),
    ("info", "openai-server is back", "spare", None, "The server works again."),
    ("warning", "face: lipsync lags; the face rests, speech goes on", "face", "face-settings",
     "The face rests for a moment."),
    ("warning", ("face: audio2face-service: localhost:52000 did not answer for 3 s; "
     "lipsync takes over"), "face", "face-settings",
     "The Audio2Face service could not move the face."),
    ("warning", "face: lipsync: no frame for 2 s; the mouth rests, speech goes on", "face",
     "face-settings", "The face does not move any more."),
    ("warning", ("face: llvmpipe (LLVM 20.1, 256 bits): the context of the renderer is lost; "
     "painted takes over"), "drawing", "face-settings", "The graphics card was lost."),
    ("warning", "face: no OpenGL without a screen: no display; it is drawn more simply", "drawing",
     "face-settings", "The face is drawn more simply."),
    ("warning", "live link: 10.0.0.5:11111: Connection refused; the face may be missing there",
     "live-link", "face-settings", "The face may be missing elsewhere."),
    ("error", "no word from the language model for 8 s", "reply", "engine-settings",
     "The answer took too long."),
    ("error", "language model: connection lost: timed out", "reply", "retry",
     "The language model stopped."),
    ("error", "language model: CUDA error: device-side assert", "gpu", "engine-settings",
     "The graphics card does not answer."),
    ("error", "language model: CUDA out of memory", "gpu", "engine-settings",
     "The graphics card has no memory left."),
    ("error", "recognition: /models/whisper can not be loaded: std::bad_alloc", "memory",
     "engine-settings", "There is not enough memory."),
    ("error", ("recognition: the graphics card has too little memory for the model; "
     "recognition.device = 'cpu' does without it"), "gpu", "engine-settings",
     "The graphics card has no memory left."),
    ("error", ("recognition: libcublas.so.12, a library of CUDA, is not installed; "
     "recognition.device = 'cpu' does without it"), "gpu", None,
     "A part that the graphics card needs is not installed."),
    ("error", ("recognition: the graphics card failed: CUDA failed with error x; "
     "recognition.device = 'cpu' does without it"), "gpu", "engine-settings",
     "The graphics card does not answer."),
    ("error", "XTTS-v2's process was killed by signal 9", "reply", "engine-settings",
     "The voice stopped."),
    ("warning", "xtts: XTTS-v2's process gave no sign of life for 1 s; hibari takes over", "spare",
     "engine-settings", "Hibari goes on in place of XTTS-v2."),
    ("error", "XTTS-v2's process failed: MemoryError: Unable to allocate 1 GiB", "memory",
     "engine-settings", "There is not enough memory."),
    ("error", "XTTS-v2's process failed: OutOfMemoryError: CUDA out of memory.", "gpu",
     "engine-settings", "The graphics card has no memory left."),
    ("error", f"XTTS-v2 can not be used: {coqui.NOT_ACCEPTED}", "engine", "engine-settings",
     "The licence of XTTS-v2 is not accepted."),
    ("error", "voice model of XTTS-v2: /m/model.pth is damaged (RuntimeError)", "engine",
     "engine-settings", "A file of XTTS-v2 is missing or damaged."),
    ("error", "Deepgram refused the key (HTTP 401)", "reply", "engine-settings",
     "Deepgram does not understand for you."),
    ("error", "Deepgram can not be reached: Connection refused", "reply", "engine-settings",
     "Deepgram can not be reached."),
    ("error", "Deepgram closed the connection with code 1011", "reply", "engine-settings",
     "Deepgram failed."),
    ("error", "synthesis: the voice broke: invalid input", "reply", "retry", "The voice failed."),
    ("error", "smart-turn-v3.onnx broke: invalid input", "reply", "retry",
     "A part of GoAssist stopped in the middle of its work."),
    ("warning", "the recording ends here: /run/x: can not be written: No space left on device",
     "disk", None, "The disk is full."),
    ("error", ("browser access: can not listen at 0.0.0.0, port 8443: Address already in use"),
     "browsers", "browser-settings", "Browsers can not come in: port 8443 is taken."),
    ("error", "browser access: can not listen at 0.0.0.0, port 80: Permission denied",
     "browsers", "browser-settings", "Browsers can not come in."),
    ("info", "browser access: browsers can reach the assistant", "browsers", None,
     "Browsers can come in again."),
    ("error", "disk full: this needs 480 MB in /models, 12 MB are free", "disk", "retry",
     "The disk is full."),
]  # fmt: skip


@pytest.mark.parametrize(("level", "told", "key", "action", "headline"), TOLD)
def test_a_notice(level: str, told: str, key: str, action: str | None, headline: str) -> None:
    message = explained(Notice(level, told))  # type: ignore[arg-type]
    assert message is not None
    assert (message.key, message.action, message.headline) == (key, action, headline)
    assert bool(message.action_label) == bool(action)
    assert message.told == told


def test_errors_stay_and_so_does_what_lasts_by_itself() -> None:
    def stays(level: str, told: str) -> bool:
        message = explained(Notice(level, told))  # type: ignore[arg-type]
        assert message is not None
        return message.stays

    assert stays("error", "language model: connection lost: x")
    assert stays("warning", "your microphone is silent: is it muted?")
    assert stays("warning", "the loudspeaker 'x' stopped: waiting for it to come back")
    assert not stays("warning", "face: lipsync lags; the face rests, speech goes on")
    assert not stays("info", "microphone and loudspeaker are back")


def test_who_draws_the_face_is_nobodys_concern() -> None:
    assert explained(Notice("info", "face: drawn by llvmpipe")) is None


def test_an_unknown_text_is_shown_as_it_was_told() -> None:
    warning = explained(Notice("warning", "the moon is low"))
    error = explained(Notice("error", "the {moon} <b>fell</b>"))
    assert warning is not None and error is not None
    assert (warning.headline, warning.detail) == ("The moon is low.", "")
    assert (error.headline, error.detail) == (NOTHING_KNOWN, "The {moon} <b>fell</b>.")
    assert error.action == "diagnostics"


def raised(call: object, *args: object) -> str:
    with pytest.raises(GoAssistError) as caught:
        call(*args)  # type: ignore[operator]
    return str(caught.value)


def known(told: str) -> Explained:
    message = explained_text("error", told)
    assert message is not None and message.headline != NOTHING_KNOWN, told
    return message


def test_no_microphone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sound_card, "list_devices", list)
    message = explained(Unable(raised(sound_card.find_device, "input", None), "sound"))
    assert message is not None
    assert message.headline == "There is no microphone."
    assert message.action == "sound-settings"


def test_a_device_that_is_not_connected(monkeypatch: pytest.MonkeyPatch) -> None:
    one = sound_card.SoundDevice(0, "Built-in", 1, 2, 48000, True, True)
    monkeypatch.setattr(sound_card, "list_devices", lambda: [one, one])
    unplugged = known(raised(sound_card.find_device, "output", "Headset"))
    twice = known(raised(sound_card.find_device, "output", "Built"))
    assert unplugged.headline == "“Headset” is not connected."
    assert twice.headline == "More than one device is called “Built”."


def test_a_missing_and_a_damaged_model(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GOASSIST_MODELS_DIR", str(tmp_path))
    name = weights.profile("embedded")[0].name
    assert known(raised(weights.path, name)).headline == "A model is missing."
    for file in weights.model(name).files:
        (tmp_path / name / file.name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name / file.name).write_bytes(b"?")
    assert known(raised(weights.path, name)).headline == "A model is damaged."
    assert known(raised(weights.path, name)).action_label == "Repair it"


def test_a_model_too_large_for_the_memory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "large.gguf").write_bytes(b"GGUF" + bytes(96))
    memory = type("Memory", (), {"available": 50})
    monkeypatch.setattr("psutil.virtual_memory", lambda: memory)
    monkeypatch.setattr(LlamaCpp, "_path", tmp_path / "large.gguf", raising=False)
    engine = LlamaCpp.__new__(LlamaCpp)
    engine._card = None
    message = known(raised(engine._check_file))
    assert message.headline == "There is not enough memory."
    assert message.action_label == "Choose a smaller one"


def test_settings_that_can_not_be_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GOASSIST_CONFIG", str(tmp_path / "config.toml"))
    for content in ("profile = [", 'profile = "no"', "colour = 1"):
        default_path().write_text(content)
        message = known(raised(load, {}, {}))
        assert message.headline == "The settings file can not be read."
        assert message.action == "open-config"
        assert str(default_path()) in message.detail
    default_path().write_text("")
    assert known(raised(load, {"reply.max_tokens": "9"}, {})).key == "config"
    assert known(raised(load, {}, {"GOASSIST_PROFILE": "no"})).key == "config"


@pytest.mark.parametrize("cause", ["models", "memory", "engine", "sound", "bug"])
def test_whatever_keeps_it_from_talking_has_a_button(cause: str) -> None:
    for told in ("{unforeseen}", "the sound system hangs: start the program again"):
        message = explained(Unable(told, cause))  # type: ignore[arg-type]
        assert message is not None
        assert message.action in LABELS and message.action_label
        assert message.stays and message.key == "start"


def closed(outcome: Outcome) -> TurnClosed:
    return TurnClosed(1, "", "", "", outcome, False, {}, dict.fromkeys(INTERVALS))


def test_what_ends_a_failure() -> None:
    assert solves(Loading(), "start") and not solves(Loading(), "sound")
    assert solves(Ready((), 1.0), "start") and solves(Ready((), 1.0), "models")
    assert not solves(Ready((), 1.0), "config")
    assert solves(closed("completed"), "reply")
    assert not solves(closed("failed"), "reply")
    assert not solves(Notice("info", "x"), "start")


# -- every text there is ---------------------------------------------------------------------------

FACE = {
    "audio2face", "audio2face_model", "audio2face_service", "blendshape_solve", "face_network",
    "lam", "lipsync", "face", "head", "offscreen",
}  # fmt: skip
"""Modules whose errors reach the user as the face's."""
FILLED = {
    "noun": "microphone",
    "NOUN[direction]": "microphone",
    "direction": "input",
    "what": "no microphone has",
    "fault": "the microphone 'x' stopped",
    "why": "the microphone 'x' can not be opened: Device unavailable",
    "after": "going on with 'y'",
    "url": "http://localhost:8000/v1",
    "self._url": "http://localhost:8000/v1",
    "broken": "vllm",
    "other": "llama-cpp",
    "rung.engine.info.name": "vllm",
    "TITLE": "XTTS-v2",
    "which": "of XTTS-v2: /m/model.pth is damaged (EOFError)",
    "self.title": "XTTS-v2's process",
    "self._title": "Kyutai's server ws://localhost:8080",
    "title": "XTTS-v2's process",
}
"""What placeholders stand for, where it matters."""
NOT_OURS = r"^x: x$"
"""An error of the system while models are fetched, which comes as it is."""


def filled(text: ast.expr) -> str | None:
    match text:
        case ast.Constant(value=str(constant)):
            return constant
        case ast.JoinedStr(values=values):
            return "".join(placeholder(value) for value in values)
    return None


def placeholder(value: ast.expr) -> str:
    if not isinstance(value, ast.FormattedValue):
        return filled(value) or ""
    text = FILLED.get(ast.unparse(value.value), "1.5" if value.format_spec else "x")
    return repr(text) if value.conversion == ord("r") else text


def texts() -> list[str]:
    """As they reach the user."""
    found = []
    folders = (PACKAGE / "pipeline", PACKAGE / "avatar", PACKAGE / "supply")
    files = [file for folder in folders for file in folder.rglob("*.py")]
    for file in [*files, PACKAGE / "weights.py"]:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            name, text = ast.unparse(node.func), None
            if name in ("EngineFailed", "ModelMissing", "DeviceFailed", "PullFailed"):
                text = filled(node.args[0])
            elif name == "Notice":
                text = filled(node.args[1])
            if text is not None:
                face = file.stem in FACE and name != "Notice"
                found.append(f"face: lam: {text}; lipsync takes over" if face else text)
    return found


def test_every_text_of_the_program_is_known() -> None:
    found = texts()
    assert len(found) > 60
    unknown = [text for text in found if not re.search(NOT_OURS, text) and is_unknown(text)]
    assert not unknown


def is_unknown(told: str) -> bool:
    message = explained_text("error", told)
    return message is not None and message.headline == NOTHING_KNOWN
