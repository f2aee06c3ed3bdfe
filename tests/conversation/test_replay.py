"""What was recorded is held again: the same decisions, and what is not the same is named."""

from __future__ import annotations

import json
import re
import shutil
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from goassist_desktop import cli
from goassist_desktop.app import make_session, system_prompt
from goassist_desktop.config import Config, Reply
from goassist_desktop.pipeline.conversation import State
from goassist_desktop.pipeline.errors import BadInput, GoAssistError
from goassist_desktop.pipeline.events import Notice, SessionEvent
from goassist_desktop.pipeline.frames import Samples, Transcript
from goassist_desktop.pipeline.workers import Engines, Hosted
from goassist_desktop.replay.facts import recorded_config
from goassist_desktop.replay.journal import Journal, new_folder
from goassist_desktop.replay.player import Player
from goassist_desktop.replay.reading import Over, read
from goassist_desktop.replay.recorder import Surroundings, recording
from tests.conversation.test_ladder import ANSWER, Lettered, Mending, talk_with
from tests.conversation.test_ladder import answer as ladder_answer
from tests.fakes import virtual_time
from tests.fakes.faces import FRAME_MS, BrokenFace, LoudnessFace, dies
from tests.fakes.stage import Conversation
from tests.fakes.tones import (
    USER,
    LoudnessActivity,
    ScriptedModel,
    ToneRecogniser,
    ToneVoice,
    WordDetector,
    cough,
)

CONFIG = Config()
STORY = " ".join(f"w{chr(97 + n // 26)}{chr(97 + n % 26)}" for n in range(30))


def answer(text: str) -> str:
    return STORY if "story" in text else f"you said {text}"


@contextmanager
def recorded(talk: Conversation, folder: Path) -> Iterator[Surroundings]:
    """Have a conversation recorded, with the settings of CONFIG."""
    surroundings = (talk.engines, talk.endpoint, talk.events.append)
    with recording(folder, {"config": asdict(CONFIG)}, *surroundings) as made_of:
        talk.session = make_session(CONFIG, made_of.engines, made_of.endpoint, made_of.publish)
        yield made_of


@pytest.fixture(scope="module")
def conversation(tmp_path_factory: pytest.TempPathFactory) -> Conversation:
    """A story with a cough in it, then cut by a question, then an open sentence."""
    talk = Conversation(tmp_path_factory.mktemp("talk"), answer)
    talk.folder = tmp_path_factory.mktemp("recording")

    async def main() -> None:
        async with talk.held():
            await talk.say("tell a story")
            await talk.until_state(State.SPEAKING)
            await talk.pass_time(1.0)
            await talk.cough()
            await talk.pass_time(1.5)
            await talk.say("what time is noon")
            await talk.until_quiet()
            await talk.say("one two and")
            await talk.pass_time(0.7)
            await talk.say("three")
            await talk.until_quiet()
            await talk.say("tell a story")
            await talk.until_state(State.SPEAKING)
            await talk.pass_time(0.3)

    with recorded(talk, talk.folder):
        virtual_time.run(main())
    return talk


@pytest.fixture
def folder(conversation: Conversation, tmp_path: Path) -> Path:
    """A copy of the recording, to be spoilt."""
    return Path(shutil.copytree(conversation.folder, tmp_path / "copy"))


def tone_engines() -> Engines:
    return Engines(
        LoudnessActivity(),
        Hosted(WordDetector(), virtual_time.VirtualLane()),
        Hosted(ToneRecogniser(), virtual_time.VirtualLane()),
        Hosted(ScriptedModel(answer), virtual_time.VirtualLane()),
        Hosted(ToneVoice(), virtual_time.VirtualLane()),
    )


def replay(
    folder: Path, engines: Engines | None = None, config: Config = CONFIG
) -> tuple[Player, list[SessionEvent]]:
    events: list[SessionEvent] = []
    player = Player(read(folder), engines, events.append)
    player.run(lambda *surroundings: make_session(config, *surroundings))
    return player, events


def test_a_recorded_conversation_is_held_again(conversation: Conversation) -> None:
    outcomes = [(turn.outcome, [b.outcome for b in turn.barge_ins]) for turn in conversation.turns]
    assert outcomes == [
        ("interrupted", ["resumed", "stopped"]),
        ("completed", []),
        ("completed", []),
        ("interrupted", []),
    ]
    player, events = replay(conversation.folder)
    assert player.differences == []
    assert events == conversation.events


