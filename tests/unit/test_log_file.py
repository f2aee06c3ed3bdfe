"""What the log holds, what it must not hold, and what nobody caught."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import stat
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from goassist_desktop import log_file
from goassist_desktop.pipeline.errors import BadInput, EngineFailed
from goassist_desktop.pipeline.events import Notice, PartialText, ReplyText, TurnClosed, UserText

SAID = "rhododendron"
LOUD = logging.getLogger("goassist_desktop.test")
LOUD.propagate = True


@pytest.fixture
def said() -> list[Notice]:
    return []


@pytest.fixture(autouse=True)
def the_tests_own_ears(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """What is logged here is meant to be: the fixture that fails a test for it looks away."""
    yield
    caplog.get_records("call").clear()


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / log_file.NAME).read_text().splitlines()]


def closed(text: str = SAID) -> TurnClosed:
    gap = {"response_gap": 412.4, "ttfa": None}
    return TurnClosed(7, text, text, text, "completed", False, {}, gap)


def test_a_line_tells_when_how_bad_who_and_in_which_turn(tmp_path: Path) -> None:
    with log_file.open_log(where=tmp_path) as log:
        log.begin_session()
        log.take(ReplyText(7, SAID, ""))
        LOUD.warning("the %s is late", "face")
        log.take(closed())
        LOUD.info("it goes on")
    begun, late, turn, on, ended = lines(tmp_path)
    assert begun["message"].startswith("begun")
    assert late["time"].endswith("+00:00")
    assert (late["level"], late["logger"]) == ("warning", "goassist_desktop.test")
    assert (late["message"], late["session"], late["turn"]) == ("the face is late", 1, 7)
    assert (turn["message"], turn["turn"]) == ("turn completed: response_gap 412 ms", 7)
    assert "turn" not in on
    assert ended["message"] == "ended"


def test_nothing_is_logged_after_the_end(tmp_path: Path) -> None:
    level = logging.getLogger("goassist_desktop").level
    with log_file.open_log(where=tmp_path):
        pass
    LOUD.error("too late")
    assert "too late" not in (tmp_path / log_file.NAME).read_text()
    assert logging.getLogger("goassist_desktop").level == level


def test_only_the_user_can_read_it(tmp_path: Path) -> None:
    with log_file.open_log(where=tmp_path / "log"):
        pass
    assert stat.S_IMODE((tmp_path / "log").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "log" / log_file.NAME).stat().st_mode) == 0o600


def test_it_takes_no_more_than_three_small_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_file, "LARGEST_BYTES", 2000)
    with log_file.open_log(where=tmp_path):
        for number in range(100):
            LOUD.info("line %d", number)
    kept = log_file.files(tmp_path)
    assert [path.name for path in kept] == ["goassist.log", "goassist.log.1", "goassist.log.2"]
    assert all(path.stat().st_size <= 2000 for path in kept)
    assert {stat.S_IMODE(path.stat().st_mode) for path in kept} == {0o600}


def test_a_file_that_was_deleted_is_begun_again(tmp_path: Path) -> None:
    with log_file.open_log(where=tmp_path):
        LOUD.info("before")
        (tmp_path / log_file.NAME).unlink()
        LOUD.info("after")
    assert [line["message"] for line in lines(tmp_path)] == ["after", "ended"]


def test_a_folder_that_can_not_be_written_is_told_of(tmp_path: Path, said: list[Notice]) -> None:
    (tmp_path / "file").touch()
    with log_file.open_log(said.append, tmp_path / "file" / "log") as log:
        log.begin_session()
        log.take(closed())
        LOUD.info("heard by nobody")
    assert [n.what for n in said] == ["No log is written: Not a directory. Everything else works."]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_is_told_of_once(tmp_path: Path, said: list[Notice]) -> None:
    (tmp_path / log_file.NAME).symlink_to("/dev/full")
    with log_file.open_log(said.append, tmp_path):
        LOUD.info("one")
        LOUD.info("two")
    assert [n.what for n in said] == [
        "No log is written: No space left on device. Everything else works."
    ]


# -- words -----------------------------------------------------------------------------------------


def stumble(error: type[Exception]) -> None:
    try:
        {}[SAID]
    except KeyError as missing:
        raise error(f'no sound for {SAID!r} in "{SAID}\'s"') from missing


@pytest.mark.parametrize("kind", [ValueError, EngineFailed])
def test_no_word_is_logged(tmp_path: Path, kind: type[Exception]) -> None:
    with log_file.open_log(where=tmp_path) as log:
        for event in (PartialText(SAID), UserText(SAID, True), ReplyText(1, SAID, SAID), closed()):
            log.take(event)
        log.take(Notice("error", f"the voice broke: {SAID!r}"))
        logging.getLogger("library").info("heard %s", SAID)
        logging.getLogger("library").warning("no phonemes for %r", SAID)
        try:
            stumble(kind)
        except kind:
            LOUD.exception("it broke")
    text = (tmp_path / log_file.NAME).read_text()
    assert SAID not in text
    assert "the voice broke: '…'" in text
    assert "no phonemes for '…'" in text
    (broke,) = (line for line in lines(tmp_path) if line["message"] == "it broke")
    first, second = broke["exception"].split("\nand then\n")
    assert first.splitlines()[-1] == "KeyError: '…'"
    assert "test_log_file.py" in second and "in stumble" in second
    assert second.splitlines()[-1] == f"{kind.__name__}: no sound for '…' in '…'"


def test_errors_of_files_and_settings_say_everything(tmp_path: Path) -> None:
    with log_file.open_log(where=tmp_path):
        for error in (FileNotFoundError(2, "No such file", "/x/y"), BadInput("reply.seed = 'x'")):
            LOUD.error("it broke", exc_info=error)
    said = [line.get("exception") for line in lines(tmp_path)]
    assert "FileNotFoundError: [Errno 2] No such file: '/x/y'" in said
    assert "BadInput: reply.seed = 'x'" in said


# -- what nobody caught ----------------------------------------------------------------------------


@pytest.fixture
def bugs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Hooked, with hooks of Python that say nothing, and a log in `tmp_path`."""
    for hook in ("excepthook", "unraisablehook"):
        monkeypatch.setattr(sys, hook, lambda *_: None)
    monkeypatch.setattr(threading, "excepthook", lambda *_: None)
    found: list[str] = []
    with log_file.open_log(where=tmp_path), log_file.hook_exceptions(found.append):
        yield found


