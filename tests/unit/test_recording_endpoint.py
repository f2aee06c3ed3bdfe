import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from goassist_desktop.pipeline.endpoints.capture import CaptureChain
from goassist_desktop.pipeline.endpoints.recording import RecordingEndpoint, Sound
from goassist_desktop.pipeline.endpoints.room import Room, noise_at
from goassist_desktop.pipeline.errors import BadInput

TICK = 480
RATE_HZ = 48_000
STEP = 1 / 32768


def hiss(count: int, level: float = 0.1, seed: int = 1) -> np.ndarray:
    return (level * np.random.default_rng(seed).standard_normal(count)).astype(np.float32)


def rms(samples: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))


def db(ratio: float) -> float:
    return float(20 * np.log10(ratio))


class Playback:
    """A Source that plays a signal once, then silence."""

    def __init__(self, signal: np.ndarray | None = None) -> None:
        self._left = np.zeros(0, np.float32) if signal is None else signal

    def pull(self, count: int) -> np.ndarray:
        block = np.zeros(count, np.float32)
        now, self._left = self._left[:count], self._left[count:]
        block[: len(now)] = now
        return block


def unexpected(notice: object) -> None:
    raise AssertionError(notice)


class Stepped:
    """An endpoint driven without a clock, and what it delivered."""

    def __init__(
        self,
        folder: Path,
        played: np.ndarray | None = None,
        room: Room | None = None,
        drift_ppm: float = 0.0,
    ) -> None:
        self.paths = folder / "reply.wav", folder / "mic.wav"
        self.delivered: list[np.ndarray] = []
        self.endpoint = RecordingEndpoint(
            CaptureChain(echo=False),
            room=room or Room(),
            reply=self.paths[0],
            mic=self.paths[1],
            realtime=False,
            drift_ppm=drift_ppm,
        )
        self.endpoint.start(Playback(played), self.delivered.append, unexpected)

    def steps(self, seconds: float) -> None:
        for _ in range(round(seconds * 100)):
            self.endpoint.step()

    def recorded(self) -> tuple[np.ndarray, np.ndarray]:
        """Reply and microphone, as their files hold them."""
        self.endpoint.stop()
        reply, mic = (soundfile.read(path, dtype="float32") for path in self.paths)
        assert reply[1] == mic[1] == RATE_HZ
        return reply[0], mic[0]


def room_tone(folder: Path, seconds: float) -> np.ndarray:
    alone = Stepped(folder)
    alone.steps(seconds)
    return alone.recorded()[1]


def test_the_files_hold_exactly_what_was_played_and_what_was_heard(tmp_path):
    played, said = hiss(30_000, seed=2), hiss(20_000, seed=3)
    talk = Stepped(tmp_path, played, Room(80, -6, noise=hiss(7_001, 0.01, seed=4)))
    talk.steps(0.3)
    talk.endpoint.say(said)
    talk.steps(1.0)
    reply, mic = talk.recorded()

    assert len(reply) == len(mic) == 130 * TICK == talk.endpoint.position
    np.testing.assert_allclose(reply[:30_000], played, atol=STEP)
    assert not reply[30_000:].any()
    # What is in the files, through the same chain, is bit for bit what was delivered.
    chain = CaptureChain(echo=False)
    again = [
        block
        for heard, rendered in zip(mic.reshape(-1, TICK), reply.reshape(-1, TICK), strict=True)
        for block in chain.process(heard, rendered)
    ]
    np.testing.assert_array_equal(np.concatenate(talk.delivered), np.concatenate(again))


def test_each_step_delivers_one_block_of_the_timeline(tmp_path):
    talk = Stepped(tmp_path)
    for count in range(1, 50):
        talk.endpoint.step()
        assert [block.shape for block in talk.delivered] == [(160,)] * count
        assert talk.endpoint.position == count * TICK
    talk.recorded()