def test_the_engines_are_asked_again(conversation: Conversation) -> None:
    player, events = replay(conversation.folder, tone_engines())
    assert player.differences == []
    assert events == conversation.events
    then = read(conversation.folder)
    arrived = sum(not isinstance(result, Over) for call in then.calls for result in call.results)
    assert player.results == sum(map(len, then.frames.values())) + arrived


def test_another_result_is_named_and_changes_nothing_else(conversation: Conversation) -> None:
    class Mishearing(ToneRecogniser):
        def transcribe(self, audio: Samples) -> Transcript:
            return Transcript(super().transcribe(audio).text.replace("noon", "moon"))

    engines = tone_engines()
    engines.recogniser.engine.transcribe = Mishearing().transcribe
    player, events = replay(conversation.folder, engines)
    assert {d.what for d in player.differences} == {
        "recognition: 'what time is moon', was 'what time is noon'"
    }
    asked = next(turn for turn in conversation.turns if "noon" in turn.user_text)
    onset_ms, decided_ms = (asked.marks_ms[m] for m in ("onset", "decision"))
    assert all(onset_ms <= d.at_ms <= decided_ms + 10 for d in player.differences)
    assert events == conversation.events


def test_another_decision_ends_the_comparison(conversation: Conversation) -> None:
    sown = Config(reply=Reply(seed=7))
    player, events = replay(conversation.folder, config=sown)
    (first,) = player.differences
    assert first.decision
    assert first.what.startswith("language_model: asked to reply ")
    assert "['seed', 7]" in first.what.partition(", was ")[0]
    assert "['seed', 0]" in first.what.partition(", was ")[2]
    assert first.at_ms < conversation.turns[0].marks_ms["first_token"]
    assert len(events) < len(conversation.events)


def test_the_command_says_whether_it_is_the_same(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["replay", str(folder), "--as-recorded"]) == 0
    assert "the same" in capsys.readouterr().out
    edit(
        folder,
        lambda lines: [line.replace('"reason":"words"', '"reason":"noise"') for line in lines],
    )
    assert cli.main(["replay", str(folder), "--as-recorded"]) == 1
    assert "s: TurnClosed: reason 'words', was 'noise'" in capsys.readouterr().out


def edit(folder: Path, change: Callable[[list[str]], list[str]]) -> None:
    journal = folder / "journal.jsonl"
    journal.write_text("\n".join(change(journal.read_text().split("\n"))))


def test_what_events_did_not_say_yet_is_not_compared(
    conversation: Conversation, folder: Path
) -> None:
    def older(line: str) -> str:
        return re.sub(r',"(starved_ms|source)":[^,}]+', "", line)

    edit(folder, lambda lines: [older(line) for line in lines])
    assert len(read(folder).events) == len(conversation.events)
    assert not any("starved_ms" in value for _, value in read(folder).events)
    player, events = replay(folder)
    assert player.differences == []
    assert events == conversation.events


@pytest.mark.parametrize("part", [0.2, 0.5, 0.9])
def test_a_recording_cut_off_is_held_up_to_its_end(
    conversation: Conversation, folder: Path, part: float
) -> None:
    text = (folder / "journal.jsonl").read_text()
    (folder / "journal.jsonl").write_text(text[: round(part * len(text))])
    assert 0 < read(folder).seconds < read(conversation.folder).seconds
    player, events = replay(folder)
    assert player.differences == []
    assert 0 < len(events) < len(conversation.events)
    assert events == conversation.events[: len(events)]


def damaged_line(lines: list[str]) -> list[str]:
    return [*lines[:99], '["block","soon"]', *lines[100:]]


def unknown_call(lines: list[str]) -> list[str]:
    return [*lines[:99], '["item",1.0,4711,null]', *lines[100:]]


def unknown_request(lines: list[str]) -> list[str]:
    return [*lines[:99], '["request",1.0,"run",[]]', *lines[100:]]


def wrong_request(lines: list[str]) -> list[str]:
    return [*lines[:99], '["request",1.0,"say",[1]]', *lines[100:]]


