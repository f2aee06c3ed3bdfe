"""What the benchmarks of echo and barge-in say of planted conversations."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from goassist_desktop.bench import barge_in, echo
from goassist_desktop.bench.barge_in import Over
from goassist_desktop.bench.scenes import SCENES, Answer, at_level, click, cough, hum, texts
from goassist_desktop.bench.words_played import Loudspeaker, Played, lost, words_played
from goassist_desktop.pipeline.conversation import State
from goassist_desktop.pipeline.events import StateChanged
from goassist_desktop.pipeline.frames import Speech, Word

RATE = 48_000
MS = 48


def babble(seconds: float, seed: int) -> np.ndarray:
    """Noise in the band of speech: no two seeds alike."""
    noise = np.random.default_rng(seed).standard_normal(round(seconds * RATE) + 47)
    return (0.1 * np.convolve(noise, np.hanning(48), "valid")[: round(seconds * RATE)] / 4).astype(
        np.float32
    )


def speech(words: int, seed: int) -> Speech:
    """Words of 300 ms with 20 ms between them."""
    size = 320 * MS
    samples = babble(words * 0.32, seed)
    for n in range(words):
        samples[n * size + 300 * MS : (n + 1) * size] = 0
    spoken = tuple(Word(f"w{n}", n * size, n * size + 300 * MS) for n in range(words))
    return Speech(samples, RATE, spoken)


def played(*parts: np.ndarray | float) -> np.ndarray:
    """A recording of a loudspeaker; numbers are seconds of silence."""
    silent = [np.zeros(round(p * RATE), np.float32) if isinstance(p, float) else p for p in parts]
    return np.round(np.concatenate(silent) * 32768).astype(np.float32) / 32768


def found(answer: Speech, recording: np.ndarray) -> list[Played]:
    return words_played([answer], Loudspeaker(recording), 0, len(recording))


def fade(samples: np.ndarray, at: int) -> np.ndarray:
    """What is heard of samples that are held at a position."""
    cut = samples[: at + 480].copy()
    cut[at:] *= np.linspace(1, 0, 480)
    return cut


# -- words -----------------------------------------------------------------------------------------


def test_all_words_are_found_where_they_are():
    answer = speech(6, seed=1)
    words = found(answer, played(0.7, answer.samples, 1.0))
    assert [word.at for word in words] == [33_600 + word.start for word in answer.words]
    assert lost(words) == []


def test_a_word_that_was_cut_and_said_again_is_not_lost():
    answer = speech(6, seed=2)
    third = answer.words[2].start
    recording = played(fade(answer.samples, third + 100 * MS), 1.0, answer.samples[third:], 0.5)
    assert lost(found(answer, recording)) == []


@pytest.mark.parametrize("skipped_ms", [150, 320])
def test_a_word_that_was_cut_and_not_said_again_is_lost(skipped_ms):
    answer = speech(6, seed=3)
    cut = answer.words[2].start + 100 * MS
    rest = answer.samples[answer.words[2].start + skipped_ms * MS :]
    recording = played(fade(answer.samples, cut), 1.0, rest, 0.5)
    (missing,) = lost(found(answer, recording))
    assert missing.startswith("w2 (before ")


def test_words_after_a_stop_are_not_lost_but_not_played():
    answer = speech(6, seed=4)
    words = found(answer, played(fade(answer.samples, answer.words[3].start + 50 * MS), 3.0))
    assert [word.at is not None for word in words] == [True] * 3 + [False] * 3
    assert lost(words) == []


def test_words_of_another_answer_are_not_found():
    words = found(speech(6, seed=5), played(0.2, speech(6, seed=6).samples))
    assert {word.at for word in words} == {None}


def test_long_answers_are_found_to_their_end():
    pieces = [speech(3, seed) for seed in (11, 12, 13)]
    recording = played(*(part for piece in pieces for part in (piece.samples, 30.0)))
    words = words_played(pieces, Loudspeaker(recording), 0, len(recording))
    assert all(word.at is not None for word in words)


def test_words_are_found_only_within_their_answers_time():
    answer = speech(3, seed=7)
    recording = Loudspeaker(played(1.0, answer.samples, 1.0))
    assert {w.at for w in words_played([answer], recording, 0, RATE)} == {None}
    assert {w.at for w in words_played([answer], recording, 2 * RATE, 3 * RATE)} == {None}


# -- barge-in --------------------------------------------------------------------------------------


def spoken_over(kind: str, recording: np.ndarray, answer: Speech, *changes: StateChanged):
    """Somebody makes a sound over it from 1.0 to 1.5 s."""
    over = Over(kind, "x", 0, RATE, RATE * 3 // 2)
    words = found(answer, recording)
    return barge_in.judge([StateChanged(State.SPEAKING, 0), *changes], [over], [words], recording)


def figure(held: barge_in.Held, name: str) -> float | None:
    (one,) = (f for f in barge_in.figures([held]) if f.name == name)
    return one.median


@pytest.fixture
def answer() -> Speech:
    return speech(20, seed=8)


def test_an_interruption_that_stops_it_is_as_fast_as_its_silence(answer):
    held = spoken_over("words", played(fade(answer.samples, 1080 * MS), 6.0), answer)
    (outcome,) = held.outcomes
    assert not outcome.missed
    assert outcome.silence_ms == pytest.approx(90, abs=1)
    assert figure(held, "missed") == 0


def test_an_interruption_that_changes_nothing_is_missed(answer):
    held = spoken_over("words", played(answer.samples, 1.0), answer)
    assert figure(held, "missed") == 100
    assert figure(held, "onset to silence") == barge_in.MISSED_MS


def test_an_interruption_after_which_it_goes_on_is_missed(answer):
    third = answer.words[3].start
    recording = played(fade(answer.samples, 1080 * MS), 0.6, answer.samples[third:], 1.0)
    assert figure(spoken_over("stop", recording, answer), "missed") == 100


def test_a_pause_of_a_sentence_is_no_silence(answer):
    samples = answer.samples.copy()
    samples[1100 * MS : 1350 * MS] = 0
    held = spoken_over("words", played(samples, 1.0), answer)
    assert figure(held, "onset to silence") == barge_in.MISSED_MS


def test_a_cough_after_which_it_goes_on_is_right(answer):
    third = answer.words[3].start
    recording = played(fade(answer.samples, 1080 * MS), 0.6, answer.samples[third:], 1.0)
    held = spoken_over("cough", recording, answer)
    assert figure(held, "went on after them") == 100
    assert figure(held, "faded for them") == 100
    assert figure(held, "lost words") == 0


def test_a_cough_that_stops_it_is_a_false_stop(answer):
    held = spoken_over("cough", played(fade(answer.samples, 1080 * MS), 6.0), answer)
    assert figure(held, "went on after them") == 0


def test_a_word_lost_after_a_cough_is_seen(answer):
    fourth = answer.words[4].start
    recording = played(fade(answer.samples, 1080 * MS), 0.6, answer.samples[fourth:], 1.0)
    held = spoken_over("cough", recording, answer)
    (missing,) = held.lost_words
    assert missing == "w3 (before 1.69 s)"
    assert figure(held, "lost words") == 1


def test_only_what_nobody_caused_is_its_own_doing(answer):
    recording = played(answer.samples, 1.0)
    held = spoken_over(
        "cough",
        recording,
        answer,
        StateChanged(State.HELD, 500),
        StateChanged(State.SPEAKING, 700),
        StateChanged(State.HELD, 1100),
        StateChanged(State.SPEAKING, 1700),
        StateChanged(State.HELD, 4000),
        StateChanged(State.INTERRUPTED, 4300),
    )
    assert (held.own_fades, held.own_stops) == (2, 1)


# -- echo ------------------------------------------------------------------------------------------

CONVERSATION = [
    StateChanged(state, 0)
    for state in (State.LISTENING, State.THINKING, State.SPEAKING, State.LISTENING)
]


def test_a_conversation_in_peace_keeps_every_promise(answer):
    own = echo.judge(CONVERSATION, 60, 1, [found(answer, played(answer.samples, 1.0))])
    assert (own.fades, own.stops, own.turns, own.words_cut) == (0, 0, 0, 0)
    assert not any(f.missed for f in echo.figures([own]))


def test_a_planted_self_interruption_is_seen_twice(answer):
    events = [*CONVERSATION]
    events[3:3] = [StateChanged(State.HELD, 0), StateChanged(State.INTERRUPTED, 0)]
    cut = played(fade(answer.samples, 1080 * MS), 2.0)
    own = echo.judge(events, 60, 1, [found(answer, cut)])
    assert (own.fades, own.stops) == (1, 1)
    assert (own.words, own.words_cut) == (20, 17)
    assert {f.name for f in echo.figures([own]) if f.missed} == {
        "stopped by itself", "words cut (WAV)",
    }  # fmt: skip


def test_a_user_who_goes_on_before_the_answer_is_no_self_interruption():
    events = [*CONVERSATION]
    events[2:2] = [StateChanged(State.INTERRUPTED, 0), StateChanged(State.LISTENING, 0)]
    assert echo.judge(events, 60, 1, []).stops == 0


def test_speculation_that_nobody_heard_is_not_cut(answer):
    own = echo.judge(CONVERSATION, 60, 1, [found(answer, played(2.0))])
    assert own.words_cut == 0


# -- scenes ----------------------------------------------------------------------------------------


def test_sounds_have_the_level_they_are_given():
    for sound in (cough(1), click(1), hum(120)):
        loud = at_level(sound, -30.0)
        frames = loud[: len(loud) // 480 * 480].reshape(-1, 480)
        level = 10 * np.log10(np.max(np.mean(np.square(frames), axis=1)))
        assert -30 <= level <= -18
        np.testing.assert_allclose(at_level(sound, -10.0), 10 * loud, rtol=1e-5)


def test_the_echo_of_a_scene_is_as_loud_as_its_room_makes_it():
    dead = replace(SCENES[0], reverberation_s=0.0, gain_db=-6)
    assert dead.echo_dbfs == pytest.approx(-26, abs=0.01)
    live = replace(dead, reverberation_s=0.5)
    assert live.echo_dbfs == pytest.approx(-26 + 0.97, abs=0.05)


def test_answers_are_long_and_different():
    assert len(set(texts())) == len(texts()) >= 6
    assert all(len(text.split()) > 120 for text in texts())


def test_an_answer_keeps_its_own_pieces_once():
    """A piece the voice made for the answer before is none of it."""
    whole = speech(3, seed=9)
    answer = Answer(0, "w0 w1 w2 w3")
    answer.note(whole)
    answer.note(whole)
    answer.note(replace(whole, words=(Word("x", 0, 100),)))
    assert answer.speech == [whole]
