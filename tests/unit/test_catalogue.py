"""Every engine is listed, with what it lacks."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from goassist_desktop import cli
from goassist_desktop.catalogue import Entry, entries
from goassist_desktop.config import Config, EngineChoice, LanguageServer, VllmSettings, XttsSettings
from goassist_desktop.pipeline.engines import REGISTRY, coqui


def found(config: Config) -> dict[tuple[str, str], Entry]:
    """By engine and model."""
    return {(entry.name, entry.model): entry for entry in entries(config)}


def test_every_engine_is_there_with_what_a_user_wants_to_know() -> None:
    listed = list(entries(Config()))
    assert {(one.stage, one.name) for one in listed} == {
        (stage, name) for stage, names in REGISTRY.items() for name in names
    }
    for one in listed:
        assert one.title and one.licence and one.needs
        assert one.available == (not one.why)
        assert one.installed or not one.available
    in_use = [one.stage for one in listed if one.in_use]
    assert in_use == list(REGISTRY)


def test_what_lacks_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DEEPGRAM_API_KEY", raising=False)
    before = found(Config(vllm=VllmSettings(program="no-such-program")))
    assert before["openai-server", ""].why == "language_server.url names no server"
    assert before["deepgram", ""].why == "recognition.deepgram_key is empty"
    assert before["vllm", ""].why == "the program no-such-program is not installed"
    assert not before["vllm", ""].installed
    assert "its files are not in" in before["lam", ""].why
    assert "goassist models pull" in before["whisper", "faster-whisper-large-v3-turbo"].why


def test_xtts_lacks_its_licence_first_then_its_program_then_its_files(tmp_path: Path) -> None:
    def why(**settings: object) -> tuple[str, bool]:
        entry = found(Config(xtts=XttsSettings(model=str(tmp_path), **settings)))["xtts", ""]
        assert entry.licence.startswith("Coqui Public Model License") and not entry.cloud
        return entry.why, entry.installed

    assert why() == (coqui.NOT_ACCEPTED, False)
    accepted = {"licence_accepted": True}
    assert why(**accepted)[0].startswith("it is not installed: set xtts.program")
    accepted |= {"program": sys.executable}
    assert why(**accepted) == (f"its file {tmp_path / 'config.json'} is not there", True)
    for name in coqui.FILES:
        (tmp_path / name).touch()
    assert why(**accepted) == ("", True)


@pytest.mark.parametrize(("url", "cloud"), [("http://box.local/v1", False),
                                            ("https://api.example.com/v1", True)])  # fmt: skip
def test_a_server_far_away_is_cloud(url: str, cloud: bool) -> None:
    chosen = Config(
        engines=EngineChoice(language_model="openai-server"), language_server=LanguageServer(url)
    )
    server = found(chosen)["openai-server", ""]
    assert (server.available, server.in_use, server.cloud) == (True, True, cloud)
    assert found(replace(Config()))["deepgram", ""].cloud


def test_the_command_tells_people_and_machines(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["engines"]) == 0
    told = capsys.readouterr().out
    assert "llama-cpp" in told
    assert "silero" in told
    assert cli.main(["engines", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["version"] == 1
    names = {one["name"] for one in data["engines"]}
    assert {"whisper", "vllm", "kokoro", "lipsync"} <= names
    assert all(
        {"stage", "licence", "cloud", "available", "why"} <= set(one) for one in data["engines"]
    )
