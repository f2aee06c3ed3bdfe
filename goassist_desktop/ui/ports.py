"""What the window knows of the conversation: one Protocol, and what is told besides its events.

No Qt here: whoever implements this needs none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from goassist_desktop.config import Config
from goassist_desktop.pipeline.blendshapes import Pose
from goassist_desktop.pipeline.events import SessionEvent
from goassist_desktop.pipeline.protocols import EngineInfo


@dataclass(frozen=True, slots=True)
class Loading:
    """The engines of a configuration are being loaded."""


@dataclass(frozen=True, slots=True)
class Ready:
    """The conversation has begun: it listens."""

    engines: tuple[EngineInfo, ...]
    """One a stage, in the order of the pipeline."""
    seconds: float
    """What loading took."""


@dataclass(frozen=True, slots=True)
class Unable:
    """There is no conversation, and will be none until something is changed."""

    what: str
    cause: Literal["models", "memory", "engine", "sound", "bug"]


@dataclass(frozen=True, slots=True)
class BrowserAccess:
    """Whether and how browsers reach the assistant, at one moment."""

    state: Literal["off", "opening", "open", "failed"]
    addresses: tuple[str, ...] = ()
    """Of the page, this machine's own first."""
    link: str = ""
    """The page as other devices reach it, if they do, with the code that lets them in."""
    code: str = ""
    """Digits, good once."""
    code_left_s: float = 0.0
    """For how long the code is still good."""
    fingerprint: str = ""
    """Of the certificate."""
    talking: int = 0
    waiting: int = 0
    places: int = 0
    """How many may talk at the same time."""
    fault: str = ""
    """Why it failed."""


AssistantEvent = SessionEvent | Loading | Ready | Unable
Publish = Callable[[AssistantEvent], None]


class Assistant(Protocol):
    """The conversation of this machine, in threads of its own.

    Every method may be called from any thread and returns at once; what comes of it is published.
    """

    def start(self, greeting: str = "") -> None:
        """Load the engines and begin to listen. Ends in Ready or Unable. The greeting is said
        first; without one, the persona's."""

    def use(self, config: Config) -> None:
        """Go on with these settings. Only what they change is made anew: devices are switched in
        the running conversation, another persona or engine begins a new one."""

    def restart(self) -> None:
        """Forget the conversation and begin another one."""

    def close(self) -> None:
        """End it and wait for that, a second at most. Harmless when it is over."""

    def say(self, text: str) -> None:
        """Typed words, answered as if they had been spoken; a reply going on is ended."""

    def stop_talking(self) -> None:
        """End the reply, and ask for no other."""

    def mute(self, muted: bool) -> None:
        """The microphone is not heard: nobody looks at what sounds meanwhile."""

    def push_to_talk(self, pressed: bool) -> None:
        """Held down, the microphone is heard and a reply ends; let go, the turn is over at once."""

    def sleep(self) -> None:
        """End what goes on, forget the conversation, and answer nobody before the configured wake
        word is said; before anything is, without one."""

    def level_db(self) -> float:
        """Loudness of the microphone's newest block after echo cancellation, dB of full scale."""

    def pose(self) -> Pose:
        """The face that belongs to what is heard now."""

    def hurried(self) -> bool:
        """Somebody waits for what is being computed: whoever draws in software leaves it alone."""

    def shown(self, pose: Pose) -> None:
        """The pose is on the screen from now on."""

    def face_offsets_ms(self) -> Sequence[float]:
        """How much later than its sound each frame was shown, the latest last."""

    def keep_session(self, folder: Path) -> None:
        """Keep what `privacy.keep_session` recorded so far, to replay it. Raises BadInput."""

    def browser_access(self) -> BrowserAccess:
        """How browsers reach it now."""

    def renew_code(self) -> None:
        """Another code for the next browser; the one before is not good any more."""
