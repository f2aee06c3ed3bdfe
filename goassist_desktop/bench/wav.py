"""What two recordings tell of a conversation: the microphone's, and the loudspeaker's.

Nothing here knows what the program said of itself. Both files begin with the same sample, as
`RecordingEndpoint` and `goassist talk` write them. Positions are samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from goassist_desktop.pipeline.frames import Samples

SPEECH_FLOOR_DBFS = -45.0
"""Above the room tone of RecordingEndpoint (-70 dBFS), under the faintest sound of its speech."""
REPLY_FLOOR_DBFS = -50.0
"""Above it the loudspeaker is audible."""
UTTERANCE_GAP_MS = 1000.0
"""The pauses inside a recorded question are shorter, the silence between two is longer."""
REPLY_GAP_MS = 200.0
"""The stops inside words are shorter than this."""
SILENCE_MS = 150.0
"""Quiet for this long, the loudspeaker has fallen silent; gaps inside words are shorter."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of sound: its first sample, and one past its last."""

    start: int
    end: int


def load(path: Path) -> tuple[Samples, int]:
    """A whole mono recording (n,) and its rate in Hz."""
    samples, rate_hz = soundfile.read(path, dtype="float32")
    return np.asarray(samples, np.float32), int(rate_hz)


def stretches(samples: Samples, rate_hz: int, *, floor_dbfs: float, gap_ms: float) -> list[Stretch]:
    """Where (n,) samples pass the floor (0 dBFS: 1.0). A gap under `gap_ms` does not part them."""
    (loud,) = np.nonzero(np.abs(samples) > _amplitude(floor_dbfs))
    if not len(loud):
        return []
    (parted,) = np.nonzero(np.diff(loud) > gap_ms * rate_hz / 1000)
    starts = [loud[0], *loud[parted + 1]]
    ends = [*loud[parted], loud[-1]]
    return [Stretch(int(a), int(b) + 1) for a, b in zip(starts, ends, strict=True)]


def utterances(mic: Samples, rate_hz: int) -> list[Stretch]:
    """What the user said; a microphone without echo and noise."""
    return stretches(mic, rate_hz, floor_dbfs=SPEECH_FLOOR_DBFS, gap_ms=UTTERANCE_GAP_MS)


def replies(loudspeaker: Samples, rate_hz: int) -> list[Stretch]:
    """What the assistant said, parted wherever it paused."""
    return stretches(loudspeaker, rate_hz, floor_dbfs=REPLY_FLOOR_DBFS, gap_ms=REPLY_GAP_MS)


def gaps_ms(
    said: Sequence[Stretch], replied: Sequence[Stretch], rate_hz: int
) -> list[float | None]:
    """From the last sample of each utterance to the first of the reply, None without one.

    A reply is what starts after the utterance and before the next.
    """
    ends: list[float] = [utterance.start for utterance in said[1:]]
    found: list[float | None] = []
    for utterance, before in zip(said, [*ends, np.inf], strict=True):
        starts = (r.start for r in replied if utterance.end <= r.start < before)
        start = min(starts, default=None)
        found.append(None if start is None else (start - (utterance.end - 1)) * 1000 / rate_hz)
    return found


def onset_to_silence_ms(
    loudspeaker: Samples,
    rate_hz: int,
    onset: int,
    *,
    floor_dbfs: float = REPLY_FLOOR_DBFS,
    lasting_ms: float = SILENCE_MS,
) -> float | None:
    """From the onset of the user's speech until the loudspeaker is silent, and stays so.

    It is from the first sample that begins `lasting_ms` under the floor; None when it never does,
    or the recording ends sooner. 0.0 when it was silent at the onset.
    """
    (loud,) = np.nonzero(np.abs(loudspeaker[onset:]) > _amplitude(floor_dbfs))
    edges = np.concatenate([[-1], loud, [len(loudspeaker) - onset]])
    (quiet,) = np.nonzero(np.diff(edges) - 1 >= lasting_ms * rate_hz / 1000)
    return float(edges[quiet[0]] + 1) * 1000 / rate_hz if len(quiet) else None


def _amplitude(dbfs: float) -> float:
    return float(10 ** (dbfs / 20))
