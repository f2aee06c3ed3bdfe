"""What is told of a conversation to whoever is on the line: its events as JSON has them."""

from __future__ import annotations

from typing import Any

from goassist_desktop.pipeline.events import (
    Attention,
    ContextRolled,
    Notice,
    PartialText,
    ReplyText,
    SessionEvent,
    SpeechStarted,
    StateChanged,
    TurnClosed,
    UserText,
)


def message_of(event: SessionEvent) -> dict[str, Any] | None:
    """The message, or None for what nobody there needs to know."""
    match event:
        case StateChanged(state, at_ms):
            return {"type": "state", "state": str(state), "at_ms": round(at_ms, 1)}
        case PartialText(text):
            return {"type": "partial", "text": text}
        case UserText(text, final):
            return {"type": "user", "text": text, "final": final}
        case ReplyText(turn_id, text, heard):
            return {"type": "reply", "turn_id": turn_id, "text": text, "heard": heard}
        case Notice(level, what):
            return {"type": "notice", "level": level, "text": what}
        case TurnClosed():
            return _turn(event)
        case SpeechStarted() | Attention() | ContextRolled():
            return None


def _turn(turn: TurnClosed) -> dict[str, Any]:
    return {
        "type": "turn",
        "turn_id": turn.turn_id,
        "user_text": turn.user_text,
        "reply_text": turn.reply_text,
        "heard_text": turn.heard_text,
        "outcome": turn.outcome,
        "warmup": turn.warmup,
        "intervals_ms": {
            name: None if ms is None else round(ms, 1) for name, ms in turn.intervals_ms.items()
        },
        "barge_ins": [
            {"latency_ms": round(one.latency_ms, 1), "outcome": one.outcome}
            for one in turn.barge_ins
        ],
    }
