"""A session is kept while it goes on and held again from the copy; nothing is left behind."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from goassist_desktop import cli, turn_report
from goassist_desktop.app import make_session
from goassist_desktop.config import Config, Kiosk, Privacy
from goassist_desktop.kept_session import KeptSession
from goassist_desktop.pipeline import private_folder
from goassist_desktop.pipeline.conversation import State
from goassist_desktop.pipeline.errors import BadInput, GoAssistError
from goassist_desktop.pipeline.events import Notice, TurnClosed
from goassist_desktop.replay.player import Player
from goassist_desktop.replay.reading import read
from tests.fakes import virtual_time
from tests.fakes.stage import Conversation

CONFIG = Config(privacy=Privacy(keep_session=True), kiosk=Kiosk(pin="471147114711"))


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where sessions are recorded: no memory is plenty enough."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setattr(private_folder, "_in_memory", lambda room_bytes: None)
    return folder


@pytest.fixture
def talk(tmp_path: Path) -> Iterator[Conversation]:
    made = Conversation(tmp_path, lambda text: f"you said {text}")
    yield made
    made.endpoint.stop()


@contextmanager
def held(talk: Conversation, kept: KeptSession, config: Config = CONFIG) -> Iterator[None]:
    surroundings = (talk.engines, talk.endpoint, talk.events.append)
    with kept.recorded(config, *surroundings) as made_of:
        talk.session = make_session(config, made_of.engines, made_of.endpoint, made_of.publish)
        yield


def held_again(folder: Path) -> list[object]:
    """The events of a replay, which must be those of the recording."""
    events: list[object] = []
    player = Player(read(folder), None, events.append)
    player.run(lambda *surroundings: make_session(CONFIG, *surroundings))
    assert player.differences == []
    return events


def test_it_is_kept_in_the_middle_and_held_again(
    tmp_path: Path, temporary: Path, talk: Conversation, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = KeptSession()
    then = 0

    async def main() -> None:
        nonlocal then
        async with talk.held():
            await talk.say("hello there")
            await talk.until_quiet()
            await talk.say("what time is noon")
            await talk.until_state(State.SPEAKING)
            then = len(talk.events)
            kept.keep(tmp_path / "first")
            beside = threading.Thread(target=kept.keep, args=(tmp_path / "beside",))
            beside.start()
            await talk.until_quiet()
            await talk.say("thank you")
            await talk.until_quiet()
            kept.keep(tmp_path / "second")
            beside.join()

    with held(talk, kept):
        assert len(list(temporary.iterdir())) == 1
        virtual_time.run(main())
    assert list(temporary.iterdir()) == []

    assert held_again(tmp_path / "first") == talk.events[:then]
    first = [e for e in held_again(tmp_path / "first") if isinstance(e, TurnClosed)]
    assert [turn.user_text for turn in first] == ["hello there"]
    beside = held_again(tmp_path / "beside")
    assert beside == talk.events[: len(beside)]
    assert len(beside) >= then
    second = [e for e in held_again(tmp_path / "second") if isinstance(e, TurnClosed)]
    assert [turn.user_text for turn in second] == ["hello there", "what time is noon", "thank you"]
    assert cli.main(["replay", str(tmp_path / "second"), "--as-recorded"]) == 0
    assert "the same" in capsys.readouterr().out
    assert (tmp_path / "second").stat().st_mode & 0o777 == 0o700


def test_the_report_of_a_turn_is_held_again(
    tmp_path: Path, temporary: Path, talk: Conversation
) -> None:
    kept = KeptSession()

    async def main() -> None:
        async with talk.held():
            await talk.say("hello there")
            await talk.until_quiet()
            saved = turn_report.save(tmp_path / "report", talk.turns[0], ["late"], "", kept.keep)
            assert saved.without == ""

    with held(talk, kept):
        virtual_time.run(main())
    assert (tmp_path / "report" / "report.json").exists()
    assert not any(b"471147114711" in p.read_bytes() for p in (tmp_path / "report").iterdir())
    again = [e for e in held_again(tmp_path / "report") if isinstance(e, TurnClosed)]
    assert again == talk.turns


def test_nothing_is_recorded_unless_it_is_wanted(
    tmp_path: Path, temporary: Path, talk: Conversation
) -> None:
    kept = KeptSession()
    with held(talk, kept, Config()):
        assert list(temporary.iterdir()) == []
        with pytest.raises(BadInput, match="Nothing was recorded"):
            kept.keep(tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_after_the_end_there_is_nothing_to_keep(
    tmp_path: Path, temporary: Path, talk: Conversation
) -> None:
    kept = KeptSession()
    with held(talk, kept):
        kept.keep(tmp_path / "copy")
    with pytest.raises(BadInput, match="Nothing was recorded"):
        kept.keep(tmp_path / "another")


def test_at_the_limit_it_ends_and_what_there_is_can_be_kept(
    tmp_path: Path, temporary: Path, talk: Conversation
) -> None:
    kept = KeptSession(limit_bytes=200_000)

    async def main() -> None:
        async with talk.held():
            while not any(isinstance(event, Notice) for event in talk.events):
                await talk.say("one two three")
                await talk.pass_time(1.0)
            await talk.until_quiet()
            await talk.say("it goes on")
            await talk.until_quiet()
            kept.keep(tmp_path / "copy")

    with held(talk, kept):
        virtual_time.run(main())
    (notice,) = (event for event in talk.events if isinstance(event, Notice))
    assert notice.what == ("the recording ends here: it may take 0.2 MB, and does")
    assert talk.turns[-1].user_text == "it goes on"
    again = [e for e in held_again(tmp_path / "copy") if isinstance(e, TurnClosed)]
    before = [turn.user_text for turn in talk.turns[:-1]]
    assert [turn.user_text for turn in again] == before[: len(again)]


def test_where_nothing_can_be_recorded_the_session_is_held(
    tmp_path: Path, temporary: Path, talk: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = KeptSession()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))

    async def main() -> None:
        async with talk.held():
            await talk.say("hello")
            await talk.until_quiet()

    with held(talk, kept):
        virtual_time.run(main())
    assert [turn.user_text for turn in talk.turns] == ["hello"]
    (notice,) = (event for event in talk.events if isinstance(event, Notice))
    assert notice.what.startswith("This session is not kept: ")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_copy_that_can_not_be_written_leaves_nothing(
    tmp_path: Path, temporary: Path, talk: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = KeptSession()
    opened = Path.open

    def full(path: Path, mode: str = "r", **how: object) -> object:
        target = Path("/dev/full") if path.name == "voice.wav" and mode == "xb" else path
        return opened(target, "wb" if target != path else mode, **how)  # type: ignore[call-overload]

    with held(talk, kept):
        monkeypatch.setattr(Path, "open", full)
        with pytest.raises(GoAssistError, match="can not be written: No space left"):
            kept.keep(tmp_path / "copy")
        monkeypatch.undo()
    assert not (tmp_path / "copy").exists()


def test_a_folder_in_use_is_refused(tmp_path: Path, temporary: Path, talk: Conversation) -> None:
    kept = KeptSession()
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / "letter").write_text("dear")
    with held(talk, kept), pytest.raises(BadInput, match="is not empty"):
        kept.keep(tmp_path / "copy")
    assert (tmp_path / "copy" / "letter").read_text() == "dear"
