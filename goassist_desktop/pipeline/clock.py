"""Time, counted in samples, and the marks of a turn.

The audio timeline is the master clock: a moment is a number of milliseconds since the first sample
of the session, derived from sample counts. Wall-clock time is for log files only.
"""

from __future__ import annotations

from typing import Final

from goassist_desktop.pipeline.frames import ANALYSIS_RATE_HZ

ONSET: Final = "onset"
"""First sample of the user's speech."""
OFFSET: Final = "offset"
"""Last sample of the user's speech."""
FINAL_TEXT: Final = "final_text"
"""The words of the utterance were known."""
FIRST_TOKEN: Final = "first_token"
FIRST_CLAUSE: Final = "first_clause"
ENDPOINT: Final = "endpoint"
"""Sound, words and silence were enough to say that the user has finished."""
DECISION: Final = "decision"
"""The user was taken to have finished: with the endpoint, or when there was something to answer."""
FIRST_AUDIO: Final = "first_audio"
"""First audible reply sample at the loudspeaker."""
AUDIO_END: Final = "audio_end"
"""Last audible reply sample at the loudspeaker."""

MARKS: Final = (
    ONSET, OFFSET, ENDPOINT, DECISION,
    FINAL_TEXT, FIRST_TOKEN, FIRST_CLAUSE, FIRST_AUDIO, AUDIO_END,
)  # fmt: skip

INTERVALS: Final = {
    "ttfa": (DECISION, FIRST_AUDIO),
    "response_gap": (OFFSET, FIRST_AUDIO),
    "endpoint_delay": (OFFSET, ENDPOINT),
    "decision_delay": (OFFSET, DECISION),
    "recognition": (OFFSET, FINAL_TEXT),
    "head_start": (FINAL_TEXT, DECISION),
    "llm_ttft": (FINAL_TEXT, FIRST_TOKEN),
    "first_clause": (FIRST_TOKEN, FIRST_CLAUSE),
    "clause_to_audio": (FIRST_CLAUSE, FIRST_AUDIO),
}
"""Every latency the product speaks of: window, report, metrics and traces all read this table.

The head start is what speculation saves: the work on the reply that was done before the decision.
"""


class SampleClock:
    """How many samples the microphone has delivered. Advanced by the one audio thread that does."""

    def __init__(self) -> None:
        self.samples = 0
        """At ANALYSIS_RATE_HZ. Reading it is safe from any thread."""

    def advance(self, samples: int) -> None:
        self.samples += samples

    @property
    def now_ms(self) -> float:
        return self.samples * 1000 / ANALYSIS_RATE_HZ


class Marks:
    """The moments of one turn, in ms of the audio timeline. The first write of a mark wins."""

    def __init__(self) -> None:
        self._ms: dict[str, float] = {}

    def set(self, mark: str, ms: float) -> None:
        self._ms.setdefault(mark, ms)

    def get(self, mark: str) -> float | None:
        return self._ms.get(mark)

    def interval(self, name: str) -> float | None:
        """Length in ms of one of INTERVALS, or None while an end of it is missing."""
        start, end = (self._ms.get(mark) for mark in INTERVALS[name])
        return None if start is None or end is None else end - start

    def as_dict(self) -> dict[str, float | None]:
        """All marks in order, None for those that never came."""
        return {
            mark: None if (ms := self._ms.get(mark)) is None else round(ms, 1) for mark in MARKS
        }
