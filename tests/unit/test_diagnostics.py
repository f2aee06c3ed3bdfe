"""One zip with what helps to find a fault, and without anybody's words or secrets."""

from __future__ import annotations

import json
import logging
import os
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from goassist_desktop import diagnostics, doctor, log_file
from goassist_desktop.config import Config, Kiosk
from goassist_desktop.finding import Finding
from goassist_desktop.pipeline.errors import EngineFailed, GoAssistError
from goassist_desktop.pipeline.events import Notice, TurnClosed
from goassist_desktop.pipeline.protocols import EngineInfo
from tests.fakes import virtual_time
from tests.fakes.stage import Conversation

FOUND = [Finding("memory", "warn", "4.0 GB", "close other programs")]
ENGINE = EngineInfo("recognition", "whisper", "tiny", "MIT")
CONFIG = Config(kiosk=Kiosk(pin="4711"))


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in list(os.environ):
        if name.startswith(("XDG_", "GOASSIST_")):
            monkeypatch.delenv(name)
    folder = tmp_path / "home" / "josephine"
    folder.mkdir(parents=True)
    monkeypatch.setenv("HOME", str(folder))
    return folder


def turn(number: int = 1, user: str = "what is a xylophone") -> TurnClosed:
    return TurnClosed(
        turn_id=number,
        user_text=user,
        reply_text="It is an instrument, you know.",
        heard_text="It is an instrument,",
        outcome="failed",
        warmup=False,
        marks_ms={"onset": 100.0},
        intervals_ms={"ttfa": 300.0, "response_gap": 480.0},
        reason=f"the voice broke: {user!r}",
    )


Export = Callable[..., dict[str, str]]


@pytest.fixture
def export(tmp_path: Path) -> Export:
    """Export, and read the members."""

    def made(**how: Any) -> dict[str, str]:
        path = tmp_path / "diagnostics.zip"
        chosen = {"include_words": False, "examine": lambda config: FOUND} | how
        diagnostics.export(path, CONFIG, **chosen)
        assert path.stat().st_mode & 0o777 == 0o600
        with zipfile.ZipFile(path) as packed:
            assert packed.testzip() is None
            return {name: packed.read(name).decode() for name in packed.namelist()}

    return made


def test_it_holds_what_helps(export: Export) -> None:
    with log_file.open_log():
        pass
    members = export(engines=[ENGINE], turns=[turn(1), turn(2)])
    assert list(members) == ["README.txt", "report.json", "logs/goassist.log"]
    report = json.loads(members["report.json"])
    assert report["examination"] == [
        {"check": "memory", "state": "warn", "found": "4.0 GB", "remedy": "close other programs"}
    ]
    assert report["engines"][0]["name"] == "whisper"
    assert report["latency"]["summary"]["intervals_ms"]["response_gap"]["p50"] == 480.0
    assert [one["response_gap_ms"] for one in report["latency"]["turns"]] == [480.0, 480.0]
    assert report["libraries"]["numpy"]
    assert report["machine"]["memory_gb"] > 0
    assert report["settings"]["turn_taking"]["pause_ms"] == 200.0
    assert "ended" in members["logs/goassist.log"]
    for name in ("report.json", "logs/"):
        assert name in members["README.txt"]


def test_the_machine_is_examined_without_a_sound(
    export: Export, monkeypatch: pytest.MonkeyPatch
) -> None:
    for check in ("libraries", "models"):
        monkeypatch.setattr(doctor, check, lambda *_: iter(()))
    for check in ("face", "face_engine"):
        monkeypatch.setattr(doctor, check, lambda *_: FOUND[0])
    monkeypatch.setattr(doctor, "tone", lambda *_: pytest.fail("it made a sound"))
    report = json.loads(export(examine=doctor.examine_silently)["report.json"])
    assert "Python" in {finding["check"] for finding in report["examination"]}


