"""A face and its voice as a video file: H.264 and AAC in an MP4."""

from __future__ import annotations

from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import av
import numpy as np

from goassist_desktop.avatar import Picture
from goassist_desktop.pipeline.errors import BadInput, GoAssistError
from goassist_desktop.pipeline.frames import Samples

CODECS: Final = (("libx264", {"preset": "veryfast", "crf": "20"}), ("mpeg4", {"qscale": "3"}))
"""The first that the libraries at hand have is used."""
AUDIO_BITS_PER_S: Final = 128_000


class VideoWriter:
    """An MP4 file, appended to.

    The n-th picture is seen from n / fps on, and the n-th sample is heard at n / rate: both are
    counted from the first, so that neither drifts from the other.
    """

    def __init__(self, path: Path, width: int, height: int, fps: int, audio_rate_hz: int) -> None:
        """Create or overwrite `path`; pictures have an even width and height.

        Raises BadInput when it can not be written.
        """
        if width % 2 or height % 2:
            raise ValueError(f"a video of {width} by {height}: colours are stored for 2 by 2")
        self.path = path
        self._size = (height, width, 3)
        self._frames = self._samples = 0
        self._rate_hz = audio_rate_hz
        self._open = True
        try:
            # Ours, as theirs says of a path that can not be written only at the first picture.
            self._raw = path.open("wb")
        except OSError as error:
            raise BadInput(f"{path}: can not be written: {_reason(error)}") from error
        self._file = av.open(self._raw, "w", format="mp4")
        codec, options = next(c for c in CODECS if c[0] in av.codecs_available)
        video: Any = self._file.add_stream(codec, rate=fps, options=options)
        self._video = video
        self._video.width, self._video.height, self._video.pix_fmt = width, height, "yuv420p"
        # Without pictures that refer to later ones the first is the first to be decoded, too.
        self._video.codec_context.max_b_frames = 0
        self._video.codec_context.time_base = Fraction(1, fps)
        self._video.thread_count = 1
        self._audio: Any = self._file.add_stream("aac", rate=audio_rate_hz, layout="mono")
        self._audio.bit_rate = AUDIO_BITS_PER_S

    def frame(self, image: Picture) -> None:
        """Append a picture (height, width, 3), RGB. Raises GoAssistError when the disk is full."""
        if image.shape != self._size or image.dtype != np.uint8:
            raise ValueError(f"a picture {image.shape} of {image.dtype}, not {self._size} of uint8")
        picture = av.VideoFrame.from_ndarray(image, format="rgb24")
        picture.pts, picture.time_base = self._frames, self._video.codec_context.time_base
        self._frames += 1
        self._put(self._video, picture)

    def audio(self, samples: Samples) -> None:
        """Append (n,) samples. Raises GoAssistError when the disk is full."""
        if not len(samples):
            return
        sound = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(samples[None], np.float32), format="fltp", layout="mono"
        )
        sound.sample_rate = self._rate_hz
        sound.pts, sound.time_base = self._samples, Fraction(1, self._rate_hz)
        self._samples += len(samples)
        self._put(self._audio, sound)

    def close(self) -> None:
        """Write what is left. Harmless when closed. Raises GoAssistError when the disk is full."""
        if not self._open:
            return
        try:
            for stream, count in ((self._video, self._frames), (self._audio, self._samples)):
                if count:  # what was never used has nothing to flush
                    self._put(stream, None)
            self._file.close()
            self._raw.close()
        except OSError as error:
            raise self._failed(error) from error
        finally:
            self._open = False

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _put(self, stream: Any, frame: Any) -> None:
        try:
            for packet in stream.encode(frame):
                self._file.mux(packet)
        except OSError as error:
            raise self._failed(error) from error

    def _failed(self, error: OSError) -> GoAssistError:
        self._open = False  # the libraries crash when they are to go on
        with suppress(OSError):
            self._raw.close()
        return GoAssistError(f"{self.path}: can not be written: {_reason(error)}")


def _reason(error: OSError) -> str:
    return error.strerror or str(error)
