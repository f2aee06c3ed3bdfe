"""The figures of `bench face`, from made-up faces whose every movement is known."""

from __future__ import annotations

import threading
import time
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from goassist_desktop.bench import face_live, face_seen, face_sheet
from goassist_desktop.bench.articulation import Score
from goassist_desktop.bench.face_life import (
    LISTENER_DEGREES,
    Trace,
    blinks_ms,
    drift,
    eyes,
    first_blinks_ms,
    head_movements,
    jitter,
    longest_stare_ms,
    on_listener,
    saccades,
    seen_saccades,
)
from goassist_desktop.bench.face_seen import Seen, Sentence, figures, heard, sentences
from goassist_desktop.bench.figures import Figure
from goassist_desktop.bench.scenes import Answer
from goassist_desktop.bench.words_played import Loudspeaker
from goassist_desktop.pipeline.blendshapes import INDEX, Pose, rest
from goassist_desktop.pipeline.clock import SampleClock
from goassist_desktop.pipeline.errors import BadInput
from goassist_desktop.pipeline.frames import Phoneme, Speech, Word
from tests.fakes.faces import LoudnessFace

RATE_HZ = 48_000
STEP_MS = 1000 / 60

At = Callable[[float], float]


def made(
    seconds: float,
    *,
    head: Callable[[float], tuple[float, float, float]] = lambda ms: (0.0, 0.0, 0.0),
    **named: At,
) -> list[Pose]:
    """Poses at 60 a second; each weight, or those of both sides, a function of the time in ms."""
    poses = []
    for n in range(round(seconds * 60)):
        ms = n * STEP_MS
        weights = rest()
        for name, of in named.items():
            for each in (name, f"{name}Left", f"{name}Right"):
                if each in INDEX:
                    weights[INDEX[each]] = of(ms)
        poses.append(Pose(ms, weights, head(ms), True))
    return poses


def pulse(*starts_ms: float, length_ms: float = 200.0, size: float = 1.0) -> At:
    return lambda ms: size * any(start <= ms < start + length_ms for start in starts_ms)


def step(*changes: tuple[float, float]) -> At:
    """The last value whose time has come."""
    return lambda ms: next((v for at, v in reversed(changes) if ms >= at), 0.0)


# -- life ------------------------------------------------------------------------------------------


def test_a_blink_is_counted_once_at_its_beginning() -> None:
    trace = Trace.of(made(10, eyeBlink=pulse(1000, 5000, 9000)))
    assert blinks_ms(trace) == pytest.approx([1000, 5000, 9000], abs=STEP_MS)
    assert trace.minutes == pytest.approx(1 / 6, rel=0.01)


def test_a_lid_half_way_down_is_no_blink() -> None:
    assert blinks_ms(Trace.of(made(4, eyeBlink=pulse(1000, size=0.45)))) == []


def test_the_first_blink_is_looked_for_in_each_turn() -> None:
    trace = Trace.of(made(20, eyeBlink=pulse(3000, 16_000)))
    turns = [(1000.0, 8000.0), (9000.0, 15_000.0), (15_500.0, 19_000.0)]
    assert first_blinks_ms(trace, turns) == pytest.approx([2000, 6000, 500], abs=STEP_MS)


def test_eyes_and_head_together_look_at_the_listener() -> None:
    away = made(10, eyeLookOutLeft=step((5000, 0.5)), eyeLookInRight=step((5000, 0.5)))
    assert eyes(Trace.of(away))[-1] == pytest.approx([7.5, 0])
    assert on_listener(Trace.of(away)) == pytest.approx(50, abs=1)
    # A head turned aside whose eyes look back.
    turned = made(10, head=lambda ms: (9.0, 0, 0), eyeLookInLeft=lambda ms: 0.6,
                  eyeLookOutRight=lambda ms: 0.6)  # fmt: skip
    assert on_listener(Trace.of(turned)) == 100
    up = made(10, eyeLookUp=lambda ms: (LISTENER_DEGREES + 0.5) / 11)
    assert on_listener(Trace.of(up)) == 0


