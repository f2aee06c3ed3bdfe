"""What is asked and answered, as JSON: the models that requests are checked by, and that the
OpenAPI document is made of."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

SessionId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$", min_length=1, max_length=64)]


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class CreateSession(_Asked):
    session_id: SessionId | None = None
    system_prompt: Annotated[str, Field(max_length=4000)] | None = None
    enable_avatar: bool = True
    wait: bool = False


class Offer(_Asked):
    sdp: Annotated[str, Field(min_length=1, max_length=65_536)]
    type: Literal["offer"] = "offer"


class IceCandidate(_Asked):
    candidate: Annotated[str, Field(max_length=1024)]
    sdpMid: Annotated[str, Field(max_length=64)] | None = None
    sdpMLineIndex: Annotated[int, Field(ge=0, le=64)] | None = None
    usernameFragment: Annotated[str, Field(max_length=256)] | None = None


class Chat(_Asked):
    message: Annotated[str, Field(min_length=1, max_length=4000, pattern=r"\S")]
    stream: bool = False


class Pair(_Asked):
    code: Annotated[str, Field(min_length=1, max_length=32)]


class Session(BaseModel):
    session_id: str
    state: Literal["waiting", "idle", "listening", "thinking", "speaking", "held", "interrupted"]
    created_at: str
    connected: bool
    avatar: bool
    place: int | None
    """In the queue, 1 for who is next."""


class CreatedSession(Session):
    ice_servers: list[dict[str, Any]]


class SessionList(BaseModel):
    active_count: int
    available_slots: int
    sessions: list[Session]


class Answer(BaseModel):
    type: Literal["answer"] = "answer"
    sdp: str
    session_id: str


class Ok(BaseModel):
    ok: Literal[True] = True


class ChatAnswer(BaseModel):
    session_id: str
    answer: str


class Paired(BaseModel):
    csrf: str


class Browser(BaseModel):
    csrf: str | None
    """None: it was not paired."""


class Alive(BaseModel):
    alive: Literal[True] = True


class Readiness(BaseModel):
    ready: bool
    missing: dict[str, str]
    replaced: dict[str, str]
    """Stages where another engine than the chosen one is at work -> why."""


class Health(BaseModel):
    status: Literal["ready", "not_ready"]
    missing: dict[str, str]
    version: str
    level: int
    """Of load, 0 to 5."""
    active_count: int
    available_slots: int
    waiting: int
    engines: list[dict[str, Any]]


class Fault(BaseModel):
    code: str
    message: str


class Error(BaseModel):
    error: Fault
    request_id: str
