"""Conversations with real models: recorded and held again, or rehearsed on virtual time."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from goassist_desktop import config
from goassist_desktop.app import loaded_engines
from goassist_desktop.conversing import Until, rehearse
from goassist_desktop.pipeline.endpoints.capture import DEVICE_RATE_HZ, CaptureChain
from goassist_desktop.pipeline.endpoints.recording import RecordingEndpoint
from goassist_desktop.pipeline.events import SessionEvent, TurnClosed
from goassist_desktop.talk import read_recording
from tests.talk.conftest import DATA, GOASSIST, Talked, environment
from tests.talk.hearing import plain

VOICES = DATA / "voices"

SCRIPT = f"""
[[say]]
wav = "{VOICES}/joe_story.flac"
[[say]]
wav = "{VOICES}/joe_germany.flac"
after = "speaking"
delay_s = 2.0
[[say]]
wav = "{VOICES}/slt_water.flac"
"""


def replay(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(word) for word in (GOASSIST, "replay", *arguments)],
        capture_output=True,
        text=True,
        timeout=200,
        env=environment(),
    )


def test_a_recorded_conversation_comes_to_the_same_decisions(
    talk: Callable[..., Talked], tmp_path: Path
) -> None:
    script, folder = tmp_path / "script.toml", tmp_path / "recording"
    script.write_text(SCRIPT)
    talked = talk(
        "--script", script, "--echo-delay-ms", 60, "--echo-gain-db", -10, "--record", folder
    )
    assert talked.status == 0, talked.printed
    assert f"Recording to {folder}" in talked.printed.replace("\n", "")
    assert [turn["outcome"] for turn in talked.turns] == ["interrupted", "completed", "completed"]
    for arguments in ((), ("--as-recorded",)):
        done = replay(folder, *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "the same: " in done.stdout
        for turn in talked.turns:
            assert turn["user_text"] in done.stdout
            assert turn["heard_text"] in done.stdout


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGKILL], ids=["interrupted", "killed"])
def test_what_was_recorded_until_it_ended_is_held_again(tmp_path: Path, ending: int) -> None:
    folder = tmp_path / "recording"
    talking = subprocess.Popen(
        [GOASSIST, "talk", VOICES / "joe_story.flac", "--record", folder],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment(),
    )
    try:
        journal, deadline = folder / "journal.jsonl", time.monotonic() + 60
        while '"speaking"' not in (journal.read_text() if journal.exists() else ""):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        talking.send_signal(ending)
        talking.communicate(timeout=20)
    finally:
        talking.kill()
        talking.wait()
    done = replay(folder, "--as-recorded")
    assert done.returncode == 0, done.stdout + done.stderr
    assert ("cut off" in done.stdout) == (ending == signal.SIGKILL)
    assert "the same: " in done.stdout


def test_a_rehearsal_is_the_same_every_time() -> None:
    """Real engines, and yet: what they cost is fixed, so nothing depends on the machine."""
    settings = config.load({"profile": "ci"}, environment={})
    story, question = (read_recording(VOICES / f"{n}.flac") for n in ("joe_story", "joe_germany"))

    async def script(until: Until) -> None:
        endpoint = until.endpoint
        await until.quiet()
        endpoint.say(story)
        reply = await until.reply_to(endpoint.said[-1])
        endpoint.say(question, at=reply + 2 * DEVICE_RATE_HZ)
        await until.quiet(endpoint.said[-1])

    def once() -> list[SessionEvent]:
        events: list[SessionEvent] = []
        endpoint = RecordingEndpoint(CaptureChain(echo=False), realtime=False)
        with loaded_engines(settings) as engines:  # what the model's cache holds tips its words
            rehearse(settings, engines, endpoint, script, events.append)
        return events

    events, again = once(), once()
    told, answered = (event for event in events if isinstance(event, TurnClosed))
    assert told.outcome == "interrupted"
    assert "berlin" in plain(answered.heard_text)
    assert again == events