def test_saccades_are_fast_and_seen_when_they_are_large() -> None:
    looks = made(12, eyeLookUp=step((1000, 0.3), (4000, 0.35), (8000, 0.0)))
    trace = Trace.of(looks)
    assert [ms for ms, _ in saccades(trace)] == pytest.approx([1000, 4000, 8000], abs=2 * STEP_MS)
    assert [size for _, size in saccades(trace)] == pytest.approx([3.3, 0.55, 3.85], abs=0.01)
    assert seen_saccades(trace) == 2
    drifting = made(10, eyeLookUp=lambda ms: min(1.0, ms / 10_000))
    assert saccades(Trace.of(drifting)) == []


def test_a_stare_ends_with_a_saccade_or_a_blink() -> None:
    looks = made(10, eyeLookUp=step((1000, 0.3), (4000, 0.0)), eyeBlink=pulse(2500, 8000))
    assert longest_stare_ms(Trace.of(looks)) == pytest.approx(4000, abs=2 * STEP_MS)
    assert longest_stare_ms(Trace.of(made(5))) == pytest.approx(5000, abs=2 * STEP_MS)


def nod(*starts_ms: float, degrees: float = 3.0) -> Callable[[float], tuple[float, float, float]]:
    def head(ms: float) -> tuple[float, float, float]:
        shares = ((ms - start) / 400 for start in starts_ms)
        return 0.0, -degrees * sum(np.sin(np.pi * s) ** 2 for s in shares if 0 < s < 1), 0.0

    return head


def test_a_nod_is_one_movement_and_sway_is_none() -> None:
    trace = Trace.of(made(12, head=nod(1000, 2500, 7000)))
    assert head_movements(trace, [(500, 4000), (4000, 6000), (6000, 9000)]) == [2, 0, 1]
    swaying = made(12, head=lambda ms: (1.0 * np.sin(ms / 1000), 0, 0))
    assert head_movements(Trace.of(swaying), [(0, 12_000)]) == [0]


def test_jitter_is_told_from_nods() -> None:
    nodding = jitter(Trace.of(made(10, head=nod(1000, 2500, 7000))))
    shaking = jitter(Trace.of(made(10, head=lambda ms: (0.5 * (round(ms / STEP_MS) % 2), 0, 0))))
    assert nodding < 500 < face_seen.JITTER < shaking
    assert shaking == pytest.approx(2 * 0.5 * 3600, rel=0.01)


def test_a_head_that_stays_turned_drifts() -> None:
    assert drift(Trace.of(made(30, head=nod(1000, 5000)))) < 0.5
    away = made(40, head=lambda ms: (0, 0, min(8.0, ms / 1000)))
    assert drift(Trace.of(away)) == pytest.approx(8.0, abs=0.1)


# -- sentences -------------------------------------------------------------------------------------


def speech(text: str, seconds: float = 0.5, *phonemes: tuple[str, float, float]) -> Speech:
    """Noise that nothing else sounds like, in as many equal words as the text has."""
    count = round(seconds * RATE_HZ)
    noise = np.random.default_rng(zlib.crc32(text.encode())).normal(size=count) * 0.1
    words = text.split()
    edges = [round(n * count / len(words)) for n in range(len(words) + 1)]
    return Speech(
        noise.astype(np.float32),
        RATE_HZ,
        tuple(Word(w, a, b) for w, a, b in zip(words, edges, edges[1:], strict=False)),
        tuple(Phoneme(s, round(a * 48), round(b * 48)) for s, a, b in phonemes),
    )


def test_pieces_played_without_a_gap_are_one_sentence_until_its_end() -> None:
    one, two, three = speech("On the sea,"), speech("a ship."), speech("It sang.")
    at = [48_000, 72_000, 96_000]
    first, second = sentences(list(zip(at, (one, two, three), strict=True)))
    assert (first.text, second.text) == ("On the sea, a ship.", "It sang.")
    assert (first.start_ms, first.end_ms, second.start_ms) == (1000, 2000, 2000)
    late = sentences([(48_000, one), (90_000, two)])
    assert [sentence.text for sentence in late] == ["On the sea,", "a ship."]


def test_sounds_are_where_they_were_played() -> None:
    (sentence,) = sentences([(48_000, speech("Pa.", 0.5, ("p", 0, 80), ("ɑ", 80, 300)))])
    assert sentence.sounds == [("p", 1000, 1080), ("ɑ", 1080, 1300)]


