from __future__ import annotations

from pathlib import Path

import platformdirs
import pytest

from goassist_desktop import config
from goassist_desktop.pipeline.errors import ConfigError


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "config.toml"
    path.touch()
    monkeypatch.setenv("GOASSIST_CONFIG", str(path))
    return path


def test_without_a_file_the_defaults_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GOASSIST_CONFIG", raising=False)
    monkeypatch.setattr(platformdirs, "user_config_dir", lambda *_, **__: str(tmp_path))
    assert config.load({}, {}) == config.Config()


def test_a_file_asked_for_must_be_there(file: Path) -> None:
    assert config.load({}, {}) == config.Config()
    file.unlink()
    with pytest.raises(ConfigError) as refused:
        config.load({}, {})
    assert str(refused.value) == f"GOASSIST_CONFIG = {file}: there is no such file"


def test_a_reply_leaves_half_of_the_context_to_the_conversation(file: Path) -> None:
    flags = {"reply.max_tokens": "512", "reply.context_tokens": "1024"}
    assert config.load(flags, {}).reply.max_tokens == 512
    with pytest.raises(ConfigError, match=r"max_tokens = 513: .* half of reply.context_tokens = "):
        config.load(flags | {"reply.max_tokens": "513"}, {})


def test_flags_win_over_variables_and_variables_over_the_file(file: Path) -> None:
    file.write_text('[reply]\nmax_tokens = 100\nseed = 1\nstall_s = 4\n[audio]\ninput_device="a"\n')
    environment = {"GOASSIST_REPLY_MAX_TOKENS": "200", "GOASSIST_REPLY_SEED": "2", "HOME": "/"}
    chosen = config.load(
        {"reply.max_tokens": "300", "audio.echo_cancellation": "false"}, environment
    )
    assert not chosen.audio.echo_cancellation
    assert chosen.reply.max_tokens == 300
    assert chosen.reply.seed == 2
    assert chosen.reply.stall_s == 4.0
    assert chosen.audio.input_device == "a"
    assert chosen.turn_taking == config.TurnTaking()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[reply]\nmax_tokens = 'many'", "reply.max_tokens = 'many': must be a number"),
        ("[reply]\nmax_tokens = 5", "reply.max_tokens = 5: must be a number from 16 to 2048"),
        ("[reply]\nmax_tokens = true", "reply.max_tokens = True: must be a number"),
        ("[reply]\ntemperature = nan", "reply.temperature = nan: must be a number from 0 to 2"),
        ("[reply]\ntokens = 5", "reply.tokens: unknown; known are audio.echo_cancellation,"),
        ("[engines]\nrecognition = 'siri'", "engines.recognition = 'siri': must be one of whisper"),
        ("[audio]\necho_cancellation = 1", "echo_cancellation = 1: must be true or false"),
        (
            "[face]\nlive_link = 'studio'",
            "face.live_link = 'studio': must be a host and a port from 1 to 65535",
        ),
        ("[face]\nservice = ''", "face.service = '': must be a host and a port from 1 to 65535"),
        ("[kiosk]\npin = '12a4'", "kiosk.pin: must be digits, at most 32 of them, or empty"),
        ("[kiosk]\npin = '²³'", "kiosk.pin: must be digits"),
        (f"[kiosk]\npin = '{'1' * 33}'", "kiosk.pin: must be digits, at most 32"),
        ("[kiosk]\npin = 2580", "kiosk.pin = 2580: must be a text"),
        ("[kiosk]\nwake_word = '?!'", "kiosk.wake_word = '?!': must have a letter in it"),
        ("[recognition]\nlanguage = 'english'", "'english': must be one of auto, af, am, ar,"),
        ('[recognition]\nhot_words = "a\\nb"', "hot_words = 'a\\nb': must be words with commas"),
        (f"[recognition]\nhot_words = '{'a' * 501}'", "on one line of at most 500 characters"),
        ("[recognition]\ndeepgram_key = 'my key'", "deepgram_key: must be 1 to 256 letters"),
        ("[recognition]\ndeepgram_url = 'ws://a.org'", "must be wss://HOST or wss://HOST:PORT; ws"),
        ("profile = 3", "profile = 3: must be a text"),
        ("profile = ", "config.toml: Invalid value"),
    ],
)
def test_a_bad_file_is_refused(file: Path, text: str, message: str) -> None:
    file.write_text(text)
    with pytest.raises(ConfigError) as refused:
        config.load({}, {})
    assert str(refused.value).startswith(str(file))
    assert message in str(refused.value)