def test_the_capture_delay_is_where_a_click_stands_in_the_delivered_blocks(tmp_path):
    talk = Stepped(tmp_path)
    click = np.zeros(480, np.float32)
    click[0] = 1
    start = talk.endpoint.say(click, at=9_600)
    talk.steps(0.5)
    talk.recorded()
    heard_at = int(np.abs(np.concatenate(talk.delivered)).argmax())
    assert heard_at / 16 - start / 48 == pytest.approx(talk.endpoint.capture_delay_ms, abs=1 / 16)


def test_the_loudspeaker_clips_as_a_card_does(tmp_path):
    talk = Stepped(tmp_path, np.array([0.25, 1.5, -1.5, -0.25], np.float32))
    talk.steps(0.01)
    reply, _ = talk.recorded()
    assert reply[:4].tolist() == [0.25, 1 - STEP, -1.0, -0.25]


# -- the room --------------------------------------------------------------------------------------


def lag_ms(mic: np.ndarray, reply: np.ndarray, start_s: float, end_s: float) -> float:
    """How late what was played is heard in a part of the recordings."""
    heard, played = (x[round(start_s * RATE_HZ) : round(end_s * RATE_HZ)] for x in (mic, reply))
    spectrum = np.fft.rfft(heard, 2 * len(heard)) * np.conj(np.fft.rfft(played, 2 * len(played)))
    return float(np.fft.irfft(spectrum)[: len(heard)].argmax()) * 1000 / RATE_HZ


def test_a_moved_microphone_hears_the_echo_at_its_new_delay(tmp_path):
    talk = Stepped(tmp_path, hiss(2 * RATE_HZ), Room(60, -6, 0))
    talk.steps(1.0)
    talk.endpoint.move(Room(110, -6, 0))
    talk.steps(1.0)
    reply, mic = talk.recorded()
    assert lag_ms(mic, reply, 0.0, 1.0) == pytest.approx(60, abs=0.1)
    assert lag_ms(mic, reply, 1.0, 2.0) == pytest.approx(110, abs=0.1)


def test_a_slow_clock_makes_the_echo_ever_later(tmp_path):
    talk = Stepped(tmp_path, hiss(20 * RATE_HZ), Room(50, -6, 0), drift_ppm=100)
    talk.steps(20.0)
    reply, mic = talk.recorded()
    assert lag_ms(mic, reply, 0.0, 1.0) == pytest.approx(50.1, abs=0.06)
    assert lag_ms(mic, reply, 19.0, 20.0) == pytest.approx(52.0, abs=0.06)


def test_drift_leaves_speech_as_it_is(tmp_path):
    t = np.arange(RATE_HZ) / RATE_HZ
    tone = (0.5 * np.sin(2 * np.pi * 4000 * t)).astype(np.float32)
    talk = Stepped(tmp_path, tone, Room(0, 0, 0), drift_ppm=100)
    talk.steps(1.0)
    _, mic = talk.recorded()
    spectrum = np.abs(np.fft.rfft(mic[4800:-4800] * np.hanning(RATE_HZ - 9600))) ** 2
    peak = int(spectrum.argmax())
    around = spectrum[peak - 20 : peak + 21].sum()
    assert db(np.sqrt((spectrum.sum() - around) / around)) < -50
    assert rms(mic[4800:-4800]) == pytest.approx(rms(tone), rel=0.01)


# -- the user --------------------------------------------------------------------------------------


@settings(deadline=None)
@given(
    sayings=st.lists(
        st.tuples(st.integers(0, 15), st.integers(0, 3_000), st.integers(1, 4_000)), max_size=5
    )
)
def test_what_is_said_is_heard_where_it_was_put(tmp_path_factory, sayings):
    """Each saying: the step it is said before, how much later it starts, how long it is."""
    folder = tmp_path_factory.mktemp("said")
    talk = Stepped(folder)
    expected = np.zeros(40 * TICK, np.float32)
    for step in range(40):
        for n, (said_before, later, length) in enumerate(sayings):
            if said_before == step:
                recording = hiss(length, seed=n)
                recording[0] = 0.1  # never silent
                start = talk.endpoint.say(recording, at=step * TICK + later)
                assert start == step * TICK + later
                expected[start : start + length] += recording
        talk.endpoint.step()
    assert not talk.endpoint.saying
    _, mic = talk.recorded()
    tone = room_tone(folder, 0.4)
    np.testing.assert_allclose(mic, np.clip(expected + tone, -1, 1 - STEP), atol=1.01 * STEP)


