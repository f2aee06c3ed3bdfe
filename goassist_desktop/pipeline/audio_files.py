"""Sound files: read whole and checked, written block by block.

Inside the program sound is mono float32; on the sound card, and so in every file written, it is
16 bit. `as_16_bit` is the one place where the one becomes the other.
"""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Iterator
from io import FileIO
from pathlib import Path
from types import TracebackType

import numpy as np
import numpy.typing as npt
import soundfile

from goassist_desktop.pipeline.errors import BadInput, GoAssistError
from goassist_desktop.pipeline.frames import Samples

SHORTEST_S = 0.05
LONGEST_S = 600.0
"""Longer than any utterance; a whole lecture given by mistake is refused from its header."""
LOWEST_RATE_HZ = 4_000
HIGHEST_RATE_HZ = 384_000
SILENT_PEAK = 10 ** (-60 / 20)
LOUDEST_PEAK = 10 ** (20 / 20)
"""Of a float file. Well-made ones may pass 1; one that holds integers as floats passes this."""

_UNKNOWN_LENGTH = 0x7FFF_F000
"""A data chunk declared this long comes from a recorder that could not go back to say."""
_ANY_FRAMES = 0x7FFF_FFFF_FFFF_FFFF
"""What libsndfile says of a FLAC stream that was never finished."""
_FRAMES_AT_A_TIME = 1 << 16
_HEADER_BYTES = 44


