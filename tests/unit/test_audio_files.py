import os
import signal
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from goassist_desktop.pipeline.audio_files import WavWriter, as_16_bit, read
from goassist_desktop.pipeline.errors import BadInput, GoAssistError


def tone(rate_hz: int, seconds: float = 0.5, hz: float = 440.0, peak: float = 0.5) -> np.ndarray:
    return (peak * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate_hz)) / rate_hz)).astype(
        np.float32
    )


def refused(path: Path) -> str:
    with pytest.raises(BadInput) as caught:
        read(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message.removeprefix(f"{path}: ")


@pytest.mark.parametrize(
    ("name", "subtype", "step"),
    [
        ("a.wav", "PCM_U8", 2**-7),
        ("a.wav", "PCM_16", 2**-15),
        ("a.wav", "PCM_24", 2**-23),
        ("a.wav", "PCM_32", 2**-23),
        ("a.wav", "FLOAT", 2**-23),
        ("a.wav", "DOUBLE", 2**-23),
        ("a.flac", "PCM_16", 2**-15),
        ("a.flac", "PCM_24", 2**-23),
    ],
)
@pytest.mark.parametrize("channels", [1, 2, 6])
@pytest.mark.parametrize("rate_hz", [8_000, 22_050, 48_000, 96_000])
def test_reads_any_width_channel_count_and_rate(tmp_path, name, subtype, step, channels, rate_hz):
    sound = tone(rate_hz)
    path = tmp_path / name
    soundfile.write(path, np.stack([sound] * channels, axis=1), rate_hz, subtype=subtype)
    samples, rate = read(path)
    assert rate == rate_hz
    assert samples.dtype == np.float32
    assert samples.shape == sound.shape
    np.testing.assert_allclose(samples, sound, atol=1.01 * step)


def test_a_voice_in_one_channel_of_six_keeps_its_level(tmp_path):
    sound = tone(48_000)
    six = np.zeros((len(sound), 6), np.float32)
    six[:, 2] = sound
    soundfile.write(tmp_path / "5.1.wav", six, 48_000, subtype="FLOAT")
    np.testing.assert_array_equal(read(tmp_path / "5.1.wav")[0], sound)


def test_different_channels_are_averaged(tmp_path):
    low, high = tone(16_000, hz=300), tone(16_000, hz=2000, peak=0.2)
    soundfile.write(tmp_path / "a.wav", np.stack([low, high], 1), 16_000, subtype="FLOAT")
    np.testing.assert_allclose(read(tmp_path / "a.wav")[0], (low + high) / 2, atol=1e-7)


def test_the_name_of_a_file_does_not_matter(tmp_path):
    for name in ("question.raw", "question", "question.mp3", "quästion of mine.txt"):
        soundfile.write(tmp_path / "a.wav", tone(16_000), 16_000)
        path = (tmp_path / "a.wav").rename(tmp_path / name)
        assert read(path)[1] == 16_000


def test_a_recorder_that_never_learned_the_length_is_read_to_the_end(tmp_path):
    path = tmp_path / "piped.wav"
    soundfile.write(path, tone(16_000), 16_000)
    data = bytearray(path.read_bytes())
    data[4:8] = data[40:44] = b"\xff\xff\xff\xff"
    path.write_bytes(data)
    assert len(read(path)[0]) == 8_000


def test_missing(tmp_path):
    assert refused(tmp_path / "none.wav") == "No such file or directory"


def test_a_folder_or_a_pipe_is_not_a_file(tmp_path):
    assert refused(tmp_path) == "not a file"
    os.mkfifo(tmp_path / "pipe.wav")  # opening it would wait for ever
    assert refused(tmp_path / "pipe.wav") == "not a file"


@contextmanager
def without_privileges() -> Iterator[None]:
    """Root may read and write everything, so for once it is nobody."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(before)


def test_unreadable(tmp_path):
    path = tmp_path / "mine.wav"
    soundfile.write(path, tone(16_000), 16_000)
    path.chmod(0)
    with without_privileges():
        assert refused(path) == "Permission denied"


@pytest.mark.parametrize("content", [b"hello, I am a text\n" * 50, b"RIFF\0\0\0\0WAVEfmt ", b"\0"])
def test_not_audio(tmp_path, content):
    path = tmp_path / "a.wav"
    path.write_bytes(content)
    assert refused(path).startswith("not a sound file, or damaged: ")


def test_empty(tmp_path):
    (tmp_path / "0.wav").write_bytes(b"")
    assert refused(tmp_path / "0.wav") == "empty, 0 bytes"
    soundfile.write(tmp_path / "header.wav", np.zeros(0), 16_000)
    assert refused(tmp_path / "header.wav") == "empty, its header announces no samples"


@pytest.mark.parametrize("kept", [0.999, 0.5, 0.1])
@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "FLOAT"])
def test_a_wav_cut_short(tmp_path, kept, subtype):
    path = tmp_path / "a.wav"
    soundfile.write(path, tone(16_000), 16_000, subtype=subtype)
    data = path.read_bytes()
    path.write_bytes(data[: int(kept * len(data))])
    assert refused(path) == "cut short, the file ends before its sound does"


def test_other_chunks_stand_before_the_sound(tmp_path):
    path = tmp_path / "a.wav"
    soundfile.write(path, tone(16_000), 16_000)
    data = path.read_bytes()
    note = b"note\x05\0\0\0hello\0"  # of odd length, and so padded
    whole = data[:4] + (len(data) - 8 + len(note)).to_bytes(4, "little") + data[8:36] + note
    path.write_bytes(whole + data[36:])
    assert len(read(path)[0]) == 8_000
    path.write_bytes(whole + data[36:-2])
    assert refused(path) == "cut short, the file ends before its sound does"


@pytest.mark.parametrize("kept", [0.9, 0.5])
def test_a_flac_cut_short(tmp_path, kept):
    path = tmp_path / "a.flac"
    noise = np.random.default_rng(1).uniform(-0.5, 0.5, 100_000)
    soundfile.write(path, noise, 16_000)
    data = path.read_bytes()
    path.write_bytes(data[: int(kept * len(data))])
    assert refused(path).startswith("not a sound file, or damaged: ")


def test_a_flac_that_does_not_know_its_length(tmp_path):
    path = tmp_path / "piped.flac"
    soundfile.write(path, tone(16_000), 16_000)
    data = bytearray(path.read_bytes())
    data[21] &= 0xF0  # the 36 bits of the total in STREAMINFO, RFC 9639 section 8.2
    data[22:26] = bytes(4)
    path.write_bytes(data)
    assert refused(path) == "its header does not say how long it is"


@pytest.mark.parametrize("level", [0.0, 0.0009])
def test_silent(tmp_path, level):
    path = tmp_path / "a.wav"
    soundfile.write(path, tone(16_000, peak=level), 16_000, subtype="FLOAT")
    assert refused(path) == "silent, no sample is above -60 dBFS"
    soundfile.write(path, tone(16_000, peak=0.0011), 16_000, subtype="FLOAT")
    assert np.abs(read(path)[0]).max() == pytest.approx(0.0011, rel=0.01)


def test_channels_that_cancel_and_a_constant_level_hold_no_sound(tmp_path):
    path = tmp_path / "a.wav"
    sound = tone(16_000)
    for samples in (np.stack([sound, -sound], 1), np.full(8_000, 0.3)):
        soundfile.write(path, samples, 16_000, subtype="FLOAT")
        assert refused(path).startswith("silent once mixed to mono, or a constant level")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_samples_that_are_not_numbers(tmp_path, bad):
    sound = tone(16_000)
    sound[5_000] = bad
    soundfile.write(tmp_path / "a.wav", sound, 16_000, subtype="FLOAT")
    assert refused(tmp_path / "a.wav") == "holds samples that are not numbers (NaN or infinity)"


def test_integers_kept_as_floats(tmp_path):
    soundfile.write(tmp_path / "a.wav", tone(16_000) * 32768, 16_000, subtype="FLOAT")
    assert refused(tmp_path / "a.wav") == "peak 1.64e+04; samples must be within -1 and 1"


@pytest.mark.parametrize("rate_hz", [3_999, 384_001])
def test_absurd_rates(tmp_path, rate_hz):
    soundfile.write(tmp_path / "a.wav", tone(rate_hz), rate_hz)
    expected = f"{rate_hz} samples a second; 4000 to 384000 can be used"
    assert refused(tmp_path / "a.wav") == expected


def test_absurdly_short(tmp_path):
    soundfile.write(tmp_path / "a.wav", tone(16_000, seconds=0.049), 16_000)
    assert refused(tmp_path / "a.wav") == "49 ms long; 50 ms to 10 minutes can be used"
    soundfile.write(tmp_path / "a.wav", tone(16_000, seconds=0.05), 16_000)
    assert len(read(tmp_path / "a.wav")[0]) == 800


def test_two_hours_are_refused_from_the_header(tmp_path):
    path = tmp_path / "lecture.wav"
    soundfile.write(path, np.zeros(1), 48_000)
    size = 2 * 3600 * 48_000 * 2
    with path.open("r+b") as file:
        file.seek(40)
        file.write(size.to_bytes(4, "little"))
        file.truncate(44 + size)  # a hole: it takes no room on the disk
    tracemalloc.start()
    try:
        assert refused(path) == "120 minutes long; 50 ms to 10 minutes can be used"
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


# -- writing ---------------------------------------------------------------------------------------


def test_16_bit_rounds_and_clips():
    samples = np.array([0, 0.4 / 32768, 0.6 / 32768, -1, 1, 2, -2], np.float32)
    assert as_16_bit(samples).tolist() == [0, 0, 1, -32768, 32767, 32767, -32768]


@given(st.lists(st.lists(st.integers(-32768, 32767), max_size=50), max_size=10))
def test_what_was_appended_is_what_is_read(tmp_path_factory, blocks):
    path = tmp_path_factory.mktemp("written") / "a.wav"
    with WavWriter(path, 48_000) as writer:
        for block in blocks:
            writer.append(np.array(block, np.float32) / np.float32(32768))
    samples, rate = soundfile.read(path, dtype="int16")
    assert rate == 48_000
    assert samples.tolist() == [sample for block in blocks for sample in block]
    info = soundfile.info(path)
    assert (info.channels, info.subtype) == (1, "PCM_16")
    assert path.stat().st_size == 44 + 2 * info.frames


def test_the_file_is_whole_after_every_block(tmp_path):
    path = tmp_path / "a.wav"
    with WavWriter(path, 16_000) as writer:
        for count in range(1, 20):
            writer.append(tone(16_000, seconds=0.05))
            assert len(read(path)[0]) == count * 800


WRITE_FOR_LONG = """
import pathlib, sys
import numpy
from goassist_desktop.pipeline.audio_files import WavWriter
writer = WavWriter(pathlib.Path(sys.argv[1]), 48_000)
for count in range(100_000):
    writer.append(numpy.full(480, 0.5, numpy.float32))
    if count == 100:
        print("going", flush=True)
"""


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_the_file_is_whole_however_the_program_ends(tmp_path, end):
    path = tmp_path / "a.wav"
    writing = subprocess.Popen(
        [
            sys.executable,
            "-c",
            WRITE_FOR_LONG,
            path,
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    with writing:
        assert writing.stdout.readline() == b"going\n"
        writing.send_signal(end)
    assert writing.returncode != 0
    samples, _ = soundfile.read(path)
    assert len(samples) > 100 * 480
    assert len(samples) % 480 == 0
    assert (samples == 0.5).all()
    # At most the block in hand is not yet in the header.
    assert 0 <= path.stat().st_size - 44 - 2 * len(samples) <= 960


def test_a_file_that_can_not_be_opened_for_writing(tmp_path):
    for path, reason in [
        (tmp_path / "none" / "a.wav", "No such file or directory"),
        (tmp_path, "Is a directory"),
    ]:
        with pytest.raises(BadInput) as caught:
            WavWriter(path, 48_000)
        assert str(caught.value) == f"{path}: can not be written: {reason}"


def test_a_folder_that_must_not_be_written_to(tmp_path):
    tmp_path.chmod(0o500)
    with (
        without_privileges(),
        pytest.raises(BadInput, match="can not be written: Permission denied"),
    ):
        WavWriter(tmp_path / "a.wav", 48_000)


def test_a_pipe_is_no_file_to_write_to(tmp_path):
    reader, writer = os.pipe()
    try:
        with pytest.raises(BadInput, match="can not be written: not a file"):
            WavWriter(Path(f"/dev/fd/{writer}"), 48_000)
    finally:
        os.close(reader)
        os.close(writer)


def test_a_full_disk_at_the_start():
    with pytest.raises(GoAssistError) as caught:
        WavWriter(Path("/dev/full"), 48_000)
    assert not isinstance(caught.value, BadInput)
    assert str(caught.value) == (
        "/dev/full: can not be written after 0.0 s: No space left on device"
    )


# A limit on the size of files stands for the end of the disk: write() fails alike.
FILL_THE_DISK = """
import pathlib, resource, sys
import numpy
from goassist_desktop.pipeline.audio_files import WavWriter
from goassist_desktop.pipeline.errors import GoAssistError
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    with WavWriter(pathlib.Path(sys.argv[1]), 48_000) as writer:
        while True:
            writer.append(numpy.full(480, 0.5, numpy.float32))
except GoAssistError as error:
    print(error)
"""


def test_a_disk_that_fills_up(tmp_path):
    path = tmp_path / "a.wav"
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            FILL_THE_DISK,
            path,
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"{path}: can not be written after 1.0 s: File too large\n"
    assert done.stderr == ""
    samples, _ = soundfile.read(path)
    assert len(samples) == (100_000 - 44) // 960 * 480
    assert (samples == 0.5).all()


def test_silence_takes_no_room_on_the_disk(tmp_path):
    path = tmp_path / "a.wav"
    tone = np.full(480, 0.5, np.float32)
    with WavWriter(path, 48_000) as writer:
        for _ in range(100):
            writer.append(np.zeros(4800, np.float32))
        writer.append(tone)
        writer.append(np.zeros(4800, np.float32))
    samples, _ = soundfile.read(path, dtype="float32")
    assert len(samples) == 480_000 + 480 + 4800
    assert (samples[480_000:480_480] == tone).all()
    assert not samples[:480_000].any() and not samples[480_480:].any()
    assert path.stat().st_blocks * 512 < 50_000