def other_format(lines: list[str]) -> list[str]:
    return ['{"format":99}', *lines[1:]]


def headless(lines: list[str]) -> list[str]:
    return lines[1:]


def bare_header(lines: list[str]) -> list[str]:
    return ['{"format":1}', *lines[1:]]


def unknown_setting(lines: list[str]) -> list[str]:
    header = json.loads(lines[0])
    header["config"]["reply"]["rhyme"] = True
    return [json.dumps(header), *lines[1:]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (damaged_line, "journal.jsonl, line 100: damaged"),
        (unknown_call, "journal.jsonl, line 100: damaged"),
        (unknown_request, "journal.jsonl, line 100: damaged"),
        (wrong_request, "journal.jsonl, line 100: damaged"),
        (other_format, "of format 99; this version reads format 1"),
        (headless, "not the journal of a recording"),
        (bare_header, "its header lacks config, context_tokens"),
        (lambda lines: [], "not the journal of a recording"),
        (unknown_setting, "settings that this version does not know"),
    ],
)
def test_a_damaged_journal_is_refused(
    folder: Path,
    change: Callable[[list[str]], list[str]],
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    edit(folder, change)
    assert cli.main(["replay", str(folder), "--as-recorded"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line


def test_a_damaged_sound_is_refused(folder: Path) -> None:
    microphone = folder / "microphone.wav"
    samples, rate_hz = soundfile.read(microphone, dtype="int16")
    soundfile.write(microphone, samples[: len(samples) // 2], rate_hz)
    with pytest.raises(BadInput, match=r"microphone.wav: \d+\.\d+ s long, and the journal speaks"):
        read(folder)
    soundfile.write(microphone, samples, 48_000)
    with pytest.raises(BadInput, match="not of a recording: 48000 Hz"):
        read(folder)
    microphone.write_bytes(b"not a sound")
    with pytest.raises(BadInput, match="can not be read"):
        read(folder)


def test_what_is_no_recording_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"journal.jsonl: No such file .* what --record left"):
        read(tmp_path)


def test_sound_may_be_packed(conversation: Conversation, folder: Path) -> None:
    for wav in folder.glob("*.wav"):
        samples, rate_hz = soundfile.read(wav, dtype="int16")
        soundfile.write(wav.with_suffix(".flac"), samples, rate_hz)
        wav.unlink()
    player, events = replay(folder)
    assert player.differences == []
    assert events == conversation.events


def test_another_sound_of_the_loudspeaker_is_a_difference(folder: Path) -> None:
    path = folder / "loudspeaker.wav"
    samples, rate_hz = soundfile.read(path, dtype="int16")
    loud = int(np.flatnonzero(samples)[1000])
    samples[loud] += 1
    soundfile.write(path, samples, rate_hz)
    (first,) = replay(folder)[0].differences
    assert first.what == f"the loudspeaker plays something else at {loud // 480 / 100:.2f} s"


def test_the_folder_is_private_and_new(tmp_path: Path) -> None:
    folder = new_folder(tmp_path / "recording")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    folder.chmod(0o755)
    assert stat.S_IMODE(new_folder(folder).stat().st_mode) == 0o700  # empty, so it may be used
    (folder / "letter").touch()
    for path, message in (
        (folder, "is not empty"),
        (tmp_path / "no" / "where", "No such file"),
        (folder / "letter", "File exists"),
    ):
        with pytest.raises(BadInput, match=message):
            new_folder(path)


def to_full_disk(folder: Path) -> Journal:
    (folder / "journal.jsonl").symlink_to("/dev/full")
    return Journal(folder, {}, 48_000, 24_000)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_ends_the_recording_and_nothing_else(tmp_path: Path) -> None:
    told: list[GoAssistError] = []
    said = threading.Event()
    with to_full_disk(tmp_path) as journal:
        journal.on_failure = lambda error: (told.append(error), said.set())
        assert said.wait(10)
        journal.line(["block", 1.0])
    assert "journal.jsonl: can not be written: No space left on device" in str(told[0])
    assert len(told) == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_recording_that_fails_at_its_end_says_so(tmp_path: Path) -> None:
    journal = to_full_disk(tmp_path)
    with pytest.raises(GoAssistError, match="No space left"):
        journal.close()


def test_notices_of_the_endpoint_come_again(tmp_path: Path) -> None:
    talk = Conversation(tmp_path, answer)
    notice = Notice("warning", "your microphone is silent: is it muted?")

    async def main() -> None:
        async with talk.held():
            await talk.say("hello")
            talk.endpoint._notify(notice)
            await talk.until_quiet()

    with recorded(talk, tmp_path / "recording"):
        virtual_time.run(main())
    assert notice in talk.events
    player, events = replay(tmp_path / "recording")
    assert player.differences == []
    assert events == talk.events


def test_a_failure_of_an_engine_comes_again(tmp_path: Path) -> None:
    talk = Conversation(tmp_path, answer)
    talk.model.fail_after = 2

    async def main() -> None:
        async with talk.held():
            await talk.say("hello")
            await talk.until_quiet()

    with recorded(talk, tmp_path / "recording"):
        virtual_time.run(main())
    assert [turn.outcome for turn in talk.turns] == ["failed"]
    player, events = replay(tmp_path / "recording")
    assert player.differences == []
    assert events == talk.events
    player, events = replay(tmp_path / "recording", tone_engines())
    assert [d.what for d in player.differences][:1] == [
        "language_model: 'None', was 'the model broke'"
    ]
    assert events == talk.events


def test_what_was_asked_for_comes_again(tmp_path: Path) -> None:
    """Typed words, the greeting, mute, the key to talk, the stop button and sleep."""
    talk = Conversation(tmp_path, answer)

    async def main(made_of: Surroundings) -> None:
        session, ask = talk.session, made_of.ask
        ask(session.greet, "good morning")
        async with talk.held():
            await talk.until_quiet()
            ask(session.say, "tell a story")
            await talk.until_state(State.SPEAKING)
            await talk.pass_time(1.0)
            ask(session.mute, True)
            await talk.say("a secret word")
            ask(session.push_to_talk, True)
            await talk.say("what time is noon and")
            ask(session.push_to_talk, False)
            await talk.until_quiet()
            ask(session.mute, False)
            ask(session.push_to_talk_only, True)
            await talk.say("another secret")
            ask(session.push_to_talk_only, False)
            await talk.say("tell a story")
            await talk.until_state(State.SPEAKING)
            ask(session.stop_talking)
            await talk.until_quiet()
            ask(session.sleep, "mira")
            await talk.say("good morning")
            await talk.say("mira good night")
            await talk.until_quiet()

    with recorded(talk, tmp_path / "recording") as made_of:
        virtual_time.run(main(made_of))
    assert [(turn.user_text, turn.outcome) for turn in talk.turns] == [
        ("", "completed"),
        ("tell a story", "interrupted"),
        ("what time is noon and", "completed"),
        ("tell a story", "interrupted"),
        ("good night", "completed"),
    ]
    player, events = replay(tmp_path / "recording")
    assert player.differences == []
    assert events == talk.events
    # What is said while muted is not recorded either.
    microphone, _ = soundfile.read(tmp_path / "recording" / "microphone.wav")
    assert not ToneRecogniser().transcribe(microphone.astype("f4")).text.count("secret")
    taken = read(tmp_path / "recording").taken
    assert sum(one.what[0] == "request" for one in taken) == 10


ASKED = {
    "say": lambda session: (session.say, "what time is noon"),
    "tell": lambda session: (session.say, "tell a story"),
    "stop": lambda session: (session.stop_talking,),
    "greet": lambda session: (session.greet, "good morning"),
    "mute": lambda session: (session.mute, True),
    "unmute": lambda session: (session.mute, False),
    "press": lambda session: (session.push_to_talk, True),
    "release": lambda session: (session.push_to_talk, False),
    "only pressed": lambda session: (session.push_to_talk_only, True),
    "hands free": lambda session: (session.push_to_talk_only, False),
    "sleep": lambda session: (session.sleep, "mira"),
    "doze": lambda session: (session.sleep, ""),
}
SPOKEN = ("tell a story", "mira what time is noon", "one two and", "yeah", "stop", "hey mira")


@settings(max_examples=12, deadline=None)
@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from([*ASKED, *SPOKEN, "cough"]), st.sampled_from([0.0, 0.05, 0.3, 1.5])
        ),
        min_size=1,
        max_size=16,
    )
)
def test_whatever_is_asked_and_said_comes_to_an_end_and_comes_again(
    steps: list[tuple[str, float]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    talk = Conversation(tmp_path_factory.mktemp("talk"), answer)
    talk.model.seconds["reply"] = 0.1
    folder = tmp_path_factory.mktemp("recording")

    async def main(made_of: Surroundings) -> None:
        async with talk.held():
            for what, seconds in steps:
                if what in ASKED:
                    made_of.ask(*ASKED[what](talk.session))
                elif what == "cough":
                    talk.endpoint.say(cough(0.4, 48_000))
                else:
                    talk.endpoint.say(USER.say(what, 48_000)[0])
                await talk.pass_time(seconds)
            made_of.ask(talk.session.push_to_talk, False)
            await talk.pass_time(0.1)  # what was asked last is begun
            await talk.until(lambda: not talk.endpoint.saying)
            await talk.until_quiet()
            await talk.pass_time(0.2)  # the model finishes its step
            assert talk.model.open_replies == 0
            made_of.ask(talk.session.push_to_talk_only, False)
            made_of.ask(talk.session.mute, False)
            made_of.ask(talk.session.say, "what time is noon")
            await talk.pass_time(0.1)
            await talk.until_quiet()

    with recorded(talk, folder) as made_of:
        virtual_time.run(main(made_of))
    assert talk.turns[-1].user_text.endswith("what time is noon")
    assert talk.turns[-1].outcome == "completed"
    ids = [turn.turn_id for turn in talk.turns]
    assert ids == sorted(set(ids))
    player, events = replay(folder)
    assert player.differences == []
    assert events == talk.events


def test_recordings_from_before_there_were_personas_are_held_again(
    conversation: Conversation, folder: Path
) -> None:
    def older(lines: list[str]) -> list[str]:
        header = json.loads(lines[0])
        assert header["config"].pop("persona")
        header["config"]["reply"]["system_prompt"] = system_prompt(CONFIG)
        return [json.dumps(header), *lines[1:]]

    edit(folder, older)
    player, _ = replay(folder, config=recorded_config(read(folder).header))
    assert player.differences == []


@pytest.mark.parametrize("fault", ["breaks", "lags"])
def test_what_is_said_of_the_face_is_no_part_of_it(tmp_path: Path, fault: str) -> None:
    slow = LoudnessFace("slow")
    slow.seconds = {"push": 3 * FRAME_MS / 1000}
    face = [BrokenFace(dies, 400.0), LoudnessFace()] if fault == "breaks" else [slow]
    talk = Conversation(tmp_path, answer, face=face)

    async def main() -> None:
        async with talk.held():
            await talk.say("tell a story")
            await talk.until_state(State.SPEAKING)
            await talk.pass_time(2.0)
            await talk.say("what time is noon")
            await talk.until_quiet()

    with recorded(talk, tmp_path / "recording"):
        virtual_time.run(main())
    of_the_face = [e for e in talk.events if isinstance(e, Notice) and e.source == "face"]
    assert of_the_face
    player, events = replay(tmp_path / "recording")
    assert player.differences == []
    assert events == [event for event in talk.events if event not in of_the_face]


def test_an_engine_that_is_replaced_is_replaced_again(tmp_path: Path) -> None:
    """The model breaks each time it is back, the voice breaks and stays away."""
    talk = talk_with(
        tmp_path,
        model=Lettered(22),
        voice=Mending(attempts=100),
        spares=[ScriptedModel(ladder_answer), ToneVoice()],
    )

    async def main() -> None:
        async with talk.held():
            for _ in range(3):
                await talk.say("go on")
                await talk.until_quiet()
                await talk.pass_time(4.0)

    with recorded(talk, tmp_path / "recording"):
        virtual_time.run(main())
    assert [turn.heard_text for turn in talk.turns] == [ANSWER] * 3
    replaced = [event for event in talk.events if isinstance(event, Notice)]
    assert {event.source for event in replaced} == {"language_model", "synthesis"}
    player, events = replay(tmp_path / "recording")
    assert player.differences == []
    assert events == talk.events
