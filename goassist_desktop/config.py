"""Settings: a TOML file, overridden by GOASSIST_… variables, overridden by flags.

The file is `config.toml` in the configuration folder, or what GOASSIST_CONFIG names. Every
setting is one line of the dataclasses below: its default, and what is allowed.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any

import platformdirs

from goassist_desktop import setting_forms as forms
from goassist_desktop.pipeline.engines import REGISTRY, coqui
from goassist_desktop.pipeline.engines.languages import LANGUAGES
from goassist_desktop.pipeline.errors import ConfigError
from goassist_desktop.pipeline.network_address import host_and_port, web_socket
from goassist_desktop.supply import manifest

_NOT_SETTINGS = ("GOASSIST_CONFIG", "GOASSIST_MODELS_DIR")

SYSTEM_PROMPT = (
    "Your words are spoken aloud: answer in one or two short, plain sentences, without lists, "
    "markup or code. When you do not know something, say that you don't have that information "
    "yet, and suggest a next step."
)


def _setting(
    default: Any,
    *,
    among: Iterable[str] = (),
    low: float = 0,
    high: float = 0,
    form: Callable[[str, str], object] | None = None,
) -> Any:
    """A field with what is allowed beside its default: one of `among`, a number from `low` to
    `high`, or what `form` takes: a function of value and key, which raises ConfigError."""
    allowed = {"among": tuple(among), "low": low, "high": high, "form": form}
    return field(default=default, metadata=allowed)


@dataclass(frozen=True, slots=True)
class EngineChoice:
    voice_activity: str = _setting("silero", among=REGISTRY["voice_activity"])
    turn_detection: str = _setting("smart-turn", among=REGISTRY["turn_detection"])
    recognition: str = _setting("whisper", among=REGISTRY["recognition"])
    language_model: str = _setting("llama-cpp", among=REGISTRY["language_model"])
    synthesis: str = _setting("hibari", among=REGISTRY["synthesis"])


def _models(stage: str) -> tuple[str, ...]:
    return tuple(name for name, model in manifest.load().models.items() if model.stage == stage)


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """Another model than the profile has; empty: the profile's."""

    recognition: str = _setting("", among=("", *_models("recognition")))
    language_model: str = _setting("", among=("", *_models("language_model")))


@dataclass(frozen=True, slots=True)
class LanguageServer:
    """For engines.language_model = "openai-server"."""

    url: str = _setting("", form=forms.url)
    """Where a server speaks as OpenAI's does: vLLM, SGLang, llama-server, Ollama …"""
    model: str = _setting("")
    """By its name there; empty: the first of its list."""
    key: str = _setting("")


@dataclass(frozen=True, slots=True)
class VllmSettings:
    """For engines.language_model = "vllm", which this program starts itself."""

    model: str = _setting("Qwen/Qwen2.5-7B-Instruct")
    """A repository of the hub, or a folder."""
    program: str = _setting("vllm")
    """Where vLLM is installed: a name, or the path to it in an environment of its own."""
    gpu_share: float = _setting(0.6, low=0.1, high=0.95)
    """Of the GPU's memory; the other engines and 4 GB need the rest."""


@dataclass(frozen=True, slots=True)
class PocketSettings:
    """For engines.synthesis = "pocket-tts"; what they are: see `pocket_tts.Pocket`."""

    program: str = _setting("")
    model: str = _setting("")
    voice: str = _setting("alba")


@dataclass(frozen=True, slots=True)
class KyutaiSettings:
    """For engines.synthesis = "kyutai-server"."""

    url: str = _setting("", form=web_socket)
    """Where moshi-server speaks: wss://HOST, or ws://localhost:8080."""
    key: str = _setting("", form=forms.key)
    voice: str = _setting("")
    """A file of the server's voices; empty: its own choice."""


@dataclass(frozen=True, slots=True)
class XttsSettings:
    """For engines.synthesis = "xtts"; what they are: see `coqui.Studio`."""

    licence_accepted: bool = _setting(False)
    program: str = _setting("")
    model: str = _setting("")
    speaker: str = _setting("Ana Florence")
    language: str = _setting("en", among=coqui.LANGUAGES)


@dataclass(frozen=True, slots=True)
class Audio:
    input_device: str = _setting("")
    """Part of a device's name; empty: the system's choice."""
    output_device: str = _setting("")
    echo_cancellation: bool = _setting(True)
    """Off for headphones: nothing of our own voice is in the microphone, and nothing is lost."""
    push_to_talk: bool = _setting(False)
    """The microphone is heard only while a key or button is held down."""


