"""The rule of `onset` on levels and probabilities, and its framing on a counting stream."""

from __future__ import annotations

import numpy as np
import pytest

from goassist_desktop.pipeline.onset import Evidence, Heard, Onset
from goassist_desktop.pipeline.protocols import EngineInfo

QUIET, VOICE = -72.0, -30.0


def feed(evidence: Evidence, blocks: int, level_db: float, *probabilities: float) -> list[Heard]:
    return [evidence.weigh(10 ** (level_db / 10), probabilities) for _ in range(blocks)]


def settled() -> Evidence:
    evidence = Evidence()
    feed(evidence, 100, QUIET, 0.0)
    return evidence


def test_silence_is_no_evidence():
    assert not any(heard.weak or heard.strong for heard in feed(Evidence(), 300, QUIET, 0.1))


def test_a_jump_of_the_level_is_weak_evidence_at_once():
    evidence = settled()
    (heard,) = feed(evidence, 1, VOICE, 0.0)
    assert heard.weak
    assert not heard.strong


def test_a_steady_noise_is_evidence_only_at_its_beginning():
    evidence = settled()
    assert feed(evidence, 2, -50, 0.0)[-1].weak
    feed(evidence, 600, -50, 0.0)
    assert not any(heard.weak for heard in feed(evidence, 100, -50, 0.0))
    assert feed(evidence, 2, -30, 0.0)[-1].weak


def test_what_is_below_the_floor_may_jump():
    evidence = Evidence()
    feed(evidence, 100, -120, 0.0)
    assert not any(heard.weak for heard in feed(evidence, 10, -56, 0.0))


def test_a_probability_is_weak_evidence_without_a_jump():
    evidence = settled()
    assert not feed(evidence, 1, QUIET, 0.34)[0].weak
    assert feed(evidence, 1, QUIET, 0.35)[0].weak


def test_two_frames_of_speech_in_a_row_are_strong_evidence():
    evidence = settled()
    heard = [feed(evidence, 1, VOICE, p)[0] for p in (0.5, 0.49, 0.5, 0.5, 0.49)]
    assert [h.strong for h in heard] == [False, False, False, True, False]


def test_both_frames_of_one_block_count():
    evidence = settled()
    assert feed(evidence, 1, VOICE, 0.4, 0.6)[0].probability == 0.6
    assert feed(evidence, 1, VOICE, 0.6)[0].strong
    assert not feed(evidence, 1, VOICE, 0.6, 0.4)[0].strong


def test_a_block_without_a_new_frame_changes_no_probability():
    evidence = settled()
    feed(evidence, 1, VOICE, 0.7)
    (heard,) = feed(evidence, 1, VOICE)
    assert heard.probability == 0.7
    assert not heard.strong


def test_a_dismissed_sound_has_to_get_louder_to_count_again():
    evidence = settled()
    feed(evidence, 20, -40, 0.3)
    evidence.dismiss()
    feed(evidence, 20, QUIET, 0.0)
    assert not any(heard.weak for heard in feed(evidence, 20, -45, 0.4))
    assert feed(evidence, 3, -20, 0.4)[-1].weak


def test_a_dismissed_sound_is_forgotten_within_seconds():
    evidence = settled()
    feed(evidence, 20, -40, 0.3)
    evidence.dismiss()
    feed(evidence, 800, QUIET, 0.0)
    assert feed(evidence, 3, -40, 0.3)[-1].weak


def test_nothing_that_was_dismissed_weakens_strong_evidence():
    evidence = settled()
    feed(evidence, 20, -10, 0.3)
    evidence.dismiss()
    heard = feed(evidence, 3, -40, 0.6)[-1]
    assert heard.strong
    assert heard.weak


def test_the_end_of_the_sound_is_known_to_the_block():
    evidence = settled()
    before = feed(evidence, 30, VOICE, 0.9)[-1]
    after = feed(evidence, 30, QUIET, 0.9)
    assert before.sound_end == 130 * 160
    assert {heard.sound_end for heard in after} == {130 * 160}


def test_soft_syllables_sound_and_noise_does_not():
    evidence = settled()
    feed(evidence, 30, VOICE, 0.9)
    assert feed(evidence, 10, VOICE - 25, 0.3)[-1].sound_end == 140 * 160
    assert feed(evidence, 10, VOICE - 33, 0.3)[-1].sound_end == 140 * 160


def test_speech_in_loud_noise_ends_where_it_drops_into_it():
    evidence = Evidence()
    feed(evidence, 1000, -45, 0.0)
    feed(evidence, 30, VOICE, 0.9)
    assert feed(evidence, 30, -45, 0.1)[-1].sound_end == 1030 * 160


# -- framing ---------------------------------------------------------------------------------------


class Recorded:
    """Voice activity whose probability is 0; it keeps the frames it was given."""

    info = EngineInfo("voice_activity", "recorded", "none", "", stand_in=True)
    frame_samples = 512

    def __init__(self) -> None:
        self.frames: list[np.ndarray] = []
        self.opened: list[Recorded] = []

    def load(self) -> None: ...

    def close(self) -> None: ...

    def open(self) -> Recorded:
        self.opened.append(Recorded())
        return self.opened[-1]

    def probability(self, frame: np.ndarray) -> float:
        self.frames.append(frame.copy())
        return 0.0


def test_two_instances_hear_every_sample_half_a_frame_apart():
    activity = Recorded()
    onset = Onset(activity)
    signal = np.arange(1, 3201, dtype=np.float32)
    for block in signal.reshape(-1, 160):
        onset.hear(block)
    whole, half = (np.concatenate(stream.frames) for stream in activity.opened)
    np.testing.assert_array_equal(whole, signal[: len(whole)])
    assert not half[:256].any()
    np.testing.assert_array_equal(half[256:], signal[: len(half) - 256])
    assert len(whole) == 6 * 512
    assert len(half) == 6 * 512


def test_a_block_of_another_length_is_refused():
    with pytest.raises(ValueError, match="160"):
        Onset(Recorded()).hear(np.zeros(512, np.float32))
