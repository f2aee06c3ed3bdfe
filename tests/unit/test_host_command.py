"""What `goassist host` shows."""

from __future__ import annotations

import io
from types import SimpleNamespace
from typing import cast

from rich.console import Console

from goassist_desktop import hosting
from goassist_desktop.commands import host


def test_addresses_of_ipv6_are_shown_whole() -> None:
    told = io.StringIO()
    serving = SimpleNamespace(
        urls=("https://127.0.0.1:8443/", "https://[fd00::2]:8443/"),
        link=lambda url: f"{url}#code=12345678",
        pairing=SimpleNamespace(code="12345678"),
        fingerprint="2F:5D",
    )
    host._tell(cast("hosting.Serving", serving), Console(file=told, width=100))
    assert "https://127.0.0.1:8443/#code=12345678\n" in told.getvalue()
    assert "https://[fd00::2]:8443/#code=12345678\n" in told.getvalue()
