"""Every engine that is here is measured, in a process of its own."""

from __future__ import annotations

import argparse
import io

import pytest
from rich.console import Console

from goassist_desktop.bench import engines
from goassist_desktop.config import Config, EngineChoice, LanguageServer
from goassist_desktop.pipeline.engines import REGISTRY

pytestmark = pytest.mark.models


def test_all_that_is_here_is_found_and_servers_where_they_are_chosen() -> None:
    found = {(one.stage, one.name) for one in engines.here(Config())}
    assert {stage for stage, _ in found} == set(REGISTRY) - {"face"}
    assert ("language_model", "openai-server") not in found
    chosen = Config(
        engines=EngineChoice(language_model="openai-server"),
        language_server=LanguageServer("http://localhost:1/v1"),
    )
    assert ("language_model", "openai-server") in {
        (one.stage, one.name) for one in engines.here(chosen)
    }


def test_an_engine_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = [one for one in engines.here(Config()) if one.name in ("hibari", "whisper", "silero")]
    monkeypatch.setattr(engines, "here", lambda config: wanted)
    console = Console(file=io.StringIO())
    figures = engines.measure(Config(), argparse.Namespace(times=1), console)
    values = {figure.name: figure.median or 0.0 for figure in figures}
    assert values["hibari-heart: speed"] > 1
    assert 1 < values["hibari-heart: a short clause"] < 5000
    assert values["faster-whisper-tiny.en: speed"] > 0.2
    assert values["faster-whisper-tiny.en: memory"] > 50
    assert values["silero-vad: a frame of 32 ms"] < 32
