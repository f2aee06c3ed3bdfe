"""The models of this machine, as the program and its user meet them."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from goassist_desktop import cli, weights
from goassist_desktop.pipeline.errors import BadInput, ModelMissing
from goassist_desktop.supply import manifest
from goassist_desktop.supply.manifest import Manifest
from goassist_desktop.supply.pull import Pull, PullFailed
from tests.fakes.model_sources import (
    BIG,
    MANIFEST,
    SMALL,
    Hub,
    content,
    lay_out_as_models,
    models,
    visible,
)

ROOT = Path(__file__).resolve().parents[2]

# What is here -----------------------------------------------------------------------------------


@pytest.fixture
def at_home(known: Manifest, target: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The program's own functions, on the made-up manifest and an empty models folder."""
    monkeypatch.setattr(manifest, "load", lambda: known)
    monkeypatch.setenv("GOASSIST_MODELS_DIR", str(target))
    brought = tmp_path / "brought"
    brought.mkdir()
    lay_out_as_models(brought)
    return brought


def test_a_missing_model_is_named_with_its_cure(at_home: Path, target: Path) -> None:
    with pytest.raises(ModelMissing, match=r"is missing; run: goassist models pull small"):
        weights.path("small")
    weights.pull("both", source=at_home)
    assert weights.path("small") == target / "small"
    (target / "small" / "small.bin").write_bytes(SMALL[:-1])
    with pytest.raises(ModelMissing, match="is damaged: 2999 bytes in place of 3000"):
        weights.path("small")


def test_damage_of_the_same_length_is_found_and_mended(at_home: Path, target: Path) -> None:
    weights.pull(["both"], source=at_home)
    assert weights.verify(["big", "small"]) == {}
    (target / "big" / "big.bin").write_bytes(content(len(BIG), 99))
    assert weights.path("big") == target / "big"
    faults = weights.verify(["big", "small"])
    assert list(faults) == ["big/big.bin"] and "sha256" in faults["big/big.bin"]
    said: list[str] = []
    weights.pull(["big"], source=at_home, say=said.append)
    assert weights.verify(["big"]) == {} and "big/big.bin is damaged" in said[0]


def test_names_are_profiles_or_models(at_home: Path) -> None:
    assert [m.name for m in weights.select(["small", "both"])] == ["small", "big"]
    assert [m.name for m in weights.select("all")] == ["big", "small"]
    with pytest.raises(BadInput, match=r"'hugo' is neither a profile \(both, all\) nor a model"):
        weights.pull("hugo", source=at_home)


def test_whole_models_in_a_read_only_folder_are_left_alone(at_home: Path, target: Path) -> None:
    weights.pull("both", source=at_home)
    (target / ".lock").unlink()
    (target / ".staging").rmdir()
    weights.pull("both", source=at_home)
    assert sorted(path.name for path in target.iterdir()) == ["big", "small"]


def test_the_folder_follows_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GOASSIST_MODELS_DIR", str(tmp_path))
    assert weights.models_dir() == tmp_path
    monkeypatch.delenv("GOASSIST_MODELS_DIR")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert weights.models_dir() == tmp_path / "data" / "goassist" / "models"


# Two at once, and the end of things --------------------------------------------------------------

PULLER = """
import sys
from pathlib import Path
from goassist_desktop.supply import manifest
from goassist_desktop.supply.pull import Pull
path, target, url = sys.argv[1:]
def say(line):
    print(line, flush=True)
Pull(Path(target), hub_url=url, say=say).run([manifest.load(Path(path)).model("big")])
print("done", flush=True)
"""


def start(arguments: list[str], **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=os.environ | environment,
    )


def test_two_processes_share_one_download(hub: Hub, tmp_path: Path, target: Path) -> None:
    (tmp_path / "manifest.toml").write_text(MANIFEST)
    hub.files, hub.hold_after = {"big.bin": BIG}, 400_000
    command = ["-c", PULLER, str(tmp_path / "manifest.toml"), str(target), hub.url]
    with start(command) as first:
        assert hub.held.wait(60)
        with start(command) as second:
            assert second.stdout is not None
            assert "another pull" in second.stdout.readline()
            assert visible(target) == {}
            hub.go_on.set()
            assert second.communicate(timeout=60) == ("done\n", "")
        assert first.communicate(timeout=60) == ("done\n", "")
    assert first.returncode == second.returncode == 0
    assert visible(target) == {"big/big.bin": BIG}
    assert len(hub.requests) == 1


TURN_MODEL = manifest.load().model("smart-turn-v3.2")


def test_interrupting_the_command_leaves_nothing_half_done(hub: Hub, target: Path) -> None:
    size, name = TURN_MODEL.size, TURN_MODEL.files[0].name
    hub.files, hub.hold_after = {name: bytes(size)}, 1_000_000
    environment = {"HF_ENDPOINT": hub.url, "GOASSIST_MODELS_DIR": str(target)}
    with start(
        ["-m", "goassist_desktop", "models", "pull", TURN_MODEL.name], **environment
    ) as child:
        assert hub.held.wait(60)
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=60)
    assert child.returncode == 130
    assert out == "" and "Traceback" not in err and err.splitlines()[-1].startswith("interrupted")
    assert visible(target) == {}


