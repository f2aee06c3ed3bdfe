"""`goassist bench turns`: the corpus it brings, how pauses are met, and how a policy is scored."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from goassist_desktop.bench.turn_moments import Hearing, Moment, moments
from goassist_desktop.bench.turns import Sweep, figures, paced_waits
from goassist_desktop.bench.turns_corpus import RecordedTurn, turns
from goassist_desktop.pipeline.endpointing import EndOfTurn
from goassist_desktop.virtual_time import fixed
from tests.fakes.tones import USER, LoudnessActivity, ToneRecogniser, WordDetector

RATE_HZ = 16_000


def silence(ms: float) -> np.ndarray:
    return np.zeros(round(RATE_HZ * ms / 1000), np.float32)


def recorded(parts: Sequence[str], pause_ms: float, marks: Sequence[str]) -> RecordedTurn:
    """Words in tones, with silence between the parts and around."""
    sound, spans = [silence(300)], []
    at = sound[0].size
    for part in parts:
        spoken = USER.say(part, RATE_HZ)[0]
        loud = np.flatnonzero(spoken)
        spans.append((at + int(loud[0]), at + int(loud[-1]) + 1))
        sound += [spoken[: loud[-1] + 1], silence(pause_ms)]
        at += sound[-2].size + sound[-1].size
    sound[-1] = silence(700)
    return RecordedTurn(
        subset="held",
        kind="tones",
        voice="tones",
        text=" | ".join(parts),
        pauses=tuple(marks),
        noise_db=None,
        parts=tuple(spans),
        audio=np.concatenate(sound),
    )


def heard(turn: RecordedTurn) -> list[Moment]:
    charge = fixed({"transcribe": 0.05, "finished": 0.05})
    return moments(turn, Hearing(LoudnessActivity(), WordDetector(), ToneRecogniser(), charge))


def moment(label: str, pause_ms: float, probability: float, text: str = "what is it") -> Moment:
    """A pause after 1 s of speech that the ears hear exactly, and know all of after 250 ms."""
    turn = RecordedTurn("held", "x", "someone", "", (), None, ((0, 16_000),), silence(10))
    resume = 1000.0 + pause_ms
    return Moment(turn, label, 0.0, 1000.0, resume, 1000.0, resume, 1250.0, probability, text)


def test_a_pause_is_met_with_the_words_before_it() -> None:
    turn = recorded(("what is the", "time now"), 800, ("open",))
    pause, end = heard(turn)
    assert (pause.label, pause.text) == ("open", "what is the")
    assert (end.label, end.text) == ("done", "what is the time now")
    assert pause.offset_ms == turn.parts[0][1] / 16
    assert pause.resume_ms == turn.parts[1][0] / 16
    assert abs(pause.heard_offset_ms - pause.offset_ms) < 20
    assert 0 < pause.heard_resume_ms - pause.resume_ms < 200
    assert 200 <= pause.known_ms - pause.offset_ms < 400
    assert math.isinf(end.resume_ms)


def test_an_unmarked_gap_is_a_breath() -> None:
    first, *_ = heard(recorded(("we went", "home"), 600, ()))
    assert first.label == "breath"


def test_what_the_ears_never_asked_about_is_no_moment() -> None:
    (only,) = heard(recorded(("what is", "the time"), 120, ("open",)))
    assert only.label == "done"


def test_a_pause_is_cut_off_by_a_decision_before_the_ears_notice_more() -> None:
    pause = moment("open", 500, 0.9)
    assert pause.cut_off(499)
    assert not pause.cut_off(500)
    assert pause.cut_off(699, pause_ms=700)
    assert not pause.cut_off(701, pause_ms=700)
    assert not moment("done", math.inf, 0.9).cut_off(0)


def test_nothing_is_decided_before_it_is_known() -> None:
    assert moment("done", math.inf, 0.9).delay_ms(100) == 250
    assert moment("done", math.inf, 0.9).delay_ms(600) == 600


def test_a_survived_pause_is_told_to_the_session_of_that_voice() -> None:
    told = []

    class Patient(EndOfTurn):
        def wait_ms(self, probability: float, text: str) -> float:
            return 1000.0

        def note_pause(self, pause_ms: float) -> None:
            told.append(pause_ms)

    some = [moment("open", pause_ms, 0.5) for pause_ms in (300, 900, 1500)]
    assert paced_waits([*some, moment("done", math.inf, 0.5)], Patient) == [1000.0] * 4
    assert told == [300, 900]


def test_a_score_that_tells_all_apart_needs_no_patience() -> None:
    some = [moment("done", math.inf, 0.9)] * 5 + [moment("open", 800, 0.1)] * 5
    sweep = Sweep.of(some, lambda m: m.probability)
    assert sweep.least_cut_offs(300) == 0
    assert sweep.least_delay_ms(5) == 200
    assert sweep.least_open_cut_offs(350) == 0


def test_silence_alone_has_to_outwait_the_pauses() -> None:
    some = [moment("done", math.inf, 0.9)] * 5 + [moment("open", 780, 0.1)] * 5
    sweep = Sweep.of(some, lambda m: 0.0)
    assert sweep.least_cut_offs(300) == 100
    assert sweep.least_delay_ms(5) == 800
    assert sweep.least_open_cut_offs(350) == 100


def test_breath_shorter_than_a_pause_is_not_counted() -> None:
    breath = replace(moment("breath", 199, 0.9), heard_resume_ms=1450.0)
    some = [moment("done", math.inf, 0.9), breath, moment("open", 900, 0.1)]
    assert Sweep.of(some, lambda m: m.probability).least_cut_offs(300) == 0


def test_figures_name_what_is_promised() -> None:
    some = [moment("done", math.inf, 0.9), moment("open", 900, 0.9), moment("open", 900, 0.9)]
    decision, cuts, *others = figures(some, [300.0, 300.0, 900.0])
    assert decision.values == (300.0,)
    assert decision.limits == {"p50": 350}
    assert cuts.values == (50.0,)
    assert cuts.missed == ("max",)
    assert len(others) == 2 + 3 * 3
    assert not any(figure.limits for figure in others)


@pytest.mark.parametrize("subset", ["train", "held", "blind"])
def test_the_corpus_is_what_its_index_says(subset: str) -> None:
    found = list(turns(subset))
    assert len(found) >= 44
    for turn in found:
        assert (
            len(turn.parts)
            == len(turn.pauses) + 1
            == turn.text.count("|") + turn.text.count("/") + 1
        )
        edges = [edge for part in turn.parts for edge in part]
        assert edges == sorted(edges)
        assert 0 < edges[0]
        assert edges[-1] < turn.audio.size - RATE_HZ // 2


def test_the_subsets_share_neither_voices_nor_sentences() -> None:
    found = {subset: list(turns(subset)) for subset in ("train", "held", "blind")}
    for one, other in combinations(found.values(), 2):
        assert not {turn.voice for turn in one} & {turn.voice for turn in other}
        assert not {turn.text for turn in one} & {turn.text for turn in other}
    assert not [turn for some in found.values() for turn in some if "heart" in turn.voice]


def test_the_room_is_the_same_every_time() -> None:
    first, again = next(turns("held")), next(turns("held"))
    np.testing.assert_array_equal(first.audio, again.audio)
