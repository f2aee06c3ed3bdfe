from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from goassist_desktop import config, settings_file
from goassist_desktop.pipeline.errors import ConfigError

WRITTEN_BY_HAND = """\
# my assistant
profile = "ci"

[reply]   # short
# lucky
seed = 7  # for ever
max_tokens = 100

[audio]
input_device = "headset"
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "folder" / "config.toml"
    monkeypatch.setenv("GOASSIST_CONFIG", str(path))
    return path


def by_hand(file: Path, text: str = WRITTEN_BY_HAND) -> None:
    file.parent.mkdir(parents=True)
    file.write_bytes(text.encode())


def left_beside(file: Path) -> list[str]:
    return sorted(path.name for path in file.parent.iterdir() if path != file)


def test_a_change_comes_back_when_the_settings_are_loaded(file: Path) -> None:
    settings_file.change(
        file,
        {
            "profile": "ci",
            "audio.input_device": 'Jörg\'s "mic"',
            "audio.push_to_talk": True,
            "window.text_scale": 1.25,
            "reply.max_tokens": 64,
            "reply.system_prompt": 'One.\nTwo: \\ and """.\n',
        },
    )
    loaded = config.load({}, {})
    assert loaded.profile == "ci"
    assert loaded.audio.input_device == 'Jörg\'s "mic"'
    assert loaded.audio.push_to_talk
    assert loaded.window.text_scale == 1.25
    assert loaded.reply.max_tokens == 64
    assert loaded.reply.system_prompt == 'One.\nTwo: \\ and """.\n'
    assert not left_beside(file)


def test_what_a_person_wrote_stays(file: Path) -> None:
    by_hand(file)
    settings_file.change(file, {"reply.max_tokens": 200, "face.live_link": "studio:11111"})
    expected = WRITTEN_BY_HAND.replace("max_tokens = 100", "max_tokens = 200")
    assert file.read_text() == expected + '\n[face]\nlive_link = "studio:11111"\n'


def test_a_default_needs_no_line(file: Path) -> None:
    by_hand(file)
    settings_file.change(file, {"audio.input_device": "", "reply.seed": 0, "profile": "embedded"})
    text = file.read_text()
    assert text == "# my assistant\n\n[reply]   # short\n# lucky\nmax_tokens = 100\n\n"


def test_a_section_with_a_remark_stays(file: Path) -> None:
    by_hand(file, "[audio]\n# the blue one\ninput_device = 'x'\n")
    settings_file.change(file, {"audio.input_device": ""})
    assert file.read_text() == "[audio]\n# the blue one\n"


def test_a_top_level_setting_does_not_fall_into_a_section(file: Path) -> None:
    by_hand(file, "[audio]\ninput_device = 'x'\n")
    settings_file.change(file, {"profile": "ci"})
    assert config.load({}, {}).profile == "ci"
    assert config.load({}, {}).audio.input_device == "x"


@pytest.mark.parametrize(
    "text",
    [
        "audio.input_device = 'x'\n",
        "audio = {input_device = 'x'}\n",
        "\ufeff[audio]\r\ninput_device = 'x'\r\n",
    ],
)
def test_other_ways_to_write_the_same(file: Path, text: str) -> None:
    by_hand(file, text)
    settings_file.change(file, {"audio.push_to_talk": True})
    loaded = config.load({}, {})
    assert loaded.audio.input_device == "x"
    assert loaded.audio.push_to_talk
    settings_file.change(file, {"audio.push_to_talk": False})
    assert file.read_bytes() == text.encode()


def test_a_value_that_is_not_allowed_changes_nothing(file: Path) -> None:
    by_hand(file)
    with pytest.raises(ConfigError, match=r"^reply.max_tokens = 5: must be a number from 16"):
        settings_file.change(file, {"audio.input_device": "usb", "reply.max_tokens": 5})
    with pytest.raises(ConfigError, match=r"^audio.device: unknown"):
        settings_file.change(file, {"audio.device": "usb"})
    assert file.read_text() == WRITTEN_BY_HAND


def test_a_file_that_is_no_toml_is_left_alone(file: Path) -> None:
    by_hand(file, "[audio\n")
    with pytest.raises(ConfigError, match="it is not TOML"):
        settings_file.change(file, {"audio.push_to_talk": True})
    assert file.read_text() == "[audio\n"
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="it is not UTF-8"):
        settings_file.change(file, {"audio.push_to_talk": True})


