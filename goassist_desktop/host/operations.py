"""What the API can do, in one table: the server routes by it, and the OpenAPI document tells it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pydantic import BaseModel

from goassist_desktop.host import schemas


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path."""

    name: str
    """Of the handler."""
    method: str
    path: str
    summary: str
    answers: Mapping[int, type[BaseModel] | str]
    """Status -> the model of its JSON, or another content type, or "" for nothing."""
    errors: tuple[int, ...] = ()
    """Besides those any operation can give."""
    body: type[BaseModel] | None = None
    kind: str = "other"
    """Of `limits.PER_MINUTE`."""
    open: bool = False
    """Without a token."""
    described: bool = True
    """In the OpenAPI document, which knows no WebSockets."""

    @property
    def all_errors(self) -> tuple[int, ...]:
        always = {403, 429}
        guarded = set() if self.open else {401}
        with_body = {400, 408, 413, 415, 422} if self.body is not None else set()
        return tuple(sorted(always | guarded | with_body | set(self.errors)))


_OK: Final = {200: schemas.Ok}

OPERATIONS: Final = (
    Operation("alive", "GET", "/healthz", "It is alive", {200: schemas.Alive}, open=True),
    Operation(
        "ready", "GET", "/readyz",
        "It is ready: every stage is loaded, with a real engine",
        {200: schemas.Readiness, 503: schemas.Readiness}, open=True,
    ),
    Operation(
        "health", "GET", "/health", "A report", {200: schemas.Health}, open=True,
    ),
    Operation("metrics", "GET", "/metrics", "All metrics", {200: "text/plain"}),
    Operation("openapi", "GET", "/openapi.json", "This document", {200: "application/json"}),
    Operation(
        "pair", "POST", "/pair", "Let a browser in that knows a pairing code",
        {200: schemas.Paired}, errors=(401,), body=schemas.Pair, kind="pair", open=True,
    ),
    Operation(
        "paired", "GET", "/pair", "The second secret of a paired browser",
        {200: schemas.Browser}, open=True,
    ),
    Operation(
        "create", "POST", "/sessions",
        "Begin a conversation; with `wait`, or a place in the queue",
        {201: schemas.CreatedSession, 202: schemas.CreatedSession},
        errors=(409, 503), body=schemas.CreateSession, kind="create",
    ),
    Operation("sessions", "GET", "/sessions", "All conversations", {200: schemas.SessionList}),
    Operation(
        "session", "GET", "/sessions/{session_id}", "One conversation",
        {200: schemas.CreatedSession}, errors=(404,),
    ),
    Operation(
        "end", "DELETE", "/sessions/{session_id}", "End a conversation", _OK, errors=(404,),
    ),
    Operation(
        "offer", "POST", "/sessions/{session_id}/offer", "Answer a WebRTC offer",
        {200: schemas.Answer}, errors=(404, 409), body=schemas.Offer, kind="offer",
    ),
    Operation(
        "candidate", "POST", "/sessions/{session_id}/ice-candidate", "One more ICE candidate",
        _OK, errors=(404, 409), body=schemas.IceCandidate, kind="candidate",
    ),
    Operation(
        "chat", "POST", "/sessions/{session_id}/chat",
        "Ask in writing; with `stream`, the answer comes as server-sent events",
        {200: schemas.ChatAnswer}, errors=(404, 409, 503), body=schemas.Chat, kind="chat",
    ),
    Operation(
        "faces", "GET", "/sessions/{session_id}/blendshapes", "The face, by WebSocket",
        {101: ""}, described=False,
    ),
    Operation(
        "pcm", "GET", "/sessions/{session_id}/pcm", "Sound both ways, by WebSocket",
        {101: ""}, described=False,
    ),
)  # fmt: skip
