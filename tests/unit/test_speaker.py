"""The loudspeaker's buffer, against a plain model of what should have left it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from goassist_desktop.pipeline.frames import Word
from goassist_desktop.pipeline.speaker import FADE_MS, REWIND_MS, Heard, Speaker

RATE_HZ = 48_000
FADE = RATE_HZ * FADE_MS // 1000


def word(start: int, end: int) -> Word:
    return Word("x", start, end)


def ones(count: int) -> np.ndarray:
    return np.ones(count, np.float32)


def playing(length: int = 48_000, words: list[Word] | None = None) -> Speaker:
    speaker = Speaker(RATE_HZ)
    speaker.begin(1)
    speaker.push(1, ones(length), words or [])
    speaker.open(1)
    return speaker


def test_silence_when_there_is_nothing() -> None:
    speaker = Speaker(RATE_HZ)
    assert not speaker.pull(480).any()
    assert speaker.rendered == 480
    assert not speaker.progress().ended


def test_sound_waits_for_open() -> None:
    speaker = Speaker(RATE_HZ)
    speaker.begin(1)
    speaker.push(1, ones(1000), [])
    assert not speaker.pull(480).any()
    assert speaker.progress().first_sample is None
    speaker.open(1)
    assert speaker.pull(480).all()
    assert speaker.progress().first_sample == 480


def test_it_runs_short_when_the_next_of_the_reply_is_needed_soon() -> None:
    speaker = playing(3 * RATE_HZ)
    assert not speaker.runs_short
    speaker.pull(2 * RATE_HZ)
    assert speaker.runs_short
    speaker.push(1, ones(3 * RATE_HZ), [])
    assert not speaker.runs_short
    speaker.pull(3 * RATE_HZ)
    speaker.complete(1)
    assert not speaker.runs_short


def test_stale_speech_is_dropped() -> None:
    speaker = playing(100)
    speaker.begin(2)
    speaker.open(2)
    speaker.push(1, ones(1000), [])
    speaker.open(1)
    speaker.complete(1)
    assert not speaker.pull(480).any()
    assert not speaker.progress().ended


def test_a_word_is_heard_with_its_last_sample() -> None:
    speaker = playing(2000, [word(0, 480), word(500, 961)])
    speaker.pull(480)
    assert speaker.progress().heard_words == 1
    speaker.pull(480)
    assert speaker.progress().heard_words == 1
    speaker.pull(1)
    assert speaker.progress().heard_words == 2


def test_it_ends_when_all_was_played_and_nothing_follows() -> None:
    speaker = playing(700)
    speaker.pull(480)
    speaker.complete(1)
    assert not speaker.progress().ended
    speaker.pull(480)
    assert speaker.progress().ended
    assert speaker.progress().last_sample == 700


def test_an_underrun_is_silence_and_loses_nothing() -> None:
    speaker = playing(100)
    assert speaker.pull(480).sum() == 100
    speaker.push(1, ones(100), [word(0, 100)])
    assert speaker.pull(480).sum() == 100
    assert speaker.progress().heard_words == 1


def test_a_hold_falls_to_silence_without_a_click() -> None:
    speaker = playing()
    before = speaker.pull(480)
    speaker.hold()
    faded = speaker.pull(960)
    assert not faded[FADE:].any()
    assert np.abs(np.diff(faded, prepend=before[-1])).max() < 0.01
    assert speaker.progress().silent_from == 480 + FADE
    assert not speaker.pull(48_000).any()


def test_it_resumes_at_the_start_of_the_cut_word() -> None:
    ramp = np.linspace(0.1, 0.9, 48_000, dtype=np.float32)
    speaker = Speaker(RATE_HZ)
    speaker.begin(1)
    speaker.push(1, ramp, [word(0, 9_000), word(10_000, 30_000)])
    speaker.open(1)
    speaker.pull(20_000)
    speaker.hold()
    speaker.pull(4_800)
    speaker.resume()
    back = 10_000 - RATE_HZ * REWIND_MS // 1000
    out = speaker.pull(4_800)
    assert np.allclose(out[FADE:], ramp[back + FADE : back + 4_800])
    assert np.abs(np.diff(out, prepend=0.0)).max() < 0.01  # out of silence, it rises
    assert speaker.progress().silent_from is None


def test_between_two_words_it_resumes_where_the_fade_ended() -> None:
    ramp = np.linspace(0.1, 0.9, 48_000, dtype=np.float32)
    speaker = Speaker(RATE_HZ)
    speaker.begin(1)
    speaker.push(1, ramp, [word(0, 9_000), word(30_000, 40_000)])
    speaker.open(1)
    speaker.pull(20_000)
    speaker.hold()
    speaker.pull(4_800)
    speaker.resume()
    out = speaker.pull(4_800)
    assert np.allclose(out[FADE:], ramp[20_000 + 2 * FADE :][: 4_800 - FADE])


def test_what_is_due_is_known_before_it_is_heard() -> None:
    speaker = playing(4800)
    speaker.pull(960)
    assert speaker.heard(900) == Heard(1, 900, silent=0)
    assert speaker.heard(960 + 480) == Heard(1, 1440, silent=0)
    assert speaker.heard(4800 + 100) == Heard(1, 4800, silent=100), "after its end"
    speaker.hold()
    speaker.pull(960)
    assert speaker.heard(1920) == Heard(1, 960, silent=960)
    assert speaker.heard(2400) == Heard(1, 960, silent=1440)


def test_the_samples_of_a_fade_were_heard() -> None:
    speaker = playing(48_000, [word(0, 480 + FADE), word(480 + FADE, 2_000)])
    speaker.pull(480)
    assert speaker.progress().heard_words == 0
    speaker.hold()
    progress = speaker.progress()
    assert progress.heard_words == 1
    assert progress.last_sample == 480 + FADE
    assert progress.ahead_s == pytest.approx((48_000 - 480 - FADE) / RATE_HZ)


def test_a_stale_turn_opens_nothing() -> None:
    speaker = playing(100)
    speaker.begin(2)
    speaker.push(2, ones(1000), [])
    speaker.open(1)
    assert not speaker.pull(480).any()
    speaker.open(2)
    assert speaker.pull(480).all()


def test_a_hold_before_the_first_sound_keeps_all_of_it() -> None:
    speaker = playing(1000)
    speaker.hold()
    assert not speaker.pull(480).any()
    speaker.resume()
    speaker.complete(1)
    speaker.pull(480)
    speaker.pull(1000)
    assert speaker.progress().ended


def test_a_flush_says_what_was_heard_and_fades() -> None:
    speaker = playing(48_000, [word(0, 4_000), word(4_000, 8_000)])
    speaker.pull(5_000)
    heard = speaker.flush(1)
    assert heard.heard_words == 1
    assert heard.last_sample == 5_000 + FADE
    faded = speaker.pull(960)
    assert np.abs(np.diff(faded, prepend=1.0)).max() < 0.01
    assert not faded[FADE:].any()
    assert not speaker.pull(48_000).any()


def test_a_flush_of_another_turn_changes_nothing() -> None:
    speaker = playing(1000)
    assert speaker.flush(7).heard_words == 0
    assert speaker.pull(480).all()


@given(st.lists(st.integers(1, 3000), min_size=1, max_size=8), st.integers(1, 2000))
@settings(deadline=None, max_examples=50)
def test_pieces_come_out_as_they_went_in(sizes: list[int], block: int) -> None:
    speaker = Speaker(RATE_HZ)
    speaker.begin(1)
    sound = np.random.default_rng(0).uniform(-1, 1, sum(sizes)).astype(np.float32)
    at = 0
    for size in sizes:
        speaker.push(1, sound[at : at + size], [])
        at += size
    speaker.open(1)
    out = np.concatenate([speaker.pull(block) for _ in range(-(-len(sound) // block))])
    assert np.array_equal(out[: len(sound)], sound)
    assert not out[len(sound) :].any()


class Speakers(RuleBasedStateMachine):
    """Whatever is done to it: counts hold, silence is silence, and old turns stay silent.

    Every turn's samples have the turn's own number as their value, so that a stale one shows.
    """

    @initialize()
    def start(self) -> None:
        self.speaker = Speaker(RATE_HZ)
        self.turn = 0
        self.open = False
        self.held = False
        self.rendered = 0
        self.fading = 0  # samples of an old turn that may still sound
        self.fading_turn = 0
        self.out = np.zeros(0, np.float32)

    @rule()
    def begin(self) -> None:
        self._note_fade()
        self.speaker.flush(self.turn)
        self.turn += 1
        self.open = self.held = False
        self.speaker.begin(self.turn)

    def _note_fade(self) -> None:
        if self.turn and not self.held:
            self.fading, self.fading_turn = FADE, self.turn

    @rule(count=st.integers(1, 5_000), back=st.integers(0, 2))
    def push(self, count: int, back: int) -> None:
        turn = self.turn - back
        samples = np.full(count, turn / 1000, np.float32)
        self.speaker.push(turn, samples, [word(0, count)])

    @rule()
    def commit(self) -> None:
        self.speaker.open(self.turn)
        self.open = self.turn > 0

    @rule()
    def hold(self) -> None:
        self._note_fade()
        self.speaker.hold()
        self.held = True

    @rule()
    def resume(self) -> None:
        self.speaker.resume()
        self.held = False

    @rule(count=st.integers(1, 5_000))
    def pull(self, count: int) -> None:
        out = self.speaker.pull(count)
        self.rendered += count
        assert len(out) == count
        fading, self.fading = self.fading, max(0, self.fading - count)
        loudest = self.turn / 1000 if self.open and not self.held else 0.0
        assert out[fading:].max(initial=0.0) <= loudest + 1e-6
        assert out[:fading].max(initial=0.0) <= loudest + self.fading_turn / 1000 + 1e-6
        assert out.min(initial=0.0) >= 0.0

    @invariant()
    def counts_hold(self) -> None:
        assert self.speaker.rendered == self.rendered
        progress = self.speaker.progress()
        assert progress.turn_id == self.turn
        assert progress.ahead_s >= 0
        if progress.first_sample is not None and progress.last_sample is not None:
            assert 0 <= progress.first_sample < progress.last_sample <= self.rendered + FADE


TestSpeakers = Speakers.TestCase
TestSpeakers.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)


def test_what_comes_too_late_is_counted_and_what_never_comes_is_not() -> None:
    speaker = playing(1000)
    speaker.pull(480)
    speaker.pull(960)
    speaker.pull(480)
    assert speaker.progress().starved == 0, "it may have been the end"
    speaker.push(1, ones(480), [])
    speaker.pull(480)
    assert speaker.progress().starved == 440 + 480
    speaker.complete(1)
    speaker.pull(4_800)
    assert speaker.progress().starved == 440 + 480
    speaker.begin(2)
    assert speaker.progress().starved == 0