def test_the_command_refuses_a_forged_model(hub: Hub, index: Path, target: Path) -> None:
    file = TURN_MODEL.files[0]
    hub.files = {file.name: bytes(file.size)}
    environment = {"HF_ENDPOINT": hub.url, "GOASSIST_MODELS_DIR": str(target)}
    with start(
        ["-m", "goassist_desktop", "models", "pull", TURN_MODEL.name], **environment
    ) as child:
        _, err = child.communicate(timeout=120)
    assert child.returncode == 1
    assert "Traceback" not in err
    assert f"smart-turn-v3.2/{file.name} could not be had" in err and file.sha256 in err
    assert visible(target) == {}


LIMITED = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, 600_000))\n"


def test_a_disk_that_fills_up_is_said_in_one_line(hub: Hub, tmp_path: Path, target: Path) -> None:
    """The system refuses to write on, as it does when the disk is full; what is there is kept."""
    (tmp_path / "manifest.toml").write_text(MANIFEST)
    hub.files = {"big.bin": BIG}
    arguments = [str(tmp_path / "manifest.toml"), str(target), hub.url]
    with start(["-c", LIMITED + PULLER, *arguments]) as child:
        _, err = child.communicate(timeout=60)
    assert "PullFailed: disk full: no more could be written to" in err.splitlines()[-1]
    assert visible(target) == {}
    Pull(target, hub_url=hub.url).run([manifest.load(tmp_path / "manifest.toml").model("big")])
    assert hub.requests[-1][1] == "bytes=600000-"


def test_too_small_a_disk_is_said_before_anything_is_fetched(
    hub: Hub, tmp_path: Path, target: Path
) -> None:
    (tmp_path / "m.toml").write_text(MANIFEST.replace(f"size = {len(BIG)}", f"size = {10**18}"))
    with pytest.raises(PullFailed, match=r"disk full: this needs 10000000\d* MB"):
        Pull(target, hub_url=hub.url).run(models(manifest.load(tmp_path / "m.toml"), "big"))
    assert hub.requests == []


def test_bytes_of_other_models_do_not_count_as_room(hub: Hub, tmp_path: Path, target: Path) -> None:
    (tmp_path / "m.toml").write_text(MANIFEST.replace(f"size = {len(BIG)}", f"size = {10**18}"))
    (target / ".staging").mkdir(parents=True)
    with (target / ".staging" / "of-another.partial").open("wb") as sparse:
        sparse.truncate(10**13)
    with pytest.raises(PullFailed, match=r"disk full: this needs 1000000000\d{3} MB"):
        Pull(target, hub_url=hub.url).run(models(manifest.load(tmp_path / "m.toml"), "big"))


def test_a_models_folder_that_can_not_be_one(tmp_path: Path, known: Manifest) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(PullFailed, match="file"):
        Pull(tmp_path / "file" / "models").run(models(known, "small"))


# The command ------------------------------------------------------------------------------------


def test_list_tells_what_is_here(
    at_home: Path, target: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights.pull("small", source=at_home)
    (target / "small" / "small.bin").write_bytes(b"cut short")
    assert cli.main(["models", "list"]) == 0
    head, big, small = (line.split() for line in capsys.readouterr().out.splitlines())
    assert head == ["MODEL", "STAGE", "SIZE", "LICENCE", "STATE", "PROFILES"]
    assert big == ["big", "language_model", "1.0", "MB", "MIT", "missing", "both,", "all"]
    assert small[5:] == ["damaged", "both,", "all"]


def test_pull_verify_and_path(
    at_home: Path, target: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["models", "path"]) == 0
    assert capsys.readouterr().out == f"{target}\n"
    assert cli.main(["models", "path", "big"]) == 1
    assert "big.bin is missing; run: goassist models pull big" in capsys.readouterr().err
    assert cli.main(["models", "pull", "both", "--from", str(at_home)]) == 0
    assert capsys.readouterr().out == f"big: {target}/big\nsmall: {target}/small\n"
    assert cli.main(["models", "verify"]) == 0
    assert capsys.readouterr().out == "whole: big, small\n"
    (target / "big" / "big.bin").write_bytes(content(len(BIG), 99))
    assert cli.main(["models", "verify", "both"]) == 1
    assert "big/big.bin is damaged" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [["pull", "hugo"], ["verify", "hugo"], ["path", "hugo"]], ids=" ".join
)
def test_an_unknown_name_is_bad_input(
    at_home: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    assert cli.main(["models", *arguments]) == 2
    said = capsys.readouterr().err
    assert "'hugo'" in said and "big, small" in said and "Traceback" not in said