@dataclass(frozen=True, slots=True)
class Persona:
    """Who answers. `app.system_prompt` puts it before the rules of `reply.system_prompt`."""

    name: str = _setting("GoAssist")
    role: str = _setting("a friendly voice assistant")
    tone: str = _setting("")
    """A sentence on how to speak; empty: none."""
    boundaries: str = _setting("")
    """A sentence on what not to do; empty: none."""
    greeting: str = _setting("")
    """Said when a conversation begins; empty: nothing is."""
    voice: str = _setting("heart", among=("heart",))
    head: str = _setting("mira", among=("mira", "jonas"))


@dataclass(frozen=True, slots=True)
class Recognition:
    """How speech is understood."""

    language: str = _setting("en", among=("auto", *LANGUAGES))
    """A code of Whisper's, or auto: whatever is spoken."""
    hot_words: str = _setting("", form=forms.hot_words)
    """Names and the like that are to be spelled so, with commas between them."""
    device: str = _setting("auto", among=("auto", "cpu", "cuda"))
    """Where Whisper computes; auto: on a graphics card with CUDA where there is one."""
    deepgram_key: str = _setting("", form=forms.key)
    """Of an account with Deepgram; empty: what DEEPGRAM_API_KEY has."""
    deepgram_url: str = _setting("wss://api.deepgram.com", form=web_socket)
    """Of Deepgram's service, or of one that is run by yourself."""


@dataclass(frozen=True, slots=True)
class Reply:
    system_prompt: str = _setting(SYSTEM_PROMPT)
    max_tokens: int = _setting(256, low=16, high=2048)
    temperature: float = _setting(0.0, low=0, high=2)
    seed: int = _setting(0, low=0, high=2**31 - 1)
    context_tokens: int = _setting(8192, low=1024, high=8192)
    stall_s: float = _setting(8.0, low=0.5, high=120)


@dataclass(frozen=True, slots=True)
class TurnTaking:
    pause_ms: float = _setting(200.0, low=100, high=1000)
    unsure_ms: float = _setting(850.0, low=200, high=5000)
    open_ms: float = _setting(1800.0, low=200, high=10000)


@dataclass(frozen=True, slots=True)
class FaceSettings:
    engine: str = _setting("lipsync", among=(*REGISTRY["face"], "none"))
    """What moves the mouth; where it fails, `lipsync` takes over."""
    service: str = _setting("localhost:52000", form=host_and_port)
    """Host and port of an Audio2Face-3D service."""
    live_link: str = _setting("", form=host_and_port)
    """Host and port to send the face to as Live Link Face does; empty: it is not sent."""


@dataclass(frozen=True, slots=True)
class Window:
    theme: str = _setting("system", among=("system", "dark", "light", "contrast"))
    text_scale: float = _setting(1.0, low=0.8, high=2.0)
    captions: bool = _setting(True)
    """Show what is said below the face."""
    tray: bool = _setting(False)
    """Closing the window leaves the assistant listening, in the system's tray."""


@dataclass(frozen=True, slots=True)
class Privacy:
    keep_history: bool = _setting(False)
    """Keep the words of conversations, on this machine."""
    keep_session: bool = _setting(False)
    """Keep sound and decisions of the session that is going on, so that a turn which felt wrong can
    be reported; thrown away at its end."""


@dataclass(frozen=True, slots=True)
class Kiosk:
    pin: str = _setting("", form=forms.digits)
    """Digits that end the kiosk; empty: it is ended from outside only."""
    wake_word: str = _setting("", form=forms.word)
    """Said before anything is answered; empty: any speech wakes it."""
    idle_s: float = _setting(45.0, low=5, high=3600)
    """Without a word for this long, the kiosk goes back to rest and forgets the conversation."""


@dataclass(frozen=True, slots=True)
class Host:
    """The assistant in a browser."""

    enabled: bool = _setting(False)
    """While the window is open, browsers may talk to it too."""
    network: bool = _setting(False)
    """From other devices too; else from this machine only."""
    port: int = _setting(8443, low=0, high=65535)
    """0: any that is free."""
    token: str = _setting("", form=forms.token)
    """What programs show to be let in; empty: one is made at first use, and kept."""
    longest_ttfa_ms: float = _setting(1500.0, low=100, high=10_000)
    """From the decision to the first sound: where the mean comes near it, others wait."""
    stun: str = _setting("", form=forms.ice_url("stun stuns"))
    """Such as stun:stun.example.org:3478; empty: nobody outside is asked for our address."""
    turn: str = _setting("", form=forms.ice_url("turn turns"))
    turn_user: str = _setting("")
    turn_password: str = _setting("")