def read(path: Path) -> tuple[Samples, int]:
    """The sound of a file, mixed to mono, (n,) float32, and its rate in Hz.

    Any rate, width and channel count libsndfile knows (WAV, FLAC and others). Channels without
    sound do not take part in the mix, so a voice in one channel of six keeps its level.

    Raises BadInput, with one line naming the file, for anything that can not be an utterance:
    missing, not a sound file, empty, cut short, shorter than 50 ms or longer than 10 minutes
    (known from the header, before any sample is read), silent, or samples that are not numbers.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise BadInput(f"{path}: not a file")
        if status.st_size == 0:
            raise BadInput(f"{path}: empty, 0 bytes")
        with path.open("rb", buffering=0) as file:
            return _read(path, file, status.st_size)
    except OSError as error:
        raise BadInput(f"{path}: {_reason(error)}") from error
    except soundfile.LibsndfileError as error:
        reason = error.error_string.removeprefix("Error : ").rstrip(".")
        raise BadInput(f"{path}: not a sound file, or damaged: {reason}") from error


def _read(path: Path, file: FileIO, size: int) -> tuple[Samples, int]:
    cut_short = _cut_short(file, size)
    file.seek(0)
    # By descriptor: given a path, soundfile judges by the name and wants to know more of a '.raw'.
    with soundfile.SoundFile(file.fileno(), closefd=False) as sound:
        if cut_short:
            raise BadInput(f"{path}: cut short, the file ends before its sound does")
        rate_hz: int = sound.samplerate
        if not LOWEST_RATE_HZ <= rate_hz <= HIGHEST_RATE_HZ:
            raise BadInput(
                f"{path}: {rate_hz} samples a second;"
                f" {LOWEST_RATE_HZ} to {HIGHEST_RATE_HZ} can be used"
            )
        if sound.frames == 0:
            raise BadInput(f"{path}: empty, its header announces no samples")
        if sound.frames == _ANY_FRAMES:
            raise BadInput(f"{path}: its header does not say how long it is")
        duration_s = sound.frames / rate_hz
        if not SHORTEST_S <= duration_s <= LONGEST_S:
            raise BadInput(
                f"{path}: {_duration(duration_s)} long;"
                f" {_duration(SHORTEST_S)} to {_duration(LONGEST_S)} can be used"
            )
        peaks = np.zeros(sound.channels, np.float32)
        for block in _blocks(sound):
            if not np.isfinite(block).all():
                raise BadInput(f"{path}: holds samples that are not numbers (NaN or infinity)")
            np.maximum(peaks, np.abs(block).max(axis=0), out=peaks)
        if peaks.max() > LOUDEST_PEAK:
            raise BadInput(f"{path}: peak {peaks.max():.3g}; samples must be within -1 and 1")
        sounding = peaks > SILENT_PEAK
        if not sounding.any():
            raise BadInput(f"{path}: silent, no sample is above -60 dBFS")
        sound.seek(0)
        mono = np.concatenate([block[:, sounding].mean(axis=1) for block in _blocks(sound)])
        if len(mono) < sound.frames:
            raise BadInput(f"{path}: cut short, the file ends before its sound does")
        if np.ptp(mono) <= 2 * SILENT_PEAK:
            raise BadInput(f"{path}: silent once mixed to mono, or a constant level without sound")
        return mono, rate_hz


def _blocks(sound: soundfile.SoundFile) -> Iterator[npt.NDArray[np.float32]]:
    """The rest of the file, (n, channels) at a time: memory holds it once, and only as mono."""
    while len(block := sound.read(_FRAMES_AT_A_TIME, dtype="float32", always_2d=True)):
        yield np.asarray(block, np.float32)


def _cut_short(file: FileIO, size: int) -> bool:
    """Whether a RIFF file of `size` bytes ends inside its data chunk, which libsndfile forgives."""
    if file.read(4) != b"RIFF":
        return False
    at = 12
    while at + 8 <= size:
        file.seek(at)
        name = file.read(4)
        length = int.from_bytes(file.read(4), "little")
        if name == b"data":
            return length < _UNKNOWN_LENGTH and at + 8 + length > size
        at += 8 + length + length % 2
    return False


def _duration(seconds: float) -> str:
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} minutes"


def _reason(error: OSError) -> str:
    return error.strerror or str(error)


def as_16_bit(samples: Samples) -> npt.NDArray[np.int16]:
    """What a 16-bit converter makes of (n,) samples: rounded, clipped; 1.0 is 32768."""
    return np.clip(np.rint(samples * 32768), -32768, 32767).astype(np.int16)


class WavWriter:
    """A 16-bit mono WAV file, appended to block by block.

    The header is brought up to date with every block, so the file is whole at any moment, however
    the program ends. Past 4 GiB (12 hours at 48 kHz) a WAV can not say its length: what comes then
    is written, but readers stop there.
    """

    def __init__(self, path: Path, rate_hz: int) -> None:
        """Create or overwrite `path`.

        Raises BadInput when it can not be opened, GoAssistError when it can not be written.
        """
        self.path = path
        self.rate_hz = rate_hz
        self._bytes = 0
        try:
            # Unbuffered, so that a full disk is known with the block that met it.
            self._file = path.open("wb", buffering=0)
        except OSError as error:
            raise BadInput(f"{path}: can not be written: {_reason(error)}") from error
        try:
            if not self._file.seekable():
                raise BadInput(f"{path}: can not be written: not a file")
            self._put_header()
        except OSError as error:
            self._file.close()
            raise self._failed(error) from error
        except BadInput:
            self._file.close()
            raise

    def append(self, samples: Samples) -> None:
        """Write (n,) samples. Raises GoAssistError when the disk is full or gone."""
        rounded = as_16_bit(samples).astype("<i2")
        data = rounded.tobytes()
        try:
            if rounded.any():
                self._put(data)
            else:  # silence takes no room on the disk
                self._file.truncate(_HEADER_BYTES + self._bytes + len(data))
            self._bytes += len(data)
            self._put_header()
        except OSError as error:
            raise self._failed(error) from error

    def close(self) -> None:
        """Harmless when closed."""
        self._file.close()

    def __enter__(self) -> WavWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _put(self, data: bytes) -> None:
        left = memoryview(data)
        while left:  # a nearly full disk takes a part, and says why with the next
            left = left[self._file.write(left) :]

    def _put_header(self) -> None:
        self._file.seek(0)
        self._put(
            struct.pack(
                "<4sI4s4sIHHIIHH4sI",
                *(b"RIFF", min(36 + self._bytes, 0xFFFF_FFFF), b"WAVE"),
                *(b"fmt ", 16, 1, 1, self.rate_hz, 2 * self.rate_hz, 2, 16),
                *(b"data", min(self._bytes, 0xFFFF_FFFF)),
            )
        )
        self._file.seek(0, os.SEEK_END)

    def _failed(self, error: OSError) -> GoAssistError:
        written_s = self._bytes / 2 / self.rate_hz
        return GoAssistError(
            f"{self.path}: can not be written after {written_s:.1f} s: {_reason(error)}"
        )