def test_answers_are_found_in_the_recording_and_unheard_ones_left_out() -> None:
    said = [speech("On the sea,"), speech("a ship.")]
    unheard = Answer(0, "Nothing at all.", [speech("Nothing at all.")])
    answer = Answer(20_000, "On the sea, a ship.", said)
    recording = np.zeros(3 * RATE_HZ, np.float32)
    recording[30_000:54_000], recording[54_000:78_000] = said[0].samples, said[1].samples
    ((sentence,),) = heard([unheard, answer], Loudspeaker(recording))
    assert sentence.start_ms == 625
    assert sentence.text == "On the sea, a ship."


# -- figures ---------------------------------------------------------------------------------------


def talking(lag_ms: float = 0.0) -> Seen:
    """Twelve seconds: p and ɑ by turns, loud and open on ɑ, shut on p, so much later."""
    sounds: list[tuple[str, float, float]] = []
    for n in range(20):
        sounds += [("p", n * 400, n * 400 + 150), ("ɑ", n * 400 + 150, n * 400 + 400)]
    said = speech("A long sentence.", 8.0, *sounds)
    ms = np.arange(len(said.samples)) / 48
    loud = np.where(ms % 400 >= 150, 1.0, 0.02)
    said = Speech((said.samples * loud).astype(np.float32), RATE_HZ, said.words, said.phonemes)
    start_ms = 2000.0

    def jaw(ms: float) -> float:
        into = ms - start_ms - lag_ms
        return 0.4 * (0 <= into < 8000 and into % 400 >= 150)

    poses = made(12, jawOpen=jaw, eyeBlink=pulse(3000, 7000, 11_000), head=nod(2500, 6000))
    return Seen(poses, [[Sentence(start_ms, said)]])


def named(found: list[Figure]) -> dict[str, Figure]:
    return {figure.name: figure for figure in found}


@pytest.mark.parametrize("late_ms", [0.0, 100.0, -60.0])
def test_how_late_the_mouth_is_is_found_again(late_ms: float) -> None:
    found = named(figures(talking(late_ms), []))
    assert found["mouth behind sound"].values[0] == pytest.approx(late_ms, abs=20)
    either = found["mouth to sound, either way"]
    assert either.values[0] == pytest.approx(abs(late_ms), abs=20)
    assert bool(either.missed) == (abs(late_ms) > 50)


def test_a_sentence_that_suits_another_syllable_as_well_is_not_taken_for_late() -> None:
    seen = talking()
    (long,) = seen.sentences
    # Two syllables 250 ms apart, the second of which is the louder one, and the mouth's smaller.
    ms = np.arange(600 * 48) / 48
    loud = 0.4 * ((ms > 100) & (ms < 200)) + 1.0 * ((ms > 350) & (ms < 450))
    short = Speech((loud * 0.1).astype(np.float32), RATE_HZ, (Word("No.", 0, 28_800),))
    poses = [
        replace(pose, weights=pose.weights * 0) if pose.at_ms >= 10_500 else pose
        for pose in seen.poses
    ]
    for pose in poses:
        into = pose.at_ms - 11_000
        pose.weights[INDEX["jawOpen"]] += 0.4 * (100 < into < 200) + 0.2 * (350 < into < 450)
    alone = Seen(poses, [[Sentence(11_000.0, short)]])
    both = Seen(poses, [[long, Sentence(11_000.0, short)]])
    assert face_seen.lags_ms(alone) == pytest.approx([-250], abs=20)
    assert face_seen.lags_ms(both)[1] == pytest.approx(0, abs=20)


def test_a_mouth_that_says_what_is_heard_has_its_points() -> None:
    found = named(figures(talking(), []))
    assert found["lips closed on p b m"].values == (100.0,)
    assert found["mouth open on a"].values == (100.0,)
    assert found["lip at teeth on f v"].values == (), "there was none to judge"
    assert found["lips apart in silence"].values[0] < 0.5
    assert found["own speech"].values == (0.13,)
    for point in ("1. lips close on p b m", "12. mouth shut in silence", "10. no jitter"):
        assert found[point].values == (1.0,), point
    assert "frame behind sound" not in found, "there was no screen"