@dataclass(frozen=True, slots=True)
class Config:
    profile: str = _setting("embedded", among=tuple(manifest.load().profiles)[:-1])
    """Which models are used: see `goassist models list`, and `goassist doctor` for what fits."""
    engines: EngineChoice = field(default_factory=EngineChoice)
    models: ModelChoice = field(default_factory=ModelChoice)
    language_server: LanguageServer = field(default_factory=LanguageServer)
    vllm: VllmSettings = field(default_factory=VllmSettings)
    xtts: XttsSettings = field(default_factory=XttsSettings)
    pocket: PocketSettings = field(default_factory=PocketSettings)
    kyutai: KyutaiSettings = field(default_factory=KyutaiSettings)
    audio: Audio = field(default_factory=Audio)
    recognition: Recognition = field(default_factory=Recognition)
    reply: Reply = field(default_factory=Reply)
    turn_taking: TurnTaking = field(default_factory=TurnTaking)
    face: FaceSettings = field(default_factory=FaceSettings)
    persona: Persona = field(default_factory=Persona)
    window: Window = field(default_factory=Window)
    privacy: Privacy = field(default_factory=Privacy)
    kiosk: Kiosk = field(default_factory=Kiosk)
    host: Host = field(default_factory=Host)
    max_sessions: int = _setting(4, low=1, high=64)
    """Browsers that talk at the same time; others wait."""


def default_path() -> Path:
    """Where the configuration file is looked for."""
    chosen = os.environ.get("GOASSIST_CONFIG")
    if chosen:
        return Path(chosen).expanduser()
    return Path(platformdirs.user_config_dir("goassist", appauthor=False)) / "config.toml"


def load(flags: Mapping[str, str], environment: Mapping[str, str] = os.environ) -> Config:
    """The settings in force. `flags` maps 'audio.input_device' and the like to text.

    Raises ConfigError with the key, the value and what is allowed.
    """
    known = dict(_settings())
    chosen: dict[str, Any] = {}
    path = default_path()
    for key, value in from_file(path):
        if key not in known:
            raise ConfigError(f"{path}: {key}: unknown; known are {', '.join(sorted(known))}")
        chosen[key] = _checked(f"{path}: {key}", value, known[key])
    variables = {_variable(key): key for key in known}
    for name, text in sorted(environment.items()):
        if not name.startswith("GOASSIST_") or name in _NOT_SETTINGS:
            continue
        if name not in variables:
            raise ConfigError(f"{name}: unknown; known are {', '.join(sorted(variables))}")
        key = variables[name]
        chosen[key] = _checked(name, _parsed(text, known[key]), known[key])
    for key, text in flags.items():
        if key not in known:
            raise ConfigError(f"--set {key}: unknown; known are {', '.join(sorted(known))}")
        chosen[key] = _checked(f"--set {key}", _parsed(text, known[key]), known[key])
    return built(chosen)


def settings() -> dict[str, Any]:
    """Every setting's key, such as 'audio.input_device', and its default."""
    return {key: spec.default for key, spec in _settings()}


def allowed(key: str) -> tuple[str, ...]:
    """The texts a setting may have; none where it may have any."""
    among: tuple[str, ...] = dict(_settings())[key].metadata["among"]
    return among


def bounds(key: str) -> tuple[float, float]:
    """The least and the largest number a setting may be."""
    limits = dict(_settings())[key].metadata
    return limits["low"], limits["high"]


def check(key: str, value: object, where: str = "") -> Any:
    """The value as the setting has it. Raises ConfigError; `where` is what it says of the key."""
    known = dict(_settings())
    if key not in known:
        raise ConfigError(f"{where or key}: unknown; known are {', '.join(sorted(known))}")
    return _checked(where or key, value, known[key])


def values(config: Config) -> dict[str, Any]:
    """A configuration as key -> value."""
    return {key: _at(config, key) for key, _ in _settings()}


def changed(config: Config, changes: Mapping[str, object]) -> Config:
    """The same with other values at some keys. Raises ConfigError."""
    return built(values(config) | {key: check(key, value) for key, value in changes.items()})


