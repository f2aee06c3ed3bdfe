"""Sources of made-up models: a hub on loopback, wheels, folders in every shape."""

import hashlib
import io
import re
import tarfile
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from goassist_desktop.supply.manifest import Manifest, Model

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


def add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(data)
    archive.addfile(entry, io.BytesIO(data))


def npm_tarball(folder: Path, data: bytes = SMALL) -> Path:
    path = folder / "made-up-small-1.0.tgz"
    with tarfile.open(path, "w:gz") as archive:
        add(archive, "package/package.json", b"{}")
        add(archive, "package/made_up_small/small.bin", data)
    return path


def lay_out_as_models(folder: Path) -> None:
    for name, data in (("big/big.bin", BIG), ("small/small.bin", SMALL)):
        (folder / name).parent.mkdir()
        (folder / name).write_bytes(data)


def lay_out_as_wheels(folder: Path) -> None:
    small_wheel(folder)
    for n in (1, 2, 3):
        part_wheel(folder, n)


def lay_out_as_tarballs(folder: Path) -> None:
    npm_tarball(folder)
    for n in (1, 2, 3):
        with tarfile.open(folder / f"made_up_part{n}-1.0.tar.gz", "w:gz") as archive:
            add(archive, f"made_up_part{n}-1.0/made_up_part{n}/part{n:02}.bin", PARTS[n - 1])


def lay_out_as_bare_files(folder: Path) -> None:
    (folder / "deep").mkdir()
    (folder / "deep" / "whatever").write_bytes(SMALL)
    for n, part in enumerate(PARTS):
        (folder / f"{9 - n}.bin").write_bytes(part)


def visible(target: Path) -> dict[str, bytes]:
    """What an engine could see: everything but the hidden entries."""
    return {
        f"{path.parent.name}/{path.name}": path.read_bytes()
        for path in target.glob("[!.]*/*")
        if path.is_file()
    }


def models(known: Manifest, *names: str) -> tuple[Model, ...]:
    return tuple(known.model(name) for name in names)