def test_no_secret_is_in_it_nor_where_the_user_lives(export: Export, home: Path) -> None:
    with log_file.open_log():
        logging.getLogger("goassist_desktop.test").info("models in %s/models", home)
    members = export()
    everything = "\n".join(members.values())
    assert "4711" not in everything
    assert "josephine" not in everything
    assert "models in ~/models" in members["logs/goassist.log"]
    settings = json.loads(members["report.json"])["settings"]
    assert settings["kiosk"] == {"pin": "(set, not shown)", "wake_word": "", "idle_s": 45.0}


def test_secrets_are_known_by_their_names() -> None:
    assert diagnostics.without_secrets(Config())["kiosk"]["pin"] == ""
    for name in ("pin", "host_token", "api_key", "password"):
        assert diagnostics._SECRET.search(name)
    for name in ("spinning", "keep_history", "max_tokens", "context_tokens"):
        assert not diagnostics._SECRET.search(name)


# -- words -----------------------------------------------------------------------------------------

WORDS = ("rhododendron", "xylophone", "quokka", "zeppelin")


@pytest.fixture
def conversation(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Iterator[Conversation]:
    """A conversation that is logged as the program does it, in which things go wrong."""
    talk = Conversation(tmp_path, lambda text: f"quokka and zeppelin, not {text}")

    async def main() -> None:
        async with talk.held():
            await talk.say("rhododendron xylophone")
            await talk.until_quiet()
            talk.voice.breaks_after = 2
            await talk.say("xylophone rhododendron")
            await talk.until_quiet()

    with log_file.open_log() as log, log_file.hook_exceptions(lambda what: None):
        talk.session._publish = lambda event: (talk.events.append(event), log.take(event))
        virtual_time.run(main())
        said = talk.turns[0].user_text
        log.take(Notice("error", f"no sound for {said!r}"))
        logger = logging.getLogger("goassist_desktop.test")
        logger.error("the voice broke", exc_info=EngineFailed(f"no sound for {said!r}"))
        logger.error("somebody was careless: %s", said)
        logging.getLogger("library").info("heard %s", said)
    assert [one.outcome for one in talk.turns] == ["completed", "failed"]
    yield talk
    caplog.get_records("setup").clear()


def test_no_word_of_a_conversation_is_in_it(export: Export, conversation: Conversation) -> None:
    assert "somebody was careless" in (log_file.folder() / log_file.NAME).read_text()
    members = export(turns=conversation.turns)
    assert "turn failed" in members["logs/goassist.log"]
    assert "somebody was careless: …" in members["logs/goassist.log"]
    assert len(json.loads(members["report.json"])["latency"]["turns"]) == 2
    for name, text in members.items():
        assert [word for word in WORDS if word in text.lower()] == [], name
    assert "no words of a conversation" in members["README.txt"]


def test_words_are_in_one_file_when_that_is_wished(
    export: Export, conversation: Conversation
) -> None:
    members = export(turns=conversation.turns, include_words=True)
    words = members.pop("transcript.txt")
    assert words.splitlines()[:2] == [
        "You: rhododendron xylophone",
        "GoAssist: quokka and zeppelin, not rhododendron xylophone",
    ]
    assert "transcript.txt" in members["README.txt"]
    for name, text in members.items():
        assert [word for word in WORDS if word in text.lower()] == [], name


# -- what can go wrong -----------------------------------------------------------------------------


def test_an_older_file_stays_until_the_new_one_is_whole(
    export: Export, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export()
    before = (tmp_path / "diagnostics.zip").read_bytes()

    def full(self: zipfile.ZipFile, name: str, text: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(zipfile.ZipFile, "writestr", full)
    with pytest.raises(GoAssistError, match=r"diagnostics.zip: can not be written: No space left"):
        export()
    assert (tmp_path / "diagnostics.zip").read_bytes() == before
    assert [path.name for path in tmp_path.glob("*.partial")] == []


def test_a_place_that_can_not_be_written_is_named(tmp_path: Path) -> None:
    path = tmp_path / "nowhere" / "diagnostics.zip"
    with pytest.raises(
        GoAssistError, match=r"nowhere/diagnostics.zip: can not be written: No such"
    ):
        diagnostics.export(path, CONFIG, include_words=False, examine=lambda config: FOUND)