def test_without_a_position_it_is_said_at_once(tmp_path):
    talk = Stepped(tmp_path)
    talk.steps(0.05)
    assert talk.endpoint.say(hiss(4_800)) == 5 * TICK
    talk.steps(0.05)
    assert talk.endpoint.say(hiss(480)) == 10 * TICK
    talk.recorded()


def test_saying_lasts_until_the_last_sample_of_the_last_recording(tmp_path):
    talk = Stepped(tmp_path)
    assert not talk.endpoint.saying
    talk.endpoint.say(hiss(481))
    talk.endpoint.say(hiss(480), at=3 * TICK)
    for step in range(4):
        assert talk.endpoint.saying, step
        talk.endpoint.step()
    assert not talk.endpoint.saying
    talk.recorded()


def test_the_past_and_silence_can_not_be_said(tmp_path):
    talk = Stepped(tmp_path)
    talk.steps(0.02)
    with pytest.raises(ValueError, match="position 959 is over, it is 960 now"):
        talk.endpoint.say(hiss(480), at=959)
    with pytest.raises(ValueError, match="without sound"):
        talk.endpoint.say(np.zeros(480, np.float32))
    assert talk.endpoint.said == ()
    talk.recorded()


def test_the_true_onset_and_offset_of_what_was_said_are_known(tmp_path):
    talk = Stepped(tmp_path)
    recording = np.concatenate([np.zeros(9_600), hiss(24_000), np.zeros(4_800)]).astype(np.float32)
    talk.endpoint.say(recording)
    talk.endpoint.say(recording, at=RATE_HZ)
    first, second = talk.endpoint.said
    assert (first.start, first.end) == (0, 38_400)
    assert first.onset == pytest.approx(9_600, abs=144)
    assert first.offset == pytest.approx(33_599, abs=144)
    assert second.onset - first.onset == second.end - first.end == RATE_HZ
    talk.recorded()


# -- the room --------------------------------------------------------------------------------------


@pytest.mark.parametrize("reverberation_s", [0, 0.25])
@pytest.mark.parametrize(("delay_ms", "gain_db"), [(0, 0), (7.5, -20), (120, -6), (300, -12)])
def test_the_echo_comes_as_late_and_as_loud_as_asked(tmp_path, reverberation_s, delay_ms, gain_db):
    played = hiss(2 * RATE_HZ)
    talk = Stepped(tmp_path, played, Room(delay_ms, gain_db, reverberation_s))
    talk.steps(2)
    reply, mic = talk.recorded()
    size = 2 * len(reply)  # room for both signs of lag
    cross = np.fft.irfft(np.fft.rfft(mic, size) * np.conj(np.fft.rfft(reply, size)))
    delay = int(np.abs(cross).argmax())
    assert delay == delay_ms * 48
    gain = cross[delay] / np.sum(np.square(reply[: len(reply) - delay], dtype=np.float64))
    assert db(gain) == pytest.approx(gain_db, abs=0.2)


def test_a_dry_echo_is_the_reply_and_nothing_else(tmp_path):
    talk = Stepped(tmp_path, hiss(9_600), Room(20, -6, reverberation_s=0))
    talk.steps(0.5)
    reply, mic = talk.recorded()
    tone = room_tone(tmp_path, 0.5)
    delayed = np.concatenate([np.zeros(960, np.float32), reply[:-960]])
    np.testing.assert_allclose(mic, delayed * 10 ** (-6 / 20) + tone, atol=1.01 * STEP)


