from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goassist_desktop.pipeline.errors import BadInput
from goassist_desktop.talk_script import Say, one_by_one, read_script


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "sound").mkdir()
    for name in ("a.wav", "b.wav", "sound/c.wav"):
        (tmp_path / name).touch()
    return tmp_path


def script(folder: Path, text: str) -> Path:
    path = folder / "S.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_script(folder):
    path = script(
        folder,
        f"""
        [[say]]
        wav = "a.wav"
        after = "start"
        delay_s = 2

        [[say]]
        wav = "sound/c.wav"

        [[say]]
        wav = "{folder}/b.wav"
        after = "speaking"
        delay_s = 0.75
        """,
    )
    assert read_script(path) == (
        Say(folder / "a.wav", "start", 2.0),
        Say(folder / "sound" / "c.wav", "quiet", 0.0),
        Say(folder / "b.wav", "speaking", 0.75),
    )


def test_paths_are_relative_to_the_script_and_not_to_the_shell(folder, monkeypatch):
    monkeypatch.chdir("/")
    assert read_script(script(folder, 'say = [{wav = "a.wav"}]')) == (Say(folder / "a.wav"),)


def test_recordings_without_a_script():
    assert one_by_one([Path("a.wav"), Path("b.wav")]) == (
        Say(Path("a.wav"), "quiet", 0.0),
        Say(Path("b.wav"), "quiet", 0.0),
    )
    assert one_by_one([]) == ()


A = 'wav = "a.wav"'
NONE = "no such file; paths are relative to the script"
WAV = "the path of a recording"
AFTER = 'must be "start", "quiet" or "speaking"'
DELAY = "must be a number of seconds, 0 to 3600"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a script is a list of [[say]], and there is none"),
        (f"[say]\n{A}", "a script is a list of [[say]], and there is none"),
        ('say = ["a.wav"]', "a script is a list of [[say]], and there is none"),
        ("say = []", "say = []: at least one entry is needed"),
        (f"title = 'x'\n[[say]]\n{A}", "title: unknown; a script is a list of [[say]]"),
        ("[[say]]", f"say 1: wav: missing; {WAV} is needed"),
        (f"[[say]]\n{A}\n[[say]]\ndelay_s = 1", f"say 2: wav: missing; {WAV} is needed"),
        ("[[say]]\nwav = 3", f"say 1: wav = 3: must be {WAV}"),
        ("[[say]]\nwav = ''", f"say 1: wav = '': {NONE}"),
        ("[[say]]\nwav = 'sound'", f"say 1: wav = 'sound': {NONE}"),
        ("[[say]]\nwav = 'no.wav'", f"say 1: wav = 'no.wav': {NONE}"),
        (
            f"[[say]]\n{A}\nwhen = 2",
            "say 1: when = 2: unknown; wav, after and delay_s are allowed",
        ),
        (f"[[say]]\n{A}\nafter = 'later'", f"say 1: after = 'later': {AFTER}"),
        (f"[[say]]\n{A}\nafter = 1", f"say 1: after = 1: {AFTER}"),
        (f"[[say]]\n{A}\nafter = ['quiet']", f"say 1: after = ['quiet']: {AFTER}"),
        (
            f"[[say]]\n{A}\nafter = 'speaking'",
            "say 1: after = 'speaking': the first entry has no reply before it to speak into",
        ),
        (f"[[say]]\n{A}\ndelay_s = -0.1", f"say 1: delay_s = -0.1: {DELAY}"),
        (f"[[say]]\n{A}\ndelay_s = 3601", f"say 1: delay_s = 3601: {DELAY}"),
        (f"[[say]]\n{A}\ndelay_s = '1'", f"say 1: delay_s = '1': {DELAY}"),
        (f"[[say]]\n{A}\ndelay_s = true", f"say 1: delay_s = True: {DELAY}"),
        (f"[[say]]\n{A}\ndelay_s = nan", f"say 1: delay_s = nan: {DELAY}"),
        (f"[[say]]\n{A}\ndelay_s = inf", f"say 1: delay_s = inf: {DELAY}"),
        (
            f"[[say]]\n{A}\n[[say]]\n{A}\nafter = 'speaking'\ndelay_s = -2",
            f"say 2: delay_s = -2: {DELAY}",
        ),
        ("[[say]]\nwav = a.wav", "invalid TOML: Invalid value (at line 2, column 7)"),
        ("[[say]\nwav", "invalid TOML: "),
        ('say = [{wav = "a\\u0000.wav"}]', f"say 1: wav = 'a\\x00.wav': {NONE}"),
    ],
)
def test_what_is_wrong_is_named(folder, text, message):
    path = script(folder, text)
    with pytest.raises(BadInput) as caught:
        read_script(path)
    assert str(caught.value).startswith(f"{path}: {message}")
    assert "\n" not in str(caught.value)


def test_a_script_that_is_none(tmp_path):
    for path, message in [
        (tmp_path / "none.toml", "No such file or directory"),
        (tmp_path, "Is a directory"),
    ]:
        with pytest.raises(BadInput) as caught:
            read_script(path)
        assert str(caught.value) == f"{path}: {message}"
    sound = tmp_path / "a.wav"
    sound.write_bytes(b"RIFF\xff\xfe\x00\x80WAVE")
    with pytest.raises(BadInput) as caught:
        read_script(sound)
    assert str(caught.value) == f"{sound}: not a script: not text in UTF-8"


VALUES = (
    st.booleans() | st.integers() | st.floats() | st.sampled_from(["a.wav", "quiet", "speaking"])
)


def toml(value: object) -> str:
    return str(value).lower() if not isinstance(value, str) else f'"{value}"'


@given(
    st.lists(
        st.dictionaries(st.sampled_from(["wav", "after", "delay_s", "x"]), VALUES), max_size=3
    ),
)
def test_whatever_is_read_keeps_its_promises(tmp_path_factory, entries):
    folder = tmp_path_factory.mktemp("script")
    (folder / "a.wav").touch()
    text = "".join(
        "[[say]]\n" + "".join(f"{key} = {toml(value)}\n" for key, value in entry.items())
        for entry in entries
    )
    try:
        says = read_script(script(folder, text))
    except BadInput:
        return
    assert len(says) == len(entries) > 0
    for say, entry in zip(says, entries, strict=True):
        assert say.wav == folder / "a.wav"
        assert say.after == entry.get("after", "quiet")
        assert type(say.delay_s) is float
        assert 0 <= say.delay_s <= 3600
        assert say.delay_s == entry.get("delay_s", 0)


@given(st.text())
def test_no_text_makes_it_fail_otherwise(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("script") / "S.toml"
    path.write_bytes(text.encode("utf-8", "replace"))
    with pytest.raises(BadInput):
        read_script(path)