def outside(
    flags: Iterable[str] = (), environment: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """The keys that the file does not decide -> what does: the variable's or the flag's name."""
    keys = [key for key, _ in _settings()]
    decided = {key: name for key in keys if (name := _variable(key)) in environment}
    return decided | {key: f"--set {key}" for key in flags}


def _at(config: Config, key: str) -> Any:
    section, _, name = key.rpartition(".")
    return getattr(getattr(config, section) if section else config, name)


def _variable(key: str) -> str:
    return f"GOASSIST_{key.replace('.', '_').upper()}"


def _settings() -> Iterator[tuple[str, Any]]:
    for spec in fields(Config):
        section = spec.default_factory
        if is_dataclass(section):
            yield from ((f"{spec.name}.{inner.name}", inner) for inner in fields(section))
        else:
            yield spec.name, spec


def from_file(path: Path) -> Iterator[tuple[str, Any]]:
    """Keys and values as the file has them, unchecked. Raises ConfigError when it is unreadable."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (FileNotFoundError, NotADirectoryError) as error:
        if os.environ.get("GOASSIST_CONFIG"):
            raise ConfigError(f"GOASSIST_CONFIG = {path}: there is no such file") from error
        return
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: {getattr(error, 'strerror', None) or error}") from error
    for key, value in content.items():
        if isinstance(value, dict):
            yield from ((f"{key}.{name}", inner) for name, inner in value.items())
        else:
            yield key, value


def _parsed(text: str, spec: Any) -> Any:
    """Text of a variable or flag as the setting's type; left as text where it is not one."""
    if type(spec.default) is bool:
        return {"true": True, "false": False}.get(text.lower(), text)
    try:
        return type(spec.default)(text)
    except ValueError:
        return text


def _checked(where: str, value: Any, spec: Any) -> Any:
    want, among = type(spec.default), spec.metadata["among"]
    low, high = spec.metadata["low"], spec.metadata["high"]
    if want is float and type(value) is int:
        value = float(value)
    if type(value) is not want:
        allowed = {str: "a text", bool: "true or false"}.get(want, "a number")
    elif among and value not in among:
        allowed = f"one of {', '.join(filter(None, among))}" + ", or empty" * ("" in among)
    elif want in (int, float) and not low <= value <= high:
        allowed = f"a number from {low:g} to {high:g}"
    else:
        if spec.metadata["form"] is not None and value != spec.default:
            spec.metadata["form"](value, where)
        return value
    raise ConfigError(f"{where} = {value!r}: must be {allowed}")


def built(chosen: Mapping[str, Any]) -> Config:
    """From checked values; defaults elsewhere. Raises ConfigError where they do not agree."""

    def of(section: str) -> dict[str, Any]:
        prefix = f"{section}."
        return {k.removeprefix(prefix): v for k, v in chosen.items() if k.startswith(prefix)}

    config = Config(
        **{k: v for k, v in chosen.items() if "." not in k},
        engines=EngineChoice(**of("engines")),
        models=ModelChoice(**of("models")),
        language_server=LanguageServer(**of("language_server")),
        vllm=VllmSettings(**of("vllm")),
        xtts=XttsSettings(**of("xtts")),
        pocket=PocketSettings(**of("pocket")),
        kyutai=KyutaiSettings(**of("kyutai")),
        audio=Audio(**of("audio")),
        recognition=Recognition(**of("recognition")),
        reply=Reply(**of("reply")),
        turn_taking=TurnTaking(**of("turn_taking")),
        face=FaceSettings(**of("face")),
        persona=Persona(**of("persona")),
        window=Window(**of("window")),
        privacy=Privacy(**of("privacy")),
        kiosk=Kiosk(**of("kiosk")),
        host=Host(**of("host")),
    )
    reply = config.reply
    if reply.max_tokens > reply.context_tokens // 2:
        raise ConfigError(
            f"reply.max_tokens = {reply.max_tokens}: must be at most half of "
            f"reply.context_tokens = {reply.context_tokens}, which holds the conversation too"
        )
    if config.engines.language_model == "openai-server" and not config.language_server.url:
        raise ConfigError(
            "engines.language_model = 'openai-server': needs the address of the server in "
            "language_server.url"
        )
    if config.engines.synthesis == "kyutai-server" and not config.kyutai.url:
        raise ConfigError(
            "engines.synthesis = 'kyutai-server': needs the address of the server in kyutai.url"
        )
    if config.engines.synthesis == "xtts" and not config.xtts.licence_accepted:
        raise ConfigError(f"engines.synthesis = 'xtts': {coqui.NOT_ACCEPTED}")
    for spec in fields(ModelChoice):
        name, engine = getattr(config.models, spec.name), getattr(config.engines, spec.name)
        if name and manifest.load().model(name).engine != engine:
            raise ConfigError(
                f"models.{spec.name} = {name!r}: engines.{spec.name} = {engine!r} can not read "
                f"it, {manifest.load().model(name).engine!r} can"
            )
    language = config.recognition.language
    if config.engines.recognition == "moonshine" and language not in ("en", "auto"):
        raise ConfigError(
            f"recognition.language = {language!r}: engines.recognition = 'moonshine' knows English "
            "alone"
        )
    return config