def test_a_wrong_line_elsewhere_does_not_forbid_a_change(file: Path) -> None:
    by_hand(file, "[reply]\nseed = 'x'\n")
    settings_file.change(file, {"audio.push_to_talk": True})
    assert "seed = 'x'" in file.read_text()
    assert "push_to_talk = true" in file.read_text()


def test_permissions_and_links_stay(file: Path, tmp_path: Path) -> None:
    by_hand(file)
    file.chmod(0o640)
    link = tmp_path / "link.toml"
    link.symlink_to(file)
    settings_file.change(link, {"reply.seed": 8})
    assert link.is_symlink()
    assert "seed = 8  # for ever" in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o640


def test_a_folder_that_can_not_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    path = tmp_path / "file" / "config.toml"
    with pytest.raises(ConfigError, match="can not be written: Not a directory") as refused:
        settings_file.change(path, {"reply.seed": 8})
    assert str(refused.value).startswith(str(path))


def test_a_full_disk_leaves_the_old_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    by_hand(file)

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ConfigError, match="can not be written: No space left on device"):
        settings_file.change(file, {"reply.seed": 8})
    assert file.read_text() == WRITTEN_BY_HAND
    assert not left_beside(file)


def test_what_an_editor_writes_meanwhile_is_kept(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_hand(file)
    sync, edited = os.fsync, []

    def edit_first(handle: int) -> None:
        if not edited:
            edited.append(True)
            file.write_text(WRITTEN_BY_HAND + "output_device = 'desk'\n")
        sync(handle)

    monkeypatch.setattr(os, "fsync", edit_first)
    settings_file.change(file, {"reply.seed": 8})
    loaded = config.load({}, {})
    assert loaded.audio.output_device == "desk"
    assert loaded.reply.seed == 8


# -- a file that can not be used -------------------------------------------------------------------


def test_a_file_that_is_well_needs_no_repair(file: Path) -> None:
    by_hand(file)
    assert not settings_file.repair(file).faults


def test_wrong_settings_are_replaced_by_their_defaults(file: Path) -> None:
    by_hand(file, WRITTEN_BY_HAND + "echo_cancellation = 'no'\nvolume = 11\n")
    repair = settings_file.repair(file)
    assert [(fault.key, fault.default) for fault in repair.faults] == [
        ("audio.echo_cancellation", True),
        ("audio.volume", None),
    ]
    assert "'no': must be true or false" in repair.faults[0].what
    kept = repair.use_defaults()
    assert kept is not None
    assert kept.name.startswith("config.toml.broken-")
    assert "volume = 11" in kept.read_text()
    assert file.read_text() == WRITTEN_BY_HAND
    assert config.load({}, {}).reply.seed == 7


def test_settings_that_do_not_agree(file: Path) -> None:
    by_hand(file, "[reply]\nmax_tokens = 1000\ncontext_tokens = 1024\n")
    repair = settings_file.repair(file)
    assert [fault.key for fault in repair.faults] == ["reply.max_tokens"]
    repair.use_defaults()
    assert config.load({}, {}).reply.context_tokens == 1024


@pytest.mark.parametrize("content", [b"[audio\n", b"\xff\xfe\x00", b"a = 1\na = 2\n"])
def test_a_file_that_can_not_be_read_is_put_aside(file: Path, content: bytes) -> None:
    by_hand(file, "")
    file.write_bytes(content)
    repair = settings_file.repair(file)
    assert [fault.key for fault in repair.faults] == [""]
    kept = repair.use_defaults()
    assert kept is not None
    assert kept.read_bytes() == content
    assert config.load({}, {}) == config.Config()


def test_two_repairs_on_one_day_keep_both_files(file: Path) -> None:
    by_hand(file, "[audio\n")
    settings_file.repair(file).use_defaults()
    file.write_text("[face\n")
    settings_file.repair(file).use_defaults()
    assert len(left_beside(file)) == 2


def test_a_file_asked_for_that_is_not_there_is_made(file: Path) -> None:
    repair = settings_file.repair(file)
    assert repair.faults[0].what.endswith("there is no such file")
    assert repair.use_defaults() is None
    assert config.load({}, {}) == config.Config()