def breaks() -> None:
    raise ValueError(SAID)


def logged(folder: Path) -> str:
    (line,) = (line for line in lines(folder) if line["level"] == "error")
    assert "ValueError: " in line["exception"]
    return str(line["message"])


def test_a_thread_that_breaks_is_logged_and_told(bugs: list[str], tmp_path: Path) -> None:
    thread = threading.Thread(target=breaks, name="worker")
    thread.start()
    thread.join()
    assert bugs == ["ValueError"]
    assert logged(tmp_path) == "a bug in the thread worker"


def test_the_main_thread_is_logged_and_told(bugs: list[str], tmp_path: Path) -> None:
    try:
        breaks()
    except ValueError:
        sys.excepthook(*sys.exc_info())  # type: ignore[arg-type]  # as Python and Qt's slots do
    assert bugs == ["ValueError"]
    assert logged(tmp_path) == "a bug in the main thread"


def test_ctrl_c_is_no_bug(bugs: list[str], tmp_path: Path) -> None:
    sys.excepthook(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert bugs == []
    assert all(line["level"] == "info" for line in lines(tmp_path))


def test_a_task_that_breaks_is_logged_and_told(bugs: list[str], tmp_path: Path) -> None:
    async def broken() -> None:
        raise ValueError(f"{SAID!r}")

    async def main() -> None:
        task = asyncio.create_task(broken())
        await asyncio.wait((task,))
        del task
        gc.collect()

    asyncio.run(main())
    assert bugs == ["ValueError"]
    assert logged(tmp_path).startswith("Task exception was never retrieved")
    assert SAID not in (tmp_path / log_file.NAME).read_text()


def test_what_can_not_be_raised_is_logged_only(bugs: list[str], tmp_path: Path) -> None:
    class Broken:
        def __del__(self) -> None:
            breaks()

    Broken()
    gc.collect()
    assert bugs == []
    assert logged(tmp_path) == "an error that can not be raised"


def test_the_hooks_are_as_before_at_the_end() -> None:
    before = sys.excepthook, threading.excepthook, sys.unraisablehook
    with log_file.hook_exceptions(lambda what: None):
        assert sys.excepthook is not before[0]
    assert (sys.excepthook, threading.excepthook, sys.unraisablehook) == before