def test_without_an_echo_the_reply_is_not_heard(tmp_path):
    talk = Stepped(tmp_path, hiss(9_600))
    talk.steps(0.5)
    _, mic = talk.recorded()
    np.testing.assert_array_equal(mic, room_tone(tmp_path, 0.5))


def test_the_microphone_is_never_dead_and_always_the_same(tmp_path):
    tone = room_tone(tmp_path, 3)
    assert db(rms(tone)) == pytest.approx(-70, abs=0.1)
    np.testing.assert_array_equal(tone, room_tone(tmp_path, 3))


@pytest.mark.parametrize("snr_db", [0, 20])
def test_noise_goes_round_at_the_level_asked_for(tmp_path, snr_db):
    speech = np.concatenate([hiss(RATE_HZ), np.zeros(24_000), hiss(RATE_HZ)]).astype(np.float32)
    noise = noise_at(snr_db, hiss(10_007, 0.5, seed=8), [speech], RATE_HZ)
    talk = Stepped(tmp_path, room=Room(noise=noise))
    talk.steps(1)
    talk.endpoint.say(speech)
    talk.steps(3)
    _, mic = talk.recorded()
    before = mic[:RATE_HZ]
    assert db(rms(hiss(RATE_HZ)) / rms(before)) == pytest.approx(snr_db, abs=0.15)
    tone = room_tone(tmp_path, 1)
    np.testing.assert_allclose(before, np.resize(noise, RATE_HZ) + tone, atol=1.01 * STEP)


# -- the loudspeaker -------------------------------------------------------------------------------


