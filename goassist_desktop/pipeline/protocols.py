"""One Protocol per stage. Stages and the session know engines and endpoints by these alone.

An engine is plain synchronous code. Its constructor is cheap, `load()` does the work (files,
warm-up with real shapes), and per-turn state lives in what it opens, never in the engine.
`workers.Lane` runs it off the event loop. There is no cancel: closing the iterator an engine
returned is the cancellation, and its clean-up is in `finally`. An engine downloads nothing; it is
given a folder.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from goassist_desktop.pipeline.events import Notice
from goassist_desktop.pipeline.frames import FaceFrame, Message, Samples, Speech, Transcript


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """What a user may want to know of an engine before trusting it."""

    stage: str
    """'voice_activity', 'turn_detection', 'recognition', 'language_model', 'synthesis', 'face'."""
    name: str
    model: str
    licence: str
    cloud: bool = False
    stand_in: bool = False
    """True for the scripted engines of the tests, which no configuration can select."""


@runtime_checkable
class Engine(Protocol):
    """What all engines share."""

    @property
    def info(self) -> EngineInfo: ...

    def load(self) -> None:
        """Read the model and warm it up with its real shapes.

        Raises ModelMissing for absent or damaged files, EngineFailed for anything else.
        Calling it again is harmless.
        """

    def close(self) -> None:
        """Free what `load` took. Harmless when nothing is loaded."""


class VoiceActivityStream(Protocol):
    """The state of one microphone."""

    frame_samples: int
    """Samples at 16 kHz each call must have (Silero: 512, that is 32 ms)."""

    def probability(self, frame: Samples) -> float:
        """Probability in [0, 1] that the frame (frame_samples,) holds speech.

        Raises ValueError for another length: the model would silently answer nonsense.
        """


class VoiceActivity(Engine, Protocol):
    def open(self) -> VoiceActivityStream:
        """Fresh state for one microphone."""


class TurnDetector(Engine, Protocol):
    def finished(self, audio: Samples) -> float:
        """Probability in [0, 1] that the utterance (n,) at 16 kHz is complete. Any length."""


class Recogniser(Engine, Protocol):
    def transcribe(self, audio: Samples) -> Transcript:
        """The words in (n,) samples at 16 kHz, at most 30 s. Empty text when there are none."""


class LanguageModel(Engine, Protocol):
    @property
    def context_tokens(self) -> int:
        """The window of the loaded model, in tokens."""

    def reply(
        self, messages: Sequence[Message], *, max_tokens: int, temperature: float, seed: int
    ) -> Iterator[str | None]:
        """Pieces of the answer as they are made. Closing the iterator stops the generation. An
        empty piece is a sign of life; None is none, and only a moment to be closed.

        A last message of the assistant's is the beginning of the answer: what follows it is made.

        The longest prefix shared with the previous call is served from the model's cache.
        """

    def prefill(self, messages: Sequence[Message], *, shortened: bool = False) -> None:
        """Read messages into the cache, so that a reply continuing them starts at once.

        `shortened`: they are those the cache holds, less some behind the first. An engine that can
        keeps what it read of the others, though it read them with those before them.
        """

    def count_tokens(self, messages: Sequence[Message]) -> int:
        """Length of the prompt these messages make, in the model's own tokens."""


@runtime_checkable
class SeatedModel(LanguageModel, Protocol):
    """A model that holds several conversations at once, each with a cache of its own."""

    seats: int
    """Asked for before `load`, which may grant fewer."""

    def seat(self, index: int) -> LanguageModel:
        """The model for one of them. What is done in one seat leaves the others alone: each may be
        used by a thread of its own. Seat 0 is the model itself."""


class Synthesiser(Engine, Protocol):
    rate_hz: int

    def speak(self, text: str) -> Iterator[Speech | None]:
        """Speech for one clause of cleaned text, in one or more pieces, in order. None is only a
        moment to be closed.

        Joined over the pieces, the words are exactly `text.split()`, and their times rise.
        Leading and trailing silence of the voice is trimmed to what the punctuation asks for.
        """


class FaceStream(Protocol):
    """The face of one reply. Whatever happens here, its sound goes on."""

    def push(self, speech: Speech) -> Iterator[FaceFrame]:
        """The frames that the next piece of the reply makes, as they are made.

        A frame replaces one given before for the same time: an engine that looks ahead may give
        the end of a piece provisionally, and again with the next piece.
        Raises EngineFailed when it breaks, or makes no frame for STALL_S.
        """

    def finish(self) -> Iterator[FaceFrame]:
        """The frames still missing, now that no more speech comes."""

    def close(self) -> None:
        """The reply is over, perhaps before its end. Harmless at any moment, from any thread."""


class FaceEngine(Engine, Protocol):
    def open(self) -> FaceStream:
        """Begin a reply. Raises EngineFailed."""


class Source(Protocol):
    """What a loudspeaker plays."""

    def pull(self, count: int) -> Samples:
        """Exactly `count` samples (count,) at the endpoint's rate, silence included.

        Called from the audio thread: it never blocks and never raises.
        """


class Endpoint(Protocol):
    """A microphone and a loudspeaker on one timeline."""

    rate_hz: int
    """Of the loudspeaker."""
    capture_delay_ms: float
    """How much later a sound stands in the delivered blocks than it reached the microphone."""
    render_delay_ms: float
    """How much later a pulled sample is heard."""
    muted: bool
    """While true, silence is delivered in place of what the microphone hears."""

    def start(
        self,
        source: Source,
        deliver: Callable[[Samples], None],
        notify: Callable[[Notice], None],
    ) -> None:
        """Begin. `deliver` gets cleaned blocks (160,) at 16 kHz from a thread of the endpoint,
        gap-free: the n-th one is always [10n, 10n + 10) ms of the timeline.

        Raises DeviceFailed when there is nothing to begin with.
        """

    def stop(self) -> None:
        """End within half a second. Harmless when it has ended."""