def test_bad_variables_and_flags_are_refused(file: Path) -> None:
    with pytest.raises(ConfigError, match=r"GOASSIST_PROFILE = 'x': must be one of embedded, ci"):
        config.load({}, {"GOASSIST_PROFILE": "x"})
    with pytest.raises(ConfigError, match=r"GOASSIST_PROFIL: unknown; known are GOASSIST_AUDIO_"):
        config.load({}, {"GOASSIST_PROFIL": "ci"})
    with pytest.raises(ConfigError, match=r"--set reply.seed = 'x': must be a number"):
        config.load({"reply.seed": "x"}, {})
    with pytest.raises(ConfigError, match=r"--set seed: unknown"):
        config.load({"seed": "1"}, {})


def test_addresses_are_host_and_port(file: Path) -> None:
    with pytest.raises(ConfigError, match=r"GOASSIST_FACE_SERVICE = 'a:0': must be a host and a"):
        config.load({}, {"GOASSIST_FACE_SERVICE": "a:0"})
    with pytest.raises(ConfigError, match=r"--set face.live_link = 'http://a:1': must be a host"):
        config.load({"face.live_link": "http://a:1"}, {})
    good = {"face.live_link": "studio:11111", "face.service": "[::1]:52000"}
    face = config.load(good, {}).face
    assert (face.live_link, face.service) == ("studio:11111", "[::1]:52000")
    assert config.load({"face.live_link": ""}, {"GOASSIST_FACE_LIVE_LINK": "a:1"}).face == (
        config.FaceSettings()
    )


@pytest.mark.parametrize(
    "url", ["wss://api.deepgram.com", "wss://[2001:db8::1]:8443/speech", "ws://localhost:8080"]
)
def test_addresses_of_web_sockets(file: Path, url: str) -> None:
    assert config.load({"recognition.deepgram_url": url}, {}).recognition.deepgram_url == url


@pytest.mark.parametrize(
    "url",
    ["", "https://a.org", "wss://", "wss://a.org:0", "wss://a.org:x", "wss://me:pw@a.org",
     "wss://a.org/?key=1", "wss://a b.org", "ws://192.168.0.2", "wss://[::1", "ws://localhost.org"],
)  # fmt: skip
def test_what_is_no_address_of_a_web_socket(file: Path, url: str) -> None:
    with pytest.raises(ConfigError, match=r"^--set recognition.deepgram_url = .*: must be wss://"):
        config.load({"recognition.deepgram_url": url}, {})


def test_moonshine_knows_english_alone(file: Path) -> None:
    chosen = {"engines.recognition": "moonshine"}
    assert config.load(chosen | {"recognition.language": "auto"}, {})
    with pytest.raises(ConfigError, match=r"^recognition.language = 'de': .* English alone"):
        config.load(chosen | {"recognition.language": "de"}, {})


def test_a_chosen_model_is_one_that_the_engine_can_read(file: Path) -> None:
    chosen = {"models.recognition": "moonshine-tiny-en"}
    with pytest.raises(ConfigError, match=r"engines.recognition = 'whisper' can not read it, 'moo"):
        config.load(chosen, {})
    engine = {"GOASSIST_ENGINES_RECOGNITION": "moonshine"}
    assert config.load(chosen, engine).models.recognition == "moonshine-tiny-en"
    with pytest.raises(
        ConfigError, match=r"models.recognition = 'qwen.*must be one of faster.*, or empty"
    ):
        config.load({"models.recognition": "qwen2.5-coder-1.5b-instruct"}, {})


def test_where_models_and_settings_lie_is_no_setting(file: Path) -> None:
    config.load({}, {"GOASSIST_CONFIG": "x", "GOASSIST_MODELS_DIR": "y"})


def test_changing_a_configuration_checks_it() -> None:
    changed = config.changed(config.Config(), {"audio.input_device": "usb", "profile": "ci"})
    assert changed.audio.input_device == "usb"
    assert changed.profile == "ci"
    assert config.changed(changed, {"audio.input_device": ""}).profile == "ci"
    with pytest.raises(ConfigError, match=r"^window.theme = 'pink': must be one of system, dark"):
        config.changed(changed, {"window.theme": "pink"})
    with pytest.raises(ConfigError, match=r"^window.colour: unknown"):
        config.changed(changed, {"window.colour": "pink"})
    with pytest.raises(ConfigError, match="must be at most half"):
        config.changed(changed, {"reply.context_tokens": 1024, "reply.max_tokens": 600})


def test_what_decides_a_setting_from_outside() -> None:
    environment = {"GOASSIST_AUDIO_INPUT_DEVICE": "usb", "GOASSIST_REPLY_SEED": "1", "HOME": "/"}
    assert config.outside(["reply.seed"], environment) == {
        "audio.input_device": "GOASSIST_AUDIO_INPUT_DEVICE",
        "reply.seed": "--set reply.seed",
    }