def test_a_mouth_that_never_shuts_is_seen() -> None:
    seen = talking()
    gaping = made(12, jawOpen=lambda ms: 0.4)
    found = named(figures(Seen(gaping, seen.turns), []))
    assert found["lips closed on p b m"].values == (0.0,)
    assert found["lips closed on p b m"].missed == ("min",)
    assert found["1. lips close on p b m"].missed
    assert found["12. mouth shut in silence"].missed


def test_a_face_without_life_misses_its_points() -> None:
    seen = talking()
    found = named(figures(Seen(made(12), seen.turns), []))
    missed = {int(name.split(".")[0]) for name in found if name[0].isdigit() and found[name].missed}
    assert missed == {4, 5, 6, 7, 8, 9}
    assert found["points of 12"].values == (6.0,)


def test_frames_on_a_screen_are_late_or_early() -> None:
    found = named(figures(talking(), [10.04, 20.0, -50.0]))
    assert found["frame behind sound"].values == (10.0, 20.0, -50.0)
    assert found["frame to sound, either way"].missed == ("p95",)


def test_misses_are_counted_by_the_time_spoken() -> None:
    events = {"closure": 40, "labiodental": 0, "rounding": 10, "opening": 0, "false_rounding": 0}
    score = Score(events, 90.0, None, 100.0, None, None, None, None, None, 0.0)
    assert face_seen.misses_in_10_s(score, "closure", 20) == pytest.approx(2.0)
    assert face_seen.misses_in_10_s(score, "labiodental", 20) == 0
    assert face_seen.misses_in_10_s(score, "rounding", 20) == 0


# -- the conversation ------------------------------------------------------------------------------


def test_an_engine_gives_the_same_frames_while_its_work_is_noted() -> None:
    plain = LoudnessFace()
    said = speech("A word.", 0.3)
    timed = face_live._TimedFace(plain)
    stream, alone = timed.open(), plain.open()
    for found, wanted in ((stream.push(said), alone.push(said)), (stream.finish(), alone.finish())):
        for one, other in zip(found, wanted, strict=True):
            assert one.at_ms == other.at_ms
            assert (one.weights == other.weights).all()
    stream.close()
    assert timed.frames == 16
    assert 0 < timed.cpu_s < 1
    assert plain.closed == 1


def test_a_screen_shows_what_belongs_to_the_moment_at_which_it_is_seen() -> None:
    asked: list[float] = []
    drawn: list[Pose] = []
    shown: list[Pose] = []
    closed: list[bool] = []
    enough = threading.Event()
    clock = SampleClock()
    clock.advance(16_000)

    def pose(at_ms: float) -> Pose:
        asked.append(at_ms)
        return Pose(at_ms, rest(), (0, 0, 0), True)

    def draw(pose: Pose) -> None:
        time.sleep(0.02)
        drawn.append(pose)
        if len(drawn) == 30:
            enough.set()

    face = SimpleNamespace(pose=pose, shown=shown.append)
    screen = SimpleNamespace(draw=draw, close=lambda: closed.append(True))
    with face_live._shown(face, clock, lambda: screen):  # type: ignore[arg-type, return-value]
        assert enough.wait(10)
    assert shown == drawn
    assert asked[0] == 1000, "nothing is known yet of how long a picture takes"
    assert 1015 < asked[29] < 1100, "it takes 20 ms and more"
    assert closed == [True]


# -- the sheet -------------------------------------------------------------------------------------


def test_the_sheet_has_a_picture_for_every_sound(tmp_path: Path) -> None:
    pictures = [np.full((64, 64, 3), shade, np.uint8) for shade in range(60, 250, 15)]
    cells = [(picture, "ʃ", "1.0 mm") for picture in pictures]
    face_sheet.write(tmp_path / "sheet.png", cells, "mira: she")
    sheet = np.asarray(Image.open(tmp_path / "sheet.png"))
    assert sheet.shape[1] == face_sheet.COLUMNS * face_sheet.CELL
    for picture in pictures:
        assert ((sheet == picture[0, 0]).all(axis=-1)).sum() >= face_sheet.CELL**2 - 200


def test_a_sheet_that_can_not_be_written_is_bad_input(tmp_path: Path) -> None:
    picture = np.zeros((8, 8, 3), np.uint8)
    with pytest.raises(BadInput, match=r"no/sheet\.png: can not be written: No such file"):
        face_sheet.write(tmp_path / "no" / "sheet.png", [(picture, "a", "")], "")
