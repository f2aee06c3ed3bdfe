"""The files of the page, read once: what is served without a token."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Final

import numpy as np

from goassist_desktop import shipped
from goassist_desktop.avatar import head as heads
from goassist_desktop.host.head_file import head_file

CSP: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "media-src 'self' blob:",
        "connect-src 'self'",
        "manifest-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
"""Nothing from elsewhere, and nothing inline."""
PERMISSIONS: Final = "microphone=(self), speaker-selection=(self), camera=(), geolocation=()"

_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".glsl": "text/plain; charset=utf-8",
    ".bin": "application/octet-stream",
    ".jpg": "image/jpeg",
    ".png": "image/png",
}
_PACKAGE: Final = Path(__file__).resolve().parent


@dataclass(frozen=True, slots=True)
class PageFile:
    """One file, as it is sent."""

    body: bytes
    content_type: str
    etag: str
    packed: bytes | None = None
    """The same by gzip, where that is smaller."""


@lru_cache(maxsize=1)
def files() -> Mapping[str, PageFile]:
    """Path of the URL -> file."""
    return dict(_all())


def _all() -> Iterator[tuple[str, PageFile]]:
    for path in sorted((_PACKAGE / "page").iterdir()):
        yield from _file(f"/{path.name}", path.read_bytes())
    yield "/", _page_file("index.html", (_PACKAGE / "page" / "index.html").read_bytes())
    for path in sorted((_PACKAGE.parent / "avatar" / "shaders").glob("*.glsl")):
        yield from _file(f"/shaders/{path.name}", path.read_bytes())
    for person in heads.PEOPLE:
        yield from _file(f"/heads/{person}.bin", head_file(person))
        folder = shipped.folder() / "heads"
        yield from _file(f"/heads/{person}.jpg", (folder / f"{person}.jpg").read_bytes())
        with np.load(folder / f"{person}.npz", allow_pickle=False) as stored:
            for name in heads.PICTURES:
                picture = stored[f"picture_{name}"].tobytes()
                kind = "png" if picture.startswith(b"\x89PNG") else "jpg"
                yield from _file(f"/heads/{person}-{name}.{kind}", picture)


def _file(path: str, body: bytes) -> Iterator[tuple[str, PageFile]]:
    yield path, _page_file(path, body)


def _page_file(path: str, body: bytes) -> PageFile:
    kind = _TYPES[PurePosixPath(path).suffix]
    packed = None if kind.startswith("image/") and "svg" not in kind else gzip.compress(body, 6)
    return PageFile(body, kind, hashlib.sha256(body).hexdigest()[:20], packed)