def test_quiet_is_counted_from_the_last_audible_sample(tmp_path):
    played = np.zeros(2 * RATE_HZ, np.float32)
    played[RATE_HZ // 2 : RATE_HZ] = -0.0033  # just above -50 dBFS
    played[RATE_HZ:] = 0.0030  # just below
    talk = Stepped(tmp_path, played)
    assert talk.endpoint.quiet_for() == 0
    talk.steps(0.5)
    assert talk.endpoint.quiet_for() == 0.5  # since the start: it has not spoken yet
    assert talk.endpoint.sounds == ()
    talk.steps(0.01)
    assert talk.endpoint.quiet_for() == 0
    talk.steps(0.49)
    assert talk.endpoint.quiet_for() == 0
    talk.steps(0.25)
    assert talk.endpoint.quiet_for() == 0.25
    assert talk.endpoint.sounds == (Sound(RATE_HZ // 2, RATE_HZ),)
    talk.recorded()


def test_short_gaps_do_not_part_a_sound(tmp_path):
    played = np.zeros(RATE_HZ, np.float32)
    for start, end in [(1_000, 2_001), (2_001 + 9_599, 12_000), (12_000 + 9_600, 21_777)]:
        played[start:end] = 0.1
    talk = Stepped(tmp_path, played)
    talk.steps(1)
    assert talk.endpoint.sounds == (Sound(1_000, 12_000), Sound(21_600, 21_777))
    talk.recorded()


# -- files -----------------------------------------------------------------------------------------


def test_paths_that_can_not_be_written_are_known_at_once(tmp_path):
    chain = CaptureChain(echo=False)
    with pytest.raises(BadInput, match=r"none/mic\.wav: can not be written: No such file"):
        RecordingEndpoint(chain, reply=tmp_path / "reply.wav", mic=tmp_path / "none/mic.wav")
    with pytest.raises(BadInput, match="can not hold both"):
        RecordingEndpoint(chain, reply=tmp_path / "a.wav", mic=tmp_path / "x" / ".." / "a.wav")


def test_it_works_without_files():
    delivered: list[np.ndarray] = []
    endpoint = RecordingEndpoint(CaptureChain(echo=False), realtime=False)
    endpoint.start(Playback(), delivered.append, unexpected)
    endpoint.step()
    endpoint.stop()
    assert len(delivered) == 1


# -- in real time ----------------------------------------------------------------------------------


def wait_until(true: object, what: str) -> None:
    give_up = time.monotonic() + 30
    while not true():
        assert time.monotonic() < give_up, what
        time.sleep(0.005)


def test_its_own_thread_steps_and_ends_with_stop(tmp_path):
    delivered: list[str] = []
    paths = tmp_path / "reply.wav", tmp_path / "mic.wav"
    endpoint = RecordingEndpoint(CaptureChain(echo=False), reply=paths[0], mic=paths[1])
    before = threading.active_count()
    endpoint.start(
        Playback(hiss(4_800)),
        lambda block: delivered.append(threading.current_thread().name),
        unexpected,
    )
    wait_until(lambda: len(delivered) >= 20, "twenty blocks")
    endpoint.stop()
    assert threading.active_count() == before
    count = len(delivered)
    endpoint.stop()
    assert len(delivered) == count
    assert set(delivered) == {"recording-endpoint"}
    assert endpoint.position == count * TICK
    assert [soundfile.info(path).frames for path in paths] == [count * TICK] * 2
    assert endpoint.failure is None


def test_it_is_never_early_and_what_came_late_is_made_up_for():
    """A stall of half a second is no shift of the timeline: the clock and it agree again."""
    arrivals: list[float] = []

    def deliver(block: np.ndarray) -> None:
        arrivals.append(time.monotonic())
        if len(arrivals) == 5:
            time.sleep(0.5)

    endpoint = RecordingEndpoint(CaptureChain(echo=False))
    began = time.monotonic()
    endpoint.start(Playback(), deliver, unexpected)
    try:
        wait_until(lambda: len(arrivals) > 5, "the end of the stall")
        wait_until(
            lambda: time.monotonic() - began - endpoint.position / RATE_HZ < 0.1,
            "less than 100 ms behind the clock",
        )
    finally:
        endpoint.stop()
    assert all(at - began >= 0.01 * n for n, at in enumerate(arrivals, start=1))
    assert endpoint.worst_lateness_s >= 0.4


def test_stop_from_within_a_delivery():
    endpoint = RecordingEndpoint(CaptureChain(echo=False))
    delivered: list[int] = []

    def deliver(block: np.ndarray) -> None:
        delivered.append(len(block))
        endpoint.stop()

    endpoint.start(Playback(), deliver, unexpected)
    wait_until(lambda: delivered, "a block")
    endpoint.stop()
    assert delivered == [160]


FILL_THE_DISK = """
import pathlib, resource, sys, threading
import numpy
from goassist_desktop.pipeline.endpoints.capture import CaptureChain
from goassist_desktop.pipeline.endpoints.recording import RecordingEndpoint
class Silence:
    def pull(self, count):
        return numpy.zeros(count, numpy.float32)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
told = threading.Event()
def notify(notice):
    print(notice.level, notice.what)
    told.set()
endpoint = RecordingEndpoint(CaptureChain(echo=False), mic=pathlib.Path(sys.argv[1]))
endpoint.start(Silence(), lambda block: None, notify)
assert told.wait(30)
endpoint.stop()
print(type(endpoint.failure).__name__, threading.active_count())
"""


def test_a_full_disk_ends_it_and_is_said(tmp_path):
    path = tmp_path / "mic.wav"
    done = subprocess.run(
        [sys.executable, "-c", FILL_THE_DISK, path], capture_output=True, text=True, check=True
    )
    assert done.stdout == (
        f"error {path}: can not be written after 0.2 s: File too large\nGoAssistError 1\n"
    )
    assert done.stderr == ""
    assert soundfile.info(path).frames == 20 * TICK


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_bug_in_what_it_calls_is_said_and_not_hidden():
    notices: list[object] = []

    def deliver(block: np.ndarray) -> None:
        raise ZeroDivisionError("a bug")

    endpoint = RecordingEndpoint(CaptureChain(echo=False))
    endpoint.start(Playback(), deliver, notices.append)
    wait_until(lambda: notices, "the notice")
    endpoint.stop()
    assert [(notice.level, notice.what) for notice in notices] == [("error", "a bug")]
    assert isinstance(endpoint.failure, ZeroDivisionError)
