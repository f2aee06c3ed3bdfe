"""What is the same, and how to say what is not."""

from __future__ import annotations

from typing import Any

import numpy as np

from goassist_desktop.pipeline.frames import Speech, Transcript
from goassist_desktop.replay.values import Value, rounded

SAME_PROBABILITY = 0.01
SAME_SAMPLE = 1e-3
"""Libraries add up in another order on another processor; more than that is something else."""


def difference(now: Any, was: Any) -> str | None:
    """Between two results of an engine; None when they mean the same."""
    match now, was:
        case Transcript(), Transcript():
            return difference(now.text, was.text)
        case Speech(), Speech():
            return _speech(now, was)
        case float(), float():
            same = abs(now - was) <= SAME_PROBABILITY
            return None if same else f"{now:.3f}, was {was:.3f}"
    return None if now == was else f"{_said(now)}, was {_said(was)}"


def _speech(now: Speech, was: Speech) -> str | None:
    if now.words != was.words:
        return difference([word.text for word in now.words], [word.text for word in was.words]) or (
            f"other times of {' '.join(word.text for word in was.words)!r}"
        )
    if len(now.samples) != len(was.samples):
        return f"{len(now.samples)} samples of speech, were {len(was.samples)}"
    worst = float(np.max(np.abs(rounded(now.samples) - was.samples), initial=0.0))
    return None if worst <= SAME_SAMPLE else f"the same speech with other samples ({worst:.3f})"


def _said(result: Any) -> str:
    return "nothing" if result is None else repr(result)


def changed(now: Value, was: Value) -> str | None:
    """Between two events of a session; None when they are equal.

    What a recording does not say of an event was not said of events yet when it was made.
    """
    if now["type"] != was["type"]:
        return f"{_brief(now)} came, was {_brief(was)}"
    keys = [key for key in was if now.get(key) != was[key]]
    if not keys:
        return None
    found = (f"{key} {now.get(key)!r}, was {was[key]!r}" for key in keys)
    return f"{now['type']}: {'; '.join(found)}"


def _brief(event: Value) -> str:
    rest = ", ".join(f"{value}" for key, value in event.items() if key != "type")
    return f"{event['type']} ({rest[:60]})"
